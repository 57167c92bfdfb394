from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from untrained.metrics.metric import read, score
from untrained.probe.probe import Probe
from untrained.probe.setting import Setting
from untrained.registry import METRICS
from untrained.testing.metric import batch, network

NEEDS = METRICS["zen"].needs


def probe(net: nn.Module, *, samples: int = 4, weights: str = "keep") -> Probe:
    images, _ = batch(samples)
    return Probe(net, images, setting=Setting(images=samples, weights=weights, source="noise"), needs=NEEDS)


def zen(net: nn.Module, **options: int) -> float:
    value = read(METRICS["zen"], probe(net, **options)).value
    assert value is not None
    return value


def by_the_book(net: nn.Sequential, images: Tensor, noise: Tensor, last_pool: int) -> float:
    """Two passes in training mode; what the modules keep of the variances is read afterwards."""
    net = copy.deepcopy(net).train()
    outputs: list[Tensor] = []
    net[last_pool].register_forward_pre_hook(lambda module, inputs: outputs.append(inputs[0].detach()))
    with torch.no_grad():
        net(images)
        net(images + 0.01 * noise)
    first, second = outputs
    score = math.log(float((first - second).abs().sum((1, 2, 3)).mean()))
    for module in net.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            score += math.log(math.sqrt(float(module.running_var.mean())))
    return score


def pooled() -> nn.Sequential:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return nn.Sequential(
            nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.BatchNorm2d(4), nn.Conv2d(4, 6, 3),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.BatchNorm1d(6), nn.Linear(6, 3),
        )  # fmt: skip


def test_two_passes_in_training_mode() -> None:
    net = pooled()
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.normal_(module.weight, generator=torch.Generator().manual_seed(2))
    seen = probe(net)
    images, noise = seen.batch(0), seen.noise("noise", 0, tuple(seen.batch(0).shape))
    # The features do not see what runs after the pooling, whose normalisation counts all the same.
    assert zen(net) == pytest.approx(by_the_book(net, images, noise, 6), rel=1e-5)


def test_the_module_has_not_to_be_new() -> None:
    """Published code starts from variances of 1, whatever the module has kept of earlier passes."""
    net = pooled()
    value = zen(net)
    for module in net.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.running_var.fill_(9.0)
    assert zen(net.eval()) == value


def test_the_features_are_the_input_of_the_last_pooling() -> None:
    """Without normalisation a linear network moves by 0.01 |w| sum |z|, whatever comes after the pooling."""
    net = nn.Sequential(
        nn.MaxPool2d(1), nn.Conv2d(3, 3, 1, groups=3, bias=False), nn.AvgPool2d(8), nn.Flatten(), nn.Linear(3, 2)
    )
    net[1].weight.data.fill_(-2.0)
    seen = probe(net)
    noise = seen.noise("noise", 0, tuple(seen.batch(0).shape))
    expected = math.log(0.02 * float(noise.abs().sum((1, 2, 3)).mean()))
    assert zen(net) == pytest.approx(expected, rel=1e-4)


def test_scaling_a_network_without_normalisation_adds_the_logarithm() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
    before = zen(net)
    for parameter in net[0].parameters():
        parameter.data *= 5.0
    assert zen(net) == pytest.approx(before + math.log(5.0), rel=1e-4)


def test_normalisation_removes_the_scale_of_features_and_its_variance_brings_it_back() -> None:
    """phi stays as it is; the variances v and v' become 100 v and 100 v'."""
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4, eps=1e-12), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )
    seen = probe(net)
    images = seen.batch(0)
    noisy = images + 0.01 * seen.noise("noise", 0, tuple(images.shape))
    with torch.no_grad():
        v, w = (net[0](x).var((0, 2, 3)) for x in (images, noisy))
    before = zen(net)
    net[0].weight.data *= 10.0
    change = [0.5 * math.log(float((0.81 + factor * (0.09 * v + 0.1 * w)).mean())) for factor in (1, 100)]
    assert zen(net) - before == pytest.approx(change[1] - change[0], rel=1e-4)


def test_a_single_value_per_channel_has_no_variance() -> None:
    net = nn.Sequential(nn.Conv2d(3, 2, 1), nn.AdaptiveAvgPool2d(1), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(2, 2))
    with_norm = zen(net, samples=1)
    net[2] = nn.Identity()
    assert with_norm == pytest.approx(zen(net, samples=1) + 0.5 * math.log(0.81), rel=1e-5)


def test_only_the_shape_of_the_images_matters() -> None:
    images, _ = batch()
    value = score(network("plain"), images, metrics=["zen"])["zen"].value
    assert value == score(network("plain"), 0 * images, metrics=["zen"])["zen"].value


def test_no_value_without_pooling_or_change() -> None:
    class Blind(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return F.adaptive_avg_pool2d(torch.zeros_like(x), 1).flatten(1)

    flat = nn.Sequential(nn.Conv2d(3, 2, 3), nn.Flatten(), nn.Linear(72, 2))
    for net, why in ((flat, "no pooling"), (Blind(), "do not depend")):
        reading = read(METRICS["zen"], probe(net))
        assert reading.value is None
        assert why in (reading.reason or "")
