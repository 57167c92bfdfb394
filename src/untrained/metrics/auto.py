"""`auto`: options of a metric that follow from how large the networks of a space are."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import torch

from untrained.nn.counts import count_parameters
from untrained.seeds import generator
from untrained.spaces.space import Skeleton, Space

AUTO = "auto"
SAMPLE = 100

Automatic = Callable[..., float]
"""(trainable parameters (n,) of random networks of the space, the metric's other options) -> the option."""


@lru_cache(maxsize=32)
def parameter_sample(
    space: Space, skeleton: Skeleton | str | None, *, seed: int, num_classes: int, in_chans: int
) -> np.ndarray:
    """Trainable parameters (100,) of random architectures of `space` in `skeleton`, counted without their weights."""
    rng = generator(seed, "auto")
    counts = []
    for _ in range(SAMPLE):
        architecture = space.canonical(space.sample(rng))
        with torch.device("meta"):
            network = space.build(architecture, num_classes=num_classes, in_chans=in_chans, skeleton=skeleton)
        counts.append(count_parameters(network))
    found = np.array(counts, float)
    found.setflags(write=False)
    return found
