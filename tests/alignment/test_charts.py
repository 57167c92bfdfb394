"""Charts: rows are the architectures, columns correspond, the consensus is what most have."""

from __future__ import annotations

import numpy as np
import pytest

from untrained.alignment import similarity_matrix
from untrained.alignment.alignment import align
from untrained.alignment.charts import Chart, Consensus, chart
from untrained.alignment.costs import chain as published
from untrained.architecture import Architecture
from untrained.errors import InputError
from untrained.seeds import generator
from untrained.spaces.space import space

CHAIN = space("chain")


def family(count: int, seed: int = 0) -> list[Architecture]:
    """A random chain and its descendants."""
    rng = generator("chart", seed)
    members = [CHAIN.sample(rng)]
    while len(members) < count:
        members.append(CHAIN.mutate(members[int(rng.integers(len(members)))], rng))
    return members


def earned(one: tuple, other: tuple) -> float:
    """The score of two rows of a chart as an alignment."""
    total = 0.0
    for a, b in zip(one, other, strict=True):
        if a and b:
            total += published([a, b])[0, 1]
        elif a or b:
            total -= 0.5
    return total


@pytest.mark.parametrize("seed", range(4))
def test_rows_without_gaps_are_the_architectures(seed: int) -> None:
    members = family(9, seed)
    made = chart(members)
    assert made.architectures == tuple(members)
    assert len({len(row) for row in made.rows}) == 1
    for row, member in zip(made.rows, members, strict=True):
        assert tuple(token for token in row if token) == CHAIN.tokens(member)
    assert all(any(column) for column in zip(*made.rows, strict=True))


@pytest.mark.parametrize("seed", range(4))
def test_every_row_is_best_aligned_to_the_most_similar_one(seed: int) -> None:
    members = family(7, seed)
    made = chart(members)
    centre = int(np.argmax(similarity_matrix(members).mean(axis=1)))
    for row, member in zip(made.rows, members, strict=True):
        assert earned(made.rows[centre], row) == pytest.approx(align(members[centre], member).score)


def test_by_hand() -> None:
    texts = [f"chain:{text}" for text in ("C16k3s1-B-L-g", "C16k3s1-L-g", "C16k3s1-B-L-M2-G", "D3s1-B-L-g")]
    texts = [text.replace("D3", "Dk3") for text in texts]
    made = chart(texts)
    assert str(made).splitlines() == ["CBL-g", "C-L-g", "CBLMG", "DBL-g", "", "CBL-g"]
    assert made.consensus == (
        Consensus("C", "conv", 0.75), Consensus("B", "batch_norm", 0.75), Consensus("L", "relu", 1.0),
        Consensus("-", "", 0.75), Consensus("g", "global_avg_pool", 0.75),
    )  # fmt: skip
    assert made.heads == ("",) * 5


def test_ties_go_to_the_first_from_the_top() -> None:
    pair = ["chain:C16k3s1-g", "chain:Dk3s1-g"]
    assert chart(pair).consensus[0] == Consensus("C", "conv", 0.5)
    assert chart(pair[::-1]).consensus[0] == Consensus("D", "depthwise_conv", 0.5)


def test_equal_architectures_have_no_gaps() -> None:
    member = family(1)[0]
    made = chart([member] * 3)
    assert made == Chart((member,) * 3, (CHAIN.tokens(member),) * 3, ("",) * len(CHAIN.tokens(member)))
    assert all(one.share == 1.0 for one in made.consensus)


@pytest.mark.parametrize(
    ("name", "heads"),
    [
        ("nats-tss", ("0→1", "0→2", "1→2", "0→3", "1→3", "2→3")),
        ("nats-sss", ("0", "1", "2", "3", "4")),
    ],
)
def test_places_are_columns_where_all_have_the_same(name: str, heads: tuple[str, ...]) -> None:
    rng = generator("places")
    members = [space(name).sample(rng) for _ in range(5)]
    made = chart(members)
    assert made.heads == heads
    assert made.rows == tuple(space(name).tokens(one) for one in members)


def test_rules_may_be_broken() -> None:
    broken = Architecture.parse("chain:C16k3s1-C16k3s1", strict=False)
    assert str(chart([broken, "chain:C16k3s1-g"])).splitlines()[:2] == ["C-C", "Cg-"]


def test_what_has_no_columns() -> None:
    rng = generator("cells")
    with pytest.raises(InputError, match="no common columns"):
        chart([space("nasbench101").sample(rng) for _ in range(3)])
    with pytest.raises(InputError, match="at least one"):
        chart([])
    with pytest.raises(InputError, match="one space"):
        chart([family(1)[0], space("nats-tss").sample(rng)])
