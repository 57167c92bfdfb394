from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from untrained.metrics.metric import score
from untrained.testing.metric import NETWORKS, batch, network


def value(net: nn.Module, images: Tensor, labels: Tensor) -> float:
    found = score(net, images, labels, ["gradsign"], weights="keep")["gradsign"].value
    assert found is not None
    return found


@pytest.mark.parametrize("name", [name for name in NETWORKS if name != "cell"])
def test_signs_of_every_sample_alone(name: str) -> None:
    net, (images, labels) = network(name).double(), batch(6)
    images = images.double()
    other = copy.deepcopy(net).train()
    for module in other.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    layers = [m for m in other.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    totals = [torch.zeros_like(layer.weight) for layer in layers]
    for image, label in zip(images, labels, strict=True):
        other.zero_grad()
        F.cross_entropy(other(image[None]), label[None]).backward()
        for total, layer in zip(totals, layers, strict=True):
            if layer.weight.grad is not None:
                total += layer.weight.grad.sign()
    assert value(net, images, labels) == sum(float(total.detach().abs().sum()) for total in totals)


def test_equal_samples_agree_on_every_weight() -> None:
    net, (images, labels) = nn.Sequential(nn.Flatten(), nn.Linear(192, 3)), batch(1)
    assert value(net, images.expand(5, -1, -1, -1), labels.expand(5)) == 5 * 3 * 192


def test_opposite_samples_cancel() -> None:
    """With weights of zero, g = (p - y) x: the signs of x and -x are opposite for the same class."""
    net, (images, labels) = nn.Sequential(nn.Flatten(), nn.Linear(192, 3)), batch(1)
    net[1].weight.data.zero_()
    net[1].bias.data.zero_()
    assert value(net, torch.cat([images, -images]), labels.repeat(2)) == 0.0


def test_samples_do_not_see_each_other() -> None:
    """Batch normalisation or not, the order and the company of samples do not matter to each sample's own signs."""
    net, (images, labels) = network("plain"), batch(5)
    assert value(net, images, labels) == value(net, images.flip(0), labels.flip(0))
    alone = value(net, images[:1], labels[:1])
    pair = value(net, torch.cat([images[:1]] * 2), labels[:1].repeat(2))
    assert pair == 2 * alone


def test_a_network_without_gradients_scores_zero() -> None:
    net, (images, labels) = network("dead"), batch(3)
    net.head.weight.data.zero_()
    assert value(net, images, labels) == 0.0
