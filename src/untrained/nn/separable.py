"""Separable and dilated convolutions and the factorised reduction of DARTS. All take and return (n, c, h, w).

Liu et al., "DARTS: Differentiable Architecture Search", ICLR 2019. With stride 2 every block here maps a side of h
pixels to ceil(h / 2), odd sizes included, so that their outputs can be added.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class DilConv(nn.Sequential):
    """ReLU, depthwise convolution (dilated), pointwise convolution, batch normalisation; the size stays at stride 1."""

    def __init__(self, in_chans: int, out_chans: int, kernel: int, stride: int = 1, dilation: int = 2) -> None:
        padding = dilation * (kernel // 2)
        super().__init__(
            nn.ReLU(),
            nn.Conv2d(in_chans, in_chans, kernel, stride, padding, dilation, groups=in_chans, bias=False),
            nn.Conv2d(in_chans, out_chans, 1, bias=False),
            nn.BatchNorm2d(out_chans),
        )


class SepConv(nn.Sequential):
    """Two rounds of ReLU, depthwise and pointwise convolution, batch normalisation; the first has the stride."""

    def __init__(self, in_chans: int, out_chans: int, kernel: int, stride: int = 1) -> None:
        super().__init__(
            DilConv(in_chans, in_chans, kernel, stride, dilation=1),
            DilConv(in_chans, out_chans, kernel, dilation=1),
        )


class FactorizedReduce(nn.Module):
    """Halves the image: ReLU, two strided 1x1 convolutions that see the even and the odd pixels, concatenation, batch
    normalisation.

    The published block refuses odd sizes and odd widths. Here an odd image gets a border of zeros for its last odd
    pixels, and of an odd width (3 or more) the first convolution makes the smaller half.
    """

    def __init__(self, in_chans: int, out_chans: int) -> None:
        super().__init__()
        self.relu = nn.ReLU()
        self.even = nn.Conv2d(in_chans, out_chans // 2, 1, stride=2, bias=False)
        self.odd = nn.Conv2d(in_chans, out_chans - out_chans // 2, 1, stride=2, bias=False)
        self.norm = nn.BatchNorm2d(out_chans)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(x)
        shifted = x[:, :, 1:, 1:]
        height, width = x.shape[-2:]
        if height % 2 or width % 2:
            shifted = F.pad(shifted, (0, width % 2, 0, height % 2))
        out: Tensor = self.norm(torch.cat([self.even(x), self.odd(shifted)], dim=1))
        return out
