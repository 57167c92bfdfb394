from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from untrained.metrics.metric import read
from untrained.probe.probe import Probe
from untrained.probe.setting import Setting
from untrained.registry import METRICS
from untrained.testing.metric import NETWORKS, batch, network


def probe(net: nn.Module, samples: int = 1) -> Probe:
    images, _ = batch(samples)
    setting = Setting(images=samples, weights="keep", source="noise")
    return Probe(net, images, setting=setting, needs=METRICS["meco"].needs)


def meco(net: nn.Module) -> float:
    value = read(METRICS["meco"], probe(net)).value
    assert value is not None
    return value


def published(net: nn.Module, images: Tensor) -> float:
    """A hook on every module; the eigenvalues of a general matrix. A map of one pixel has no correlations."""
    net = copy.deepcopy(net).train()
    smallest: list[float] = []

    def keep(module: nn.Module, inputs: object, output: Tensor) -> None:
        if output.dim() == 4:
            with np.errstate(all="ignore"):
                correlations = np.corrcoef(output[0].detach().double().flatten(1).numpy())
            finite = np.where(np.isfinite(correlations), correlations, 0.0)
            smallest.append(min(np.linalg.eigvals(np.atleast_2d(finite)).real))

    for module in net.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        if hasattr(module, "inplace"):
            module.inplace = False
        module.register_forward_hook(keep)
    with torch.no_grad():
        net(images)
    return float(sum(smallest))


@pytest.mark.filterwarnings("ignore:Degrees of freedom")
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
@pytest.mark.parametrize("name", [name for name in NETWORKS if name != "plain"])
def test_all_modules_by_the_book(name: str) -> None:
    net = network(name)
    assert meco(net) == pytest.approx(published(net, probe(net).batch(0)), abs=1e-5)


def test_the_feature_map_before_an_operation_in_place_is_what_the_layer_made() -> None:
    inside = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(144, 3))
    outside = copy.deepcopy(inside)
    outside[1] = nn.ReLU()
    assert meco(inside) == meco(outside)


def test_uncorrelated_channels_count_once_for_each_module_around_them() -> None:
    """Two channels of correlation r have the smallest eigenvalue 1 - |r|."""

    class Split(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.cat([x[:, :1], x[:, :1] + x[:, 1:2]], dim=1)

    one, three = Split(), nn.Sequential(nn.Sequential(Split()))
    maps = Split()(probe(one).batch(0))[0].flatten(1)
    r = float(torch.corrcoef(maps)[0, 1])
    assert 0.5 < r < 0.9
    assert meco(one) == pytest.approx(1 - r, rel=1e-5)
    assert meco(three) == pytest.approx(3 * (1 - r), rel=1e-5)


def test_repeated_and_constant_channels_count_nothing() -> None:
    class Copies(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.cat([x[:, :1], 2 * x[:, :1], torch.zeros_like(x[:, :1])], dim=1)

    class Constant(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.cat([x[:, :2], torch.ones_like(x[:, :1])], dim=1)

    assert meco(Copies()) == pytest.approx(0.0, abs=1e-9)
    assert meco(Constant()) == pytest.approx(0.0, abs=1e-9)


def test_a_lone_channel_counts_one_and_a_lone_pixel_nothing() -> None:
    assert meco(nn.Conv2d(3, 1, 3)) == pytest.approx(1.0)
    assert meco(nn.AdaptiveAvgPool2d(1)) == 0.0


def test_only_the_first_sample_counts() -> None:
    seen = probe(nn.Conv2d(3, 4, 3), samples=3)
    assert read(METRICS["meco"], seen).value == pytest.approx(published(seen.network, seen.batch(0)[:1]), abs=1e-5)
