from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from untrained.errors import DataError, InputError
from untrained.images.load import load_images


def test_digits_are_the_real_ones_without_any_network() -> None:
    images = load_images("digits")
    assert (images.name, images.channels, images.image_size, images.num_classes) == ("digits", 1, (8, 8), 10)
    assert images.test is not None
    assert len(images.train) + len(images.test) == 1797
    assert np.bincount(images.arrays("test")[1]).tolist() == [36, 36, 35, 37, 36, 36, 36, 36, 35, 36]
    x, _ = images.arrays("train")
    assert (x.min(), x.max()) == (0, 1)
    assert torch.equal(x * 16, (x * 16).round())


def test_digits_can_be_enlarged() -> None:
    assert load_images("digits", image_size=16).batch(4, 0)[0].shape == (4, 1, 16, 16)


def test_an_image_set_passes_through_at_its_own_size() -> None:
    images = load_images("digits")
    assert load_images(images) is images
    assert load_images(images, image_size=8) is images
    with pytest.raises(DataError, match="loaded already; give its source with image_size=9"):
        load_images(images, image_size=9)


def test_an_array_alone_has_no_labels() -> None:
    assert load_images(np.zeros((5, 8, 8), np.uint8)).num_classes is None
    assert load_images(torch.zeros(5, 3, 8, 8)).channels == 3


def test_missing_paths_name_their_neighbours(tmp_path: Path) -> None:
    (tmp_path / "flowers").mkdir()
    (tmp_path / "tools.npz").touch()
    with pytest.raises(DataError, match=r"does not exist .* did you mean '.*/flowers'\?"):
        load_images(tmp_path / "flower" / "train")
    with pytest.raises(DataError, match=r"did you mean '.*/tools\.npz'\?"):
        load_images(tmp_path / "tool.npz")
    with pytest.raises(DataError, match=r"did you mean 'digits'\?"):
        load_images("digit")
    with pytest.raises(
        DataError, match="does not exist and is no name of images; expected the name 'digits', a folder"
    ):
        load_images(tmp_path / "qqqqqq")


@pytest.mark.parametrize("data", [None, 3, (1, 2, 3), {1, 2}])
def test_other_things_are_no_images(data: Any) -> None:
    with pytest.raises(DataError, match=r"cannot be loaded from .*; expected the name 'digits'"):
        load_images(data)


def test_other_files_are_of_no_known_kind(tmp_path: Path) -> None:
    (tmp_path / "images.tar.gz").touch()
    with pytest.raises(DataError, match="of no known kind; expected the name 'digits'"):
        load_images(tmp_path / "images.tar.gz")


@pytest.mark.parametrize("size", [7, 0, 8.0, "8", True])
def test_sizes_are_whole_numbers_from_8(size: Any) -> None:
    with pytest.raises(InputError, match="image_size is a whole number of pixels from 8"):
        load_images("digits", image_size=size)


@pytest.mark.parametrize("fraction", [-0.1, 1.0, float("nan")])
def test_fractions_leave_something_to_train_on(fraction: float) -> None:
    with pytest.raises(InputError, match=r"test_fraction is in \[0, 1\)"):
        load_images("digits", test_fraction=fraction)


def test_paths_that_the_system_refuses_are_refused_in_words(tmp_path: Path) -> None:
    file = tmp_path / "a.npz"
    file.touch()
    for path, meant in (
        ("x" * 5000, "too long"),
        (file / "below", "Not a directory"),
        ("~nobody-of-this-name/images", "unknown user"),
    ):
        with pytest.raises(DataError, match=meant):
            load_images(path if isinstance(path, str) else str(path))


def test_sizes_beyond_reason_are_refused() -> None:
    with pytest.raises(InputError, match="from 8 to 4096"):
        load_images("digits", image_size=10**9)


def test_names_that_cannot_be_printed_are_refused(tmp_path: Path) -> None:
    for name in ("a\udcff", "a\x1b[31m"):
        (tmp_path / name).mkdir()
        with pytest.raises(DataError, match="cannot be printed; rename"):
            load_images(tmp_path / name)


@pytest.mark.parametrize("name", ["loop", "a\0b"])
def test_names_that_lead_nowhere_do_not_exist(tmp_path: Path, name: str) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(DataError, match="does not exist"):
        load_images(tmp_path / name)
