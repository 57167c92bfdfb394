"""The gene pool of the chain space: every gene with every value of its parameters, how it is written, what may follow.

Two genes of the published chromosomes are implied and so missing here: the rescaling of the pixels, always first, and
the classifier, always last.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from untrained.architecture import Token
from untrained.errors import ArchitectureError

START, END = "^", "$"
FEATURES, POOLING, DENSE = "CDBILMART", "gGE", "OF"

FOLLOWS: Mapping[str, str] = {
    START: "CDRT",
    "C": "CDBILMART" + POOLING, "D": "CDBILMART" + POOLING,
    "B": "CDLMART" + POOLING, "I": "CDLMART" + POOLING,
    "L": "CDMART" + POOLING, "M": "CDBILRT" + POOLING, "A": "CDBILRT" + POOLING,
    "R": "CDMART" + POOLING, "T": "CDMART" + POOLING,
    "g": DENSE + END, "G": DENSE + END, "E": DENSE + END,
    "O": "F" + END, "F": "O" + END,
}  # fmt: skip
"""What may come next, by symbol. Every path from start to end passes through exactly one pooling gene; r and t, the
blocks without skip, obey the rows of R and T. The published table leaves out the step from features to pooling."""


class Layer(NamedTuple):
    """A row of the pool: symbol, kind, name in published files, colour in diagrams, values of each parameter."""

    symbol: str
    kind: str
    published: str
    colour: str
    parameters: Mapping[str, Sequence[float]]


_FILTERS, _KERNEL, _STRIDE, _POOL = range(16, 129, 16), range(1, 8), (1, 2), (2, 3, 4)
_CONV = {"filters": _FILTERS, "kernel": _KERNEL, "stride": _STRIDE}
_BLOCK = {"filters": _FILTERS, "kernel": (3, 5, 7), "stride": _STRIDE, "skip": (0, 1)}

LAYERS = (
    Layer("C", "conv", "C_2D", "conv", _CONV),
    Layer("D", "depthwise_conv", "DC_2D", "conv", {"kernel": _KERNEL, "stride": _STRIDE}),
    Layer("B", "batch_norm", "BN_2D", "norm", {}),
    Layer("I", "instance_norm", "IN_2D", "norm", {}),
    Layer("L", "relu", "R_2D", "activation", {}),
    Layer("M", "max_pool", "MP_2D", "pool", {"pool": _POOL}),
    Layer("A", "avg_pool", "AP_2D", "pool", {"pool": _POOL}),
    Layer("R", "residual", "RES_2D", "block", _BLOCK),
    Layer("T", "bottleneck", "BOT_2D", "block", _BLOCK),
    Layer("g", "global_avg_pool", "GAP_2D", "pool", {}),
    Layer("G", "global_max_pool", "GMP_2D", "pool", {}),
    Layer("E", "flatten", "FLAT", "pool", {}),
    Layer("O", "dropout", "DO", "other", {"rate": (0.0, 0.1, 0.2, 0.3, 0.4)}),
    Layer("F", "dense", "D", "dense", {"units": range(16, 97, 8)}),
)
_PUBLISHED_NAMES = {"kernel": "kernel_size", "stride": "strides", "skip": "skip_connection", "pool": "pool_size"}
_LETTERS = {"kernel": "k", "stride": "s"}


def _token(layer: Layer, values: Sequence[float]) -> Token:
    parameters = tuple(zip(layer.parameters, values, strict=True))
    return Token(layer.symbol.lower() if ("skip", 0) in parameters else layer.symbol, layer.kind, parameters)


def _text(token: Token) -> str:
    shown = (f"{_LETTERS.get(name, '')}{value:g}" for name, value in token.parameters if name != "skip")
    return token.symbol + "".join(shown)


VOCABULARY: tuple[Token, ...] = tuple(
    _token(layer, values) for layer in LAYERS for values in itertools.product(*layer.parameters.values())
)
"""All 346 genes, the last parameter fastest. A gene of an architecture is an index into this tuple, so that a table of
all pairs of genes is an array of 346 x 346."""

LAYER = tuple(layer for layer in LAYERS for _ in range(math.prod(map(len, layer.parameters.values()))))
"""The row of the pool that each gene belongs to."""
SYMBOL = "".join(layer.symbol for layer in LAYER)
"""The row of `FOLLOWS` that each gene obeys."""
TEXTS = tuple(map(_text, VOCABULARY))
GENES: Mapping[str, int] = {text: gene for gene, text in enumerate(TEXTS)}

RANGE = {layer.symbol: range(SYMBOL.index(layer.symbol), SYMBOL.rindex(layer.symbol) + 1) for layer in LAYERS}
"""The genes of each symbol."""
REDRAW = RANGE | dict.fromkeys(POOLING, range(RANGE["g"].start, RANGE["E"].stop))
"""What redrawing a gene of each symbol chooses from: its own kind, for a pooling gene all three."""

_BY_NAME = {layer.published: layer for layer in LAYERS}
_BY_VALUES = {
    (symbol, tuple(value for _, value in token.parameters)): gene
    for gene, (symbol, token) in enumerate(zip(SYMBOL, VOCABULARY, strict=True))
}


@cache
def between(before: str, after: str) -> str:
    """The symbols of genes that fit between two others."""
    return "".join(symbol for symbol in FOLLOWS[before] if symbol != END and after in FOLLOWS[symbol])


@cache
def variants(gene: int) -> tuple[int, ...]:
    """The genes that differ from `gene` in the value of one parameter; of a pooling gene, the two other kinds."""
    symbol, parameters = SYMBOL[gene], VOCABULARY[gene].parameters
    if symbol in POOLING:
        return tuple(other for other in REDRAW[symbol] if other != gene)
    return tuple(
        other
        for other in RANGE[symbol]
        if sum(p != q for p, q in zip(parameters, VOCABULARY[other].parameters, strict=True)) == 1
    )


def read_gene(text: str, item: str, column: int, grammar: str) -> int:
    """The gene written as `item`, which stands at `column` of `text`."""
    if item in GENES:
        return GENES[item]
    layer = next((LAYER[gene] for known, gene in GENES.items() if item and known[0] == item[0]), None)
    if layer is None:
        raise ArchitectureError.at(text, column, f"unknown gene {item!r}" if item else "a gene is missing", grammar)
    longest = min(len(item), max(map(len, TEXTS)))
    right = next(n for n in range(longest, 0, -1) if any(known.startswith(item[:n]) for known in TEXTS))
    shape = "".join(_LETTERS.get(name, "") + f"<{name}>" for name in layer.parameters if name != "skip")
    values = "; ".join(f"{name} {_listed(layer, name)}" for name in layer.parameters if name != "skip")
    expected = f"{item[0]}{shape} with {values}" if shape else f"{item[0]} alone: it has no parameters"
    raise ArchitectureError.at(text, column + right, f"{item!r} is no {layer.kind} gene", expected)


def published_gene(place: int, gene: Mapping[str, Any]) -> int:
    """The gene that a JSON object of a published chromosome describes; `place` is for the message."""
    if not isinstance(gene, Mapping):
        raise ArchitectureError(f"gene {place}: {gene!r} is no JSON object; expected one such as {{'layer': 'BN_2D'}}")
    layer = _BY_NAME.get(str(gene.get("layer")))
    if layer is None:
        names = ", ".join(_BY_NAME)
        raise ArchitectureError(f"gene {place}: unknown layer {gene.get('layer')!r}; expected one of {names}")
    values: list[float] = []
    for name, allowed in layer.parameters.items():
        published = _PUBLISHED_NAMES.get(name, name)
        given = gene.get(published)
        # Rates carry rounding errors of the published code: 0.30000000000000004.
        value = round(given, 9) if isinstance(given, int | float) and not isinstance(given, bool) else None
        if value is None or value not in allowed:
            raise ArchitectureError(
                f"gene {place}: {published}={given!r} of {layer.published}; expected one of {_listed(layer, name)}"
            )
        values.append(value)
    return _BY_VALUES[layer.symbol, tuple(values)]


def _listed(layer: Layer, name: str) -> str:
    return ", ".join(f"{value:g}" for value in layer.parameters[name])


def label(gene: int) -> str:
    """A gene in words, for diagrams."""
    token = VOCABULARY[gene]
    values = dict(token.parameters)
    window = values.get("kernel", values.get("pool"))
    parts = [token.kind.replace("_", " ") + ("" if window is None else f" {window:g}x{window:g}")]
    parts += [f"{values[name]:g}" for name in ("filters", "units", "rate") if name in values]
    if values.get("stride") == 2:
        parts.append("stride 2")
    if values.get("skip") == 0:
        parts.append("no skip")
    return ", ".join(parts)
