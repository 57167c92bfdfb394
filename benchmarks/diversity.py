"""Whether control of diversity helps a search: windows against none, with equal evaluations, on NATS-TSS by table.

python -m benchmarks.diversity DATA [SEEDS [GENERATIONS]]

DATA is the folder of `nats_tss_cifar10.parquet`. Each search asks for 20 generations of 25 cells; fitness is the CIFAR-10
validation accuracy after 12 epochs of training. Judged by the test accuracy, after 200 epochs, of the cell with the
highest fitness. The same seeds for all windows: what is compared is the difference to the search without control.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import t as student

from untrained.algorithms.diverse import Breeding, Diverse
from untrained.algorithms.fitness import Fitness
from untrained.algorithms.trial import Trial
from untrained.spaces.nats_tss import nats_tss
from untrained.tables.table import Table

POPULATION, GENERATIONS, SEEDS = 25, 20, 30
FITNESS = Fitness("single", {"accuracy": 1})
ARMS: dict[str, dict[str, Any]] = {
    "naive": {"window": "naive"},
    "rigid": {"window": "rigid"},
    "soft": {"window": "soft"},
    "absolute": {"window": "absolute"},
    "rigid, legacy": {"window": "rigid", "fallback": "legacy"},
    "soft, legacy": {"window": "soft", "fallback": "legacy"},
}


def run(table: Table, generations: int, options: dict[str, Any], seed: int) -> tuple[float, ...]:
    """Test accuracy and validation accuracy of the answer, different networks tried, median similarity of the last
    population, attempts a generation, and CPU seconds of the search."""
    validation, test = table.column("cifar10_val_12ep"), table.column("cifar10_test_200ep")
    start = time.process_time()
    searcher = Diverse(nats_tss, FITNESS, seed, population=POPULATION, generations=generations, **options)
    bred: dict[int, Breeding | None] = {}
    rows: list[int] = []
    for number in range(POPULATION * generations):
        proposal = searcher.ask([])
        assert proposal is not None
        row = table.row(proposal.architecture)
        assert row is not None
        values = {"accuracy": float(validation[row])}
        searcher.tell(Trial(number, proposal.architecture, proposal.parents, proposal.operator, values=values))
        rows.append(row)
        bred[searcher.generation] = searcher.breeding
    seconds = time.process_time() - start
    # The last population is whole, and how the next one would be bred says how alike it is.
    *before, last = (one for one in bred.values() if one is not None)
    networks = len({nats_tss.canonical(table.architectures[row]) for row in rows})
    best = max(rows, key=lambda row: validation[row])
    attempts = float(np.mean([one.attempts for one in before]))
    return float(test[best]), float(validation[best]), networks, last.before, attempts, seconds


def interval(values: np.ndarray) -> float:
    """Half the 95 % interval of a mean, Student's."""
    return float(student.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))


def main() -> None:
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    table = Table.read(Path(sys.argv[1]) / "nats_tss_cifar10.parquet", nats_tss)
    seeds = int(sys.argv[2]) if len(sys.argv) > 2 else SEEDS
    generations = int(sys.argv[3]) if len(sys.argv) > 3 else GENERATIONS
    print(
        f"CIFAR-10 accuracy of the best of {generations} x {POPULATION} evaluations on NATS-TSS, {seeds} seeds; "
        "± is a 95 % interval"
    )
    print(
        f"{'window':15s} {'test':>6s}  {'minus naive':>15s}  {'validation':>10s}  {'minus naive':>15s}"
        "  networks  similarity  attempts  CPU s"
    )
    naive = np.zeros((seeds, 6))
    for arm, options in ARMS.items():
        found = np.array([run(table, generations, options, seed) for seed in range(seeds)])
        if arm == "naive":
            naive = found
        gains = [
            f"{(found - naive)[:, k].mean():+7.3f} ± {interval((found - naive)[:, k]):.3f}" if arm != "naive" else ""
            for k in (0, 1)
        ]
        test, validation, networks, similarity, attempts, seconds = found.mean(axis=0)
        print(
            f"{arm:15s} {test:6.2f}  {gains[0]:>15s}  {validation:10.2f}  {gains[1]:>15s}"
            f"  {networks:8.0f}  {similarity:10.3f}  {attempts:8.1f}  {seconds:5.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
