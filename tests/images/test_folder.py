from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from untrained.errors import DataError
from untrained.images import folder as folder_module
from untrained.images.load import load_images

RNG = np.random.default_rng(0)


def write(path: Path, size: tuple[int, int] = (10, 12), mode: str = "RGB", value: int | None = None) -> Path:
    """An image file of `size` (h, w), random or of one colour; random RGB is never grey."""
    path.parent.mkdir(parents=True, exist_ok=True)
    bands = {"L": (), "RGB": (3,), "RGBA": (4,)}[mode]
    array = RNG.integers(0, 256, (*size, *bands), dtype=np.uint8)
    if value is not None:
        array[:] = value
    Image.fromarray(array).save(path)
    return path


def classes(root: Path, count: int = 10, names: tuple[str, ...] = ("cat", "dog"), **options: object) -> Path:
    for name in names:
        for number in range(count):
            write(root / name / f"{number}.png", **options)  # type: ignore[arg-type]
    return root


def test_class_folders(tmp_path: Path) -> None:
    root = classes(tmp_path / "pets")
    (root / "cat" / "notes.txt").write_text("no image")
    write(root / ".hidden" / "1.png")
    write(root / "cat" / ".checkpoints" / "1.png")
    (root / "cat" / ".2.png").write_bytes(b"")
    images = load_images(root)
    assert (images.name, images.classes, images.channels, images.image_size) == ("pets", ("cat", "dog"), 3, (10, 12))
    assert (len(images.train), images.test and len(images.test), images.skipped) == (16, 4, ())
    x, y = images.arrays("train")
    assert x.dtype == torch.uint8
    assert y is not None
    # The files lie in order, ten of each class.
    for index, label, image in zip(images.train.indices, y, x, strict=True):
        path = root / images.classes[label] / f"{index % 10}.png"
        assert index // 10 == label
        assert np.array_equal(np.asarray(Image.open(path)), image.permute(1, 2, 0))


def test_statistics_are_those_of_the_train_pixels(tmp_path: Path) -> None:
    images = load_images(classes(tmp_path))
    train = images.normalise(images.arrays("train")[0]).double()
    assert train.mean((0, 2, 3)).abs().max() < 1e-6
    assert (train.std((0, 2, 3), correction=0) - 1).abs().max() < 1e-6


@pytest.mark.parametrize("names", [("train", "test"), ("train", "val"), ("Training", "Validation")])
def test_given_parts_are_respected(tmp_path: Path, names: tuple[str, str]) -> None:
    classes(tmp_path / names[0], count=6)
    classes(tmp_path / names[1], count=2, value=9)
    images = load_images(tmp_path)
    assert images.classes == ("cat", "dog")
    assert (len(images.train), images.test and len(images.test)) == (12, 4)
    assert (images.arrays("test")[0] == 9).all()
    assert images.arrays("test")[1].tolist() == [0, 0, 1, 1]
    assert min(images.mean) > 0.2


def test_test_goes_before_val_and_a_lone_train_is_split(tmp_path: Path) -> None:
    classes(tmp_path / "train", count=5)
    assert len(load_images(tmp_path).train) == 8
    classes(tmp_path / "val", count=2)
    classes(tmp_path / "test", count=3)
    images = load_images(tmp_path)
    assert (len(images.train), images.test and len(images.test)) == (10, 6)


def test_classes_may_be_called_train_and_plane(tmp_path: Path) -> None:
    assert load_images(classes(tmp_path / "two", names=("train", "plane"))).classes == ("plane", "train")
    names = ("plane", "test", "train")
    assert load_images(classes(tmp_path / "three", names=names)).classes == names


def test_flat_folder_has_no_labels(tmp_path: Path) -> None:
    for number in range(10):
        write(tmp_path / f"{number}.jpg")
    images = load_images(tmp_path)
    assert images.num_classes is None
    x, y = images.batch(4, 0)
    assert x.shape == (4, 3, 10, 12)
    assert y is None


@pytest.mark.parametrize(
    ("mode", "value", "channels"), [("L", None, 1), ("RGB", None, 3), ("RGB", 40, 1), ("RGBA", None, 3)]
)
def test_grey_and_colour(tmp_path: Path, mode: str, value: int | None, channels: int) -> None:
    images = load_images(classes(tmp_path, count=3, mode=mode, value=value))
    assert images.channels == channels
    assert images.batch(2, 0)[0].shape[1] == channels
    assert len(images.mean) == channels


def test_one_colour_file_makes_the_set_colour(tmp_path: Path) -> None:
    classes(tmp_path, mode="L")
    write(tmp_path / "cat" / "colour.png")
    assert load_images(tmp_path).channels == 3


def test_alpha_lies_over_white_and_16_bits_are_scaled(tmp_path: Path) -> None:
    for name in ("clear", "deep"):
        (tmp_path / name).mkdir()
    for number in range(2):
        Image.new("RGBA", (8, 8), (0, 0, 0, 0)).save(tmp_path / "clear" / f"{number}.png")
        deep = np.full((8, 8), 0x4080, dtype=np.uint16)
        Image.fromarray(deep).save(tmp_path / "deep" / f"{number}.png")
    x, y = load_images(tmp_path, test_fraction=0).arrays("train")
    assert y.tolist() == [0, 0, 1, 1]
    assert x.flatten(1).unique(dim=1).flatten().tolist() == [255, 255, 0x40, 0x40]


def test_palette_with_transparency(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
        for number in range(2):
            image = Image.new("P", (8, 8), 1)
            image.putpalette([0, 0, 0, 10, 200, 30])
            image.save(tmp_path / name / f"{number}.png", transparency=bytes([0, 255]))
    assert load_images(tmp_path).arrays("train")[0][0, :, 0, 0].tolist() == [10, 200, 30]


def test_orientation_of_photographs(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # Turned by 90 degrees: what is stored as 8 rows of 16 shows as 16 rows of 8.
    for name in "ab":
        (tmp_path / name).mkdir()
        for number in range(2):
            left_bright = np.zeros((8, 16), np.uint8)
            left_bright[:, :8] = 250
            Image.fromarray(left_bright).save(tmp_path / name / f"{number}.jpg", exif=exif)
    images = load_images(tmp_path)
    assert images.image_size == (16, 8)
    x, _ = images.arrays("train")
    assert x[0, 0, 0].min() > 200
    assert x[0, 0, -1].max() < 50


def test_size_is_that_of_most_else_the_median_else_as_asked(tmp_path: Path) -> None:
    common = classes(tmp_path / "common", count=3)
    for number in range(5):
        write(common / "cat" / f"large{number}.png", (30 + number, 40))
    assert load_images(common).image_size == (10, 12)
    mixed = tmp_path / "mixed"
    for number, size in enumerate([(10, 40), (12, 30), (14, 20), (16, 10), (18, 50)]):
        write(mixed / "ab"[number % 2] / f"{number}.png", size)
    assert load_images(mixed).image_size == (14, 30)
    images = load_images(mixed, image_size=9)
    assert images.image_size == (9, 9)
    assert images.batch(3, 0)[0].shape == (3, 3, 9, 9)


def test_large_photographs_are_shrunk_unless_a_size_is_asked(tmp_path: Path) -> None:
    classes(tmp_path, count=2, size=(384, 512))
    assert load_images(tmp_path).image_size == (192, 256)
    assert load_images(tmp_path, image_size=300).image_size == (300, 300)


def test_large_jpegs_are_decoded_small_and_look_the_same(tmp_path: Path) -> None:
    row, column = np.mgrid[0:600, 0:800]
    smooth = np.stack([row * 255 // 599, column * 255 // 799, 255 - row * 255 // 599], axis=2).astype(np.uint8)
    for name in "ab":
        (tmp_path / name).mkdir()
        for number in range(2):
            Image.fromarray(smooth).save(tmp_path / name / f"{number}.jpg", quality=95)
    x, _ = load_images(tmp_path, image_size=32).arrays("train")
    expected = np.asarray(Image.fromarray(smooth).resize((32, 32), Image.Resampling.BILINEAR)).astype(int)
    assert np.abs(x[0].permute(1, 2, 0).numpy().astype(int) - expected).max() <= 3


def test_unreadable_files_are_skipped_and_named(tmp_path: Path) -> None:
    classes(tmp_path, count=20)
    (tmp_path / "cat" / "3.png").write_bytes(b"")
    (tmp_path / "cat" / "4.png").write_text("not a picture")
    cut = tmp_path / "dog" / "5.png"
    cut.write_bytes(cut.read_bytes()[:150])  # The header is whole, the pixels are not.
    images = load_images(tmp_path)
    assert [line.split(":")[0] for line in images.skipped] == ["cat/3.png", "cat/4.png", "dog/5.png"]
    assert len(images.train) + len(images.test or ()) == 37
    images.arrays("train"), images.arrays("test")


def test_more_than_a_tenth_unreadable_is_refused(tmp_path: Path) -> None:
    classes(tmp_path, count=10)
    for number in range(2):
        (tmp_path / "cat" / f"{number}.png").write_bytes(b"")
    assert len(load_images(tmp_path).skipped) == 2
    (tmp_path / "cat" / "2.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"3 of 20 image files .* cannot be read"):
        load_images(tmp_path)


def test_truncated_pixels_count_too(tmp_path: Path) -> None:
    classes(tmp_path, count=10)
    for number in range(3):
        path = tmp_path / "cat" / f"{number}.png"
        path.write_bytes(path.read_bytes()[:150])
    with pytest.raises(DataError, match=r"3 of 20 image files .* cannot be read"):
        load_images(tmp_path)


def test_a_file_lost_after_loading_is_named(tmp_path: Path) -> None:
    images = load_images(classes(tmp_path))
    shutil.rmtree(tmp_path / "cat")
    with pytest.raises(DataError, match=r"cat/\d\.png cannot be decoded"):
        images.batch(8, 0)


def test_only_the_images_drawn_are_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    classes(tmp_path, count=100)
    decoded: list[Path] = []
    decode = folder_module._decode

    def counted(path: Path, channels: int, size: tuple[int, int]) -> np.ndarray:
        decoded.append(path)
        return decode(path, channels, size)

    monkeypatch.setattr(folder_module, "_decode", counted)
    monkeypatch.setattr(folder_module, "_SAMPLE", 30)
    images = load_images(tmp_path)
    assert len(decoded) == 30
    images.batch(16, 0)
    assert len(decoded) == 46


def test_digest_follows_names_sizes_and_split(tmp_path: Path) -> None:
    root = classes(tmp_path / "one")
    first = load_images(root)
    shutil.copytree(root, tmp_path / "two")
    assert load_images(tmp_path / "two").digest == first.digest
    assert load_images(root, seed=1).digest != first.digest
    assert load_images(root, image_size=8).digest != first.digest
    (tmp_path / "two" / "cat" / "0.png").rename(tmp_path / "two" / "cat" / "00.png")
    assert load_images(tmp_path / "two").digest != first.digest
    write(root / "cat" / "0.png", value=0)
    assert load_images(root).digest != first.digest


def test_empty_and_odd_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no image; expected class folders"):
        load_images(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no image; expected class folders"):
        load_images(tmp_path)
    write(tmp_path / "cat" / "1.png")
    with pytest.raises(DataError, match=r"class folder .*empty holds no image"):
        load_images(tmp_path)
    (tmp_path / "empty").rmdir()
    with pytest.raises(DataError, match="single class folder 'cat'; expected at least 2"):
        load_images(tmp_path)
    write(tmp_path / "stray.png")
    with pytest.raises(DataError, match=r"images \(stray\.png\) beside folders"):
        load_images(tmp_path)


def test_parts_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    classes(tmp_path / "train", count=2)
    write(tmp_path / "test" / "bird" / "1.png")
    with pytest.raises(DataError, match="holds a class 'bird' that"):
        load_images(tmp_path)
    shutil.rmtree(tmp_path / "test")
    write(tmp_path / "test" / "1.png")
    with pytest.raises(DataError, match="must both hold class folders"):
        load_images(tmp_path)


def test_tiny_files_are_refused_or_enlarged(tmp_path: Path) -> None:
    classes(tmp_path, count=2, size=(7, 20))
    with pytest.raises(DataError, match="7x20; resize them with image_size=8 or more"):
        load_images(tmp_path)
    assert load_images(tmp_path, image_size=8).image_size == (8, 8)


def test_a_class_without_a_readable_image_is_named(tmp_path: Path) -> None:
    classes(tmp_path, count=30)
    (tmp_path / "emu").mkdir()
    (tmp_path / "emu" / "1.png").write_bytes(b"")
    with pytest.raises(DataError, match="no train image of the class 'emu'"):
        load_images(tmp_path)


def test_names_of_files_need_not_be_utf_8(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        Image.new("L", (9, 9)).save(tmp_path / name / "f\udcfc.png")
    assert len(load_images(tmp_path).train) == 2
