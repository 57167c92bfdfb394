"""Super-networks over the topology space: sums on edges, ways to prune, and the cells they end in."""

from __future__ import annotations

import pytest
import torch

from untrained.architecture import Architecture
from untrained.errors import ArchitectureError
from untrained.nn.counts import count_parameters
from untrained.seeds import generator
from untrained.spaces.nats_tss import nats_tss
from untrained.spaces.nats_tss_super import CANDIDATES, FULL, nats_tss_super

SMALL = "channels=2,cells=1"


def embedded(cell: Architecture) -> Architecture:
    return nats_tss_super.parse(nats_tss.format(cell))


def built(architecture: Architecture | str) -> torch.nn.Module:
    torch.manual_seed(0)
    space = nats_tss if architecture.space == "nats-tss" else nats_tss_super
    return space.build(architecture, num_classes=3, in_chans=1, skeleton=SMALL)


def test_every_cell_is_one_and_the_same_network() -> None:
    images = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    for index in range(0, nats_tss.size, 500):
        cell = nats_tss.at(index)
        one = embedded(cell)
        assert nats_tss_super.answer(one) == cell
        assert nats_tss_super.format(one) == nats_tss.format(cell)
        assert nats_tss_super.canonical(one) == embedded(nats_tss.canonical(cell))
        first, second = built(cell), built(one)
        assert list(first.state_dict()) == list(second.state_dict())
        assert torch.equal(first(images), second(images))


def test_cells_are_taken_as_its_own() -> None:
    for index in (0, 77, 9930):
        cell = nats_tss.at(index)
        one = embedded(cell)
        for method in ("canonical", "format", "tokens", "answer"):
            assert getattr(nats_tss_super, method)(cell) == getattr(nats_tss_super, method)(one)
        assert nats_tss_super.validate(cell) is cell
        assert list(nats_tss_super.neighbours(cell)) == list(nats_tss_super.neighbours(one))
    with pytest.raises(ArchitectureError):
        nats_tss_super.canonical(Architecture("nats-tss", (0, 0, 0, 0, 0, 5)))


def test_an_edge_sums_its_operations() -> None:
    """By linearity of what follows: a cell with pool and skip on its only edge is the mean of both alone, doubled."""
    pool, skip = 1 << CANDIDATES.index("avg_pool_3x3"), 1 << CANDIDATES.index("skip_connect")
    images = torch.randn(3, 4, 6, 6, generator=torch.Generator().manual_seed(2))
    outputs = [
        built(Architecture("nats-tss-super", (0, 0, 0, mask, 0, 0))).body[0](images[:, :2])
        for mask in (pool, skip, pool | skip)
    ]
    assert torch.allclose(outputs[0] + outputs[1], outputs[2])
    assert torch.equal(outputs[1], images[:, :2])


def test_parameters_add_up() -> None:
    """Those of a super-network over those of an empty cell are the sum over its operations."""
    empty = count_parameters(built(Architecture("nats-tss-super", (0,) * 6)))

    def added(genes: tuple[int, ...]) -> int:
        return count_parameters(built(Architecture("nats-tss-super", genes))) - empty

    rng = generator("sum")
    for _ in range(10):
        genes = nats_tss_super.sample(rng).genes
        single = [
            tuple(1 << bit if edge == place else 0 for place in range(6))
            for edge, mask in enumerate(genes)
            for bit in range(4)
            if mask >> bit & 1
        ]
        assert added(genes) == sum(map(added, single))


def test_prunings() -> None:
    ways = list(nats_tss_super.prunings(nats_tss_super.full))
    assert [edge for edge, _ in ways] == [edge for edge in range(6) for _ in range(4)]
    assert len({pruned for _, pruned in ways}) == 24
    some = Architecture("nats-tss-super", (0b0101, 0, 0b1000, 0b0001, 0b1111, 0b0010))
    for edge, pruned in nats_tss_super.prunings(some):
        assert edge in (0, 4)
        assert [a == b for a, b in zip(pruned.genes, some.genes, strict=True)].count(False) == 1
        assert pruned.genes[edge] | some.genes[edge] == some.genes[edge]
        assert pruned.genes[edge].bit_count() == some.genes[edge].bit_count() - 1 > 0
    assert len(list(nats_tss_super.prunings(some))) == 2 + 4
    assert not list(nats_tss_super.prunings(embedded(nats_tss.at(5))))
    assert nats_tss_super.answer(some) is None
    assert nats_tss_super.full.genes == (FULL,) * 6


@pytest.mark.parametrize(
    ("edge", "message"),
    [
        ("none&skip_connect", "unknown operation 'none'"),
        ("skip_connect&skip_connect", "twice on an edge"),
        ("skip_connect&", "unknown operation ''"),
        ("conv", "unknown operation 'conv'"),
    ],
)
def test_texts_that_cannot_be_read(edge: str, message: str) -> None:
    with pytest.raises(ArchitectureError, match=message):
        nats_tss_super.parse(f"|{edge}~0|+|none~0|none~1|+|none~0|none~1|none~2|")


def test_operations_in_any_order() -> None:
    text = "|nor_conv_3x3&skip_connect~0|+|none~0|none~1|+|none~0|none~1|none~2|"
    assert nats_tss_super.parse(text).genes == (0b0101, 0, 0, 0, 0, 0)
    assert nats_tss_super.format(nats_tss_super.parse(text)).startswith("|skip_connect&nor_conv_3x3~0|")
    with pytest.raises(ArchitectureError):
        nats_tss.parse(text)
