"""SWAP-NAS: evolution that removes the worst.

Peng et al., "SWAP-NAS: Sample-Wise Activation Patterns for Ultra-fast NAS", ICLR 2024, Algorithm 1.
"""

from __future__ import annotations

from typing import final

import numpy as np

from untrained.algorithms.fitness import Fitness
from untrained.algorithms.rounds import Rounds, distinct
from untrained.algorithms.scope import Scope
from untrained.algorithms.searcher import algorithm
from untrained.algorithms.trial import Proposal, Trial
from untrained.errors import InputError
from untrained.spaces.space import Space


@final
@algorithm
class SwapNas(Rounds):
    """SWAP-NAS: several mutants of the best of half the population, or of a child of the best two; the worst is removed.

    A cycle samples half of the population. Its parent is the best of the sample or, with probability `crossover`, the
    better of the two children of the best and the second best. Of `mutants` mutants of the parent the best joins the
    population, and the worst of the population leaves it. Nothing published says the sizes or what becomes of ties and
    copies; here the population is 30, the mutants 5 different ones, crossed children are parents only and never join,
    no network joins twice, and of equally bad ones the oldest leaves.
    """

    name = "swap-nas"
    paper = "peng2024swap"

    def __init__(
        self,
        space: Space,
        fitness: Fitness,
        seed: int,
        *,
        population: int = 30,
        mutants: int = 5,
        crossover: float = 0.5,
        scope: str = "tournament",
    ) -> None:
        super().__init__(space, fitness, seed)
        self._within = Scope(scope, fitness)
        if population < 4 or mutants < 1 or not 0.0 <= crossover <= 1.0:
            raise InputError(
                "swap-nas needs population >= 4, mutants >= 1 and a probability as crossover, "
                f"not {population}, {mutants} and {crossover}"
            )
        self.population = population
        self.mutants = mutants
        self.crossover = crossover
        self._alive: list[Trial] = []
        self._parent: Trial | None = None

    def _round(self) -> list[Proposal]:
        if len(self._alive) < self.population:
            return self._samples(self.population - len(self._alive))
        rng = self.rng("cycle", self._rounds)
        parent = self._parent
        if parent is None:
            parent, second = self._best_two(rng)
            if rng.random() < self.crossover:
                return [
                    Proposal(
                        self.space.crossover(a.architecture, b.architecture, rng), (a.number, b.number), "crossover"
                    )
                    for a, b in ((parent, second), (second, parent))
                ]
        known = {trial.architecture for trial in self._alive} | {parent.architecture}
        drawn = distinct(lambda: self.space.mutate(parent.architecture, rng), self.mutants, known)
        return [Proposal(child, (parent.number,), "mutation") for child in drawn] or self._samples(1)

    def _close(self, planned: list[Proposal], complete: list[Trial]) -> None:
        operator = planned[0].operator
        if operator == "crossover":
            mother = next(trial for trial in self._alive if trial.number == planned[0].parents[0])
            self._parent = self._best(complete) if complete else mother
        elif operator == "sample":
            self._parent = None
            self._alive += complete
        else:
            self._parent = None
            present = {self.space.canonical(trial.architecture) for trial in self._alive}
            new = [trial for trial in complete if self.space.canonical(trial.architecture) not in present]
            if new:
                self._alive.append(self._best(new))
        while len(self._alive) > self.population:
            # The first of the worst is the oldest of them.
            del self._alive[int(np.argmin(self._within(self._alive, self._alive)))]

    def _best_two(self, rng: np.random.Generator) -> tuple[Trial, Trial]:
        chosen = rng.choice(len(self._alive), size=self.population // 2, replace=False)
        group = [self._alive[i] for i in chosen.tolist()]
        best = np.argsort(-self._within(group, self._alive), kind="stable")
        return group[best[0]], group[best[1]]

    def _best(self, trials: list[Trial]) -> Trial:
        return trials[int(np.argmax(self.fitness(trials)))]
