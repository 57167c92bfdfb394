import itertools
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from untrained.architecture import Architecture
from untrained.errors import ArchitectureError, InputError
from untrained.seeds import generator
from untrained.spaces.cell_graph import vertex_channels
from untrained.spaces.nasbench101 import OPERATIONS, nasbench101
from untrained.spaces.networks.nasbench101 import GraphCell

CONV3, CONV1, POOL = OPERATIONS
# Cells up to isomorphism by number of vertices; the sum is the published 423,624.
CELLS = {2: 1, 3: 6, 4: 84, 5: 2441, 6: 62_010, 7: 359_082}
# One row of the published table: its matrix, labels, hash and parameters.
PUBLISHED = (
    [
        [0, 1, 0, 0, 1, 1, 0],
        [0, 0, 1, 0, 0, 0, 0],
        [0, 0, 0, 1, 0, 0, 1],
        [0, 0, 0, 0, 0, 1, 0],
        [0, 0, 0, 0, 0, 1, 0],
        [0, 0, 0, 0, 0, 0, 1],
        [0, 0, 0, 0, 0, 0, 0],
    ],
    ["input", CONV3, POOL, CONV3, CONV3, CONV1, "output"],
)
PUBLISHED_HASH = "00005c142e6f48ac74fdcf73e3439874"
INCEPTION = (
    [
        [0, 1, 1, 1, 0, 1, 0],
        [0, 0, 0, 0, 0, 0, 1],
        [0, 0, 0, 0, 0, 0, 1],
        [0, 0, 0, 0, 1, 0, 0],
        [0, 0, 0, 0, 0, 0, 1],
        [0, 0, 0, 0, 0, 0, 1],
        [0, 0, 0, 0, 0, 0, 0],
    ],
    ["input", CONV1, CONV3, CONV3, CONV3, POOL, "output"],
)
POOLED = (
    [
        [0, 1, 0, 1, 0, 0, 0],
        [0, 0, 1, 0, 1, 1, 0],
        [0, 0, 0, 0, 0, 0, 1],
        [0, 0, 0, 0, 1, 0, 0],
        [0, 0, 0, 0, 0, 1, 0],
        [0, 0, 0, 0, 0, 0, 1],
        [0, 0, 0, 0, 0, 0, 0],
    ],
    ["input", POOL, CONV3, POOL, CONV1, POOL, "output"],
)


def relabelled(architecture: Architecture, order: tuple[int, ...]) -> Architecture | None:
    """The cell with its inner vertices in another order; None if an edge would lead backwards."""
    matrix, labels = np.array(nasbench101.matrix(architecture)), nasbench101.operations(architecture)
    full = (0, *order, len(labels) - 1)
    moved = matrix[np.ix_(full, full)]
    if np.tril(moved).any():
        return None
    return nasbench101.from_matrix(moved, [labels[vertex] for vertex in full])


def isomorphic(architecture: Architecture) -> set[Architecture]:
    """All relabelled forms, by trying every permutation."""
    inner = range(1, len(nasbench101.matrix(architecture)) - 1)
    forms = (relabelled(architecture, order) for order in itertools.permutations(inner))
    return {form for form in forms if form is not None}


def in_order(architecture: Architecture) -> list[tuple[int, int]]:
    """(mask, operation) of each vertex from the input on."""
    inner = (len(architecture.genes) - 1) // 2
    return list(zip(architecture.genes[: inner + 1], (*architecture.genes[inner + 1 :], 0), strict=True))


def test_the_published_hash_is_reproduced_bit_for_bit() -> None:
    matrix, labels = PUBLISHED
    for form in (matrix, np.array(matrix), np.array(matrix, dtype=np.int8), tuple(map(tuple, matrix))):
        cell = nasbench101.from_matrix(form, labels)
        assert nasbench101.module_hash(cell) == PUBLISHED_HASH
    assert all(nasbench101.module_hash(form) == PUBLISHED_HASH for form in isomorphic(cell))
    assert [list(row) for row in nasbench101.matrix(cell)] == matrix
    assert list(nasbench101.operations(cell)) == labels


@pytest.mark.parametrize(("cell", "count"), [(PUBLISHED, 8_555_530), (INCEPTION, 2_694_282), (POOLED, 3_468_426)])
def test_networks_have_the_published_parameter_counts(cell: tuple[list[list[int]], list[str]], count: int) -> None:
    network = nasbench101.build(nasbench101.from_matrix(*cell))
    assert sum(p.numel() for p in network.parameters()) == count


def test_hashes_tell_apart_what_simpler_ones_confuse() -> None:
    chain = [[0, 1, 0, 0, 0], [0, 0, 1, 0, 0], [0, 0, 0, 1, 0], [0, 0, 0, 0, 1], [0, 0, 0, 0, 0]]
    triangle = [[0, 1, 0, 1], [0, 0, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0]]
    diamond = [[0, 1, 1, 0], [0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 0]]

    def keys(matrix: list[list[int]], *labels: str) -> tuple[str, Architecture]:
        cell = nasbench101.from_matrix(matrix, ["input", *labels, "output"])
        return nasbench101.module_hash(cell), nasbench101.canonical(cell)

    for first, second in (
        (keys(chain, CONV1, CONV3, CONV3), keys(chain, CONV3, CONV3, CONV1)),
        (keys(triangle, CONV1, CONV3), keys(triangle, CONV3, CONV1)),
        (keys(diamond, CONV1, CONV1), keys(diamond, CONV3, CONV3)),
    ):
        assert first[0] != second[0]
        assert first[1] != second[1]
    assert keys(diamond, CONV1, POOL) == keys(diamond, POOL, CONV1)


def test_canonical_forms_hashes_and_brute_force_agree_up_to_five_vertices() -> None:
    graphs = list(itertools.takewhile(lambda a: len(a.genes) <= 7, nasbench101.labelled()))
    assert len(set(graphs)) == len(graphs) == 1 + 6 + 90 + 3267
    classes = {}
    for graph in graphs:
        if graph not in classes:
            forms = isomorphic(graph)
            classes.update(dict.fromkeys(forms, graph))
            assert nasbench101.canonical(graph) == min(forms, key=in_order)
    assert set(classes) == set(graphs)
    assert len(set(classes.values())) == 1 + 6 + 84 + 2441
    canonical = {graph: nasbench101.canonical(graph) for graph in graphs}
    hashes = {graph: nasbench101.module_hash(graph) for graph in graphs}
    pairs = {(classes[graph], canonical[graph], hashes[graph]) for graph in graphs}
    assert len(pairs) == len({p[0] for p in pairs}) == len({p[1] for p in pairs}) == len({p[2] for p in pairs})
    assert all(canonical[form] == form for form in canonical.values())


def test_labelled_graphs_are_what_filtering_all_matrices_leaves() -> None:
    """Five vertices: every upper-triangular matrix, kept when pruning changes nothing and nine edges are enough."""
    pairs = list(itertools.combinations(range(5), 2))
    found = set()
    for bits in itertools.product((0, 1), repeat=len(pairs)):
        matrix = np.zeros((5, 5), dtype=int)
        matrix[tuple(zip(*pairs, strict=True))] = bits
        ways = np.linalg.matrix_power(np.eye(5, dtype=int) + matrix, 5)
        if (ways[0] > 0).all() and (ways[:, 4] > 0).all() and sum(bits) <= 9:
            found.add(nasbench101.from_matrix(matrix, ["input", CONV3, CONV3, CONV3, "output"]))
    labelled = itertools.takewhile(lambda a: len(a.genes) <= 7, nasbench101.labelled())
    assert found == {graph for graph in labelled if len(graph.genes) == 7 and graph.genes[4:] == (0, 0, 0)}


def test_the_whole_space_has_the_published_number_of_cells() -> None:
    """Burnside's lemma: labellings of a graph up to its symmetries, summed over the graphs up to isomorphism."""
    counts = dict.fromkeys(CELLS, 0)
    for shape in set(map(nasbench101.canonical, unlabelled())):
        matrix = np.array(nasbench101.matrix(shape))
        vertices = len(matrix)
        orders = np.array([(0, *order, vertices - 1) for order in itertools.permutations(range(1, vertices - 1))])
        symmetries = orders[(matrix[orders[:, :, None], orders[:, None]] == matrix).all((1, 2))]
        fixed = [3 ** cycles(tuple(order[1:-1])) for order in symmetries.tolist()]
        assert sum(fixed) % len(fixed) == 0
        counts[vertices] += sum(fixed) // len(fixed)
    assert counts == CELLS
    assert sum(counts.values()) == nasbench101.unique == 423_624
    assert sum(3 ** (len(graph.genes) // 2) for graph in unlabelled()) == nasbench101.size


def cycles(order: tuple[int, ...]) -> int:
    """Cycles of a permutation of 1, 2, ..."""
    left, count = set(order), 0
    while left:
        vertex, count = left.pop(), count + 1
        while order[vertex - 1] in left:
            vertex = order[vertex - 1]
            left.remove(vertex)
    return count


def unlabelled() -> list[Architecture]:
    """Every graph once, all operations being the first."""
    masks = [tuple(mask) for graphs in nasbench101._graphs for mask in graphs.tolist()]
    return [Architecture("nasbench101", mask + (0,) * (len(mask) - 1)) for mask in masks]


@pytest.mark.slow
def test_canonical_cells_up_to_six_vertices_are_as_many_as_published() -> None:
    counts = dict.fromkeys(CELLS, 0)
    for graph in itertools.takewhile(lambda a: len(a.genes) <= 9, nasbench101.labelled()):
        counts[(len(graph.genes) + 3) // 2] += nasbench101.canonical(graph) == graph
    assert counts == {**CELLS, 7: 0}


def test_relabelling_changes_neither_hash_nor_canonical_form() -> None:
    rng = generator("relabel")
    for _ in range(20):
        cell = nasbench101.sample(rng)
        inner = list(range(1, len(nasbench101.matrix(cell)) - 1))
        for _ in range(20):
            form = relabelled(cell, tuple(rng.permutation(inner).tolist()))
            if form is not None:
                assert nasbench101.canonical(form) == cell  # samples are canonical
                assert nasbench101.module_hash(form) == nasbench101.module_hash(cell)


def test_samples_are_uniform_over_the_cells() -> None:
    rng = generator("uniform")
    cells = [nasbench101.sample(rng) for _ in range(3000)]
    assert all(nasbench101.canonical(nasbench101.validate(cell)) == cell for cell in cells)
    large = sum(len(cell.genes) == 11 for cell in cells) / 3000
    # Within 3.3 standard deviations; uniform over labelled graphs it would be 0.90 instead of 0.85.
    assert abs(large - CELLS[7] / 423_624) < 0.022
    labels = np.bincount([gene for cell in cells for gene in cell.genes[6:] if len(cell.genes) == 11], minlength=3)
    assert (abs(labels / labels.sum() - 1 / 3) < 0.015).all()
    assert len(set(cells)) > 2950


@settings(deadline=None, max_examples=60)
@given(st.integers(2, 7), st.data())
def test_pruning_keeps_exactly_what_lies_between_input_and_output(vertices: int, data: st.DataObject) -> None:
    matrix = np.zeros((vertices, vertices), dtype=int)
    upper = np.triu_indices(vertices, 1)
    matrix[upper] = data.draw(st.lists(st.integers(0, 1), min_size=len(upper[0]), max_size=len(upper[0])))
    labels = data.draw(st.lists(st.sampled_from(OPERATIONS), min_size=vertices - 2, max_size=vertices - 2))
    labels = ["input", *labels, "output"]
    ways = np.linalg.matrix_power(np.eye(vertices, dtype=int) + matrix, vertices)
    kept = np.flatnonzero((ways[0] > 0) & (ways[:, -1] > 0))
    if not ways[0, -1]:
        with pytest.raises(ArchitectureError, match="no way leads"):
            nasbench101.from_matrix(matrix, labels)
    elif matrix[np.ix_(kept, kept)].sum() > 9:
        with pytest.raises(ArchitectureError, match="at most 9 edges"):
            nasbench101.from_matrix(matrix, labels)
    else:
        cell = nasbench101.from_matrix(matrix, labels)
        assert np.array_equal(nasbench101.matrix(cell), matrix[np.ix_(kept, kept)])
        assert nasbench101.operations(cell) == tuple(labels[vertex] for vertex in kept)
        assert nasbench101.parse(nasbench101.format(cell)) == cell == Architecture.parse(str(cell))
        assert all(type(gene) is int for gene in cell.genes)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000))
def test_variation_stays_in_the_space(seed: int) -> None:
    rng = generator("variation", seed)
    a, b = nasbench101.sample(rng), nasbench101.sample(rng)
    near = list(nasbench101.neighbours(a))
    assert len(set(near)) == len(near)
    for other in near:
        nasbench101.validate(other)
        assert nasbench101.canonical(other) != nasbench101.canonical(a)
    assert nasbench101.mutate(a, rng) in near
    child = nasbench101.validate(nasbench101.crossover(a, b, rng))
    edges = [token for token in nasbench101.tokens(child) if token.kind == "edge"]
    assert len(edges) == sum(map(sum, nasbench101.matrix(child)))
    assert [t.kind for t in nasbench101.tokens(child) if t.kind != "edge"] == list(nasbench101.operations(child)[1:-1])
    assert nasbench101.crossover(a, a, rng) == a
    drawn = nasbench101.draw(child)
    assert {(e.source, e.target) for e in drawn.edges} == {(e.get("source"), e.get("target")) for e in edges}


def test_neighbours_of_small_cells_by_hand() -> None:
    wire = nasbench101.parse("1/")
    assert {nasbench101.format(n) for n in nasbench101.neighbours(wire)} == {"11.1/3", "11.1/1", "11.1/m"}
    plain = nasbench101.parse("10.1/3")
    found = {nasbench101.format(n) for n in nasbench101.neighbours(plain)}
    flipped, changed = {"11.1/3"}, {"10.1/1", "10.1/m"}
    before = {f"110.10.1/{new}3" for new in "31m"}  # a new vertex between the input and the old one
    beside = {f"110.01.1/{new}3" for new in "31m"}  # a new one between the input and the output
    after = {f"100.11.1/3{new}" for new in "31m"}  # a new one between the old one and the output
    assert found == flipped | changed | before | beside | after


def test_children_mix_the_vertices_of_both_parents() -> None:
    rng = generator("children")
    a = nasbench101.parse("100000.10000.1000.100.10.1/33333")
    b = nasbench101.parse("100000.10000.1000.100.10.1/11111")
    children = {nasbench101.crossover(a, b, rng) for _ in range(300)}
    assert a not in children
    assert b not in children
    assert {nasbench101.format(c) for c in children} <= {
        f"100000.10000.1000.100.10.1/{''.join(labels)}" for labels in itertools.product("31", repeat=5)
    }
    assert len(children) == 30  # every mixture


@pytest.mark.parametrize(
    ("text", "column", "problem"),
    [
        ("", 1, "row 0 is too short"),
        ("1", 2, "'/' is missing"),
        ("1/3", 3, "text after"),
        ("12.1/3", 2, "'2' is no edge"),
        ("1.1/3", 2, "row 0 is too short"),
        ("11.11/3", 5, "row 1 of 2 is too long"),
        ("11.1/", 6, "no operation for vertex 1"),
        ("11.1/x", 6, "no operation for vertex 1"),
        ("11.0/3", 4, "nothing uses vertex 1"),
        ("01.1/3", 6, "nothing leads to vertex 1"),
        ("1111.111.11.1/313", 13, "edge number 10"),
        ("1000000.100000.10000.1000.100.10.1/333333", 7, "row 0 of 7 is too long"),
    ],
)
def test_bad_texts_point_at_the_place(text: str, column: int, problem: str) -> None:
    with pytest.raises(ArchitectureError, match=f"{problem}.* at column {column}\n"):
        nasbench101.parse(text)


@pytest.mark.parametrize(
    ("genes", "problem"),
    [
        ((), "odd number"),
        ((1, 1), "odd number"),
        ((1,) * 13, "odd number"),
        ((1, 3, True), "odd number"),
        ((0, 3, 0), "vertex 1 takes a mask"),
        ((1, 4, 0), "vertex 2 takes a mask"),
        ((1, 3, 3), "operations are"),
        ((1, 1, 0), "nothing uses vertex 1"),
        ((1, 3, 7, 15, 0, 0, 0), "at most 9 edges"),
    ],
)
def test_bad_genes_are_refused(genes: tuple[int, ...], problem: str) -> None:
    with pytest.raises(ArchitectureError, match=problem):
        nasbench101.validate(Architecture("nasbench101", genes))


@pytest.mark.parametrize(
    ("matrix", "labels", "problem"),
    [
        ([[0, 1]], ["input", "output"], "square"),
        ([[0, 2], [0, 0]], ["input", "output"], "zeros and ones"),
        ([[0, 1], [1, 0]], ["input", "output"], "upper triangular"),
        ([[0, 1], [0, 0]], ["input", CONV3, "output"], "2 labels, not 3"),
        ([[0, 1, 0], [0, 0, 1], [0, 0, 0]], ["input", "conv5x5", "output"], "unknown operation 'conv5x5'"),
    ],
)
def test_bad_matrices_are_refused(matrix: list[list[int]], labels: list[str], problem: str) -> None:
    with pytest.raises(ArchitectureError, match=problem):
        nasbench101.from_matrix(matrix, labels)


def test_pruning_comes_before_the_limits() -> None:
    """A dead eighth vertex is no reason to refuse a cell: the benchmark counts what is left."""
    matrix = np.zeros((8, 8), dtype=int)
    matrix[range(6), range(1, 7)] = 1
    matrix[5, 7] = 1
    cell = nasbench101.from_matrix(matrix, ["input", *[CONV3] * 6, "output"])
    assert nasbench101.format(cell) == "100000.10000.1000.100.10.1/33333"


@pytest.mark.parametrize(
    ("text", "channels", "expected"),
    [  # the published cases of the channel rule
        ("110.01.1/33", 8, [4, 4]),
        ("110.01.1/33", 15, [8, 7]),
        ("1110.001.01.1/333", 8, [3, 3, 2]),
        ("1000.110.01.1/333", 8, [4, 4, 4]),
        ("1000.110.01.1/333", 9, [5, 5, 4]),
        ("1010.101.10.1/333", 15, [8, 7, 7]),
        ("1/", 5, []),
    ],
)
def test_channels_are_shared_as_published(text: str, channels: int, expected: list[int]) -> None:
    assert vertex_channels(nasbench101.matrix(nasbench101.parse(text)), channels) == expected


@settings(deadline=None, max_examples=12)
@given(st.integers(0, 10_000))
def test_cells_compute_what_the_rules_say(seed: int) -> None:
    """A cell against the rules written out for one vertex, with the cell's own operations."""
    rng = generator("cells", seed)
    cell = nasbench101.sample(rng)
    matrix, labels = nasbench101.matrix(cell), nasbench101.operations(cell)
    module = GraphCell(matrix, labels, 4, 13).eval()
    x = torch.from_numpy(rng.standard_normal((2, 4, 5, 5))).float()
    last = len(matrix) - 1
    widths = [4, *vertex_channels(matrix, 13), 13]

    def value(vertex: int) -> torch.Tensor:
        if vertex == 0:
            return x
        sources = [s for s in range(1, vertex) if matrix[s][vertex]]
        terms = [value(s)[:, : widths[vertex]] for s in sources]
        if vertex == last and terms:
            terms = [torch.cat([value(s) for s in sources], 1)]
        if matrix[0][vertex]:
            terms.append(module.projections[str(vertex)](x))
        total = sum(terms[1:], terms[0])
        return total if vertex == last else module.operations[vertex - 1](total)

    assert all(widths[s] - widths[t] in (0, 1) for s, t in itertools.combinations(range(1, last), 2) if matrix[s][t])
    out = module(x)
    assert out.shape == (2, 13, 5, 5)
    torch.testing.assert_close(out, value(last))


def test_isomorphic_networks_have_equally_many_parameters_when_channels_divide() -> None:
    rng = generator("isomorphic")
    for _ in range(5):
        cell = nasbench101.sample(rng)
        counts = {
            sum(p.numel() for p in nasbench101.build(form, skeleton="channels=60,cells=1").parameters())
            for form in itertools.islice(isomorphic(cell), 4)
        }
        assert len(counts) == 1


def test_every_parameter_of_every_network_learns() -> None:
    rng = generator("networks")
    images = torch.from_numpy(rng.standard_normal((2, 3, 8, 8))).float()
    for _ in range(50):
        network = nasbench101.build(nasbench101.sample(rng), num_classes=4, skeleton="proxy")
        F.cross_entropy(network(images), torch.tensor([0, 3])).backward()
        gradients = [p.grad for p in network.parameters()]
        assert all(g is not None and bool(torch.isfinite(g).all()) for g in gradients)


@pytest.mark.parametrize("side", [8, 13, 28])
def test_images_of_any_size_pass(side: int) -> None:
    network = nasbench101.build(nasbench101.from_matrix(*PUBLISHED), skeleton="proxy", in_chans=1)
    images = torch.zeros(2, 1, side, side)
    assert network(images).shape == (2, 10)
    quarter = -(-side // 4)
    assert network.body(network.stem(images)).shape == (2, 64, quarter, quarter)


def test_too_few_channels_are_refused() -> None:
    wide = nasbench101.parse("11110.0001.001.01.1/3333")
    assert nasbench101.build(wide, skeleton="channels=4,cells=1")(torch.zeros(2, 3, 8, 8)).shape == (2, 10)
    with pytest.raises(InputError, match="too few"):
        nasbench101.build(wide, skeleton="channels=3,cells=1")


def test_no_cell_joins_more_than_four_vertices() -> None:
    """Why four channels are always enough: five would need ten edges."""
    assert max(sum(row[-1] for row in nasbench101.matrix(graph)[1:]) for graph in unlabelled()) == 4


def test_no_torch_before_a_network_is_built() -> None:
    code = "import sys; from untrained.spaces.nasbench101 import nasbench101 as s; s.parse('11.1/3')"
    code += "; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
