"""The network of a chain: its genes as layers, one after the other."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from untrained.architecture import Token
from untrained.nn.chain_blocks import (
    BasicBlock,
    BottleneckBlock,
    InstanceNorm,
    SameAvgPool2d,
    SameConv2d,
    SameMaxPool2d,
)

FLATTEN_GRID = 4
UNIT = 16
"""The number of filters or units that makes `channels` of them."""


class ChainNetwork(nn.Module):
    """Features, pooling, dense part, classifier: images (n, in_chans, h, w) of any size -> logits (n, num_classes).

    channels: how many channels 16 filters stand for (16: the published network); units of dense genes are scaled alike,
    rounded down. Every strided gene and pooling gene rounds up, ceil(h / s), so no valid chain runs out of pixels: see
    `nn.chain_blocks`. (A training batch of one image can fail all the same: batch normalisation needs two values.)

    As published: biases everywhere, no activation after C and D, He-normal weights of C and D and Glorot-uniform ones
    elsewhere, epsilon 1e-3 of B and I and 1.001e-5 in blocks. Different: pixels are expected normalised, not in 0..255;
    logits are returned, not probabilities; E averages the maps to a grid of 4x4 before it flattens, so that the weights
    do not depend on the image size (published: all pixels, which is the same for 4x4 maps); He-normal counts the inputs
    of a depthwise filter as k * k (Keras: times the channels); running statistics use torch's momentum.
    """

    def __init__(self, tokens: Sequence[Token], num_classes: int, in_chans: int, channels: int) -> None:
        super().__init__()
        self.features = nn.Sequential()
        self.pool = nn.Sequential()
        self.dense = nn.Sequential()
        width = in_chans
        for token in tokens:
            part = self.features
            layer: nn.Module
            match token.kind:
                case "conv":
                    filters = int(token.get("filters")) * channels // UNIT
                    layer, width = _conv(token, width, filters), filters
                case "depthwise_conv":
                    layer = _conv(token, width, width, groups=width)
                case "batch_norm":
                    layer = nn.BatchNorm2d(width, eps=1e-3)
                case "instance_norm":
                    layer = InstanceNorm(width)
                case "relu":
                    layer = nn.ReLU()
                case "max_pool":
                    layer = SameMaxPool2d(token.get("pool"))
                case "avg_pool":
                    layer = SameAvgPool2d(token.get("pool"))
                case "residual" | "bottleneck":
                    layer, width = _block(token, width, channels)
                case "global_avg_pool" | "global_max_pool" | "flatten":
                    part = self.pool
                    layer, width = _global_pool(token.kind, width)
                case "dropout":
                    part, layer = self.dense, nn.Dropout(token.get("rate"))
                case "dense":
                    units = int(token.get("units")) * channels // UNIT
                    part, layer, width = self.dense, nn.Sequential(_linear(width, units), nn.ReLU()), units
                case kind:
                    raise AssertionError(f"no layer for genes of kind {kind!r}")
            part.append(layer)
        self.head = _linear(width, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.dense(self.pool(self.features(x))))
        return logits


def _conv(token: Token, in_chans: int, out_chans: int, groups: int = 1) -> SameConv2d:
    conv = SameConv2d(in_chans, out_chans, token.get("kernel"), token.get("stride"), groups)
    nn.init.kaiming_normal_(conv.weight)
    return conv


def _linear(in_features: int, out_features: int) -> nn.Linear:
    linear = nn.Linear(in_features, out_features)
    nn.init.xavier_uniform_(linear.weight)
    nn.init.zeros_(linear.bias)
    return linear


def _block(token: Token, width: int, channels: int) -> tuple[nn.Module, int]:
    filters = int(token.get("filters")) * channels // UNIT
    kernel, stride, skip = token.get("kernel"), token.get("stride"), bool(token.get("skip"))
    if token.kind == "residual":
        return BasicBlock(width, filters, kernel, stride, skip), filters
    return BottleneckBlock(width, filters, kernel, stride, skip), BottleneckBlock.EXPANSION * filters


def _global_pool(kind: str, width: int) -> tuple[nn.Module, int]:
    if kind == "flatten":
        return nn.Sequential(nn.AdaptiveAvgPool2d(FLATTEN_GRID), nn.Flatten()), width * FLATTEN_GRID**2
    pool = nn.AdaptiveAvgPool2d(1) if kind == "global_avg_pool" else nn.AdaptiveMaxPool2d(1)
    return nn.Sequential(pool, nn.Flatten()), width
