"""The network of NAS-Bench-101 around any cell: three stacks, each at half the image size of the one before."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from untrained.nn.conv_bn_relu import ConvBNReLU
from untrained.spaces.cell_graph import vertex_channels

Matrix = Sequence[Sequence[int]]


class GraphCell(nn.Module):
    """One cell. (n, in_chans, h, w) -> (n, out_chans, h, w).

    A vertex adds what reaches it, with surplus channels cut off (at most one), the input through a 1x1 projection. The
    output is the concatenation of what reaches it, plus the projected input where that edge exists.
    """

    def __init__(self, matrix: Matrix, operations: Sequence[str], in_chans: int, out_chans: int) -> None:
        super().__init__()
        last = len(matrix) - 1
        self.channels = [0, *vertex_channels(matrix, out_chans), out_chans]
        self.sources = [[s for s in range(1, t) if matrix[s][t]] for t in range(last + 1)]
        self.projections = nn.ModuleDict(
            {str(t): ConvBNReLU(in_chans, self.channels[t], 1) for t in range(1, last + 1) if matrix[0][t]}
        )
        self.operations = nn.ModuleList(
            _operation(label, channels) for label, channels in zip(operations[1:-1], self.channels[1:-1], strict=True)
        )

    def forward(self, x: Tensor) -> Tensor:
        values: list[Tensor] = [x]
        for vertex, operation in enumerate(self.operations, 1):
            terms = [values[source][:, : self.channels[vertex]] for source in self.sources[vertex]]
            values.append(operation(self._sum(terms, x, vertex)))
        last = len(self.channels) - 1
        joined = [values[source] for source in self.sources[last]]
        return self._sum([torch.cat(joined, 1)] if joined else [], x, last)

    def _sum(self, terms: list[Tensor], x: Tensor, vertex: int) -> Tensor:
        if str(vertex) in self.projections:
            terms = [*terms, self.projections[str(vertex)](x)]
        total = terms[0]
        for term in terms[1:]:
            total = total + term
        return total


def _operation(label: str, channels: int) -> nn.Module:
    match label:
        case "conv3x3-bn-relu":
            return ConvBNReLU(channels, channels, 3)
        case "conv1x1-bn-relu":
            return ConvBNReLU(channels, channels, 1)
        case _:
            return nn.MaxPool2d(3, stride=1, padding=1)


class NasBench101Network(nn.Module):
    """Stem, three stacks of `cells` cells of widths C, 2C and 4C, head: images -> logits (n, num_classes).

    Batch normalisation keeps PyTorch's momentum 0.1; the published network averages its running statistics over
    hundreds of steps (momentum 0.003 in the same convention), which matters in training runs only.
    """

    def __init__(
        self,
        matrix: Matrix,
        operations: Sequence[str],
        num_classes: int,
        in_chans: int,
        channels: int,
        cells: int,
    ) -> None:
        super().__init__()
        self.stem = ConvBNReLU(in_chans, channels, 3)
        body: list[nn.Module] = []
        before = channels
        for width in (channels, 2 * channels, 4 * channels):
            if width > channels:
                body.append(nn.MaxPool2d(2, stride=2, ceil_mode=True))
            for _ in range(cells):
                body.append(GraphCell(matrix, operations, before, width))
                before = width
        self.body = nn.Sequential(*body)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(before, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.pool(self.body(self.stem(x))).flatten(1))
        return logits
