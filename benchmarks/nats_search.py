"""What training-free searches find on NATS-TSS: the test accuracy of the returned cell, over seeds of everything.

python -m benchmarks.nats_search DATA [--seeds 25] [--methods TEXT] [--evaluations 1000] [--size 16] [--skeleton proxy]


DATA holds `nats_tss_cifar10.parquet` and `cifar10_10k2k.npz`. Each seed draws its own images, weights and candidates; the
methods of one seed share the scores of a cell. Accuracies are read for the answers alone. What is done is kept in a file, and
the same command goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from untrained.algorithms.fitness import Fitness
from untrained.algorithms.searcher import make_searcher
from untrained.algorithms.trial import Proposal, Trial
from untrained.architecture import Architecture
from untrained.evaluate.training_free import TrainingFree
from untrained.images.image_set import ImageSet
from untrained.images.load import load_images
from untrained.registry import METRICS
from untrained.seeds import derive
from untrained.spaces.nats_tss import nats_tss
from untrained.spaces.nats_tss_super import nats_tss_super
from untrained.study.search import search
from untrained.tables.table import Table

AHEAD = 8
PRUNING = 55
"""Evaluations of one pruning, the last that of the cell."""
TRIO, REA3 = ("ni", "nwot", "logsynflow"), ("nwot", "logsynflow", "skip")


@dataclass(frozen=True)
class Method:
    """An algorithm with its options, and the metrics and ranking that steer it."""

    name: str
    algorithm: str
    metrics: tuple[str, ...]
    ranking: str = "rank_sum"
    options: Mapping[str, Any] = field(default_factory=dict)


PUBLISHED = (
    Method("GA-rk (published)", "genetic", TRIO, options={"population": 100}),
    Method("SA-rk (published)", "annealing", TRIO, options={"moves": "global"}),
    Method("SA-rk, May 2023", "annealing", TRIO, options={"moves": "global", "version": "plain", "end": 1e-3}),
    Method("FreeREA (published)", "freerea", REA3, "max_normalised_sum"),
    Method("AREA (published)", "area", ("nwot",), "single"),
    Method("SWAP-NAS (published)", "swap-nas", ("swap",), "single"),
    Method("TE-NAS (published)", "pruning", ("ntk", "regions")),
)
ALGORITHMS = ("genetic", "aging", "annealing", "freerea", "swap-nas")
RECOMMENDED = tuple(Method(f"{name}, nwot+logsynflow+skip", name, REA3) for name in ALGORITHMS)
SCOPES = tuple(
    Method(f"{name}, ranks within {scope}", name, metrics, options={"scope": scope, **options})
    for name, metrics, options in (("aging", REA3, {}), ("genetic", TRIO, {"population": 100}))
    for scope in ("population", "history")
)
OTHERS = (
    Method("genetic, nwot+logsynflow", "genetic", ("nwot", "logsynflow")),
    Method("genetic, all four", "genetic", ("ni", "nwot", "logsynflow", "skip")),
    Method("genetic, nwot", "genetic", ("nwot",), "single"),
    Method("genetic, logsynflow", "genetic", ("logsynflow",), "single"),
    Method("aging, meco", "aging", ("meco",), "single"),
    Method("aging, meco+swap", "aging", ("meco", "swap")),
    Method("aging, swap", "aging", ("swap",), "single"),
    Method("aging, swap+params", "aging", ("swap", "params")),
    Method("random, ni+nwot+logsynflow", "random", TRIO),
    Method("random, nwot+logsynflow+skip", "random", REA3),
)


class Scores:
    """The scores of one seed, each cell once."""

    def __init__(self, evaluator: TrainingFree, seed: int) -> None:
        self._evaluator, self._seed = evaluator, seed
        self._known: dict[Architecture, Mapping[str, float | None]] = {}

    def __call__(self, architecture: Architecture) -> tuple[Architecture, Mapping[str, float | None]]:
        network = nats_tss.canonical(architecture)
        if network not in self._known:
            seed = derive(self._seed, "candidate", str(network))
            self._known[network] = self._evaluator(network, seed=seed).values
        return network, self._known[network]


def answer(method: Method, scores: Scores, seed: int, evaluations: int) -> tuple[Architecture, int]:
    """The best cell of the whole history, and how many different cells were scored."""
    fitness = Fitness(method.ranking, {name: METRICS[name].direction for name in method.metrics})
    searcher = make_searcher(method.algorithm, nats_tss, fitness, seed, dict(method.options))
    pending: list[Proposal] = []
    history: dict[Architecture, Trial] = {}
    for number in range(evaluations):
        while len(pending) < AHEAD and (proposal := searcher.ask(pending)) is not None:
            pending.append(proposal)
        done = pending.pop(0)
        network, values = scores(done.architecture)
        trial = Trial(number, done.architecture, done.parents, done.operator, "complete",
                      {name: values[name] for name in method.metrics})  # fmt: skip
        searcher.tell(trial)
        history.setdefault(network, trial)
    trials = list(history.values())
    return list(history)[int(np.argmax(fitness(trials)))], len(history)


def pruned(method: Method, images: ImageSet, seed: int, skeleton: str) -> tuple[Architecture, int]:
    """The cell that one pruning of the super-network ends in, and how many super-networks were scored."""
    study = search(
        nats_tss_super, images, metrics=method.metrics, ranking=method.ranking, algorithm=method.algorithm,
        evaluations=PRUNING, seed=seed, skeleton=skeleton,
    )  # fmt: skip
    return study.best_trial.architecture, len(study.complete)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--seeds", type=int, default=25)
    parser.add_argument("--methods", default="", help="only those with this text in their name")
    parser.add_argument("--evaluations", type=int, default=1000)
    parser.add_argument("--size", type=int, default=16, help="images are resized to SIZE x SIZE")
    parser.add_argument("--skeleton", default="proxy")
    parser.add_argument("--out", type=Path, default=Path("runs/nats_search.jsonl"), help="where answers are kept")
    options = parser.parse_args()
    torch.set_num_threads(1)
    table = Table.read(options.data / "nats_tss_cifar10.parquet", nats_tss)
    images = load_images(options.data / "cifar10_10k2k.npz", image_size=options.size)
    methods = [method for method in (*PUBLISHED, *RECOMMENDED, *SCOPES, *OTHERS) if options.methods in method.name]
    metrics = tuple(dict.fromkeys(name for method in methods for name in method.metrics))
    wanted = max(METRICS[name].setting.total_images for name in metrics)
    protocol = [options.evaluations, options.size, options.skeleton]
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.touch()
    for seed in range(options.seeds):
        batch, labels = images.batch(wanted, derive(seed, "images"))
        skeleton = nats_tss.skeleton(options.skeleton)
        scores = Scores(TrainingFree(nats_tss, metrics, batch, labels, 10, skeleton, nats_tss.skeleton()), seed)
        there = {(one["method"], one["seed"]) for one in kept(options.out, protocol)}
        for method in methods:
            if (method.name, seed) in there:
                continue
            start = time.process_time()
            if method.algorithm == "pruning":
                network, count = pruned(method, images, seed, options.skeleton)
            else:
                network, count = answer(method, scores, seed, options.evaluations)
            done = {"protocol": protocol, "method": method.name, "seed": seed, "cell": str(network), "cells": count,
                    "seconds": time.process_time() - start}  # fmt: skip
            with options.out.open("a") as file:
                file.write(json.dumps(done) + "\n")
    show(kept(options.out, protocol), table)


def kept(out: Path, protocol: list[Any]) -> list[dict[str, Any]]:
    """The answers that are there already under this protocol."""
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    return [one for one in lines if one["protocol"] == protocol]


def show(answers: list[dict[str, Any]], table: Table) -> None:
    test = table.column("cifar10_test_200ep")
    print(f"{'method':<40} seeds  test accuracy    worst  different cells")
    for name in dict.fromkeys(one["method"] for one in answers):
        mine = [one for one in answers if one["method"] == name]
        rows = [table.row(nats_tss.parse(one["cell"].split(":", 1)[1])) for one in mine]
        accuracies = np.array([test[row] for row in rows if row is not None])
        deviation = accuracies.std(ddof=1) if len(accuracies) > 1 else 0.0
        print(f"{name:<40} {len(mine):5d}  {accuracies.mean():6.2f} ± {deviation:.2f}  {accuracies.min():7.2f} "
              f"{np.mean([one['cells'] for one in mine]):8.0f}")  # fmt: skip
    print(f"best of the table {test.max():.2f}")


if __name__ == "__main__":
    main()
