"""SWAP against counting columns of a float matrix, and its regularised form."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from untrained.errors import InputError
from untrained.metrics.metric import score
from untrained.probe.probe import Probe, Size
from untrained.probe.setting import Setting
from untrained.registry import METRICS
from untrained.testing.metric import batch, network


def by_hand(net: nn.Module, images: Tensor) -> int:
    """Distinct columns of the samples x units matrix of everything that goes into a ReLU module."""
    seen: list[Tensor] = []
    handles = [
        module.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].detach().flatten(1) > 0))
        for module in net.modules()
        if isinstance(module, nn.ReLU)
    ]
    with torch.no_grad():
        net.train()(images)
    for handle in handles:
        handle.remove()
    return len(np.unique(torch.cat(seen, dim=1).numpy(), axis=1).T)


@pytest.mark.parametrize("samples", [1, 8, 16, 17, 32, 64, 65, 100])
def test_distinct_columns(samples: int) -> None:
    net, (images, _) = network("cell"), batch(samples)
    reading = score(net, images, metrics=["swap"], weights="keep", settings={"swap": Setting(images=1000)})["swap"]
    assert reading.value == by_hand(net, images)


def test_the_mean_over_initialisations_that_each_see_their_own_images() -> None:
    net, (images, _) = network("cell"), batch(60)
    setting = Setting(images=12, inits=5, weights="normal", fresh=True)
    reading = score(net, images, metrics=["swap"], seed=3, settings={"swap": setting})["swap"]
    probe = Probe(net, images, setting=setting, seed=3)
    expected = []
    for index in range(5):
        for name, value in probe.values(index).items():
            net.get_parameter(name).data = value
        expected.append(by_hand(net, images[12 * index : 12 * index + 12]))
    assert list(reading.repeats) == expected
    assert reading.value == np.mean(expected)
    assert len(set(expected)) > 1


def test_bounds() -> None:
    images, _ = batch(100)
    for samples in (1, 2, 3, 5):
        value = score(network("cell"), images[:samples], metrics=["swap"])["swap"].value
        assert 1 <= value <= 2**samples
    assert score(network("plain"), torch.zeros_like(images), metrics=["swap"])["swap"].value == 1


def test_by_hand() -> None:
    """Four units on three images: codes 101, 010, 101 and 111."""
    net = nn.Sequential(nn.Conv2d(1, 4, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
    net[0].weight.data = torch.tensor([1.0, -1.0, 3.0, 0.0]).view(4, 1, 1, 1)
    net[0].bias.data = torch.tensor([0.0, 0.0, -1.0, 2.0])
    images = torch.tensor([1.0, -1.0, 2.0]).view(3, 1, 1, 1)
    assert score(net, images, metrics=["swap"], weights="keep")["swap"].value == 3


def test_the_scale_of_the_weights_does_not_matter() -> None:
    """The sign of a unit does not see positive factors, so any normal initialiser gives the same count."""
    net = nn.Sequential(nn.Conv2d(3, 6, 3, bias=False), nn.ReLU(), nn.Conv2d(6, 6, 3, bias=False), nn.ReLU())
    net = nn.Sequential(*net, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 2))
    images, _ = batch(40)
    values = {kind: score(net, images, metrics=["swap"], weights=kind)["swap"].value for kind in ("normal", "xavier")}
    assert values["normal"] == pytest.approx(values["xavier"], rel=0.01)


@pytest.mark.parametrize(("mu", "sigma", "unit"), [(0.001, 1.0, 1e6), (0.3, 0.7, 1e3), (1.2, 1.2, 1e3)])
def test_regularised(mu: float, sigma: float, unit: float) -> None:
    net, (images, _) = network("plain"), batch(100)
    plain = score(net, images, metrics=["swap"])["swap"]
    theta = sum(parameter.numel() for parameter in net.parameters()) / unit
    name = f"swap(mu={mu}, sigma={sigma}, unit={unit})"
    reading = score(net, images, metrics=[name])[name.replace(" ", "")]
    assert reading.value == pytest.approx(plain.value * math.exp(-((theta - mu) ** 2) / sigma), rel=1e-12)


def test_regularised_by_the_size_of_the_network_it_stands_for() -> None:
    net, images = network("plain"), batch(100)[0]
    large = network("cell")
    reading = score(net, images, metrics=["swap(mu=0,sigma=1,unit=1000)"], size=Size(lambda: large, (3, 8, 8)))
    theta = sum(parameter.numel() for parameter in large.parameters()) / 1000
    plain = score(net, images, metrics=["swap"])["swap"]
    (value,) = [one.value for one in reading.values()]
    assert value == pytest.approx(plain.value * math.exp(-(theta**2)), rel=1e-12)


@pytest.mark.parametrize(
    "options",
    ["mu=1", "sigma=1", "mu=1,sigma=0", "mu=1,sigma=-1", "mu=1,sigma=1,unit=0", "unit=5,mu=1", "mu=-1,sigma=1"],
)
def test_half_a_regularisation(options: str) -> None:
    with pytest.raises(InputError, match="and a positive sigma"):
        score(network("plain"), batch()[0], metrics=[f"swap({options})"])


def test_extreme_regularisations_are_a_value_or_a_reason() -> None:
    for options in ("mu=1e300,sigma=1", "mu=1e6,sigma=1e-300", "mu=1,sigma=1,unit=1e-300"):
        (reading,) = score(network("plain"), batch()[0], metrics=[f"swap({options})"]).values()
        assert (reading.value == 0) or reading.reason


def test_no_activation() -> None:
    reading = score(network("linear"), batch()[0], metrics=["swap"])["swap"]
    assert reading.value is None
    assert "no activation" in reading.reason
    assert METRICS["swap"].better == "higher"
