"""The chain-structured space: a sequence of layers and ResNet blocks, one pooling gene, a small dense part.

Ávila Pava, Groh, Kist, "Sequence Alignment-based Similarity Metric in Evolutionary Neural Architecture Search", 2024.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, final

import numpy as np

from untrained.architecture import Architecture, Token
from untrained.errors import ArchitectureError, InputError
from untrained.spaces.chain_genes import (
    END,
    FOLLOWS,
    LAYER,
    POOLING,
    RANGE,
    REDRAW,
    START,
    SYMBOL,
    TEXTS,
    VOCABULARY,
    label,
    published_gene,
    read_gene,
    variants,
)
from untrained.spaces.chain_rules import (
    Limits,
    count,
    droppable,
    insertable,
    known,
    pooling_place,
    simplify,
    top,
    valid,
    violations,
)
from untrained.spaces.diagram import Diagram, Node
from untrained.spaces.space import Skeleton, Space, register

if TYPE_CHECKING:
    from torch import nn


@final
class Chain(Space):
    """Chain-structured networks of convolutions, pooling, normalisation and ResNet blocks (alignment paper).

    An architecture has 1..20 feature genes, one pooling gene and 0..2 dense genes, each an index into
    `chain_genes.VOCABULARY`; `chain_genes.FOLLOWS` says what may come next. Skeleton: `channels` is the unit of width;
    a gene of f filters or units makes f/16 * channels of them, rounded down.

    limits: other numbers of genes. rate: the probability that mutation edits a gene (the published code compares with
    <=, so its 20 % are 0.21). legacy: the limits of the published code, whose operators keep to none (chromosomes with
    38 feature genes and with 4 dense genes were published), so architectures may grow without end.
    """

    name = "chain"
    paper = "avilapava2024alignment"
    grammar = (
        "genes joined by '-': C<filters>k<kernel>s<stride>, Dk<kernel>s<stride>, B, I, L, M<pool>, A<pool>, "
        "{R,r,T,t}<filters>k<kernel>s<stride> (r, t: no skip); g, G or E; O<rate>, F<units>; as C64k3s2-B-L-M2-g-F32"
    )
    skeletons: ClassVar = {"chain": Skeleton(channels=16), "proxy": Skeleton(channels=4)}

    def __init__(self, limits: Limits | None = None, *, rate: float = 0.2, legacy: bool = False) -> None:
        if legacy and limits is not None:
            raise InputError("legacy=True sets the limits itself; pass one of the two")
        self.limits = Limits(features=(1, None), dense=(0, None)) if legacy else limits or Limits()
        self.rate = _probability(rate)

    @property
    def size(self) -> int | None:  # type: ignore[override]
        """How many architectures are valid, counted exactly; None where `limits` are open."""
        return count(self.limits)

    def sample(self, rng: np.random.Generator) -> Architecture:
        """The numbers of feature and dense genes, the symbol of each next gene and its parameters, all drawn uniformly
        from what is allowed: the published distribution, which is not uniform over architectures."""
        features = int(rng.integers(*self.limits.sampled_features, endpoint=True))
        dense = int(rng.integers(*self.limits.sampled_dense, endpoint=True))
        draws = iter(rng.random(2 * (features + 1 + dense)).tolist())
        genes: list[int] = []
        before = START
        for place in range(features + 1 + dense):
            symbols = POOLING if place == features else FOLLOWS[before].rstrip(POOLING + END)
            before = symbols[int(next(draws) * len(symbols))]
            genes.append(RANGE[before][int(next(draws) * len(RANGE[before]))])
        return Architecture(self.name, tuple(genes))

    def mutate(
        self, architecture: Architecture, rng: np.random.Generator, *, rate: float | None = None
    ) -> Architecture:
        """A walk along the chain that drops, inserts behind or redraws each gene with probability `rate` (None: that of
        the space), the three equally likely; an edit that is not allowed is left out.

        As published but for this: no edit breaks a rule or a limit; the pooling gene is redrawn from g, G and E; if the
        walk changed nothing, single edits are tried at random places until one does.
        """
        genes = list(self.validate(architecture).genes)
        chance = self.rate if rate is None else _probability(rate)
        edited = genes.copy()
        place = -1  # the implicit first gene, behind which a gene can be inserted
        for hit in (rng.random(len(genes) + 1) < chance).tolist():
            place = self._edit(edited, place, rng) if hit else place + 1
        return self.edit(architecture, rng) if edited == genes else Architecture(self.name, tuple(edited))

    def edit(self, architecture: Architecture, rng: np.random.Generator) -> Architecture:
        """A drop, an insertion or a redraw at a random place."""
        genes = list(self.validate(architecture).genes)
        edited = genes.copy()
        while edited == genes:
            self._edit(edited, int(rng.random() * (len(genes) + 1)) - 1, rng)
        return Architecture(self.name, tuple(edited))

    def _edit(self, genes: list[int], place: int, rng: np.random.Generator) -> int:
        """Try one edit of `genes[place]` (-1: the implicit first gene), in place; where the next old gene is then."""
        operation = _drawn(("drop", "insert", "redraw"), rng)
        if operation == "insert":
            symbols = insertable(genes, place + 1, self.limits)
            if symbols:
                genes.insert(place + 1, _drawn(RANGE[_drawn(symbols, rng)], rng))
                return place + 2
        elif place >= 0 and operation == "redraw":
            genes[place] = _drawn(REDRAW[SYMBOL[genes[place]]], rng)
        elif place >= 0 and droppable(genes, place, self.limits):
            del genes[place]
            return place
        return place + 1

    def crossover(self, a: Architecture, b: Architecture, rng: np.random.Generator) -> Architecture:
        """The first features of `a`, the last features of `b`, and the pooling and dense part of one of them.

        As published: one cut in each parent, behind its first C or D gene at the earliest, drawn uniformly from all
        pairs of cuts whose child is valid; the tail of either parent with probability one half. Beyond it: parents
        without C and D are cut anywhere; and if no pair of cuts is valid, the child is `a` with the tail of `b`.
        """
        mother, father = self.validate(a).genes, self.validate(b).genes
        end_a, end_b = pooling_place(mother), pooling_place(father)
        cuts = _cuts(mother, father, self.limits)
        if not cuts:
            return Architecture(self.name, mother[:end_a] + father[end_b:])
        i, j = _drawn(cuts, rng)
        tail = mother[end_a:] if rng.random() < 0.5 else father[end_b:]
        return Architecture(self.name, mother[:i] + father[j:end_b] + tail)

    def neighbours(self, architecture: Architecture) -> Iterator[Architecture]:
        """Place by place: every gene that can be inserted, the drop of the gene, every change of one of its parameters
        (of the pooling gene: of its kind). A neighbour's neighbours include `architecture`."""
        genes = self.validate(architecture).genes
        for place in range(len(genes) + 1):
            # Beside an equal gene, an insertion or a drop gives the same on either side: only the left one counts.
            left = genes[place - 1] if place else None
            for symbol in insertable(genes, place, self.limits):
                for gene in RANGE[symbol]:
                    if gene != left:
                        yield Architecture(self.name, (*genes[:place], gene, *genes[place:]))
            if place == len(genes):
                return
            if genes[place] != left and droppable(genes, place, self.limits):
                yield Architecture(self.name, genes[:place] + genes[place + 1 :])
            for gene in variants(genes[place]):
                yield Architecture(self.name, (*genes[:place], gene, *genes[place + 1 :]))

    def canonical(self, architecture: Architecture) -> Architecture:
        """What computes the same with fewer genes, as far as that is certain for all weights and image sizes.

        Left out are dropout of rate 0, a ReLU of values that are not negative (those of a ReLU or a block, pooled or
        not) and max-pooling right before global max-pooling; a ReLU comes before max-pooling. Steps that would break a
        rule or a limit are not taken.
        """
        genes = list(self._known(architecture))
        while simplify(genes, self.limits):
            pass
        return Architecture(self.name, tuple(genes))

    def violations(self, architecture: Architecture) -> tuple[str, ...]:
        """Every rule that `architecture` breaks, in words; empty for a valid one."""
        return tuple(problem for _, problem in violations(self._known(architecture), self.limits))

    def validate(self, architecture: Architecture) -> Architecture:
        if not valid(self._known(architecture), self.limits):
            problems, text = self.violations(architecture), self.format(architecture)
            raise ArchitectureError(f"{text!r} is no architecture of {self.name}: {'; '.join(problems)}")
        return architecture

    def parse(self, text: str, *, strict: bool = True) -> Architecture:
        """The inverse of :meth:`format`. `strict=False` reads any sequence of genes, whatever rule it breaks."""
        genes: list[int] = []
        columns = [0]
        for item in text.split("-"):
            genes.append(read_gene(text, item, columns[-1], self.grammar))
            columns.append(columns[-1] + len(item) + 1)
        if strict:
            for place, problem in violations(genes, self.limits):
                raise ArchitectureError.at(text, min(columns[place], len(text)), problem, self.grammar)
        return Architecture(self.name, tuple(genes))

    def read(self, text: str) -> Architecture:
        return self.parse(text, strict=False)

    def format(self, architecture: Architecture) -> str:
        return "-".join(TEXTS[gene] for gene in self._known(architecture))

    def from_chromosome(self, chromosome: Sequence[Mapping[str, Any]], *, strict: bool = True) -> Architecture:
        """The architecture of a published chromosome: a list of JSON objects, with or without the rescaling in front.

        Raises `ArchitectureError` for an object that is no gene of this space and, unless `strict` is false, for
        broken rules: some published individuals break them, :meth:`violations` says which.
        """
        first = chromosome[0] if chromosome else {}
        rescaled = isinstance(first, Mapping) and first.get("layer") == "Rescaling"
        genes = [published_gene(place, gene) for place, gene in enumerate(chromosome) if place or not rescaled]
        architecture = Architecture(self.name, tuple(genes))
        return self.validate(architecture) if strict else architecture

    def tokens(self, architecture: Architecture) -> tuple[Token, ...]:
        """The entries of the vocabulary. Symbols are the paper's, with r and t for blocks without skip (code)."""
        return tuple(VOCABULARY[gene] for gene in self._known(architecture))

    def draw(self, architecture: Architecture) -> Diagram:
        layers = [Node(label(gene), LAYER[gene].colour) for gene in self._known(architecture)]
        return Diagram.chain([Node("in", "input"), *layers, Node("out", "output")], title=self.format(architecture))

    def _network(self, architecture: Architecture, num_classes: int, in_chans: int, skeleton: Skeleton) -> nn.Module:
        from untrained.spaces.networks.chain import ChainNetwork

        return ChainNetwork(self.tokens(architecture), num_classes, in_chans, skeleton.channels)

    def _known(self, architecture: Architecture) -> tuple[int, ...]:
        genes = self._own(architecture)
        if not known(genes):
            raise ArchitectureError(f"genes of {self.name} are integers in 0..{len(VOCABULARY) - 1}, not {genes}")
        return genes


def _probability(rate: float) -> float:
    if not 0.0 <= rate <= 1.0:
        raise InputError(f"a mutation rate is a probability in [0, 1], not {rate}")
    return rate


def _drawn(choice: Sequence[Any], rng: np.random.Generator) -> Any:
    return choice[int(rng.random() * len(choice))]


@lru_cache(64)  # a breeding crosses the same few parents again and again
def _cuts(mother: tuple[int, ...], father: tuple[int, ...], limits: Limits) -> list[tuple[int, int]]:
    """(i, j) for which the first i genes of the mother and those of the father from j on make a valid child."""
    end_a, end_b = pooling_place(mother), pooling_place(father)
    fewest, most = limits.features[0], top(limits.features)
    return [
        (i, j)
        for i in range(_first_cut(mother), end_a + 1)
        for j in range(_first_cut(father), end_b)
        if SYMBOL[father[j]] in FOLLOWS[SYMBOL[mother[i - 1]]] and fewest <= i + end_b - j <= most
    ]


def _first_cut(genes: Sequence[int]) -> int:
    """The first place at which crossover may cut: behind the first C or D gene, or behind the first gene."""
    return 1 + next((place for place, gene in enumerate(genes) if SYMBOL[gene] in "CD"), 0)


chain = register(Chain())
