from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from untrained.metrics.az_nas import AZ_NAS
from untrained.metrics.metric import Reading, read, score
from untrained.probe.probe import Probe
from untrained.probe.setting import Setting
from untrained.registry import METRICS
from untrained.spaces.space import create_model
from untrained.testing.metric import CELL, batch, network

THREE = [name for name in AZ_NAS if name != "macs"]
NEEDS = frozenset[str]().union(*(METRICS[name].needs for name in THREE))


def probe(net: nn.Module, side: int = 8, samples: int = 6) -> Probe:
    images = torch.zeros(samples, 3, side, side)
    return Probe(net, images, setting=Setting(images=samples, weights="keep", source="noise"), needs=NEEDS)


def readings(net: nn.Module, side: int = 8, samples: int = 6) -> dict[str, Reading]:
    seen = probe(net, side, samples)
    return {name: read(METRICS[name], seen) for name in THREE}


def values(net: nn.Module, side: int = 8, samples: int = 6) -> list[float | None]:
    return [reading.value for reading in readings(net, side, samples).values()]


def entropy(feature: Tensor) -> float:
    """By singular values instead of a covariance: the variances along the principal components, as shares."""
    points = feature.double().transpose(0, 1).flatten(1).T.contiguous()
    variances = torch.linalg.svdvals(points - points.mean(0)) ** 2
    shares = (variances / variances.sum()).tolist()
    return -sum(p * math.log(p + 1e-8) for p in shares)


def trainability(before: Tensor, after: Tensor, sent: Tensor) -> float:
    """The mean of outer products, position by position."""
    (arrived,) = torch.autograd.grad(after, before, sent, retain_graph=True)
    stride = before.shape[-1] // after.shape[-1]
    total = torch.zeros(before.shape[1] * stride**2, after.shape[1])
    n, _, height, width = after.shape
    for i in range(n):
        for y in range(height):
            for x in range(width):
                patch = arrived[i, :, y * stride : (y + 1) * stride, x * stride : (x + 1) * stride].flatten()
                total += torch.outer(patch, sent[i, :, y, x])
    sigma = float(torch.linalg.svdvals(total / (n * height * width))[0])
    return 2 - sigma - 1 / (sigma + 1e-6)


def test_a_network_of_cells_by_the_book() -> None:
    net = network("cell").train()
    seen = probe(net, samples=2)
    x = seen.batch(0).requires_grad_()
    features = [net.stem(x)]
    for block in net.body:
        features.append(block(features[-1]))
    entropies = [entropy(feature.detach()) for feature in features]
    expressivity, progressivity, train = values(net, samples=2)
    assert expressivity == pytest.approx(sum(entropies), rel=1e-4)
    assert progressivity == pytest.approx(min(b - a for a, b in pairwise(entropies)), abs=1e-4)
    sent = [pair[1] for pair in seen[0].block_gradients]
    assert all(bool((s.abs() == 1).all()) for s in sent)
    assert {tuple(s.shape) for s in sent} == {tuple(f.shape) for f in features[1:]}
    expected = [trainability(*pair, s) for pair, s in zip(pairwise(features), sent, strict=True)]
    assert train == pytest.approx(sum(expected) / len(expected), rel=1e-3)


def test_even_channels_have_the_most_entropy() -> None:
    """Identity blocks on white noise: nearly the logarithm of the number of channels, never more."""
    one, two = nn.Conv2d(3, 3, 1, bias=False), nn.Conv2d(3, 3, 1, bias=False)
    for layer in (one, two):
        layer.weight.data = torch.eye(3)[:, :, None, None]
    found = values(nn.Sequential(one, two), side=32)
    assert found[0] == pytest.approx(2 * math.log(3), rel=1e-3)
    assert found[0] is not None
    assert found[0] < 2 * math.log(3)
    assert found[1] == pytest.approx(0.0, abs=1e-7)


def test_copied_channels_have_none() -> None:
    net = nn.Sequential(nn.Conv2d(3, 3, 1, bias=False), nn.Conv2d(3, 4, 1, bias=False))
    net[0].weight.data = torch.eye(3)[:, :, None, None]
    net[1].weight.data = torch.ones(4, 3, 1, 1)
    expressivity, progressivity, _ = values(net)
    first = entropy(probe(net).batch(0))
    assert expressivity == pytest.approx(first, abs=1e-5)
    assert progressivity == pytest.approx(-first, abs=1e-5)


@pytest.mark.parametrize(("gain", "expected"), [(1.0, 0.0), (2.0, -0.5), (0.5, -0.5)])
def test_gradients_that_keep_their_size_train_best(gain: float, expected: float) -> None:
    """A block that multiplies by a has sigma = |a| for one channel of signs: 2 - a - 1/a."""
    net = nn.Sequential(nn.Conv2d(3, 1, 1, bias=False), nn.Conv2d(1, 1, 1, bias=False))
    net[1].weight.data.fill_(-gain)
    assert values(net)[2] == pytest.approx(expected, abs=1e-4)


def test_positions_that_a_stride_joins_are_channels() -> None:
    """The mean of 2x2 pixels sends a quarter of each sign to each of them: sigma = ||(1/4, 1/4, 1/4, 1/4)|| = 1/2."""
    net = nn.Sequential(nn.Conv2d(3, 1, 1), nn.Conv2d(1, 1, 2, stride=2, bias=False))
    net[1].weight.data.fill_(0.25)
    assert values(net)[2] == pytest.approx(2 - 0.5 - 2, abs=1e-4)


@pytest.mark.parametrize("side", [5, 7])
def test_sides_that_the_stride_does_not_divide(side: int) -> None:
    """Every second pixel of an odd side: one place of four holds the sign, so sigma = 1."""
    net = nn.Sequential(nn.Conv2d(3, 1, 1), nn.Conv2d(1, 1, 1, stride=2, bias=False))
    net[1].weight.data.fill_(1.0)
    assert values(net, side)[2] == pytest.approx(0.0, abs=1e-4)
    assert None not in values(network("cell"), side)


def test_a_block_that_does_nothing_has_no_trainability() -> None:
    for text in ("macro:00000000", "nats-tss:|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"):
        found = readings(create_model(text, skeleton="proxy"))
        assert found["az_trainability"].value is None
        assert "unchanged" in (found["az_trainability"].reason or "")
        assert found["az_expressivity"].value is not None


def test_a_block_that_ends_everything() -> None:
    """Nothing arrives, so sigma is 0 and the fourth term is what the stabiliser makes of 1 / 0."""

    class End(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(4, 4, 1)

        def forward(self, x: Tensor) -> Tensor:
            return torch.randn(x.shape)

    net = nn.Sequential(nn.Conv2d(3, 4, 1), End(), End())
    assert values(net)[2] == pytest.approx(2 - 1e6)


def test_features_that_are_constant_or_missing_are_a_reason() -> None:
    dead = readings(network("dead"))
    assert dead["az_expressivity"].value is None
    assert "constant" in (dead["az_expressivity"].reason or "")
    alone = readings(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten()))
    assert "two blocks" in (alone["az_progressivity"].reason or "")
    assert "two blocks" in (alone["az_trainability"].reason or "")
    flat = readings(nn.Sequential(nn.Flatten(), nn.Linear(192, 3)))
    assert "four dimensions" in (flat["az_expressivity"].reason or "")
    larger = readings(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ConvTranspose2d(4, 3, 2, stride=2)))
    assert "enlarges" in (larger["az_trainability"].reason or "")


def test_images_give_only_their_shape_and_one_pass_serves_all() -> None:
    images, _ = batch()
    together = score(CELL, images, metrics=THREE, skeleton="proxy")
    for name in THREE:
        assert score(CELL, 0 * images, metrics=[name], skeleton="proxy")[name].value == pytest.approx(
            together[name].value, rel=1e-6
        )


def test_an_operation_in_place_after_a_block_does_not_reach_its_features() -> None:
    class Net(nn.Module):
        def __init__(self, inplace: bool) -> None:
            super().__init__()
            self.body = nn.Sequential(
                *(nn.Sequential(nn.ReLU(inplace), nn.Conv2d(3, 3, 3, padding=1)) for _ in range(3))
            )

        def forward(self, x: Tensor) -> Tensor:
            return F.relu(self.body(x)).mean((2, 3))

    inside, outside = Net(True), Net(False)
    outside.load_state_dict(inside.state_dict())
    assert None not in values(inside)
    assert values(inside) == values(outside)
