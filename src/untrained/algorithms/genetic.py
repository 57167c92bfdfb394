"""The rank-hybrid genetic algorithm.

Hsieh and Tsai, "GA-based Training-Free NAS Algorithm with Hybrid Score Function"; the loop as in the authors' code, since
the paper leaves the section out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import final

import numpy as np

from untrained.algorithms.fitness import Fitness
from untrained.algorithms.scope import Scope
from untrained.algorithms.searcher import Searcher, algorithm
from untrained.algorithms.trial import Proposal, Trial
from untrained.errors import InputError
from untrained.spaces.space import Space

TOURNAMENT = 3


@final
@algorithm
class Genetic(Searcher):
    """Generational GA: the best two of a tournament of 3 cross (0.7), both children mutate (0.08), else both live on.

    Fitness is computed inside each tournament, or within the `scope` population or history. Pairs that do not cross pass to
    the next generation unchanged and are not scored again. A generation is full when survivors and completed children reach
    `population`; rejected and failed children take no place.
    """

    name = "genetic"
    paper = "hsieh2023hybrid"

    def __init__(
        self,
        space: Space,
        fitness: Fitness,
        seed: int,
        *,
        population: int = 25,
        crossover: float = 0.7,
        mutation: float = 0.08,
        scope: str = "tournament",
    ) -> None:
        super().__init__(space, fitness, seed)
        self._within = Scope(scope, fitness)
        if population < TOURNAMENT:
            raise InputError(f"genetic needs a population of at least {TOURNAMENT}, not {population}")
        if not (0.0 < crossover <= 1.0 and 0.0 <= mutation <= 1.0):
            raise InputError(
                f"crossover is a probability in (0, 1] and mutation one in [0, 1], not {crossover} and {mutation}"
            )
        self.population = population
        self.crossover = crossover
        self.mutation = mutation
        self._generation = 0
        self._parents: list[Trial] = []
        self._start([])

    def ask(self, pending: Sequence[Proposal]) -> Proposal | None:
        position = self._heard + len(pending)
        if self._places_taken(position) + len(self._children) + len(pending) >= self.population:
            return None
        return self._child(position)

    def _learn(self, trial: Trial) -> None:
        self._heard += 1
        if trial.state == "complete":
            self._children.append(trial)
        while self._places_taken(self._heard) + len(self._children) >= self.population:
            # The last child, or the pair that takes the last place, ends the generation: later pairs are not drawn.
            pairs = -(-(self.population - len(self._children)) // 2)
            survivors = [trial for _, pair in self._survivors[:pairs] for trial in pair]
            self._generation += 1
            self._start(survivors + self._children)

    # -- one generation is one plan: a fixed, endless sequence of survivors and children of the parents ---------------

    def _start(self, parents: list[Trial]) -> None:
        self._parents = parents
        self._heard = 0
        self._children: list[Trial] = []
        self._plan: list[Proposal] = []
        self._survivors: list[tuple[int, tuple[Trial, Trial]]] = []
        self._steps = self._breed() if parents else self._first()

    def _first(self) -> Iterator[Proposal]:
        step = 0
        while True:
            yield Proposal(self.space.sample(self.rng("first", step)))
            step += 1

    def _breed(self) -> Iterator[Proposal]:
        """Children in order; pairs that survive are noted with the number of children planned before them."""
        step = 0
        while True:
            rng = self.rng("breed", self._generation, step)
            step += 1
            a, b = self._tournament(rng)
            if rng.random() >= self.crossover:
                self._survivors.append((len(self._plan), (a, b)))
                continue
            mutate = rng.random() < self.mutation
            for mother, father in ((a, b), (b, a)):
                child = self.space.crossover(mother.architecture, father.architecture, rng)
                if mutate:
                    child = self.space.mutate(child, rng)
                parents = (mother.number, father.number)
                yield Proposal(child, parents, "crossover+mutation" if mutate else "crossover")

    def _tournament(self, rng: np.random.Generator) -> tuple[Trial, Trial]:
        chosen = rng.choice(len(self._parents), size=TOURNAMENT, replace=False)
        drawn = [self._parents[i] for i in chosen.tolist()]
        best = np.argsort(-self._within(drawn, self._parents), kind="stable")
        return drawn[best[0]], drawn[best[1]]

    def _child(self, position: int) -> Proposal:
        while len(self._plan) <= position:
            self._plan.append(next(self._steps))
        return self._plan[position]

    def _places_taken(self, position: int) -> int:
        """Places of survivors that the plan notes before its child number `position`."""
        if self._generation:
            self._child(position)
        return sum(2 for planned, _ in self._survivors if planned <= position)
