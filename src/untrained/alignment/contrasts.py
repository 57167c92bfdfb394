"""Contrasts: very similar architectures of very different fitness, the edits between them, and what these edits do
elsewhere in the same study."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from untrained.alignment.alignment import Alignment, Edit, best_pairs
from untrained.alignment.costs import Costs
from untrained.alignment.forms import forms, one_space
from untrained.alignment.matrix import Lexicon, matrix
from untrained.alignment.scheme import GAP, scheme
from untrained.architecture import Architecture
from untrained.errors import InputError


@dataclass(frozen=True, slots=True)
class Effect:
    """What one change did wherever it was made: `pairs` similar pairs differ by it, it made `hurts` of them worse and
    `helps` better, and the fitness changed by `mean` on average (negative: worse). Where a pair differs by several
    changes, each of them is charged with the whole difference."""

    change: str
    pairs: int
    hurts: int
    helps: int
    mean: float

    def __str__(self) -> str:
        return f"{self.change}: hurts {self.hurts} of {self.pairs} pairs, mean {self.mean:+.3g}"


@dataclass(frozen=True, slots=True)
class Contrast:
    """Two similar architectures: `difference` > 0 is what the better is ahead in fitness, `alignment` leads from the
    better to the worse, and `effects` are those of its changes in the whole study, most harmful first."""

    better: Architecture
    worse: Architecture
    similarity: float
    difference: float
    alignment: Alignment
    effects: tuple[Effect, ...]

    def __str__(self) -> str:
        head = f"{self.better}\n{self.worse}\n{self.difference:+.4g} for the first at similarity {self.similarity:.3f}"
        return "\n".join((head, str(self.alignment), *(f"  {effect}" for effect in self.effects)))


@dataclass(frozen=True, slots=True)
class _Pair:
    """Two similar architectures of a study, by number, and the alignment that leads from the first to the second."""

    first: int
    second: int
    alignment: Alignment


def contrasts(
    architectures: Iterable[Architecture | str],
    fitness: Sequence[float],
    *,
    similarity: float = 0.9,
    count: int = 10,
    better: Literal["higher", "lower"] = "higher",
    costs: Costs | None = None,
    gap: float | tuple[float, float] = GAP,
) -> list[Contrast]:
    """The `count` pairs of a study that differ most in fitness among all that are at least `similarity` alike.

    fitness: one value an architecture; non-finite ones are left out, and those of equal architectures (for cells:
    identical networks) are averaged. costs, gap: as in :func:`untrained.alignment.similarity`. All similar pairs are
    aligned, for the effects. Raises `InputError` for lengths that differ.
    """
    if count < 0:
        raise InputError(f"count is a number of contrasts, not {count}")
    members, values, pairs = _study(architectures, fitness, similarity, better, costs, gap)
    known = {effect.change: effect for effect in _effects(values, pairs)}
    pairs.sort(key=lambda pair: -abs(values[pair.first] - values[pair.second]))
    found = []
    for pair in pairs[:count]:
        difference = values[pair.first] - values[pair.second]
        if difference == 0.0:
            break
        first, second, alignment = pair.first, pair.second, pair.alignment
        if difference < 0.0:
            first, second, alignment = second, first, alignment.reversed()
        changes = {change for edit in alignment.edits for change in _changes(edit)}
        effects = sorted((known[change] for change in changes), key=lambda effect: (effect.mean, effect.change))
        found.append(
            Contrast(members[first], members[second], alignment.similarity, abs(difference), alignment, tuple(effects))
        )
    return found


def effects(
    architectures: Iterable[Architecture | str],
    fitness: Sequence[float],
    *,
    similarity: float = 0.9,
    better: Literal["higher", "lower"] = "higher",
    costs: Costs | None = None,
    gap: float | tuple[float, float] = GAP,
) -> list[Effect]:
    """What each change between similar architectures of a study does, most harmful on average first; arguments as in
    :func:`contrasts`. Every pair is read both ways, so a change and its reverse mirror each other."""
    _, values, pairs = _study(architectures, fitness, similarity, better, costs, gap)
    return _effects(values, pairs)


def _study(
    architectures: Iterable[Architecture | str],
    fitness: Sequence[float],
    similarity: float,
    better: str,
    costs: Costs | None,
    gap: float | tuple[float, float],
) -> tuple[list[Architecture], list[float], list[_Pair]]:
    """The distinct architectures, their mean fitness (higher is better) and the alignments of all similar pairs."""
    if better not in ("higher", "lower"):
        raise InputError(f"better is 'higher' or 'lower', not {better!r}")
    listed = forms(architectures)
    if len(listed) != len(fitness):
        raise InputError(f"{len(listed)} architectures need as many values of fitness, not {len(fitness)}")
    observed: dict[Architecture, list[float]] = defaultdict(list)
    distinct = {}
    for one, value in zip(listed, fitness, strict=True):
        if math.isfinite(value):
            observed[one.architecture].append(float(value))
            distinct[one.architecture] = one
    members = list(distinct.values())
    sign = 1.0 if better == "higher" else -1.0
    values = [sign * sum(observed[one.architecture]) / len(observed[one.architecture]) for one in members]
    if not members:
        return [], [], []
    found = scheme(one_space(members), costs, gap, legacy=False)
    lexicon = Lexicon(found.model)
    similarities = matrix(members, found, lexicon=lexicon)
    tokens, starts = lexicon.read([one.tokens for one in members])
    rows = [tokens[start:end] for start, end in itertools.pairwise(starts.tolist())]
    pairs = []
    for i, j in np.argwhere(np.triu(similarities >= similarity, 1)).tolist():
        columns, score = best_pairs(members[i], members[j], rows[i], rows[j], lexicon.table, found)
        pairs.append(_Pair(i, j, Alignment(columns, score, float(similarities[i, j]))))
    return [one.architecture for one in members], values, pairs


def _effects(values: Sequence[float], pairs: Sequence[_Pair]) -> list[Effect]:
    differences: dict[str, list[float]] = defaultdict(list)
    for pair in pairs:
        gained = values[pair.second] - values[pair.first]
        for alignment, sign in ((pair.alignment, 1.0), (pair.alignment.reversed(), -1.0)):
            for change in {change for edit in alignment.edits for change in _changes(edit)}:
                differences[change].append(sign * gained)
    found = [
        Effect(change, len(seen), sum(d < 0.0 for d in seen), sum(d > 0.0 for d in seen), sum(seen) / len(seen))
        for change, seen in differences.items()
    ]
    return sorted(found, key=lambda effect: (effect.mean, effect.change))


def _changes(edit: Edit) -> Iterator[str]:
    """What an edit changes, without the values of parameters: an operation more, less or another, a parameter up or
    down."""
    if edit.before is None or edit.after is None:
        token = edit.before or edit.after
        yield f"{'-' if edit.after is None else '+'} {token.kind if token else ''}"
    elif edit.before.kind != edit.after.kind:
        yield f"{edit.before.kind} -> {edit.after.kind}"
    else:
        for name, value in edit.before.parameters:
            after = edit.after.get(name)
            if after is not None and after != value:
                yield f"{edit.before.kind} {name} {'up' if after > value else 'down'}"
