"""How large the network is that would be trained: the cheapest evaluation, on which limits are checked first."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import nn

from untrained.architecture import Architecture
from untrained.evaluate.outcome import Outcome
from untrained.evaluate.quantities import SIZES
from untrained.probe.probe import Size
from untrained.spaces.space import Skeleton, Space


def size_of(
    space: Space, architecture: Architecture, target: Skeleton, image_shape: tuple[int, int, int], num_classes: int
) -> Size:
    """Parameters and MACs of the network of `architecture` on images (c, h, w), without building its weights."""

    def build() -> nn.Module:
        with torch.device("meta"):
            return space.build(architecture, num_classes=num_classes, in_chans=image_shape[0], skeleton=target)

    return Size(build, image_shape)


@dataclass(frozen=True)
class Sizes:
    """`params` (trainable parameters) and `macs` (multiply-accumulates for one image) of the target network."""

    space: Space
    target: Skeleton
    image_shape: tuple[int, int, int]
    num_classes: int
    quantities: tuple[str, ...] = SIZES

    @property
    def directions(self) -> Mapping[str, int]:
        # As the metrics of these names: larger networks tend to be better.
        return dict.fromkeys(self.quantities, 1)

    def __call__(self, architecture: Architecture, *, seed: int) -> Outcome:
        start = time.perf_counter()
        size = size_of(self.space, architecture, self.target, self.image_shape, self.num_classes)
        return Outcome({name: float(size[name]) for name in self.quantities}, seconds=time.perf_counter() - start)
