"""Whether control of diversity helps a search, and whether diversity follows fitness: `diverse` under windows and without.

python -m benchmarks.diversity SETTING [--data DATA] [--runs FILE] [--seeds FIRST:END] [--arms NAME+NAME]

Settings, each POPULATION x GENERATIONS evaluations a search:

- `nats`, `nats-small`, `nats-careful`: cells of NATS-TSS by table (DATA is the folder of `nats_tss_cifar10.parquet`), 25 x
  20, 10 x 10, and 25 x 20 at a quarter of the mutation rate. Fitness is the CIFAR-10 validation accuracy after 12 epochs;
  a search is judged by the test accuracy, after 200 epochs, of the cell with the highest fitness.
- `free`: chains on the digits, 25 x 10, without training: fitness is NWOT of 32 images.
- `trained`: the same, 12 x 8, really trained: fitness is the accuracy on held-out digits after one epoch.

Chains have 1 to 8 features (random ones 3 to 8) and a quarter of the width. Networks are judged once, by a fixed seed, for
all searches together. Two questions are answered from the same runs. Does control help: the best fitness of a search
less that of the search without control from the same seed (they share their first population), mean and 95 % interval
(Student's), and p of the t-test after Holm's correction for the number of windows. Does diversity follow fitness (Table 3 of
the alignment paper): for each seed the Pearson correlation, over generations, of the best fitness with the median
similarity. Runs and trainings are appended to FILE as they end; what is there is not done again.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from untrained.algorithms.diverse import Diverse
from untrained.algorithms.fitness import Fitness
from untrained.algorithms.trial import Trial
from untrained.algorithms.windows import Bounds, Window
from untrained.architecture import Architecture
from untrained.spaces.chain import Chain
from untrained.spaces.chain_rules import Limits
from untrained.spaces.nats_tss import nats_tss
from untrained.spaces.space import Space
from untrained.tables.table import Table

FITNESS = Fitness("single", {"fitness": 1})
SHORT_CHAINS = Chain(Limits(features=(1, 8), sampled_features=(3, 8)))

Judge = Callable[[Architecture], tuple[float, float]]
"""Fitness of an architecture, which a search sees, and what it is judged by."""


def ceiling(progress: float) -> Bounds:
    """The median similarity stays at most 0.6, whatever else happens."""
    return Bounds(most=0.6)


def rising(progress: float) -> Bounds:
    """Diverse at first, alike at the end: a ceiling that rises from 0.5 to 0.9."""
    return Bounds(most=0.5 + 0.4 * progress)


@dataclass(frozen=True)
class Arm:
    """Options of `diverse`, and the arm without control that it is compared with."""

    window: str | Window
    options: Mapping[str, Any] = field(default_factory=dict)
    against: str = "naive"


ARMS = {
    "naive": Arm("naive"),
    "rigid": Arm("rigid"),
    "soft": Arm("soft"),
    "absolute": Arm("absolute"),
    "ceiling 0.6": Arm(ceiling),
    "rising ceiling": Arm(rising),
    "ceiling, more mutation": Arm(ceiling, {"decay": -0.02}),
    "naive, 2 elites": Arm("naive", {"elites": 2}),
    "rising ceiling, 2 elites": Arm(rising, {"elites": 2}, "naive, 2 elites"),
}
PUBLISHED = ("naive", "rigid", "soft", "absolute")


@dataclass(frozen=True)
class Setting:
    """One question: where, how large, which arms, and the judge, made from the folder of the data and a memory."""

    title: str
    space: Space
    population: int
    generations: int
    seeds: int
    judge: Callable[[Path | None, Memory], Judge]
    arms: tuple[str, ...] = tuple(ARMS)
    options: Mapping[str, Any] = field(default_factory=dict)


class Memory:
    """Lines of JSON in a file: runs by setting, arm and seed, values by setting and network."""

    def __init__(self, path: Path | None, setting: str) -> None:
        self._path, self._setting = path, setting
        self._known: dict[tuple[str, str], Any] = {}
        for line in path.read_text().splitlines() if path is not None and path.exists() else ():
            if line.endswith("}"):  # the last one may be half written
                one = json.loads(line)
                if one["setting"] == setting:
                    self._known[one["kind"], one["key"]] = one["value"]

    def recall(self, kind: str, key: str, make: Callable[[], Any], *, write: bool = True) -> Any:
        """What is known under the key, else what `make` gives, from now on known."""
        if (kind, key) not in self._known:
            value = self._known[kind, key] = make()
            if self._path is not None and write:
                line = {"setting": self._setting, "kind": kind, "key": key, "value": value}
                with self._path.open("a") as file:
                    file.write(json.dumps(line) + "\n")
        return self._known[kind, key]


# -- judges ----------------------------------------------------------------------------------------------------------


def by_table(data: Path | None, memory: Memory) -> Judge:
    if data is None:
        raise SystemExit("give the folder of nats_tss_cifar10.parquet as --data")
    table = Table.read(data / "nats_tss_cifar10.parquet", nats_tss)
    validation, test = table.column("cifar10_val_12ep"), table.column("cifar10_test_200ep")

    def judge(architecture: Architecture) -> tuple[float, float]:
        row = table.row(architecture)
        assert row is not None
        return float(validation[row]), float(test[row])

    return judge


def without_training(data: Path | None, memory: Memory) -> Judge:
    import torch

    from untrained.evaluate.training_free import TrainingFree
    from untrained.images.load import load_images
    from untrained.spaces.chain import chain

    torch.set_num_threads(1)
    images, _ = load_images("digits").batch(32, 0)
    small = chain.skeleton("proxy")
    evaluator = TrainingFree(chain, ("nwot",), images, None, 10, small, small)

    def value(network: Architecture) -> float:
        found = evaluator(network, seed=0).values["nwot"]
        return -np.inf if found is None else found

    def judge(architecture: Architecture) -> tuple[float, float]:
        network = SHORT_CHAINS.canonical(architecture)
        found = memory.recall("value", str(network), lambda: value(network), write=False)
        return found, found

    return judge


def by_training(data: Path | None, memory: Memory) -> Judge:
    import torch

    from untrained.images.load import load_images
    from untrained.training.loop import train
    from untrained.training.recipe import Recipe

    torch.set_num_threads(1)
    digits = load_images("digits")
    recipe = Recipe("one epoch", "", epochs=1, batch_size=64, learning_rate=0.1, warmup=0.2, crop=0.0, clip=1.0)

    def judge(architecture: Architecture) -> tuple[float, float]:
        network = SHORT_CHAINS.canonical(architecture)
        found = memory.recall(
            "value", str(network), lambda: train(network, digits, recipe=recipe, skeleton="proxy", seed=0).test_accuracy
        )
        return found or 0.0, found or 0.0

    return judge


SETTINGS = {
    "nats": Setting("NATS-TSS by table", nats_tss, 25, 20, 30, by_table),
    "nats-small": Setting("NATS-TSS by table", nats_tss, 10, 10, 30, by_table),
    "nats-careful": Setting(
        "NATS-TSS by table, mutation rate 0.05", nats_tss, 25, 20, 30, by_table, options={"mutation": 0.05}
    ),
    "free": Setting(
        "chains on digits by NWOT", SHORT_CHAINS, 25, 10, 30, without_training, (*PUBLISHED, "rising ceiling")
    ),
    "trained": Setting("chains on digits, trained", SHORT_CHAINS, 12, 8, 10, by_training, PUBLISHED),
}


# -- runs ------------------------------------------------------------------------------------------------------------


def run(setting: Setting, arm: Arm, seed: int, judge: Judge) -> dict[str, Any]:
    """One search. fitness, similarity: the best and the median of each population; best: the highest fitness of all;
    verdict: on the network that has it; attempts: the mean of a generation."""
    options = {**setting.options, **arm.options}
    searcher = Diverse(
        setting.space, FITNESS, seed, window=arm.window, population=setting.population,
        generations=setting.generations, **options,
    )  # fmt: skip
    judged: list[tuple[float, float]] = []
    fitness: list[float] = []
    similarity: list[float] = []
    attempts: list[int] = []
    generation = 0
    for number in range(setting.population * setting.generations):
        proposal = searcher.ask([])
        assert proposal is not None
        judged.append(judge(proposal.architecture))
        values = {"fitness": judged[-1][0]}
        searcher.tell(Trial(number, proposal.architecture, proposal.parents, proposal.operator, values=values))
        if searcher.generation > generation:
            generation = searcher.generation
            bred = searcher.breeding
            assert bred is not None
            fitness.append(max(value for value, _ in judged[-setting.population :]))
            similarity.append(bred.before)
            attempts.append(bred.attempts)
    best = max(range(len(judged)), key=lambda i: judged[i][0])
    return {
        "fitness": fitness,
        "similarity": similarity,
        "best": judged[best][0],
        "verdict": judged[best][1],
        "attempts": float(np.mean(attempts[:-1])),
    }


def interval(values: np.ndarray) -> float:
    """Half the 95 % interval of a mean, Student's."""
    return float(stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))


def holm(p: Mapping[str, float]) -> dict[str, float]:
    """Holm's correction of p-values, by name."""
    adjusted: dict[str, float] = {}
    greatest = 0.0
    for rank, name in enumerate(sorted(p, key=lambda name: p[name])):
        greatest = max(greatest, min(1.0, (len(p) - rank) * p[name]))
        adjusted[name] = greatest
    return adjusted


def effects(setting: Setting, found: Mapping[str, list[dict[str, Any]]]) -> None:
    """Print what each arm finds, and by how much more than the one without control."""
    best = {name: np.array([one["best"] for one in runs]) for name, runs in found.items()}
    verdict = {name: np.array([one["verdict"] for one in runs]) for name, runs in found.items()}
    gains = {name: verdict[name] - verdict[ARMS[name].against] for name in found if ARMS[name].against in found}
    p = {name: float(stats.ttest_1samp(gain, 0.0).pvalue) for name, gain in gains.items() if gain.any()}
    corrected = holm(p)
    print(
        f"{'window':26s} {'fitness':>9s} {'verdict':>9s}  {'minus uncontrolled':>20s}  {'p (Holm)':>8s}  last  attempts"
    )
    for name, runs in found.items():
        gain = f"{gains[name].mean():+.4f} ± {interval(gains[name]):.4f}" if name in p else ""
        sure = f"{corrected[name]:.3f}" if name in p else ""
        last = np.mean([one["similarity"][-1] for one in runs])
        attempts = np.mean([one["attempts"] for one in runs])
        print(
            f"{name:26s} {best[name].mean():9.4f} {verdict[name].mean():9.4f}  {gain:>20s}  {sure:>8s}"
            f"  {last:.2f}  {attempts:8.1f}"
        )


def correlation(fitness: Sequence[float], similarity: Sequence[float]) -> float:
    """Pearson's; NaN where nothing changes."""
    if np.ptp(fitness) == 0 or np.ptp(similarity) == 0:
        return np.nan
    return float(np.corrcoef(fitness, similarity)[0, 1])


def correlations(found: Mapping[str, list[dict[str, Any]]]) -> None:
    """Print, as in Table 3, the correlation of fitness and similarity by seed (the first ten), its mean over all, and by how
    much it is higher than without control."""
    by_arm = {
        name: np.array([correlation(one["fitness"], one["similarity"]) for one in runs]) for name, runs in found.items()
    }
    print(f"\n{'Pearson of the two':26s}  {'mean':>14s}  {'minus uncontrolled':>18s}  by seed")
    for name, r in by_arm.items():
        known = r[np.isfinite(r)]
        against = by_arm.get(ARMS[name].against)
        more = ""
        if against is not None and against is not r:
            difference = (r - against)[np.isfinite(r - against)]
            more = f"{difference.mean():+.3f} ± {interval(difference):.3f}"
        seeds = " ".join(f"{one:5.2f}" for one in r[:10])
        print(f"{name:26s}  {known.mean():+.3f} ± {interval(known):.3f}  {more:>18s}  {seeds}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.diversity", description=str(__doc__).split("\n\n")[0])
    parser.add_argument("setting", choices=SETTINGS)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--runs", type=Path, metavar="FILE")
    parser.add_argument("--seeds", metavar="FIRST:END")
    parser.add_argument("--arms", metavar="NAME+NAME")
    given = parser.parse_args()
    setting = SETTINGS[given.setting]
    first, end = map(int, given.seeds.split(":")) if given.seeds else (0, setting.seeds)
    memory = Memory(given.runs, given.setting)
    judge = setting.judge(given.data, memory)
    start = time.process_time()
    # Seed by seed, so that what an interrupted run has done can be compared.
    arms = [name.strip() for name in given.arms.split("+")] if given.arms else setting.arms
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in arms}
    for seed in range(first, end):
        for name in arms:
            key = f"{name} {seed}"
            arm = ARMS[name]
            found[name].append(memory.recall("run", key, lambda arm=arm, seed=seed: run(setting, arm, seed, judge)))  # type: ignore[misc]
    print(f"{setting.title}, {setting.population} x {setting.generations}, seeds {first} to {end - 1}")
    effects(setting, found)
    correlations(found)
    print(f"{time.process_time() - start:.0f} CPU s")


if __name__ == "__main__":
    main()
