"""NATS-Bench size space: the widths of five layers around one fixed cell.

Dong et al., "NATS-Bench: Benchmarking NAS Algorithms for Architecture Topology and Size", TPAMI 2021.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar, final

from untrained.architecture import Architecture, Token
from untrained.errors import ArchitectureError
from untrained.spaces.diagram import Diagram, Node
from untrained.spaces.space import Skeleton, register
from untrained.spaces.uniform import Uniform

if TYPE_CHECKING:
    from torch import nn

LAYERS = 5
CHOICES = 8
STEP = 8
"""Widths are 1 to 8 times this in the texts."""
CELL = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|"
"""The cell of every network, number 9930 of the topology space."""

_WIDTH = re.compile(r"[0-9]{1,9}")


@final
class NatsSss(Uniform):
    """NATS-Bench size space: 32,768 choices of five widths, each 8 to 64 in steps of 8.

    A gene is 0..7 and stands for the width 8 * (gene + 1). The skeleton's `channels` is the step: the network is
    (gene + 1) * channels wide, so the published one has channels=8. No other field of the skeleton is read. The order is
    the benchmark's. (Two published searches draw widths without replacement: 6,720 choices only.)
    """

    name = "nats-sss"
    paper = "dong2021nats"
    grammar = "c1:c2:c3:c4:c5 with widths from 8, 16, 24, 32, 40, 48, 56, 64"
    length = LAYERS
    choices = CHOICES
    size = CHOICES**LAYERS
    skeletons: ClassVar = {"nats": Skeleton(channels=STEP), "proxy": Skeleton(channels=2)}
    metrics: ClassVar = ("logsynflow",)

    def parse(self, text: str) -> Architecture:
        genes: list[int] = []
        column = 0
        for layer in range(LAYERS):
            if layer:
                if text[column : column + 1] != ":":
                    raise ArchitectureError.at(text, column, "':' is missing", self.grammar)
                column += 1
            width = _WIDTH.match(text, column)
            gene, rest = divmod(int(width[0]), STEP) if width else (0, 0)
            if width is None or rest or not 1 <= gene <= CHOICES or width[0] != str(gene * STEP):
                raise ArchitectureError.at(text, column, "no such width", self.grammar)
            genes.append(gene - 1)
            column = width.end()
        if column != len(text):
            raise ArchitectureError.at(text, column, "text after the last width", self.grammar)
        return Architecture(self.name, tuple(genes))

    def format(self, architecture: Architecture) -> str:
        return ":".join(str(width) for width in self.widths(architecture))

    def widths(self, architecture: Architecture, step: int = STEP) -> tuple[int, ...]:
        """The output channels of the five layers, in multiples of `step`."""
        return tuple(step * (gene + 1) for gene in self._own(architecture))

    def tokens(self, architecture: Architecture) -> tuple[Token, ...]:
        return tuple(
            Token(str(width // STEP), "width", (("channels", width), ("layer", layer)))
            for layer, width in enumerate(self.widths(architecture))
        )

    def draw(self, architecture: Architecture) -> Diagram:
        c1, c2, c3, c4, c5 = self.widths(architecture)
        nodes = (
            Node("in", "input"),
            Node(f"conv 3x3, {c1}", "conv"),
            Node(f"cell, {c1}", "block"),
            Node(f"residual /2, {c2}", "block"),
            Node(f"cell, {c3}", "block"),
            Node(f"residual /2, {c4}", "block"),
            Node(f"cell, {c5}", "block"),
            Node("out", "output"),
        )
        return Diagram.chain(nodes, title=self.format(architecture))

    def _network(self, architecture: Architecture, num_classes: int, in_chans: int, skeleton: Skeleton) -> nn.Module:
        from untrained.spaces.nats_tss import nats_tss
        from untrained.spaces.networks.nats import SizeNetwork, cell_of

        cell = cell_of(nats_tss.chosen(nats_tss.parse(CELL)))
        return SizeNetwork(cell, self.widths(architecture, skeleton.channels), num_classes, in_chans)


nats_sss = register(NatsSss())
