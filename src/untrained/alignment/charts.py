"""Several architectures under each other, operation by operation, and what most of them have where."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from untrained.alignment.alignment import alignment
from untrained.alignment.costs import PLACES, Costs
from untrained.alignment.forms import form, one_space
from untrained.alignment.matrix import matrix
from untrained.alignment.scheme import GAP, scheme
from untrained.architecture import Architecture, Token
from untrained.errors import InputError
from untrained.spaces.space import space

Row = tuple[Token | None, ...]


@dataclass(frozen=True, slots=True)
class Consensus:
    """What most architectures have in a column: the symbol and the kind of the operation ("-" and "" for none), and the
    share of the architectures that have it."""

    symbol: str
    kind: str
    share: float


@dataclass(frozen=True, slots=True)
class Chart:
    """n architectures in rows of equal length: tokens, and None for gaps. heads: the place that each column stands for,
    "" where the columns come from an alignment. `str()` prints the symbols, with the consensus last."""

    architectures: tuple[Architecture, ...]
    rows: tuple[Row, ...]
    heads: tuple[str, ...]

    @property
    def consensus(self) -> tuple[Consensus, ...]:
        """The most frequent kind of each column; of several, the one that comes first from the top."""
        found = []
        for column in zip(*self.rows, strict=True):
            (symbol, kind), count = Counter((t.symbol, t.kind) if t else ("-", "") for t in column).most_common(1)[0]
            found.append(Consensus(symbol, kind, count / len(column)))
        return tuple(found)

    def __str__(self) -> str:
        lines = ["".join(token.symbol if token else "-" for token in row) for row in self.rows]
        return "\n".join([*lines, "", "".join(one.symbol for one in self.consensus)])


def chart(
    architectures: Iterable[Architecture | str],
    *,
    costs: Costs | None = None,
    gap: float | tuple[float, float] = GAP,
) -> Chart:
    """Architectures of one space in columns that correspond.

    Where all have the same places (the edges of a cell, the layers of a width search), columns are places. Sequences are
    aligned to the one that is most similar to all (a star alignment); options as in
    :func:`untrained.alignment.similarity`. Raises `InputError` for none, and for cells whose edges differ: these have no
    common columns.
    """
    members = tuple(Architecture.parse(one) if isinstance(one, str) else one for one in architectures)
    if not members:
        raise InputError("a chart needs at least one architecture")
    forms = [form(one) for one in members]
    name = one_space(forms)
    tokens = [space(name).tokens(one) for one in members]
    places = {tuple(map(_place, row)) for row in tokens}
    if len(places) == 1 and all(next(iter(places))):
        return Chart(members, tuple(tokens), next(iter(places)))
    if any(one.cells is not None for one in forms):
        raise InputError(f"architectures of {name} are cells of different edges and have no common columns")
    how = scheme(name, costs, gap, legacy=False)
    centre = forms[int(np.argmax(matrix(forms, how).mean(axis=1)))]
    # By member and place of the centre: what it has there, and what it inserts before.
    paired: list[list[Token | None]] = []
    inserted: list[list[list[Token]]] = []
    for one in forms:
        paired.append([])
        inserted.append([[]])
        for edit in alignment(centre, one, how).pairs:
            if edit.before is not None:
                paired[-1].append(edit.after)
                inserted[-1].append([])
            elif edit.after is not None:
                inserted[-1][-1].append(edit.after)
    widths = [max(map(len, slot)) for slot in zip(*inserted, strict=True)]
    rows = []
    for pairs, slots in zip(paired, inserted, strict=True):
        row: list[Token | None] = []
        for slot, width, pair in zip(slots, widths, [[token] for token in pairs] + [[]], strict=True):
            row += [*slot, *[None] * (width - len(slot)), *pair]
        rows.append(tuple(row))
    return Chart(members, tuple(rows), ("",) * len(rows[0]))


def _place(token: Token) -> str:
    """Where an operation sits: `0→1` for an edge, in cell 2 `2: 0→1`, `3` for the fourth layer."""
    values = {name: f"{value:g}" for name, value in token.parameters if name in PLACES}
    edge = "→".join(values.pop(end) for end in ("source", "target") if end in values)
    return ": ".join([*values.values(), *([edge] if edge else [])])
