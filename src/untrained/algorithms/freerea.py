"""FreeREA: evolution that keeps the best and lets the oldest die.

Cavagnero et al., "FreeREA: Training-Free Evolution-based Architecture Search", WACV 2023.
"""

from __future__ import annotations

from typing import final

import numpy as np

from untrained.algorithms.fitness import Fitness
from untrained.algorithms.rounds import REDRAWS, Rounds
from untrained.algorithms.scope import Scope
from untrained.algorithms.searcher import algorithm
from untrained.algorithms.trial import Proposal, Trial
from untrained.architecture import Architecture
from untrained.errors import InputError
from untrained.spaces.space import Space


@final
@algorithm
class FreeRea(Rounds):
    """FreeREA: of a tournament of 25, the best two are mutated and crossed; the oldest goes, then all but the best 100.

    Three children a step, less those that were tried before; a step without new ones is drawn again. The published
    fitness is the ranking `max_normalised_sum` over naswot, logsynflow and skip, computed as here within the tournament
    and within the population. Rejected and failed children take no place.
    """

    name = "freerea"
    paper = "cavagnero2023freerea"

    def __init__(
        self,
        space: Space,
        fitness: Fitness,
        seed: int,
        *,
        population: int = 100,
        sample: int = 25,
        scope: str = "tournament",
    ) -> None:
        super().__init__(space, fitness, seed)
        self._within = Scope(scope, fitness)
        if population < 2 or sample < 2:
            raise InputError(f"freerea needs population >= 2 and sample >= 2, not {population} and {sample}")
        self.population = population
        self.sample = min(sample, population)
        self._alive: list[Trial] = []
        self._seen: set[Architecture] = set()

    def _round(self) -> list[Proposal]:
        if len(self._alive) < self.population:
            return self._samples(self.population - len(self._alive))
        for attempt in range(REDRAWS):
            rng = self.rng("step", self._rounds, attempt)
            chosen = rng.choice(len(self._alive), size=self.sample, replace=False)
            group = [self._alive[i] for i in chosen.tolist()]
            best = np.argsort(-self._within(group, self._alive), kind="stable")
            a, b = group[best[0]], group[best[1]]
            children = [
                Proposal(self.space.mutate(a.architecture, rng), (a.number,), "mutation"),
                Proposal(self.space.mutate(b.architecture, rng), (b.number,), "mutation"),
                Proposal(self.space.crossover(a.architecture, b.architecture, rng), (a.number, b.number), "crossover"),
            ]
            new = {child.architecture: child for child in children if child.architecture not in self._seen}
            if new:
                return list(new.values())
        return self._samples(1)

    def _close(self, planned: list[Proposal], complete: list[Trial]) -> None:
        self._seen.update(proposal.architecture for proposal in planned)
        self._alive += complete
        if len(self._alive) <= self.population:
            return
        # They stand in the order they came in: the first is the oldest.
        del self._alive[0]
        if len(self._alive) > self.population:
            best = np.argsort(-self._within(self._alive, self._alive), kind="stable")[: self.population]
            self._alive = [self._alive[i] for i in sorted(best.tolist())]
