"""The python archives of CIFAR-10 and CIFAR-100.

Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009. Their files are pickles; they are read
through an unpickler that can make NumPy arrays, numbers, text, lists, tuples and dictionaries, and nothing else.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np

from untrained.errors import DataError
from untrained.images.arrays import from_arrays
from untrained.images.image_set import ImageSet

_SIDE = 32


def is_cifar(folder: Path) -> bool:
    """Whether `folder` is `cifar-10-batches-py` or `cifar-100-python`, by the files in it."""
    return bool(_batches(folder))


def from_cifar(folder: Path, *, image_size: int | None, seed: int) -> ImageSet:
    """The official train and test images of CIFAR-10, or of CIFAR-100 with its 100 fine labels."""
    train_files, test_file, names_file, labels, names = _batches(folder)[0]
    parts = [_read(folder / name, labels) for name in train_files]
    train = tuple(np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    classes = _unpickle(folder / names_file).get(names)
    if not isinstance(classes, list) or not classes:
        raise DataError(f"{folder / names_file} holds no list {names!r}; extract the archive again")
    return from_arrays(
        folder.resolve().name,
        (train[0], train[1]),
        _read(folder / test_file, labels),
        classes=[_text(name) for name in classes],
        image_size=image_size,
        seed=seed,
    )


def _batches(folder: Path) -> list[tuple[list[str], str, str, str, str]]:
    """Train files, test file, file of names, and the keys of labels and names; empty when the files are absent."""
    ten = sorted(path.name for path in folder.glob("data_batch_[1-9]"))
    if ten and all((folder / name).is_file() for name in ("test_batch", "batches.meta")):
        return [(ten, "test_batch", "batches.meta", "labels", "label_names")]
    if all((folder / name).is_file() for name in ("train", "test", "meta")):
        return [(["train"], "test", "meta", "fine_labels", "fine_label_names")]
    return []


def _read(path: Path, labels: str) -> tuple[Any, Any]:
    """Images (n, 3, 32, 32) uint8 and labels of one batch file."""
    batch = _unpickle(path)
    data = batch.get("data")
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.shape[1:] != (3 * _SIDE * _SIDE,):
        raise DataError(f"{path} holds no uint8 'data' of shape (n, 3072); extract the archive again")
    if not isinstance(batch.get(labels), list):
        raise DataError(f"{path} holds no list {labels!r}; extract the archive again")
    if not all(type(label) is int and 0 <= label < 2**31 for label in batch[labels]):
        raise DataError(f"{path} holds {labels!r} that are no class numbers; extract the archive again")
    return data.reshape(-1, 3, _SIDE, _SIDE), np.asarray(batch[labels], dtype=np.int64)


def _unpickle(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            content = _ArrayUnpickler(file, encoding="bytes").load()
    except DataError as error:
        raise DataError(f"{path} is no CIFAR file: {error}") from None
    except Exception as error:  # A broken pickle can fail in any way; none of them runs code.
        raise DataError(f"{path} cannot be read ({str(error) or type(error).__name__}); extract it again") from None
    if not isinstance(content, dict):
        raise DataError(f"{path} holds no dictionary; extract the archive again")
    return {_text(key): value for key, value in content.items()}


class _ArrayUnpickler(pickle.Unpickler):
    """Finds what rebuilds a NumPy array of numbers, under its old and new names, and refuses every other name."""

    def find_class(self, module: str, name: str) -> Any:
        allowed = {
            ("multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],
            ("numpy", "ndarray"): np.ndarray,
            ("numpy", "dtype"): _number_dtype,
            ("_codecs", "encode"): _latin1,
        }
        for package in ("numpy.core.", "numpy._core."):
            module = module.removeprefix(package)
        try:
            return allowed[module, name]
        except KeyError:
            raise DataError(f"it asks for {module}.{name}, which is never loaded") from None


def _number_dtype(code: str | bytes, *options: Any) -> np.dtype[Any]:
    dtype = np.dtype(_text(code), *options)
    if dtype.kind not in "buif":
        raise DataError(f"it holds an array of {dtype}, expected numbers")
    return dtype


def _latin1(text: str, encoding: str) -> bytes:
    """How Python 3 writes bytes in the old pickle protocol."""
    return text.encode("latin1")


def _text(value: Any) -> str:
    return value.decode("latin1") if isinstance(value, bytes) else str(value)
