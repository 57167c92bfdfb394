"""What metrics cost beside the bare passes they need: one core, one torch thread, ratios taken within one run.

The floor of each row is a no-grad forward (or a forward and backward) of the same network on the same batch, timed turn by
turn with the metric, so that a machine whose speed drifts drifts for both. Memory is the peak of a process of its own.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from untrained.metrics.metric import find_metrics, score
from untrained.probe.blocks import blocks_of, outputs_of
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


def _weights(network: nn.Module) -> list[Tensor]:
    return [m.weight for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear)]


def backward(network: nn.Module, images: Tensor, labels: Tensor, *, twice: bool = False) -> Callable[[], object]:
    """The gradient of the loss by the weights of convolutions and linear layers; twice: and back through that."""
    weights = _weights(network)

    def run() -> None:
        loss = F.cross_entropy(network(images), labels)
        gradients = torch.autograd.grad(loss, weights, create_graph=twice)
        if twice:
            torch.autograd.grad(gradients, weights, [g.detach() for g in gradients])

    return run


def sample_by_sample(network: nn.Module, images: Tensor) -> Callable[[], object]:
    """One forward pass, and one backward pass for each sample."""
    weights = _weights(network)

    def run() -> None:
        sums = network(images).sum(1)
        for index in range(len(images)):
            torch.autograd.grad(sums[index], weights, retain_graph=True)

    return run


def by_blocks(network: nn.Module, images: Tensor) -> Callable[[], object]:
    """One forward pass, and one back through each block."""
    images = images.clone().requires_grad_()

    def run() -> None:
        with outputs_of(blocks_of(network)) as features:
            network(images)
        for before, after in pairwise(features):
            torch.autograd.grad(after, before, torch.ones_like(after))

    return run


def row(label: str, floor: Callable[[], object], job: Callable[[], object], target: float) -> None:
    seconds, ratio = paired(floor, job)
    missed = "" if ratio <= target else "   missed"
    print(f"{label:<52} {seconds * 1e3:9.1f} ms {ratio:7.2f}x   (target {target}x){missed}")


def times(count: int, run: Callable[[], object]) -> Callable[[], object]:
    def several() -> None:
        for _ in range(count):
            run()

    return several


def gradient_rows(name: str, network: nn.Module, images: Tensor, labels: Tensor) -> None:
    """Metrics that go back through the network, and metrics of one setting together, against the passes they need."""
    network.train()

    def job(*metrics: str) -> Callable[[], object]:
        return lambda: score(network, images, labels, metrics)

    few = images[:64], labels[:64]
    once, twice = backward(network, *few), backward(network, *few, twice=True)
    row(f"snip + plain + grad_norm + fisher, {name}", once, job("snip", "plain", "grad_norm", "fisher"), 1.2)
    row(f"grasp, {name}", twice, job("grasp"), 1.3)
    row(f"all five saliencies, {name}", twice, job("snip", "plain", "grad_norm", "fisher", "grasp"), 1.1)
    row(f"zico, {name}", times(2, once), job("zico"), 1.3)
    row(f"ntk, {name}", sample_by_sample(network, images[:16]), job("ntk"), 1.1)
    row(f"nwot + ni + ni_eta, {name}", times(2, forward(network, few[0])), job("nwot", "ni", "ni_eta"), 1.1)
    az = ("az_expressivity", "az_progressivity", "az_trainability")
    row(f"the three of AZ-NAS, {name}", by_blocks(network, few[0]), job(*az), 1.1)


PEAK = """
import sys, torch
from pathlib import Path
from untrained.metrics.metric import score
from untrained.probe.setting import Setting
from untrained.spaces.space import create_model
torch.set_num_threads(1)
# Loading the compiled kernels takes 60 to 80 MB once in a process; here both have them.
score(create_model(sys.argv[1], skeleton="proxy"), torch.randn(8, 3, 8, 8), metrics=["nwot"])
network, images = create_model(sys.argv[1], skeleton="nats"), torch.randn(128, 3, 32, 32)
if sys.argv[2] == "nwot":
    score(network, images, metrics=["nwot"], settings={"nwot": Setting(images=128)})
else:
    with torch.no_grad():
        network(images)
status = Path("/proc/self/status").read_text()
print(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))
"""


def peak(arguments: Sequence[str]) -> float:
    """The most memory that a process of its own held, in MB (Linux)."""
    found = subprocess.run([sys.executable, "-c", PEAK, *arguments], capture_output=True, text=True, check=True)
    return int(found.stdout) / 1024


def memory_rows() -> None:
    for name, text in CELLS.items():
        bare, nwot = peak([text, "bare"]), peak([text, "nwot"])
        missed = "" if nwot <= 1.3 * bare else "   missed"
        print(
            f"{f'peak memory of nwot, 128 images, {name}, nats':<52} {bare:9.0f} MB {nwot / bare:7.2f}x   (target 1.3x){missed}"
        )


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
    labels = torch.arange(len(images)) % 10
    for skeleton in ("nats", "proxy"):
        gradient_rows(f"mixed, {skeleton}", create_model(CELLS["mixed"], skeleton=skeleton), images, labels)
    memory_rows()
    print(f"initialisations run as one vmap: {stacked}")


if __name__ == "__main__":
    main()
