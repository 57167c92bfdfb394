"""NATS-Bench size space: the widths of five layers around one fixed cell.

Dong et al., "NATS-Bench: Benchmarking NAS Algorithms for Architecture Topology and Size", TPAMI 2021.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from untrained.architecture import Architecture, Token
from untrained.errors import ArchitectureError, InputError
from untrained.spaces.diagram import Diagram, Node
from untrained.spaces.space import Skeleton, Space, register

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
class NatsSss(Space):
    """NATS-Bench size space: 32,768 choices of five widths, each 8 to 64 in steps of 8.

    A gene is 0..7 and stands for the width 8 * (gene + 1). The skeleton's `channels` is the step: the network is
    (gene + 1) * channels wide, so the published one has channels=8. No other field of the skeleton is read.
    """

    name = "nats-sss"
    paper = "dong2021nats"
    grammar = "c1:c2:c3:c4:c5 with widths from 8, 16, 24, 32, 40, 48, 56, 64"
    size = CHOICES**LAYERS
    skeletons: ClassVar = {"nats": Skeleton(channels=STEP), "proxy": Skeleton(channels=2)}

    def sample(self, rng: np.random.Generator) -> Architecture:
        """Uniform over all 32,768. (Two published searches draw the widths without replacement: 6,720 only.)"""
        return Architecture(self.name, tuple(rng.integers(0, CHOICES, LAYERS).tolist()))

    def mutate(self, architecture: Architecture, rng: np.random.Generator) -> Architecture:
        """One layer, chosen uniformly, gets another width, chosen uniformly."""
        genes = list(self._own(architecture))
        layer = int(rng.integers(LAYERS))
        genes[layer] = (genes[layer] + int(rng.integers(1, CHOICES))) % CHOICES
        return Architecture(self.name, tuple(genes))

    def crossover(self, a: Architecture, b: Architecture, rng: np.random.Generator) -> Architecture:
        """`a` with one segment of `b`, between two cut points drawn uniformly."""
        mother, father = self._own(a), self._own(b)
        left, right = sorted(rng.choice(LAYERS + 1, size=2, replace=False).tolist())
        return Architecture(self.name, mother[:left] + father[left:right] + mother[right:])

    def neighbours(self, architecture: Architecture) -> Iterator[Architecture]:
        genes = self._own(architecture)
        for layer, gene in enumerate(genes):
            for other in range(CHOICES):
                if other != gene:
                    yield Architecture(self.name, (*genes[:layer], other, *genes[layer + 1 :]))

    def validate(self, architecture: Architecture) -> Architecture:
        genes = self._own(architecture)
        if len(genes) != LAYERS or any(type(gene) is not int or not 0 <= gene < CHOICES for gene in genes):
            raise ArchitectureError(f"{self.name} takes {LAYERS} genes in 0..{CHOICES - 1}, not {genes}")
        return architecture

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
        from untrained.spaces.networks.nats import SizeNetwork, tss_cell

        cell = tss_cell(nats_tss.parse(CELL).genes)
        return SizeNetwork(cell, self.widths(architecture, skeleton.channels), num_classes, in_chans)

    # -- the official order ----------------------------------------------------------------------------------------

    def index(self, architecture: Architecture) -> int:
        """The benchmark's index, 0..32,767: the genes as digits of base 8, the first most significant."""
        index = 0
        for gene in self._own(architecture):
            index = index * CHOICES + gene
        return index

    def at(self, index: int) -> Architecture:
        """The architecture with the benchmark's `index`."""
        if not 0 <= index < self.size:
            raise InputError(f"{self.name} has indices 0..{self.size - 1}, not {index}")
        genes = (index // CHOICES**power % CHOICES for power in reversed(range(LAYERS)))
        return Architecture(self.name, tuple(genes))

    def __iter__(self) -> Iterator[Architecture]:
        """All architectures in the benchmark's order."""
        return (Architecture(self.name, genes) for genes in itertools.product(range(CHOICES), repeat=LAYERS))


nats_sss = register(NatsSss())
