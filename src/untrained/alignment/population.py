"""A population and how alike its members are, kept up to date as it changes."""

from __future__ import annotations

import copy
from collections.abc import Iterable

import numpy as np

from untrained.alignment.costs import Costs
from untrained.alignment.forms import Form, form, one_space
from untrained.alignment.matrix import Floats, Lexicon, matrix
from untrained.alignment.scheme import GAP, scheme
from untrained.architecture import Architecture
from untrained.errors import InputError


class Population:
    """Architectures of one space and the matrix of their similarities.

    A population never changes; :meth:`updated` makes the next one and computes only the rows of architectures that were
    not in it yet. Equal architectures (for cells: identical networks) share a row. Options as in
    :func:`untrained.alignment.similarity`.

    architectures: the members as given, with repetitions; matrix: (n, n) float64, read-only, rows in the same order.
    """

    architectures: tuple[Architecture, ...]
    matrix: Floats

    def __init__(
        self,
        architectures: Iterable[Architecture | str] = (),
        *,
        costs: Costs | None = None,
        gap: float | tuple[float, float] = GAP,
        legacy: bool = False,
    ) -> None:
        self._costs, self._gap, self._legacy = costs, gap, legacy
        self._forms: dict[Architecture, Form] = {}
        self._numbers: dict[Architecture, int] = {}
        self._table: Floats = np.ones((0, 0))
        self._lexicons: dict[str, Lexicon] = {}
        self._take(architectures)

    def updated(self, architectures: Iterable[Architecture | str]) -> Population:
        """The population with these members instead, under the same options; similarities between architectures that
        are members of both are taken over."""
        following = copy.copy(self)
        following._take(architectures)
        return following

    def diversity(self) -> float:
        """The median similarity of the members, see :func:`diversity`; under `legacy` the published one."""
        return diversity(self.matrix, legacy=self._legacy)

    def nearest(self, architecture: Architecture | str, count: int = 1) -> list[tuple[Architecture, float]]:
        """The `count` distinct members most similar to `architecture`, with their similarities, best first.

        A member is nearest to itself, at 1. Raises `InputError` for an empty population.
        """
        if not self.architectures:
            raise InputError("an empty population has no nearest architecture; add members first")
        members = list(dict.fromkeys(self.architectures))
        similarities = self.updated([architecture, *members]).matrix[0, 1:]
        return [(members[i], float(similarities[i])) for i in np.argsort(-similarities, kind="stable")[:count]]

    def __len__(self) -> int:
        return len(self.architectures)

    def __repr__(self) -> str:
        return f"<population of {len(self)}, {len(self._table)} distinct>"

    def _take(self, architectures: Iterable[Architecture | str]) -> None:
        """Replace the members; what is known about the present ones serves the next."""
        members = tuple(Architecture.parse(one) if isinstance(one, str) else one for one in architectures)
        forms = {one: self._forms.get(one) or form(one) for one in dict.fromkeys(members)}
        # Equal forms share a row; the rows known already come first.
        distinct = {one.architecture: one for one in forms.values()}
        known = [one for one in distinct if one in self._numbers]
        rows = known + [one for one in distinct if one not in self._numbers]
        table = np.ones((0, 0))
        if rows:
            name = one_space(distinct.values())
            found = scheme(name, self._costs, self._gap, self._legacy)
            # By space, and shared with the populations that come of this one: what tokens are worth never changes.
            lexicon = self._lexicons.setdefault(name, Lexicon(found.model))
            table = matrix([distinct[one] for one in rows], found, known=len(known), lexicon=lexicon)
            places = [self._numbers[one] for one in known]
            table[: len(known), : len(known)] = self._table[np.ix_(places, places)]
        self._forms, self._table = forms, table
        self._numbers = {one: number for number, one in enumerate(rows)}
        numbers = [self._numbers[forms[one].architecture] for one in members]
        self.architectures, self.matrix = members, table[np.ix_(numbers, numbers)]
        self.matrix.setflags(write=False)


def diversity(matrix: Floats, *, legacy: bool = False) -> float:
    """The paper's diversity s of a population with similarities `matrix` (n, n): their median over all pairs of
    different members. 1 says that all are alike, 0 that none resembles another; a single member is like itself, 1.

    legacy: as in the published code, the median of the whole matrix, diagonal included. Raises `InputError` for (0, 0).
    """
    if len(matrix) == 0:
        raise InputError("an empty population has no diversity; give the similarities of at least one architecture")
    if legacy or len(matrix) == 1:
        return float(np.median(matrix))
    return float(np.median(matrix[~np.eye(len(matrix), dtype=bool)]))
