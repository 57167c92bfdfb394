"""Hyperband's schedule: many architectures get a small share of the evaluation, the best of them a larger one.

Li et al., "Hyperband: A Novel Bandit-Based Approach to Hyperparameter Optimization", JMLR 2018, algorithm 1.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rung:
    """`count` trials from number `first` on, each with `share` of the evaluation: the best of the rung `below`, or, where
    that is None, new ones."""

    first: int
    count: int
    share: float
    below: Rung | None


class Rungs:
    """Which rung each trial stands on, by its number alone: the rounds of Hyperband, one after the other.

    A round has `height` brackets S to 0, S = height - 1. Bracket s begins with ceil((S + 1) / (s + 1) eta^s) trials at a
    share of eta^-s; the best 1 / `eta` of a rung climb to the next, with `eta` times the share, until it is 1.
    """

    def __init__(self, height: int, eta: int) -> None:
        self.rungs: list[Rung] = []
        self.length = 0
        for s in reversed(range(height)):
            start = math.ceil(height / (s + 1) * eta**s)
            below: Rung | None = None
            for i in range(s + 1):
                below = Rung(self.length, max(1, start // eta**i), eta ** float(i - s), below)
                self.rungs.append(below)
                self.length += below.count
        self._firsts = [rung.first for rung in self.rungs]

    def of(self, number: int) -> tuple[int, Rung]:
        """The number of the first trial of the round of trial `number`, and its rung in that round."""
        place = number % self.length
        return number - place, self.rungs[bisect_right(self._firsts, place) - 1]
