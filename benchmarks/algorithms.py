"""What search algorithms cost themselves, and what training-based search finds on NATS-TSS.

python -m benchmarks.algorithms [TABLE [SEEDS]]

Always: CPU milliseconds of each algorithm for one evaluation (ask, rank, tell) when the values are at hand: the topology
space, three objectives under `rank_sum`, 8 trials under way.

With TABLE, the path of `nats_tss_cifar10.parquet`: searches that train each candidate for 12 epochs, simulated by the
table, until 12,000 seconds of training are spent; a candidate costs 12 epochs, its fitness is the validation accuracy
after them. Judged by the test accuracy, after 200 epochs, of the candidate with the highest fitness.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np

from untrained.algorithms.fitness import Fitness
from untrained.algorithms.searcher import Searcher, make_searcher
from untrained.algorithms.trial import Proposal, Trial
from untrained.architecture import Architecture
from untrained.registry import ALGORITHMS
from untrained.seeds import generator
from untrained.spaces.nats_tss import nats_tss
from untrained.tables.table import Table

TARGET = 0.2
EVALUATIONS = 1000
AHEAD = 8
REPEATS = 3
BUDGET = 12_000.0
BASELINES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("random", {}),
    ("aging", {"population": 10, "sample": 3}),
    ("reinforce", {"learning_rate": 0.01}),
    ("reinforce", {}),
    ("bohb", {"random": 0.0, "candidates": 4, "least_bandwidth": 0.3}),
    ("bohb", {}),
)
"""The first of each with the options of NATS-Bench."""


def own_cost(algorithm: str) -> float:
    """CPU milliseconds for one of `EVALUATIONS` evaluations of one search."""
    weights = generator("objectives").normal(size=(6, 3))
    names = ("a", "b", "c")

    def values(architecture: Architecture) -> dict[str, float]:
        return dict(zip(names, (np.array(architecture.genes) @ weights).tolist(), strict=True))

    known = {architecture: values(architecture) for architecture in nats_tss}
    nats_tss.canonical(nats_tss.at(0))  # makes its table
    searcher = make_searcher(algorithm, nats_tss, Fitness("rank_sum", dict.fromkeys(names, 1)), 0, {})
    pending: list[Proposal] = []
    start = time.process_time()
    for number in range(EVALUATIONS):
        while len(pending) < AHEAD and (proposal := searcher.ask(pending)) is not None:
            pending.append(proposal)
        done = pending.pop(0)
        trial = Trial(number, done.architecture, done.parents, done.operator, "complete", known[done.architecture])
        searcher.tell(trial)
    return (time.process_time() - start) / EVALUATIONS * 1e3


def trained(searcher: Searcher, table: Table) -> tuple[float, int]:
    """Final test accuracy in percent, and the number of candidates that the budget paid for."""
    validation, test = table.column("cifar10_val_12ep"), table.column("cifar10_test_200ep")
    seconds = 12 * table.column("cifar10_epoch_time_s")
    spent, rows = 0.0, []
    while spent < BUDGET:
        proposal = searcher.ask([])
        assert proposal is not None
        row = table.row(proposal.architecture)
        assert row is not None
        accuracy = {"accuracy": float(validation[row])}
        searcher.tell(Trial(len(rows), proposal.architecture, proposal.parents, proposal.operator, values=accuracy))
        spent += seconds[row]
        rows.append(row)
    return float(test[max(rows, key=lambda row: validation[row])]), len(rows)


def baselines(table: Table, seeds: int) -> None:
    """Mean and standard deviation over seeds."""
    print(f"\n{BUDGET:,.0f} s of 12-epoch training on NATS-TSS, CIFAR-10 test accuracy over {seeds} seeds")
    start = time.perf_counter()
    for algorithm, options in BASELINES:
        fitness = Fitness("single", {"accuracy": 1})
        runs = [
            trained(make_searcher(algorithm, nats_tss, fitness, seed, dict(options)), table) for seed in range(seeds)
        ]
        accuracy, count = np.array(runs).T
        told = ", ".join(f"{name}={value:g}" for name, value in options.items())
        print(
            f"{algorithm:10s} {accuracy.mean():6.2f} ± {accuracy.std(ddof=1):.2f}  {count.mean():3.0f} trained  {told}",
            flush=True,
        )
    print(f"{time.perf_counter() - start:.1f} s for all")


def main() -> None:
    print(f"own cost of one of {EVALUATIONS} evaluations; the target is {TARGET:g} ms")
    for algorithm in ALGORITHMS.names():
        cost = min(own_cost(algorithm) for _ in range(REPEATS))
        print(f"{algorithm:10s} {cost:6.3f} ms CPU{'' if cost <= TARGET else '   above the target'}", flush=True)
    if len(sys.argv) > 1 and sys.argv[1].endswith((".parquet", ".csv")):
        baselines(Table.read(sys.argv[1], nats_tss), int(sys.argv[2]) if len(sys.argv) > 2 else 100)


if __name__ == "__main__":
    main()
