"""Networks without a benchmark: transformers, other activations, other norms. Every metric gives a value or a reason."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from untrained.metrics.metric import Reading, score
from untrained.probe.probe import Probe
from untrained.probe.setting import Setting
from untrained.registry import METRICS
from untrained.testing.metric import batch, quick

KEEP = Setting(images=6, weights="keep")

BACKWARD = {"grad_norm", "plain", "snip", "grasp", "fisher", "l2_norm", "zico", "gradsign", "jacov", "epe_nas", "ntk"}
FORWARD = {"swap", "nwot", "synflow", "logsynflow", "params", "macs"}


class Transformer(nn.Module):
    """4x4 patches, two encoder layers, the mean of the tokens."""

    def __init__(self, activation: str | nn.Module, norm_first: bool, dropout: float = 0.1) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 4, 4)
        layer = nn.TransformerEncoderLayer(8, 2, 16, dropout, activation, batch_first=True, norm_first=norm_first)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.encoder(self.patches(x).flatten(2).transpose(1, 2)).mean(1))
        return logits


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 4, 4)
        self.attention = nn.MultiheadAttention(8, 2, dropout=0.1, batch_first=True)
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = x + self.attention(x, x, x, need_weights=False)[0]
        logits: Tensor = self.head(F.gelu(x).mean(1))
        return logits


class ConvNeXtBlock(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.norm = nn.LayerNorm(channels)
        self.wide, self.narrow = nn.Linear(channels, 4 * channels), nn.Linear(4 * channels, channels)
        self.scale = nn.Parameter(torch.full((channels,), 0.1))

    def forward(self, x: Tensor) -> Tensor:
        out = self.norm(self.depthwise(x).permute(0, 2, 3, 1))
        out = self.scale * self.narrow(F.gelu(self.wide(out)))
        return x + out.permute(0, 3, 1, 2)


class ConvNeXt(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 2, 2)
        self.stages = nn.Sequential(ConvNeXtBlock(8), ConvNeXtBlock(8))
        self.norm, self.head = nn.LayerNorm(8), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.norm(self.stages(self.stem(x)).mean([-2, -1])))
        return logits


def activated(activation: nn.Module) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), activation, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(32, 3)
    )


NETWORKS = {
    **{f"{activation}, norm first {first}": (lambda a=activation, f=first: Transformer(a, f))
       for activation in ("relu", "gelu") for first in (False, True)},
    "silu encoder": lambda: Transformer(nn.SiLU(), True),
    "attention": Attention,
    "convnext": ConvNeXt,
    **{type(module).__name__: (lambda m=module: activated(copy.deepcopy(m)))
       for module in (nn.GELU(), nn.SiLU(), nn.Hardswish(), nn.LeakyReLU(), nn.PReLU(8), nn.ELU(), nn.ReLU6(), nn.Mish())},
}  # fmt: skip


def network(name: str) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return NETWORKS[name]()


def readings(net: nn.Module, names: list[str]) -> dict[str, Reading]:
    settings = {name: quick(METRICS[name]) for name in names}
    return score(net, *batch(), names, settings=settings)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_value_or_a_reason(name: str) -> None:
    net = network(name).eval()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    found = readings(net, METRICS.names())
    for metric in BACKWARD | FORWARD:
        # Gates and softmax are not monotonous, so the gradient of the flow may leave the domain of the logarithm.
        assert found[metric].value is not None or metric == "logsynflow", found[metric].reason
    assert all(reading.reason for reading in found.values() if reading.value is None)
    assert not any(module.training for module in net.modules())
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())
    assert not any(module._forward_hooks for module in net.modules())
    assert all(parameter.requires_grad and parameter.grad is None for parameter in net.parameters())


@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_encoders_in_evaluation_mode_are_seen_as_in_training_mode(activation: str, norm_first: bool) -> None:
    """There, torch replaces a whole encoder layer by one fused operation, activations included, unless it is watched."""
    net = Transformer(activation, norm_first, dropout=0.0)
    images, _ = batch(6)
    signs: list[Tensor] = []
    handles = [
        layer.linear1.register_forward_hook(lambda module, inputs, output: signs.append((output > 0).flatten(1)))
        for layer in net.encoder.layers
    ]
    with torch.no_grad():
        net.train()(images)
    for handle in handles:
        handle.remove()
    rows = torch.cat(signs, dim=1).double()
    agreement = rows @ rows.T + (1 - rows) @ (1 - rows).T
    for training in (True, False):
        patterns = Probe(net.train(training), images, setting=KEEP)[0].patterns
        assert patterns.units == 2 * 4 * 16
        np.testing.assert_array_equal(patterns.agreement(), agreement.numpy())


@pytest.mark.parametrize("name", [name for name in NETWORKS if "first" in name or name == "attention"])
def test_the_mode_does_not_matter_and_dropout_does_nothing(name: str) -> None:
    metrics = sorted(BACKWARD | FORWARD)
    train, evaluation = (readings(network(name).train(mode), metrics) for mode in (True, False))
    assert [reading.value for reading in train.values()] == [reading.value for reading in evaluation.values()]


def test_activations_of_any_shape_count() -> None:
    """Tokens (n, 4, 8) here; pixels with channels last (n, 4, 4, 32) in ConvNeXt."""
    images, _ = batch(6)
    assert Probe(Attention(), images, setting=KEEP)[0].patterns.units == 4 * 8
    assert Probe(ConvNeXt(), images, setting=KEEP)[0].patterns.units == 2 * 4 * 4 * 32


def test_tokens_that_come_before_the_batch_have_no_patterns_but_gradients() -> None:
    class TokensFirst(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.patches, self.head = nn.Conv2d(3, 8, 4, 4), nn.Linear(8, 3)
            self.layer = nn.TransformerEncoderLayer(8, 2, 16)

        def forward(self, x: Tensor) -> Tensor:
            logits: Tensor = self.head(self.layer(self.patches(x).flatten(2).permute(2, 0, 1)).mean(0))
            return logits

    found = readings(TokensFirst(), ["nwot", "swap", "snip", "ntk"])
    assert found["nwot"].value is None
    assert "one row for each" in (found["nwot"].reason or "")
    assert found["swap"].value is None
    assert found["snip"].value is not None
    assert found["ntk"].value is not None
