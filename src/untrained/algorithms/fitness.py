"""Fitness: all that a search algorithm may know of how good trials are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import final

import numpy as np

from untrained.algorithms.rankings import fitness
from untrained.algorithms.trial import Trial


@final
class Fitness:
    """Fitness under one ranking of the objectives `directions` (+1 where higher is better, -1 where lower is)."""

    def __init__(self, ranking: str, directions: Mapping[str, int]) -> None:
        self.ranking = ranking
        self.objectives = tuple(directions)
        self.directions = np.array([directions[name] for name in self.objectives], float)

    def __call__(self, trials: Sequence[Trial]) -> np.ndarray:
        """Fitness (n,) of n trials, higher is better, computed within just these trials; -inf where a value is missing
        or not finite."""
        return fitness(self.ranking, self._values(trials), self.directions)

    def scores(self, trials: Sequence[Trial]) -> np.ndarray:
        """The objectives (n, m) of n trials, signed so that higher is better; NaN where a value is missing."""
        return np.asarray(self._values(trials) * self.directions)

    def _values(self, trials: Sequence[Trial]) -> np.ndarray:
        values = [get(name) for get in [trial.values.get for trial in trials] for name in self.objectives]
        return np.array(values, float).reshape(len(trials), len(self.objectives))  # None becomes NaN
