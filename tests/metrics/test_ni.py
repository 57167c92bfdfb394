"""Noise immunity against its formulas on what hooks see."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import Tensor, nn

from untrained.architecture import Architecture
from untrained.metrics.metric import score
from untrained.probe.probe import Probe
from untrained.registry import METRICS
from untrained.spaces.space import create_model
from untrained.testing.metric import CELL, batch, network

SETTING = METRICS["ni"].setting


def pooled(net: nn.Module, images: Tensor) -> tuple[list[Tensor], list[nn.Module]]:
    """What goes into the poolings, and which poolings and convolutions ran, by the names of their classes."""
    tensors: list[Tensor] = []
    ran: list[nn.Module] = []

    def see(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        ran.append(module)
        if "Pool" in type(module).__name__:
            tensors.append(inputs[0].clone())

    kinds = ("Pool", "Conv")
    for module in net.modules():
        if any(kind in type(module).__name__ for kind in kinds):
            module.register_forward_pre_hook(see)
    with torch.no_grad():
        net.train()(images)
    return tensors, ran


def by_hand(net: nn.Module, images: Tensor, seed: int) -> tuple[float, float]:
    """ni as in the published code and ni_eta as in the papers."""
    probe = Probe(net, images, setting=SETTING, seed=seed)
    images = images[: SETTING.images]
    noisy = images + probe.noise("noise", 0, tuple(images.shape))
    net = copy.deepcopy(net)
    for name, value in probe.values(0).items():
        net.get_parameter(name).data = value
    clean, ran = pooled(copy.deepcopy(net), images)
    moved, _ = pooled(copy.deepcopy(net), noisy)
    pools = [module for module in ran if "Pool" in type(module).__name__]
    # ReLUConvBN is a wrapper around a convolution and counts beside it.
    convs = [module for module in ran if "Conv" in type(module).__name__]
    channels = sum(getattr(m, "in_channels", None) or m.in_chans for m in convs) + sum(x.shape[1] for x in clean)
    eta = math.log(1e-10 + sum(float((a - b).square().mean()) for a, b in zip(clean, moved, strict=True)))
    kappa = sum(
        float(((a - b).double().flatten(1).square().sum(1) / a.double().flatten(1).norm(dim=1)).sum())
        for a, b in zip(clean, moved, strict=True)
    )
    published = math.log(channels * len(convs) / len(pools) / eta) if eta > 0 else math.nan
    return published, math.log(1e-10 + kappa)


CELLS = [
    CELL,
    "nats-tss:|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_1x1~1|nor_conv_3x3~2|",
    "nats-tss:|avg_pool_3x3~0|+|avg_pool_3x3~0|skip_connect~1|+|nor_conv_1x1~0|avg_pool_3x3~1|nor_conv_3x3~2|",
]


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("skeleton", ["proxy", "channels=4,cells=2"])
def test_the_formulas(cell: str, skeleton: str) -> None:
    images, _ = batch(80)
    net = create_model(cell, num_classes=3, skeleton=skeleton)
    readings = score(net, images, metrics=["ni", "ni_eta"], seed=5)
    published, eta = by_hand(net, images, 5)
    assert readings["ni"].value == pytest.approx(published, rel=1e-6)
    assert readings["ni_eta"].value == pytest.approx(eta, rel=1e-6)


def test_wrappers_count_beside_their_convolution() -> None:
    """The same network without wrappers has half as many convolutions, and scores less."""
    images, _ = batch(80)
    net = create_model(CELLS[1], num_classes=3, skeleton="proxy")
    seen = Probe(net, images, setting=SETTING, needs=frozenset({"pools", "structure"}))[0].structure
    # Cells: six 3x3 or 1x1 convolutions in each of three, of which one is a skip; two residual blocks of two and one.
    assert len(seen.wrapped_channels) == 3 * 5 + 2 * 2
    assert len(seen.conv_channels) == 1 + 3 * 5 + 2 * 3
    assert len(seen.pool_channels) == 2 + 1

    class Plain(nn.Sequential):
        pass

    for module in net.modules():
        if type(module).__name__ == "ReLUConvBN":
            module.__class__ = Plain
    score_of_plain = score(net, images, metrics=["ni"])["ni"].value
    net_again = create_model(CELLS[1], num_classes=3, skeleton="proxy")
    assert score_of_plain < score(net_again, images, metrics=["ni"])["ni"].value


def test_by_hand() -> None:
    """One pooling of the images themselves: eta = ln mean z^2, about ln 1 of standard normal noise."""
    images = torch.zeros(64, 3, 40, 40)
    net = nn.Sequential(nn.AvgPool2d(4), nn.Conv2d(3, 2, 1), nn.Flatten(), nn.Linear(200, 2))
    noise = Probe(net, images, setting=SETTING).noise("noise", 0, tuple(images.shape))
    eta = math.log(1e-10 + float(noise.square().mean()))
    reading = score(net, images, metrics=["ni"])["ni"]
    assert reading.value == pytest.approx(math.log((3 + 3) * 1 / 1 / eta), rel=1e-4) if eta > 0 else reading.reason
    assert abs(eta) < 0.02


def test_noise_that_hardly_moves_the_features_is_undefined() -> None:
    net = nn.Sequential(nn.Conv2d(3, 2, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 2))
    net[0].weight.data.mul_(1e-3)
    reading = score(net, batch(20)[0], metrics=["ni", "ni_eta"], weights="keep")
    assert reading["ni"].value is None
    assert "hardly moves" in reading["ni"].reason
    assert reading["ni_eta"].value < 0


def test_features_that_are_not_finite_are_undefined() -> None:
    net = nn.Sequential(nn.Conv2d(3, 2, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 2))
    for factor in (math.nan, math.inf, 1e30):
        net[0].weight.data.fill_(factor)
        reading = score(net, batch(20)[0], metrics=["ni"], weights="keep")["ni"]
        assert reading.value is None
        assert ("not finite" if factor < 1e38 else "not numbers (NaN)") in reading.reason


def test_features_that_no_image_moves_have_no_eta() -> None:
    reading = score(Architecture("nats-tss", (0,) * 6), batch(20)[0], metrics=["ni_eta"])["ni_eta"]
    assert reading.reason == "the features do not depend on the images"


def test_no_pooling_or_no_convolution() -> None:
    images, _ = batch(20)
    for net in (network("linear"), nn.Sequential(nn.AvgPool2d(2), nn.Flatten(), nn.Linear(48, 2))):
        assert "no pooling or no convolution" in score(net, images, metrics=["ni"])["ni"].reason
    assert "no pooling" in score(network("linear"), images, metrics=["ni_eta"])["ni_eta"].reason
    assert METRICS["ni_eta"].better == "lower"


def test_a_mean_over_the_image_is_a_pooling() -> None:
    images, _ = batch(20)
    with_module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))

    class Mean(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.mean((2, 3))

    with_mean = nn.Sequential(with_module[0], Mean(), with_module[3])
    assert (
        score(with_mean, images, metrics=["ni"])["ni"].value == score(with_module, images, metrics=["ni"])["ni"].value
    )
