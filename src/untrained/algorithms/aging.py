"""Aging evolution (regularised evolution, REA).

Real et al., "Regularized Evolution for Image Classifier Architecture Search", AAAI 2019.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np

from untrained.algorithms.fitness import Fitness
from untrained.algorithms.scope import Scope
from untrained.algorithms.searcher import Searcher, algorithm
from untrained.algorithms.trial import Proposal, Trial
from untrained.errors import InputError
from untrained.spaces.space import Space


@algorithm
class Aging(Searcher):
    """Aging evolution: mutate the best of a random sample of the population (all of one that is smaller); the oldest dies."""

    name = "aging"
    paper = "real2019regularized"

    def __init__(
        self,
        space: Space,
        fitness: Fitness,
        seed: int,
        *,
        population: int = 50,
        sample: int = 10,
        scope: str = "tournament",
    ) -> None:
        super().__init__(space, fitness, seed)
        self._within = Scope(scope, fitness)
        if population < 2 or sample < 1:
            raise InputError(f"{self.name} needs population >= 2 and sample >= 1, not {population} and {sample}")
        self.population = population
        self.sample = min(sample, population)
        self._alive: deque[Trial] = deque()
        self._born = 0

    def ask(self, pending: Sequence[Proposal]) -> Proposal | None:
        """Random until `population` trials have completed or are under way, then a child of those told so far."""
        rng = self.rng("ask", self.told + len(pending))
        if self._born + len(pending) < self.population or not self._alive:
            return Proposal(self.space.sample(rng))
        chosen = rng.choice(len(self._alive), size=min(self.sample, len(self._alive)), replace=False)
        group = [self._alive[i] for i in sorted(chosen.tolist())]
        parent = group[int(np.argmax(self._within(group, self._alive)))]
        return Proposal(self.space.mutate(parent.architecture, rng), (parent.number,), "mutation")

    def _learn(self, trial: Trial) -> None:
        if trial.state != "complete":
            return
        self._born += 1
        self._alive.append(trial)
        if len(self._alive) > self.population:
            self._alive.popleft()
