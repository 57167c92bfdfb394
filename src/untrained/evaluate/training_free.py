"""Evaluation without training: metrics on a small stand-in."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from untrained.architecture import Architecture
from untrained.evaluate.outcome import Outcome
from untrained.evaluate.sizes import size_of
from untrained.metrics.metric import Metric, find_metrics, score
from untrained.spaces.space import Skeleton, Space

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class TrainingFree:
    """Scores architectures of `space` by `metrics` on one fixed batch.

    skeleton: what is scored; target: what would be trained, and what the metrics of size are counted on.
    """

    space: Space
    metrics: tuple[str, ...]
    images: Tensor
    labels: Tensor | None
    num_classes: int
    skeleton: Skeleton
    target: Skeleton

    @cached_property
    def _metrics(self) -> list[Metric]:
        return find_metrics(self.metrics)

    @property
    def directions(self) -> Mapping[str, int]:
        return {metric.name: metric.direction for metric in self._metrics}

    def __getstate__(self) -> dict[str, object]:
        # Formulas are looked up again on the other side: only names travel.
        return {key: value for key, value in self.__dict__.items() if key != "_metrics"}

    def __call__(self, architecture: Architecture, *, seed: int) -> Outcome:
        start = time.perf_counter()
        _, channels, height, width = self.images.shape
        size = size_of(self.space, architecture, self.target, (channels, height, width), self.num_classes)
        readings = score(
            architecture, self.images, self.labels, self._metrics,
            seed=seed, num_classes=self.num_classes, skeleton=self.skeleton, size=size,
        )  # fmt: skip
        return Outcome(
            {name: reading.value for name, reading in readings.items()},
            {name: reading.reason for name, reading in readings.items() if reading.reason},
            time.perf_counter() - start,
            {name: reading.seconds for name, reading in readings.items()},
        )
