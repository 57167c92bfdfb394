from __future__ import annotations

import copy
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from untrained.metrics.metric import Reading, score
from untrained.registry import METRICS
from untrained.testing.metric import NETWORKS, batch, network


def read(net: nn.Module, images: Tensor, labels: Tensor, batches: int = 2) -> Reading:
    setting = replace(METRICS["zico"].setting, images=len(images) // batches, batches=batches, weights="keep")
    return score(net, images, labels, ["zico"], settings={"zico": setting})["zico"]


def by_the_book(net: nn.Module, images: Tensor, labels: Tensor, batches: int = 2) -> float:
    net = copy.deepcopy(net).train()
    for module in net.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    gradients: dict[str, list[np.ndarray]] = {}
    for part, classes in zip(images.chunk(batches), labels.chunk(batches), strict=True):
        net.zero_grad()
        F.cross_entropy(net(part), classes).backward()
        for name, module in net.named_modules():
            if isinstance(module, nn.Conv2d | nn.Linear) and module.weight.grad is not None:
                gradients.setdefault(name, []).append(module.weight.grad.flatten().double().numpy().copy())
    total = 0.0
    for rows in gradients.values():
        layer = 0.0
        for weight in np.stack(rows).T:
            mean = sum(map(abs, weight)) / len(weight)
            sd = math.sqrt(sum((g - sum(weight) / len(weight)) ** 2 for g in weight) / len(weight))
            if sd > 0:
                layer += mean / sd
        if layer > 0:
            total += math.log(layer)
    return total


@pytest.mark.parametrize("name", [name for name in NETWORKS if name not in ("dead", "cell")])
@pytest.mark.parametrize("batches", [2, 3])
def test_the_published_sum(name: str, batches: int) -> None:
    images, labels = batch(12)
    net = network(name).double()
    expected = by_the_book(net, images.double(), labels, batches)
    assert read(net, images.double(), labels, batches).value == pytest.approx(expected, rel=1e-6)


def test_two_batches_by_hand() -> None:
    """A linear network of zeros halves the classes: g = (p - y) x, so with x = 1 and then x = 3 every weight has mean 1,
    deviation 1/2 in size, and each ratio is 2."""
    net = nn.Sequential(nn.Flatten(), nn.Linear(1, 2, bias=False))
    net[1].weight.data.zero_()
    images = torch.tensor([1.0, 3.0]).view(2, 1, 1, 1)
    assert read(net, images, torch.tensor([0, 0])).value == pytest.approx(math.log(2 * 2))


def test_the_size_of_gradients_and_the_order_of_batches_do_not_matter() -> None:
    images, labels = batch(8)
    images = images.double()  # in single precision the largest ratio of two batches may hang on rounding
    net = nn.Sequential(nn.Flatten(), nn.Linear(192, 3)).double()
    net[1].weight.data.zero_()
    value = read(net, images, labels).value
    assert read(net, 5 * images, labels).value == pytest.approx(value, rel=1e-9)
    assert read(net, images.roll(4, 0), labels.roll(4, 0)).value == pytest.approx(value, rel=1e-9)


def test_weights_and_layers_that_do_not_vary_are_left_out() -> None:
    class Partly(nn.Module):
        """The second pixel is always 0, and a layer is not used."""

        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(2, 2, bias=False)
            self.idle = nn.Linear(2, 2)

        def forward(self, x: Tensor) -> Tensor:
            logits: Tensor = self.head(x.flatten(1))
            return logits

    net = Partly()
    net.head.weight.data.zero_()
    images = torch.tensor([[1.0, 0.0], [3.0, 0.0]]).view(2, 1, 1, 2)
    assert read(net, images, torch.tensor([0, 0])).value == pytest.approx(math.log(4))


def test_no_value_where_nothing_varies() -> None:
    images, labels = batch(4)
    for net, seen, classes in (
        (network("dead"), images, labels),
        (network("plain"), images[:2].repeat(2, 1, 1, 1), labels[:2].repeat(2)),
        (network("plain"), images[:1], labels[:1]),
    ):
        reading = score(net, seen, classes, ["zico"], weights="keep")["zico"]
        assert reading.value is None
        assert "differs between batches" in (reading.reason or "")
