"""Synaptic flow against plain autograd on a copy without normalisation, and by hand."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import Tensor, nn

from untrained.metrics.metric import score
from untrained.nn.initialisers import INITIALISERS
from untrained.probe.probe import Probe
from untrained.probe.setting import Setting
from untrained.registry import METRICS
from untrained.testing.metric import NETWORKS, batch, network

SETTING = METRICS["synflow"].setting


def by_autograd(net: nn.Module, values: dict[str, Tensor], in_chans: int) -> tuple[float, float]:
    """synflow and logsynflow of a copy that holds |values| in float64, its batch normalisation replaced."""
    net = copy.deepcopy(net).double().train()
    for name, value in values.items():
        net.get_parameter(name).data = value.double()
    for parameter in net.parameters():
        parameter.data.abs_()
        parameter.requires_grad_()
    for parent in list(net.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.BatchNorm2d | nn.Dropout):
                setattr(parent, name, nn.Identity())
    net(torch.ones(1, in_chans, 8, 8, dtype=torch.float64)).sum().backward()
    flow = logarithmic = 0.0
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            weight, gradient = module.weight.detach(), module.weight.grad
            gradient = torch.zeros_like(weight) if gradient is None else gradient
            flow += float((weight * gradient).abs().sum())
            logarithmic += float((weight * (gradient + 1).log()).abs().sum())
    return flow, logarithmic


@pytest.mark.parametrize("name", sorted(set(NETWORKS) - {"functional"}))
@pytest.mark.parametrize("kind", ["keep", *INITIALISERS])
def test_flow_is_that_of_autograd(name: str, kind: str) -> None:
    net, (images, _) = network(name), batch(2)
    readings = score(net, images, metrics=["synflow", "logsynflow"], weights=kind, seed=6)
    values = Probe(net, images, setting=Setting(images=1, weights=kind, source="ones"), seed=6).values(0)
    flow, logarithmic = by_autograd(net, values, 3)
    assert readings["synflow"].value == pytest.approx(flow, rel=1e-9)
    assert readings["logsynflow"].value == pytest.approx(logarithmic, rel=1e-9)


def test_several_initialisations() -> None:
    net, (images, _) = network("cell"), batch(2)
    setting = Setting(images=1, inits=3, weights="kaiming_fan_out", source="ones")
    reading = score(net, images, metrics=["synflow"], settings={"synflow": setting})["synflow"]
    probe = Probe(net, images, setting=setting)
    expected = [by_autograd(net, probe.values(index), 3)[0] for index in range(3)]
    assert reading.repeats == pytest.approx(expected, rel=1e-9)
    assert reading.value == pytest.approx(sum(expected) / 3, rel=1e-9)


def test_by_hand() -> None:
    """R = (|3| + |-4|) (2 + 1) + biases: the convolution's gradient is 7, the head's are 3 each."""
    net = nn.Sequential(nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1), nn.ReLU(), nn.Flatten(), nn.Linear(1, 2))
    net[0].weight.data.fill_(-2.0)
    net[0].bias.data.fill_(1.0)
    net[4].weight.data = torch.tensor([[3.0], [-4.0]])
    readings = score(net, torch.zeros(1, 1, 1, 1), metrics=["synflow", "logsynflow"], weights="keep")
    assert readings["synflow"].value == pytest.approx(2 * 7 + 3 * 3 + 4 * 3)
    assert readings["logsynflow"].value == pytest.approx(2 * math.log(8) + 7 * math.log(4))


def test_the_images_do_not_matter() -> None:
    net = network("cell")
    one, two = (score(net, batch(4, seed=seed)[0], metrics=["synflow"])["synflow"].value for seed in (0, 1))
    assert one == two


def test_layers_share_the_flow_of_a_network_without_biases() -> None:
    """Euler's theorem: R is homogeneous in each layer's weights, so the flow of every layer of a chain is R."""
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3, bias=False), nn.ReLU(), nn.Conv2d(4, 5, 3, bias=False), nn.ReLU(), nn.AdaptiveAvgPool2d(1),
        nn.Flatten(), nn.Linear(5, 2, bias=False),
    )  # fmt: skip
    (seen,) = Probe(net, batch(1)[0], setting=SETTING, needs=frozenset({"flow"}))
    flows = [float((weight * gradient).sum()) for weight, gradient in seen.flow.pairs]
    assert flows == pytest.approx([flows[0]] * 3, rel=1e-12)
    assert score(net, batch(1)[0], metrics=["synflow"])["synflow"].value == pytest.approx(3 * flows[0], rel=1e-12)


def test_deep_networks_do_not_overflow() -> None:
    blocks = [layer for _ in range(60) for layer in (nn.Conv2d(8, 8, 3, padding=1, bias=False), nn.ReLU())]
    net = nn.Sequential(nn.Conv2d(3, 8, 1), *blocks, nn.Flatten(), nn.Linear(512, 2))
    value = score(net, batch(1)[0], metrics=["synflow"], weights="normal")["synflow"].value
    assert 3.4e38 < value < math.inf


def test_a_dead_network_has_no_flow_through_its_cells() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 2))
    with torch.no_grad():
        net[0].weight.zero_()
        net[0].bias.zero_()
    reading = score(net, batch(1)[0], metrics=["synflow"], weights="keep")["synflow"]
    assert (reading.value, reading.reason) == (0.0, None)
