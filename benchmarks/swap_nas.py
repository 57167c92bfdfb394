"""SWAP-NAS on DARTS: whether `mu` controls the size of what is found (the paper's Figure 5b), and what a search costs.

python -m benchmarks.swap_nas IMAGES [PAGE.html [EVALUATIONS [WORKERS]]]     EVALUATIONS 0: the full search alone

IMAGES is what `--data` takes; the paper's are CIFAR-10. Five searches for each mu = sigma from 0.5 to 2.5 in steps of 0.4,
in units of 1,000 parameters of the published one-cell network, which is both scored and counted. A row a mu: the sizes
found, in these units, and in millions of parameters of the CIFAR-10 network (36 channels, 20 cells) that the cell would be
stacked to; the mean position of the sizes among 500 random cells; wall seconds of the five searches. PAGE shows them as a
figure.

Then one full search (population 100, 400 cycles) by plain `swap`, with its wall and CPU seconds and the floor: the bare
forward passes of the networks that it scored, 8 batches of 12 images each, without anything else.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import torch
from scipy.stats import spearmanr

from untrained.algorithms.trial import Trial
from untrained.nn.counts import count_parameters
from untrained.report.figures import COLOURS, dressed
from untrained.report.page import bare_page
from untrained.seeds import generator
from untrained.spaces.darts import darts_tied
from untrained.study.search import open_search
from untrained.study.study import Study

MUS = (0.5, 0.9, 1.3, 1.7, 2.1, 2.5)
REPEATS = 5
EVALUATIONS = 400
POPULATION, CYCLES = 100, 400
FULL = POPULATION + 6 * CYCLES
"""A cycle has five mutants and, every other time, two crossed children before them."""
CROWD = 500
FLOOR_NETWORKS = 30


def size(trial: Trial, skeleton: str) -> int:
    with torch.device("meta"):
        return count_parameters(darts_tied.build(trial.architecture, skeleton=skeleton))


def searched(images: str, metric: str, seed: int, evaluations: int, workers: int, population: int) -> Study:
    study = open_search(
        darts_tied, images, metrics=metric, algorithm="swap-nas", options={"population": population},
        seed=seed, target="swap", name=f"{metric} {seed}",
    )  # fmt: skip
    study.run(evaluations, workers=workers)
    return study


def size_control(images: str, page: Path | None, evaluations: int) -> None:
    rng = generator("crowd")
    crowd = np.sort([size(Trial(0, darts_tied.sample(rng)), "swap") / 1e3 for _ in range(CROWD)])
    print(
        f"\n{CROWD} random cells: {crowd[0]:.2f} to {crowd[-1]:.2f} thousand parameters, median {np.median(crowd):.2f}"
    )
    print(f"{REPEATS} searches of {evaluations} evaluations each")
    points: list[tuple[float, float]] = []
    for mu in MUS:
        start = time.perf_counter()
        found = [
            searched(images, f"swap(mu={mu},sigma={mu},unit=1000)", seed, evaluations, 1, 30).best_trial
            for seed in range(REPEATS)
        ]
        seconds = time.perf_counter() - start
        small = sorted(size(trial, "swap") / 1e3 for trial in found)
        large = sorted(size(trial, "cifar") / 1e6 for trial in found)
        points += [(mu, one) for one in small]
        print(
            f"mu {mu}: {' '.join(f'{one:.2f}' for one in small)} thousand   {' '.join(f'{one:.2f}' for one in large)} "
            f"million   larger than {np.searchsorted(crowd, small).mean() / CROWD:4.0%}   {seconds:.0f} s",
            flush=True,
        )
    mus, sizes = np.array(points).T
    print(f"rank correlation of mu with the size found: {spearmanr(mus, sizes).statistic:.3f} (the aim is 0.9)")
    if page is not None:
        caption = f"The sizes that {REPEATS} searches found for each mu = sigma; the line is size = mu."
        page.write_text(bare_page("SWAP-NAS", [("mu controls the size", "", (drawn(mus, sizes), caption))]))
        print(f"figure: {page}")


def drawn(mus: np.ndarray, sizes: np.ndarray) -> go.Figure:
    """The sizes found over mu; a little to the side of each other, as in the paper."""
    aside = np.tile(np.linspace(-0.04, 0.04, REPEATS), len(MUS))
    figure = go.Figure()
    figure.add_scatter(x=MUS, y=MUS, mode="lines", line={"color": "#7a8699", "dash": "dot"}, name="size = mu")
    figure.add_scatter(
        x=mus + aside, y=sizes, mode="markers", marker={"size": 8, "color": COLOURS[0], "opacity": 0.8}, name="found"
    )
    figure.update_xaxes(title="mu = sigma")
    figure.update_yaxes(title="thousand parameters of the one-cell network", rangemode="tozero")
    return dressed(figure, height=420)


def full_search(images: str, workers: int) -> None:
    before, start = cpu_seconds(), time.perf_counter()
    study = searched(images, "swap", 0, FULL, workers, POPULATION)
    wall, cpu = time.perf_counter() - start, cpu_seconds() - before
    scored = [trial for trial in study.complete if trial.copied is None]
    print(f"\nfull search: population {POPULATION}, {CYCLES} cycles, {FULL} evaluations, {len(scored)} networks scored")
    print(f"{wall:.0f} s wall and {cpu:.0f} s CPU with {workers} workers; published: 6 minutes on a V100")
    rng = generator("floor")
    some = [scored[i] for i in rng.choice(len(scored), FLOOR_NETWORKS, replace=False).tolist()]
    networks = [darts_tied.build(trial.architecture, skeleton="swap") for trial in some]
    batch = torch.randn(12, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        networks[0](batch)
        start = time.process_time()
        for network in networks:
            for _ in range(8):
                network(batch)
    floor = (time.process_time() - start) / FLOOR_NETWORKS * len(scored)
    print(f"floor: {floor:.0f} s CPU of bare forward passes; the search took {cpu / floor:.2f} times that")


def cpu_seconds() -> float:
    """Of this process and its workers that have ended."""
    return sum(use.ru_utime + use.ru_stime for use in map(resource.getrusage, (0, resource.RUSAGE_CHILDREN)))


def main() -> None:
    images, *more = sys.argv[1:]
    page = Path(more[0]) if more else None
    evaluations = int(more[1]) if len(more) > 1 else EVALUATIONS
    workers = int(more[2]) if len(more) > 2 else len(os.sched_getaffinity(0))
    torch.set_num_threads(1)
    full_search(images, workers)
    if evaluations:
        size_control(images, page, evaluations)


if __name__ == "__main__":
    main()
