"""Motifs: counts by hand, probabilities by enumeration."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from untrained.alignment import motifs
from untrained.errors import InputError
from untrained.spaces.space import space

POPULATION = [
    "chain:C64k3s1-B-L-C64k3s1-B-g",
    "chain:C16k3s1-B-M2-g",
    "chain:C64k5s1-L-M2-E",
    "chain:Dk3s1-B-L-g",
    "chain:Dk3s1-L-M3-E",
]


def test_counts_and_probabilities_of_a_small_group() -> None:
    found = {motif.symbols: motif for motif in motifs(POPULATION[:2], POPULATION)}
    block = found["CB"]
    assert (block.kinds, block.count, block.occurrences, block.total) == (("conv", "batch_norm"), 2, 3, 2)
    assert (block.frequency, block.enrichment) == (1.0, 2.5)
    assert block.p == pytest.approx(1 / 10)
    # B: both members of the group and one other. A random pair has it in both with probability 3/10.
    assert found["B"].p == pytest.approx(3 / 10)
    assert found["LC"].count == 1
    assert found["LME"].count == 0
    assert found["LME"].p == 1.0
    assert "gC" not in found
    assert str(block).startswith("CB: 100% of the group, 2.50x, q = ")


def test_p_is_the_share_of_random_groups_that_have_as_many() -> None:
    rng = np.random.default_rng(0)
    population = [space("chain").sample(rng) for _ in range(7)]
    found = motifs(population[:3], population, lengths=(1, 2))
    having = {motif.kinds: [] for motif in found}
    for one in population:
        kinds = [token.kind for token in space("chain").tokens(one)]
        for block, seen in having.items():
            # r and R have the same kind but are motifs of their own: skip what the kind cannot tell.
            seen.append(any(tuple(kinds[i : i + len(block)]) == block for i in range(len(kinds))))
    for motif in found:
        if {"residual", "bottleneck"} & set(motif.kinds):
            continue
        groups = list(itertools.combinations(having[motif.kinds], 3))
        assert motif.p == pytest.approx(sum(sum(group) >= motif.count for group in groups) / len(groups))


def test_blocks_of_a_cell_follow_its_edges() -> None:
    cell = "nats-tss:|nor_conv_3x3~0|+|none~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_1x1~1|nor_conv_1x1~2|"
    found = {motif.symbols: motif.occurrences for motif in motifs([cell], [cell])}
    assert found == {"3": 1, "p": 1, "s": 1, "1": 2, "3p": 1, "31": 1, "p1": 1, "3p1": 1}


def test_a_motif_that_makes_a_group_good_comes_first() -> None:
    rng = np.random.default_rng(1)
    population = [space("chain").sample(rng) for _ in range(150)]
    symbols = {one: "".join(token.symbol for token in space("chain").tokens(one)) for one in population}
    found = motifs([one for one in population if "CD" in symbols[one]], population)
    assert (found[0].symbols, found[0].frequency) == ("CD", 1.0)
    assert found[0].q < 1e-6
    # Benjamini and Hochberg: the least p * tests / rank over this and all higher ranks.
    p = [motif.p for motif in found]
    assert p == sorted(p)
    adjusted = np.minimum.accumulate([p[i] * len(p) / (i + 1) for i in range(len(p))][::-1])[::-1]
    assert [motif.q for motif in found] == pytest.approx(np.minimum(adjusted, 1.0).tolist(), rel=1e-12)


def test_groups_that_are_no_part_are_refused() -> None:
    with pytest.raises(InputError, match="without members"):
        motifs([], POPULATION)
    with pytest.raises(InputError, match="is missing there"):
        motifs(["chain:C64k3s1-g"], POPULATION)
    with pytest.raises(InputError, match="is missing there"):
        motifs(POPULATION[:1] * 2, POPULATION)
    with pytest.raises(InputError, match="length of 1 or more"):
        motifs(POPULATION[:1], POPULATION, lengths=(0,))
