"""Random search: the baseline that every other algorithm has to beat."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from untrained.algorithms.searcher import Searcher, algorithm
from untrained.algorithms.trial import Proposal, Trial
from untrained.architecture import Architecture

REDRAWS = 200


@final
@algorithm
class RandomSearch(Searcher):
    """Random architectures, each network once while there are new ones."""

    name = "random"

    def __init__(self, *args: object, **options: object) -> None:
        super().__init__(*args, **options)  # type: ignore[arg-type]
        self._seen: set[Architecture] = set()

    def ask(self, pending: Sequence[Proposal]) -> Proposal:
        under_way = {self.space.canonical(p.architecture) for p in pending}
        rng = self.rng("sample", self.told + len(pending))
        for _ in range(REDRAWS):
            candidate = self.space.sample(rng)
            key = self.space.canonical(candidate)
            if key not in self._seen and key not in under_way:
                break
        return Proposal(candidate)

    def _learn(self, trial: Trial) -> None:
        self._seen.add(self.space.canonical(trial.architecture))
