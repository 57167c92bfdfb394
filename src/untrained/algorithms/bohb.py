"""BOHB: Hyperband whose new architectures come from two kernel densities over genes, one of the good, one of the bad.

Falkner et al., "BOHB: Robust and Efficient Hyperparameter Optimization at Scale", ICML 2018.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import numpy as np

from untrained.algorithms.fitness import Fitness
from untrained.algorithms.positions import Positions
from untrained.algorithms.rungs import Rungs
from untrained.algorithms.searcher import Searcher, algorithm
from untrained.algorithms.trial import Proposal, Trial
from untrained.architecture import Architecture
from untrained.errors import InputError
from untrained.spaces.space import Space

GROWTH = 1.05
MOST_DIVIDED = 1000
"""Into so many shares an evaluation may be divided: Hyperband's first bracket has as many architectures."""


class Density:
    """A product of Aitchison-Aitken kernels around gene numbers (n, l): equal genes weigh 1 - h, each other h / (c - 1).

    bandwidths (l,): h by Scott's rule, 1.06 s n^(-1 / (4 + l)), between `least` and (c - 1) / c, where the kernel is
    flat. s is the standard deviation of the one-hot coded gene, sqrt(1 - sum p^2); the published code takes that of the
    numbers of the categories, which depends on their order and leads to h beyond 1, that is negative weights.
    """

    def __init__(self, positions: Positions, numbers: np.ndarray, least: float) -> None:
        self.positions = positions
        self.numbers = numbers
        points = positions.one_hot(numbers)
        sizes = positions.sizes
        deviation = np.sqrt(np.maximum(1.0 - positions.shares(points), 0.0))
        rule = 1.06 * deviation * len(numbers) ** (-1.0 / (4 + len(sizes)))
        flat = (sizes - 1) / sizes
        self.bandwidths = np.minimum(np.maximum(rule, least), flat)
        # Genes with one value have weight 1, which needs no kernel.
        other = np.log(np.where(sizes > 1, self.bandwidths, 1.0) / np.maximum(sizes - 1, 1))
        self._base = other.sum()
        self._points = (points * np.repeat(np.log(1.0 - self.bandwidths) - other, sizes)).T

    def log(self, points: np.ndarray) -> np.ndarray:
        """The logarithm of the density at one-hot coded genes (k, sum of sizes): (k,)."""
        logs = points @ self._points
        largest = logs.max(axis=1)
        logs -= largest[:, None]
        return np.asarray(np.log(np.exp(logs, out=logs).mean(axis=1)) + largest + self._base)

    def draw(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Gene numbers (count, l): points chosen uniformly, of which each gene is drawn again with probability h."""
        chosen = self.numbers[rng.integers(len(self.numbers), size=count)]
        again = rng.random(chosen.shape) < self.bandwidths
        return np.where(again, (rng.random(chosen.shape) * self.positions.sizes).astype(int), chosen)


@final
@algorithm
class Bohb(Searcher):
    """BOHB: tries what is likely under a density of the good and unlikely under one of the bad, by Hyperband's rounds.

    The good are the best `top` of the trials with a fitness, but at least one more than there are genes; all others are
    bad, the failed and the rejected too. Of `candidates` draws from the good density the one with the largest ratio of
    densities is tried; with probability `random`, and before there are enough trials for both densities, a random
    architecture. What was tried is passed over, as the answer would be the same again. The densities are fitted again
    once there are 5 % more trials; the published ones are fitted after each.

    With `rungs` above 1, most architectures get a small share of the evaluation first, and of each rung the best 1 / `eta`
    climb to `eta` times the share: trained anew for more epochs, `accuracy(epochs=9)` with rungs=3 for 1, 3 and 9. The
    densities are then of the largest share with enough trials. With rungs=1, the default, every evaluation is whole, as
    it has to be without training. A rung with fewer survivors than places is filled up with new architectures, where
    the published one stays smaller. Needs a space with a fixed number of genes.
    """

    name = "bohb"
    paper = "falkner2018bohb"

    def __init__(
        self,
        space: Space,
        fitness: Fitness,
        seed: int,
        *,
        top: float = 0.15,
        candidates: int = 64,
        random: float = 1 / 3,
        least_bandwidth: float = 1e-3,
        rungs: int = 1,
        eta: int = 3,
    ) -> None:
        super().__init__(space, fitness, seed)
        if not 0.0 < top < 1.0 or candidates < 1 or not 0.0 <= random < 1.0 or not 0.0 < least_bandwidth < 1.0:
            raise InputError(
                "bohb needs 0 < top < 1, candidates >= 1, 0 <= random < 1 and 0 < least_bandwidth < 1, "
                f"not {top}, {candidates}, {random} and {least_bandwidth}"
            )
        if rungs < 1 or not 2 <= eta <= MOST_DIVIDED or eta ** min(rungs - 1, 10) > MOST_DIVIDED:
            raise InputError(
                f"bohb needs rungs >= 1, eta >= 2 and eta^(rungs - 1) <= {MOST_DIVIDED:,}, not {rungs} and {eta}"
            )
        self.top = top
        self.candidates = candidates
        self.random = random
        self.least_bandwidth = least_bandwidth
        self.positions = Positions(space, self.name)
        self.rungs = Rungs(rungs, eta)
        self.smallest = self.rungs.rungs[0].share
        self._trials: list[Trial] = []
        self._numbers: list[tuple[int, ...]] = []
        self._seen: set[tuple[int, ...]] = set()
        self._fitted = 0
        self._model: tuple[Density, Density] | None = None

    def ask(self, pending: Sequence[Proposal]) -> Proposal | None:
        number = self.told + len(pending)
        start, rung = self.rungs.of(number)
        if rung.below is not None:
            first = start + rung.below.first
            rivals = self._trials[first : first + rung.below.count]
            if len(rivals) < rung.below.count:
                return None
            climbing = self._best(rivals, rung.count)
            place = number - start - rung.first
            if place < len(climbing):
                best = climbing[place]
                return Proposal(best.architecture, (best.number,), "promotion", rung.share)
        operator, architecture = self._new(pending, self.rng("ask", number))
        return Proposal(architecture, (), operator, rung.share)

    def _best(self, rivals: Sequence[Trial], count: int) -> list[Trial]:
        """The best of those that have a fitness, first to last."""
        scored = [trial for trial in rivals if trial.state == "partial"]
        fitness = self.fitness(scored) if scored else np.zeros(0)
        return [scored[i] for i in np.argsort(-fitness, kind="stable").tolist() if np.isfinite(fitness[i])][:count]

    def _new(self, pending: Sequence[Proposal], rng: np.random.Generator) -> tuple[str, Architecture]:
        """(`model` or `sample`, an architecture of the model or a random one)."""
        if rng.random() >= self.random and (model := self._densities()) is not None:
            good, bad = model
            under_way = {self.positions.encode(proposal.architecture) for proposal in pending}
            drawn = dict.fromkeys(map(tuple, good.draw(self.candidates, rng).tolist()))
            fresh = [numbers for numbers in drawn if numbers not in self._seen and numbers not in under_way]
            points = self.positions.one_hot(np.array(fresh, int).reshape(len(fresh), len(self.positions.sizes)))
            for place in np.argsort(bad.log(points) - good.log(points), kind="stable").tolist():
                candidate = self.positions.decode(fresh[place])
                if candidate is not None:
                    return "model", candidate
        return "sample", self.space.sample(rng)

    def _learn(self, trial: Trial) -> None:
        self._trials.append(trial)
        self._numbers.append(self.positions.encode(trial.architecture))
        self._seen.add(self._numbers[-1])
        if len(self._trials) >= self._fitted * GROWTH:
            self._fitted, self._model = len(self._trials), None

    def _densities(self) -> tuple[Density, Density] | None:
        """The densities of the good and of the bad of the first `_fitted` trials, of the largest share at which each has
        more points than there are genes; None before."""
        if self._model is None:
            shares = np.array([self.rungs.of(number)[1].share for number in range(self._fitted)])
            for share in sorted(set(shares.tolist()), reverse=True):
                self._model = self._split(np.flatnonzero(shares == share))
                if self._model is not None:
                    break
        return self._model

    def _split(self, chosen: np.ndarray) -> tuple[Density, Density] | None:
        """The densities of the good and of the bad of the chosen trials, if there are enough."""
        fewest = len(self.positions.sizes) + 1
        if len(chosen) < 2 * fewest:
            return None
        trials = [self._trials[number] for number in chosen.tolist()]
        fitness = np.full(len(trials), -np.inf)
        valued = [place for place, trial in enumerate(trials) if trial.state in ("complete", "partial")]
        fitness[valued] = self.fitness([trials[place] for place in valued])
        scored = int(np.isfinite(fitness).sum())
        count = max(fewest, int(self.top * scored))
        if scored < count or len(trials) - count < fewest:
            return None
        good = np.zeros(len(trials), bool)
        good[np.argsort(-fitness, kind="stable")[:count]] = True
        numbers = np.array(self._numbers)[chosen]
        densities = [Density(self.positions, numbers[part], self.least_bandwidth) for part in (good, ~good)]
        return densities[0], densities[1]
