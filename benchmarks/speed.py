"""What metrics cost beside the bare passes they need: one core, one torch thread, ratios taken within one run.

The floor of each row is a no-grad forward (or a forward and backward) of the same network on the same batch, timed turn by
turn with the metric, so that a machine whose speed drifts drifts for both.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from untrained.metrics.metric import find_metrics, score
from untrained.probe.probe import Probe
from untrained.spaces.space import create_model

CELLS = {
    "all conv3x3": "nats-tss:|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|",
    "mixed": "nats-tss:|nor_conv_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|skip_connect~0|avg_pool_3x3~1|nor_conv_3x3~2|",
}
GENOTYPE = (
    "darts:Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('sep_conv_3x3', 1), "
    "('sep_conv_3x3', 1), ('skip_connect', 0), ('skip_connect', 0), ('dil_conv_3x3', 2)], normal_concat=range(2, 6), "
    "reduce=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('sep_conv_3x3', 1), "
    "('sep_conv_3x3', 1), ('skip_connect', 0), ('skip_connect', 0), ('dil_conv_3x3', 2)], reduce_concat=range(2, 6))"
)


def paired(floor: Callable[[], object], job: Callable[[], object], rounds: int = 7) -> tuple[float, float]:
    """Median seconds of the floor, and the median over rounds of job / floor, each round timing both in turn."""
    floor(), job()
    floors, ratios = [], []
    for _ in range(rounds):
        times = []
        for run in (floor, job, floor):
            start = time.process_time()
            run()
            times.append(time.process_time() - start)
        bare = (times[0] + times[2]) / 2
        floors.append(bare)
        ratios.append(times[1] / bare)
    return statistics.median(floors), statistics.median(ratios)


def forward(network: nn.Module, images: Tensor) -> Callable[[], object]:
    def run() -> None:
        with torch.no_grad():
            network(images)

    return run


def metric_row(label: str, network: nn.Module, images: Tensor, metrics: tuple[str, ...], passes: int = 1) -> None:
    """One line: metrics together against `passes` bare forwards on the batch of the first metric."""
    setting = find_metrics(metrics)[0].setting
    bare = forward(network, images[: setting.images])

    def floor() -> None:
        for _ in range(passes):
            bare()

    seconds, ratio = paired(floor, lambda: score(network, images, metrics=metrics))
    print(f"{label:<44} {seconds * 1e3:9.1f} ms {ratio:7.2f}x   ({passes} x {setting.images} images)")


def main() -> None:
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    images = torch.nn.functional.interpolate(torch.randn(128, 3, 8, 8, generator=generator), size=32, mode="bilinear")
    swap, nwot = find_metrics(["swap", "nwot"])
    print("metric against the bare forward passes it needs" + " " * 3 + "floor      ratio")
    metric_row(
        "swap, DARTS cell (swap skeleton)",
        create_model(GENOTYPE, skeleton="swap"),
        images,
        ("swap",),
        swap.setting.inits,
    )
    for name, text in CELLS.items():
        for skeleton in ("nats", "proxy"):
            network = create_model(text, skeleton=skeleton)
            label = f"{name}, {skeleton}"
            metric_row(f"swap, {label}", network, images, ("swap",), swap.setting.inits)
            metric_row(f"nwot, {label}", network, images, ("nwot",), nwot.setting.inits)
            metric_row(f"ni + nwot + logsynflow, {label}", network, images, ("ni", "nwot", "logsynflow"))
    stacked = Probe(create_model(GENOTYPE, skeleton="swap"), images, setting=swap.setting).stacked
    print(f"initialisations run as one vmap: {stacked}")


if __name__ == "__main__":
    main()
