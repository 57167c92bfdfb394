"""Under which conditions a metric looks at a network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from untrained.errors import InputError

Source = Literal["images", "noise", "ones"]


@dataclass(frozen=True, slots=True)
class Setting:
    """Batch, initialiser and repeats. Metrics with equal settings share one probe.

    images: batch size (fewer when fewer are given); inits: initialisations, whose values are averaged; weights: an
    initialiser's name or `keep`; source: the user's images, standard normal noise of their shape, or ones; labels:
    whether classes are needed; fresh: every initialisation sees its own images, the next `images` of those given.
    """

    images: int = 64
    inits: int = 1
    weights: str = "kaiming_fan_out"
    source: Source = "images"
    labels: bool = False
    fresh: bool = False

    def __post_init__(self) -> None:
        if self.images < 1 or self.inits < 1:
            raise InputError(f"a setting needs images >= 1 and inits >= 1, not {self.images} and {self.inits}")

    @property
    def total_images(self) -> int:
        """How many distinct images the setting can use."""
        return self.images * (self.inits if self.fresh else 1) if self.source == "images" else 0
