"""BOHB's model: two kernel densities over genes, one of good architectures, one of bad ones.

Falkner et al., "BOHB: Robust and Efficient Hyperparameter Optimization at Scale", ICML 2018.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import numpy as np

from untrained.algorithms.fitness import Fitness
from untrained.algorithms.positions import Positions
from untrained.algorithms.searcher import Searcher, algorithm
from untrained.algorithms.trial import Proposal, Trial
from untrained.errors import InputError
from untrained.spaces.space import Space

GROWTH = 1.05


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
    """BOHB on one fidelity: tries what is likely under a density of the good and unlikely under one of the bad.

    The good are the best `top` of the trials with a fitness, but at least one more than there are genes; all others are
    bad, the failed and the rejected too. Of `candidates` draws from the good density the one with the largest ratio of
    densities is tried; with probability `random`, and before there are enough trials for both densities, a random
    architecture. What was tried is passed over, as the answer would be the same again. The densities are fitted again
    once there are 5 % more trials; the published ones are fitted after each.

    BOHB is this model inside Hyperband, which first tries many architectures on small budgets (few epochs). A study has
    one fidelity, where Hyperband has one bracket with one rung and takes what the model proposes: the published
    algorithm with its smallest budget equal to its largest. Needs a space with a fixed number of genes.
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
    ) -> None:
        super().__init__(space, fitness, seed)
        if not 0.0 < top < 1.0 or candidates < 1 or not 0.0 <= random < 1.0 or not 0.0 < least_bandwidth < 1.0:
            raise InputError(
                "bohb needs 0 < top < 1, candidates >= 1, 0 <= random < 1 and 0 < least_bandwidth < 1, "
                f"not {top}, {candidates}, {random} and {least_bandwidth}"
            )
        self.top = top
        self.candidates = candidates
        self.random = random
        self.least_bandwidth = least_bandwidth
        self.positions = Positions(space, self.name)
        self._trials: list[Trial] = []
        self._numbers: list[tuple[int, ...]] = []
        self._seen: set[tuple[int, ...]] = set()
        self._fitted = 0
        self._model: tuple[Density, Density] | None = None

    def ask(self, pending: Sequence[Proposal]) -> Proposal:
        rng = self.rng("ask", self.told + len(pending))
        if rng.random() >= self.random and (model := self._densities()) is not None:
            good, bad = model
            under_way = {self.positions.encode(proposal.architecture) for proposal in pending}
            drawn = dict.fromkeys(map(tuple, good.draw(self.candidates, rng).tolist()))
            fresh = [numbers for numbers in drawn if numbers not in self._seen and numbers not in under_way]
            points = self.positions.one_hot(np.array(fresh, int).reshape(len(fresh), len(self.positions.sizes)))
            for place in np.argsort(bad.log(points) - good.log(points), kind="stable").tolist():
                candidate = self.positions.decode(fresh[place])
                if candidate is not None:
                    return Proposal(candidate, (), "model")
        return Proposal(self.space.sample(rng))

    def _learn(self, trial: Trial) -> None:
        self._trials.append(trial)
        self._numbers.append(self.positions.encode(trial.architecture))
        self._seen.add(self._numbers[-1])
        if len(self._trials) >= self._fitted * GROWTH:
            self._fitted, self._model = len(self._trials), None

    def _densities(self) -> tuple[Density, Density] | None:
        """The densities of the good and of the bad of the first `_fitted` trials; None before each has more points than
        there are genes."""
        trials = self._trials[: self._fitted]
        fewest = len(self.positions.sizes) + 1
        if self._model is None and len(trials) >= 2 * fewest:
            fitness = np.full(len(trials), -np.inf)
            complete = [place for place, trial in enumerate(trials) if trial.state == "complete"]
            fitness[complete] = self.fitness([trials[place] for place in complete])
            scored = int(np.isfinite(fitness).sum())
            count = max(fewest, int(self.top * scored))
            if scored >= count and len(trials) - count >= fewest:
                good = np.zeros(len(trials), bool)
                good[np.argsort(-fitness, kind="stable")[:count]] = True
                numbers = np.array(self._numbers[: self._fitted])
                densities = [Density(self.positions, numbers[part], self.least_bandwidth) for part in (good, ~good)]
                self._model = densities[0], densities[1]
        return self._model
