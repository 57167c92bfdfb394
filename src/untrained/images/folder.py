"""Image sets from folders of image files, decoded when they are drawn."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps
from torch import Tensor

from untrained.errors import DataError
from untrained.images.arrays import SMALLEST_SIDE, statistics
from untrained.images.image_set import ImageSet, Indices, Split, digest, partition
from untrained.seeds import generator

LARGEST_SIDE = 256
"""Larger images are shrunk to this longer side unless `image_size` is given: 128 photographs must fit in memory."""

_SAMPLE = 1000
_TOLERATED = 0.1
_TRAIN = ("train", "training")
_TEST = ("test", "testing", "val", "valid", "validation")
_GREY = ("1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L")
_ORIENTATION = 0x0112


@dataclass(frozen=True, eq=False, repr=False)
class FilePixels:
    """Images on disk, decoded to uint8 (n, channels, *size) whenever they are taken."""

    root: Path
    files: tuple[str, ...]
    channels: int
    size: tuple[int, int]

    def take(self, indices: Indices) -> Tensor:
        out = np.empty((len(indices), self.channels, *self.size), dtype=np.uint8)
        for row, index in enumerate(indices):
            path = self.root / self.files[index]
            try:
                out[row] = _decode(path, self.channels, self.size)
            except Exception as error:
                raise DataError(f"{path} cannot be decoded ({_reason(error)}); replace or remove it") from None
        return torch.from_numpy(out)


@dataclass(frozen=True, slots=True)
class _Listing:
    """Files relative to the root, a label for each where folders name classes, and which ones are for the test."""

    files: tuple[str, ...]
    labels: Indices | None
    classes: tuple[str, ...]
    for_test: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _Header:
    size: tuple[int, int]
    grey: bool
    bytes: int


def from_folder(root: Path, *, image_size: int | None, test_fraction: float, seed: int) -> ImageSet:
    """Class folders of image files, or images alone (then without labels).

    A `train` folder beside a `test` (or else `val`) folder gives the two parts; otherwise a part is held out. All
    images get one size: `image_size` squared, or else the median height and the median width (the size of most, where
    most share one), shrunk to `LARGEST_SIDE` if larger. They are grey when every file's mode is, or when a sample of 1,000
    shows no colour; alpha is laid over white. Every file's header is read, and 1,000 files are decoded: those that
    fail are left out and named in `skipped`; more than 10 % are refused. Hidden files and other kinds are ignored.
    """
    listing = _listing(root)
    files, labels = listing.files, listing.labels
    headers, failures = _headers(root, files)
    _refuse(root, failures, len(files))
    size = _common_size(root, [header.size for header in headers.values()], image_size)
    channels = 1 if all(header.grey for header in headers.values()) else 3
    sample, images, undecodable = _sample(FilePixels(root, files, channels, size), np.array(sorted(headers)))
    _refuse(root, undecodable, len(sample) + len(undecodable))
    failures |= undecodable
    if channels == 3 and bool((images == images[:, :1]).all()):
        channels, images = 1, images[:, :1]
    pixels = FilePixels(root, files, channels, size)

    kept = np.setdiff1d(np.arange(len(files)), list(failures))
    if listing.for_test.any():
        train_indices, test_indices = kept[~listing.for_test[kept]], kept[listing.for_test[kept]]
    else:
        first, second = partition(len(kept), None if labels is None else labels[kept], test_fraction, seed)
        train_indices, test_indices = kept[first], kept[second]
    train, test = (
        Split(pixels, part, None if labels is None else labels[part]) for part in (train_indices, test_indices)
    )
    _check_train(root, train, listing.classes)
    splits = (train, test if len(test) else None)

    known = np.isin(sample, train_indices)
    mean, std = statistics(images[torch.from_numpy(known)] if known.any() else images)
    content = blake2b(str(channels).encode())
    for index in kept.tolist():
        # Names of old archives need not be UTF-8.
        content.update(f"{files[index]}\x00{headers[index].bytes}\x00".encode(errors="surrogateescape"))
    return ImageSet(
        root.resolve().name,
        listing.classes,
        channels,
        size,
        mean,
        std,
        digest(content.digest(), splits, listing.classes, size),
        *splits,
        skipped=tuple(f"{files[index]}: {reason}" for index, reason in sorted(failures.items())),
    )


def _listing(root: Path) -> _Listing:
    """Every image file of the train part and of the test part, if one is given."""
    train_root, test_root = _parts(root)
    train = _by_class(train_root)
    test = {} if test_root is None else _by_class(test_root)
    if test_root is not None and ("" in train) != ("" in test):
        raise DataError(f"{train_root} and {test_root} must both hold class folders, or both images alone")
    unknown = sorted(set(test) - set(train))
    if unknown:
        raise DataError(f"{test_root} holds a class {unknown[0]!r} that {train_root} lacks")
    if len(train) == 1 and "" not in train:
        raise DataError(
            f"{train_root} holds the single class folder {next(iter(train))!r}; expected at least 2 classes"
        )
    classes = tuple(train)
    paths = [(path, classes.index(name)) for part in (train, test) for name, paths in part.items() for path in paths]
    train_count = sum(map(len, train.values()))
    return _Listing(
        tuple(path.relative_to(root).as_posix() for path, _ in paths),
        None if "" in train else np.array([label for _, label in paths], dtype=np.int64),
        () if "" in train else classes,
        np.arange(len(paths)) >= train_count,
    )


def _parts(root: Path) -> tuple[Path, Path | None]:
    """The folders that hold the train and the test images; without a test folder, one that holds all."""
    folders = {path.name.lower(): path for path in _folders(root)}
    train = next((folders[name] for name in _TRAIN if name in folders), None)
    test = next((folders[name] for name in _TEST if name in folders), None)
    if train is not None and not set(folders) - {*_TRAIN, *_TEST}:
        if test is not None:
            return train, test
        if _folders(train):
            return train, None
    return root, None


def _by_class(folder: Path) -> dict[str, list[Path]]:
    """The image files of each class folder by its name, or under the name "" when there are images alone."""
    alone = [path for path in sorted(folder.iterdir()) if path.is_file() and _is_image(path.name)]
    inside = {path.name: _images_under(path) for path in _folders(folder)}
    if alone and any(inside.values()):
        raise DataError(f"{folder} holds images ({alone[0].name}) beside folders of images; expected one or the other")
    if alone:
        return {"": alone}
    if not any(inside.values()):
        raise DataError(f"{folder} holds no image; expected class folders of images, or images")
    empty = next((name for name, files in inside.items() if not files), None)
    if empty is not None:
        raise DataError(f"the class folder {folder / empty} holds no image; add some or remove it")
    return inside


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith((".", "__")))


def _images_under(folder: Path) -> list[Path]:
    """All image files at any depth, sorted."""
    found = []
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith((".", "__"))]
        found += [Path(place, name) for name in files if _is_image(name)]
    return sorted(found)


def _is_image(name: str) -> bool:
    kinds = Image.registered_extensions()
    return not name.startswith(".") and kinds.get(os.path.splitext(name)[1].lower()) in Image.OPEN


def _headers(root: Path, files: Iterable[str]) -> tuple[dict[int, _Header], dict[int, str]]:
    """The headers of the files by number, and why the others have none."""
    headers, failures = {}, {}
    for index, file in enumerate(files):
        path = root / file
        try:
            with Image.open(path) as image:
                width, height = image.size
                # Only of these formats is the orientation known before the pixels are.
                if image.format in ("JPEG", "MPO") and image.getexif().get(_ORIENTATION, 1) >= 5:
                    width, height = height, width
                headers[index] = _Header((height, width), image.mode in _GREY, path.stat().st_size)
        except Exception as error:  # Pillow's readers raise almost anything on a broken file.
            failures[index] = _reason(error)
    return headers, failures


def _sample(pixels: FilePixels, readable: Indices) -> tuple[Indices, Tensor, dict[int, str]]:
    """Up to 1,000 of the readable files, decoded: their numbers, their images, and why the others cannot be."""
    count = min(_SAMPLE, len(readable))
    decoded, images, failures = [], [], {}
    for index in np.sort(generator("images.sample").choice(readable, size=count, replace=False)).tolist():
        try:
            images.append(_decode(pixels.root / pixels.files[index], pixels.channels, pixels.size))
            decoded.append(index)
        except Exception as error:
            failures[index] = _reason(error)
    blank = np.empty((0, pixels.channels, *pixels.size), dtype=np.uint8)
    return np.array(decoded, dtype=np.int64), torch.from_numpy(np.stack(images) if images else blank), failures


def _decode(path: Path, channels: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    """One file as uint8 (channels, *size), bilinear with antialiasing."""
    height, width = size
    with Image.open(path) as file:
        # JPEG can be decoded at a fraction of its size, many times faster; twice the target keeps the resampling fine.
        file.draft(None, (2 * max(size), 2 * max(size)))
        image: Image.Image = ImageOps.exif_transpose(file)
        if image.mode.startswith("I"):
            sixteen_bits = np.clip(np.asarray(image).astype(np.int64), 0, 65535)
            image = Image.fromarray((sixteen_bits >> 8).astype(np.uint8))
        elif image.mode == "F":
            raise DataError("floating-point pixels")
        elif image.mode in ("RGBA", "RGBa", "LA", "La", "PA") or "transparency" in image.info:
            layer = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
        image = image.convert("L" if channels == 1 else "RGB")
        if image.size != (width, height):
            image = image.resize((width, height), Image.Resampling.BILINEAR)
        array = np.asarray(image)
    return array[None] if channels == 1 else np.moveaxis(array, 2, 0)


def _common_size(root: Path, sizes: list[tuple[int, int]], image_size: int | None) -> tuple[int, int]:
    if image_size is not None:
        return image_size, image_size
    height, width = (int(np.median(side)) for side in zip(*sizes, strict=True))
    shrink = min(1.0, LARGEST_SIDE / max(height, width))
    height, width = round(height * shrink), round(width * shrink)
    if min(height, width) < SMALLEST_SIDE:
        raise DataError(
            f"the images of {root} are {height}x{width}; resize them with image_size={SMALLEST_SIDE} or more"
        )
    return height, width


def _check_train(root: Path, train: Split, classes: Sequence[str]) -> None:
    if not len(train):
        raise DataError(f"none of the train images in {root} can be read")
    if train.labels is not None:
        empty = sorted(set(range(len(classes))) - set(train.labels.tolist()))
        if empty:
            raise DataError(f"no train image of the class {classes[empty[0]]!r} in {root} can be read; add some")


def _refuse(root: Path, failures: dict[int, str], count: int) -> None:
    if len(failures) > _TOLERATED * count:
        reason = next(iter(failures.values()))
        raise DataError(
            f"{len(failures)} of {count} image files in {root} cannot be read (at most 10 % may be skipped); "
            f"the first reason: {reason}"
        )


def _reason(error: Exception) -> str:
    first = str(error).split("\n")[0]
    return "not an image" if "cannot identify" in first else first or type(error).__name__
