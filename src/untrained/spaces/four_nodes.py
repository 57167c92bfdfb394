"""Cells of four nodes in a row, each joined to all later ones: NATS-TSS and TransNAS-Bench-101."""

from __future__ import annotations

from typing import ClassVar

from untrained.architecture import Architecture, Token
from untrained.spaces.diagram import Diagram, Edge, Node
from untrained.spaces.uniform import Uniform

EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
"""(source, target) of each gene, in the order of the texts: node by node."""
NODES = (Node("in", "input"), Node("1"), Node("2"), Node("out", "output"))


class FourNodes(Uniform):
    """A space of such cells: gene e says which of `operations` edge e has; `none` is no edge.

    symbols: a character for each operation; kinds: how each is drawn.
    """

    operations: ClassVar[tuple[str, ...]]
    symbols: ClassVar[str]
    kinds: ClassVar[tuple[str, ...]]
    length = len(EDGES)

    def chosen(self, architecture: Architecture) -> list[str]:
        """The operation of each edge."""
        return [self.operations[gene] for gene in self._own(architecture)]

    def tokens(self, architecture: Architecture) -> tuple[Token, ...]:
        return tuple(
            Token(self.symbols[gene], self.operations[gene], (("source", source), ("target", target)))
            for gene, (source, target) in zip(self._own(architecture), EDGES, strict=True)
        )

    def draw(self, architecture: Architecture) -> Diagram:
        edges = tuple(
            Edge(source, target, self.operations[gene].removeprefix("nor_"), self.kinds[gene])
            for gene, (source, target) in zip(self._own(architecture), EDGES, strict=True)
            if self.operations[gene] != "none"
        )
        return Diagram(NODES, edges, title=self.format(architecture))
