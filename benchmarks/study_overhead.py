"""What a study costs beside evaluation: milliseconds a trial with an evaluator that answers at once.

One process, a store on disk. Prints CPU and wall-clock time of the whole loop (ask, canonical form, record, tell) and the
share of the journal. Run with: python benchmarks/study_overhead.py [trials]
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from untrained.algorithms.trial import Trial
from untrained.architecture import Architecture
from untrained.errors import InputError
from untrained.evaluate.outcome import Outcome
from untrained.registry import ALGORITHMS
from untrained.spaces.space import space
from untrained.study.journal import Journal
from untrained.study.study import Study

TARGET = 1.0


class AtOnce:
    """Three values from the genes."""

    directions: Mapping[str, int] = {"a": 1, "b": 1, "c": -1}

    def __call__(self, architecture: Architecture, *, seed: int) -> Outcome:
        genes = architecture.genes
        return Outcome({"a": float(sum(genes)), "b": float(max(genes)), "c": float(len(set(genes)))})


def measure(algorithm: str, space_name: str, trials: int, store: Path | None) -> tuple[float, float]:
    """CPU and wall-clock milliseconds a trial."""
    setup = {"seed": 0, "ahead": 8, "ranking": "rank_sum", "algorithm": algorithm, "options": {}, "limits": []}
    journal = Journal(store)
    record = journal.create(f"{algorithm}-{space_name}", setup)
    study = Study(journal, record, space(space_name), AtOnce.directions, AtOnce())
    cpu, wall = time.process_time(), time.perf_counter()
    study.run(trials)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    journal.close()
    return cpu / trials * 1e3, wall / trials * 1e3


def measure_journal(trials: int, store: Path) -> float:
    """CPU milliseconds to record a trial."""
    journal = Journal(store)
    record = journal.create("journal", {})
    architecture = space("nats-tss").parse("|nor_conv_3x3~0|+|none~0|none~1|+|none~0|none~1|skip_connect~2|")
    start = time.process_time()
    for number in range(trials):
        journal.record(record, Trial(number, architecture, values={"a": 0.1, "b": 0.2, "c": 0.3}))
    took = time.process_time() - start
    journal.close()
    return took / trials * 1e3


def main(trials: int) -> None:
    """Measure every algorithm on a small and on a large space."""
    with tempfile.TemporaryDirectory() as folder:
        print(f"journal alone                  {measure_journal(trials, Path(folder) / 'journal.db'):6.3f} ms CPU")
        for space_name in ("nats-tss", "chain"):
            for algorithm in ALGORITHMS.names():
                try:
                    measure(algorithm, space_name, 50, None)  # imports and compiles what there is
                except InputError:
                    continue  # an algorithm that is not made for this space
                cpu, wall = measure(algorithm, space_name, trials, Path(folder) / f"{algorithm}-{space_name}.db")
                verdict = "" if cpu <= TARGET else f"   above the target of {TARGET:g} ms"
                print(f"{space_name:10s} {algorithm:18s}  {cpu:6.3f} ms CPU  {wall:6.3f} ms wall{verdict}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000)
