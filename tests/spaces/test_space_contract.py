"""Every registered space fulfils the contract."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Collection
from typing import Any

import pytest

from untrained.registry import SPACES
from untrained.spaces.choices import Choices
from untrained.spaces.space import Space
from untrained.testing.space import Promise, SpaceContract

ALL: tuple[Promise, ...] = ("symmetric", "breeds-true", "aligned")
PROMISES: dict[str, tuple[Promise, ...]] = {
    "chain": ("symmetric", "aligned"),
    "darts": ALL,
    "darts-loose": ALL,
    "darts-tied": ALL,
    "macro": ALL,
    "nasbench101": ("breeds-true",),
    "nats-sss": ALL,
    "nats-tss": ALL,
    "nats-tss-super": ALL,
    "transnas-macro": ("symmetric", "aligned"),
    "transnas-micro": ALL,
}
"""What each space says of itself beyond the contract. A new space needs a row, if an empty one."""


# Other tests may register spaces of their own.
SHIPPED = [
    name
    for name in SPACES
    if type(SPACES[name]).__module__.startswith("untrained.") and not isinstance(SPACES[name], Choices)
]


class TestRegisteredSpaces(SpaceContract):
    @pytest.fixture(params=SHIPPED)
    def space(self, request: pytest.FixtureRequest) -> Any:
        return SPACES[request.param]

    def promises(self, space: Space) -> Collection[Promise]:
        return PROMISES[space.name]


def test_every_registered_space_is_covered() -> None:
    assert set(PROMISES) == set(SHIPPED)
    assert all(SPACES[name].name == name for name in SHIPPED)


def test_spaces_work_without_torch() -> None:
    """All but `build`, where importing torch would fail."""
    code = """
import sys
sys.modules["torch"] = None
from untrained.registry import SPACES
from untrained.seeds import generator
rng = generator("torchless")
for name in SPACES:
    space = SPACES[name]
    child = space.crossover(space.mutate(space.sample(rng), rng), space.sample(rng), rng)
    space.canonical(space.parse(space.format(child)))
    space.tokens(child), space.draw(child).svg(), next(iter(space.neighbours(child)))
"""
    subprocess.run([sys.executable, "-c", code], check=True)
