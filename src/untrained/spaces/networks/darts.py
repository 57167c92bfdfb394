"""The macro networks of DARTS around a pair of cells: CIFAR, ImageNet, and the stem-less one of SWAP.

The operations are those of DARTS' evaluation networks: nothing follows a pooling. (DARTS' search networks put a
normalisation without parameters there.)
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from untrained.errors import InputError
from untrained.nn.blocks import ReLUConvBN
from untrained.nn.drop_path import drop_path
from untrained.nn.separable import DilConv, FactorizedReduce, SepConv
from untrained.spaces.genotype import NODES, OPERATIONS
from untrained.spaces.space import Skeleton


class Cell(nn.Module):
    """Two inputs, four nodes, each the sum of two edges; the output is all nodes, concatenated (4 * channels).

    Edges with `none` are absent. The edges from the inputs of a reduction cell have stride 2.
    """

    def __init__(
        self, genes: Sequence[int], widths: tuple[int, int], channels: int, *, reduction: bool, after_reduction: bool
    ) -> None:
        super().__init__()
        before, previous = widths
        # The last but one output is twice as large when the last cell was a reduction.
        self.preprocess0 = FactorizedReduce(before, channels) if after_reduction else ReLUConvBN(before, channels, 1)
        self.preprocess1 = ReLUConvBN(previous, channels, 1)
        self.stride = 2 if reduction else 1
        self.edges = nn.ModuleList()
        self.ends: list[tuple[int, int]] = []
        for edge in range(2 * NODES):
            operation, source = OPERATIONS[genes[2 * edge]], genes[2 * edge + 1]
            if operation != "none":
                self.edges.append(_operation(operation, channels, self.stride if source < 2 else 1))
                self.ends.append((source, edge // 2 + 2))

    def forward(self, before: Tensor, previous: Tensor, drop: float = 0.0) -> Tensor:
        second = self.preprocess1(previous)
        nodes: list[Tensor | None] = [self.preprocess0(before), second, *([None] * NODES)]
        for (source, target), edge in zip(self.ends, self.edges, strict=True):
            value = nodes[source]
            # A node without inputs is zero, but its edges still count: their convolutions are part of the network.
            term = edge(self._zero(second) if value is None else value)
            if drop and not isinstance(edge, nn.Identity):
                term = drop_path(term, drop)
            present = nodes[target]
            nodes[target] = term if present is None else present + term
        return torch.cat([self._zero(second) if node is None else node for node in nodes[2:]], dim=1)

    def _zero(self, second: Tensor) -> Tensor:
        """A node without inputs, given the preprocessed second input."""
        height, width = (-(-side // self.stride) for side in second.shape[-2:])
        return second.new_zeros(*second.shape[:2], height, width)


def _operation(name: str, channels: int, stride: int) -> nn.Module:
    match name:
        case "max_pool_3x3":
            return nn.MaxPool2d(3, stride, padding=1)
        case "avg_pool_3x3":
            return nn.AvgPool2d(3, stride, padding=1, count_include_pad=False)
        case "skip_connect":
            return nn.Identity() if stride == 1 else FactorizedReduce(channels, channels)
        case "sep_conv_3x3" | "sep_conv_5x5":
            return SepConv(channels, channels, int(name[-1]), stride)
        case _:
            return DilConv(channels, channels, int(name[-1]), stride)


class AuxiliaryHead(nn.Module):
    """A second classifier for training: features (n, c, h, w) -> logits.

    Pooling to 2x2, 1x1 convolution to 128, 2x2 convolution to 768, linear. The published pooling has windows of 5 that
    cover features of 8x8 (CIFAR) or 7x7 (ImageNet); for other sizes the windows keep that proportion. The published
    ImageNet head lacks the second normalisation, which its authors call an oversight; here both have it.
    """

    def __init__(self, in_chans: int, num_classes: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(in_chans, 128, 1, bias=False),
            nn.BatchNorm2d(128),
            nn.ReLU(),
            nn.Conv2d(128, 768, 2, bias=False),
            nn.BatchNorm2d(768),
            nn.ReLU(),
        )
        self.head = nn.Linear(768, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.features(_four_windows(F.relu(x))).flatten(1))
        return logits


def _four_windows(x: Tensor) -> Tensor:
    """Means of four overlapping windows, 5/8 of each side (rounded up): (n, c, 2, 2)."""
    sides = x.shape[-2:]
    if min(sides) < 2:
        return F.adaptive_avg_pool2d(x, 2)
    windows = [min(-(-5 * side // 8), side - 1) for side in sides]
    return F.avg_pool2d(x, windows, [side - window for side, window in zip(sides, windows, strict=True)])


class DartsNetwork(nn.Module):
    """Stem, cells, pooling and head: images -> logits (n, num_classes); see `untrained.spaces.darts.DartsFamily`.

    With an auxiliary head and in training mode: (logits, auxiliary logits). `genes` are those of the normal cell
    followed by those of the reduction cell.
    """

    def __init__(self, genes: Sequence[int], num_classes: int, in_chans: int, skeleton: Skeleton) -> None:
        super().__init__()
        self.drop_path = skeleton.drop_path
        self.stem, self.second_stem, width = _stem(skeleton.stem, in_chans, skeleton.channels)
        reductions = (skeleton.cells // 3, 2 * skeleton.cells // 3)
        half = len(genes) // 2
        widths = (width, width)
        channels = skeleton.channels
        # The outputs of the two ImageNet stems differ in size as those around a reduction do.
        after_reduction = skeleton.stem == "imagenet"
        self.cells = nn.ModuleList()
        self.auxiliary: AuxiliaryHead | None = None
        self.auxiliary_after = reductions[1]
        for index in range(skeleton.cells):
            reduction = index in reductions
            channels = 2 * channels if reduction else channels
            own = genes[half:] if reduction else genes[:half]
            self.cells.append(Cell(own, widths, channels, reduction=reduction, after_reduction=after_reduction))
            widths = (widths[1], NODES * channels)
            after_reduction = reduction
            if skeleton.auxiliary and index == self.auxiliary_after:
                self.auxiliary = AuxiliaryHead(widths[1], num_classes)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(widths[1], num_classes)

    @property
    def drop_path(self) -> float:
        """Probability, in [0, 1), of leaving out an edge for an image in training mode; identities are never left out.

        DARTS lets it grow linearly over the epochs: its training loop sets it before each.
        """
        return self._drop_path

    @drop_path.setter
    def drop_path(self, probability: float) -> None:
        if not 0.0 <= probability < 1.0:
            raise InputError(f"drop_path is a probability in [0, 1), not {probability}")
        self._drop_path = float(probability)

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        before = self.stem(x)
        previous = self.second_stem(before)
        auxiliary: Tensor | None = None
        for index, cell in enumerate(self.cells):
            before, previous = previous, cell(before, previous, self.drop_path if self.training else 0.0)
            if self.training and self.auxiliary is not None and index == self.auxiliary_after:
                auxiliary = self.auxiliary(previous)
        logits: Tensor = self.head(self.pool(previous).flatten(1))
        return logits if auxiliary is None else (logits, auxiliary)


def _stem(name: str, in_chans: int, channels: int) -> tuple[nn.Module, nn.Module, int]:
    """What makes the first input of the first cell from images, what makes the second from the first, their width."""
    if name == "none":
        return nn.Identity(), nn.Identity(), in_chans
    if name == "default":
        width = 3 * channels
        stem = nn.Sequential(nn.Conv2d(in_chans, width, 3, padding=1, bias=False), nn.BatchNorm2d(width))
        return stem, nn.Identity(), width
    first = nn.Sequential(
        nn.Conv2d(in_chans, channels // 2, 3, 2, padding=1, bias=False),
        nn.BatchNorm2d(channels // 2),
        ReLUConvBN(channels // 2, channels, 3, stride=2),
    )
    return first, ReLUConvBN(channels, channels, 3, stride=2), channels
