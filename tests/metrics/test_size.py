"""Sizes: counted by hand, of the network or of the one that it stands for."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from untrained.metrics.metric import score
from untrained.probe.probe import Size
from untrained.spaces.space import create_model
from untrained.testing.metric import CELL, NETWORKS, batch, network


def test_by_hand() -> None:
    net = nn.Sequential(
        nn.Conv2d(3, 5, 3, padding=1), nn.BatchNorm2d(5), nn.ReLU(), nn.Conv2d(5, 10, 3, stride=2, padding=1, groups=5),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(10, 4),
    )  # fmt: skip
    readings = score(net, batch(1)[0], metrics=["params", "macs"])
    assert readings["params"].value == (27 + 1) * 5 + 10 + (9 + 1) * 10 + (10 + 1) * 4
    assert readings["macs"].value == 64 * 27 * 5 + 16 * 9 * 10 + 40


@pytest.mark.parametrize("name", NETWORKS)
def test_all_parameters_count(name: str) -> None:
    net = network(name)
    assert score(net, batch(1)[0], metrics=["params"])["params"].value == sum(p.numel() for p in net.parameters())


def test_sizes_grow_with_the_image_or_not() -> None:
    net = network("cell")
    small, large = (score(net, torch.zeros(1, 3, side, side), metrics=["params", "macs"]) for side in (8, 16))
    assert small["params"].value == large["params"].value
    head = 32 * 3
    assert large["macs"].value - head == 4 * (small["macs"].value - head)


def test_the_number_of_images_does_not_matter() -> None:
    net = network("plain")
    one, many = (score(net, batch(n)[0], metrics=["macs"])["macs"] for n in (1, 50))
    assert one.value == many.value


def test_the_size_of_another_network() -> None:
    full = create_model(CELL, num_classes=3)
    readings = score(network("cell"), batch(1)[0], metrics=["params", "macs"], size=Size(lambda: full, (3, 8, 8)))
    own = score(full, batch(1)[0], metrics=["params", "macs"])
    assert {name: reading.value for name, reading in readings.items()} == {
        name: reading.value for name, reading in own.items()
    }
