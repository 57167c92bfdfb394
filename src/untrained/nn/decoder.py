"""Heads that turn features back into images: (n, c, h, w) -> (n, out_chans, h * 2**doublings, w * 2**doublings)."""

from __future__ import annotations

from torch import nn


class _ConvBNLeaky(nn.Sequential):
    def __init__(self, in_chans: int, out_chans: int) -> None:
        super().__init__(nn.Conv2d(in_chans, out_chans, 3, padding=1), nn.BatchNorm2d(out_chans), nn.LeakyReLU(0.2))


class _DeconvBNLeaky(nn.Sequential):
    """Doubles the image."""

    def __init__(self, in_chans: int, out_chans: int) -> None:
        super().__init__(
            nn.ConvTranspose2d(in_chans, out_chans, 3, stride=2, padding=1, output_padding=1),
            nn.BatchNorm2d(out_chans),
            nn.LeakyReLU(0.2),
        )


class SegmentationDecoder(nn.Sequential):
    """One logit a class and pixel: six blocks that halve the width from 16 * channels, the last ones double the image.

    For `doublings` in 2..6; the very last block keeps the width.
    """

    def __init__(self, in_chans: int, out_chans: int, doublings: int, channels: int) -> None:
        widths = [max(1, 16 * channels >> step) for step in range(6)]
        layers: list[nn.Module] = [_ConvBNLeaky(in_chans, widths[0])]
        for step in range(5):
            block = _ConvBNLeaky if step < 6 - doublings else _DeconvBNLeaky
            layers.append(block(widths[step], widths[step + 1]))
        super().__init__(*layers, _DeconvBNLeaky(widths[5], widths[5]), nn.Conv2d(widths[5], out_chans, 3, padding=1))


class GenerativeDecoder(nn.Sequential):
    """An image with values in (-1, 1): thirteen blocks from 16 * channels to channels / 4, the later ones double it.

    For `doublings` in 2..6. Six blocks may double the image; with fewer doublings the first of them keep its size.
    """

    def __init__(self, in_chans: int, out_chans: int, doublings: int, channels: int) -> None:
        quarters = (64, 64, 32, 32, 16, 8, 4, 4, 2, 2, 1, 2, 1)
        may_double = (2, 4, 6, 8, 10, 12)
        widths = [in_chans, *(max(1, quarter * channels // 4) for quarter in quarters)]
        layers: list[nn.Module] = []
        for step in range(len(quarters)):
            block = _DeconvBNLeaky if step in may_double[6 - doublings :] else _ConvBNLeaky
            layers.append(block(widths[step], widths[step + 1]))
        super().__init__(*layers, nn.Conv2d(widths[-1], out_chans, 3, padding=1), nn.Tanh())
