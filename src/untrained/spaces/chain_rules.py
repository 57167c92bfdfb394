"""The rules of the chain space: numbers of genes, what is wrong with a chain, which edits are allowed, what can go."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TypeAlias

from untrained.errors import InputError
from untrained.spaces.chain_genes import (
    DENSE,
    END,
    FEATURES,
    FOLLOWS,
    GENES,
    POOLING,
    RANGE,
    REDRAW,
    START,
    SYMBOL,
    TEXTS,
    VOCABULARY,
    between,
)

Bounds: TypeAlias = tuple[int, int | None]

_NO_DROPOUT = GENES["O0"]
_POOLING_GENES = REDRAW["g"]
_STEPS = {(before, after) for before, allowed in FOLLOWS.items() for after in allowed}


@dataclass(frozen=True, slots=True)
class Limits:
    """How many genes an architecture may have: inclusive ranges, None for no upper end.

    features, dense: of any valid architecture, whatever operator made it (the paper: 1..20 and 0..2); sampled_features,
    sampled_dense: what random architectures draw their numbers from (the published code: 5..20 and 1..2).
    """

    features: Bounds = (1, 20)
    dense: Bounds = (0, 2)
    sampled_features: tuple[int, int] = (5, 20)
    sampled_dense: tuple[int, int] = (1, 2)

    def __post_init__(self) -> None:
        for name, least, allowed, sampled in (
            ("features", 1, self.features, self.sampled_features),
            ("dense", 0, self.dense, self.sampled_dense),
        ):
            if not least <= allowed[0] <= top(allowed):
                raise InputError(f"{name}={allowed} is no range (lowest, highest) with {least} <= lowest <= highest")
            if not allowed[0] <= sampled[0] <= sampled[1] <= top(allowed):
                raise InputError(f"sampled_{name}={sampled} must lie within {name}={allowed}; change one of them")


def top(bounds: Bounds) -> float:
    """The upper end of a range, infinity if it has none."""
    return math.inf if bounds[1] is None else bounds[1]


def known(genes: Sequence[int]) -> bool:
    """Whether every gene is an index into the vocabulary."""
    return not genes or ({*map(type, genes)} == {int} and min(genes) >= 0 and max(genes) < len(VOCABULARY))


def pooling_place(genes: Sequence[int]) -> int:
    """The index of the first pooling gene: the number of features; the length of a chain that has none."""
    for place, gene in enumerate(genes):
        if gene in _POOLING_GENES:
            return place
    return len(genes)


def valid(genes: Sequence[int], limits: Limits) -> bool:
    """Whether a chain has no :func:`violations`, in a fraction of the time."""
    symbols = [SYMBOL[gene] for gene in genes]
    if not all(map(_STEPS.__contains__, zip([START, *symbols], [*symbols, END], strict=True))):
        return False
    features = pooling_place(genes)  # allowed steps lead to the end through exactly one
    return (
        limits.features[0] <= features <= top(limits.features)
        and limits.dense[0] <= len(genes) - 1 - features <= top(limits.dense)
    )  # fmt: skip


def violations(genes: Sequence[int], limits: Limits) -> Iterator[tuple[int, str]]:
    """(place, what is wrong there): steps that are not allowed in order, then what the whole lacks."""
    before, written = START, "the start"
    for place, gene in enumerate(genes):
        if SYMBOL[gene] not in FOLLOWS[before]:
            allowed = " ".join(FOLLOWS[before].rstrip(END))
            yield place, f"{TEXTS[gene]} may not follow {written} (allowed: {allowed})"
        before, written = SYMBOL[gene], TEXTS[gene]
    features = pooling_place(genes)
    if features == len(genes):
        yield features, "no pooling gene g, G or E closes the features"
        return
    for noun, count, bounds in (
        ("feature", features, limits.features),
        ("dense", len(genes) - 1 - features, limits.dense),
    ):
        if not bounds[0] <= count <= top(bounds):
            highest = "" if bounds[1] is None else bounds[1]
            yield len(genes), f"{count} {noun} genes; allowed are {bounds[0]}..{highest}"
    if END not in FOLLOWS[before]:
        yield len(genes), f"{written} may not come last"


def insertable(genes: Sequence[int], place: int, limits: Limits) -> str:
    """The symbols of the genes that may be inserted before `genes[place]`."""
    features = pooling_place(genes)
    if place <= features:
        full = features >= top(limits.features)
    else:
        full = len(genes) - 1 - features >= top(limits.dense)
    return "" if full else between(_symbol(genes, place - 1), _symbol(genes, place))


def droppable(genes: Sequence[int], place: int, limits: Limits) -> bool:
    """Whether the gene may be left out. The pooling gene never may."""
    features = pooling_place(genes)
    if place < features:
        spare = features > limits.features[0]
    else:
        spare = place > features and len(genes) - 1 - features > limits.dense[0]
    return spare and _symbol(genes, place + 1) in FOLLOWS[_symbol(genes, place - 1)]


def simplify(genes: list[int], limits: Limits) -> bool:
    """Take the first step that leaves the function of the network as it is, in place; whether there was one.

    A step shortens the chain or moves a ReLU to the left, so steps come to an end.
    """
    non_negative = False
    for place, gene in enumerate(genes):
        symbol, after = SYMBOL[gene], _symbol(genes, place + 1)
        idle = gene == _NO_DROPOUT or (symbol == "L" and non_negative) or (symbol == "M" and after == "G")
        if idle and droppable(genes, place, limits):
            del genes[place]
            return True
        # The maximum of ReLUs is the ReLU of the maximum.
        swap = "L" in FOLLOWS[_symbol(genes, place - 1)] and _symbol(genes, place + 2) in FOLLOWS["M"]
        if symbol == "M" and after == "L" and swap:
            genes[place], genes[place + 1] = genes[place + 1], gene
            return True
        non_negative = symbol in "LRT" or (non_negative and symbol in "MA")
    return False


def _symbol(genes: Sequence[int], place: int) -> str:
    """The symbol at `place`, the start and the end included."""
    if place < 0:
        return START
    return SYMBOL[genes[place]] if place < len(genes) else END


@cache
def count(limits: Limits) -> int | None:
    """How many chains are valid: walks through `FOLLOWS`, each weighted by the values its genes can take; None if
    a limit is open."""
    if limits.features[1] is None or limits.dense[1] is None:
        return None
    features = list(_walks(START, FEATURES, limits.features[1]))
    dense = list(_walks("g", DENSE, limits.dense[1]))  # all three pooling genes have the same successors
    return sum(features[limits.features[0] :]) * len(POOLING) * sum(dense[limits.dense[0] :])


def _walks(start: str, symbols: str, longest: int) -> Iterator[int]:
    """Number of chains of 0, 1, ..., `longest` genes with these symbols after `start`."""
    ending: Mapping[str, int] = {start: 1}
    for _ in range(longest + 1):
        yield sum(ending.values())
        ending = {
            symbol: len(RANGE[symbol]) * sum(n for before, n in ending.items() if symbol in FOLLOWS[before])
            for symbol in symbols
        }
