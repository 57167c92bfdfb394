"""TransNAS-Bench-101: a cell space and a macro space whose networks serve seven vision tasks.

Duan et al., "TransNAS-Bench-101: Improving Transferability and Generalizability of Cross-Task Neural Architecture
Search", CVPR 2021.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from untrained.architecture import Architecture, Token
from untrained.errors import ArchitectureError, UnknownNameError
from untrained.spaces.diagram import Diagram, Node
from untrained.spaces.four_nodes import EDGES, FourNodes
from untrained.spaces.space import Skeleton, Space, register

if TYPE_CHECKING:
    from torch import nn

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3")
MICRO_STAGES = ((2, 2), (1, 1), (2, 2), (1, 1), (2, 2))
"""The (width, stride) factors of the stages around a cell, digits 41414."""
HEADS = ("classification", "segmentation", "normal", "autoencoder", "jigsaw")
"""What the skeleton's `head` may be; see `networks.transnas`."""

_COST = (0, 1, 10, 100)
_PREFIX = "64-"
_CELL = ("41414-", "_", "", "_", "", "", "")
"""What stands before each operation of a cell, and after the last."""
_SKELETONS = {"transnas": Skeleton(channels=64, cells=2), "proxy": Skeleton(channels=8, cells=1)}

Genes = tuple[int, ...]


def widens(stage: int) -> bool:
    """Whether a stage, 0..3 for the digits 1..4, doubles the width: digits 2 and 4."""
    return stage % 2 == 1


def strides(stage: int) -> bool:
    """Whether a stage, 0..3 for the digits 1..4, halves the image: digits 3 and 4."""
    return stage >= 2


def _checked(skeleton: Skeleton) -> Skeleton:
    if skeleton.head not in HEADS:
        raise UnknownNameError("transnas head", skeleton.head, HEADS)
    return skeleton


@final
class TransNasMicro(FourNodes):
    """TransNAS-Bench-101, cells: 4,096 of four operations on six edges, in stages 41414.

    Three of the five stages halve the image and double the width in their first cell; there only the edges that leave
    the input node carry the change, and a skip is a factorised reduction. Skeleton: `channels` after the stem (64
    published), `cells` of each stage (2), `head` one of classification, segmentation, normal, autoencoder, jigsaw.
    The stem and the stages shrink the image to 1/32, rounded up, so that any size will do.
    """

    name = "transnas-micro"
    paper = "duan2021transnas"
    grammar = "64-41414-a_bc_def with digits 0 (none), 1 (skip), 2 (1x1), 3 (3x3): edges into node 1, 2 and 3"
    operations = OPERATIONS
    choices = len(OPERATIONS)
    symbols = "01cC"
    kinds = ("other", "skip", "conv", "conv")
    size = len(OPERATIONS) ** len(EDGES)
    skeletons: ClassVar = _SKELETONS

    def canonical(self, architecture: Architecture) -> Architecture:
        """The member with the least to compute among all cells that are the same graph of operations.

        Zeros and what only they feed are dropped, skips between inner nodes are contracted. Skips that leave the input
        count as operations: in strided cells they have weights. Two operations of one kind stay apart from one whose
        result is used twice.
        """
        return self._representatives[self._own(architecture)]

    def is_connected(self, architecture: Architecture) -> bool:
        """Whether any path leads from the input to the output of the cell."""
        return bool(_function(self._own(architecture)))

    def parse(self, text: str) -> Architecture:
        column = _expect(text, 0, _PREFIX + _CELL[0], self.grammar)
        genes: list[int] = []
        for after in _CELL[1:]:
            digit = text[column : column + 1]
            if not digit or digit not in "0123":
                raise ArchitectureError.at(text, column, "no operation 0, 1, 2 or 3", self.grammar)
            genes.append(int(digit))
            column = _expect(text, column + 1, after, self.grammar)
        if column != len(text):
            raise ArchitectureError.at(text, column, "text after the last operation", self.grammar)
        return Architecture(self.name, tuple(genes))

    def format(self, architecture: Architecture) -> str:
        return _PREFIX + "".join(
            f"{before}{digit}" for before, digit in zip(_CELL, (*self._own(architecture), ""), strict=True)
        )

    def _network(self, architecture: Architecture, num_classes: int, in_chans: int, skeleton: Skeleton) -> nn.Module:
        _checked(skeleton)
        from untrained.spaces.networks.transnas import TransNasNetwork, micro_cell

        return TransNasNetwork(micro_cell(self.chosen(architecture)), MICRO_STAGES, num_classes, in_chans, skeleton)

    @cached_property
    def _representatives(self) -> dict[Genes, Architecture]:
        functions = {architecture: _function(architecture.genes) for architecture in self}
        least: dict[str, Architecture] = {}
        for architecture in sorted(functions, key=lambda a: (sum(_COST[gene] for gene in a.genes), a.genes)):
            least.setdefault(functions[architecture], architecture)
        return {architecture.genes: least[function] for architecture, function in functions.items()}


@final
class TransNasMacro(Space):
    """TransNAS-Bench-101, macro: 3,256 rows of four to six residual stages that may widen and stride.

    A gene is 0..3 for the digits 1..4: 2 and 4 double the width, 3 and 4 halve the image. One to three stages widen,
    one to four stride. Skeleton: `channels` after the stem (64 published), `cells` residual blocks of each stage (2),
    `head` one of classification, segmentation, normal, autoencoder, jigsaw. Sizes are rounded up: any image will do.
    """

    name = "transnas-macro"
    paper = "duan2021transnas"
    grammar = "64-<4 to 6 digits>-basic: 1 plain, 2 wider, 3 strided, 4 both; 1 to 3 are even, 1 to 4 are 3 or 4"
    size = 3256
    skeletons: ClassVar = _SKELETONS

    def sample(self, rng: np.random.Generator) -> Architecture:
        """Uniform over all 3,256, so short rows are rare."""
        return self._all[int(rng.integers(len(self._all)))]

    def mutate(self, architecture: Architecture, rng: np.random.Generator) -> Architecture:
        """One of the neighbours, uniformly."""
        near = list(self.neighbours(architecture))
        return near[int(rng.integers(len(near)))]

    def crossover(self, a: Architecture, b: Architecture, rng: np.random.Generator) -> Architecture:
        """The first stages of `a` and the last of `b`: two cut points, uniformly among those that give a valid row that
        differs from both parents (among all valid ones where none does)."""
        mother, father = self._own(a), self._own(b)
        cuts = itertools.product(range(1, len(mother) + 1), range(1, len(father) + 1))
        children = [mother[:i] + father[j:] for i, j in cuts if _valid(mother[:i] + father[j:])]
        fresh = [child for child in children if child not in (mother, father)]
        choice = fresh or children
        return Architecture(self.name, choice[int(rng.integers(len(choice)))])

    def neighbours(self, architecture: Architecture) -> Iterator[Architecture]:
        """One stage changed, then one left out, then one put in; valid rows only."""
        genes = self._own(architecture)
        changed = ((*genes[:i], s, *genes[i + 1 :]) for i in range(len(genes)) for s in range(4))
        shorter = (genes[:i] + genes[i + 1 :] for i in range(len(genes)))
        longer = ((*genes[:i], s, *genes[i:]) for i in range(len(genes) + 1) for s in range(4))
        for other in dict.fromkeys(itertools.chain(changed, shorter, longer)):
            if other != genes and _valid(other):
                yield Architecture(self.name, other)

    def validate(self, architecture: Architecture) -> Architecture:
        genes = self._own(architecture)
        if any(type(gene) is not int or not 0 <= gene < 4 for gene in genes) or not _valid(genes):
            raise ArchitectureError(
                f"{self.name} takes 4 to 6 genes in 0..3, of which 1 to 3 are odd (wider) and 1 to 4 are 2 or 3 "
                f"(strided), not {genes}"
            )
        return architecture

    def parse(self, text: str) -> Architecture:
        start = column = _expect(text, 0, _PREFIX, self.grammar)
        while text[column : column + 1] and text[column] in "1234":
            column += 1
        genes = tuple(int(digit) - 1 for digit in text[start:column])
        if not _valid(genes):
            problem = f"{len(genes)} stages, {sum(map(widens, genes))} wider and {sum(map(strides, genes))} strided,"
            raise ArchitectureError.at(text, column, problem, self.grammar)
        column = _expect(text, column, "-basic", self.grammar)
        if column != len(text):
            raise ArchitectureError.at(text, column, "text after 'basic'", self.grammar)
        return Architecture(self.name, genes)

    def format(self, architecture: Architecture) -> str:
        return f"{_PREFIX}{''.join(str(gene + 1) for gene in self._own(architecture))}-basic"

    def tokens(self, architecture: Architecture) -> tuple[Token, ...]:
        """`width` and `stride` are factors."""
        return tuple(
            Token(str(gene + 1), "stage", (("width", 1 + widens(gene)), ("stride", 1 + strides(gene))))
            for gene in self._own(architecture)
        )

    def draw(self, architecture: Architecture) -> Diagram:
        labels = (
            f"stage{', x2 wide' if widens(gene) else ''}{', /2' if strides(gene) else ''}"
            for gene in self._own(architecture)
        )
        nodes = (Node("in", "input"), Node("stem, /4", "conv"), *(Node(label, "block") for label in labels))
        return Diagram.chain((*nodes, Node("out", "output")), title=self.format(architecture))

    def _network(self, architecture: Architecture, num_classes: int, in_chans: int, skeleton: Skeleton) -> nn.Module:
        _checked(skeleton)
        from untrained.nn.basic_block import BasicBlock
        from untrained.spaces.networks.transnas import TransNasNetwork

        stages = [(1 + widens(gene), 1 + strides(gene)) for gene in architecture.genes]
        return TransNasNetwork(BasicBlock, stages, num_classes, in_chans, skeleton)

    def __iter__(self) -> Iterator[Architecture]:
        """All architectures, short ones first, in lexicographic order."""
        return iter(self._all)

    @cached_property
    def _all(self) -> list[Architecture]:
        rows = itertools.chain.from_iterable(itertools.product(range(4), repeat=length) for length in (4, 5, 6))
        return [Architecture(self.name, row) for row in rows if _valid(row)]


def _valid(stages: Genes) -> bool:
    """The counting rule of the macro space."""
    return len(stages) in (4, 5, 6) and 1 <= sum(map(widens, stages)) <= 3 and 1 <= sum(map(strides, stages)) <= 4


def _expect(text: str, column: int, fixed: str, grammar: str) -> int:
    """The column after `fixed`, which must stand at `column`."""
    for offset, character in enumerate(fixed):
        if text[column + offset : column + offset + 1] != character:
            raise ArchitectureError.at(text, column + offset, f"{fixed!r} is expected", grammar)
    return column + len(fixed)


def _function(genes: Genes) -> str:
    """What a cell computes: the sum that reaches node 3, written recursively; empty if nothing does.

    The result of node 1 can be used twice, beside and through node 2 (no other can): then its operation is marked, so
    that it is told from two of one kind.
    """
    shared = 0 not in (genes[2], genes[4], genes[5])
    sums: list[list[str]] = [["x"], [], [], []]
    for edge, ((source, target), operation) in enumerate(zip(EDGES, genes, strict=True)):
        if operation == 0 or not sums[source]:
            continue
        if operation == 1 and source:
            sums[target].extend(sums[source])
        else:
            mark = "*" if shared and edge == 0 else ""
            sums[target].append(f"{operation}{mark}({'+'.join(sorted(sums[source]))})")
    return "+".join(sorted(sums[3]))


transnas_micro = register(TransNasMicro())
transnas_macro = register(TransNasMacro())
