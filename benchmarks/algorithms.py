"""What search algorithms cost themselves, and what they find: beside random search, and where training is simulated.

python -m benchmarks.algorithms [DATA [SEEDS]]

Always: CPU milliseconds of each algorithm for one evaluation (ask, rank, tell) when the values are at hand: the topology
space, three objectives under `rank_sum`, 8 trials under way.

With DATA, the folder of `nats_tss_cifar10.parquet` and `darts_surrogate_1225.parquet`, two more tables, over SEEDS seeds
(100; the first one over at most 40).

Against random search: the best value after 300 evaluations, 8 under way, with default options, less the mean of random
search, with the 95 % interval of the difference, in standard deviations of the value over random architectures. Tasks:
NATS-TSS by its 12-epoch validation accuracy; DARTS by a ridge regression on which operation stands on which edge, fitted to
the 1,225 pairs of cells (the accuracy they were given is a surrogate's already); and an NK landscape on the size space: the
value is the sum over its five genes of a random number for the values of that gene and its two neighbours, another draw for
each seed. `pruning` takes a super-network for its start and is compared where super-networks have a value: on a separable
landscape, whose edges have the mean value of their operations, after the 55 evaluations of one pruning.

Then searches that train each candidate for 12 epochs, simulated by the table, until 12,000 seconds of training are spent; a
candidate costs 12 epochs, its fitness is the validation accuracy after them. Judged by the test accuracy, after 200
epochs, of the candidate with the highest fitness.
"""

from __future__ import annotations

import ast
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import spearmanr
from sklearn.linear_model import Ridge
from sklearn.model_selection import cross_val_predict

from untrained.algorithms.fitness import Fitness
from untrained.algorithms.searcher import Searcher, make_searcher
from untrained.algorithms.trial import Proposal, Trial
from untrained.architecture import Architecture
from untrained.errors import InputError
from untrained.registry import ALGORITHMS
from untrained.seeds import generator
from untrained.spaces.darts import darts
from untrained.spaces.genotype import in_order
from untrained.spaces.nats_sss import nats_sss
from untrained.spaces.nats_tss import nats_tss
from untrained.spaces.nats_tss_super import nats_tss_super
from untrained.spaces.space import Space
from untrained.tables.table import Table

TARGET = 0.2
EVALUATIONS = 1000
AHEAD = 8
REPEATS = 3
BUDGET = 12_000.0
TASK_EVALUATIONS = 300
TASK_SEEDS = 40
ONE_PRUNING = 55
CROWD = 2000
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


# -- against random search ---------------------------------------------------------------------------------------------

Value = Callable[[Architecture], float]


def best_found(algorithm: str, place: Space, value: Value, seed: int, evaluations: int = TASK_EVALUATIONS) -> float:
    """The best value among so many evaluations, of architectures that can be an answer."""
    searcher = make_searcher(algorithm, place, Fitness("single", {"value": 1}), seed, {})
    pending: list[Proposal] = []
    best = -np.inf
    for number in range(evaluations):
        while len(pending) < AHEAD and (proposal := searcher.ask(pending)) is not None:
            pending.append(proposal)
        done = pending.pop(0)
        found = value(done.architecture)
        searcher.tell(Trial(number, done.architecture, done.parents, done.operator, "complete", {"value": found}))
        if place.answer(done.architecture) is not None:
            best = max(best, found)
    return best


def compared(title: str, place: Space, value: Callable[[int], Value], algorithms: Iterable[str], **more: Any) -> None:
    """A line for each algorithm, the best first."""
    seeds = range(more.pop("seeds"))
    crowd = np.array(
        [value(seed)(place.sample(generator("crowd", seed, i))) for i in range(CROWD // 40) for seed in range(40)]
    )
    found = {}
    start = time.perf_counter()
    for algorithm in dict.fromkeys(["random", *algorithms]):
        try:
            found[algorithm] = np.array([best_found(algorithm, place, value(seed), seed, **more) for seed in seeds])
        except InputError:
            continue  # not made for this space
    print(f"\n{title}: {len(seeds)} seeds, {time.perf_counter() - start:.0f} s")
    base = found["random"]
    print(
        f"random finds {base.mean():.4g} on average; {crowd.mean():.4g} ± {crowd.std():.2g} over random architectures"
    )
    for algorithm, values in sorted(found.items(), key=lambda pair: -pair[1].mean()):
        difference = (values.mean() - base.mean()) / crowd.std()
        error = 1.96 * np.sqrt((values.var(ddof=1) + base.var(ddof=1)) / len(values)) / crowd.std()
        verdict = "better" if difference > error else "worse" if difference < -error else "no difference"
        if algorithm == "random":
            difference, error, verdict = 0.0, 0.0, ""
        print(f"{algorithm:10s} {difference:+7.3f} ± {error:.3f}   mean {values.mean():.4g}   {verdict}", flush=True)


def darts_surrogate(file: Path) -> Value:
    """A ridge regression of the accuracy on which operation stands on which edge of which cell."""
    table = pd.read_parquet(file)
    genes = []
    for text in table["arch"]:
        nodes = [
            in_order((cell[i][1], cell[i][0]), (cell[i + 1][1], cell[i + 1][0]))
            for cell in ast.literal_eval(text)
            for i in range(0, 8, 2)
        ]
        genes.append(sum(nodes, ()))

    def places(one: tuple[int, ...]) -> list[int]:
        return [(edge // 2 * 5 + one[2 * edge + 1]) * 7 + one[2 * edge] for edge in range(16)]

    accuracy = table["val_accuracy_nb301_surrogate"].to_numpy()
    features = np.zeros((len(genes), 8 * 5 * 7))
    for row, one in enumerate(genes):
        features[row, places(one)] = 1.0
    model = Ridge(alpha=10.0)
    predicted = cross_val_predict(model, features, accuracy, cv=10)
    explained = 1 - ((predicted - accuracy) ** 2).sum() / ((accuracy - accuracy.mean()) ** 2).sum()
    print(
        f"\nDARTS surrogate: ridge on {len(genes)} pairs of cells, 10-fold cross-validation: R2 {explained:.2f}, "
        f"Spearman {spearmanr(predicted, accuracy).statistic:.2f}"
    )
    weights, base = model.fit(features, accuracy).coef_, float(model.intercept_)
    return lambda architecture: base + float(weights[places(architecture.genes)].sum())


def nk_landscape(seed: int) -> Value:
    tables = generator("nk", seed).normal(size=(5, 8, 8, 8))

    def value(architecture: Architecture) -> float:
        g = architecture.genes
        return float(sum(tables[i, g[i - 1], g[i], g[(i + 1) % 5]] for i in range(5)))

    return value


def separable(seed: int) -> Value:
    """Of super-networks: the mean weight of the operations of an edge, summed over edges; an empty edge is worth 0."""
    weights = generator("separable", seed).normal(size=(6, 4))

    def value(architecture: Architecture) -> float:
        kept = np.array(architecture.genes)[:, None] >> np.arange(4) & 1
        return float(((weights * kept).sum(axis=1) / np.maximum(kept.sum(axis=1), 1)).sum())

    return value


def cells_of_supers(seed: int) -> Value:
    value = separable(seed)
    return lambda cell: value(Architecture(nats_tss_super.name, tuple(1 << gene >> 1 for gene in cell.genes)))


def against_random(data: Path, table: Table, seeds: int) -> None:
    validation = table.column("cifar10_val_12ep")
    known = {architecture: float(validation[row]) for row, architecture in enumerate(table.architectures)}
    names = [name for name in ALGORITHMS.names() if name != "pruning"]
    compared("NATS-TSS by table", nats_tss, lambda seed: known.__getitem__, names, seeds=seeds)
    surrogate = darts_surrogate(data / "darts_surrogate_1225.parquet")
    compared("DARTS by surrogate", darts, lambda seed: surrogate, names, seeds=seeds)
    compared("NK landscape on nats-sss", nats_sss, nk_landscape, names, seeds=seeds)
    compared("separable, cells", nats_tss, cells_of_supers, names, seeds=seeds, evaluations=ONE_PRUNING)
    best = np.array([best_found("pruning", nats_tss_super, separable(s), s, ONE_PRUNING) for s in range(seeds)])
    optimum = [generator("separable", s).normal(size=(6, 4)).max(axis=1).sum() for s in range(seeds)]
    print(f"pruning on super-networks: mean {best.mean():.4g}, the optimum in {np.isclose(best, optimum).mean():.0%}")


# -- training, simulated -----------------------------------------------------------------------------------------------


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
        if algorithm == "pruning":
            continue  # has a space of its own
        cost = min(own_cost(algorithm) for _ in range(REPEATS))
        print(f"{algorithm:10s} {cost:6.3f} ms CPU{'' if cost <= TARGET else '   above the target'}", flush=True)
    if len(sys.argv) > 1:
        data, seeds = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 100
        table = Table.read(data / "nats_tss_cifar10.parquet", nats_tss)
        against_random(data, table, min(seeds, TASK_SEEDS))
        baselines(table, seeds)


if __name__ == "__main__":
    main()
