"""Gene positions: values learned from samples, numbers and back."""

from __future__ import annotations

import numpy as np
import pytest

from untrained.algorithms.positions import Positions
from untrained.errors import InputError
from untrained.spaces.space import space

SIZES = {"nats-tss": [5] * 6, "nats-sss": [8] * 5, "transnas-micro": [4] * 6}


@pytest.mark.parametrize("name", SIZES)
def test_all_values_are_found(name: str) -> None:
    positions = Positions(space(name), "test")
    assert positions.sizes.tolist() == SIZES[name]
    assert all(values == list(range(len(values))) for values in positions.values)


@pytest.mark.parametrize("name", [*SIZES, "darts"])
def test_round_trip(name: str) -> None:
    place = space(name)
    positions = Positions(place, "test")
    rng = np.random.default_rng(1)
    for _ in range(200):
        architecture = place.sample(rng)
        assert positions.decode(positions.encode(architecture)) == architecture


def test_combinations_that_the_space_does_not_have() -> None:
    place = space("darts")
    positions = Positions(place, "test")
    rng = np.random.default_rng(1)
    drawn = [positions.decode(rng.integers(positions.sizes).tolist()) for _ in range(300)]
    valid = [architecture for architecture in drawn if architecture is not None]
    assert 0 < len(valid) < 300
    assert all(place.validate(architecture) == architecture for architecture in valid)


@pytest.mark.parametrize("name", ["chain", "nasbench101", "transnas-macro"])
def test_lengths_that_vary_are_refused(name: str) -> None:
    with pytest.raises(InputError, match=f"'someone' needs .* fixed number of genes.*{name}"):
        Positions(space(name), "someone")


def test_one_hot() -> None:
    positions = Positions(space("nats-tss"), "test")
    numbers = np.array([[0, 1, 2, 3, 4, 0], [4, 4, 4, 4, 4, 4], [0, 1, 2, 3, 4, 4]])
    table = positions.one_hot(numbers)
    assert table.shape == (3, 30)
    np.testing.assert_array_equal(table.reshape(3, 6, 5).argmax(axis=2), numbers)
    np.testing.assert_array_equal(table.sum(axis=1), [6, 6, 6])
    np.testing.assert_allclose(positions.shares(table), [5 / 9, 5 / 9, 5 / 9, 5 / 9, 1, 5 / 9])
