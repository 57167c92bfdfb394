from __future__ import annotations

import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from untrained.errors import DataError
from untrained.images.load import load_images

LABELS = np.arange(20) % 4


def pixels(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((20, 9, 10), (1, 9, 10)),
        ((20, 9, 10, 1), (1, 9, 10)),
        ((20, 1, 9, 10), (1, 9, 10)),
        ((20, 9, 10, 3), (3, 9, 10)),
        ((20, 3, 9, 10), (3, 9, 10)),
        ((20, 9, 10, 5), (5, 9, 10)),
        ((20, 4, 9, 10), (4, 9, 10)),
    ],
)
def test_layouts_are_recognised(shape: tuple[int, ...], expected: tuple[int, int, int]) -> None:
    images = load_images((pixels(*shape), LABELS))
    assert (images.channels, *images.image_size) == expected
    assert images.arrays("train")[0].shape == (len(images.train), *expected)


def test_channels_last_and_first_are_the_same_images() -> None:
    x = pixels(20, 9, 10, 3)
    last = load_images((x, LABELS))
    first = load_images((torch.from_numpy(x).permute(0, 3, 1, 2), torch.from_numpy(LABELS)))
    assert last.digest == first.digest
    assert torch.equal(last.batch(8, 0)[0], first.batch(8, 0)[0])
    assert torch.equal(last.arrays("train")[0], torch.from_numpy(x[last.train.indices]).permute(0, 3, 1, 2))


@pytest.mark.parametrize(
    ("x", "dtype", "low", "high"),
    [
        (np.array([0, 255], np.uint8), torch.uint8, 0, 255),
        (np.array([0, 200], np.int64), torch.uint8, 0, 200),
        (np.array([False, True]), torch.uint8, 0, 255),
        (np.array([0, 1], np.float64), torch.float32, 0, 1),
        (np.array([0, 255], np.float32), torch.float32, 0, 1),
        (np.array([-2, 300], np.float16), torch.float32, -2, 300),
    ],
)
def test_ranges_follow_the_stated_rule(x: np.ndarray, dtype: torch.dtype, low: float, high: float) -> None:
    images = load_images((np.tile(x[:, None, None], (10, 8, 8)), LABELS), test_fraction=0)
    stored, _ = images.arrays("train")
    assert stored.dtype == dtype
    assert (stored.min(), stored.max()) == (low, high)


def test_the_test_images_are_scaled_as_the_train_images_are() -> None:
    x = np.zeros((20, 8, 8), np.float32)
    x[0] = 255
    images = load_images({"x": x, "y": LABELS, "x_test": x[1:3] + 0.5, "y_test": LABELS[:2]})
    assert images.arrays("test")[0].max() == pytest.approx(0.5 / 255)


def test_the_arrays_given_can_change_afterwards() -> None:
    x = pixels(20, 3, 8, 8)
    images = load_images((x, LABELS))
    before, _ = images.batch(8, 0)
    x[:] = 0
    assert torch.equal(images.batch(8, 0)[0], before)


def test_resizing_keeps_flat_images_flat_and_the_kind() -> None:
    x = np.full((20, 12, 10, 3), 77, np.uint8)
    images = load_images((x, LABELS), image_size=9)
    stored, _ = images.arrays("train")
    assert images.image_size == (9, 9)
    assert stored.dtype == torch.uint8
    assert (stored == 77).all()
    assert load_images((x / 255.0, LABELS), image_size=16).arrays("train")[0].dtype == torch.float32


def test_images_smaller_than_8_can_be_enlarged() -> None:
    with pytest.raises(DataError, match="are 6x5; resize them with image_size=8 or more"):
        load_images((pixels(20, 6, 5), LABELS))
    assert load_images((pixels(20, 6, 5), LABELS), image_size=8).image_size == (8, 8)


def test_column_labels_and_gaps_with_names() -> None:
    images = load_images(
        {"x": pixels(20, 8, 8), "y": (LABELS[:, None] * 2).astype(np.uint8), "classes": list("abcdefg")}
    )
    assert images.classes == tuple("abcdefg")
    assert images.num_classes == 7
    assert set(images.arrays("train")[1].tolist()) == {0, 2, 4, 6}


NAN = np.zeros((20, 8, 8), np.float32)
NAN[[3, 5], 0, 0] = np.nan, np.inf


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ((pixels(20, 8, 8), LABELS[:-1]), "19 labels for 20 images"),
        ((pixels(20, 8, 8), LABELS - 1), "hold -1; expected class numbers from 0"),
        ((pixels(20, 8, 8), LABELS + 0.5), "are float64; expected whole numbers"),
        ((pixels(20, 8, 8), np.eye(20)), r"shape \(20, 20\); expected one class number per image"),
        ((pixels(20, 8, 8), LABELS + 1), "labels reach 4 but class 0 has no image"),
        ((pixels(20, 8, 8), LABELS * 10**6), "class 1 has no image"),
        ((pixels(20, 8, 8), LABELS * 0), "every train image is of class 0; expected at least 2 classes"),
        ((pixels(20, 64), LABELS), r"shape \(20, 64\); expected \(n, h, w\)"),
        ((pixels(20, 9, 9, 9), LABELS), "give 1 or 3 channels"),
        ((pixels(0, 8, 8), LABELS[:0]), "expected at least one image"),
        ((pixels(20, 8, 8).astype(str), LABELS), "expected numbers"),
        ((pixels(20, 8, 8).astype(int) * 2, LABELS), r"whole numbers in 0\.\.510; expected 0\.\.255"),
        ((NAN, LABELS), "train images: 2 hold NaN or infinity, first number 3"),
        ({"images": pixels(20, 8, 8)}, "holds images; expected x_train and y_train"),
        ({}, "holds nothing; expected x_train and y_train"),
        ({"x": pixels(20, 8, 8), "y": LABELS, "classes": ["a", "b"]}, "labels reach 3 but there are 2 classes"),
        ({"x": pixels(20, 8, 8), "y": LABELS, "y_test": LABELS}, "y_test without x_test"),
        ({"x": pixels(20, 8, 8), "y": LABELS, "x_test": pixels(2, 8, 8)}, "labels are given for one of train and test"),
        ({"x": pixels(20, 8, 8), "y": LABELS, "x_test": pixels(2, 9, 8), "y_test": [0, 1]}, "give one shape"),
        ({"x": pixels(20, 8, 8), "y": LABELS, "x_test": pixels(2, 8, 8), "y_test": [0, 9]}, "labels reach 9"),
        ({"x": pixels(20, 8, 8), "y": LABELS, "x_test": NAN, "y_test": LABELS}, "test images: 2 hold NaN"),
        ({"x": pixels(20, 8, 8), "y": LABELS, "x_test": NAN[:2], "y_test": [0, 1]}, "give one kind"),
    ],
)
def test_what_cannot_be_used_is_named_in_one_line(data: Any, message: str) -> None:
    with pytest.raises(DataError, match=message) as raised:
        load_images(data)
    assert "\n" not in str(raised.value)


def test_npz_gives_what_the_arrays_give(tmp_path: Path) -> None:
    x, x_test = pixels(20, 9, 9, 3), pixels(8, 9, 9, 3)[::-1]
    arrays = {"x_train": x, "y_train": LABELS, "x_test": x_test, "y_test": LABELS[:8]}
    np.savez_compressed(tmp_path / "mine.npz", **arrays, source=np.array(["elsewhere"]))
    images = load_images(tmp_path / "mine.npz")
    assert images.name == "mine"
    assert images.digest == load_images(arrays).digest
    assert len(images.train) == 20
    assert torch.equal(images.arrays("test")[0], torch.from_numpy(x_test.copy()).permute(0, 3, 1, 2))


def test_npz_without_labels(tmp_path: Path) -> None:
    np.savez(tmp_path / "bare.npz", x=pixels(20, 8, 8))
    assert load_images(str(tmp_path / "bare.npz")).num_classes is None


def test_npz_never_unpickles(tmp_path: Path) -> None:
    np.savez(tmp_path / "objects.npz", x=np.array([{"a": 1}, None], dtype=object), y=np.arange(2))
    with pytest.raises(DataError, match=r"cannot be read .* write plain numeric arrays"):
        load_images(tmp_path / "objects.npz")


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_truncated_npz(tmp_path: Path, share: float) -> None:
    path = tmp_path / "cut.npz"
    np.savez(path, x=pixels(20, 8, 8), y=LABELS)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(DataError, match=r"not a complete \.npz archive"):
        load_images(path)


def test_npz_with_damaged_pixels(tmp_path: Path) -> None:
    path = tmp_path / "damaged.npz"
    np.savez(path, x=pixels(20, 8, 8), y=LABELS)
    damaged = bytearray(path.read_bytes())
    damaged[500] ^= 0xFF
    path.write_bytes(damaged)
    with pytest.raises(DataError, match="cannot be read"):
        load_images(path)


def test_real_cifar_images(shared_data: Path) -> None:
    images = load_images(shared_data / "cifar10_mini.npz")
    assert (len(images.train), images.test and len(images.test)) == (1000, 500)
    assert images.num_classes == 10
    assert "frog" in images.classes
    # The mean over all of CIFAR-10, as published, within what 1,000 images allow.
    assert np.abs(np.array(images.mean) - [0.4914, 0.4822, 0.4465]).max() < 0.01
    assert np.abs(np.array(images.std) - [0.2470, 0.2435, 0.2616]).max() < 0.01
    assert np.bincount(images.batch(100, 0)[1]).tolist() == [10] * 10


def test_broken_headers_of_arrays_are_refused(tmp_path: Path) -> None:
    header = b"{'descr': " + b"(" * 3000 + b"}\n"
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("x.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header)
    with pytest.raises(DataError, match="cannot be read"):
        load_images(tmp_path / "a.npz")


def test_pixels_that_float32_cannot_hold_are_refused() -> None:
    images = np.linspace(0, 1e300, 20 * 64).reshape(20, 8, 8)
    with pytest.raises(DataError, match="largest float32"):
        load_images((images, np.arange(20) % 2))


def test_labels_and_classes_that_cannot_number_anything_are_refused() -> None:
    images, labels = np.zeros((20, 8, 8), np.uint8), np.arange(20) % 2
    with pytest.raises(DataError, match="hold 9223372036854775813"):
        load_images(
            {"x": images, "y": np.where(labels == 1, np.uint64(2**63 + 5), np.uint64(0)), "classes": ["a", "b"]}
        )
    for classes in (np.array("abc"), np.zeros((2, 2))):
        with pytest.raises(DataError, match="a list of names"):
            load_images({"x": images, "y": labels, "classes": classes})
