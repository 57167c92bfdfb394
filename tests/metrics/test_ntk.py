from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from untrained.metrics.metric import Reading, score
from untrained.testing.metric import NETWORKS, batch, network


def read(net: nn.Module, images: Tensor) -> Reading:
    return score(net, images, metrics=["ntk"], weights="keep")["ntk"]


def condition(net: nn.Module, images: Tensor) -> float:
    """From the Jacobian of the samples' sums by each tensor, one after the other."""
    net = net.train()
    for module in net.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    kernel = np.zeros((len(images), len(images)))
    for name, parameter in net.named_parameters():
        if "weight" not in name:
            continue

        def sums(tensor: Tensor, name: str = name) -> Tensor:
            return torch.func.functional_call(net, {name: tensor}, (images,)).sum(1)

        rows = torch.autograd.functional.jacobian(sums, parameter.detach()).flatten(1).double().numpy()
        kernel += rows @ rows.T
    spectrum = np.linalg.eigvalsh(kernel)
    return float(spectrum[-1] / spectrum[0])


@pytest.mark.parametrize("name", [name for name in NETWORKS if name != "dead"])
def test_condition_of_the_kernel_of_summed_logits(name: str) -> None:
    net, (images, _) = network(name).double(), batch(6)
    assert read(network(name).double(), images.double()).value == pytest.approx(
        condition(net, images.double()), rel=1e-6
    )


def test_weights_of_attention_and_normalisation_count() -> None:
    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.LayerNorm(4)
            self.attention = nn.MultiheadAttention(4, 2, batch_first=True)
            self.patches = nn.Conv2d(3, 4, 2, 2)

        def forward(self, x: Tensor) -> Tensor:
            x = self.norm(self.patches(x).flatten(2).transpose(1, 2))
            x, _ = self.attention(x, x, x)
            return x.mean(1)

    net, (images, _) = Attention().double(), batch(4)
    assert read(net, images.double()).value == pytest.approx(condition(net, images.double()), rel=1e-6)


def test_a_linear_network_by_hand() -> None:
    """Row i of G is image i, once for each logit: the condition number is that of the images, squared."""
    net, (images, _) = nn.Sequential(nn.Flatten(), nn.Linear(192, 3)).double(), batch(5)
    singular = np.linalg.svd(images.flatten(1).double().numpy(), compute_uv=False)
    assert read(net, images.double()).value == pytest.approx((singular[0] / singular[-1]) ** 2, rel=1e-9)


def test_neither_the_order_of_images_nor_the_scale_of_the_logits_matters() -> None:
    net, (images, _) = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.ReLU(), nn.Linear(144, 3)).double(), batch(6)
    images = images.double()
    value = read(net, images).value
    assert value is not None
    assert read(net, images.flip(0)).value == pytest.approx(value, rel=1e-6)
    assert read(nn.Sequential(net, Times(4.0)), images).value == pytest.approx(value, rel=1e-6)


class Times(nn.Module):
    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return self.factor * x


def test_one_image_has_condition_one() -> None:
    images, _ = batch(1)
    assert read(network("plain"), images).value == 1.0


@pytest.mark.parametrize("name", ["dead", "no weights"])
def test_a_singular_kernel_has_none(name: str) -> None:
    images, _ = batch(4)
    net = network("dead") if name == "dead" else nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    for reading in (read(net, images), read(network("linear"), images[:1].expand(3, -1, -1, -1))):
        assert reading.value is None
        assert "singular" in (reading.reason or "")


@pytest.mark.parametrize(("small", "has_value"), [(1e-6, True), (1e-9, False)])
def test_eigenvalues_below_working_precision_are_zero(small: float, has_value: bool) -> None:
    """Images (1, 0) and (0, e): the kernel is diagonal, so even 1e-18 comes out exactly."""
    net = nn.Sequential(nn.Flatten(), nn.Linear(2, 1, bias=False)).double()
    reading = read(net, torch.tensor([[1.0, 0.0], [0.0, small]]).double().view(2, 1, 1, 2))
    assert reading.value == (pytest.approx(1e12) if has_value else None)


def test_many_weights_are_read_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    images, _ = batch(5)
    whole = read(network("cell"), images).value
    monkeypatch.setattr("untrained.metrics.ntk._COLUMNS", 1000)
    assert read(network("cell"), images).value == pytest.approx(whole, rel=1e-9)
