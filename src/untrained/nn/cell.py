"""A cell whose nodes are sums of transformed earlier nodes."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor, nn


class Cell(nn.Module):
    """Nodes in a row: node 0 is the input, each other is the sum of its incoming edges, the last is the output.

    `edges` are (source, target, operation), sorted by target. Nothing flows where no edge is; a node that nothing
    reaches is zero. Operations that leave node 0 turn (n, in_chans, h, w) into (n, out_chans, h / stride, w / stride),
    rounded up; all others keep that shape.
    """

    def __init__(
        self, edges: Iterable[tuple[int, int, nn.Module]], nodes: int, out_chans: int, stride: int = 1
    ) -> None:
        super().__init__()
        self.edges = nn.ModuleList()
        self.ends: list[tuple[int, int]] = []
        for source, target, operation in edges:
            self.edges.append(operation)
            self.ends.append((source, target))
        self.nodes = nodes
        self.out_chans = out_chans
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        values: list[Tensor | None] = [x, *[None] * (self.nodes - 1)]
        for (source, target), edge in zip(self.ends, self.edges, strict=True):
            value = values[source]
            # A zero is passed on: a convolution of it is part of the published networks.
            term = edge(self._zero(x) if value is None else value)
            present = values[target]
            values[target] = term if present is None else present + term
        last = values[-1]
        return self._zero(x) if last is None else last

    def _zero(self, x: Tensor) -> Tensor:
        count, _, height, width = x.shape
        size = (count, self.out_chans, -(-height // self.stride), -(-width // self.stride))
        return x.new_zeros(size)
