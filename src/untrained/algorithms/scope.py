"""Within which trials the scores of a few are ranked when an algorithm compares them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import numpy as np

from untrained.algorithms.fitness import Fitness
from untrained.algorithms.trial import Trial
from untrained.errors import InputError

SCOPES = ("tournament", "population", "history")


@final
class Scope:
    """Fitness of a group that is compared, ranked within the group itself (`tournament`), within the population it was
    drawn from (`population`), or within all complete trials told so far, each network once (`history`).

    With one metric all are the same. Of several, a rank within three says little about how much better one is, and one
    within everything ever seen is much the same from one tournament to the next.
    """

    def __init__(self, name: str, fitness: Fitness) -> None:
        if name not in SCOPES:
            raise InputError(f"scope is one of {', '.join(SCOPES)}, not {name!r}")
        self.name = name
        self._fitness = fitness
        self._history: list[Trial] = []
        self._places: dict[int, int] = {}
        self._ranked = np.empty(0)

    def hear(self, trial: Trial) -> None:
        """Take in a trial that was told."""
        if self.name == "history" and trial.state == "complete" and trial.copied is None:
            self._places[trial.number] = len(self._history)
            self._history.append(trial)

    def __call__(self, group: Sequence[Trial], population: Sequence[Trial]) -> np.ndarray:
        """Fitness (n,) of the n trials of `group`, which are of `population`; higher is better."""
        if self.name == "tournament":
            return self._fitness(group)
        if self.name == "population":
            places = {trial.number: place for place, trial in enumerate(population)}
            return self._fitness(population)[[places[trial.number] for trial in group]]
        if len(self._ranked) < len(self._history):
            self._ranked = self._fitness(self._history)
        return self._ranked[[self._places[_original(trial)] for trial in group]]


def _original(trial: Trial) -> int:
    return trial.number if trial.copied is None else trial.copied
