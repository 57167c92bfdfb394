"""Latency, measured here and now: how long the network that would be trained takes for a batch."""

from __future__ import annotations

import platform
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from untrained.architecture import Architecture
from untrained.evaluate.outcome import Outcome
from untrained.evaluate.quantities import LATENCY
from untrained.spaces.space import Skeleton, Space

SPREAD = "latency_iqr_ms"


@dataclass(frozen=True)
class Latency:
    """Milliseconds of one forward pass of the target network on this machine's CPU: the median of `repeats` passes over
    `batch` images by `threads` threads, after `warmup` passes that are not counted. The interquartile range is recorded
    beside it.

    A measurement: it differs a little each time, and more while the machine does other work. Fewer workers than cores
    measure best.
    """

    OPTIONS: ClassVar = ("batch", "threads", "warmup", "repeats")

    space: Space
    target: Skeleton
    image_shape: tuple[int, int, int]
    num_classes: int
    name: str = LATENCY
    batch: int = 1
    threads: int = 1
    warmup: int = 5
    repeats: int = 25

    @property
    def directions(self) -> Mapping[str, int]:
        return {self.name: -1}

    def conditions(self) -> dict[str, Any]:
        """Under which a value was measured; others are not comparable with it."""
        options = {name: getattr(self, name) for name in self.OPTIONS}
        return options | {"processor": _processor(), "torch": str(torch.__version__)}

    def __call__(self, architecture: Architecture, *, seed: int) -> Outcome:
        start = time.perf_counter()
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(0)
            network = self.space.build(
                architecture, num_classes=self.num_classes, in_chans=self.image_shape[0], skeleton=self.target
            ).eval()
        images = torch.randn(self.batch, *self.image_shape, generator=torch.Generator().manual_seed(0))
        times = []
        with _threads(self.threads), torch.inference_mode():
            for _ in range(self.warmup):
                network(images)
            for _ in range(self.repeats):
                begun = time.perf_counter()
                network(images)
                times.append(1000 * (time.perf_counter() - begun))
        low, median, high = np.quantile(times, (0.25, 0.5, 0.75)).tolist()
        seconds = time.perf_counter() - start
        spread = self.name.replace(LATENCY, SPREAD)
        return Outcome({self.name: median, spread: high - low}, seconds=seconds, costs={self.name: seconds})


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _processor() -> str:
    """The name of the processor, as far as the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())
