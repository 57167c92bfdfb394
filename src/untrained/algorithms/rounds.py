"""Searches in rounds: a few proposals at once, then what follows from all of them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Container, Sequence

from untrained.algorithms.fitness import Fitness
from untrained.algorithms.searcher import Searcher
from untrained.algorithms.trial import Proposal, Trial
from untrained.architecture import Architecture
from untrained.spaces.space import Space

REDRAWS = 100
"""So many times an architecture is drawn again before something known, or nothing, is taken instead."""
MOST_SAMPLES = 64
"""Longer rounds of random architectures are split, so that none is drawn long before it is needed."""


class Rounds(Searcher):
    """A search that proposes round after round; while the last of a round are under way, it has nothing to propose.

    A concrete one says what the next round is and what follows from its trials. More workers than a round has proposals
    wait.
    """

    def __init__(self, space: Space, fitness: Fitness, seed: int) -> None:
        super().__init__(space, fitness, seed)
        self._rounds = 0
        self._heard: list[Trial] = []
        self._planned: list[Proposal] | None = None

    @abstractmethod
    def _round(self) -> list[Proposal]:
        """The next round, at least one proposal: a function of what was told before it."""

    @abstractmethod
    def _close(self, planned: list[Proposal], complete: list[Trial]) -> None:
        """Take in the round `planned`, of which the trials `complete` have values; maybe none."""

    def ask(self, pending: Sequence[Proposal]) -> Proposal | None:
        place = len(self._heard) + len(pending)
        plan = self._plan()
        return plan[place] if place < len(plan) else None

    def _learn(self, trial: Trial) -> None:
        plan = self._plan()
        self._heard.append(trial)
        if len(self._heard) == len(plan):
            complete = [heard for heard in self._heard if heard.state == "complete"]
            self._heard, self._planned = [], None
            self._close(plan, complete)
            self._rounds += 1

    def _plan(self) -> list[Proposal]:
        if self._planned is None:
            self._planned = self._round()
        return self._planned

    def _samples(self, count: int) -> list[Proposal]:
        """Random architectures, `count` of them or as many as one round may have."""
        rng = self.rng("sample", self._rounds)
        return [Proposal(self.space.sample(rng)) for _ in range(min(count, MOST_SAMPLES))]


def distinct(draw: Callable[[], Architecture], count: int, known: Container[Architecture]) -> list[Architecture]:
    """Up to `count` different results of `draw`, none of them `known`: fewer after `REDRAWS` draws in vain in a row."""
    found: dict[Architecture, None] = {}
    vain = 0
    while len(found) < count and vain < REDRAWS:
        drawn = draw()
        vain = vain + 1 if drawn in known or drawn in found else 0
        if not vain:
            found[drawn] = None
    return list(found)
