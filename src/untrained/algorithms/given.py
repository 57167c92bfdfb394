"""A list instead of a search: tries the architectures it was given, in order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from untrained.algorithms.fitness import Fitness
from untrained.algorithms.searcher import Searcher
from untrained.algorithms.trial import Proposal, Trial
from untrained.architecture import Architecture
from untrained.spaces.space import Space


@final
class Given(Searcher):
    """Proposes `architectures` one after the other, and none after the last. Not an algorithm to choose by name."""

    name = "given"

    def __init__(self, space: Space, fitness: Fitness, seed: int, architectures: Sequence[Architecture]) -> None:
        super().__init__(space, fitness, seed)
        self._architectures = architectures

    def ask(self, pending: Sequence[Proposal]) -> Proposal | None:
        number = self.told + len(pending)
        return Proposal(self._architectures[number], (), "given") if number < len(self._architectures) else None

    def _learn(self, trial: Trial) -> None:
        pass
