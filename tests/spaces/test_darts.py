import ast
import contextlib
import itertools
import math
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare
from torch import Tensor, nn

from untrained.architecture import Architecture
from untrained.errors import ArchitectureError, InputError, UnknownNameError
from untrained.nn.counts import count_parameters
from untrained.seeds import derive, generator
from untrained.spaces.darts import DartsFamily, darts, darts_loose
from untrained.spaces.genotype import CELLS, NODES, OPERATIONS, in_order
from untrained.spaces.networks.darts import DartsNetwork

SPACES = pytest.mark.parametrize("space", [darts, darts_loose], ids=lambda space: space.name)
SEEDS = st.integers(0, 2**32)
NONE, SKIP, SEP3 = (OPERATIONS.index(name) for name in ("none", "skip_connect", "sep_conv_3x3"))
DARTS_V2 = (
    "Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('sep_conv_3x3', 1), "
    "('sep_conv_3x3', 1), ('skip_connect', 0), ('skip_connect', 0), ('dil_conv_3x3', 2)], normal_concat=[2, 3, 4, 5], "
    "reduce=[('max_pool_3x3', 0), ('max_pool_3x3', 1), ('skip_connect', 2), ('max_pool_3x3', 1), ('max_pool_3x3', 0), "
    "('skip_connect', 2), ('skip_connect', 2), ('max_pool_3x3', 1)], reduce_concat=[2, 3, 4, 5])"
)
"""The genotype that the DARTS paper evaluates."""

Inputs = list[tuple[tuple[int, int], tuple[int, int]]]


def inputs(genes: tuple[int, ...]) -> Inputs:
    """The two (operation, predecessor) of every node."""
    return [((genes[i], genes[i + 1]), (genes[i + 2], genes[i + 3])) for i in range(0, len(genes), 4)]


def genes_of(nodes: Inputs) -> tuple[int, ...]:
    return tuple(itertools.chain.from_iterable(in_order(*node) for node in nodes))


def with_many_zeros(seed: int) -> Architecture:
    """A loose architecture of `none`, skips, average pooling and one convolution only."""
    rng = generator("zeros", seed)
    nodes = [
        tuple((int(rng.choice([NONE, NONE, SKIP, 1, SEP3])), int(rng.integers(node + 2))) for _ in range(2))
        for _ in CELLS
        for node in range(NODES)
    ]
    return darts_loose.validate(Architecture("darts-loose", genes_of(nodes)))


# -- the space -------------------------------------------------------------------------------------------------------


def test_sizes() -> None:
    assert darts.size == (7**8 * 1 * 3 * 6 * 10) ** 2 == 1_037_664_180**2
    for space in (darts, darts_loose):
        counts = []
        for node in range(NODES):
            pairs = [(op, p) for p in range(node + 2) for op in range(len(space.operations))]
            sets = {tuple(sorted(two)) for two in itertools.product(pairs, repeat=2)}
            counts.append(sum(not space.distinct or a[1] != b[1] for a, b in sets))
        assert space.size == math.prod(counts) ** 2


@SPACES
def test_samples_are_uniform_over_the_unordered_inputs_of_each_node(space: DartsFamily) -> None:
    rng = generator("uniform", 0)
    samples = [space.validate(space.sample(rng)) for _ in range(12_000)]
    for index in range(2 * NODES):
        counts = Counter(sample.genes[4 * index : 4 * index + 4] for sample in samples)
        choices = len(space._nodes[index % NODES])
        observed = [*counts.values(), *[0] * (choices - len(counts))]
        assert chisquare(observed).pvalue > 1e-4
    # Nodes are drawn apart from each other: the first two, jointly, by whether they have a separable convolution.
    table = np.zeros((2, 2))
    for sample in samples:
        a, b = (int(SEP3 in (sample.genes[i], sample.genes[i + 2])) for i in (0, 4))
        table[a, b] += 1
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    assert ((table - expected) ** 2 / expected).sum() < 15.2  # chi-square, one degree of freedom, p = 1e-4


@SPACES
@settings(deadline=None, max_examples=25)
@given(SEEDS)
def test_neighbours_are_valid_mutual_and_reached_by_mutation(space: DartsFamily, seed: int) -> None:
    rng = generator("neighbours", seed)
    architecture = space.sample(rng)
    neighbours = list(space.neighbours(architecture))
    assert len(set(neighbours)) == len(neighbours)
    assert architecture not in neighbours
    for neighbour in neighbours[:: max(1, len(neighbours) // 8)]:
        assert space.validate(neighbour) is neighbour
        assert architecture in space.neighbours(neighbour)
    for _ in range(10):
        assert space.mutate(architecture, rng) in neighbours


def test_the_number_of_neighbours() -> None:
    # 16 inputs with six other operations; inputs of node k can move to k - 2 other predecessors.
    rng = generator("count", 0)
    assert all(len(list(darts.neighbours(darts.sample(rng)))) == 16 * 6 + 4 * (0 + 1 + 2 + 3) for _ in range(20))
    # All inputs different: seven other operations, k - 1 other predecessors. All equal pairs: half of that.
    different = Architecture("darts-loose", (0, 0, 0, 1) * 8)
    equal = Architecture("darts-loose", (0, 0, 0, 0) * 8)
    assert len(list(darts_loose.neighbours(different))) == 16 * 7 + 4 * (1 + 2 + 3 + 4)
    assert len(list(darts_loose.neighbours(equal))) == (16 * 7 + 4 * (1 + 2 + 3 + 4)) // 2


@SPACES
def test_mutation_reaches_every_neighbour_and_splits_evenly(space: DartsFamily) -> None:
    rng = generator("mutate", 0)
    architecture = space.sample(rng)
    drawn = [space.mutate(architecture, rng) for _ in range(6000)]
    assert set(drawn) == set(space.neighbours(architecture))
    names = Counter(op for node in inputs(architecture.genes) for op, _ in node)
    changed = sum(Counter(op for node in inputs(child.genes) for op, _ in node) != names for child in drawn)
    assert abs(changed / len(drawn) - 0.5) < 0.04  # six standard deviations


@SPACES
@settings(deadline=None, max_examples=50)
@given(SEEDS)
def test_a_child_has_a_node_or_a_cell_of_the_second_parent(space: DartsFamily, seed: int) -> None:
    rng = generator("crossover", seed)
    a, b = space.sample(rng), space.sample(rng)
    child = space.validate(space.crossover(a, b, rng))
    mother, father, nodes = inputs(a.genes), inputs(b.genes), inputs(child.genes)
    foreign = [i for i in range(2 * NODES) if nodes[i] != mother[i]]
    assert all(nodes[i] == father[i] for i in foreign)
    assert len(foreign) == 1 or {i // NODES for i in foreign} in ({0}, {1})
    if len(foreign) > 1:
        cell = slice(0, NODES) if foreign[0] < NODES else slice(NODES, None)
        assert nodes[cell] == father[cell]
    assert space.crossover(a, a, rng) == a


def test_crossover_takes_nodes_and_cells() -> None:
    rng = generator("both", 0)
    a, b = Architecture("darts", (0, 0, 0, 1) * 8), Architecture("darts", (1, 0, 1, 1) * 8)
    taken = Counter(
        tuple(i for i, node in enumerate(inputs(darts.crossover(a, b, rng).genes)) if node[0][0] == 1)
        for _ in range(400)
    )
    assert set(taken) == {*((i,) for i in range(8)), (0, 1, 2, 3), (4, 5, 6, 7)}


# -- identity --------------------------------------------------------------------------------------------------------


def renamed(cell: Inputs, order: tuple[int, ...]) -> Inputs | None:
    """The cell with its nodes in another order, or None where a node would come before one of its predecessors."""
    name = {0: 0, 1: 1} | {old + 2: new + 2 for new, old in enumerate(order)}
    nodes = [tuple((op, name[source]) for op, source in cell[old]) for old in order]
    legal = all(source < new + 2 for new, node in enumerate(nodes) for _, source in node)
    return nodes if legal else None


def all_names(cell: Inputs) -> set[tuple[int, ...]]:
    """The genes of a cell under all topological orders of its nodes, by brute force."""
    found = (renamed(cell, order) for order in itertools.permutations(range(NODES)))
    return {genes_of(nodes) for nodes in found if nodes is not None}


@settings(deadline=None, max_examples=100)
@given(SEEDS)
def test_canonical_is_the_smallest_of_all_names(seed: int) -> None:
    architecture = darts.sample(generator("canonical", seed))
    nodes = inputs(architecture.genes)
    cells = all_names(nodes[:NODES]), all_names(nodes[NODES:])
    canonical = darts.validate(darts.canonical(architecture))
    assert canonical.genes == min(cells[0]) + min(cells[1])
    for other in itertools.islice(itertools.product(*cells), 6):
        assert darts.canonical(Architecture("darts", other[0] + other[1])) == canonical


def test_canonical_joins_exactly_the_isomorphic_cells() -> None:
    wirings = itertools.product(*(itertools.combinations(range(node + 2), 2) for node in range(NODES)))
    cells = [tuple(((SEP3, i), (SEP3, j)) for i, j in wiring) for wiring in wirings]
    assert len(cells) == 180
    graphs = {frozenset(all_names(list(cell))) for cell in cells}
    canonical = {darts.canonical(Architecture("darts", genes_of(list(cell)) * 2)) for cell in cells}
    assert len(canonical) == len(graphs) < 180


@settings(deadline=None, max_examples=200)
@given(SEEDS)
def test_canonical_of_the_loose_space_is_valid_and_final(seed: int) -> None:
    for architecture in (darts_loose.sample(generator("loose", seed)), with_many_zeros(seed)):
        canonical = darts_loose.validate(darts_loose.canonical(architecture))
        assert darts_loose.canonical(canonical) == canonical
        nodes = inputs(architecture.genes)
        for genes in itertools.islice(all_names(nodes[:NODES]), 4):
            renamed_too = Architecture("darts-loose", genes + architecture.genes[16:])
            assert darts_loose.canonical(renamed_too) == canonical


def test_canonical_drops_zeros_and_repeated_nodes() -> None:
    reduce = [((SEP3, 0), (SEP3, 1))] * NODES

    def canonical(*nodes: tuple[tuple[int, int], tuple[int, int]]) -> Architecture:
        return darts_loose.canonical(Architecture("darts-loose", genes_of([*nodes, *reduce])))

    conv = ((SEP3, 0), (SEP3, 1))
    none = ((NONE, 0), (NONE, 0))
    # Where `none` comes from does not matter, nor whether a zero is pooled.
    assert canonical(conv, conv, conv, ((SEP3, 0), (NONE, 3))) == canonical(conv, conv, conv, ((SEP3, 0), (NONE, 1)))
    assert canonical(conv, none, none, ((SKIP, 3), (0, 4))) == canonical(conv, none, none, none)
    # A convolution of zero has a bias of its own and stays.
    assert canonical(conv, none, none, ((SKIP, 3), (SEP3, 4))) != canonical(conv, none, none, none)
    # Node 3 repeats node 2.
    repeat = ((NONE, 0), (SKIP, 2))
    assert canonical(conv, repeat, conv, ((SEP3, 3), (1, 4))) == canonical(conv, repeat, conv, ((SEP3, 2), (1, 4)))
    # A strided skip from an input has weights and repeats nothing.
    strided = Architecture("darts-loose", genes_of([*reduce, ((NONE, 0), (SKIP, 0)), conv, conv, ((0, 2), (1, 2))]))
    assert all((0, 0) not in node for node in inputs(darts_loose.canonical(strided).genes)[NODES:])


def tie(network: nn.Module) -> nn.Module:
    """Weights that depend on the role of a layer alone: all edges of a cell with the same operation share them, and all
    four blocks of a concatenation are treated alike. Then the names of nodes cannot matter."""
    with torch.no_grad():
        for place, module in network.double().named_modules():
            role = re.sub(r"edges\.\d+", "edge", place)
            for name, parameter in module.named_parameters(recurse=False):
                shape = list(parameter.shape)
                random = torch.Generator().manual_seed(derive(role, name, *shape))
                if not re.search("edge|stem", role) and parameter.dim() > 1 and shape[1] % NODES == 0:
                    shape[1] //= NODES
                values = torch.randn(shape, generator=random, dtype=torch.float64)
                parameter.copy_(
                    values.repeat(1, parameter.shape[1] // shape[1], 1, 1)[: len(parameter)]
                    if parameter.dim() == 4
                    else values.repeat(1, parameter.shape[1] // shape[1])
                    if parameter.dim() == 2
                    else values
                )
    return network


@torch.no_grad()
def tied_logits(space: DartsFamily, architecture: Architecture) -> Tensor:
    images = torch.randn(4, 3, 9, 9, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    logits: Tensor = tie(space.build(architecture, skeleton="channels=4,cells=3"))(images)
    return logits


def test_canonical_networks_compute_the_same_function() -> None:
    for seed in range(6):
        samples = [(darts, darts.sample(generator("same", seed)))]
        samples += [(darts_loose, darts_loose.sample(generator("same", seed))), (darts_loose, with_many_zeros(seed))]
        for space, architecture in samples:
            canonical = space.canonical(architecture)
            logits = tied_logits(space, architecture)
            torch.testing.assert_close(tied_logits(space, canonical), logits, rtol=1e-7, atol=1e-9)
            sizes = [count_parameters(space.build(a, skeleton="proxy")) for a in (architecture, canonical)]
            assert sizes[0] == sizes[1]


def test_networks_that_canonical_tells_apart_differ() -> None:
    rng = generator("apart", 0)
    architecture = darts.sample(rng)
    logits = tied_logits(darts, architecture)
    for _ in range(12):
        neighbour = darts.mutate(architecture, rng)
        assert darts.canonical(neighbour) != darts.canonical(architecture)
        assert not torch.allclose(tied_logits(darts, neighbour), logits, rtol=1e-6)


# -- text ------------------------------------------------------------------------------------------------------------


@SPACES
@settings(deadline=None, max_examples=50)
@given(SEEDS)
def test_text_round_trip(space: DartsFamily, seed: int) -> None:
    architecture = space.sample(generator("text", seed))
    assert space.parse(space.format(architecture)) == architecture
    assert Architecture.parse(str(architecture)) == architecture


def test_every_usual_spelling_is_read() -> None:
    architecture = darts.parse(DARTS_V2)
    text = darts.format(architecture)
    assert text.startswith("Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ")
    assert text.endswith(", ('skip_connect', 2)], reduce_concat=range(2, 6))")
    # The inputs of a node are sorted by predecessor.
    assert "normal=[" in text
    assert "('skip_connect', 0), ('sep_conv_3x3', 1), ('skip_connect', 0), ('dil_conv_3x3', 2)]" in text
    spellings = [
        DARTS_V2.replace("[2, 3, 4, 5]", "range(2, 6)"),
        DARTS_V2.replace("[2, 3, 4, 5]", "(2, 3, 4, 5)"),
        DARTS_V2.replace(" ", ""),
        "\n  " + DARTS_V2.replace(", ", ",\n\t") + "\n",
        DARTS_V2.replace("'", '"'),
        re.sub(r"\w+=", "", DARTS_V2),
        re.sub(r"\(('\w+', \d)\)", r"[\1]", DARTS_V2),
        re.sub(r"Genotype\((.*concat=.*?\]), (reduce=.*)\)", r"Genotype(\2, \1)", DARTS_V2),
    ]
    assert len(set(spellings)) == len(spellings)
    for spelling in spellings:
        assert darts.parse(spelling) == architecture
        assert darts_loose.parse(spelling).genes == architecture.genes


@pytest.mark.parametrize(
    ("old", "new", "problem", "place"),
    [
        ("Genotype", "Genome", "no 'Genotype(...)'", "Genome"),
        ("'sep_conv_3x3', 0", "'sep_conv_7x7', 0", "unknown operation 'sep_conv_7x7'", "'sep_conv_7x7'"),
        ("'skip_connect', 0", "'none', 0", "unknown operation 'none'", "'none'"),
        ("'dil_conv_3x3', 2", "'dil_conv_3x3', 5", "node 5 has predecessors 0..4", "5)], normal_concat"),
        ("'dil_conv_3x3', 2", "'dil_conv_3x3', 0", "takes predecessor 0 twice", "0)], normal_concat"),
        ("'dil_conv_3x3', 2", "'dil_conv_3x3', True", "no predecessor", "True"),
        ("'dil_conv_3x3', 2", "'dil_conv_3x3', -1", "unexpected character '-'", "-1"),
        ("('dil_conv_3x3', 2)", "'dil_conv_3x3'", "no pair", "'dil_conv_3x3'"),
        (", ('dil_conv_3x3', 2)", "", "no list of 8 pairs", "[('sep"),
        ("normal_concat=[2, 3, 4, 5]", "normal_concat=[4, 5]", "all four nodes", "[4, 5]"),
        ("normal_concat=[2, 3, 4, 5]", "normal_concat=[2, 3, 4, 4]", "all four nodes", "[2, 3, 4, 4]"),
        ("normal_concat=[2, 3, 4, 5]", "normal_concat=range(6)", "all four nodes", "range(6)"),
        ("normal_concat=[2, 3, 4, 5]", "normal_concat=list([2, 3, 4, 5])", "all four nodes", "list("),
        ("normal_concat", "normal_concatenation", "unknown field", "normal_concatenation"),
        (", reduce_concat=[2, 3, 4, 5]", "", "field 'reduce_concat' is missing", ""),
        ("reduce=", "normal=", "field 'normal' given twice", "normal=[('max"),
        ("Genotype(", "Genotype(1, 2, 3, 4, 5, ", "a fifth field", "5, normal"),
        ("('skip_connect', 2)", "('skip_connect' 2)", "invalid syntax", "'skip_connect' 2"),
        ("reduce_concat=[2, 3, 4, 5])", "reduce_concat=[2, 3, 4, 5]) + 1", "unexpected character '+'", "+ 1"),
        ("'sep_conv_3x3', 0", "__import__('os').system('true'), 0", "unexpected character '.'", ".system"),
    ],
)
def test_errors_point_at_the_place(old: str, new: str, problem: str, place: str) -> None:
    text = DARTS_V2.replace(old, new, 1)
    assert text != DARTS_V2
    with pytest.raises(ArchitectureError, match=re.escape(problem)) as error:
        darts.parse(text)
    if place:
        lines = str(error.value).splitlines()
        assert lines[1][lines[2].index("^") :].startswith(place)


@settings(deadline=None, max_examples=200)
@given(st.integers(0, len(DARTS_V2)), st.integers(0, 12), st.text("()[]'\",=019_nrx \\\0é", max_size=6))
def test_damaged_text_is_refused_or_read_but_never_crashes(start: int, length: int, patch: str) -> None:
    with contextlib.suppress(ArchitectureError):
        darts.validate(darts.parse(DARTS_V2[:start] + patch + DARTS_V2[start + length :]))


def test_deep_nesting_is_refused() -> None:
    for text in ("(" * 10_000, "[" * 150 + "]" * 150, "Genotype(" * 5000, "not " * 20_000, "", "9" * 10_000):
        with pytest.raises(ArchitectureError):
            darts.parse(text)


def test_wrong_genes_are_refused() -> None:
    good = (0, 0, 0, 1) * 8
    assert darts.validate(Architecture("darts", good)).genes == good
    bad = [
        good[:-1],
        (0, 1, 0, 0, *good[4:]),  # not sorted
        (0, 0, 0, 0, *good[4:]),  # a predecessor twice
        (NONE, 0, 0, 1, *good[4:]),
        (0, 0, 0, 2, *good[4:]),  # of itself
        (0.0, 0, 0, 1, *good[4:]),
        (False, 0, 0, 1, *good[4:]),
    ]
    for genes in bad:
        with pytest.raises(ArchitectureError, match=r"darts takes 32|node 2 of the normal cell"):
            darts.validate(Architecture("darts", genes))
    with pytest.raises(ArchitectureError, match="was given to the space"):
        darts.sample(generator(0)) and darts_loose.validate(Architecture("darts", good))


@settings(deadline=None, max_examples=50)
@given(SEEDS)
def test_nb301_configurations_round_trip(seed: int) -> None:
    architecture = darts.sample(generator("nb301", seed))
    config = darts.to_nb301_config(architecture)
    assert len(config) == 16 + 6
    assert darts.from_nb301_config(config) == architecture
    prefixed = {f"NetworkSelectorDatasetInfo:darts:{key}": value for key, value in config.items()}
    assert darts.from_nb301_config({**prefixed, "OptimizerSelector": "sgd"}) == architecture


def test_an_nb301_configuration_by_hand() -> None:
    config = darts.to_nb301_config(darts.parse(DARTS_V2))
    assert {key: value for key, value in config.items() if "normal" in key} == {
        "edge_normal_0": "sep_conv_3x3",
        "edge_normal_1": "sep_conv_3x3",
        "inputs_node_normal_3": "0_1",
        "edge_normal_2": "sep_conv_3x3",
        "edge_normal_3": "sep_conv_3x3",
        "inputs_node_normal_4": "0_1",
        "edge_normal_5": "skip_connect",
        "edge_normal_6": "sep_conv_3x3",
        "inputs_node_normal_5": "0_2",
        "edge_normal_9": "skip_connect",
        "edge_normal_11": "dil_conv_3x3",
    }
    for key, value in (("inputs_node_normal_5", "2_0"), ("inputs_node_reduce_3", "0_3"), ("edge_normal_9", "none")):
        with pytest.raises(ArchitectureError, match=key):
            darts.from_nb301_config({**config, key: value})
    del config["edge_normal_11"]
    with pytest.raises(ArchitectureError, match="edge_normal_11"):
        darts.from_nb301_config(config)


# -- meaning ---------------------------------------------------------------------------------------------------------


def test_tokens_and_diagram_say_what_the_genes_mean() -> None:
    architecture = darts_loose.parse(DARTS_V2.replace("'skip_connect', 0", "'none', 0"))
    tokens = darts_loose.tokens(architecture)
    assert len(tokens) == 16
    assert "".join(token.symbol for token in tokens) == "3333030d" + "mmmsmsms"
    assert str(tokens[7]) == "dil_conv_3x3(source=2, target=5, cell=0)"
    assert str(tokens[-1]) == "skip_connect(source=2, target=5, cell=1)"
    diagram = darts_loose.draw(architecture)
    assert [node.kind for node in diagram.nodes].count("input") == 4
    # 14 inputs that are not `none`, and four nodes into each output.
    assert len(diagram.edges) == 14 + 8
    assert all(edge.source < edge.target for edge in diagram.edges)
    assert {(e.source // 7, e.target // 7) for e in diagram.edges} == {(0, 0), (1, 1)}


# -- networks --------------------------------------------------------------------------------------------------------


def parameters(genes: tuple[int, ...], preset: str, classes: int = 10, chans: int = 3, cell_norms: bool = True) -> int:
    """Trainable parameters without the auxiliary head, written out; `cell_norms` says whether operations have them."""
    skeleton = darts.skeleton(preset)
    c, n = skeleton.channels, skeleton.cells
    match skeleton.stem:
        case "none":
            total, width = 0, chans
        case "imagenet":
            total, width = 9 * (chans * (c // 2) + (c // 2) * c + c * c) + 2 * (c // 2 + c + c), c
        case _:
            total, width = 9 * chans * 3 * c + 2 * 3 * c, 3 * c
    before, previous = width, width
    for index in range(n):
        reduction = index in (n // 3, 2 * n // 3)
        c = 2 * c if reduction else c
        # Preprocessing: 1x1 convolutions, whether or not the first is a factorised reduction.
        total += (before + previous) * c + 2 * 2 * c
        norm = 2 * c if cell_norms else 0
        for node in inputs(genes[16:] if reduction else genes[:16]):
            for operation, source in node:
                name = OPERATIONS[operation]
                k = int(name[-1]) if name[-1].isdigit() else 0
                if name.startswith("sep"):
                    total += 2 * (k * k * c + c * c + norm)
                elif name.startswith("dil"):
                    total += k * k * c + c * c + norm
                elif name == "skip_connect" and reduction and source < 2:
                    total += c * c + norm
        before, previous = previous, 4 * c
    return total + previous * classes + classes


@SPACES
@pytest.mark.parametrize("preset", ["nb301", "search", "cifar", "imagenet", "swap", "proxy"])
def test_parameters_follow_the_formula(space: DartsFamily, preset: str) -> None:
    assert set(space.skeletons) == {"nb301", "search", "cifar", "imagenet", "swap", "proxy"}
    rng = generator("parameters", preset)
    for classes, chans in ((10, 3), (7, 1)):
        architecture = space.sample(rng)
        # On the meta device nothing is allocated or drawn.
        with torch.device("meta"):
            network = space.build(architecture, num_classes=classes, in_chans=chans, skeleton=preset)
        assert count_parameters(network) == parameters(architecture.genes, preset, classes, chans)
        assert (network.auxiliary is not None) == (preset in ("cifar", "imagenet"))
        assert network.drop_path == (0.2 if preset == "cifar" else 0.0)


def test_parameters_of_the_published_network() -> None:
    # DARTS paper, tables 1 and 3: 3.3 M on CIFAR-10 and 4.7 M on ImageNet.
    genes = darts.parse(DARTS_V2).genes
    assert round(parameters(genes, "cifar") / 1e6, 1) == 3.3
    assert round(parameters(genes, "imagenet", classes=1000) / 1e6, 1) == 4.7


def test_every_parameter_gets_a_gradient() -> None:
    rng = generator("gradients", 0)
    images = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    for _ in range(50):
        network = darts.build(darts.sample(rng), skeleton="proxy")
        network(images).square().sum().backward()
        missing = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.isfinite().all()]
        assert missing == []


@pytest.mark.parametrize("preset", ["nb301", "search", "cifar", "swap", "proxy"])
def test_any_size_from_8_and_any_number_of_channels(preset: str) -> None:
    rng = generator("sizes", preset)
    skeleton = darts.skeleton(preset)
    small = f"channels={min(skeleton.channels, 4)},cells={min(skeleton.cells, 4)},stem={skeleton.stem}"
    for chans, height, width in ((3, 8, 8), (1, 9, 8), (4, 28, 31), (2, 32, 32)):
        network = darts_loose.build(with_many_zeros(chans), num_classes=5, in_chans=chans, skeleton=small)
        assert network(torch.zeros(2, chans, height, width)).shape == (2, 5)
        network = darts.build(darts.sample(rng), num_classes=5, in_chans=chans, skeleton=small + ",auxiliary=true")
        logits, auxiliary = network(torch.zeros(2, chans, height, width))
        assert logits.shape == auxiliary.shape == (2, 5)
        assert network.eval()(torch.zeros(2, chans, height, width)).shape == (2, 5)


def test_the_imagenet_network() -> None:
    network = darts.build(darts.parse(DARTS_V2), skeleton="stem=imagenet,channels=6,cells=5,auxiliary=yes").eval()
    shapes: dict[str, tuple[int, ...]] = {}
    watched = {name: network.get_submodule(name) for name in ("stem", "second_stem", *(f"cells.{i}" for i in range(5)))}
    for name, module in watched.items():
        module.register_forward_hook(lambda _m, _i, out, name=name: shapes.__setitem__(name, tuple(out.shape)))
    network(torch.zeros(1, 3, 64, 64))
    assert shapes["stem"] == (1, 6, 16, 16)
    assert shapes["second_stem"] == (1, 6, 8, 8)
    assert [shapes[f"cells.{i}"] for i in range(5)] == [
        (1, 24, 8, 8), (1, 48, 4, 4), (1, 48, 4, 4), (1, 96, 2, 2), (1, 96, 2, 2),
    ]  # fmt: skip
    for side in (32, 33):
        logits, auxiliary = network.train()(torch.zeros(2, 3, side, side))
        assert logits.shape == auxiliary.shape == (2, 10)


@pytest.mark.parametrize(("side", "windows", "stride"), [(8, 5, 3), (7, 5, 2)])
def test_the_auxiliary_head_pools_as_published(side: int, windows: int, stride: int) -> None:
    network = darts.build(darts.parse(DARTS_V2), skeleton="channels=4,cells=3,auxiliary=1").eval()
    features = torch.randn(2, 32 * 2, side, side, generator=torch.Generator().manual_seed(0))
    auxiliary = network.auxiliary
    assert auxiliary is not None
    pooled = nn.AvgPool2d(windows, stride)(features.relu())
    torch.testing.assert_close(auxiliary(features), auxiliary.head(auxiliary.features(pooled).flatten(1)))


def test_the_swap_network_is_one_reduction_cell_without_stem() -> None:
    architecture = darts.parse(DARTS_V2)
    network = darts.build(architecture, skeleton="swap")
    assert isinstance(network, DartsNetwork)
    (cell,) = network.cells
    assert cell(torch.zeros(2, 3, 32, 32), torch.zeros(2, 3, 32, 32)).shape == (2, 24, 16, 16)
    # The normal cell has no part in it.
    other = Architecture("darts", (SEP3, 0, SEP3, 1) * 4 + architecture.genes[16:])
    names = [name for name, _ in darts.build(other, skeleton="swap").named_parameters()]
    assert names == [name for name, _ in network.named_parameters()]


def test_drop_path_acts_in_training_only_and_spares_identities() -> None:
    network = darts.build(darts.parse(DARTS_V2), skeleton="proxy")
    images = torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    with torch.no_grad(), torch.random.fork_rng():
        assert torch.equal(network(images), network(images))
        network.drop_path = 0.5
        assert not torch.allclose(network(images), network(images))
        network.eval()
        assert torch.equal(network(images), network(images))
        skips = (SKIP, 0, SKIP, 1) * 4
        network = darts.build(Architecture("darts", skips * 2), skeleton="channels=4,cells=3,drop_path=0.9")
        # The normal cell comes first and has nothing to drop; the reductions have.
        cell, reduction = network.cells[0], network.cells[1]
        x = torch.randn(8, 12, 8, 8, generator=torch.Generator().manual_seed(0))
        assert torch.equal(cell(x, x, 0.9), cell(x, x, 0.0))
        y = cell(x, x)
        assert not torch.allclose(reduction(x, y, 0.9), reduction(x, y, 0.0))
    for wrong in (1.0, -0.1):
        with pytest.raises(InputError, match="probability"):
            network.drop_path = wrong


def test_wrong_skeletons_are_refused() -> None:
    architecture = darts.parse(DARTS_V2)
    for skeleton, problem in (
        ("stem=conv", "stems default, none"),
        ("head=dense", "head"),
        ("channels=1,stem=imagenet", ">= 2"),
    ):
        with pytest.raises(InputError, match=problem):
            darts.build(architecture, skeleton=skeleton)
    with pytest.raises(UnknownNameError):
        darts.build(architecture, skeleton="nats")


# -- published data --------------------------------------------------------------------------------------------------


def test_the_published_swap_list(shared_data: Path) -> None:
    table = pd.read_parquet(shared_data / "darts_small_500.parquet")
    architectures = [darts_loose.parse(text) for text in table["genotype"]]
    assert len(architectures) == 500
    for architecture, text in zip(architectures, table["genotype"], strict=True):
        darts_loose.validate(architecture)
        written = [pair for name in CELLS for pair in ast.literal_eval(re.findall(rf"{name}=(\[.*?\])", text)[0])]
        assert Counter(written) == Counter((t.kind, t.get("source")) for t in darts_loose.tokens(architecture))
    sizes = [parameters(architecture.genes, "swap") / 1e3 for architecture in architectures]
    # Published range over all 1,000 genotypes 0.31 to 2.69, mean 1.24; this is half of them.
    assert (round(min(sizes), 2), round(max(sizes), 2)) == (0.31, 2.69)
    assert abs(np.mean(sizes) - 1.24) < 0.05


def test_the_networks_of_the_surrogate_benchmark(shared_data: Path) -> None:
    table = pd.read_parquet(shared_data / "darts_surrogate_1225.parquet")
    assert len(table) == 1225
    for text, published in zip(table["arch"], table["params"], strict=True):
        cells = ast.literal_eval(text)
        pairs = [(operation, source) for cell in cells for source, operation in cell]
        genes = genes_of(list(zip(pairs[0::2], pairs[1::2], strict=True)))
        architecture = darts.validate(Architecture("darts", genes))
        assert darts.parse(darts.format(architecture)) == architecture
        # That library's operations have normalisations without parameters.
        assert parameters(genes, "nb301", cell_norms=False) == round(published * 1e6)
