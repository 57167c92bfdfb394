"""Windows: by how much the similarity of a population may change from one generation to the next.

Ávila Pava, Groh, Kist, "Sequence Alignment-based Similarity Metric in Evolutionary Neural Architecture Search", 2024,
equations 2 and 3. A window is a function of the progress g / N of generation g (from 1) of N.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from untrained.errors import InputError
from untrained.registry import Registry

CEILING = 0.8
"""Above this median similarity the paper saw searches suffer."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a window allows: a change of the median similarity s with low < change <= high that ends at s <= most."""

    low: float = -math.inf
    high: float = math.inf
    most: float = 1.0

    def __post_init__(self) -> None:
        if not (self.low < self.high and 0.0 <= self.most <= 1.0):
            raise InputError(
                f"a window needs low < high and most from 0 to 1, not {self.low}, {self.high}, {self.most}"
            )
        if self.low >= 1.0 or self.high < -1.0:
            raise InputError(
                "a window must allow some change of the median similarity, which lies from -1 to 1, "
                f"not only those above {self.low} and up to {self.high}"
            )

    def allow(self, before: float, after: float) -> bool:
        """Whether s may go from `before` to `after`."""
        return self.low < after - before <= self.high and after <= self.most

    def distance(self, before: float, after: float) -> float:
        """How far the change from `before` to `after` is from what is allowed, in units of s; 0 at the edges."""
        change = after - before
        return max(self.low - change, change - self.high, after - self.most, 0.0)


Window: TypeAlias = Callable[[float], Bounds]

WINDOWS: Registry[Window] = Registry("window", "untrained.algorithms")


def window(function: Window) -> Window:
    """Register a window under the name of the function."""
    return WINDOWS.add(function.__name__, function)


@window
def rigid(progress: float) -> Bounds:
    """Diversity falls in every generation, and by less and less: 0 < change <= max(0.1 - 0.2 (g/N)^2, 0.05)."""
    return Bounds(0.0, max(0.1 - 0.2 * progress**2, 0.05))


@window
def soft(progress: float) -> Bounds:
    """Diversity may also grow, by less and less: -0.1 (1 - g/N) < change <= max(0.05 g/N, 0.025)."""
    return Bounds(-max(0.1 - 0.1 * progress, 0.0), max(0.05 * progress, 0.025))


@window
def absolute(progress: float) -> Bounds:
    """The paper's proposal to bound the diversity itself: no faster than `rigid`, and the median stays at most 0.8."""
    return Bounds(high=rigid(progress).high, most=CEILING)


@window
def naive(progress: float) -> Bounds:
    """Whatever comes: no control."""
    return Bounds()
