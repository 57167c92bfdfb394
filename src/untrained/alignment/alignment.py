"""One pair in detail: which operation answers which, and what was inserted, deleted and substituted."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Literal

import numpy as np

from untrained.alignment.costs import Costs
from untrained.alignment.forms import Cell, Form, forms
from untrained.alignment.matrix import Floats, Integers, Lexicon, matrix
from untrained.alignment.scheme import GAP, TIE, Scheme, scheme
from untrained.architecture import Architecture, Token

Kind = Literal["match", "substitution", "insertion", "deletion"]

_MARKS: dict[Kind, str] = {"match": "|", "substitution": ":", "insertion": " ", "deletion": " "}


@dataclass(frozen=True, slots=True)
class Edit:
    """One column of an alignment: the token of the first architecture and that of the second, None for a gap."""

    before: Token | None
    after: Token | None

    @property
    def kind(self) -> Kind:
        """match (the same token), substitution, insertion (only in the second) or deletion (only in the first)."""
        if self.before is None:
            return "insertion"
        if self.after is None:
            return "deletion"
        return "match" if self.before == self.after else "substitution"

    def __str__(self) -> str:
        if self.before is None:
            return f"+ {self.after}"
        if self.after is None:
            return f"- {self.before}"
        return f"= {self.before}" if self.before == self.after else f"{self.before} -> {self.after}"


@dataclass(frozen=True, slots=True)
class Alignment:
    """A best alignment of two architectures; `str()` prints both rows with | between equal tokens and : between
    substituted ones, then what changes on the way from the first to the second.

    score: points less gaps (and ties, for cells); similarity: normalised, see :mod:`untrained.alignment.matrix`.
    Cells are aligned in canonical form; their columns stand in an order that both cells allow.
    """

    pairs: tuple[Edit, ...]
    score: float
    similarity: float

    @property
    def edits(self) -> tuple[Edit, ...]:
        """The columns that differ."""
        return tuple(pair for pair in self.pairs if pair.kind != "match")

    def reversed(self) -> Alignment:
        """The same alignment read from the second architecture to the first."""
        pairs = tuple(Edit(pair.after, pair.before) for pair in self.pairs)
        return Alignment(pairs, self.score, self.similarity)

    def __str__(self) -> str:
        rows = (
            "".join(pair.before.symbol if pair.before else "-" for pair in self.pairs),
            "".join(_MARKS[pair.kind] for pair in self.pairs).rstrip(),
            "".join(pair.after.symbol if pair.after else "-" for pair in self.pairs),
            f"similarity {self.similarity:.3f}, score {self.score:g}, {len(self.edits)} of {len(self.pairs)} differ",
        )
        changes = (f"  {number}: {pair}" for number, pair in enumerate(self.pairs, 1) if pair.kind != "match")
        return "\n".join((*rows, *changes))


def similarity(
    a: Architecture | str,
    b: Architecture | str,
    *,
    costs: Costs | None = None,
    gap: float | tuple[float, float] = GAP,
    legacy: bool = False,
) -> float:
    """How alike two architectures of one space are, from 0 to 1 (identical).

    costs: points by pair of symbols or kinds, or a function of two tokens; by default the published table on the chain
    space and :func:`untrained.alignment.costs.general` elsewhere. gap: the penalty of each gap, or (opening,
    extending) for runs of gaps. legacy: as the published code on the chain space: asymmetric costs (`a` is the row), no
    clipping at 0, three decimals.

    Raises `InputError` for architectures of different spaces and for costs that rank a pair above identity.
    """
    return float(similarity_matrix((a, b), costs=costs, gap=gap, legacy=legacy)[0, 1])


def similarity_matrix(
    architectures: Iterable[Architecture | str],
    *,
    costs: Costs | None = None,
    gap: float | tuple[float, float] = GAP,
    legacy: bool = False,
) -> Floats:
    """Similarities of all pairs (n, n), rows as the first architecture; options as in :func:`similarity`.

    Symmetric with ones on the diagonal (asymmetric only where the costs are); (0, 0) for no architectures.
    """
    members = forms(architectures)
    if not members:
        return np.ones((0, 0))
    return matrix(members, scheme(members[0].architecture.space, costs, gap, legacy))


def align(
    a: Architecture | str,
    b: Architecture | str,
    *,
    costs: Costs | None = None,
    gap: float | tuple[float, float] = GAP,
    legacy: bool = False,
) -> Alignment:
    """A best alignment of two architectures of one space; options as in :func:`similarity`.

    Where several are best, the one is taken that pairs the last tokens, then the one that ends in a deletion.
    """
    first, second = forms((a, b))
    return alignment(first, second, scheme(first.architecture.space, costs, gap, legacy))


def alignment(a: Form, b: Form, scheme: Scheme) -> Alignment:
    """A best alignment of two forms."""
    lexicon = Lexicon(scheme.model)
    tokens, starts = lexicon.read((a.tokens, b.tokens))
    pairs, score = best_pairs(a, b, tokens[: starts[1]], tokens[starts[1] :], lexicon.table, scheme)
    return Alignment(pairs, score, float(matrix((a, b), scheme, lexicon=lexicon)[0, 1]))


def best_pairs(
    a: Form, b: Form, one: Integers, two: Integers, table: Floats, scheme: Scheme
) -> tuple[tuple[Edit, ...], float]:
    """The columns and the score of a best alignment of two forms whose tokens are rows `one` and `two` of `table`."""
    from untrained.alignment import kernels

    if a.cells is None or b.cells is None:
        traced, score = kernels.trace(one, two, table, scheme.opening, scheme.extending)
        columns = traced.tolist()
    else:
        columns, profit = _matching(a.cells, b.cells, one, two, table - 2.0 * scheme.opening)
        score = profit + scheme.opening * (one.size + two.size)
    pairs = (Edit(None if i < 0 else a.tokens[i], None if j < 0 else b.tokens[j]) for i, j in columns)
    return tuple(pairs), float(score)


def _matching(
    a: Sequence[Cell], b: Sequence[Cell], one: Integers, two: Integers, profits: Floats
) -> tuple[list[tuple[int, int]], float]:
    """The columns and the profit of the best matchings of the cells of two architectures, cell by cell."""
    from untrained.alignment import kernels

    columns: list[tuple[int, int]] = []
    profit = 0.0
    for p, q in zip(a, b, strict=True):
        n, m = len(p.order), len(q.order)
        partner = np.empty(n, np.int64)
        tokens = one[p.start : p.start + n], two[q.start : q.start + m]
        profit += kernels.match(tokens[0], p.order, p.ties, tokens[1], q.order, q.ties, profits, TIE, partner)
        pairs = [(i, int(j)) for i, j in enumerate(partner)]
        pairs += [(-1, j) for j in range(m) if j not in partner]
        # Columns in an order that both cells allow. There is one: a matching preserves the order both ways.
        before: dict[tuple[int, int], list[tuple[int, int]]] = {pair: [] for pair in pairs}
        for (i, j), (k, t) in itertools.permutations(pairs, 2):
            if (i >= 0 and k >= 0 and p.order[i, k] > 0) or (j >= 0 and t >= 0 and q.order[j, t] > 0):
                before[k, t].append((i, j))
        for i, j in TopologicalSorter(before).static_order():
            columns.append((i + p.start if i >= 0 else -1, j + q.start if j >= 0 else -1))
    return columns, profit
