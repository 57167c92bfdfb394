import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from untrained.architecture import Architecture
from untrained.errors import ArchitectureError, UnknownNameError
from untrained.nn.decoder import GenerativeDecoder, SegmentationDecoder
from untrained.seeds import generator
from untrained.spaces.four_nodes import EDGES
from untrained.spaces.space import Space
from untrained.spaces.transnas import transnas_macro, transnas_micro

SPACES = [transnas_micro, transnas_macro]
CELLS = st.lists(st.integers(0, 3), min_size=6, max_size=6)


def parameters(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def conv(a: int, b: int, kernel: int) -> int:
    return kernel * kernel * a * b + 2 * b


# -- sizes and order ---------------------------------------------------------------------------------------------------


def test_the_spaces_have_the_published_sizes() -> None:
    micro, macro = list(transnas_micro), list(transnas_macro)
    assert len(set(micro)) == len(micro) == transnas_micro.size == 4096
    assert len(set(macro)) == len(macro) == transnas_macro.size == 3256
    assert [sum(len(row.genes) == length for row in macro) for length in (4, 5, 6)] == [210, 750, 2296]
    for row in macro:
        digits = transnas_macro.format(row).split("-")[1]
        assert 1 <= sum(digit in "24" for digit in digits) <= 3
        assert 1 <= sum(digit in "34" for digit in digits) <= 4


def test_published_examples_mean_what_the_benchmark_says() -> None:
    cell = transnas_micro.parse("64-41414-1_02_333")
    operations = {(t.get("source"), t.get("target")): t.kind for t in transnas_micro.tokens(cell)}
    assert operations == {
        (0, 1): "skip_connect",
        (0, 2): "none",
        (1, 2): "nor_conv_1x1",
        (0, 3): "nor_conv_3x3",
        (1, 3): "nor_conv_3x3",
        (2, 3): "nor_conv_3x3",
    }
    row = transnas_macro.parse("64-1234-basic")
    assert [(t.get("width"), t.get("stride")) for t in transnas_macro.tokens(row)] == [(1, 1), (2, 1), (1, 2), (2, 2)]


# -- texts and variation -----------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=40)
@given(st.sampled_from(SPACES), st.integers(0, 10_000))
def test_variation_stays_in_the_space(space: Space, seed: int) -> None:
    rng = generator("variation", seed)
    a, b = space.sample(rng), space.sample(rng)
    assert space.parse(space.format(a)) == a == Architecture.parse(str(a))
    near = list(space.neighbours(a))
    assert len(set(near)) == len(near)
    assert a not in near
    assert all(space.validate(other) and a in space.neighbours(other) for other in near)
    assert space.mutate(a, rng) in near
    space.validate(space.crossover(a, b, rng))
    assert space.crossover(a, a, rng) == a or space is transnas_macro
    assert len(space.draw(a).nodes) == (4 if space is transnas_micro else len(a.genes) + 3)


def test_cell_neighbours_are_all_single_changes() -> None:
    assert all(len(list(transnas_micro.neighbours(a))) == 18 for a in itertools.islice(transnas_micro, 0, None, 500))


def test_row_neighbours_by_hand() -> None:
    near = {transnas_macro.format(n)[3:-6] for n in transnas_macro.neighbours(transnas_macro.parse("64-1114-basic"))}
    changed = {"2114", "3114", "4114", "1214", "1314", "1414", "1124", "1134", "1144"}
    longer = {f"{'1114'[:i]}{digit}{'1114'[i:]}" for i in range(5) for digit in "1234"}
    assert near == changed | longer  # 4 cannot change or go: it alone widens and strides


def test_row_children_start_as_one_parent_and_end_as_the_other() -> None:
    rng = generator("rows")
    for _ in range(300):
        a, b = transnas_macro.sample(rng), transnas_macro.sample(rng)
        child = transnas_macro.crossover(a, b, rng).genes
        assert any(
            child == a.genes[:i] + b.genes[j:] for i in range(1, len(a.genes) + 1) for j in range(1, len(b.genes) + 1)
        )


def test_samples_are_uniform() -> None:
    rng = generator("uniform")
    lengths = np.bincount([len(transnas_macro.sample(rng).genes) for _ in range(4000)], minlength=7)[4:] / 4000
    assert (abs(lengths - np.array([210, 750, 2296]) / 3256) < 0.025).all()
    genes = np.array([transnas_micro.sample(rng).genes for _ in range(4000)])
    counts = np.array([np.bincount(column, minlength=4) for column in genes.T])
    assert (((counts - 1000) ** 2 / 1000).sum(1) < 16.3).all()  # chi-squared, 3 degrees of freedom, 0.1 %


@pytest.mark.parametrize(
    ("space", "text", "column"),
    [
        (transnas_micro, "", 1),
        (transnas_micro, "32-41414-1_02_333", 1),
        (transnas_micro, "64-41413-1_02_333", 8),
        (transnas_micro, "64-41414-4_02_333", 10),
        (transnas_micro, "64-41414-1-02_333", 11),
        (transnas_micro, "64-41414-1_02_33", 17),
        (transnas_micro, "64-41414-1_02_3333", 18),
        (transnas_micro, "64-1234-basic", 4),
        (transnas_macro, "64-123-basic", 7),
        (transnas_macro, "64-1111-basic", 8),
        (transnas_macro, "64-1235-basic", 7),
        (transnas_macro, "64-1234567-basic", 8),
        (transnas_macro, "64-1234-bottle", 10),
        (transnas_macro, "64-1234-basic ", 14),
        (transnas_macro, "64-2222-basic", 8),
        (transnas_macro, "64-433333-basic", 10),
    ],
)
def test_bad_texts_point_at_the_place(space: Space, text: str, column: int) -> None:
    with pytest.raises(ArchitectureError, match=f"column {column}\n"):
        space.parse(text)


@pytest.mark.parametrize(
    ("space", "genes"),
    [
        (transnas_micro, (0,) * 5),
        (transnas_micro, (0, 0, 0, 0, 0, 4)),
        (transnas_micro, (0, 0, 0, 0, 0, True)),
        (transnas_macro, (3, 0, 0)),
        (transnas_macro, (3, 0, 0, 4)),
        (transnas_macro, (0, 0, 0, 0)),
        (transnas_macro, (1, 1, 1, 3)),
    ],
)
def test_bad_genes_are_refused(space: Space, genes: tuple[int, ...]) -> None:
    with pytest.raises(ArchitectureError, match="takes"):
        space.validate(Architecture(space.name, genes))


# -- identity ----------------------------------------------------------------------------------------------------------


def signatures() -> dict[Architecture, int]:
    """What each cell computes, whatever weights its edges have: the least output over all ways to hand out weights.

    Operations are random functions of 64-bit numbers, one for each pair (kind, weight), that keep zero; nodes add. Two
    cells have the same least output if and only if their operations can be matched (or with a chance of 2**-40).
    """
    weights = np.array(list(itertools.permutations(range(6))), dtype=np.uint64).T
    constants = generator("functions").integers(1, 2**63, (4, 6), dtype=np.uint64) * np.uint64(2) + np.uint64(1)

    def apply(kind: int, weight: np.ndarray, value: np.ndarray) -> np.ndarray:
        mixed = value * constants[kind][weight]
        mixed ^= mixed >> np.uint64(29)
        mixed *= constants[kind - 1][weight] ^ np.uint64(0xBF58476D1CE4E5B8)
        return mixed ^ (mixed >> np.uint64(32))

    found = {}
    for architecture in transnas_micro:
        nodes = [np.full(720, 0x9E3779B97F4A7C15, dtype=np.uint64), *(np.zeros(720, dtype=np.uint64) for _ in range(3))]
        for edge, (source, target) in enumerate(EDGES):
            kind = architecture.genes[edge]
            if kind == 1 and source:
                nodes[target] = nodes[target] + nodes[source]
            elif kind:
                nodes[target] = nodes[target] + apply(kind, weights[edge], nodes[source])
        found[architecture] = int(nodes[3].min())
    return found


def test_canonical_cells_are_the_classes_of_equal_functions() -> None:
    found = signatures()
    pairs = {(signature, transnas_micro.canonical(a)) for a, signature in found.items()}
    assert len(pairs) == len({p[0] for p in pairs}) == len({p[1] for p in pairs}) == 1376
    assert all(transnas_micro.canonical(cell) == cell for _, cell in pairs)
    zero = {a for a, signature in found.items() if signature == 0}
    assert zero == {a for a in found if not transnas_micro.is_connected(a)}
    assert len(zero) == 4096 - 3927


def test_canonical_networks_are_the_same_function_and_have_no_dead_weights() -> None:
    """Same weights where the operations match, here for cells whose only difference is a contraction or a dead edge."""
    for text, canonical in (
        ("64-41414-0_33_211", "64-41414-0_20_301"),  # a convolution of zero; a skip between inner nodes
        ("64-41414-3_32_110", "64-41414-0_10_301"),
    ):
        cell = transnas_micro.parse(text)
        assert transnas_micro.format(transnas_micro.canonical(cell)) == canonical
        big = transnas_micro.build(cell, skeleton="proxy")
        small = transnas_micro.build(transnas_micro.parse(canonical), skeleton="proxy")
        assert parameters(small) < parameters(big)
    for cell in set(map(transnas_micro.canonical, transnas_micro)):
        genes = cell.genes
        if transnas_micro.is_connected(cell):  # every edge lies on a way from input to output
            matrix = np.eye(4, dtype=int)
            for gene, (source, target) in zip(genes, EDGES, strict=True):
                matrix[source, target] = gene > 0
            ways = np.linalg.matrix_power(matrix, 4)
            used = [ends for gene, ends in zip(genes, EDGES, strict=True) if gene]
            assert all(ways[0, source] and ways[target, 3] for source, target in used)
        else:
            assert genes == (0,) * 6


def test_rows_are_their_own_canonical_form() -> None:
    assert all(transnas_macro.canonical(row) == row for row in transnas_macro)


# -- networks ----------------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=10)
@given(CELLS, st.integers(2, 9), st.integers(1, 2))
def test_cell_networks_follow_the_formula(genes: list[int], classes: int, cells: int) -> None:
    def cell(a: int, b: int, strided: bool) -> int:
        total = 0
        for gene, (source, _) in zip(genes, EDGES, strict=True):
            width = a if source == 0 else b
            reduced = width * b + 2 * b if source == 0 and strided else 0  # two halves of a 1x1 convolution, and BN
            total += (0, reduced, conv(width, b, 1), conv(width, b, 3))[gene]
        return total

    total, width = conv(3, 4, 3) + conv(4, 8, 3), 8
    for digit in "41414":
        before, width = width, width * (2 if digit == "4" else 1)
        total += cell(before, width, digit == "4") + (cells - 1) * cell(width, width, False)
    network = transnas_micro.build(
        Architecture("transnas-micro", tuple(genes)), num_classes=classes, skeleton=f"channels=8,cells={cells}"
    )
    assert parameters(network) == total + width * classes + classes


@pytest.mark.parametrize("digits", ["1234", "4111", "443113", "1413"])
def test_row_networks_follow_the_formula(digits: str) -> None:
    total, width = conv(3, 32, 3) + conv(32, 64, 3), 64
    for digit in digits:
        before, width = width, width * (2 if digit in "24" else 1)
        shortcut = conv(before, width, 1) if digit != "1" else 0
        total += conv(before, width, 3) + conv(width, width, 3) + shortcut + 2 * conv(width, width, 3)
    network = transnas_macro.build(transnas_macro.parse(f"64-{digits}-basic"), num_classes=47)
    assert parameters(network) == total + width * 47 + 47


@pytest.mark.parametrize("space", SPACES)
def test_every_parameter_of_every_network_learns(space: Space) -> None:
    rng = generator("networks", space.name)
    images = torch.from_numpy(rng.standard_normal((2, 3, 8, 8))).float()
    for _ in range(50):
        architecture = space.canonical(space.sample(rng))
        network = space.build(architecture, num_classes=4, skeleton="proxy")
        F.cross_entropy(network(images), torch.tensor([0, 3])).backward()
        gradients = [p.grad for p in network.parameters()]
        if space is transnas_micro and not transnas_micro.is_connected(architecture):
            gradients = [p.grad for p in network.head.parameters()]
        assert all(g is not None and bool(torch.isfinite(g).all()) for g in gradients)


def test_cells_stride_in_the_edges_from_the_input_alone() -> None:
    network = transnas_micro.build(transnas_micro.parse("64-41414-3_32_232"), skeleton="channels=8,cells=2")
    strided = [m for m in network.body.modules() if isinstance(m, nn.Conv2d) and m.stride == (2, 2)]
    assert len(strided) == 3 * 3  # three edges leave the input, three stages stride, one cell of each
    skips = transnas_micro.build(transnas_micro.parse("64-41414-1_11_111"), skeleton="channels=8,cells=2")
    assert all(m.kernel_size == (1, 1) for m in skips.body.modules() if isinstance(m, nn.Conv2d))
    assert sum(isinstance(m, nn.BatchNorm2d) for m in skips.body.modules()) == 9
    assert skips.body(torch.zeros(2, 8, 8, 8)).shape == (2, 64, 1, 1)


@pytest.mark.parametrize("text", ["64-41414-0_00_000", "64-41414-0_03_303", "64-41414-0_02_030"])
def test_zeros_have_the_size_of_what_they_are_added_to(text: str) -> None:
    network = transnas_micro.build(transnas_micro.parse(text), skeleton="proxy")
    features = network.body(torch.ones(2, 8, 25, 16))
    assert features.shape == (2, 64, 4, 2)
    assert (text == "64-41414-0_03_303") == bool(features.any())


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize(
    ("head", "shape"),
    [
        ("classification", (2, 5)),
        ("segmentation", (2, 5, 21, 34)),
        ("normal", (2, 3, 21, 34)),
        ("autoencoder", (2, 2, 21, 34)),
        ("jigsaw", (2, 5)),
    ],
)
def test_heads_serve_every_task_at_any_size(space: Space, head: str, shape: tuple[int, ...]) -> None:
    rng = generator("heads", space.name)
    network = space.build(space.sample(rng), num_classes=5, in_chans=2, skeleton=f"channels=4,cells=1,head={head}")
    images = torch.from_numpy(rng.standard_normal((2, 2, 21, 34))).float()
    out = network(images)
    assert out.shape == shape
    out.square().sum().backward()
    assert all(p.grad is not None for p in network.head.parameters())
    assert network(images[..., :8, :8]).shape == tuple(8 if n in (21, 34) else n for n in shape)


def test_jigsaw_heads_see_the_tiles_in_order() -> None:
    network = transnas_macro.build(
        transnas_macro.parse("64-1114-basic"), num_classes=6, skeleton="channels=4,cells=1,head=jigsaw"
    ).eval()
    x = torch.from_numpy(generator("tiles").standard_normal((2, 3, 26, 25))).float()
    tiles = [x[..., 8 * i : 8 * i + 8, 8 * j : 8 * j + 8] for i in range(3) for j in range(3)]
    features = [network.body(network.stem(tile)).mean((2, 3)) for tile in tiles]
    torch.testing.assert_close(network(x), network.head(torch.cat(features, 1)))


def test_unknown_heads_are_refused() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'segmentation'"):
        transnas_micro.build(transnas_micro.parse("64-41414-1_02_333"), skeleton="head=segmentatoin")


@pytest.mark.parametrize("doublings", range(2, 7))
def test_decoders_have_the_published_widths(doublings: int) -> None:
    segmentation = SegmentationDecoder(48, 17, doublings, channels=64)
    widths = [m.weight.shape for m in segmentation.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
    assert len(widths) == 8
    norms = [m.num_features for m in segmentation.modules() if isinstance(m, nn.BatchNorm2d)]
    assert norms == [1024, 512, 256, 128, 64, 32, 32]
    generative = GenerativeDecoder(48, 3, doublings, channels=64)
    norms = [m.num_features for m in generative.modules() if isinstance(m, nn.BatchNorm2d)]
    assert norms == [1024, 1024, 512, 512, 256, 128, 64, 64, 32, 32, 16, 32, 16]
    doubling = [step for step, layer in enumerate(list(generative)[:13]) if isinstance(layer[0], nn.ConvTranspose2d)]
    assert doubling == [2, 4, 6, 8, 10, 12][6 - doublings :]
    for decoder in (segmentation, generative):
        assert sum(isinstance(m, nn.ConvTranspose2d) for m in decoder.modules()) == doublings
    for kind, shape in ((SegmentationDecoder, (2, 5)), (GenerativeDecoder, (2, 3))):
        out = kind(6, shape[1], doublings, channels=4)(torch.zeros(2, 6, 1, 2))
        assert out.shape == (*shape, 2**doublings, 2 * 2**doublings)


def test_first_weights_are_kaiming_normal_by_fan_out() -> None:
    network = transnas_macro.build(transnas_macro.parse("64-1114-basic"))
    for module in network.body.modules():
        if isinstance(module, nn.Conv2d):
            fan_out = module.out_channels * module.kernel_size[0] ** 2
            assert float(module.weight.detach().std()) == pytest.approx((2 / fan_out) ** 0.5, rel=0.1)
