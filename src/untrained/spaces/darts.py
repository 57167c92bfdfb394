"""The DARTS spaces: a normal and a reduction cell of four nodes, each node the sum of two operations.

Liu et al., "DARTS: Differentiable Architecture Search", ICLR 2019; Zela et al., "Surrogate NAS Benchmarks: Going Beyond
the Limited Search Spaces of Tabular NAS Benchmarks", ICLR 2022 (NAS-Bench-301). Genes: see `untrained.spaces.genotype`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from untrained.architecture import Architecture, Token
from untrained.errors import ArchitectureError, InputError
from untrained.spaces.diagram import Diagram, Edge, Node
from untrained.spaces.genotype import (
    CELLS,
    NODES,
    OPERATIONS,
    Pair,
    format_genotype,
    from_nb301,
    in_order,
    parse_genotype,
    to_nb301,
)
from untrained.spaces.space import Skeleton, Space, register

if TYPE_CHECKING:
    from torch import nn

STEMS = ("default", "none", "imagenet")

_CELL = NODES * 4
"""Genes of one cell."""
_SYMBOLS = ("m", "a", "s", "3", "5", "d", "D", "0")
_KINDS = ("pool", "pool", "skip", "conv", "conv", "conv", "conv", "other")
_SKIP, _NONE = OPERATIONS.index("skip_connect"), OPERATIONS.index("none")
_GRAMMAR = "Genotype(normal=[('op', predecessor) x 8], normal_concat=range(2, 6), reduce=..., reduce_concat=...)"
_KEEPS_ZERO = (0, 1, _SKIP, _NONE)
"""Operations without parameters (at stride 1): zero in, zero out."""


class DartsFamily(Space):
    """What the DARTS spaces share; `operations`, `distinct` (no predecessor twice in a node) and `cells` tell them apart.

    Skeletons: `channels` is C, the width of a node before any reduction; `cells` counts all cells, of which those at
    cells // 3 and 2 * cells // 3 are reduction cells and double the width. `stem`: `default` is a 3x3 convolution to
    3C; `imagenet` three strided ones (images from 32x32, C >= 2); `none` hands the image itself to both inputs of the
    first cell, whose preprocessing takes any number of channels to the width of the cell. `auxiliary` adds a second
    head after the cell at 2 * cells // 3: in training mode the network then returns (logits, auxiliary logits), in
    evaluation mode the logits alone. `drop_path` is where the network's attribute of that name starts.

    `nb301` and `search` have neither, so that they always return logits; NAS-Bench-301 trained its networks with an
    auxiliary head (weight 0.4) and drop path 0.2. `swap` is the network of the published SWAP scores: one cell only,
    at which both reductions fall, so a reduction cell of width 6, and the genes of the normal cell are not used.
    """

    operations: ClassVar[tuple[str, ...]]
    distinct: ClassVar[bool]
    cells: ClassVar[tuple[str, ...]] = CELLS
    """The cells that are chosen; a single one serves as both."""
    skeletons: ClassVar = {
        "nb301": Skeleton(channels=32, cells=8),
        "search": Skeleton(channels=16, cells=8),
        "cifar": Skeleton(channels=36, cells=20, auxiliary=True, drop_path=0.2),
        "imagenet": Skeleton(channels=48, cells=14, stem="imagenet", auxiliary=True),
        "swap": Skeleton(channels=3, cells=1, stem="none"),
        "proxy": Skeleton(channels=8, cells=3),
    }

    # -- variation -------------------------------------------------------------------------------------------------

    def sample(self, rng: np.random.Generator) -> Architecture:
        """Uniform over all architectures: each node draws one of its unordered pairs of inputs."""
        tables = self._nodes * len(self.cells)
        drawn = rng.integers(0, [len(table) for table in tables]).tolist()
        genes = itertools.chain.from_iterable(table[i] for table, i in zip(tables, drawn, strict=True))
        return Architecture(self.name, tuple(genes))

    def mutate(self, architecture: Architecture, rng: np.random.Generator) -> Architecture:
        """With equal odds one input, drawn uniformly, gets another operation, or one input, drawn uniformly from those
        that can move, another predecessor."""
        genes = self._own(architecture)
        if rng.random() < 0.5:
            edge = int(rng.integers(len(genes) // 2))
            operation, predecessor = genes[2 * edge : 2 * edge + 2]
            operation = (operation + int(rng.integers(1, len(self.operations)))) % len(self.operations)
        else:
            # With distinct predecessors the first node of a cell has no choice.
            fixed = 2 if self.distinct else 0
            cell, rest = divmod(int(rng.integers(len(genes) // 2 - len(self.cells) * fixed)), 2 * NODES - fixed)
            edge = 2 * NODES * cell + fixed + rest
            operation = genes[2 * edge]
            free = self._free(genes, edge)
            predecessor = free[int(rng.integers(len(free)))]
        return self._with_input(genes, edge, (operation, predecessor))

    def crossover(self, a: Architecture, b: Architecture, rng: np.random.Generator) -> Architecture:
        """With equal odds `a` with both inputs of one node of `b` (drawn from the nodes in which the parents differ;
        the SWAP paper's operator), or `a` with one whole cell of `b`; always the former where there is one cell."""
        mother, father = self._own(a), self._own(b)
        if rng.random() < 0.5 or len(self.cells) == 1:
            differ = [i for i in range(0, len(mother), 4) if mother[i : i + 4] != father[i : i + 4]]
            if not differ:
                return a
            start, length = differ[int(rng.integers(len(differ)))], 4
        else:
            start, length = _CELL * int(rng.integers(len(self.cells))), _CELL
        return Architecture(self.name, mother[:start] + father[start : start + length] + mother[start + length :])

    def neighbours(self, architecture: Architecture) -> Iterator[Architecture]:
        """First every other operation, then every other predecessor, input by input."""
        genes = self._own(architecture)
        seen = set()
        for edge in range(len(genes) // 2):
            own, predecessor = genes[2 * edge : 2 * edge + 2]
            pairs = [(operation, predecessor) for operation in range(len(self.operations)) if operation != own]
            pairs += [(own, other) for other in self._free(genes, edge)]
            for pair in pairs:
                neighbour = self._with_input(genes, edge, pair)
                # Two equal inputs of a node have the same edits.
                if neighbour not in seen:
                    seen.add(neighbour)
                    yield neighbour

    def _free(self, genes: tuple[int, ...], edge: int) -> list[int]:
        """Predecessors that the input could have instead of its own."""
        taken = {genes[2 * edge + 1], genes[2 * (edge ^ 1) + 1]} if self.distinct else {genes[2 * edge + 1]}
        return [p for p in range(edge // 2 % NODES + 2) if p not in taken]

    def _with_input(self, genes: tuple[int, ...], edge: int, pair: Pair) -> Architecture:
        other = 2 * (edge ^ 1)
        start = 4 * (edge // 2)
        node = in_order(pair, (genes[other], genes[other + 1]))
        return Architecture(self.name, genes[:start] + node + genes[start + 4 :])

    # -- identity --------------------------------------------------------------------------------------------------

    def canonical(self, architecture: Architecture) -> Architecture:
        """One representative for all cells that differ by the names of their nodes.

        All nodes are concatenated and the next layer's weights are free, so the order of the nodes means nothing: the
        smallest of the topological orders represents them, cell by cell. With `none`, inputs that are always zero
        become `none` from predecessor 0, and a node that merely repeats another node is named by the latter.
        """
        genes = self._own(architecture)
        # What holds at stride 2 holds at stride 1, too: a cell that serves as both is a reduction cell here.
        normal = _canonical_cell(genes[:-_CELL], strided=False) if len(self.cells) > 1 else ()
        return Architecture(self.name, normal + _canonical_cell(genes[-_CELL:], strided=True))

    def validate(self, architecture: Architecture) -> Architecture:
        genes = self._own(architecture)
        length = _CELL * len(self.cells)
        if len(genes) != length or any(type(gene) is not int for gene in genes):
            raise ArchitectureError(f"{self.name} takes {length} whole numbers as genes, not {genes}")
        for index in range(length // 4):
            cell, node = divmod(index, NODES)
            inputs = genes[4 * index : 4 * index + 4]
            if inputs not in self._known[node]:
                raise ArchitectureError(
                    f"node {node + 2} of the {self.cells[cell]} cell cannot have the genes {inputs}; expected (operation, "
                    f"predecessor) twice, sorted by predecessor, then operation, with operations 0.."
                    f"{len(self.operations) - 1} and {'distinct ' if self.distinct else ''}predecessors 0..{node + 1}"
                )
        return architecture

    def parse(self, text: str) -> Architecture:
        """Reads any usual spelling; two inputs of a node may come in either order and are sorted."""
        genes = parse_genotype(text, self.operations, self.distinct, self.grammar)
        if len(self.cells) == 1 and genes[:_CELL] != genes[_CELL:]:
            raise ArchitectureError(f"{self.name} has one cell, and in {text!r} normal and reduce differ")
        return Architecture(self.name, genes[: _CELL * len(self.cells)])

    def format(self, architecture: Architecture) -> str:
        return format_genotype(self.pair(architecture))

    def pair(self, architecture: Architecture) -> tuple[int, ...]:
        """The genes of the normal and of the reduction cell."""
        return self._own(architecture) * (len(CELLS) // len(self.cells))

    @cached_property
    def _nodes(self) -> tuple[tuple[tuple[int, ...], ...], ...]:
        """The genes that each of the four nodes of a cell can have."""
        tables = []
        for node in range(NODES):
            pairs = [(operation, p) for p in range(node + 2) for operation in range(len(self.operations))]
            tables.append(
                tuple(
                    (*first, *second)
                    for first, second in itertools.combinations_with_replacement(pairs, 2)
                    if not (self.distinct and first[1] == second[1])
                )
            )
        return tuple(tables)

    @cached_property
    def _known(self) -> tuple[frozenset[tuple[int, ...]], ...]:
        return tuple(frozenset(table) for table in self._nodes)

    # -- meaning ---------------------------------------------------------------------------------------------------

    def tokens(self, architecture: Architecture) -> tuple[Token, ...]:
        """One token an input: its operation, where it comes from and goes to, and its cell (0 normal, 1 reduction)."""
        genes = self._own(architecture)
        return tuple(
            Token(
                _SYMBOLS[genes[2 * edge]],
                OPERATIONS[genes[2 * edge]],
                (("source", genes[2 * edge + 1]), ("target", edge // 2 % NODES + 2), ("cell", edge // (2 * NODES))),
            )
            for edge in range(len(genes) // 2)
        )

    def draw(self, architecture: Architecture) -> Diagram:
        """The cells side by side, without the edges of `none`."""
        genes = self._own(architecture)
        nodes: list[Node] = []
        edges: list[Edge] = []
        for number, name in enumerate(self.cells):
            base = len(nodes)
            nodes += [Node(f"{name} c(k-2)", "input"), Node(f"{name} c(k-1)", "input")]
            nodes += [Node(str(node)) for node in range(2, 2 + NODES)]
            nodes.append(Node(f"{name} c(k)", "output"))
            for edge in range(2 * NODES):
                operation, source = genes[_CELL * number + 2 * edge : _CELL * number + 2 * edge + 2]
                if operation != _NONE:
                    label = OPERATIONS[operation].removesuffix("_connect")
                    edges.append(Edge(base + source, base + edge // 2 + 2, label, _KINDS[operation]))
            edges += [Edge(base + node, base + 2 + NODES) for node in range(2, 2 + NODES)]
        title = f"{self.name}: {'normal and reduction cell' if len(self.cells) > 1 else 'the cell'}"
        return Diagram(tuple(nodes), tuple(edges), title=title)

    # -- network ---------------------------------------------------------------------------------------------------

    def _network(self, architecture: Architecture, num_classes: int, in_chans: int, skeleton: Skeleton) -> nn.Module:
        if skeleton.stem not in STEMS:
            raise InputError(f"{self.name} has the stems {', '.join(STEMS)}, not {skeleton.stem!r}")
        if skeleton.stem == "imagenet" and skeleton.channels < 2:
            raise InputError("the imagenet stem needs channels >= 2, not 1")
        if skeleton.head != "classification":
            raise InputError(f"{self.name} has the head 'classification' only, not {skeleton.head!r}")
        from untrained.spaces.networks.darts import DartsNetwork

        return DartsNetwork(self.pair(architecture), num_classes, in_chans, skeleton)


@final
class Darts(DartsFamily):
    """DARTS as in NAS-Bench-301: seven operations, two distinct predecessors a node; 1.08e18 cell pairs."""

    name = "darts"
    paper = "zela2022surrogate"
    operations = OPERATIONS[:-1]
    distinct = True
    grammar = _GRAMMAR + " with two distinct predecessors a node and op one of " + ", ".join(operations)
    size = (7**8 * 1 * 3 * 6 * 10) ** 2

    def from_nb301_config(self, config: Mapping[str, object]) -> Architecture:
        """The architecture of a NAS-Bench-301 configuration; the inverse of :meth:`to_nb301_config`."""
        return Architecture(self.name, from_nb301(config))

    def to_nb301_config(self, architecture: Architecture) -> dict[str, str]:
        """``{"edge_normal_0": "sep_conv_3x3", ..., "inputs_node_normal_3": "0_2", ...}``: 16 edges, 6 input pairs."""
        return to_nb301(self.validate(architecture).genes)


@final
class DartsLoose(DartsFamily):
    """DARTS with `none` and repeated predecessors, as the published SWAP list has it; 3.12e20 cell pairs."""

    name = "darts-loose"
    paper = "liu2019darts"
    operations = OPERATIONS
    distinct = False
    grammar = _GRAMMAR + " with op one of " + ", ".join(operations)
    size = (136 * 300 * 528 * 820) ** 2


@final
class DartsTied(DartsFamily):
    """DARTS with one cell that serves as both, `none` and repeated predecessors, as in the SWAP paper; 1.77e10 cells.

    All of the published SWAP list is of this space. The published one-cell network, which shows no normal cell, sees all
    of it, and is what searches score by default.
    """

    name = "darts-tied"
    paper = "peng2024swap"
    operations = OPERATIONS
    distinct = False
    cells = ("one",)
    grammar = _GRAMMAR + " with reduce the same as normal and op one of " + ", ".join(operations)
    size = 136 * 300 * 528 * 820
    scored = "swap"
    metrics = ("swap",)


def _canonical_cell(genes: tuple[int, ...], *, strided: bool) -> tuple[int, ...]:
    """The smallest genes among all namings of the nodes of a cell; `strided` says that inputs 0 and 1 are reduced."""
    same_as = [0, 1]
    terms: list[list[Pair]] = []
    zero = -1
    for node in range(NODES):
        kept = []
        for operation, source in (genes[4 * node : 4 * node + 2], genes[4 * node + 2 : 4 * node + 4]):
            source = same_as[source]
            if operation != _NONE and not (source == zero and operation in _KEEPS_ZERO):
                kept.append((operation, source))
        same = node + 2
        if not kept:
            same = zero = zero if zero >= 0 else same
        elif len(kept) == 1 and kept[0][0] == _SKIP and not (strided and kept[0][1] < 2):
            same = kept[0][1]
        same_as.append(same)
        terms.append(kept)
    best: tuple[int, ...] = _smallest_order(terms, {0: 0, 1: 1}, frozenset(range(NODES)))
    return best


def _smallest_order(terms: list[list[Pair]], names: dict[int, int], left: frozenset[int]) -> tuple[int, ...]:
    """The smallest genes of the nodes `left`, given the new `names` of the others; sources always have names first."""
    ready: dict[tuple[int, ...], list[int]] = {}
    for node in left:
        if all(source in names for _, source in terms[node]):
            named = [(operation, names[source]) for operation, source in terms[node]]
            named += [(_NONE, 0)] * (2 - len(named))
            ready.setdefault(in_order(*named), []).append(node)
    if not ready:
        return ()
    genes = min(ready)
    return genes + min(_smallest_order(terms, {**names, node + 2: len(names)}, left - {node}) for node in ready[genes])


darts = register(Darts())
darts_loose = register(DartsLoose())
darts_tied = register(DartsTied())
