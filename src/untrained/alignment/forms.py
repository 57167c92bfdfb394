"""What the alignment compares: the tokens of an architecture and, for cells, who feeds whom."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from untrained.alignment.costs import PLACES, family
from untrained.architecture import Architecture, Token
from untrained.errors import InputError
from untrained.spaces.space import Space, space

Codes = NDArray[np.int8]

LARGEST = 12
"""Most operations of a cell that the exact matching accepts."""

REMEMBERED = 4096
"""Forms of so many architectures are kept: a search compares the same ones again and again."""


@dataclass(frozen=True, slots=True, eq=False)
class Cell:
    """The n operations of one cell as a partially ordered set; they are tokens `start`, `start + 1`, ... of the form.

    order: (n, n) int8, 1 where what the row computes reaches the column, -1 the other way round, 0 where they are
    parallel. ties: (n, n) int8, what the order leaves open: +1 for two operations that read the same node, +2 for two
    that write into the same node; on the diagonal the number of the input that an operation reads, counted from 1, 0
    for inner nodes and where the cell has one input only.

    Order and ties determine a cell up to the names of its nodes. An operation feeds another directly if it comes before
    it and nothing lies between; the nodes are the sets of operations that share them.
    """

    number: int
    start: int
    order: Codes
    ties: Codes


@dataclass(frozen=True, slots=True, eq=False)
class Form:
    """An architecture, its tokens without their places, and its cells (None for a sequence)."""

    architecture: Architecture
    tokens: tuple[Token, ...]
    cells: tuple[Cell, ...] | None


def form(given: Architecture | str) -> Form:
    """The comparable form of an architecture or of its text.

    A space is one of cells if tokens have a `source` and a `target` (and a `cell`, where each has several): operations
    sit on these edges, or on vertices if there are tokens with a `vertex`. Cells are compared in canonical form,
    without operations that pass nothing on. Any other space is one of sequences. They are compared as written, whether
    they obey the rules of their space or not (some published individuals do not).
    """
    architecture = Architecture.parse(given) if isinstance(given, str) else given
    if not isinstance(architecture, Architecture):
        raise InputError(f"similarity compares architectures or their texts, not {type(architecture).__name__}")
    return _form(space(architecture.space), architecture)


@lru_cache(REMEMBERED)
def _form(home: Space, architecture: Architecture) -> Form:
    try:
        tokens = home.tokens(architecture)
    except IndexError:
        home.validate(architecture)
        raise
    if not any(map(_is_edge, tokens)):
        return Form(architecture, tuple(map(_placeless, tokens)), None)
    architecture = home.canonical(home.validate(architecture))
    return Form(architecture, *structured(home.tokens(architecture)))


def forms(given: Iterable[Architecture | str]) -> list[Form]:
    """The forms of architectures of one space."""
    listed = [form(one) for one in given]
    one_space(listed)
    return listed


def one_space(forms: Iterable[Form]) -> str:
    """The space that all forms belong to; '' for no forms."""
    spaces = sorted({one.architecture.space for one in forms})
    if len(spaces) > 1:
        raise InputError(f"similarity compares architectures of one space, not of {' and '.join(spaces)}")
    return "".join(spaces)


def structured(tokens: Iterable[Token]) -> tuple[tuple[Token, ...], tuple[Cell, ...]]:
    """The operations of cells, cell by cell, and how they depend on each other."""
    by_cell: dict[int, list[Token]] = {}
    for token in tokens:
        by_cell.setdefault(int(token.get("cell") or 0), []).append(token)
    kept: list[Token] = []
    cells = []
    for number, own in sorted(by_cell.items()):
        on_vertices = any(token.get("vertex") is not None for token in own)
        operations, order, ties = (_on_vertices if on_vertices else _on_edges)(own)
        if len(operations) > LARGEST:
            raise InputError(f"cells of at most {LARGEST} operations can be compared, not of {len(operations)}")
        cells.append(Cell(number, len(kept), order, ties))
        kept += map(_placeless, operations)
    return tuple(kept), tuple(cells)


def _on_edges(tokens: Sequence[Token]) -> tuple[list[Token], Codes, Codes]:
    """The operations of a cell whose edges compute, with their order and ties."""
    edges = sorted(((token.get("source"), token.get("target"), token) for token in tokens), key=lambda edge: edge[:2])
    inputs = sorted({source for source, _, _ in edges} - {target for _, target, _ in edges})
    live = [edge for edge in edges if family(edge[2].kind) != "nothing"]
    sources, targets = (np.array([edge[end] for edge in live], float) for end in (0, 1))
    ties = (sources[:, None] == sources) + 2 * (targets[:, None] == targets)
    read = [inputs.index(source) + 1 if source in inputs and len(inputs) > 1 else 0 for source in sources]
    np.fill_diagonal(ties, read)
    return [edge[2] for edge in live], _order(targets[:, None] == sources), ties.astype(np.int8)


def _on_vertices(tokens: Sequence[Token]) -> tuple[list[Token], Codes, Codes]:
    """The operations of a cell whose vertices compute. An edge beside a longer way is an operation of its own, after
    its source and before its target; all other edges follow from the order."""
    edges = [(token.get("source"), token.get("target"), token) for token in tokens if _is_edge(token)]
    vertices = sorted({end for edge in edges for end in edge[:2]})
    direct = np.zeros((len(vertices), len(vertices)), bool)
    for source, target, _ in edges:
        direct[vertices.index(source), vertices.index(target)] = True
    reaches = _order(direct) > 0
    around = (direct.astype(int) @ reaches.astype(int)) > 0
    inner = [token for token in tokens if not _is_edge(token)]
    shortcuts = [edge for edge in edges if around[vertices.index(edge[0]), vertices.index(edge[1])]]
    # Where each operation begins and ends; one begins after another ends if they meet in a vertex or a way leads on.
    spans = [(token.get("vertex"), token.get("vertex")) for token in inner] + [edge[:2] for edge in shortcuts]
    first, last = (np.array([vertices.index(span[end]) for span in spans], int) for end in (0, 1))
    follows = (last[:, None] == first) | reaches[last[:, None], first]
    np.fill_diagonal(follows, False)
    operations = [*inner, *(edge[2] for edge in shortcuts)]
    return operations, _order(follows), np.zeros(follows.shape, np.int8)


def _order(feeds: NDArray[np.bool_]) -> Codes:
    """The partial order (1, -1, 0) that an acyclic relation "feeds directly" (n, n) generates."""
    reaches = feeds
    for _ in range(len(feeds).bit_length()):
        reaches = reaches | ((reaches.astype(int) @ reaches.astype(int)) > 0)
    return reaches.astype(np.int8) - reaches.T.astype(np.int8)


@lru_cache(REMEMBERED)
def _is_edge(token: Token) -> bool:
    return token.get("source") is not None and token.get("target") is not None


@lru_cache(REMEMBERED)
def _placeless(token: Token) -> Token:
    if not any(name in PLACES for name, _ in token.parameters):
        return token
    return Token(token.symbol, token.kind, tuple(pair for pair in token.parameters if pair[0] not in PLACES))
