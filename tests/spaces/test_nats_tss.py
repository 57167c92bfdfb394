"""The topology space against its published numbers, and its canonical form against the networks themselves."""

from __future__ import annotations

import itertools
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
import torch

from untrained.architecture import Architecture
from untrained.errors import ArchitectureError, InputError
from untrained.nn.blocks import ReLUConvBN
from untrained.nn.counts import count_parameters
from untrained.seeds import generator
from untrained.spaces.four_nodes import EDGES
from untrained.spaces.nats_tss import OPERATIONS, nats_tss
from untrained.spaces.space import Skeleton

TEXT = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|"


def cell(*genes: int) -> Architecture:
    return nats_tss.validate(Architecture("nats-tss", genes))


# -- numbers -----------------------------------------------------------------------------------------------------------


def test_the_space_has_its_published_size() -> None:
    assert len(set(nats_tss)) == nats_tss.size == 15_625


@pytest.mark.parametrize(
    ("level", "classes"),
    [("raw", 15_625), ("skip", 12_751), ("official", 6_466), ("tight", 4_930), ("function", 5_260)],
)
def test_classes_of_identical_cells(level: Any, classes: int) -> None:
    assert len({nats_tss.canonical_text(architecture, level) for architecture in nats_tss}) == classes


def test_an_unknown_level_is_refused() -> None:
    with pytest.raises(InputError, match="tight"):
        nats_tss.canonical_text(nats_tss.at(0), "tighter")  # type: ignore[arg-type]


def test_most_cells_lead_from_input_to_output() -> None:
    def connected(genes: tuple[int, ...]) -> bool:
        reached = {0}
        for gene, (source, target) in sorted(zip(genes, EDGES, strict=True), key=lambda item: item[1]):
            if OPERATIONS[gene] != "none" and source in reached:
                reached.add(target)
        return 3 in reached

    found = [nats_tss.is_connected(architecture) for architecture in nats_tss]
    assert found == [connected(architecture.genes) for architecture in nats_tss]
    assert sum(found) == 15_284


def test_official_classes_are_the_benchmarks(shared_data: Path) -> None:
    table = pandas.read_parquet(shared_data / "nats_tss_cifar10.parquet", columns=["iso_class"])
    pairs = {(nats_tss.canonical_text(a, "official"), c) for a, c in zip(nats_tss, table["iso_class"], strict=True)}
    assert len(pairs) == 6_466 == len({text for text, _ in pairs}) == len({number for _, number in pairs})


# -- the canonical form ------------------------------------------------------------------------------------------------

Value = tuple[Any, ...]
"""A sum: its terms ("in",), ("pool", value) or (operation, edge, value), sorted."""


def value(genes: tuple[int, ...]) -> Value:
    """What reaches node 3, with every convolution named by its edge."""
    nodes: list[list[Value]] = [[("in",)], [], [], []]
    for edge, (source, target) in enumerate(EDGES):
        operation, terms = OPERATIONS[genes[edge]], tuple(sorted(nodes[source], key=repr))
        if operation == "skip_connect":
            nodes[target].extend(terms)
        elif operation == "avg_pool_3x3" and terms:
            nodes[target].append(("pool", terms))
        elif operation != "none" and terms:
            nodes[target].append((operation, edge, terms))
    return tuple(sorted(nodes[3], key=repr))


def convolutions(terms: Value) -> set[int]:
    """The edges whose convolutions reach the output."""
    found: set[int] = set()
    for term in terms:
        found |= convolutions(term[-1]) | ({term[1]} if len(term) == 3 else set()) if len(term) > 1 else set()
    return found


def renamed(terms: Value, names: dict[int, int]) -> Value:
    def rename(term: Value) -> Value:
        if len(term) == 1:
            return term
        inner = renamed(term[-1], names)
        return (term[0], inner) if len(term) == 2 else (term[0], names[term[1]], inner)

    return tuple(sorted(map(rename, terms), key=repr))


def matching(a: Architecture, b: Architecture) -> dict[int, int] | None:
    """For each live convolution of `a` the one of `b` that does its work, or None where the cells differ."""
    first, second = value(a.genes), value(b.genes)
    live, others = sorted(convolutions(first)), sorted(convolutions(second))
    if len(live) == len(others):
        for order in itertools.permutations(others):
            names = dict(zip(live, order, strict=True))
            if renamed(first, names) == second:
                return names
    return None


def test_cells_share_a_representative_exactly_if_they_compute_the_same() -> None:
    classes = defaultdict(list)
    for architecture in nats_tss:
        representative = nats_tss.canonical(architecture)
        assert matching(architecture, representative) is not None
        classes[nats_tss.canonical_text(representative, "tight")].append(representative)
    # Cells of different tight classes differ; within one, different representatives must differ as well.
    for representatives in classes.values():
        for a, b in itertools.combinations(set(representatives), 2):
            assert matching(a, b) is None


def convolution_blocks(network: torch.nn.Module, architecture: Architecture) -> list[dict[int, ReLUConvBN]]:
    """Cell by cell, the convolutions by edge."""
    edges = [edge for edge, gene in enumerate(architecture.genes) if "conv" in OPERATIONS[gene]]
    cells = [module for module in network.modules() if type(module).__name__ == "Cell"]
    assert len(cells) == 3
    found = [[m for m in module.modules() if isinstance(m, ReLUConvBN)] for module in cells]
    return [dict(zip(edges, blocks, strict=True)) for blocks in found]


@pytest.mark.parametrize("number", range(24))
def test_the_canonical_network_computes_the_same_function(number: int) -> None:
    # Every cell that shares a convolution is rare, so that two of them stand beside the random ones.
    cells = [cell(2, 0, 1, 0, 1, 1), cell(3, 3, 1, 1, 1, 3), *map(nats_tss.sample, [generator("canonical", number)])]
    original = cells[number] if number < 2 else cells[2]
    representative = nats_tss.canonical(original)
    skeleton = Skeleton(channels=4, cells=1)
    first, second = (nats_tss.build(a, num_classes=3, skeleton=skeleton).double() for a in (original, representative))
    names = matching(original, representative)
    assert names is not None
    sources, targets = convolution_blocks(first, original), convolution_blocks(second, representative)
    for source, target in zip(sources, targets, strict=True):
        for edge, other in names.items():
            target[other].load_state_dict(source[edge].state_dict())
    frame = {name: tensor for name, tensor in first.state_dict().items() if ".edges." not in name}
    second.load_state_dict(frame, strict=False)
    images = torch.from_numpy(generator("images").standard_normal((4, 3, 8, 8)))
    torch.testing.assert_close(first(images), second(images), rtol=1e-9, atol=1e-9)


def test_one_convolution_used_twice_is_not_two_convolutions() -> None:
    shared, separate = cell(2, 1, 1, 0, 1, 1), cell(1, 2, 0, 1, 2, 1)
    assert nats_tss.canonical_text(shared, "official") == nats_tss.canonical_text(separate, "official")
    assert nats_tss.canonical_text(shared) == nats_tss.canonical_text(separate)
    assert nats_tss.canonical(shared) != nats_tss.canonical(separate)


def test_representatives_are_the_cheapest_of_their_class() -> None:
    price = np.array([0, 1, 10, 100, 2])  # of none, skip, 1x1, 3x3 and pooling
    prices = {architecture: price[list(architecture.genes)].sum() for architecture in nats_tss}
    assert all(prices[nats_tss.canonical(architecture)] <= paid for architecture, paid in prices.items())


# -- the official order and counts -------------------------------------------------------------------------------------


def test_anchors_of_the_official_order() -> None:
    """Indices of NATS-Bench v1.0: the first cell, and the fixed cell of the size space."""
    first = "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|"
    assert nats_tss.format(nats_tss.at(0)) == first
    assert nats_tss.index(nats_tss.parse(TEXT)) == 9930


def test_index_and_at_are_inverse() -> None:
    assert [nats_tss.index(nats_tss.at(index)) for index in range(nats_tss.size)] == list(range(nats_tss.size))
    assert [nats_tss.at(index) for index in range(0, nats_tss.size, 125)] == list(nats_tss)[::125]


@pytest.mark.parametrize("index", [-1, 15_625])
def test_an_index_outside_the_space_is_refused(index: int) -> None:
    with pytest.raises(InputError, match=r"0\.\.15624"):
        nats_tss.at(index)


def test_texts_are_in_the_benchmarks_order(shared_data: Path) -> None:
    table = pandas.read_parquet(shared_data / "nats_tss_cifar10.parquet", columns=["index", "arch_str"])
    assert table["index"].tolist() == list(range(15_625))
    assert [nats_tss.format(architecture) for architecture in nats_tss] == table["arch_str"].tolist()
    assert [nats_tss.parse(text) for text in table["arch_str"]] == list(nats_tss)


def parameters(
    genes: np.ndarray, channels: int = 16, cells: int = 5, classes: int = 10, in_chans: int = 3
) -> np.ndarray:
    """The closed formula for cells (n, 6): stem, edges, two residual blocks, last normalisation and classifier."""
    widths = channels * np.array([1, 2, 4])
    one, three = ((genes == OPERATIONS.index(f"nor_conv_{k}x{k}")).sum(axis=1) for k in (1, 3))
    edges = sum(cells * (three * (9 * c * c + 2 * c) + one * (c * c + 2 * c)) for c in widths)
    residual = sum((18 + 36 + 2) * c * c + 8 * c for c in widths[:2])
    return edges + 9 * in_chans * channels + 2 * channels + residual + 8 * channels + 4 * channels * classes + classes


def test_parameters_of_every_cell(shared_data: Path) -> None:
    table = pandas.read_parquet(shared_data / "nats_tss_cifar10.parquet", columns=["cifar10_params"])
    genes = np.array([architecture.genes for architecture in nats_tss])
    np.testing.assert_array_equal(parameters(genes), table["cifar10_params"])


def test_the_range_of_parameters() -> None:
    smallest, largest = parameters(np.array([[0] * 6, [3] * 6]))
    assert (smallest, largest) == (73_306, 1_531_546)


@pytest.mark.parametrize(("skeleton", "cells", "step"), [("small", 1, 25), ("nats", 5, 500)])
def test_built_networks_have_the_parameters_of_the_formula(skeleton: str, cells: int, step: int) -> None:
    architectures = [nats_tss.at(index) for index in range(0, nats_tss.size, step)]
    with torch.device("meta"):
        counted = [count_parameters(nats_tss.build(architecture, skeleton=skeleton)) for architecture in architectures]
    assert counted == parameters(np.array([a.genes for a in architectures]), cells=cells).tolist()


def test_parameters_follow_the_skeleton_and_the_data() -> None:
    architecture = nats_tss.at(9930)
    network = nats_tss.build(architecture, num_classes=7, in_chans=1, skeleton="channels=6,cells=2")
    assert count_parameters(network) == parameters(np.array([architecture.genes]), 6, 2, 7, 1)[0]


# -- texts -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "column", "problem"),
    [
        ("", 1, "'|' is missing"),
        (TEXT[1:], 1, "'|' is missing"),
        (" " + TEXT, 1, "'|' is missing"),
        ("|nor_conv_3x3~", 2, "no 'op~0|'"),
        ("|nor_conv_3x3~0", 2, "no 'op~0|'"),
        ("|conv~0|" + TEXT[16:], 2, "unknown operation 'conv'"),
        ("|none~1|" + TEXT[16:], 7, "node 0 is expected"),
        (TEXT.replace("|+|", "||", 1), 17, "'+' is missing"),
        (TEXT.replace("+|n", "+n", 1), 18, "'|' is missing"),
        (TEXT.replace("~1|+", "~0|+"), 47, "node 1 is expected"),
        (TEXT.replace("skip_connect", "SKIP"), 51, "no 'op~0|'"),
        (TEXT.replace("skip_connect", "skip"), 51, "unknown operation 'skip'"),
        (TEXT[:-17], 66, "no 'op~1|'"),
        (TEXT + "|", len(TEXT) + 1, "text after"),
        (TEXT + " ", len(TEXT) + 1, "text after"),
    ],
)
def test_parse_errors_point_to_the_place(text: str, column: int, problem: str) -> None:
    with pytest.raises(ArchitectureError) as caught:
        nats_tss.parse(text)
    first, shown, caret, last = str(caught.value).split("\n")
    assert first.startswith(problem)
    assert first.endswith(f"at column {column}")
    before, after = shown[2 : len(caret) - 1].removeprefix("..."), shown[len(caret) - 1 :].removesuffix("...")
    assert text[: column - 1].endswith(before)
    assert text[column - 1 :].startswith(after)
    assert len(before) == min(column - 1, 50)
    assert last == f"expected: {nats_tss.grammar}"


@pytest.mark.parametrize(
    "genes", [(0,) * 5, (0,) * 7, (0, 0, 0, 0, 0, 5), (-1, 0, 0, 0, 0, 0), (True, 0, 0, 0, 0, 0), ()]
)
def test_genes_outside_the_space_are_refused(genes: tuple[int, ...]) -> None:
    with pytest.raises(ArchitectureError, match="6 genes"):
        cell(*genes)


# -- operators ---------------------------------------------------------------------------------------------------------


def test_mutation_changes_one_edge_and_reaches_every_neighbour() -> None:
    start, rng = nats_tss.at(9930), generator("mutate")
    assert {nats_tss.mutate(start, rng) for _ in range(400)} == set(nats_tss.neighbours(start))
    assert len(list(nats_tss.neighbours(start))) == 24


def test_crossover_takes_one_segment() -> None:
    rng = generator("crossover")
    a, b = cell(0, 0, 0, 0, 0, 0), cell(1, 1, 1, 1, 1, 1)
    children = {nats_tss.crossover(a, b, rng).genes for _ in range(800)}
    segments = {
        (0,) * left + (1,) * (right - left) + (0,) * (6 - right) for left, right in itertools.combinations(range(7), 2)
    }
    assert children == segments


def test_samples_are_uniform() -> None:
    rng = generator("sample")
    genes = np.array([nats_tss.sample(rng).genes for _ in range(2_000)])
    counts = np.array([[(genes[:, edge] == gene).sum() for gene in range(5)] for edge in range(6)])
    # Chi-squared with 24 degrees of freedom stays below 60 with probability 0.99994.
    assert ((counts - 400) ** 2 / 400).sum() < 60


# -- networks ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("genes", [(0, 0, 0, 0, 0, 0), (3, 0, 0, 0, 0, 3), (0, 0, 2, 0, 4, 1), (1, 3, 2, 0, 0, 0)])
def test_dead_cells_give_constant_logits(genes: tuple[int, ...]) -> None:
    dead = cell(*genes)
    assert not nats_tss.is_connected(dead)
    network = nats_tss.build(dead, num_classes=4, skeleton="proxy")
    logits = network(torch.from_numpy(generator("dead").standard_normal((5, 3, 8, 8), dtype=np.float32)))
    assert logits.shape == (5, 4)
    assert torch.isfinite(logits).all()
    assert (logits == logits[0]).all()


def test_pictures_show_the_edges_that_exist() -> None:
    diagram = nats_tss.draw(nats_tss.parse("|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|avg_pool_3x3~2|"))
    assert [(e.source, e.target, e.label, e.kind) for e in diagram.edges] == [
        (0, 1, "conv_3x3", "conv"), (1, 2, "skip_connect", "skip"), (2, 3, "avg_pool_3x3", "pool"),
    ]  # fmt: skip
