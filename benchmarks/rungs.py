"""BOHB in rungs beside whole evaluations at equal cost: `python -m benchmarks.rungs [SEEDS]`.

The value of a NATS-TSS cell is how many of its six genes are those of a hidden cell (standard deviation over random cells
1.0). A share s of an evaluation costs s and gives the value with a normal error of `noise` (1 - s). Printed: the best value
among what was evaluated whole, with the 95 % interval of the mean.
"""

from __future__ import annotations

import sys

import numpy as np

from untrained.algorithms.fitness import Fitness
from untrained.algorithms.searcher import make_searcher
from untrained.algorithms.trial import Trial
from untrained.seeds import generator
from untrained.spaces.nats_tss import nats_tss

ARMS = {
    "random": ("random", {}),
    "bohb": ("bohb", {}),
    "bohb, rungs=3": ("bohb", {"rungs": 3}),
    "Hyperband (all random)": ("bohb", {"rungs": 3, "random": 0.999999}),
}


def best_found(arm: str, seed: int, cost: float, noise: float) -> float:
    """The best value evaluated whole until `cost` evaluations' worth is spent."""
    name, options = ARMS[arm]
    fitness = Fitness("single", {"value": 1})
    searcher = make_searcher(name, nats_tss, fitness, seed, dict(options))
    hidden = nats_tss.sample(generator("hidden", seed)).genes
    used, best = 0.0, 0.0
    while used < cost - 1e-9:
        proposal = searcher.ask([])
        assert proposal is not None
        right = sum(a == b for a, b in zip(proposal.architecture.genes, hidden, strict=True))
        error = noise * (1 - proposal.share) * generator(seed, str(proposal.architecture), proposal.share).normal()
        if proposal.state == "complete":
            best = max(best, float(right))
        used += proposal.share
        values = {"value": right + error} | proposal.marks
        searcher.tell(
            Trial(searcher.told, proposal.architecture, proposal.parents, proposal.operator, proposal.state, values)
        )
    return best


def main() -> None:
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    for cost in (20, 40, 80):
        for noise in (0.0, 1.0, 2.0, 4.0):
            found = {arm: np.array([best_found(arm, seed, cost, noise) for seed in range(seeds)]) for arm in ARMS}
            told = ", ".join(f"{arm} {x.mean():.2f} ± {1.96 * x.std() / seeds**0.5:.2f}" for arm, x in found.items())
            print(f"cost {cost}, noise {noise:g}: {told}", flush=True)


if __name__ == "__main__":
    main()
