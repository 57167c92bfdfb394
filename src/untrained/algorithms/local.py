"""Hill climbing with random restarts.

White et al., "Exploring the Loss Landscape in Neural Architecture Search", UAI 2021.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import numpy as np

from untrained.algorithms.fitness import Fitness
from untrained.algorithms.searcher import Searcher, algorithm
from untrained.algorithms.trial import Proposal, Trial
from untrained.architecture import Architecture
from untrained.errors import InputError
from untrained.spaces.space import Space


@final
@algorithm
class Local(Searcher):
    """Hill climbing: neighbours in random order, a move to the first better one; a new start when none is left.

    A climb starts at the best of `starts` random architectures. Fitness is computed within the pair of the neighbour and
    the current architecture. Neighbours that were tried before are left out; those under way at a move are still judged,
    against the new place. A neighbour without a value is never better.
    """

    name = "local"
    paper = "white2021local"

    def __init__(self, space: Space, fitness: Fitness, seed: int, *, starts: int = 10) -> None:
        super().__init__(space, fitness, seed)
        if starts < 1:
            raise InputError(f"local needs at least 1 start, not {starts}")
        self.starts = starts
        self._seen: set[Architecture] = set()
        self._drawn: list[Trial] = []
        self._here: Trial | None = None
        self._around: list[Architecture] = []
        self._tried = 0

    def ask(self, pending: Sequence[Proposal]) -> Proposal | None:
        if self._here is None:
            if len(self._drawn) + len(pending) >= self.starts:
                return None
            return Proposal(self.space.sample(self.rng("start", self.told + len(pending))))
        number = self._here.number
        place = self._tried + sum(proposal.parents == (number,) for proposal in pending)
        return Proposal(self._around[place], (number,), "neighbour") if place < len(self._around) else None

    def _learn(self, trial: Trial) -> None:
        self._seen.add(trial.architecture)
        if self._here is None:
            if trial.state == "complete":
                self._drawn.append(trial)
            if len(self._drawn) == self.starts:
                self._move(self._drawn[int(np.argmax(self.fitness(self._drawn)))])
            return
        self._tried += trial.parents == (self._here.number,)
        if trial.state == "complete":
            new, old = self.fitness([trial, self._here])
            if new > old:
                self._move(trial)
        if self._tried == len(self._around):
            self._restart()

    def _move(self, trial: Trial) -> None:
        fresh = [other for other in self.space.neighbours(trial.architecture) if other not in self._seen]
        order = self.rng("order", trial.number).permutation(len(fresh))
        self._here, self._tried = trial, 0
        self._around = [fresh[i] for i in order.tolist()]
        if not fresh:
            self._restart()

    def _restart(self) -> None:
        self._here = None
        self._drawn = []
