"""REINFORCE: a distribution over genes that learns from rewards.

Williams, "Simple Statistical Gradient-Following Algorithms for Connectionist Reinforcement Learning", Machine Learning
1992; as a baseline of architecture search with one categorical distribution for each gene in Dong et al., "NATS-Bench:
Benchmarking NAS Algorithms for Architecture Topology and Size", TPAMI 2021.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import final

import numpy as np

from untrained.algorithms.fitness import Fitness
from untrained.algorithms.positions import Positions
from untrained.algorithms.searcher import Searcher, algorithm
from untrained.algorithms.trial import Proposal, Trial
from untrained.errors import InputError
from untrained.spaces.space import Space

REDRAWS = 1000
BETAS = (0.9, 0.999)
EPSILON = 1e-8


@final
@algorithm
class Reinforce(Searcher):
    """REINFORCE: one categorical distribution for each gene, moved by Adam towards what was rewarded.

    A trial's reward is the part of the latest `window` complete trials that are worse, ties counting half: unlike the
    published reward, the accuracy itself, it has the same scale under every ranking. Rejected and failed trials are
    rewarded with 0. The baseline is a running mean of rewards with `momentum`; the gradient is that of the distribution
    when the trial is told. Gene combinations that the space does not have are drawn again. The published
    `learning_rate` is 0.01. Needs a space with a fixed number of genes.
    """

    name = "reinforce"
    paper = "williams1992simple"

    def __init__(
        self,
        space: Space,
        fitness: Fitness,
        seed: int,
        *,
        learning_rate: float = 0.1,
        momentum: float = 0.9,
        window: int = 100,
    ) -> None:
        super().__init__(space, fitness, seed)
        if not 0.0 < learning_rate < np.inf or not 0.0 <= momentum < 1.0 or window < 2:
            raise InputError(
                "reinforce needs learning_rate > 0, 0 <= momentum < 1 and window >= 2, "
                f"not {learning_rate}, {momentum} and {window}"
            )
        self.learning_rate = learning_rate
        self.momentum = momentum
        self.window = window
        self.positions = Positions(space, self.name)
        sizes = self.positions.sizes
        self._logits = np.where(np.arange(sizes.max()) < sizes[:, None], 0.0, -np.inf)
        self._mean = np.zeros_like(self._logits)
        self._square = np.zeros_like(self._logits)
        self._latest: deque[Trial] = deque(maxlen=window)
        self._rewards = 0.0

    @property
    def probabilities(self) -> np.ndarray:
        """(l, largest number of values): of each value of each gene, 0 beyond the values a gene has."""
        odds = np.exp(self._logits - self._logits.max(axis=1, keepdims=True))
        return np.asarray(odds / odds.sum(axis=1, keepdims=True))

    def ask(self, pending: Sequence[Proposal]) -> Proposal:
        rng = self.rng("ask", self.told + len(pending))
        upto = np.cumsum(self.probabilities, axis=1)[:, :-1]
        for _ in range(REDRAWS):
            drawn = self.positions.decode((rng.random((len(upto), 1)) >= upto).sum(axis=1).tolist())
            if drawn is not None:
                return Proposal(drawn, (), "policy")
        return Proposal(self.space.sample(rng))

    def _learn(self, trial: Trial) -> None:
        reward = 0.0
        if trial.state == "complete":
            self._latest.append(trial)
            fitness = self.fitness(self._latest)
            others = max(len(fitness) - 1, 1)
            reward = ((fitness < fitness[-1]).sum() + 0.5 * ((fitness == fitness[-1]).sum() - 1)) / others
            reward = float(reward) if len(fitness) > 1 else 0.5
        step = self.told + 1
        self._rewards = self.momentum * self._rewards + (1 - self.momentum) * reward
        advantage = reward - self._rewards / (1 - self.momentum**step)
        gradient = -self.probabilities
        gradient[np.arange(len(gradient)), self.positions.encode(trial.architecture)] += 1.0
        self._ascend(advantage * gradient, step)

    def _ascend(self, gradient: np.ndarray, step: int) -> None:
        """One step of Adam."""
        self._mean = BETAS[0] * self._mean + (1 - BETAS[0]) * gradient
        self._square = BETAS[1] * self._square + (1 - BETAS[1]) * gradient**2
        mean, square = self._mean / (1 - BETAS[0] ** step), self._square / (1 - BETAS[1] ** step)
        self._logits = self._logits + self.learning_rate * mean / (np.sqrt(square) + EPSILON)
