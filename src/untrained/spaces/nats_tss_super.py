"""Super-networks over the NATS-Bench topology space: every edge sums any of the four operations.

Chen et al., "Neural Architecture Search on ImageNet in Four GPU Hours" (TE-NAS), ICLR 2021.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, final

import numpy as np

from untrained.architecture import Architecture, Token
from untrained.errors import ArchitectureError
from untrained.spaces.diagram import Diagram, Edge
from untrained.spaces.four_nodes import EDGES, NODES
from untrained.spaces.nats_tss import OPERATIONS, cell_text, edge_texts, nats_tss
from untrained.spaces.space import Skeleton, register
from untrained.spaces.uniform import Uniform

if TYPE_CHECKING:
    from torch import nn

CANDIDATES = OPERATIONS[1:]
"""All but `none`, which is what an edge without operations has."""
FULL = (1 << len(CANDIDATES)) - 1


@final
class NatsTssSuper(Uniform):
    """Super-networks of NATS-TSS: each of six edges sums a set of operations; 16,777,216 cells, for `pruning`.

    Gene e is a mask: bit k is set where edge e has operation k of `CANDIDATES`; 0 is `none`. With at most one operation on
    every edge it is a cell of `nats-tss`: the same network, and the answer of a search. The space takes architectures of
    `nats-tss` as its own.
    """

    name = "nats-tss-super"
    paper = "chen2021tenas"
    grammar = "|ops~0|+|ops~0|ops~1|+|ops~0|ops~1|ops~2| with ops none or some of " + "&".join(CANDIDATES)
    length = len(EDGES)
    choices = FULL + 1
    size = choices**length
    skeletons = nats_tss.skeletons

    # -- pruning ---------------------------------------------------------------------------------------------------

    @property
    def full(self) -> Architecture:
        """All operations on all edges."""
        return Architecture(self.name, (FULL,) * len(EDGES))

    def prunings(self, architecture: Architecture) -> Iterator[tuple[int, Architecture]]:
        """Each way to take one operation from an edge that has several, with the number of the edge."""
        for edge, mask in enumerate(self._own(architecture)):
            if mask.bit_count() > 1:
                for bit in _bits(mask):
                    yield edge, self._with(architecture, edge, mask ^ 1 << bit)

    def answer(self, architecture: Architecture) -> Architecture | None:
        """The cell of `nats-tss`, or None for what still has several operations on an edge."""
        genes = self._own(architecture)
        if any(mask.bit_count() > 1 for mask in genes):
            return None
        return Architecture(nats_tss.name, tuple(mask.bit_length() for mask in genes))

    # -- variation -------------------------------------------------------------------------------------------------

    def mutate(self, architecture: Architecture, rng: np.random.Generator) -> Architecture:
        """One operation of one edge, both chosen uniformly, is taken away or added."""
        edge, bit = int(rng.integers(len(EDGES))), int(rng.integers(len(CANDIDATES)))
        return self._with(architecture, edge, self._own(architecture)[edge] ^ 1 << bit)

    def crossover(self, a: Architecture, b: Architecture, rng: np.random.Generator) -> Architecture:
        """Each edge from either parent, evenly."""
        pairs = zip(self._own(a), self._own(b), rng.random(len(EDGES)).tolist(), strict=True)
        return Architecture(self.name, tuple(x if u < 0.5 else y for x, y, u in pairs))

    def neighbours(self, architecture: Architecture) -> Iterator[Architecture]:
        for edge, mask in enumerate(self._own(architecture)):
            for bit in range(len(CANDIDATES)):
                yield self._with(architecture, edge, mask ^ 1 << bit)

    def _with(self, architecture: Architecture, edge: int, mask: int) -> Architecture:
        genes = self._own(architecture)
        return Architecture(self.name, (*genes[:edge], mask, *genes[edge + 1 :]))

    # -- identity --------------------------------------------------------------------------------------------------

    def canonical(self, architecture: Architecture) -> Architecture:
        """That of `nats-tss` for its cells, the architecture itself for others."""
        cell = self.answer(architecture)
        genes = self._own(architecture if cell is None else nats_tss.canonical(cell))
        return Architecture(self.name, genes)

    def _own(self, architecture: Architecture) -> tuple[int, ...]:
        if architecture.space == nats_tss.name:
            return tuple(1 << gene >> 1 for gene in nats_tss.validate(architecture).genes)
        return super()._own(architecture)

    def parse(self, text: str) -> Architecture:
        """The operations of an edge may come in any order, each once."""
        genes = []
        for written, column in edge_texts(text, self.grammar):
            mask = 0
            for name in written.split("&") if written != OPERATIONS[0] else ():
                if name not in CANDIDATES:
                    raise ArchitectureError.at(text, column, f"unknown operation {name!r}", self.grammar)
                bit = 1 << CANDIDATES.index(name)
                if mask & bit:
                    raise ArchitectureError.at(text, column, f"{name!r} twice on an edge", self.grammar)
                mask |= bit
            genes.append(mask)
        return Architecture(self.name, tuple(genes))

    def format(self, architecture: Architecture) -> str:
        return cell_text("&".join(_names(mask)) or OPERATIONS[0] for mask in self._own(architecture))

    # -- meaning ---------------------------------------------------------------------------------------------------

    def tokens(self, architecture: Architecture) -> tuple[Token, ...]:
        """One token an edge; an edge with several operations is a kind of its own."""
        return tuple(
            Token(f"{mask:x}", "&".join(_names(mask)) or OPERATIONS[0], (("source", source), ("target", target)))
            for mask, (source, target) in zip(self._own(architecture), EDGES, strict=True)
        )

    def draw(self, architecture: Architecture) -> Diagram:
        edges = []
        for mask, (source, target) in zip(self._own(architecture), EDGES, strict=True):
            label = " + ".join(name.removeprefix("nor_") for name in _names(mask))
            if mask:
                kind = nats_tss.kinds[mask.bit_length()] if mask.bit_count() == 1 else "other"
                edges.append(Edge(source, target, label, kind))
        return Diagram(NODES, tuple(edges), title=self.format(architecture))

    # -- network ---------------------------------------------------------------------------------------------------

    def _network(self, architecture: Architecture, num_classes: int, in_chans: int, skeleton: Skeleton) -> nn.Module:
        from untrained.spaces.networks.nats import NatsNetwork, super_cell

        cell = super_cell([_names(mask) for mask in self._own(architecture)])
        return NatsNetwork(cell, num_classes, in_chans, skeleton.channels, skeleton.cells)


def _bits(mask: int) -> list[int]:
    return [bit for bit in range(len(CANDIDATES)) if mask >> bit & 1]


def _names(mask: int) -> list[str]:
    return [CANDIDATES[bit] for bit in _bits(mask)]


nats_tss_super = register(NatsTssSuper())
