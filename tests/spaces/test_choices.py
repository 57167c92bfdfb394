"""A user's own space, defined in a few lines."""

from __future__ import annotations

import numpy as np
import pytest

from untrained.architecture import Architecture
from untrained.errors import ArchitectureError, InputError
from untrained.registry import SPACES
from untrained.spaces.choices import Choices, define_space


@define_space(
    "test-choices",
    same=lambda choice: {**choice, "depth": 1} if choice["kind"] == "none" else choice,
    kind=["conv", "pool", "none"],
    depth=[1, 2, 4],
    only=["one"],
)
def build(choice, num_classes, in_chans, channels):
    """A space for tests."""
    from torch import nn

    convs = [nn.Conv2d(in_chans if k == 0 else channels, channels, 3, padding=1) for k in range(choice["depth"])]
    return nn.Sequential(*convs, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, num_classes))


@pytest.fixture
def space() -> Choices:
    return SPACES["test-choices"]


def test_size_is_the_product_of_the_choices(space: Choices) -> None:
    rng = np.random.default_rng(0)
    assert space.size == 9
    assert len({space.sample(rng) for _ in range(300)}) == 9


def test_texts_round_trip(space: Choices) -> None:
    architecture = space.parse("kind=pool,depth=4,only=one")
    assert space.choice(architecture) == {"kind": "pool", "depth": 4, "only": "one"}
    assert Architecture.parse(str(architecture)) == architecture


@pytest.mark.parametrize(
    ("text", "column"), [("kind=pool", 9), ("kind=pol,depth=4,only=one", 5), ("kind=pool,deep=4,only=one", 10)]
)
def test_errors_point_at_the_column(space: Choices, text: str, column: int) -> None:
    with pytest.raises(ArchitectureError, match=f"column {column + 1}"):
        space.parse(text)


def test_same_networks_share_a_canonical_form(space: Choices) -> None:
    forms = {space.canonical(space.parse(f"kind=none,depth={depth},only=one")) for depth in (1, 2, 4)}
    assert forms == {space.parse("kind=none,depth=1,only=one")}


def test_neighbours_change_one_position(space: Choices) -> None:
    architecture = space.parse("kind=conv,depth=2,only=one")
    neighbours = list(space.neighbours(architecture))
    assert len(neighbours) == len(set(neighbours)) == 4
    assert all(sum(a != b for a, b in zip(n.genes, architecture.genes, strict=True)) == 1 for n in neighbours)


def test_crossover_takes_every_gene_from_a_parent(space: Choices) -> None:
    a, b = space.parse("kind=conv,depth=1,only=one"), space.parse("kind=pool,depth=4,only=one")
    rng = np.random.default_rng(1)
    children = {space.crossover(a, b, rng).genes for _ in range(100)}
    assert children == {(k, d, 0) for k in (0, 1) for d in (0, 2)}


def test_proxies_are_thinner(space: Choices) -> None:
    architecture = space.parse("kind=conv,depth=2,only=one")
    widths = [space.build(architecture, skeleton=name)[0].out_channels for name in ("full", "proxy")]
    assert widths == [16, 8]


@pytest.mark.parametrize(
    ("name", "positions"),
    [("a:b", {"x": [1, 2]}), ("a", {}), ("a", {"x": [1]}), ("a", {"x": [1, 1]}), ("a", {"x": ["a,b", "c"]})],
)
def test_unusable_definitions_are_refused(name: str, positions: dict[str, list[object]]) -> None:
    with pytest.raises(InputError):
        define_space(name, **positions)(build)
