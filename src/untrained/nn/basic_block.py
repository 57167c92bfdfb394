"""The residual block of TransNAS-Bench-101."""

from __future__ import annotations

from torch import Tensor, nn

from untrained.nn.blocks import ReLUConvBN


class BasicBlock(nn.Module):
    """Two ReLU-conv-BN of kernel 3, the first with the stride, around a shortcut.

    Where the shape changes, the shortcut is a strided 1x1 convolution with batch normalisation.
    """

    def __init__(self, in_chans: int, out_chans: int, stride: int) -> None:
        super().__init__()
        self.first = ReLUConvBN(in_chans, out_chans, 3, stride)
        self.second = ReLUConvBN(out_chans, out_chans, 3)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or in_chans != out_chans:
            convolution = nn.Conv2d(in_chans, out_chans, 1, stride, bias=False)
            self.shortcut = nn.Sequential(convolution, nn.BatchNorm2d(out_chans))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.shortcut(x) + self.second(self.first(x))
        return out
