"""Training recipes: every choice of a training run as a plain value."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from untrained.errors import InputError
from untrained.registry import RECIPES


@dataclass(frozen=True)
class Recipe:
    """How a network is trained: stochastic gradient descent on the cross-entropy of augmented batches.

    epochs: passes over the train images; batch_size: images a step, give or take what spreads them evenly;
    learning_rate: the peak; warmup: the epochs of its linear rise, before a half cosine takes it to 0;
    label_smoothing: the share of each label that is spread over all classes; crop: the share of each side by which
    images are padded (mirrored) before a random crop; flip: left to right at random, `auto` for colour images only,
    because grey ones are mostly glyphs and scans, whose mirror image is something else; clip: the largest norm of the
    gradient, or None; auxiliary: the weight of the loss of a second head, where the network has one.
    """

    name: str
    summary: str
    epochs: int
    batch_size: int = 64
    learning_rate: float = 0.1
    warmup: float = 1.0
    momentum: float = 0.9
    nesterov: bool = True
    weight_decay: float = 5e-4
    label_smoothing: float = 0.0
    crop: float = 0.125
    flip: Literal["auto", "always", "never"] = "auto"
    clip: float | None = None
    auxiliary: float = 0.4

    def __post_init__(self) -> None:
        bounds = {
            "epochs": self.epochs >= 1,
            "batch_size": self.batch_size >= 2,
            "learning_rate": self.learning_rate > 0,
            "warmup": self.warmup >= 0,
            "momentum": 0 <= self.momentum < 1,
            "weight_decay": self.weight_decay >= 0,
            "label_smoothing": 0 <= self.label_smoothing < 1,
            "crop": 0 <= self.crop < 1,
            "flip": self.flip in ("auto", "always", "never"),
            "clip": self.clip is None or self.clip > 0,
        }
        wrong = next((name for name, good in bounds.items() if not good), None)
        if wrong is not None:
            raise InputError(f"the recipe {self.name!r} cannot have {wrong}={getattr(self, wrong)!r}")
        # Lists of plug-ins show the docstring of the entry; that of one recipe is its summary.
        object.__setattr__(self, "__doc__", self.summary)

    def rate(self, step: int, steps_per_epoch: int) -> float:
        """The learning rate of a step, counted from 0 over the whole run of T steps, with w steps of warm-up.

        peak (t + 1) / w while t < w, then peak (1 + cos(pi (t - w) / (T - w))) / 2.
        """
        total = self.epochs * steps_per_epoch
        warmup = min(round(self.warmup * steps_per_epoch), total - 1)
        if step < warmup:
            return self.learning_rate * (step + 1) / warmup
        return self.learning_rate * (1 + math.cos(math.pi * (step - warmup) / (total - warmup))) / 2

    def flips(self, channels: int) -> bool:
        """Whether images of so many channels are mirrored at random."""
        return channels > 1 if self.flip == "auto" else self.flip == "always"


def register(recipe: Recipe) -> Recipe:
    """Make `recipe` known by its name."""
    RECIPES.add(recipe.name, recipe)
    return recipe


def recipe(name: str) -> Recipe:
    """The recipe called `name`."""
    found: Recipe = RECIPES[name]
    return found


quick = register(
    # Without the clip, deep cells without a skip connection lose their first epochs, and the race, to exploding steps.
    Recipe("quick", "A short run that tells good networks from poor ones, minutes on one core.", epochs=15, clip=1.0)
)
