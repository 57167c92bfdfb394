import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from untrained.architecture import Architecture
from untrained.errors import ArchitectureError, InputError
from untrained.nn.inverted_residual import InvertedResidual
from untrained.seeds import generator
from untrained.spaces.macro import macro

GENES = st.lists(st.integers(0, 2), min_size=8, max_size=8)


def formula(digits: str, classes: int, channels: int) -> int:
    """Parameters, written out place by place."""

    def conv(a: int, b: int, kernel: int = 1) -> int:
        return kernel * kernel * a * b + 2 * b

    total, width = conv(3, channels, 3), channels
    for place, digit in enumerate(digits):
        before = width
        width *= 2 if place in (0, 2, 5) else 1
        if digit == "0":
            total += conv(before, width) if before != width else 0
        else:
            kernel, hidden = (3, 3 * before) if digit == "1" else (5, 6 * before)
            total += conv(before, hidden) + conv(1, hidden, kernel) + conv(hidden, width)
    return total + conv(width, 40 * channels) + 40 * channels * classes + classes


@settings(deadline=None, max_examples=15)
@given(GENES, st.integers(2, 12))
def test_parameters_follow_the_formula(genes: list[int], classes: int) -> None:
    architecture = Architecture("macro", tuple(genes))
    network = macro.build(architecture, num_classes=classes, skeleton="proxy")
    assert sum(p.numel() for p in network.parameters()) == formula(macro.format(architecture), classes, 4)


def test_the_published_network_is_1280_wide_at_the_end() -> None:
    network = macro.build(macro.parse("22222222"))
    assert sum(p.numel() for p in network.parameters()) == formula("22222222", 10, 32)
    assert network.head.in_features == 1280
    assert network.body(torch.zeros(1, 32, 32, 32)).shape == (1, 256, 4, 4)


def test_the_order_is_the_whole_space_once() -> None:
    architectures = list(macro)
    assert len(set(architectures)) == macro.size == 3**8 == len(architectures)
    for index in (0, 1, 3, 2187, 6560):
        assert macro.at(index) == architectures[index]
        assert macro.index(architectures[index]) == index
    with pytest.raises(InputError, match=r"0\.\.6560"):
        macro.at(6561)


def test_canonical_rows_are_the_benchmarks_3969() -> None:
    """Equal exactly where the blocks that do something are equal, stage by stage."""

    def doing(architecture: Architecture) -> tuple[str, ...]:
        digits = macro.format(architecture)
        stages = (digits[0:2], digits[2:5], digits[5:8])
        return tuple(stage[0] + stage[1:].replace("0", "") for stage in stages)

    pairs = {(doing(a), macro.canonical(a)) for a in macro}
    assert len(pairs) == len({p[0] for p in pairs}) == len({p[1] for p in pairs}) == macro.unique == 9 * 21 * 21
    for seen, canonical in pairs:
        assert macro.canonical(canonical) == canonical
        assert macro.format(canonical) == "".join(stage.ljust(n, "0") for stage, n in zip(seen, (2, 3, 3), strict=True))


@pytest.mark.parametrize("text", ["00201022", "10102001", "00000000", "12001102"])
def test_canonical_networks_are_the_same_function(text: str) -> None:
    """The very same weights, in the same order, and the same outputs."""
    architecture = macro.parse(text)
    first = macro.build(architecture, skeleton="proxy").eval()
    second = macro.build(macro.canonical(architecture), skeleton="proxy").eval()
    for p, q in zip(first.parameters(), second.parameters(), strict=True):
        q.data.copy_(p.data)
    x = torch.from_numpy(generator("same").standard_normal((2, 3, 16, 16))).float()
    assert torch.equal(first(x), second(x))


@settings(deadline=None, max_examples=30)
@given(GENES, GENES, st.integers(0, 1000))
def test_variation_stays_in_the_space(first: list[int], second: list[int], seed: int) -> None:
    a, b = Architecture("macro", tuple(first)), Architecture("macro", tuple(second))
    rng = generator(seed)
    near = list(macro.neighbours(a))
    assert len(set(near)) == 16
    assert a not in near
    assert all(sum(x != y for x, y in zip(a.genes, other.genes, strict=True)) == 1 for other in near)
    assert macro.mutate(a, rng) in near
    child = macro.validate(macro.crossover(a, b, rng))
    assert all(gene in pair for gene, pair in zip(child.genes, zip(first, second, strict=True), strict=True))
    assert macro.parse(macro.format(a)) == a == Architecture.parse(str(a))
    assert macro.draw(a).is_chain


def test_samples_are_uniform() -> None:
    rng = generator("uniform")
    genes = np.array([macro.sample(rng).genes for _ in range(3000)])
    counts = np.array([np.bincount(column, minlength=3) for column in genes.T])
    assert (((counts - 1000) ** 2 / 1000).sum(1) < 13.8).all()  # chi-squared, 2 degrees of freedom, 0.1 %


def test_tokens_carry_the_numbers_of_the_blocks() -> None:
    tokens = [str(token) for token in macro.tokens(macro.parse("01201020"))]
    small, large = (
        "inverted_residual(expansion=3, kernel=3, stride={})",
        "inverted_residual(expansion=6, kernel=5, stride={})",
    )
    plain = "identity(stride={})"
    expected = zip((plain, small, large, plain, small, plain, large, plain), (2, 1, 2, 1, 1, 2, 1, 1), strict=True)
    assert tokens == [form.format(stride) for form, stride in expected]


@pytest.mark.parametrize(
    ("text", "column"), [("", 1), ("0000000", 8), ("00030000", 4), ("000000000", 9), ("0000 000", 5)]
)
def test_bad_texts_point_at_the_place(text: str, column: int) -> None:
    with pytest.raises(ArchitectureError, match=f"column {column}\n"):
        macro.parse(text)


@pytest.mark.parametrize("genes", [(0,) * 7, (0,) * 7 + (3,), (0,) * 7 + (-1,), (0,) * 7 + (True,)])
def test_bad_genes_are_refused(genes: tuple[int, ...]) -> None:
    with pytest.raises(ArchitectureError, match="8 genes"):
        macro.validate(Architecture("macro", genes))


def test_every_parameter_of_every_network_learns() -> None:
    rng = generator("networks")
    images = torch.from_numpy(rng.standard_normal((2, 3, 8, 8))).float()
    for _ in range(50):
        network = macro.build(macro.sample(rng), num_classes=4, skeleton="proxy")
        F.cross_entropy(network(images), torch.tensor([0, 3])).backward()
        gradients = [p.grad for p in network.parameters()]
        assert all(g is not None and bool(torch.isfinite(g).all()) for g in gradients)


@pytest.mark.parametrize("side", [8, 13, 28])
def test_images_of_any_size_pass(side: int) -> None:
    network = macro.build(macro.parse("01202101"), skeleton="proxy", in_chans=1)
    assert network(torch.zeros(2, 1, side, side)).shape == (2, 10)


@pytest.mark.parametrize(("stride", "out_chans"), [(1, 3), (1, 5), (2, 3), (2, 5)])
def test_inverted_residuals_by_hand(stride: int, out_chans: int) -> None:
    block = InvertedResidual(3, out_chans, stride, expansion=2, kernel=5).eval()
    x = torch.from_numpy(generator("block").standard_normal((2, 3, 7, 7))).float()
    expand, depthwise, project = (m.weight for m in block.modules() if isinstance(m, nn.Conv2d))
    scale = (1 + 1e-5) ** -0.5  # batch normalisation in evaluation mode, before any training
    hidden = (F.conv2d(x, expand) * scale).relu()
    hidden = (F.conv2d(hidden, depthwise, stride=stride, padding=2, groups=6) * scale).relu()
    expected = F.conv2d(hidden, project) * scale
    if stride == 1 and out_chans == 3:
        expected = expected + x
    torch.testing.assert_close(block(x), expected)
