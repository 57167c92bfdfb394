"""Labelled images with a held-out part, and the batches drawn from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from untrained.errors import DataError, InputError
from untrained.seeds import generator

SplitName = Literal["train", "test"]
Indices = NDArray[np.int64]


class Pixels(Protocol):
    """Images of one size by index, in memory or on disk."""

    def take(self, indices: Indices) -> Tensor:
        """The images (n, c, h, w) as they are stored: uint8, or float32 on the scale of `ImageSet.mean`."""
        ...


@dataclass(frozen=True, eq=False, repr=False)
class Split:
    """The images of `pixels` at `indices` and their labels (n,), or None."""

    pixels: Pixels
    indices: Indices
    labels: Indices | None

    def __len__(self) -> int:
        return len(self.indices)

    def __repr__(self) -> str:
        return f"<{len(self)} images{'' if self.labels is not None else ' without labels'}>"

    def draw(self, n: int, seed: int) -> Indices:
        """Positions in this split of `n` images: the start of a random order in which the classes keep their shares.

        Every image comes once before any comes again; each further round has an order of its own.
        """
        if n < 1:
            raise InputError(f"a batch has at least 1 image, not {n}")
        rounds = [
            _stratified_order(len(self), self.labels, generator("images.batch", seed, cycle))
            for cycle in range(-(-n // len(self)))
        ]
        return np.concatenate(rounds)[:n]


@dataclass(frozen=True, eq=False, repr=False)
class ImageSet:
    """Images of one size in a train and a test part.

    `classes` holds the names of the classes by label and is empty without labels. `mean` and `std` are per channel, of
    train pixels scaled to 0..1 (`load_images` says how). `digest` changes when the images, labels, split or size do; of
    files it knows names and sizes only. `skipped` names the files that could not be read, with the reason.
    """

    name: str
    classes: tuple[str, ...]
    channels: int
    image_size: tuple[int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    digest: str
    train: Split
    test: Split | None
    skipped: tuple[str, ...] = ()

    @property
    def num_classes(self) -> int | None:
        """How many classes there are, or None without labels."""
        return len(self.classes) or None

    def split(self, name: SplitName) -> Split:
        """The part called `name`; `DataError` when nothing was held out for `test`."""
        if name not in ("train", "test"):
            raise InputError(f"unknown split {name!r}; known: test, train")
        part = self.train if name == "train" else self.test
        if part is None:
            raise DataError(f"the images {self.name!r} have no test split; load them with test_fraction > 0")
        return part

    def batch(self, n: int, seed: int, split: SplitName = "train") -> tuple[Tensor, Tensor | None]:
        """`n` normalised images (n, c, h, w) float32 and their labels (n,) int64, or None without labels.

        A stratified random draw that depends on the data and on `seed` alone. The images are distinct while n is at
        most the size of the split; beyond that every image comes once before any comes again. A larger batch of the
        same seed begins with the smaller one.
        """
        part = self.split(split)
        order = part.draw(n, seed)
        labels = None if part.labels is None else torch.from_numpy(part.labels[order])
        return self.normalise(part.pixels.take(part.indices[order])), labels

    def arrays(self, split: SplitName = "train") -> tuple[Tensor, Tensor | None]:
        """All images (n, c, h, w) of a split, uint8 or float32 and not normalised, and their labels (n,) or None."""
        part = self.split(split)
        labels = None if part.labels is None else torch.from_numpy(part.labels.copy())
        return part.pixels.take(part.indices), labels

    def normalise(self, images: Tensor) -> Tensor:
        """(x - mean) / std per channel, float32; uint8 images (n, c, h, w) are scaled to 0..1 first."""
        shape = (-1, 1, 1)
        mean = torch.tensor(self.mean, dtype=torch.float32, device=images.device).view(shape)
        std = torch.tensor(self.std, dtype=torch.float32, device=images.device).view(shape)
        scaled = images.float() / 255 if images.dtype == torch.uint8 else images.float()
        return (scaled - mean) / std

    def __repr__(self) -> str:
        height, width = self.image_size
        held_out = 0 if self.test is None else len(self.test)
        return (
            f"<images {self.name}: {len(self.train)} train + {held_out} test of {self.channels}x{height}x{width}, "
            f"{self.num_classes or 'no'} classes>"
        )


def partition(count: int, labels: Indices | None, test_fraction: float, seed: int) -> tuple[Indices, Indices]:
    """Sorted indices of the train and test images among `count`.

    Each class gives `test_fraction` of its images, rounded, but keeps one for training and gives one if it has two.
    """
    rng = generator("images.split", seed)
    test: list[Indices] = []
    for members in _classes(count, labels):
        share = int(test_fraction * len(members) + 0.5)
        share = 0 if test_fraction == 0 else min(max(share, 1), len(members) - 1)
        test.append(rng.permutation(members)[:share])
    held_out = np.sort(np.concatenate(test))
    return np.setdiff1d(np.arange(count), held_out, assume_unique=True), held_out


def digest(content: bytes, splits: Sequence[Split | None], classes: Sequence[str], size: tuple[int, int]) -> str:
    """16 hexadecimal digits of everything that decides what a batch holds; `content` stands for the pixels."""
    state = blake2b(content, digest_size=8)
    for part in splits:
        state.update(b"\x00split")
        if part is not None:
            state.update(part.indices.astype("<i8").tobytes())
            state.update(b"" if part.labels is None else part.labels.astype("<i8").tobytes())
    state.update(repr((tuple(classes), tuple(size))).encode())
    return state.hexdigest()


def _stratified_order(count: int, labels: Indices | None, rng: np.random.Generator) -> Indices:
    """A random order of 0..count-1 whose every prefix holds the classes in their shares.

    The k-th image of a class of m sits at (k + u) / m of the way, with one random u in [0, 1) per class.
    """
    place = np.empty(count)
    for members in _classes(count, labels):
        place[members] = (rng.permutation(len(members)) + rng.random()) / len(members)
    return np.argsort(place, kind="stable")


def _classes(count: int, labels: Indices | None) -> list[Indices]:
    """The indices of each class that occurs; without labels all in one."""
    if labels is None:
        return [np.arange(count)]
    by_class = np.argsort(labels, kind="stable")
    return np.split(by_class, np.flatnonzero(np.diff(labels[by_class])) + 1)
