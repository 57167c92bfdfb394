"""Packed patterns against floats: which units are active on which samples, counted by brute force."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from untrained.probe.patterns import Patterns, _pack_on_device, pack

SAMPLES = (1, 2, 8, 16, 17, 32, 33, 64, 65, 100, 130)


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def patterns_of(layers: list[Tensor]) -> tuple[Patterns, np.ndarray]:
    """The packed patterns of layers (S, ...), and the same as a boolean matrix (S, V)."""
    packed = Patterns(len(layers[0]))
    for layer in layers:
        packed.add(pack(layer))
    return packed, torch.cat([layer.flatten(1) > 0 for layer in layers], dim=1).numpy()


def layers(samples: int, seed: int = 0) -> list[Tensor]:
    """Layers of odd sizes, one of a few units, with units that repeat, are always on or always off."""
    wide, narrow = draw(samples, 5, 9, 7, seed=seed), draw(samples, 3, seed=seed + 1)
    wide[:, 1] = wide[:, 0]
    wide[:, 2] = 1.0
    wide[:, 3, :4] = -1.0
    wide[:, 4, 0] = 0.0
    return [wide, narrow, draw(samples, 130, seed=seed + 2)]


def same(packed: Patterns, matrix: np.ndarray) -> None:
    """All that is read off the patterns is what the matrix says."""
    samples, units = matrix.shape
    assert packed.units == units
    assert packed.distinct_units() == len(np.unique(matrix, axis=1).T)
    assert packed.distinct_samples() == len(np.unique(matrix, axis=0))
    a = matrix.astype(np.int64)
    np.testing.assert_array_equal(packed.agreement(), a @ a.T + (1 - a) @ (1 - a).T)
    bits = ((packed.rows[:, :, None] >> np.arange(64, dtype=np.uint64)) & np.uint64(1)).reshape(samples, -1)
    assert bits.sum() == matrix.sum()


@pytest.mark.parametrize("samples", SAMPLES)
def test_patterns_are_exact(samples: int) -> None:
    for seed in range(3):
        same(*patterns_of(layers(samples, seed)))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 140), st.lists(st.integers(1, 200), min_size=1, max_size=4), st.integers(0, 10**6))
def test_patterns_of_any_size_are_exact(samples: int, widths: list[int], seed: int) -> None:
    # Few distinct values, so that patterns repeat.
    rng = np.random.default_rng(seed)
    base = [torch.from_numpy(rng.integers(-1, 2, (samples, width)).astype(np.float32)) for width in widths]
    same(*patterns_of([layer[:, rng.integers(0, layer.shape[1], layer.shape[1])] for layer in base]))


@pytest.mark.parametrize("samples", SAMPLES)
def test_bits_of_a_code(samples: int) -> None:
    """Bit s of word w belongs to sample 64 w + s."""
    x = draw(samples, 37)
    codes = pack(x)
    assert codes.shape == (-(-samples // 64), 37)
    for sample in range(samples):
        bit = (codes[sample // 64].astype(np.uint64) >> np.uint64(sample % 64)) & np.uint64(1)
        np.testing.assert_array_equal(bit.astype(bool), (x[sample] > 0).numpy())


@pytest.mark.parametrize("samples", SAMPLES)
def test_what_packs_on_an_accelerator_packs_the_same(samples: int) -> None:
    x = draw(samples, 5, 9, 7)
    np.testing.assert_array_equal(_pack_on_device(x), pack(x))
    assert _pack_on_device(x).dtype == pack(x).dtype


def test_zero_nan_and_infinity() -> None:
    x = torch.tensor([[0.0, -0.0, float("nan"), float("inf"), -float("inf"), 1e-45, -1e-45]])
    np.testing.assert_array_equal(pack(x), [[0, 0, 0, 1, 0, 1, 0]])


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x.to(memory_format=torch.channels_last),
        lambda x: x.transpose(2, 3),
        lambda x: x[:, ::2],
        lambda x: x[::2],
        lambda x: x[1:, 1:, 1:],
        lambda x: x[:1].expand(7, -1, -1, -1),
        lambda x: x.flip(0),
        lambda x: x.permute(1, 0, 2, 3),
        lambda x: x.double(),
        lambda x: x.half(),
        lambda x: x.bfloat16(),
        lambda x: x.requires_grad_(),
        lambda x: x.flatten(1),
        lambda x: x[:, 0, 0, 0],
        lambda x: x.view(-1),
    ],
)
def test_any_layout_and_type(change) -> None:
    x = change(draw(8, 6, 5, 4))
    codes, flat = pack(x), (x > 0).reshape(len(x), -1).numpy()
    assert codes.shape[1] == flat.shape[1]
    for sample in range(len(x)):
        bit = (codes[sample // 64].astype(np.uint64) >> np.uint64(sample % 64)) & np.uint64(1)
        np.testing.assert_array_equal(bit.astype(bool), flat[sample])


def test_order_of_layers_and_samples_does_not_matter() -> None:
    for samples in (16, 40, 100):
        made = layers(samples)
        order = torch.from_numpy(np.random.default_rng(0).permutation(samples))
        first, _ = patterns_of(made)
        backwards, _ = patterns_of(made[::-1])
        shuffled, _ = patterns_of([layer[order] for layer in made])
        assert first.distinct_units() == backwards.distinct_units() == shuffled.distinct_units()
        np.testing.assert_array_equal(first.agreement(), backwards.agreement())
        np.testing.assert_array_equal(first.agreement()[np.ix_(order, order)], shuffled.agreement())


def test_all_patterns_there_are() -> None:
    """Every code of 16 samples once: the largest count that a batch of 16 allows."""
    codes = np.arange(1 << 16)
    x = torch.from_numpy(((codes[None, :] >> np.arange(16)[:, None]) & 1).astype(np.float32))
    packed, _ = patterns_of([x, x[:, :100]])
    assert packed.distinct_units() == 1 << 16


def test_no_layers() -> None:
    empty = Patterns(10)
    assert (empty.units, empty.distinct_units(), empty.distinct_samples()) == (0, 0, 0)
    np.testing.assert_array_equal(empty.agreement(), np.zeros((10, 10)))


def test_dead_network() -> None:
    for samples in (1, 16, 40, 100):
        packed, _ = patterns_of([-torch.ones(samples, 70)])
        assert (packed.units, packed.distinct_units(), packed.distinct_samples()) == (70, 1, 1)
