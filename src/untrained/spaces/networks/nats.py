"""The macro network of NATS-Bench around any cell: three stages of `cells` cells, residual blocks between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor, nn

from untrained.nn.blocks import ReLUConvBN, ResidualBlock
from untrained.spaces.nats_tss import EDGES, OPERATIONS

CellFactory = Callable[[int, int], nn.Module]
"""(in_chans, out_chans) -> a cell that keeps the image size."""


class Cell(nn.Module):
    """Four nodes; each is the sum of its incoming edges; the output is the last. Edges with `none` are absent."""

    def __init__(self, genes: Sequence[int], channels: int) -> None:
        super().__init__()
        self.edges = nn.ModuleList()
        self.ends: list[tuple[int, int]] = []
        for gene, ends in zip(genes, EDGES, strict=True):
            if OPERATIONS[gene] != "none":
                self.edges.append(_operation(OPERATIONS[gene], channels))
                self.ends.append(ends)

    def forward(self, x: Tensor) -> Tensor:
        nodes: list[Tensor | None] = [x, None, None, None]
        for (source, target), edge in zip(self.ends, self.edges, strict=True):
            value = nodes[source]
            if value is None:
                # Zero, but the edge still counts: a convolution of it is part of the published network.
                value = x.new_zeros(()).expand(x.shape)
            term = edge(value)
            present = nodes[target]
            nodes[target] = term if present is None else present + term
        last = nodes[3]
        return x.new_zeros(()).expand(x.shape) if last is None else last


def _operation(name: str, channels: int) -> nn.Module:
    match name:
        case "skip_connect":
            return nn.Identity()
        case "nor_conv_1x1":
            return ReLUConvBN(channels, channels, 1)
        case "nor_conv_3x3":
            return ReLUConvBN(channels, channels, 3)
        case _:
            return nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)


def tss_cell(genes: Sequence[int]) -> CellFactory:
    """Cells of the topology space."""
    return lambda in_chans, out_chans: Cell(genes, out_chans)


class NatsNetwork(nn.Module):
    """Stem, three stages of widths C, 2C and 4C, head: images -> logits (n, num_classes).

    The published network also returns the pooled features; this one returns the logits alone.
    """

    def __init__(self, cell: CellFactory, num_classes: int, in_chans: int, channels: int, cells: int) -> None:
        super().__init__()
        widths = (channels, 2 * channels, 4 * channels)
        self.stem = nn.Sequential(nn.Conv2d(in_chans, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels))
        body: list[nn.Module] = []
        for stage, width in enumerate(widths):
            if stage:
                body.append(ResidualBlock(widths[stage - 1], width, stride=2))
            body.extend(cell(width, width) for _ in range(cells))
        self.body = nn.Sequential(*body)
        self.last = nn.Sequential(nn.BatchNorm2d(widths[-1]), nn.ReLU(inplace=True))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(widths[-1], num_classes)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.pool(self.last(self.body(self.stem(x)))).flatten(1))
        return logits
