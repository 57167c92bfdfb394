from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from untrained.errors import DataError
from untrained.images.load import load_images

RNG = np.random.default_rng(0)


def dump(path: Path, content: Any) -> None:
    """As the archives are written: pickle protocol 2."""
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(pickle.dumps(content, protocol=2))


def batch(count: int, labels: str = "labels", classes: int = 10) -> dict[bytes, Any]:
    data = RNG.integers(0, 256, (count, 3072), dtype=np.uint8)
    return {b"data": data, labels.encode(): [i % classes for i in range(count)], b"batch_label": b"training batch"}


def cifar10(folder: Path) -> tuple[Path, np.ndarray]:
    parts = [batch(20) for _ in range(5)]
    for number, part in enumerate(parts, start=1):
        dump(folder / f"data_batch_{number}", part)
    dump(folder / "test_batch", batch(10))
    dump(folder / "batches.meta", {b"label_names": [f"c{i}".encode() for i in range(10)]})
    return folder, np.concatenate([part[b"data"] for part in parts])


def test_cifar_10_archive(tmp_path: Path) -> None:
    folder, data = cifar10(tmp_path / "cifar-10-batches-py")
    images = load_images(folder)
    assert (images.name, images.channels, images.image_size) == ("cifar-10-batches-py", 3, (32, 32))
    assert images.classes == tuple(f"c{i}" for i in range(10))
    x, y = images.arrays("train")
    assert torch.equal(x.flatten(1), torch.from_numpy(data))
    assert y.tolist() == list(range(10)) * 10
    assert images.test is not None
    assert len(images.test) == 10


def test_cifar_100_archive(tmp_path: Path) -> None:
    dump(tmp_path / "train", {**batch(200, "fine_labels", 100), b"coarse_labels": [0] * 200})
    dump(tmp_path / "test", batch(100, "fine_labels", 100))
    dump(tmp_path / "meta", {b"fine_label_names": [f"f{i}".encode() for i in range(100)], b"coarse_label_names": []})
    images = load_images(tmp_path)
    assert images.num_classes == 100
    assert images.classes[42] == "f42"
    assert len(images.train) == 200


def test_pickles_written_by_python_2(tmp_path: Path) -> None:
    folder, _ = cifar10(tmp_path / "old")
    # `{"label_names": ["c0", ...]}` with the byte strings of Python 2, opcode U, which are text and bytes in one.
    names = b"".join(b"U\x02c%d" % i for i in range(10))
    (folder / "batches.meta").write_bytes(b"\x80\x02}U\x0blabel_names](" + names + b"es.")
    # uint8 array of shape (20, 3072) under its old module name.
    header = b"\x80\x02}(U\x04datacnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
    dtype = b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    pixels = RNG.integers(0, 256, 20 * 3072, dtype=np.uint8).tobytes()
    state = b"(K\x01K\x14M\x00\x0c\x86" + dtype + b"\x89T" + len(pixels).to_bytes(4, "little") + pixels + b"tb"
    labels = b"U\x06labels](" + b"".join(bytes([0x4B, i % 10]) for i in range(20)) + b"e"
    (folder / "data_batch_1").write_bytes(header + state + labels + b"u.")
    images = load_images(folder)
    assert images.classes == tuple(f"c{i}" for i in range(10))
    assert images.arrays("train")[0][:20].numpy().tobytes() == pixels


class Harmful:
    def __init__(self, call: Any, *arguments: Any) -> None:
        self.call, self.arguments = call, arguments

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self.call, self.arguments


@pytest.mark.parametrize("call", [os.system, os.mkdir, eval, exec, getattr, np.load, np.dtype([("a", "O")]).__class__])
def test_nothing_but_arrays_is_ever_made(tmp_path: Path, call: Any) -> None:
    folder, _ = cifar10(tmp_path / "evil")
    trace = tmp_path / "trace"
    arguments = {os.system: f"touch {trace}", os.mkdir: str(trace)}.get(call, "1")
    dump(folder / "data_batch_3", {b"data": Harmful(call, arguments), b"labels": []})
    with pytest.raises(DataError, match=r"data_batch_3 is no CIFAR file: it asks for .*, which is never loaded"):
        load_images(folder)
    assert not trace.exists()


def test_object_arrays_are_refused(tmp_path: Path) -> None:
    folder, _ = cifar10(tmp_path / "objects")
    dump(folder / "test_batch", {b"data": np.array([1, "a"], dtype=object), b"labels": [0, 1]})
    with pytest.raises(DataError, match="it holds an array of object, expected numbers"):
        load_images(folder)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "data_batch_2 cannot be read"),
        (b"\x80\x02garbage", "data_batch_2 cannot be read"),
        (pickle.dumps([1, 2], protocol=2), "holds no dictionary"),
        (pickle.dumps({b"data": np.zeros((2, 3), np.uint8), b"labels": [0, 1]}, 2), r"of shape \(n, 3072\)"),
        (pickle.dumps({b"data": np.zeros((2, 3072)), b"labels": [0, 1]}, 2), "holds no uint8 'data'"),
        (pickle.dumps({b"data": np.zeros((2, 3072), np.uint8)}, 2), "holds no list 'labels'"),
        (pickle.dumps({b"data": np.zeros((2, 3072), np.uint8), b"labels": [0]}, 2), "81 labels for 82 images"),
    ],
)
def test_damaged_batches_are_named(tmp_path: Path, content: bytes, message: str) -> None:
    folder, _ = cifar10(tmp_path / "damaged")
    (folder / "data_batch_2").write_bytes(content)
    with pytest.raises(DataError, match=message):
        load_images(folder)


def test_truncated_batch(tmp_path: Path) -> None:
    folder, _ = cifar10(tmp_path / "cut")
    path = folder / "data_batch_4"
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(DataError, match="data_batch_4 cannot be read"):
        load_images(folder)


@pytest.mark.parametrize("labels", [[[1], [1, 2]] * 10, [None] * 20, [-1] * 20, [10**30] * 20, ["a"] * 20])
def test_labels_that_are_no_class_numbers_are_refused(tmp_path: Path, labels: list[Any]) -> None:
    folder, _ = cifar10(tmp_path / "cifar")
    dump(folder / "data_batch_2", {**batch(20), b"labels": labels})
    with pytest.raises(DataError, match="no class numbers"):
        load_images(folder)
