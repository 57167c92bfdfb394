"""Image sets from arrays in memory and from .npz files."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from untrained.errors import DataError
from untrained.images.image_set import ImageSet, Indices, Split, digest, partition

SMALLEST_SIDE = 8
_CHUNK = 1024
_LARGEST_PIXEL = float(np.finfo(np.float32).max)
_NAMES = (("x_train", "y_train", "x_test", "y_test"), ("x", "y", "x_test", "y_test"))


@dataclass(frozen=True, eq=False, repr=False)
class ArrayPixels:
    """Images (n, c, h, w) in memory."""

    images: Tensor

    def take(self, indices: Indices) -> Tensor:
        return self.images[torch.from_numpy(indices)]


def from_npz(path: Path, *, image_size: int | None, test_fraction: float, seed: int) -> ImageSet:
    """The arrays of an .npz file, see :func:`from_mapping`; nothing in it is unpickled."""
    if not zipfile.is_zipfile(path):
        raise DataError(f"{path} is not a complete .npz archive; write it again with numpy.savez")
    try:
        with np.load(path, allow_pickle=False) as archive:
            known = {name for names in _NAMES for name in names} | {"classes"}
            arrays = {name: archive[name] if name in known else None for name in archive.files}
    except Exception as error:  # Broken archives and headers can fail in any way; none of them runs code.
        raise DataError(f"{path} cannot be read ({error}); write plain numeric arrays with numpy.savez") from None
    return from_mapping(path.stem, arrays, image_size=image_size, test_fraction=test_fraction, seed=seed)


def from_mapping(
    name: str, arrays: Mapping[str, Any], *, image_size: int | None, test_fraction: float, seed: int
) -> ImageSet:
    """Arrays by name: `x_train` (or `x`), and optionally `y_train` (or `y`), `x_test`, `y_test` and `classes`."""
    names = next((names for names in _NAMES if names[0] in arrays), None)
    if names is None:
        found = ", ".join(sorted(arrays)) or "nothing"
        raise DataError(
            f"{name} holds {found}; expected x_train and y_train (or x and y), optionally x_test and y_test"
        )
    x, y, x_test, y_test = (arrays.get(key) for key in names)
    if x_test is None and y_test is not None:
        raise DataError(f"{name} holds y_test without x_test; give both or neither")
    return from_arrays(
        name,
        (x, y),
        None if x_test is None else (x_test, y_test),
        classes=arrays.get("classes"),
        image_size=image_size,
        test_fraction=test_fraction,
        seed=seed,
    )


def from_arrays(
    name: str,
    train: tuple[Any, Any],
    test: tuple[Any, Any] | None = None,
    *,
    classes: Sequence[str] | None = None,
    image_size: int | None = None,
    test_fraction: float = 0.2,
    seed: int = 0,
) -> ImageSet:
    """Images and labels (or None) in memory; without `test` a part of `train` is held out.

    Images are (n, h, w), (n, h, w, c) or (n, c, h, w), where c is the smaller of the two candidates. Whole numbers must
    lie in 0..255. Floats in 0..1 are taken as they are, floats in 0..255 are divided by 255, and any other range (images
    that were normalised already) is kept. The test images are treated as the train images are.
    """
    images = _layout(f"{name}: train images", train[0])
    scale = _scale(images)
    pixels = ArrayPixels(_stored(f"{name}: train images", images, scale, image_size))
    labels = _labels(f"{name}: train labels", train[1], len(images))
    test_pixels, test_labels = pixels, None
    if test is not None:
        held_out = _layout(f"{name}: test images", test[0])
        if held_out.dtype.kind != images.dtype.kind and "f" in (held_out.dtype.kind, images.dtype.kind):
            raise DataError(f"{name}: train images are {images.dtype} and test images {held_out.dtype}; give one kind")
        test_pixels = ArrayPixels(_stored(f"{name}: test images", held_out, scale, image_size))
        if test_pixels.images.shape[1:] != pixels.images.shape[1:]:
            sizes = [tuple(p.images.shape[1:]) for p in (pixels, test_pixels)]
            raise DataError(f"{name}: train images are {sizes[0]} and test images {sizes[1]} (c, h, w); give one shape")
        test_labels = _labels(f"{name}: test labels", test[1], len(held_out))
        if (labels is None) != (test_labels is None):
            raise DataError(f"{name}: labels are given for one of train and test; give both or neither")
    class_names = _class_names(name, labels, test_labels, classes)

    if test is None:
        first, second = partition(len(images), labels, test_fraction, seed)
        train_split = Split(pixels, first, None if labels is None else labels[first])
        test_split = Split(pixels, second, None if labels is None else labels[second])
    else:
        train_split = Split(pixels, np.arange(len(images)), labels)
        test_split = Split(test_pixels, np.arange(len(test_pixels.images)), test_labels)
    mean, std = statistics(pixels.images[torch.from_numpy(train_split.indices)])
    content = blake2b()
    for part in (pixels, test_pixels):
        content.update(repr((part.images.dtype, tuple(part.images.shape))).encode())
        content.update(part.images.numpy().data)
    size = (int(pixels.images.shape[2]), int(pixels.images.shape[3]))
    splits = (train_split, test_split if len(test_split) else None)
    return ImageSet(
        name,
        class_names,
        int(pixels.images.shape[1]),
        size,
        mean,
        std,
        digest(content.digest(), splits, class_names, size),
        *splits,
    )


def statistics(images: Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation per channel of images (n, c, h, w), uint8 scaled to 0..1.

    The deviation of a channel that never changes is given as 1, so that dividing by it is harmless.
    """
    scale = 255.0 if images.dtype == torch.uint8 else 1.0
    total = np.zeros(images.shape[1])
    squares = np.zeros(images.shape[1])
    # NumPy in one thread: the digits of the sums do not depend on how many threads torch has.
    for start in range(0, len(images), _CHUNK):
        values = images[start : start + _CHUNK].numpy().astype(np.float64) / scale
        total += values.sum(axis=(0, 2, 3))
        squares += (values**2).sum(axis=(0, 2, 3))
    count = images.numel() / images.shape[1]
    mean = total / count
    std = np.sqrt(np.maximum(squares / count - mean**2, 0.0))
    std[std < 1e-6] = 1.0
    return tuple(mean.tolist()), tuple(std.tolist())


def _layout(where: str, images: Any) -> NDArray[Any]:
    """Numeric images as an array (n, c, h, w), not copied."""
    array = images.detach().cpu().numpy() if isinstance(images, Tensor) else np.asarray(images)
    if array.dtype.kind not in "buif":
        raise DataError(f"{where} are {array.dtype}; expected numbers (uint8 or float32)")
    if array.ndim not in (3, 4):
        raise DataError(f"{where} have shape {array.shape}; expected (n, h, w), (n, h, w, c) or (n, c, h, w)")
    if 0 in array.shape:
        raise DataError(f"{where} have shape {array.shape}; expected at least one image with pixels")
    if array.dtype.kind == "f":
        bad = ~np.isfinite(array.reshape(len(array), -1)).all(axis=1)
        if bad.any():
            raise DataError(f"{where}: {int(bad.sum())} hold NaN or infinity, first number {int(bad.argmax())}")
    if array.ndim == 3:
        return array[:, None]
    second, last = array.shape[1], array.shape[3]
    if second == last:
        raise DataError(f"{where} of shape {array.shape} may be (n, c, h, w) or (n, h, w, c); give 1 or 3 channels")
    return np.moveaxis(array, 3, 1) if last < second else array


def _scale(images: NDArray[Any]) -> float:
    """What the train images are divided by when they are stored."""
    if images.dtype.kind != "f":
        return 1.0
    low, high = images.min(), images.max()
    return 255.0 if low >= 0 and 1 < high <= 255 else 1.0


def _stored(where: str, images: NDArray[Any], scale: float, image_size: int | None) -> Tensor:
    """A copy (n, c, h, w) as uint8 or float32, resized when asked."""
    if images.dtype.kind == "f":
        if max(abs(float(images.min())), abs(float(images.max()))) > _LARGEST_PIXEL:
            raise DataError(f"{where} hold values beyond {_LARGEST_PIXEL:.1e}, the largest float32; scale them to 0..1")
        stored = torch.from_numpy(np.array(images, dtype=np.float32, order="C") / np.float32(scale))
    else:
        low, high = int(images.min()), int(images.max())
        if low < 0 or high > 255:
            raise DataError(f"{where} are whole numbers in {low}..{high}; expected 0..255, or floats in 0..1")
        stored = torch.from_numpy(np.array(images, dtype=np.uint8, order="C"))
        if images.dtype == bool:
            stored *= 255
    size = tuple(stored.shape[2:])
    if image_size is not None and size != (image_size, image_size):
        starts = range(0, len(stored), _CHUNK)
        try:
            return torch.cat([_resized(stored[start : start + _CHUNK], image_size) for start in starts])
        except (MemoryError, RuntimeError):
            count = f"{len(stored):,} images of {image_size}x{image_size}"
            raise DataError(f"{where} do not fit in memory: {count}; give a smaller image_size") from None
    if min(size) < SMALLEST_SIDE:
        raise DataError(f"{where} are {size[0]}x{size[1]}; resize them with image_size={SMALLEST_SIDE} or more")
    return stored


def _resized(images: Tensor, side: int) -> Tensor:
    # Antialiased bilinear, as Pillow resizes files.
    resized = F.interpolate(images.float(), (side, side), mode="bilinear", antialias=True)
    return resized.round().clamp(0, 255).to(torch.uint8) if images.dtype == torch.uint8 else resized


def _labels(where: str, labels: Any, count: int) -> Indices | None:
    """Labels (n,) int64, or None; refuses what cannot number classes."""
    if labels is None:
        return None
    array = labels.detach().cpu().numpy() if isinstance(labels, Tensor) else np.asarray(labels)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise DataError(f"{where} have shape {array.shape}; expected one class number per image, ({count},)")
    if len(array) != count:
        raise DataError(f"{where}: {len(array)} labels for {count} images; expected one each")
    if array.dtype.kind not in "ui":
        raise DataError(f"{where} are {array.dtype}; expected whole numbers 0, 1, ... (cast them to int64)")
    for extreme in (int(array.min()), int(array.max())):
        if not 0 <= extreme < 2**31:
            raise DataError(f"{where} hold {extreme}; expected class numbers from 0")
    return np.array(array, dtype=np.int64)


def _class_names(
    name: str, labels: Indices | None, test_labels: Indices | None, classes: Sequence[str] | None
) -> tuple[str, ...]:
    """The names given, or the numbers of the classes as text."""
    if labels is None:
        return ()
    present = np.unique(labels)
    if len(present) < 2:
        raise DataError(f"{name}: every train image is of class {int(present[0])}; expected at least 2 classes")
    if classes is None:
        missing = next((number for number, label in enumerate(present) if label != number), None)
        if missing is not None:
            raise DataError(
                f"{name}: train labels reach {int(present[-1])} but class {missing} has no image; "
                "number the classes 0, 1, ... without gaps, or name all of them in `classes`"
            )
        classes = [str(number) for number in range(len(present))]
    if np.ndim(classes) != 1:
        raise DataError(f"{name}: classes have shape {np.shape(classes)}; expected a list of names")
    highest = int(max(present[-1], test_labels.max() if test_labels is not None else 0))
    if highest >= len(classes):
        raise DataError(f"{name}: labels reach {highest} but there are {len(classes)} classes, 0..{len(classes) - 1}")
    return tuple(str(item) for item in classes)
