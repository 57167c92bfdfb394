from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from untrained.errors import DataError, InputError
from untrained.images.arrays import from_arrays
from untrained.images.image_set import ImageSet, Split, partition


def numbered(labels: np.ndarray | None, **options: float) -> ImageSet:
    """Grey 8x8 float images whose pixels all hold the image's own number, kept unscaled by a negative first one."""
    count = 60 if labels is None else len(labels)
    x = np.broadcast_to(np.arange(-1, count - 1, dtype=np.float32)[:, None, None], (count, 8, 8))
    return from_arrays("numbered", (x, labels), **options)


def numbers(image_set: ImageSet, images: torch.Tensor) -> list[int]:
    return (images[:, 0, 0, 0] * image_set.std[0] + image_set.mean[0]).round().int().tolist()


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(1, 30), min_size=2, max_size=6), st.integers(1, 200), st.integers(0, 3))
def test_a_draw_repeats_no_image_before_all_have_come(sizes: list[int], n: int, seed: int) -> None:
    labels = np.repeat(np.arange(len(sizes)), sizes)
    order = Split(None, np.arange(len(labels)), labels).draw(n, seed)  # type: ignore[arg-type]
    rounds, rest = divmod(n, len(labels))
    times = np.bincount(order, minlength=len(labels))
    assert len(order) == n
    assert set(times) <= {rounds, rounds + 1}
    assert (times == rounds + 1).sum() == (rest if rest else 0)


@settings(deadline=None, max_examples=30)
@given(st.integers(2, 12), st.integers(1, 20), st.integers(0, 5), st.data())
def test_equal_classes_differ_by_at_most_one_in_every_batch(
    classes: int, each: int, seed: int, data: st.DataObject
) -> None:
    labels = np.tile(np.arange(classes), each)
    n = data.draw(st.integers(1, len(labels)))
    counts = np.bincount(labels[Split(None, labels, labels).draw(n, seed)], minlength=classes)  # type: ignore[arg-type]
    assert counts.max() - counts.min() <= 1


def test_rare_classes_keep_their_share() -> None:
    labels = np.repeat([0, 1, 2], [900, 90, 10])
    for seed in range(20):
        counts = np.bincount(labels[Split(None, labels, labels).draw(200, seed)], minlength=3)  # type: ignore[arg-type]
        assert np.abs(counts - [180, 18, 2]).max() <= 2


def test_every_image_is_drawn_equally_often_over_seeds() -> None:
    split = Split(None, np.arange(40), np.repeat([0, 1], [30, 10]))  # type: ignore[arg-type]
    times = sum(np.bincount(split.draw(8, seed), minlength=40) for seed in range(4000))
    # 800 expected each, standard deviation about 25.
    assert np.abs(times - 800).max() < 120


def test_batch_is_a_function_of_the_seed_and_begins_with_the_smaller_one() -> None:
    images = numbered(np.arange(100) % 5)
    x, y = images.batch(32, seed=7)
    again, labels = images.batch(32, seed=7)
    assert torch.equal(x, again)
    assert torch.equal(y, labels)
    assert not torch.equal(x, images.batch(32, seed=8)[0])
    assert torch.equal(images.batch(9, seed=7)[0], x[:9])
    assert x.shape == (32, 1, 8, 8)
    assert x.dtype == torch.float32
    assert y.dtype == torch.int64


def test_batch_labels_belong_to_their_images() -> None:
    labels = np.random.default_rng(0).integers(0, 3, 90)
    images = numbered(labels)
    for split in ("train", "test"):
        x, y = images.batch(10, 0, split)
        assert labels[np.array(numbers(images, x)) + 1].tolist() == y.tolist()


def test_batch_and_arrays_hold_the_same_images_and_leave_torch_alone() -> None:
    images = numbered(np.arange(50) % 2)
    state = torch.random.get_rng_state()
    x, _ = images.batch(len(images.train), 3)
    everything, _ = images.arrays("train")
    assert sorted(numbers(images, x)) == everything[:, 0, 0, 0].int().tolist()
    assert torch.equal(torch.random.get_rng_state(), state)


def test_train_and_test_share_nothing_and_lose_nothing() -> None:
    images = numbered(np.arange(50) % 2)
    assert images.test is not None
    assert sorted([*images.train.indices, *images.test.indices]) == list(range(50))


def test_images_without_labels_come_without() -> None:
    images = numbered(None)
    assert images.num_classes is None
    assert images.classes == ()
    x, y = images.batch(10, 0)
    assert len(x) == 10
    assert y is None
    assert images.arrays("test")[1] is None
    assert "no classes" in repr(images)


def test_normalised_train_pixels_have_mean_0_and_deviation_1() -> None:
    x = np.random.default_rng(0).integers(0, 256, (40, 8, 9, 3), dtype=np.uint8) // np.array([1, 2, 4], dtype=np.uint8)
    images = from_arrays("random", (x, np.arange(40) % 2))
    pixels = images.normalise(images.arrays("train")[0]).double()
    assert pixels.mean((0, 2, 3)).abs().max() < 1e-6
    assert (pixels.std((0, 2, 3), correction=0) - 1).abs().max() < 1e-6


def test_a_constant_channel_is_centred_and_never_divided_by_zero() -> None:
    images = from_arrays("flat", (np.full((4, 8, 8), 51, dtype=np.uint8), [0, 1, 0, 1]), test_fraction=0)
    assert images.mean == (pytest.approx(0.2),)
    assert images.std == (1.0,)
    assert images.batch(4, 0)[0].abs().max() < 1e-6


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=5), st.floats(0, 0.99), st.integers(0, 3))
def test_partition_takes_its_share_of_every_class(sizes: list[int], fraction: float, seed: int) -> None:
    labels = np.repeat(np.arange(len(sizes)), sizes)
    train, test = partition(len(labels), labels, fraction, seed)
    assert sorted([*train, *test]) == list(range(len(labels)))
    held_out = np.bincount(labels[test], minlength=len(sizes))
    for size, share in zip(sizes, held_out, strict=True):
        assert share < size
        assert abs(share - fraction * size) <= 1
        assert share >= (1 if fraction > 0 and size > 1 else 0)


def test_the_split_depends_on_its_seed_and_fraction() -> None:
    labels = np.arange(100) % 4
    first = numbered(labels, seed=0)
    assert np.array_equal(first.train.indices, numbered(labels, seed=0).train.indices)
    assert not np.array_equal(first.train.indices, numbered(labels, seed=1).train.indices)
    assert numbered(labels, test_fraction=0.0).test is None
    with pytest.raises(DataError, match="no test split; load them with test_fraction > 0"):
        numbered(labels, test_fraction=0.0).batch(4, 0, "test")


def test_digest_tells_images_labels_splits_and_names_apart() -> None:
    x = np.random.default_rng(0).random((20, 8, 8, 3), dtype=np.float32)
    y = np.arange(20) % 2
    first = from_arrays("a", (x, y))
    assert len(first.digest) == 16
    assert first.digest == from_arrays("b", (np.moveaxis(x, 3, 1), y)).digest
    changed = x.copy()
    changed[3, 4, 5, 1] += 0.25
    others = [
        from_arrays("a", (changed, y)),
        from_arrays("a", (x, 1 - y)),
        from_arrays("a", (x, None)),
        from_arrays("a", (x, y), seed=1),
        from_arrays("a", (x, y), test_fraction=0.5),
        from_arrays("a", (x, y), classes=["cat", "dog"]),
        from_arrays("a", (x, y), image_size=9),
        from_arrays("a", (x, y), (x[:4], y[:4])),
    ]
    assert len({first.digest, *(other.digest for other in others)}) == 1 + len(others)
    whole = [from_arrays("a", (x, labels), test_fraction=0) for labels in (y, 1 - y)]
    assert whole[0].digest != whole[1].digest


def test_bad_requests_are_named() -> None:
    images = numbered(np.arange(20) % 2)
    with pytest.raises(InputError, match="at least 1 image, not 0"):
        images.batch(0, 0)
    with pytest.raises(InputError, match="unknown split 'val'; known: test, train"):
        images.batch(1, 0, "val")  # type: ignore[arg-type]


def test_an_image_set_travels_between_processes() -> None:
    images = numbered(np.arange(20) % 2)
    copy = pickle.loads(pickle.dumps(images))  # noqa: S301 (our own bytes)
    assert torch.equal(copy.batch(8, 1)[0], images.batch(8, 1)[0])
    assert copy.digest == images.digest
