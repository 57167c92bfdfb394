"""The macro networks of NATS-Bench: cells of the topology space between fixed stages, fixed cells of any width."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from torch import Tensor, nn

from untrained.nn.blocks import ReLUConvBN, ResidualBlock
from untrained.nn.cell import Cell
from untrained.spaces.four_nodes import EDGES

CellFactory = Callable[[int, int], nn.Module]
"""(in_chans, out_chans) -> a cell that keeps the image size."""


def cell_of(operations: Sequence[str]) -> CellFactory:
    """Cells with one operation on each edge; edges with `none` are absent.

    Where the widths differ, the edges that leave the input adapt it, as the size space needs.
    """
    return super_cell([(name,) if name != "none" else () for name in operations])


def super_cell(sets: Sequence[Sequence[str]]) -> CellFactory:
    """Cells whose edges sum the outputs of any number of operations, given by name."""

    def cell(in_chans: int, out_chans: int) -> Cell:
        edges = [
            (source, target, _operation(name, in_chans if source == 0 else out_chans, out_chans))
            for names, (source, target) in zip(sets, EDGES, strict=True)
            for name in names
        ]
        return Cell(edges, nodes=4, out_chans=out_chans)

    return cell


def _operation(name: str, in_chans: int, out_chans: int) -> nn.Module:
    match name:
        case "skip_connect":
            return nn.Identity() if in_chans == out_chans else Projection(in_chans, out_chans)
        case "nor_conv_1x1":
            return ReLUConvBN(in_chans, out_chans, 1)
        case "nor_conv_3x3":
            return ReLUConvBN(in_chans, out_chans, 3)
        case _:
            pool = nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)
            return pool if in_chans == out_chans else nn.Sequential(ReLUConvBN(in_chans, out_chans, 1), pool)


class Projection(nn.Sequential):
    """A skip between two widths: 1x1 convolution and batch normalisation, no activation."""

    def __init__(self, in_chans: int, out_chans: int) -> None:
        super().__init__(nn.Conv2d(in_chans, out_chans, 1, bias=False), nn.BatchNorm2d(out_chans))


class _Frame(nn.Module):
    """Stem and head around a body from `first` to `last` channels: images -> logits (n, num_classes).

    The published networks also return the pooled features; these return the logits alone.
    """

    def __init__(self, body: Iterable[nn.Module], first: int, last: int, num_classes: int, in_chans: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(in_chans, first, 3, padding=1, bias=False), nn.BatchNorm2d(first))
        self.body = nn.Sequential(*body)
        self.last = nn.Sequential(nn.BatchNorm2d(last), nn.ReLU(inplace=True))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(last, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.pool(self.last(self.body(self.stem(x)))).flatten(1))
        return logits


class NatsNetwork(_Frame):
    """The topology space: three stages of `cells` cells, of widths C, 2C and 4C, residual blocks between them."""

    def __init__(self, cell: CellFactory, num_classes: int, in_chans: int, channels: int, cells: int) -> None:
        super().__init__(_stages(cell, channels, cells), channels, 4 * channels, num_classes, in_chans)


def _stages(cell: CellFactory, channels: int, cells: int) -> Iterator[nn.Module]:
    for width in (channels, 2 * channels, 4 * channels):
        if width > channels:
            yield ResidualBlock(width // 2, width, stride=2)
        for _ in range(cells):
            yield cell(width, width)


class SizeNetwork(_Frame):
    """The size space: cell, residual block, cell, residual block, cell, whose outputs have the five `widths`."""

    def __init__(self, cell: CellFactory, widths: Sequence[int], num_classes: int, in_chans: int) -> None:
        super().__init__(_sizes(cell, widths), widths[0], widths[-1], num_classes, in_chans)


def _sizes(cell: CellFactory, widths: Sequence[int]) -> Iterator[nn.Module]:
    c1, c2, c3, c4, c5 = widths
    yield cell(c1, c1)
    yield ResidualBlock(c1, c2, stride=2)
    yield cell(c2, c3)
    yield ResidualBlock(c3, c4, stride=2)
    yield cell(c4, c5)
