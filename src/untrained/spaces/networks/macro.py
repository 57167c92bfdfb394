"""The network of NAS-Bench-Macro: stem, eight places in three stages, a wide 1x1 convolution, head."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from untrained.architecture import Token
from untrained.nn.conv_bn_relu import ConvBNReLU
from untrained.nn.inverted_residual import InvertedResidual

LAST = 40
"""The last convolution has this many times the stem's channels: 1,280 in the published network."""


class MacroNetwork(nn.Module):
    """Images -> logits (n, num_classes). Each stride doubles the width: 2C, 4C, 8C; sizes are rounded up."""

    def __init__(self, tokens: Sequence[Token], num_classes: int, in_chans: int, channels: int) -> None:
        super().__init__()
        self.stem = ConvBNReLU(in_chans, channels, 3)
        body: list[nn.Module] = []
        width = channels
        for token in tokens:
            before, width = width, width * token.get("stride")
            body.append(_block(token, before, width))
        self.body = nn.Sequential(*body)
        self.last = ConvBNReLU(width, LAST * channels, 1)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(LAST * channels, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.pool(self.last(self.body(self.stem(x)))).flatten(1))
        return logits


def _block(token: Token, in_chans: int, out_chans: int) -> nn.Module:
    stride = token.get("stride")
    if token.kind == "inverted_residual":
        return InvertedResidual(in_chans, out_chans, stride, token.get("expansion"), token.get("kernel"))
    if stride == 1:
        return nn.Identity()
    return nn.Sequential(nn.Conv2d(in_chans, out_chans, 1, stride, bias=False), nn.BatchNorm2d(out_chans))
