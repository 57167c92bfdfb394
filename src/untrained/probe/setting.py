"""Under which conditions a metric looks at a network."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from typing import Literal, get_args

from untrained.errors import InputError, UnknownNameError, check_type

Source = Literal["images", "crops", "noise", "ones"]


@dataclass(frozen=True, slots=True)
class Setting:
    """Batch, initialiser and repeats. Metrics with equal settings share one probe.

    images: batch size (fewer when fewer are given); inits: initialisations, whose values are averaged; weights: an
    initialiser's name or `keep`; source: the user's images, random 3x3 crops of them, standard normal noise of their
    shape, or ones; labels: whether classes are needed; fresh: every initialisation sees its own images, the next of those
    given; batches: how many batches each initialisation sees; side: noise of `side` x `side` pixels, whatever the images
    have.
    """

    images: int = 64
    inits: int = 1
    weights: str = "kaiming_fan_out"
    source: Source = "images"
    labels: bool = False
    fresh: bool = False
    batches: int = 1
    side: int | None = None

    def __post_init__(self) -> None:
        numbers = [self.images, self.inits, self.batches, 1 if self.side is None else self.side]
        for number in numbers:
            check_type(number, Integral, "images, inits, batches and side of a setting are whole numbers")
        if self.source not in get_args(Source):
            raise UnknownNameError("source", self.source, get_args(Source))
        if min(numbers) < 1:
            counts = f"{self.images}, {self.inits}, {self.batches} and {self.side}"
            raise InputError(f"images, inits, batches and side of a setting are at least 1, not {counts}")

    @property
    def total_images(self) -> int:
        """How many distinct images the setting can use."""
        if self.source != "images":
            return self.images if self.source == "crops" else 0
        return self.images * self.batches * (self.inits if self.fresh else 1)
