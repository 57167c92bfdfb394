"""Layers whose strides round up at any image size, and the blocks of the chain space. All take and return (n, c, h, w).

The rule ("same" padding): a layer of stride s makes ceil(h / s) x ceil(w / s) pixels of h x w, padding as evenly as it
can, the odd pixel at the right and bottom. So no map ever shrinks below 1x1, where pooling is the identity.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

BLOCK_EPS = 1.001e-5
"""The epsilon of batch normalisation inside blocks (published)."""


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Zeros before and after a line of `size` pixels so that ceil(size / stride) outputs fit."""
    outputs = -(-size // stride)
    missing = max((outputs - 1) * stride + kernel - size, 0)
    return missing // 2, missing - missing // 2


class SameConv2d(nn.Conv2d):
    """Convolution with bias and "same" padding; its first weights are Glorot-uniform, its biases 0."""

    def __init__(self, in_chans: int, out_chans: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(in_chans, out_chans, kernel, stride, groups=groups)

    def reset_parameters(self) -> None:
        nn.init.xavier_uniform_(self.weight)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def forward(self, x: Tensor) -> Tensor:
        top, bottom = same_padding(x.shape[-2], self.kernel_size[0], self.stride[0])
        left, right = same_padding(x.shape[-1], self.kernel_size[1], self.stride[1])
        if (top, left) != (bottom, right):
            x = F.pad(x, (left, right, top, bottom))
            top = left = 0
        return F.conv2d(x, self.weight, self.bias, self.stride, (top, left), groups=self.groups)


class SameMaxPool2d(nn.Module):
    """Max-pooling of windows side by side; padding never wins."""

    def __init__(self, pool: int) -> None:
        super().__init__()
        self.pool = pool

    def forward(self, x: Tensor) -> Tensor:
        return F.max_pool2d(x, self.pool, padding=_pool_padding(x, self.pool), ceil_mode=True)


class SameAvgPool2d(nn.Module):
    """Average pooling of windows side by side; padding does not count."""

    def __init__(self, pool: int) -> None:
        super().__init__()
        self.pool = pool

    def forward(self, x: Tensor) -> Tensor:
        padding = _pool_padding(x, self.pool)
        return F.avg_pool2d(x, self.pool, padding=padding, ceil_mode=True, count_include_pad=False)


def _pool_padding(x: Tensor, pool: int) -> tuple[int, int]:
    """The leading padding; the trailing one is what rounding up adds."""
    return same_padding(x.shape[-2], pool, pool)[0], same_padding(x.shape[-1], pool, pool)[0]


class InstanceNorm(nn.InstanceNorm2d):
    """Instance normalisation that also takes single pixels, where torch's own raises an error.

    A pixel less its own mean is 0, so a 1x1 map leaves only the shift: the network is blind from there on. All 500
    published CIFAR-10 individuals with such a layer stayed at the accuracy of guessing, so this is kept.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=1e-3, affine=True)

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[-2] * x.shape[-1] > 1:
            return super().forward(x)
        return (x - x) * self.weight[:, None, None] + self.bias[:, None, None]


class SkipBlock(nn.Module):
    """ReLU of `body`, plus a shortcut if `skip`: the input, projected by a 1x1 convolution and batch normalisation if
    the block changes the channels or has a stride."""

    def __init__(self, body: nn.Module, in_chans: int, out_chans: int, stride: int, skip: bool) -> None:
        super().__init__()
        self.body = body
        self.shortcut: nn.Module | None = None
        if skip and stride == 1 and in_chans == out_chans:
            self.shortcut = nn.Identity()
        elif skip:
            self.shortcut = nn.Sequential(*_conv_bn(in_chans, out_chans, 1, stride))
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        out = self.body(x)
        if self.shortcut is not None:
            out = out + self.shortcut(x)
        last: Tensor = self.relu(out)
        return last


class BasicBlock(SkipBlock):
    """Two convolutions with batch normalisation, a ReLU between them; the stride is in the first."""

    def __init__(self, in_chans: int, filters: int, kernel: int, stride: int, skip: bool) -> None:
        body = nn.Sequential(
            *_conv_bn(in_chans, filters, kernel, stride), nn.ReLU(), *_conv_bn(filters, filters, kernel)
        )
        super().__init__(body, in_chans, filters, stride, skip)


class BottleneckBlock(SkipBlock):
    """Convolutions 1x1 (with the stride), kernel x kernel, 1x1 to `EXPANSION` * filters channels."""

    EXPANSION = 4

    def __init__(self, in_chans: int, filters: int, kernel: int, stride: int, skip: bool) -> None:
        wide = self.EXPANSION * filters
        body = nn.Sequential(
            *_conv_bn(in_chans, filters, 1, stride), nn.ReLU(),
            *_conv_bn(filters, filters, kernel), nn.ReLU(),
            *_conv_bn(filters, wide, 1),
        )  # fmt: skip
        super().__init__(body, in_chans, wide, stride, skip)


def _conv_bn(in_chans: int, out_chans: int, kernel: int, stride: int = 1) -> tuple[nn.Module, nn.Module]:
    return SameConv2d(in_chans, out_chans, kernel, stride), nn.BatchNorm2d(out_chans, eps=BLOCK_EPS)
