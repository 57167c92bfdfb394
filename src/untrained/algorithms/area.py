"""Assisted aging evolution (AREA).

Mellor et al., "Neural Architecture Search without Training", ICML 2021.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import numpy as np

from untrained.algorithms.aging import Aging
from untrained.algorithms.fitness import Fitness
from untrained.algorithms.searcher import algorithm
from untrained.algorithms.trial import Proposal, Trial
from untrained.errors import InputError
from untrained.spaces.space import Space


@final
@algorithm
class Area(Aging):
    """Assisted aging evolution: the best of a large random pool, not random architectures, start aging evolution.

    The pool holds `oversampling` times `population` complete trials; its best enter the population by age. In the paper
    a training-free score chooses from the pool and training judges from then on; here one fitness does both, and the
    pool counts as evaluations.
    """

    name = "area"
    paper = "mellor2021neural"

    def __init__(
        self,
        space: Space,
        fitness: Fitness,
        seed: int,
        *,
        population: int = 10,
        sample: int = 3,
        oversampling: int = 10,
        scope: str = "tournament",
    ) -> None:
        super().__init__(space, fitness, seed, population=population, sample=sample, scope=scope)
        if oversampling < 1:
            raise InputError(f"area needs an oversampling of at least 1, not {oversampling}")
        self.oversampling = oversampling
        self._pool: list[Trial] = []
        self._seeded = False

    def ask(self, pending: Sequence[Proposal]) -> Proposal | None:
        if self._seeded:
            return super().ask(pending)
        if len(self._pool) + len(pending) >= self.oversampling * self.population:
            return None
        return Proposal(self.space.sample(self.rng("pool", self.told + len(pending))))

    def _learn(self, trial: Trial) -> None:
        if self._seeded:
            super()._learn(trial)
            return
        if trial.state == "complete":
            self._pool.append(trial)
        if len(self._pool) == self.oversampling * self.population:
            self._seeded = True
            best = np.argsort(-self.fitness(self._pool), kind="stable")[: self.population]
            for place in sorted(best.tolist()):
                super()._learn(self._pool[place])
            self._pool = []
