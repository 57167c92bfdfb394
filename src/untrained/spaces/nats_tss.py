"""NATS-Bench topology space (NAS-Bench-201): a cell of four nodes, one of five operations on each of its six edges.

Dong et al., "NATS-Bench: Benchmarking NAS Algorithms for Architecture Topology and Size", TPAMI 2021.
"""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Literal, final

import numpy as np

from untrained.architecture import Architecture
from untrained.errors import ArchitectureError, InputError
from untrained.spaces.four_nodes import EDGES, FourNodes
from untrained.spaces.space import Skeleton, register

if TYPE_CHECKING:
    from torch import nn

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")

_COST = (0, 1, 10, 100, 2)
_ITEM = re.compile(r"([a-z0-9_&]+)~(\d)\|")

Level = Literal["raw", "skip", "official", "tight", "function"]


@final
class NatsTss(FourNodes):
    """NATS-Bench topology space (NAS-Bench-201): 15,625 cells of five operations on six edges."""

    name = "nats-tss"
    paper = "dong2021nats"
    grammar = "|op~0|+|op~0|op~1|+|op~0|op~1|op~2| with op one of " + ", ".join(OPERATIONS)
    operations = OPERATIONS
    choices = len(OPERATIONS)
    symbols = "0s13p"
    kinds = ("other", "skip", "conv", "conv", "pool")
    size = len(OPERATIONS) ** len(EDGES)
    metrics: ClassVar = ("nwot", "logsynflow", "skip")
    skeletons: ClassVar = {
        "nats": Skeleton(channels=16, cells=5),
        "small": Skeleton(channels=16, cells=1),
        "proxy": Skeleton(channels=8, cells=1),
    }

    def canonical(self, architecture: Architecture) -> Architecture:
        """The member with the least to compute among all cells that are the same once zeros are dropped, skips are
        contracted and nested sums are flattened (level `function` of :meth:`canonical_text`; 5,260 classes)."""
        return self._representatives[super().index(architecture)]

    def canonical_text(self, architecture: Architecture, level: Level = "tight") -> str:
        """A text that isomorphic cells share.

        `raw`: the cell itself (15,625 texts). `skip`: skips contracted, terms sorted (12,751). `official`: zeros
        marked as well, the benchmark's `to_unique_str` (6,466). `tight`: zeros dropped and nested sums flattened
        (4,930; empty for the 341 cells without a path from input to output). `function`: as `tight`, but one
        convolution used twice is told from two on the same input, which skip, official and tight equate (5,260).
        """
        if level == "raw":
            return self.format(architecture)
        if level not in ("skip", "official", "tight", "function"):
            raise InputError(f"canonical level {level!r} is none of raw, skip, official, tight, function")
        return _unique_text(self._own(architecture), level)

    def is_connected(self, architecture: Architecture) -> bool:
        """Whether any path leads from the input to the output of the cell."""
        return bool(_unique_text(self._own(architecture), "tight"))

    def parse(self, text: str) -> Architecture:
        genes = []
        for operation, column in edge_texts(text, self.grammar):
            if operation not in OPERATIONS:
                raise ArchitectureError.at(text, column, f"unknown operation {operation!r}", self.grammar)
            genes.append(OPERATIONS.index(operation))
        return Architecture(self.name, tuple(genes))

    def format(self, architecture: Architecture) -> str:
        return cell_text(self.chosen(architecture))

    def _network(self, architecture: Architecture, num_classes: int, in_chans: int, skeleton: Skeleton) -> nn.Module:
        from untrained.spaces.networks.nats import NatsNetwork, cell_of

        cell = cell_of(self.chosen(architecture))
        return NatsNetwork(cell, num_classes, in_chans, skeleton.channels, skeleton.cells)

    # -- the official order ----------------------------------------------------------------------------------------

    def index(self, architecture: Architecture) -> int:
        """The benchmark's index of `architecture`, 0..15,624, the same in NAS-Bench-201 and NATS-Bench."""
        return int(np.flatnonzero(self._order == super().index(architecture))[0])

    def at(self, index: int) -> Architecture:
        """The architecture with the benchmark's `index`."""
        return super().at(int(self._order[index]) if 0 <= index < self.size else index)

    def __iter__(self) -> Iterator[Architecture]:
        """All architectures in the benchmark's order."""
        return (super(NatsTss, self).at(place) for place in self._order.tolist())

    @cached_property
    def _order(self) -> np.ndarray:
        """Lexicographic places by official index: all cells in lexicographic order, then Python's shuffle with seed 88."""
        places = list(range(self.size))
        random.Random(88).shuffle(places)
        return np.array(places)

    @cached_property
    def _representatives(self) -> list[Architecture]:
        classes: dict[str, tuple[int, ...]] = {}
        texts = []
        for genes in itertools.product(range(len(OPERATIONS)), repeat=len(EDGES)):
            text = _unique_text(genes, "function")
            texts.append(text)
            best = classes.get(text)
            if best is None or _cost(genes) < _cost(best):
                classes[text] = genes
        members = {text: Architecture(self.name, genes) for text, genes in classes.items()}
        return [members[text] for text in texts]


def edge_texts(text: str, grammar: str) -> Iterator[tuple[str, int]]:
    """What a text of a cell says of each edge, and at which column; raises `ArchitectureError` where it is no such text."""
    column = 0
    for target in (1, 2, 3):
        for lead in "+|" if target > 1 else "|":
            if text[column : column + 1] != lead:
                raise ArchitectureError.at(text, column, f"{lead!r} is missing", grammar)
            column += 1
        for source in range(target):
            item = _ITEM.match(text, column)
            if item is None:
                raise ArchitectureError.at(text, column, f"no 'op~{source}|'", grammar)
            yield item[1], column
            if int(item[2]) != source:
                raise ArchitectureError.at(text, item.start(2), f"node {source} is expected", grammar)
            column = item.end()
    if column != len(text):
        raise ArchitectureError.at(text, column, "text after the last node", grammar)


def cell_text(edges: Iterable[str]) -> str:
    """The inverse of :func:`edge_texts`."""
    items = [f"{edge}~{source}|" for edge, (source, _) in zip(edges, EDGES, strict=True)]
    return f"|{items[0]}+|{items[1]}{items[2]}+|{items[3]}{items[4]}{items[5]}"


def _cost(genes: tuple[int, ...]) -> tuple[int, tuple[int, ...]]:
    return sum(_COST[gene] for gene in genes), genes


def _unique_text(genes: tuple[int, ...], level: Level) -> str:
    """The sum that reaches node 3, written recursively; see `NatsTss.canonical_text`."""
    sums: list[tuple[str, ...]] = [("0",)]
    # Only node 1 can be used twice, beside and through node 2; no other value of the cell reaches the output twice.
    shared = level == "function" and "conv" in OPERATIONS[genes[0]] and 0 not in (genes[2], genes[4], genes[5])
    for target, incoming in ((1, (0,)), (2, (1, 2)), (3, (3, 4, 5))):
        terms: list[str] = []
        for edge, source in zip(incoming, range(target), strict=True):
            operation = OPERATIONS[genes[edge]]
            inner = sums[source]
            if level in ("tight", "function"):
                if operation == "none" or not inner:
                    continue
                if operation == "skip_connect":
                    terms.extend(inner)
                    continue
            elif level == "official" and (operation == "none" or inner == ("#",)):
                terms.append("#")
                continue
            written = "+".join(inner)
            mark = "*" if shared and edge == 0 else ""
            terms.append(written if operation == "skip_connect" else f"({written})@{operation}{mark}")
        sums.append(tuple(sorted(terms)))
    return "+".join(sums[3])


nats_tss = register(NatsTss())
