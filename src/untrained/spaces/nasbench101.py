"""NAS-Bench-101: cells that are labelled acyclic graphs of up to seven vertices and nine edges.

Ying et al., "NAS-Bench-101: Towards Reproducible Neural Architecture Search", ICML 2019.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, final

import numpy as np

from untrained.architecture import Architecture, Token
from untrained.errors import ArchitectureError, InputError
from untrained.spaces.cell_graph import (
    Genes,
    adjacency,
    canonical,
    edge_count,
    module_hash,
    prune,
    split,
    unused_vertex,
    vertex_channels,
)
from untrained.spaces.diagram import Diagram, Edge, Node
from untrained.spaces.space import Skeleton, Space, register

if TYPE_CHECKING:
    from torch import nn

OPERATIONS = ("conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3")
MAX_VERTICES = 7
MAX_EDGES = 9

_SYMBOLS = "31m"
_KINDS = ("conv", "conv", "pool")


@final
class NasBench101(Space):
    """NAS-Bench-101: 423,624 cells, graphs of up to 7 vertices and 9 edges with three operations.

    Vertex 0 is the input, the last is the output, those between carry an operation. The genes are one bit mask for each
    vertex but the input (bit s is the edge from vertex s: a column of the adjacency matrix), then the operation of each
    inner vertex; a cell of V vertices has 2 V - 3 genes. Every vertex lies on a way from input to output, as in the
    benchmark's own list; :meth:`from_matrix` prunes what does not. `size` counts labelled graphs, `unique` networks.

    The text is the upper triangle of the adjacency matrix row by row with dots between, a slash and a character for
    each inner vertex: ``11.1/3`` is a 3x3 convolution with the input added. Skeleton: `channels` of the first stack
    (128 published), `cells` of each of the three stacks (3).
    """

    name = "nasbench101"
    paper = "ying2019nasbench101"
    grammar = "rows of the upper triangle of the adjacency matrix, as in 11.1/3; operations 3 (3x3), 1 (1x1), m (pool)"
    size = 1_293_208
    unique: ClassVar[int] = 423_624
    """Cells up to isomorphism: the benchmark's count."""
    skeletons: ClassVar = {"nasbench101": Skeleton(channels=128, cells=3), "proxy": Skeleton(channels=16, cells=1)}

    def sample(self, rng: np.random.Generator) -> Architecture:
        """Uniform over the 423,624 cells: labelled graphs are drawn uniformly until one is canonical."""
        ends = np.cumsum([len(graphs) * len(OPERATIONS) ** inner for inner, graphs in enumerate(self._graphs)])
        while True:
            inner = int(np.searchsorted(ends, rng.integers(ends[-1]), side="right"))
            graphs = self._graphs[inner]
            masks = graphs[int(rng.integers(len(graphs)))]
            genes = (*masks.tolist(), *rng.integers(0, len(OPERATIONS), inner).tolist())
            if canonical(genes) == genes:
                return Architecture(self.name, genes)

    def mutate(self, architecture: Architecture, rng: np.random.Generator) -> Architecture:
        """One edit of those that :meth:`neighbours` lists, drawn uniformly until it gives a valid cell."""
        genes = self._own(architecture)
        edits = _edits(genes)
        while True:
            edited = _apply(genes, edits[int(rng.integers(len(edits)))])
            if edited is not None:
                return Architecture(self.name, edited)

    def crossover(self, a: Architecture, b: Architecture, rng: np.random.Generator) -> Architecture:
        """`a`, where a random set of vertices has the incoming edges and the operation of `b`; then pruned.

        Sets are tried in random order until the child is valid and differs from both parents, where one does.
        """
        mother, father = _padded(self._own(a)), _padded(self._own(b))
        child = a
        for chosen in (rng.permutation(2 ** (MAX_VERTICES - 1) - 2) + 1).tolist():
            columns = [(father if chosen >> i & 1 else mother)[i] for i in range(MAX_VERTICES - 1)]
            genes = _limited(prune([mask for mask, _ in columns], [operation for _, operation in columns[:-1]]))
            if genes is not None:
                child = Architecture(self.name, genes)
                if child not in (a, b):
                    break
        return child

    def neighbours(self, architecture: Architecture) -> Iterator[Architecture]:
        """One edge flipped, one operation changed, or one vertex added between two others; pruned, valid ones only."""
        genes = self._own(architecture)
        seen = {genes}
        for edit in _edits(genes):
            edited = _apply(genes, edit)
            if edited is not None and edited not in seen:
                seen.add(edited)
                yield Architecture(self.name, edited)

    def canonical(self, architecture: Architecture) -> Architecture:
        """The isomorphic cell whose vertices, written as (mask, operation) from the input on, come first in order.

        Two cells share it exactly where they share :meth:`module_hash`. Isomorphic networks differ at most in which
        vertex gets the odd channel when the channels do not divide evenly.
        """
        return Architecture(self.name, canonical(self._own(architecture)))

    def module_hash(self, architecture: Architecture) -> str:
        """The benchmark's key of a cell: MD5 over rounds of hashed neighbourhoods, the same for isomorphic cells."""
        return module_hash(self._own(architecture))

    def matrix(self, architecture: Architecture) -> tuple[tuple[int, ...], ...]:
        """The adjacency matrix, row = source."""
        return adjacency(self._own(architecture))

    def operations(self, architecture: Architecture) -> tuple[str, ...]:
        """The label of each vertex in the benchmark's words, ``input`` first and ``output`` last."""
        return ("input", *(OPERATIONS[operation] for operation in split(self._own(architecture))[1]), "output")

    def from_matrix(self, matrix: Sequence[Sequence[int]] | np.ndarray, operations: Sequence[str]) -> Architecture:
        """The cell of an adjacency matrix (V, V) and its V labels, pruned as the benchmark does.

        The first and the last label are not read. Raises `ArchitectureError` for a matrix that is not square, not upper
        triangular or not of zeros and ones, for unknown labels, without a way from input to output, and where more
        than 7 vertices or 9 edges are left.
        """
        rows: Any = np.asarray(matrix)
        if rows.ndim != 2 or rows.shape[0] != rows.shape[1] or len(rows) < 2 or not np.isin(rows, (0, 1)).all():
            raise ArchitectureError(f"expected a square matrix of zeros and ones for 2 or more vertices, not {matrix}")
        if np.tril(rows).any():
            raise ArchitectureError("edges lead from earlier to later vertices: the matrix must be upper triangular")
        if len(operations) != len(rows):
            raise ArchitectureError(f"{len(rows)} vertices take {len(rows)} labels, not {len(operations)}")
        unknown = [label for label in operations[1:-1] if label not in OPERATIONS]
        if unknown:
            raise ArchitectureError(f"unknown operation {unknown[0]!r}; known: {', '.join(OPERATIONS)}")
        masks = [sum(1 << source for source, bit in enumerate(column) if bit) for column in rows.T[1:].tolist()]
        genes = prune(masks, [OPERATIONS.index(label) for label in operations[1:-1]])
        if genes is None:
            raise ArchitectureError("no way leads from the input to the output")
        return self.validate(Architecture(self.name, genes))

    def validate(self, architecture: Architecture) -> Architecture:
        genes = self._own(architecture)
        if len(genes) not in range(1, 2 * MAX_VERTICES - 2, 2) or any(type(gene) is not int for gene in genes):
            raise ArchitectureError(
                f"{self.name} takes an odd number of genes, at most {2 * MAX_VERTICES - 3}, not {genes}"
            )
        masks, operations = split(genes)
        for vertex, mask in enumerate(masks, 1):
            if not 0 < mask < 1 << vertex:
                raise ArchitectureError(f"vertex {vertex} takes a mask in 1..{(1 << vertex) - 1}, not {mask}: {genes}")
        if any(not 0 <= operation < len(OPERATIONS) for operation in operations):
            raise ArchitectureError(f"operations are 0..{len(OPERATIONS) - 1}, not {operations}")
        loose = unused_vertex(masks)
        if loose is not None:
            raise ArchitectureError(f"nothing uses vertex {loose} of {genes}; from_matrix prunes such vertices")
        if edge_count(masks) > MAX_EDGES:
            raise ArchitectureError(f"{self.name} has at most {MAX_EDGES} edges, not {edge_count(masks)}")
        return architecture

    def parse(self, text: str) -> Architecture:
        rows = text.partition("/")[0].split(".")
        inner = len(rows) - 1
        starts = list(itertools.accumulate((len(row) + 1 for row in rows), initial=0))
        masks = [0] * (inner + 1)
        edges = 0
        for source, (row, start) in enumerate(zip(rows, starts, strict=False)):
            for offset, bit in enumerate(row):
                if bit not in "01":
                    raise ArchitectureError.at(text, start + offset, f"{bit!r} is no edge", self.grammar)
                if offset + source > inner or offset + source >= MAX_VERTICES - 1:
                    problem = f"row {source} of {inner + 1} is too long"
                    raise ArchitectureError.at(text, start + offset, problem, self.grammar)
                masks[offset + source] |= int(bit) << source
                edges += int(bit)
                if edges > MAX_EDGES:
                    raise ArchitectureError.at(text, start + offset, f"edge number {edges}", self.grammar)
            if len(row) <= inner - source:
                raise ArchitectureError.at(text, start + len(row), f"row {source} is too short", self.grammar)
            if "1" not in row:
                raise ArchitectureError.at(text, start, f"nothing uses vertex {source}", self.grammar)
        column = starts[-1] - 1
        if text[column : column + 1] != "/":
            raise ArchitectureError.at(text, column, "'/' is missing", self.grammar)
        column += 1
        for vertex in range(1, inner + 1):
            symbol = text[column : column + 1]
            if not symbol or symbol not in _SYMBOLS:
                raise ArchitectureError.at(text, column, f"no operation for vertex {vertex}", self.grammar)
            if not masks[vertex - 1]:
                raise ArchitectureError.at(text, column, f"nothing leads to vertex {vertex}", self.grammar)
            column += 1
        if column != len(text):
            raise ArchitectureError.at(text, column, "text after the last operation", self.grammar)
        operations = [_SYMBOLS.index(symbol) for symbol in text[column - inner :]]
        return Architecture(self.name, (*masks, *operations))

    def format(self, architecture: Architecture) -> str:
        matrix = self.matrix(architecture)
        _, operations = split(self._own(architecture))
        rows = ("".join(map(str, row[source + 1 :])) for source, row in enumerate(matrix[:-1]))
        return f"{'.'.join(rows)}/{''.join(_SYMBOLS[operation] for operation in operations)}"

    def tokens(self, architecture: Architecture) -> tuple[Token, ...]:
        """Vertex by vertex: its operation, then its incoming edges."""
        masks, operations = split(self._own(architecture))
        tokens: list[Token] = []
        for vertex, mask in enumerate(masks, 1):
            if vertex <= len(operations):
                operation = operations[vertex - 1]
                tokens.append(Token(_SYMBOLS[operation], OPERATIONS[operation], (("vertex", vertex),)))
            tokens.extend(
                Token("e", "edge", (("source", source), ("target", vertex)))
                for source in range(vertex)
                if mask >> source & 1
            )
        return tuple(tokens)

    def draw(self, architecture: Architecture) -> Diagram:
        masks, operations = split(self._own(architecture))
        inner = (Node(OPERATIONS[operation].removesuffix("-bn-relu"), _KINDS[operation]) for operation in operations)
        nodes = (Node("in", "input"), *inner, Node("out", "output"))
        edges = tuple(
            Edge(source, target)
            for target, mask in enumerate(masks, 1)
            for source in range(target)
            if mask >> source & 1
        )
        return Diagram(nodes, edges, title=self.format(architecture))

    def _network(self, architecture: Architecture, num_classes: int, in_chans: int, skeleton: Skeleton) -> nn.Module:
        matrix, operations = self.matrix(architecture), self.operations(architecture)
        if 0 in vertex_channels(matrix, skeleton.channels):
            raise InputError(f"{skeleton.channels} channels are too few for this cell; 4 are enough for every one")
        from untrained.spaces.networks.nasbench101 import NasBench101Network

        return NasBench101Network(matrix, operations, num_classes, in_chans, skeleton.channels, skeleton.cells)

    def labelled(self) -> Iterator[Architecture]:
        """All labelled graphs, isomorphic ones included, from the smallest on."""
        for inner, graphs in enumerate(self._graphs):
            for masks in map(tuple, graphs.tolist()):
                for operations in itertools.product(range(len(OPERATIONS)), repeat=inner):
                    yield Architecture(self.name, masks + operations)

    def __iter__(self) -> Iterator[Architecture]:
        """All 423,624 cells, each once and canonical, from the smallest on."""
        return (architecture for architecture in self.labelled() if canonical(architecture.genes) == architecture.genes)

    @cached_property
    def _graphs(self) -> list[np.ndarray]:
        """Masks (n, vertices - 1) of all unlabelled valid graphs, by the number of inner vertices."""
        found = []
        bits = np.array([mask.bit_count() for mask in range(1 << MAX_VERTICES)])
        for vertices in range(2, MAX_VERTICES + 1):
            masks = np.zeros((1, 0), dtype=np.int64)
            for vertex in range(1, vertices):
                choices = np.arange(1, 1 << vertex)
                masks = np.column_stack((masks.repeat(len(choices), 0), np.tile(choices, len(masks))))
                masks = masks[bits[masks].sum(1) <= MAX_EDGES - (vertices - 1 - vertex)]
            used = np.bitwise_or.reduce(masks, axis=1)
            found.append(masks[used == (1 << vertices - 1) - 1])
        return found


def _limited(genes: Genes | None) -> Genes | None:
    """`genes` if they exist and keep the benchmark's limits."""
    if genes is None or len(genes) > 2 * MAX_VERTICES - 3 or edge_count(split(genes)[0]) > MAX_EDGES:
        return None
    return genes


def _padded(genes: Genes) -> list[tuple[int, int]]:
    """(mask, operation) of vertices 1 to 6 with the output in the last place and unused vertices before it."""
    masks, operations = split(genes)
    unused = [(0, 0)] * (MAX_VERTICES - 2 - len(operations))
    return [*zip(masks, operations, strict=False), *unused, (masks[-1], 0)]


def _edits(genes: Genes) -> list[tuple[str, int, int, int]]:
    """Every single edit: ("edge", source, target, _), ("operation", vertex, operation, _) or
    ("vertex", source, target, operation)."""
    masks, operations = split(genes)
    vertices = len(masks) + 1
    pairs = list(itertools.combinations(range(vertices), 2))
    edits = [("edge", source, target, 0) for source, target in pairs]
    for vertex, present in enumerate(operations, 1):
        edits.extend(("operation", vertex, other, 0) for other in range(len(OPERATIONS)) if other != present)
    if vertices < MAX_VERTICES:
        edits.extend(("vertex", *pair, operation) for pair in pairs for operation in range(len(OPERATIONS)))
    return edits


def _apply(genes: Genes, edit: tuple[str, int, int, int]) -> Genes | None:
    """The edited and pruned genes, or None where they would not be valid."""
    kind, first, second, operation = edit
    masks, operations = map(list, split(genes))
    if kind == "edge":
        masks[second - 1] ^= 1 << first
    elif kind == "operation":
        operations[first - 1] = second
    else:
        # The new vertex stands right after its source; what stood there moves up by one.
        new = first + 1
        below = (1 << new) - 1
        masks = [mask & below | (mask & ~below) << 1 for mask in masks]
        masks[second - 1] |= 1 << new
        masks.insert(first, 1 << first)
        operations.insert(first, operation)
    return _limited(prune(masks, operations))


nasbench101 = register(NasBench101())
