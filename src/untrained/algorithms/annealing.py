"""Simulated annealing on ranks.

Hsieh and Tsai, "GA-based Training-Free NAS Algorithm with Hybrid Score Function"; the paper leaves the algorithm out, so
this is the loop of the authors' code, which has two published versions.
"""

from __future__ import annotations

import math
from typing import final

import numpy as np

from untrained.algorithms.fitness import Fitness
from untrained.algorithms.rankings import mean_ranks
from untrained.algorithms.rounds import Rounds, distinct
from untrained.algorithms.searcher import algorithm
from untrained.algorithms.trial import Proposal, Trial
from untrained.errors import InputError
from untrained.spaces.space import Space

VERSIONS = ("history", "plain")
MOVES = ("local", "global")
MOST_HISTORY = 969


@final
@algorithm
class Annealing(Rounds):
    """Simulated annealing on ranks: the best of 10 neighbours and of a history replaces the current architecture, or not.

    Each iteration scores `neighbours` neighbours of the current architecture s and ranks them together with s and the
    history, the best of each earlier ranking. With E the rank sum (under any ranking but `rank_sum`, the rank of the
    fitness), s' the best candidate other than s, dE = E(s') - E(s) and u uniform in (0, 1], s' becomes the current one
    if ln u <= -alpha dE / T. T falls from `start` by `cooling` after every `iterations` iterations while it is
    `end` or more, 1,000 evaluations by default; then it starts over.

    version `plain`: the code of May 2023, without history and with the comparison the other way round, so that s' takes
    over unless ln u < dE / T: never when it is worse, nearly always when it is better (its `end` was 1e-3).
    moves `global`: a neighbour is s with a random part drawn again, as published, instead of a mutant of s.
    The published search starts at one random architecture, this one at the best of the first `neighbours`; and it
    answers the last s, where a study answers the best of all.
    """

    name = "annealing"
    paper = "hsieh2023hybrid"

    def __init__(
        self,
        space: Space,
        fitness: Fitness,
        seed: int,
        *,
        version: str = "history",
        moves: str = "local",
        start: float = 1.0,
        end: float = 8e-4,
        cooling: float = 0.745,
        iterations: int = 4,
        neighbours: int = 10,
        alpha: float = 0.25,
    ) -> None:
        super().__init__(space, fitness, seed)
        if version not in VERSIONS or moves not in MOVES:
            raise InputError(
                f"version is one of {', '.join(VERSIONS)} and moves one of {', '.join(MOVES)}, "
                f"not {version!r} and {moves!r}"
            )
        if not (0 < end <= start < math.inf and 0 < cooling < 1 and 0 <= alpha < math.inf):
            raise InputError(
                f"annealing needs 0 < end <= start, 0 < cooling < 1 and alpha >= 0, "
                f"not end={end}, start={start}, cooling={cooling}, alpha={alpha}"
            )
        if iterations < 1 or neighbours < 1:
            raise InputError(f"annealing needs at least 1 iteration and 1 neighbour, not {iterations} and {neighbours}")
        self.version = version
        self.moves = moves
        self.cooling = cooling
        self.iterations = iterations
        self.neighbours = neighbours
        self.alpha = alpha
        steps = int(math.log(end / start) / math.log(cooling) + 1e-9) + 1
        self.temperatures = [start * cooling**step for step in range(steps)]
        self._here: Trial | None = None
        self._history: list[Trial] = []
        self._iteration = 0

    def _round(self) -> list[Proposal]:
        if self._here is None:
            return self._samples(self.neighbours)
        rng = self.rng("neighbours", self._rounds)
        here = self._here.architecture
        if self.moves == "local":
            drawn = distinct(lambda: self.space.mutate(here, rng), self.neighbours, {here})
        else:
            drawn = distinct(lambda: self.space.crossover(here, self.space.sample(rng), rng), self.neighbours, {here})
        operator = "mutation" if self.moves == "local" else "redraw"
        return [Proposal(other, (self._here.number,), operator) for other in drawn] or self._samples(1)

    def _close(self, planned: list[Proposal], complete: list[Trial]) -> None:
        if self._here is None:
            if complete:
                self._here = complete[int(np.argmax(self.fitness(complete)))]
            return
        # The same architecture counts once, as the trial that was there first.
        others = {trial.architecture: trial for trial in [*complete, *self._history]}
        others.pop(self._here.architecture, None)
        if not others:
            return
        candidates = [*others.values(), self._here]
        energies = self._energies(candidates)
        best = candidates[int(np.argmin(energies))]
        next_one = int(np.argmin(energies[:-1]))
        if self._accepts(float(energies[next_one] - energies[-1])):
            self._here = candidates[next_one]
        self._iteration += 1
        if self.version == "history":
            self._remember(best, dict(zip((trial.number for trial in candidates), energies.tolist(), strict=True)))

    @property
    def temperature(self) -> float:
        """T of the coming iteration."""
        return self.temperatures[self._iteration // self.iterations % len(self.temperatures)]

    def _accepts(self, change: float) -> bool:
        log_u = math.log(1.0 - self.rng("accept", self._rounds).random())
        if self.version == "plain":
            return not log_u < change / self.temperature
        return log_u <= -self.alpha * change / self.temperature

    def _energies(self, trials: list[Trial]) -> np.ndarray:
        """Rank sums of trials within these trials, lower is better; beyond the worst possible sum without a value."""
        fitness = self.fitness(trials)
        if self.fitness.ranking != "rank_sum":
            return mean_ranks(-fitness[:, None])[:, 0]
        worst = len(trials) * len(self.fitness.objectives) + 1.0
        return np.where(np.isfinite(fitness), -fitness, worst)

    def _remember(self, best: Trial, energies: dict[int, float]) -> None:
        if all(trial.architecture != best.architecture for trial in self._history):
            self._history.append(best)
        if len(self._history) > MOST_HISTORY:
            self._history.remove(max(self._history, key=lambda trial: energies.get(trial.number, -math.inf)))
