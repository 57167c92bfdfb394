"""Pruning by importance: from a super-network to a network, operation by operation.

Chen et al., "Neural Architecture Search on ImageNet in Four GPU Hours: A Theoretically Inspired Perspective" (TE-NAS),
ICLR 2021.
"""

from __future__ import annotations

from typing import final

import numpy as np

from untrained.algorithms.fitness import Fitness
from untrained.algorithms.rounds import Rounds
from untrained.algorithms.searcher import algorithm
from untrained.algorithms.trial import Proposal, Trial
from untrained.architecture import Architecture
from untrained.errors import InputError
from untrained.spaces.nats_tss_super import NatsTssSuper
from untrained.spaces.space import Space


@final
@algorithm
class Pruning(Rounds):
    """Pruning from a super-network: tries to take away each operation; every edge loses the one that is missed least.

    A round scores the super-network without one operation, for every operation of an edge that has several, and ranks what
    is left within the round; then each edge with several loses the operation whose absence ranks best. With one
    operation on every edge the cell itself is scored: it is an answer, 55 evaluations after the start on
    `nats-tss-super`. The next pruning starts at a random super-network, for the first would end the same.

    As published with `--metrics ntk,regions`: there, the relative changes of the two are ranked, which within a round is
    the order of the values themselves. Published values are rounded to three digits, and ties share a rank; equal ranks
    take the first.
    """

    name = "pruning"
    paper = "chen2021tenas"

    def __init__(self, space: Space, fitness: Fitness, seed: int) -> None:
        super().__init__(space, fitness, seed)
        if not isinstance(space, NatsTssSuper):
            raise InputError(f"pruning starts at a super-network, and {space.name!r} has none; search 'nats-tss-super'")
        self.supers = space
        self._here = space.full
        self._parents: tuple[int, ...] = ()

    def _round(self) -> list[Proposal]:
        if self.supers.answer(self._here) is not None:
            return [Proposal(self._here, self._parents, "answer")]
        return [Proposal(pruned, self._parents, "pruning") for _, pruned in self.supers.prunings(self._here)]

    def _close(self, planned: list[Proposal], complete: list[Trial]) -> None:
        if planned[0].operator == "answer":
            self._here, self._parents = self._restart(), ()
            return
        scored = {trial.architecture: trial for trial in complete}
        values = dict(zip(scored, self.fitness(list(scored.values())).tolist(), strict=True))
        edges: dict[int, list[Architecture]] = {}
        for edge, pruned in self.supers.prunings(self._here):
            edges.setdefault(edge, []).append(pruned)
        genes = list(self._here.genes)
        parents = []
        for edge, ways in edges.items():
            # Where nothing could be scored the first way is as good as any.
            best = max(ways, key=lambda way: values.get(way, -np.inf))
            genes[edge] = best.genes[edge]
            if best in scored:
                parents.append(scored[best].number)
        self._here, self._parents = Architecture(self.supers.name, tuple(genes)), tuple(parents)

    def _restart(self) -> Architecture:
        """A random super-network without empty edges."""
        rng = self.rng("restart", self._rounds)
        genes = [1 + int(rng.integers(full)) for full in self.supers.full.genes]
        return Architecture(self.supers.name, tuple(genes))
