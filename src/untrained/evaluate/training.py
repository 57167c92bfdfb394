"""Evaluation by real training: dear, and the only one that knows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from untrained.architecture import Architecture
from untrained.errors import DataError, InputError
from untrained.evaluate.outcome import Outcome
from untrained.evaluate.quantities import ACCURACY
from untrained.images.image_set import ImageSet, Split
from untrained.seeds import derive
from untrained.spaces.space import Skeleton
from untrained.training.loop import train
from untrained.training.recipe import Recipe

KEPT_BACK = 5
"""One of so many train images is kept back to measure on."""


@dataclass(frozen=True)
class Training:
    """Accuracy (0..1) after training by `recipe`, on images that were kept back from the train images.

    The held-out images of the data stay unseen: what a search has chosen by would promise too much. `seed` of the call
    draws weights, batches and augmentation.
    """

    images: ImageSet
    recipe: Recipe
    skeleton: Skeleton
    name: str = ACCURACY

    @property
    def directions(self) -> Mapping[str, int]:
        return {self.name: 1}

    def conditions(self) -> dict[str, Any]:
        """How networks are trained and measured."""
        test = self.images.split("test")
        recipe = {key: value for key, value in asdict(self.recipe).items() if key != "summary"}
        return {**recipe, "trained_on": len(self.images.train), "measured_on": len(test)}

    def at(self, share: float) -> Training:
        """The same for a share of the epochs: trained anew, with the whole schedule in fewer epochs."""
        epochs = round(self.recipe.epochs * share)
        if epochs < 1:
            raise InputError(
                f"a share of {share:.3g} of {self.recipe.epochs} epochs is none; train for at least "
                f"{math.ceil(1 / share):,} or search with larger shares"
            )
        return replace(self, recipe=replace(self.recipe, epochs=epochs))

    def __call__(self, architecture: Architecture, *, seed: int) -> Outcome:
        trained = train(architecture, self.images, self.recipe, seed=seed, skeleton=self.skeleton)
        value = trained.test_accuracy if trained.reason is None else None
        return Outcome(
            {self.name: value},
            {self.name: trained.reason} if trained.reason is not None else {},
            trained.seconds,
            {self.name: trained.seconds},
        )


def keep_back(images: ImageSet, seed: int) -> ImageSet:
    """`images` with a fifth of the train images, drawn evenly from the classes, in place of the held-out ones."""
    whole = images.train
    if whole.labels is None:
        raise DataError(f"the images {images.name!r} have no labels; training needs them")
    count = len(whole) // KEPT_BACK
    if count < 1 or len(whole) - count < 2:
        raise DataError(f"the images {images.name!r} have {len(whole)} train images, too few to keep some back")
    order = whole.draw(len(whole), derive(seed, "kept back"))
    measured, rest = (
        Split(whole.pixels, whole.indices[part], whole.labels[part]) for part in (order[:count], order[count:])
    )
    return replace(images, train=rest, test=measured)
