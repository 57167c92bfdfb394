"""NWOT against the kernel written out in float64."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from untrained.metrics.metric import score
from untrained.probe.setting import Setting
from untrained.testing.metric import batch, network


def by_hand(net: nn.Module, images: Tensor) -> float:
    """ln |det(A A^T + (1 - A)(1 - A)^T)| over everything that goes into a ReLU module."""
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
    a = torch.cat(seen, dim=1).numpy().astype(np.float64)
    return float(np.linalg.slogdet(a @ a.T + (1 - a) @ (1 - a).T)[1])


@pytest.mark.parametrize("samples", [1, 2, 8, 17, 64, 65, 100])
def test_log_determinant(samples: int) -> None:
    net, (images, _) = network("cell"), batch(samples)
    reading = score(net, images, metrics=["nwot"], weights="keep", settings={"nwot": Setting(images=1000)})["nwot"]
    assert reading.value == pytest.approx(by_hand(net, images), rel=1e-9)


def pixels(values: list[float], weights: list[float]) -> float | None:
    """NWOT of images of one pixel and one unit for each weight."""
    net = nn.Sequential(nn.Conv2d(1, len(weights), 1, bias=False), nn.ReLU(), nn.Flatten(), nn.Linear(len(weights), 2))
    net[0].weight.data = torch.tensor(weights).view(-1, 1, 1, 1)
    return score(net, torch.tensor(values).view(-1, 1, 1, 1), metrics=["nwot"], weights="keep")["nwot"].value


def test_by_hand() -> None:
    # One image: all four units agree with themselves. Two that agree on none: a diagonal of fours.
    assert pixels([1.0], [1.0, -1.0, 2.0, -2.0]) == pytest.approx(math.log(4))
    assert pixels([1.0, -1.0], [1.0, -1.0, 2.0, -2.0]) == pytest.approx(math.log(4 * 4 - 0))
    # A unit that is never active agrees on both: 3 x 3 - 1 x 1.
    assert pixels([1.0, -1.0], [1.0, -1.0, 0.0]) == pytest.approx(math.log(9 - 1))


def test_equal_patterns_are_undefined() -> None:
    assert pixels([1.0, 2.0], [1.0, -1.0]) is None
    net, (images, _) = network("plain"), batch(10)
    images[3] = images[7]
    reading = score(net, images, metrics=["nwot"])["nwot"]
    assert reading.value is None
    assert "same activation pattern" in reading.reason


def test_the_order_of_the_images_does_not_matter() -> None:
    net, (images, _) = network("cell"), batch(40)
    one, two = (score(net, x, metrics=["nwot"], weights="keep")["nwot"].value for x in (images, images.flip(0)))
    assert one == pytest.approx(two, rel=1e-12)


def test_units_that_are_counted_twice_add_a_constant() -> None:
    """V twice as large and every agreement twice as frequent: n ln 2 more."""
    once, twice = pixels([1.0, -1.0], [1.0, -1.0, 0.0]), pixels([1.0, -1.0], [1.0, -1.0, 0.0, 1.0, -1.0, 0.0])
    assert twice - once == pytest.approx(2 * math.log(2))


def test_no_activation() -> None:
    reading = score(network("linear"), batch()[0], metrics=["nwot"])["nwot"]
    assert "no activation" in reading.reason
