"""Convolution, batch normalisation, activation: the order of most networks after 2015."""

from __future__ import annotations

from torch import nn


class ConvBNReLU(nn.Sequential):
    """Convolution without bias, batch normalisation, ReLU. Padding keeps the image size at stride 1."""

    def __init__(self, in_chans: int, out_chans: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(
            nn.Conv2d(in_chans, out_chans, kernel, stride, kernel // 2, groups=groups, bias=False),
            nn.BatchNorm2d(out_chans),
            nn.ReLU(),
        )
