"""`load_images`: one door for every kind of image data."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from untrained.errors import DataError, InputError
from untrained.images.arrays import SMALLEST_SIDE, from_arrays, from_mapping, from_npz
from untrained.images.cifar import from_cifar, is_cifar
from untrained.images.folder import from_folder
from untrained.images.image_set import ImageSet

LARGEST_SIZE = 4096
"""Larger values of `image_size` are taken for mistakes."""

_KINDS = "the name 'digits', a folder of class folders, a CIFAR python folder, an .npz file, or arrays (x, y)"


_EXPECTED = f"expected {_KINDS}"


def load_images(data: Any, *, image_size: int | None = None, test_fraction: float = 0.2, seed: int = 0) -> ImageSet:
    """Images of one size with a train and a test part, from anywhere; nothing is ever downloaded.

    `data` is one of

    - ``"digits"``: the 1,797 handwritten digits (8x8, grey) that come with scikit-learn;
    - a folder of class folders, with or without `train` and `test` above them, or of images alone
      (:func:`~untrained.images.folder.from_folder`); its files are decoded when they are drawn;
    - the unpacked python archive of CIFAR-10 or CIFAR-100;
    - an .npz file, or a dictionary, of `x_train`, `y_train` and optionally `x_test`, `y_test`, `classes`;
    - arrays ``(x, y)``, or `x` alone (:func:`~untrained.images.arrays.from_arrays` says which shapes and ranges);
    - an `ImageSet`, which is returned as it is.

    `image_size` resizes to a square. Where `data` brings no test images, each class gives `test_fraction` of its
    images, chosen by `seed`. `DataError` says what cannot be used.
    """
    if image_size is not None and (type(image_size) is not int or not SMALLEST_SIDE <= image_size <= LARGEST_SIZE):
        raise InputError(
            f"image_size is a whole number of pixels from {SMALLEST_SIDE} to {LARGEST_SIZE}, not {image_size!r}"
        )
    if not 0 <= test_fraction < 1:
        raise InputError(f"test_fraction is in [0, 1), not {test_fraction!r}")
    if isinstance(data, ImageSet):
        if image_size is not None and data.image_size != (image_size, image_size):
            raise DataError(f"{data!r} is loaded already; give its source with image_size={image_size}")
        return data
    if isinstance(data, Mapping):
        return from_mapping("arrays", data, image_size=image_size, test_fraction=test_fraction, seed=seed)
    if isinstance(data, str) and data == "digits":
        return _digits(image_size, test_fraction, seed)
    if isinstance(data, (str, Path)):
        try:
            return _from_path(Path(data).expanduser(), image_size, test_fraction, seed)
        except OSError as error:
            raise DataError(f"{str(data)!r} cannot be read: {error.strerror or error}; {_EXPECTED}") from None
        except RuntimeError as error:
            if "home directory" not in str(error):
                raise
            raise DataError(f"{str(data)!r} names the home of an unknown user; give a full path") from None
    pair = (data, None) if isinstance(data, (np.ndarray, Tensor)) else data
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        raise DataError(f"images cannot be loaded from {type(data).__name__}; expected {_KINDS}")
    return from_arrays("arrays", (pair[0], pair[1]), image_size=image_size, test_fraction=test_fraction, seed=seed)


def _from_path(path: Path, image_size: int | None, test_fraction: float, seed: int) -> ImageSet:
    if not path.exists():
        raise DataError(f"{str(path)!r} does not exist and is no name of images; {_nearest(path)}")
    if not str(path.resolve()).isprintable():
        raise DataError(f"{str(path)!r} has characters in its name that cannot be printed; rename it")
    if path.is_dir():
        if is_cifar(path):
            return from_cifar(path, image_size=image_size, seed=seed)
        return from_folder(path, image_size=image_size, test_fraction=test_fraction, seed=seed)
    if path.suffix.lower() == ".npz":
        return from_npz(path, image_size=image_size, test_fraction=test_fraction, seed=seed)
    raise DataError(f"{path} is of no known kind; expected {_KINDS}")


def _nearest(path: Path) -> str:
    """The existing names that are most like the first missing part of `path`."""
    missing = path
    while not missing.parent.exists():
        missing = missing.parent
    names = [entry.name for entry in missing.parent.iterdir() if not entry.name.startswith(".")]
    if len(path.parts) == 1:
        names.append("digits")
    near = [str(missing.parent / name) for name in difflib.get_close_matches(missing.name, names, n=3, cutoff=0.5)]
    return f"did you mean {' or '.join(map(repr, near))}?" if near else _EXPECTED


def _digits(image_size: int | None, test_fraction: float, seed: int) -> ImageSet:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = bunch.images.astype(np.float32) / 16
    return from_arrays("digits", (images, bunch.target), image_size=image_size, test_fraction=test_fraction, seed=seed)
