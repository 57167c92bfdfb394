"""One cell for both places: what it is as a pair, and what a search scores of it by default."""

from __future__ import annotations

import pandas as pd
import pytest
import torch

from untrained.architecture import Architecture
from untrained.errors import ArchitectureError
from untrained.registry import SPACES
from untrained.seeds import generator
from untrained.spaces.darts import darts_loose, darts_tied
from untrained.spaces.genotype import OPERATIONS
from untrained.study.search import open_search

NONE, SKIP = OPERATIONS.index("none"), OPERATIONS.index("skip_connect")


def as_pair(architecture: Architecture) -> Architecture:
    return darts_loose.parse(darts_tied.format(architecture))


def with_zeros_and_skips(seed: int) -> Architecture:
    """Operations that canonical forms know something of, on random edges."""
    rng = generator("tied", seed)
    genes = list(darts_tied.sample(rng).genes)
    for place in range(0, len(genes), 2):
        if rng.random() < 0.7:
            genes[place] = int(rng.choice([NONE, SKIP]))
    text = darts_loose.format(Architecture("darts-loose", tuple(genes) * 2))
    return darts_tied.parse(text)  # puts the inputs of each node in order


@pytest.mark.parametrize("skeleton", ["swap", "proxy"])
def test_the_network_is_that_of_the_pair(skeleton: str) -> None:
    for seed in range(3):
        architecture = darts_tied.sample(generator("pair", seed))
        networks = []
        for space, one in ((darts_tied, architecture), (darts_loose, as_pair(architecture))):
            torch.manual_seed(0)
            networks.append(space.build(one, skeleton=skeleton))
        first, second = (network.state_dict() for network in networks)
        assert list(first) == list(second)
        assert all(torch.equal(first[name], second[name]) for name in first)
        images = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(seed))
        assert torch.equal(networks[0].eval()(images), networks[1].eval()(images))


def test_what_is_the_same_is_the_same_as_a_pair() -> None:
    changed = 0
    for seed in range(300):
        architecture = with_zeros_and_skips(seed)
        canonical = darts_tied.canonical(architecture)
        assert darts_loose.canonical(as_pair(canonical)) == darts_loose.canonical(as_pair(architecture))
        changed += canonical != architecture
    assert changed > 100


def test_a_skip_from_an_input_is_no_repetition() -> None:
    """It is one in the normal cell, but shrinks in the reduction cell."""
    start, end = (SKIP, 0, NONE, 0, 3, 0, 3, 0), (0, 1, 0, 1)
    one, other = (darts_tied.validate(Architecture("darts-tied", (*start, 3, 0, 3, source, *end))) for source in (0, 2))
    assert darts_tied.canonical(one) != darts_tied.canonical(other)


def test_two_cells_are_refused() -> None:
    text = darts_loose.format(darts_loose.sample(generator("two")))
    with pytest.raises(ArchitectureError, match="has one cell"):
        darts_tied.parse(text)


def test_changes_keep_one_cell_and_come_from_both_parents() -> None:
    rng = generator("cross")
    for _ in range(50):
        a, b = darts_tied.sample(rng), darts_tied.sample(rng)
        child = darts_tied.crossover(a, b, rng)
        nodes = [[one.genes[i : i + 4] for i in range(0, 16, 4)] for one in (child, a, b)]
        taken = [(c == x, c == y) for c, x, y in zip(*nodes, strict=True)]
        assert all(any(pair) for pair in taken)
        assert sum(not from_a for from_a, _ in taken) == 1
        assert len(darts_tied.mutate(a, rng).genes) == 16


def test_the_published_list_is_of_this_space(shared_data) -> None:
    table = pd.read_parquet(shared_data / "darts_small_500.parquet")
    found = {darts_tied.parse(text) for text in table["genotype"]}
    assert len(found) == 500


@pytest.mark.parametrize(("name", "scored"), [("darts-tied", "swap"), ("nats-tss", "proxy")])
def test_a_search_scores_what_the_space_names(name: str, scored: str) -> None:
    space = SPACES[name]
    study = open_search(name, metrics="swap")
    assert space.skeleton(study.setup["skeleton"]) == space.skeletons[scored]
    other = open_search(name, metrics="swap", skeleton="channels=2,cells=2")
    assert space.skeleton(other.setup["skeleton"]).channels == 2
