"""The block of MobileNetV2.

Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", CVPR 2018.
"""

from __future__ import annotations

from torch import Tensor, nn

from untrained.nn.conv_bn_relu import ConvBNReLU


class InvertedResidual(nn.Module):
    """1x1 convolution to `expansion` times the width, depthwise convolution with the stride, 1x1 convolution, all with
    batch normalisation, the first two with ReLU; plus the input where the shape stays."""

    def __init__(self, in_chans: int, out_chans: int, stride: int, expansion: int, kernel: int) -> None:
        super().__init__()
        hidden = in_chans * expansion
        self.expand = ConvBNReLU(in_chans, hidden, 1)
        self.depthwise = ConvBNReLU(hidden, hidden, kernel, stride, groups=hidden)
        self.project = nn.Sequential(nn.Conv2d(hidden, out_chans, 1, bias=False), nn.BatchNorm2d(out_chans))
        self.residual = stride == 1 and in_chans == out_chans

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.project(self.depthwise(self.expand(x)))
        return x + out if self.residual else out
