"""NSGA-II: several objectives without a ranking between them.

Deb et al., "A Fast and Elitist Multiobjective Genetic Algorithm: NSGA-II", IEEE Transactions on Evolutionary
Computation 2002.
"""

from __future__ import annotations

from typing import final

import numpy as np

from untrained.algorithms.fitness import Fitness
from untrained.algorithms.rankings import fitness as ranked
from untrained.algorithms.rounds import REDRAWS, Rounds
from untrained.algorithms.searcher import algorithm
from untrained.algorithms.trial import Proposal, Trial
from untrained.architecture import Architecture
from untrained.errors import InputError
from untrained.spaces.space import Space


@final
@algorithm
class Nsga2(Rounds):
    """NSGA-II: of parents and children the best Pareto fronts survive, the last by crowding distance.

    It looks at the objectives themselves; the ranking of the study matters for its best trial only (`pareto` fits).
    Parents win binary tournaments by front, then by crowding. A child is crossed with probability `crossover`, mutated
    with probability `mutation` or if it was not crossed; copies of parents and of siblings are drawn again. Rejected and
    failed children take no place; a trial without one of its values is behind all fronts.
    """

    name = "nsga2"
    paper = "deb2002fast"

    def __init__(
        self,
        space: Space,
        fitness: Fitness,
        seed: int,
        *,
        population: int = 40,
        crossover: float = 0.9,
        mutation: float = 0.6,
    ) -> None:
        super().__init__(space, fitness, seed)
        if population < 2 or not (0.0 <= crossover <= 1.0 and 0.0 <= mutation <= 1.0):
            raise InputError(
                "nsga2 needs population >= 2 and probabilities as crossover and mutation, "
                f"not {population}, {crossover} and {mutation}"
            )
        self.population = population
        self.crossover = crossover
        self.mutation = mutation
        self._alive: list[Trial] = []
        self._order = np.empty(0)

    def _round(self) -> list[Proposal]:
        if len(self._alive) < self.population:
            return self._samples(self.population - len(self._alive))
        rng = self.rng("breed", self._rounds)
        parents = {trial.architecture for trial in self._alive}
        children: dict[Architecture, Proposal] = {}
        vain = 0
        while len(children) < self.population and vain < REDRAWS:
            child = self._child(rng)
            vain = vain + 1 if child.architecture in parents or child.architecture in children else 0
            if not vain:
                children[child.architecture] = child
        return list(children.values()) or self._samples(1)

    def _child(self, rng: np.random.Generator) -> Proposal:
        mother, father = self._winner(rng), self._winner(rng)
        child = mother.architecture
        parents: tuple[int, ...] = (mother.number,)
        operators = []
        if mother is not father and rng.random() < self.crossover:
            child = self.space.crossover(child, father.architecture, rng)
            parents = (mother.number, father.number)
            operators.append("crossover")
        if not operators or rng.random() < self.mutation:
            child = self.space.mutate(child, rng)
            operators.append("mutation")
        return Proposal(child, parents, "+".join(operators))

    def _winner(self, rng: np.random.Generator) -> Trial:
        drawn: list[int] = rng.choice(len(self._alive), size=2, replace=False).tolist()
        return self._alive[max(drawn, key=lambda place: float(self._order[place]))]

    def _close(self, planned: list[Proposal], complete: list[Trial]) -> None:
        together = self._alive + complete
        order = self._pareto(together)
        best = np.argsort(-order, kind="stable")[: self.population]
        self._alive = [together[i] for i in best.tolist()]
        self._order = self._pareto(self._alive)

    def _pareto(self, trials: list[Trial]) -> np.ndarray:
        scores = self.fitness.scores(trials)
        return ranked("pareto", scores, np.ones(scores.shape[1]))
