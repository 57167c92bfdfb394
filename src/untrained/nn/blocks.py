"""Convolutional building blocks that several spaces share. All take and return (n, c, h, w)."""

from __future__ import annotations

from torch import Tensor, nn


class ReLUConvBN(nn.Sequential):
    """ReLU, convolution without bias, batch normalisation."""

    def __init__(self, in_chans: int, out_chans: int, kernel: int, stride: int = 1, padding: int | None = None) -> None:
        super().__init__(
            nn.ReLU(),
            nn.Conv2d(in_chans, out_chans, kernel, stride, kernel // 2 if padding is None else padding, bias=False),
            nn.BatchNorm2d(out_chans),
        )
        self.in_chans = in_chans


class ResidualBlock(nn.Module):
    """Two ReLU-conv-BN of kernel 3, the first with `stride`, around a shortcut.

    The shortcut of a strided block is average pooling 2x2 and a 1x1 convolution without normalisation (NATS-Bench).
    Odd image sides are halved and rounded up on both ways.
    """

    def __init__(self, in_chans: int, out_chans: int, stride: int) -> None:
        super().__init__()
        self.first = ReLUConvBN(in_chans, out_chans, 3, stride)
        self.second = ReLUConvBN(out_chans, out_chans, 3)
        self.shortcut: nn.Module = nn.Identity()
        if stride == 2:
            pool = nn.AvgPool2d(2, stride=2, ceil_mode=True)
            self.shortcut = nn.Sequential(pool, nn.Conv2d(in_chans, out_chans, 1, bias=False))
        elif in_chans != out_chans:
            self.shortcut = ReLUConvBN(in_chans, out_chans, 1)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.shortcut(x) + self.second(self.first(x))
        return out
