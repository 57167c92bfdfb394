"""NAS-Bench-Macro: which mobile block stands in each of eight places.

Su et al., "Prioritized Architecture Sampling with Monto-Carlo Tree Search", CVPR 2021.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, ClassVar, final

from untrained.architecture import Architecture, Token
from untrained.errors import ArchitectureError
from untrained.spaces.diagram import Diagram, Node
from untrained.spaces.space import Skeleton, register
from untrained.spaces.uniform import Uniform

if TYPE_CHECKING:
    from torch import nn

OPERATIONS = ("identity", "mb3_k3", "mb6_k5")
"""Gene 0, 1 and 2; mb = inverted residual with that expansion and kernel."""
BLOCKS = {"mb3_k3": (3, 3), "mb6_k5": (6, 5)}
"""(expansion, kernel) by operation."""
STAGES = (2, 3, 3)
"""Places in each stage. The first place of a stage halves the image and doubles the width."""
PLACES = sum(STAGES)
STARTS = tuple(itertools.accumulate(STAGES[:-1], initial=0))
"""The strided places: 0, 2 and 5."""


@final
class Macro(Uniform):
    """NAS-Bench-Macro: 6,561 rows of eight blocks, each an identity or one of two inverted residuals.

    The eight places form stages of 2, 3 and 3; the first place of each halves the image and doubles the width (there the
    identity is a strided 1x1 convolution). Skeleton: `channels` of the stem (32 published).
    """

    name = "macro"
    paper = "su2021macro"
    grammar = "8 digits: 0 (identity), 1 (expansion 3, kernel 3) or 2 (expansion 6, kernel 5)"
    length = PLACES
    choices = len(OPERATIONS)
    size = len(OPERATIONS) ** PLACES
    unique: ClassVar[int] = 3969
    """Different networks: identities may move within a stage."""
    skeletons: ClassVar = {"macro": Skeleton(channels=32), "proxy": Skeleton(channels=4)}

    def canonical(self, architecture: Architecture) -> Architecture:
        """Identities that change nothing moved to the end of their stage, as in the benchmark (3,969 networks)."""
        genes = self._own(architecture)
        moved: list[int] = []
        for start, length in zip(STARTS, STAGES, strict=True):
            moved.append(genes[start])
            moved.extend(sorted(genes[start + 1 : start + length], key=lambda gene: gene == 0))
        return Architecture(self.name, tuple(moved))

    def parse(self, text: str) -> Architecture:
        for column in range(PLACES):
            if not text[column : column + 1] or text[column] not in "012":
                raise ArchitectureError.at(text, column, "no block 0, 1 or 2", self.grammar)
        if len(text) > PLACES:
            raise ArchitectureError.at(text, PLACES, "text after the last block", self.grammar)
        return Architecture(self.name, tuple(map(int, text)))

    def format(self, architecture: Architecture) -> str:
        return "".join(map(str, self._own(architecture)))

    def tokens(self, architecture: Architecture) -> tuple[Token, ...]:
        tokens: list[Token] = []
        for place, gene in enumerate(self._own(architecture)):
            stride = 2 if place in STARTS else 1
            if OPERATIONS[gene] in BLOCKS:
                expansion, kernel = BLOCKS[OPERATIONS[gene]]
                numbers = (("expansion", expansion), ("kernel", kernel), ("stride", stride))
                tokens.append(Token(str(gene), "inverted_residual", numbers))
            else:
                tokens.append(Token("0", "identity", (("stride", stride),)))
        return tuple(tokens)

    def draw(self, architecture: Architecture) -> Diagram:
        nodes = [Node("in", "input"), Node("conv 3x3", "conv")]
        for place, gene in enumerate(self._own(architecture)):
            strided = place in STARTS
            if gene:
                nodes.append(Node(OPERATIONS[gene] + (" /2" if strided else ""), "block"))
            else:
                nodes.append(Node("conv 1x1 /2", "conv") if strided else Node("identity", "skip"))
        return Diagram.chain((*nodes, Node("conv 1x1", "conv"), Node("out", "output")), title=self.format(architecture))

    def _network(self, architecture: Architecture, num_classes: int, in_chans: int, skeleton: Skeleton) -> nn.Module:
        from untrained.spaces.networks.macro import MacroNetwork

        return MacroNetwork(self.tokens(architecture), num_classes, in_chans, skeleton.channels)


macro = register(Macro())
