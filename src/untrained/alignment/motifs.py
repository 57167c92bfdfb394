"""Motifs: which operations, and blocks of operations in a row, a group of architectures has more often than chance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from untrained.alignment.forms import Form, forms
from untrained.architecture import Architecture
from untrained.errors import InputError

Gene = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Motif:
    """A block of operations and how often it occurs; parameters do not count.

    symbols, kinds: its operations in order. count: members of the group that have it; occurrences: how often, in all of
    them together; total: members of the population that have it. frequency: count over the size of the group.
    enrichment: frequency over that of the population (1: as often as anywhere). p: the probability that a group drawn at
    random has it in at least `count` members (hypergeometric, Fisher's exact test); q: p adjusted for the number of
    motifs, the expected share of false ones among all with a q as small (Benjamini and Hochberg 1995).
    """

    symbols: str
    kinds: tuple[str, ...]
    count: int
    occurrences: int
    total: int
    frequency: float
    enrichment: float
    p: float
    q: float

    def __str__(self) -> str:
        return f"{self.symbols}: {self.frequency:.0%} of the group, {self.enrichment:.2f}x, q = {self.q:.2g}"


def motifs(
    group: Iterable[Architecture | str],
    population: Iterable[Architecture | str],
    *,
    lengths: Sequence[int] = (1, 2, 3),
) -> list[Motif]:
    """Every block of `lengths` operations of the population, most significant in the group first.

    In a sequence a block is contiguous; in a cell each operation directly feeds the next. The group is part of the
    population, repetitions included. Raises `InputError` if it is empty or is not, or a length is below 1.
    """
    if not lengths or any(length < 1 for length in lengths):
        raise InputError(f"motifs have a length of 1 or more, not {tuple(lengths)}")
    chosen, everyone = forms(group), forms(population)
    if not chosen:
        raise InputError("a group without members has no motifs; give at least one architecture")
    strangers = Counter(one.architecture for one in chosen) - Counter(one.architecture for one in everyone)
    if strangers:
        raise InputError(f"the group is no part of the population: {next(iter(strangers))} is missing there")
    counted = {one.architecture: Counter(_blocks(one, lengths)) for one in everyone}
    total = Counter(block for one in everyone for block in counted[one.architecture])
    count = Counter(block for one in chosen for block in counted[one.architecture])
    occurrences: Counter[tuple[Gene, ...]] = Counter()
    for one in chosen:
        occurrences.update(counted[one.architecture])
    blocks = sorted(total)
    p, q = _significance([count[block] for block in blocks], [total[block] for block in blocks], chosen, everyone)
    found = [
        Motif(
            symbols="".join(symbol for symbol, _ in block),
            kinds=tuple(kind for _, kind in block),
            count=count[block],
            occurrences=occurrences[block],
            total=total[block],
            frequency=count[block] / len(chosen),
            enrichment=count[block] / len(chosen) / (total[block] / len(everyone)),
            p=p[index],
            q=q[index],
        )
        for index, block in enumerate(blocks)
    ]
    return sorted(found, key=lambda motif: (motif.p, -motif.enrichment, len(motif.kinds), motif.symbols))


def _significance(
    count: Sequence[int], total: Sequence[int], group: Sequence[Form], population: Sequence[Form]
) -> tuple[list[float], list[float]]:
    from scipy.stats import false_discovery_control, hypergeom

    if not count:
        return [], []
    p = hypergeom.sf(np.array(count) - 1, len(population), np.array(total), len(group)).clip(0.0, 1.0)
    return p.tolist(), false_discovery_control(p).tolist()


def _blocks(form: Form, lengths: Sequence[int]) -> Iterator[tuple[Gene, ...]]:
    """All blocks of a form, as often as they occur."""
    genes = [(token.symbol, token.kind) for token in form.tokens]
    following: list[list[int]] = [[i + 1] for i in range(len(genes) - 1)] + [[] for _ in genes[-1:]]
    if form.cells is not None:
        following = [[] for _ in genes]
        for cell in form.cells:
            after = cell.order > 0
            direct = after & ~((after.astype(int) @ after.astype(int)) > 0)
            for i, j in np.argwhere(direct).tolist():
                following[cell.start + i].append(cell.start + j)
    paths = [[i] for i in range(len(genes))]
    for length in range(1, max(lengths) + 1):
        if length in lengths:
            yield from (tuple(genes[i] for i in path) for path in paths)
        paths = [[*path, after] for path in paths for after in following[path[-1]]]
