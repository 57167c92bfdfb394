import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from untrained.architecture import Architecture
from untrained.errors import ArchitectureError, InputError
from untrained.nn.counts import count_macs, count_parameters
from untrained.seeds import generator
from untrained.spaces.nats_sss import nats_sss
from untrained.spaces.nats_tss import nats_tss
from untrained.spaces.networks.nats import cell_of

GENES = st.lists(st.integers(0, 7), min_size=5, max_size=5)
# Index, then (image side, parameters, FLOPs) by number of classes, from the benchmark's own files
# (NATS-sss-v1_0-50262-simple). Its FLOPs are multiply-accumulates and the biases of the last layer.
OFFICIAL = {
    "8:8:8:8:8": (0, {10: (32, 11_714, 4_481_114), 100: (32, 12_524, 4_481_924), 120: (16, 12_704, 1_121_336)}),
    "8:8:8:16:32": (11, {10: (32, 49_202, 6_840_650), 100: (32, 52_172, 6_843_620), 120: (16, 52_832, 1_714_040)}),
    "8:8:40:32:40": (
        284,
        {10: (32, 144_834, 21_827_994), 100: (32, 148_524, 21_831_684), 120: (16, 149_344, 5_461_816)},
    ),
}


def formula(widths: tuple[int, ...], classes: int) -> int:
    """Parameters, written out edge by edge."""

    def conv(a: int, b: int, kernel: int) -> int:
        return kernel * kernel * a * b + 2 * b

    def cell(a: int, b: int) -> int:
        adapter = 0 if a == b else conv(a, b, 1)
        return 2 * conv(a, b, 3) + 3 * conv(b, b, 3) + adapter

    def residual(a: int, b: int) -> int:
        return conv(a, b, 3) + conv(b, b, 3) + a * b

    c1, c2, c3, c4, c5 = widths
    body = cell(c1, c1) + residual(c1, c2) + cell(c2, c3) + residual(c3, c4) + cell(c4, c5)
    return conv(3, c1, 3) + body + 2 * c5 + c5 * classes + classes


@pytest.mark.parametrize("text", OFFICIAL)
def test_networks_have_the_official_costs(text: str) -> None:
    index, counts = OFFICIAL[text]
    architecture = nats_sss.parse(text)
    assert nats_sss.index(architecture) == index
    for classes, (side, parameters, flops) in counts.items():
        network = nats_sss.build(architecture, num_classes=classes)
        assert count_parameters(network) == parameters
        assert count_macs(network, (3, side, side)) + classes == flops


@settings(deadline=None, max_examples=15)
@given(GENES, st.integers(2, 12))
def test_parameters_follow_the_formula(genes: list[int], classes: int) -> None:
    architecture = Architecture("nats-sss", tuple(genes))
    network = nats_sss.build(architecture, num_classes=classes, skeleton="proxy")
    assert sum(p.numel() for p in network.parameters()) == formula(nats_sss.widths(architecture, 2), classes)


def test_the_order_is_the_whole_space_once() -> None:
    architectures = list(nats_sss)
    assert len(set(architectures)) == nats_sss.size == 8**5 == len(architectures)
    for index in (0, 1, 7, 8, 4095, 32_767):
        assert nats_sss.at(index) == architectures[index]
        assert nats_sss.index(architectures[index]) == index
    assert nats_sss.format(nats_sss.at(1)) == "8:8:8:8:16"
    assert nats_sss.format(nats_sss.at(8)) == "8:8:8:16:8"
    with pytest.raises(InputError, match=r"0\.\.32767"):
        nats_sss.at(32_768)


def test_samples_reach_repeated_widths_and_are_uniform() -> None:
    rng = generator("test")
    genes = np.array([nats_sss.sample(rng).genes for _ in range(8000)])
    counts = np.array([np.bincount(column, minlength=8) for column in genes.T])
    assert (((counts - 1000) ** 2 / 1000).sum(1) < 24.3).all()  # chi-squared, 7 degrees of freedom, 0.1 %
    distinct = np.array([len(set(row)) for row in genes.tolist()])
    assert abs((distinct == 5).mean() - 6720 / 32_768) < 0.02


@settings(deadline=None, max_examples=30)
@given(GENES, GENES, st.integers(0, 1000))
def test_variation_stays_in_the_space(first: list[int], second: list[int], seed: int) -> None:
    a, b = Architecture("nats-sss", tuple(first)), Architecture("nats-sss", tuple(second))
    rng = generator(seed)
    near = list(nats_sss.neighbours(a))
    assert len(set(near)) == 35
    assert a not in near
    assert nats_sss.mutate(a, rng) in near
    child = nats_sss.validate(nats_sss.crossover(a, b, rng))
    assert all(gene in pair for gene, pair in zip(child.genes, zip(first, second, strict=True), strict=True))
    assert nats_sss.parse(nats_sss.format(a)) == a == Architecture.parse(str(a))
    assert [token.get("channels") for token in nats_sss.tokens(a)] == [8 * (gene + 1) for gene in first]
    assert nats_sss.canonical(a) == a


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("8:8:8:8", 8),
        ("8:8:12:8:8", 5),
        ("8:8:8:8:72", 9),
        ("8:0:8:8:8", 3),
        ("8:08:8:8:8", 3),
        ("8:8:8:8:8:8", 10),
        ("", 1),
        ("8-8:8:8:8", 2),
        pytest.param("9" * 5000, 1, id="long"),
    ],
)
def test_bad_texts_point_at_the_place(text: str, column: int) -> None:
    with pytest.raises(ArchitectureError, match=f"column {column}\n"):
        nats_sss.parse(text)


@pytest.mark.parametrize("genes", [(0, 0, 0, 0), (0, 0, 0, 0, 8), (0, 0, 0, 0, -1), (0, 0, 0, 0, True)])
def test_bad_genes_are_refused(genes: tuple[int, ...]) -> None:
    with pytest.raises(ArchitectureError, match="5 genes"):
        nats_sss.validate(Architecture("nats-sss", genes))


def test_every_parameter_of_every_network_learns() -> None:
    rng = generator("networks")
    images = torch.from_numpy(rng.standard_normal((2, 3, 8, 8))).float()
    for _ in range(50):
        network = nats_sss.build(nats_sss.sample(rng), num_classes=4, skeleton="proxy")
        F.cross_entropy(network(images), torch.tensor([0, 3])).backward()
        gradients = [p.grad for p in network.parameters()]
        assert all(g is not None and bool(torch.isfinite(g).all()) for g in gradients)


@pytest.mark.parametrize("side", [8, 15, 28])
def test_images_of_any_size_pass(side: int) -> None:
    network = nats_sss.build(nats_sss.at(12_345), skeleton="proxy", in_chans=1)
    assert network(torch.zeros(2, 1, side, side)).shape == (2, 10)


@pytest.mark.parametrize("operation", range(5))
def test_edges_adapt_between_widths(operation: int) -> None:
    """A cell of one kind of edge: what each adapter computes, by hand."""
    name = nats_tss.operations[operation]
    cell = cell_of(["none", "none", "none", name, "none", "none"])(3, 5).eval()  # the input to the output alone
    x = torch.from_numpy(generator("cell").standard_normal((2, 3, 6, 6))).float()
    parameters = list(cell.parameters())
    weight = parameters[0].detach() if parameters else None
    scale = (1 + 1e-5) ** -0.5  # batch normalisation in evaluation mode, before any training
    if name == "none":
        expected = torch.zeros(2, 5, 6, 6)
    elif name == "skip_connect":
        expected = F.conv2d(x, weight) * scale  # no activation
    elif name == "avg_pool_3x3":
        inner = F.conv2d(x.relu(), weight) * scale
        expected = F.avg_pool2d(inner, 3, 1, 1, count_include_pad=False)
    else:
        expected = F.conv2d(x.relu(), weight, padding=1 if name.endswith("3x3") else 0) * scale
    torch.testing.assert_close(cell(x), expected)


def test_edges_between_inner_nodes_keep_the_new_width() -> None:
    for operations in itertools.product(("skip_connect", "nor_conv_3x3"), repeat=6):
        assert cell_of(operations)(3, 5)(torch.zeros(2, 3, 4, 4)).shape == (2, 5, 4, 4)
