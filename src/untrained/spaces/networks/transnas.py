"""The networks of TransNAS-Bench-101: a stem to 1/4 of the image, stages, and a head for each kind of task."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor, nn

from untrained.nn.blocks import ReLUConvBN
from untrained.nn.cell import Cell
from untrained.nn.decoder import GenerativeDecoder, SegmentationDecoder
from untrained.nn.separable import FactorizedReduce
from untrained.spaces.four_nodes import EDGES
from untrained.spaces.space import Skeleton

BlockFactory = Callable[[int, int, int], nn.Module]
"""(in_chans, out_chans, stride) -> a block of a stage."""


def micro_cell(operations: Sequence[str]) -> BlockFactory:
    """Cells of the micro space; edges with `none` are absent."""

    def cell(in_chans: int, out_chans: int, stride: int) -> Cell:
        edges = [
            (source, target, _operation(name, out_chans if source else in_chans, out_chans, change))
            for name, (source, target) in zip(operations, EDGES, strict=True)
            if name != "none"
            for change in (1 if source else stride,)
        ]
        return Cell(edges, nodes=4, out_chans=out_chans, stride=stride)

    return cell


def _operation(name: str, in_chans: int, out_chans: int, stride: int) -> nn.Module:
    match name:
        case "skip_connect":
            return nn.Identity() if stride == 1 else FactorizedReduce(in_chans, out_chans)
        case "nor_conv_1x1":
            return ReLUConvBN(in_chans, out_chans, 1, stride)
        case _:
            return ReLUConvBN(in_chans, out_chans, 3, stride)


class TransNasNetwork(nn.Module):
    """Stem, stages of (width, stride) factors and head: images (n, in_chans, h, w) -> what the head of the skeleton says.

    classification: logits (n, num_classes); also for room layout, where the outputs are the regressed numbers.
    segmentation: logits (n, num_classes, h, w).
    normal, autoencoder: images (n, 3, h, w) and (n, in_chans, h, w) in (-1, 1); num_classes is not used.
    jigsaw: logits (n, num_classes) from the pooled features of nine tiles, which are cut from the image row by row (up
    to two pixels at the right and bottom are left out); the published network takes the nine tiles one by one.

    Decoders double the image as often as the encoder halves it and cut what rounding up made too large. Their widths
    scale with `channels`; at 64 they are the published ones. Initial weights: Kaiming normal (fan out) in the encoder.
    """

    def __init__(
        self,
        block: BlockFactory,
        stages: Sequence[tuple[int, int]],
        num_classes: int,
        in_chans: int,
        skeleton: Skeleton,
    ) -> None:
        super().__init__()
        width = skeleton.channels
        half = max(1, width // 2)
        self.stem = nn.Sequential(
            nn.Conv2d(in_chans, half, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(half),
            ReLUConvBN(half, width, 3, stride=2),
        )
        body: list[nn.Module] = []
        for factor, stride in stages:
            before, width = width, width * factor
            body.append(block(before, width, stride))
            body.extend(block(width, width, 1) for _ in range(skeleton.cells - 1))
        self.body = nn.Sequential(*body)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        doublings = 2 + sum(stride == 2 for _, stride in stages)
        self.tiles = 3 if skeleton.head == "jigsaw" else 1
        self.dense = True
        match skeleton.head:
            case "segmentation":
                self.head: nn.Module = SegmentationDecoder(width, num_classes, doublings, skeleton.channels)
            case "normal":
                self.head = GenerativeDecoder(width, 3, doublings, skeleton.channels)
            case "autoencoder":
                self.head = GenerativeDecoder(width, in_chans, doublings, skeleton.channels)
            case _:
                self.dense = False
                self.pool = nn.AdaptiveAvgPool2d(1)
                self.head = nn.Linear(width * self.tiles**2, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        count, _, height, width = x.shape
        if self.tiles > 1:
            x = _cut(x, self.tiles)
        features: Tensor = self.body(self.stem(x))
        if self.dense:
            out: Tensor = self.head(features)
            return out[..., :height, :width]
        logits: Tensor = self.head(self.pool(features).reshape(count, -1))
        return logits


def _cut(x: Tensor, tiles: int) -> Tensor:
    """(n, c, h, w) -> (n * tiles**2, c, h // tiles, w // tiles), the tiles of an image one after the other."""
    count, channels, height, width = x.shape
    height, width = height // tiles, width // tiles
    x = x[:, :, : height * tiles, : width * tiles]
    x = x.reshape(count, channels, tiles, height, tiles, width).permute(0, 2, 4, 1, 3, 5)
    return x.reshape(-1, channels, height, width)
