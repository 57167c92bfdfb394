from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from untrained.metrics.metric import Reading, score
from untrained.testing.metric import NETWORKS, batch, network

K = 1e-5


def read(name: str, net: nn.Module, images: Tensor, labels: Tensor) -> Reading:
    return score(net, images, labels, [name], weights="keep")[name]


def jacobian_of(net: nn.Module, images: Tensor) -> np.ndarray:
    """Row i: the derivative by image i of the sum of all logits of all images, from the full Jacobian."""
    net = net.train()
    for module in net.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    full = torch.autograd.functional.jacobian(net, images)  # (n, classes, n, c, h, w)
    return full.sum((0, 1)).flatten(1).double().numpy()


def published_jacov(jacobian: np.ndarray) -> float:
    """By the eigenvalues of a general matrix, whose imaginary parts are rounding."""
    spectrum = np.linalg.eigvals(np.corrcoef(jacobian)).real
    return float(-sum(math.log(max(v, 0) + K) + 1 / (max(v, 0) + K) for v in spectrum))


def published_epe(jacobian: np.ndarray, labels: Tensor, outputs: int) -> float:
    sums = []
    for label in sorted(set(labels.tolist())):
        rows = [jacobian[i] for i in range(len(labels)) if int(labels[i]) == label]
        total = 0.0
        for a in rows:
            for b in rows:
                total += math.log(abs(np.corrcoef(a, b)[0, 1]) + K)
        sums.append(total / len(rows) if outputs > 100 else total)
    if outputs <= 100:
        return sum(map(abs, sums))
    return sum(abs(a - b) for a in sums for b in sums) / len(sums)


@pytest.mark.parametrize("name", [name for name in NETWORKS if name not in ("dead", "linear", "no activation")])
def test_published_formulas_on_the_full_jacobian(name: str) -> None:
    images, labels = batch(8)
    jacobian = jacobian_of(network(name), images)
    assert read("jacov", network(name), images, labels).value == pytest.approx(published_jacov(jacobian), rel=1e-3)
    expected = published_epe(jacobian, labels, 3)
    assert read("epe_nas", network(name), images, labels).value == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("outputs", [100, 101])
def test_epe_nas_compares_classes_above_a_hundred_outputs(outputs: int) -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, outputs))
    images, _ = batch(8)
    labels = torch.tensor([0, 0, 0, 90, 90, 7, 7, 7])
    expected = published_epe(jacobian_of(net, images), labels, outputs)
    assert read("epe_nas", net, images, labels).value == pytest.approx(expected, rel=1e-3)


def test_one_image_per_class_adds_next_to_nothing() -> None:
    images, _ = batch(4)
    value = read("epe_nas", network("plain"), images, torch.arange(4)).value
    assert value == pytest.approx(4 * math.log(1 + K), rel=1e-6)


def test_a_linear_network_answers_to_all_images_alike() -> None:
    """All correlations are 1: one eigenvalue is n, the others are 0."""
    n, net = 6, nn.Sequential(nn.Flatten(), nn.Linear(192, 3).double())
    images, labels = batch(n)
    expected = -(math.log(n + K) + 1 / (n + K) + (n - 1) * (math.log(K) + 1 / K))
    assert read("jacov", net, images, labels).value == pytest.approx(expected, rel=1e-6)
    assert read("epe_nas", net, images, labels).value == pytest.approx(3 * 4 * math.log(1 + K), rel=1e-4)


@pytest.mark.parametrize("metric", ["jacov", "epe_nas"])
def test_neither_the_order_of_images_nor_the_scale_of_the_logits_matters(metric: str) -> None:
    images, labels = batch(9)
    net = network("plain")
    value = read(metric, net, images, labels).value
    assert value is not None
    order = torch.randperm(9, generator=torch.Generator().manual_seed(0))
    assert read(metric, net, images[order], labels[order]).value == pytest.approx(value, rel=1e-3)
    net[-1].weight.data *= 7.0
    assert read(metric, net, images, labels).value == pytest.approx(value, rel=1e-3)


@pytest.mark.parametrize("metric", ["jacov", "epe_nas"])
def test_no_value_for_one_image_or_for_images_nothing_depends_on(metric: str) -> None:
    images, labels = batch(4)
    alone = read(metric, network("plain"), images[:1], labels[:1])
    assert alone.value is None
    assert "at least two" in (alone.reason or "")
    net = nn.Sequential(nn.Conv2d(3, 2, 1), nn.ReLU(), nn.Flatten(), nn.Linear(128, 3))
    net[0].weight.data.fill_(1.0)
    net[0].bias.data.zero_()
    images = images.abs()
    images[2] *= -1.0
    reading = read(metric, net, images, labels)
    assert reading.value is None
    assert "does not depend" in (reading.reason or "")
