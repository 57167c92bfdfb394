"""Substitution costs: how many points two tokens earn when an alignment pairs them.

A cost model turns a vocabulary of V tokens into a table (V, V) of points. There are three: the published table of the
chain space, one rule for the tokens of any other space, and whatever the caller gives.

Ávila Pava, Groh, Kist, "Sequence Alignment-based Similarity Metric in Evolutionary Neural Architecture Search", 2024.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from untrained.architecture import Token
from untrained.errors import InputError

Floats = NDArray[np.float64]
CostModel: TypeAlias = Callable[[Sequence[Token]], Floats]


@dataclass(frozen=True, slots=True)
class Match:
    """The points of a pair of tokens: `score` less, for each named parameter, its `weights` times the difference."""

    score: float
    weights: Mapping[str, float]


Costs: TypeAlias = "Mapping[tuple[str, str], float | Match] | Callable[[Token, Token], float]"

PLACES = ("source", "target", "cell", "layer", "vertex")
"""Parameters that say where an operation sits, not what it does: the alignment compares places, the costs never do."""

# -- the published table of the chain space ------------------------------------------------------------------------

# Weights over ranges of the gene pool: filters 16..128, kernels 1..7 (3..7 in blocks), strides 1..2, pools 2..4,
# dropout rates 0..0.5, units 16..96.
_CONV = {"filters": 0.6 / 112, "kernel": 0.8 / 6, "stride": 0.6}
_DEPTHWISE = {"kernel": 1.2 / 6, "stride": 0.8}
_POOL = {"pool": 1.0 / 2}
_BLOCK = {"filters": 0.6 / 112, "kernel": 0.8 / 4, "stride": 0.6}

CHAIN: Mapping[tuple[str, str], Match] = {
    ("C", "C"): Match(3.0, _CONV),
    ("D", "D"): Match(3.0, _DEPTHWISE),
    ("C", "D"): Match(2.0, _DEPTHWISE),
    ("M", "M"): Match(3.0, _POOL),
    ("A", "A"): Match(3.0, _POOL),
    ("M", "A"): Match(2.0, _POOL),
    ("g", "g"): Match(1.5, {}),
    ("G", "G"): Match(1.5, {}),
    ("E", "E"): Match(1.5, {}),
    ("g", "G"): Match(0.5, {}),
    ("E", "g"): Match(0.5, {}),
    ("E", "G"): Match(0.5, {}),
    ("L", "L"): Match(1.0, {}),
    ("B", "B"): Match(2.0, {}),
    ("I", "I"): Match(2.0, {}),
    ("B", "I"): Match(1.0, {}),
    ("O", "O"): Match(2.0, {"rate": 2.0 / 0.5}),
    ("F", "F"): Match(3.0, {"units": 2.0 / 80}),
    ("R", "R"): Match(7.0, _BLOCK),
    ("T", "T"): Match(7.0, _BLOCK),
    ("r", "r"): Match(7.0, _BLOCK),
    ("t", "t"): Match(7.0, _BLOCK),
    ("R", "T"): Match(5.0, _BLOCK),
    ("R", "r"): Match(5.0, _BLOCK),
    ("T", "t"): Match(5.0, _BLOCK),
    ("r", "t"): Match(4.0, _BLOCK),
    ("R", "t"): Match(3.0, _BLOCK),
    ("T", "r"): Match(3.0, _BLOCK),
}
"""Points of the pairs of symbols that resemble each other, either way round."""

MISMATCH: Mapping[str, float] = {**dict.fromkeys("CDFRrTt", -2.0), **dict.fromkeys("MAgGELBIO", -1.0)}
"""Points of any other pair, by one of its symbols."""

_LEGACY: Mapping[tuple[str, str], Match] = {("g", "E"): Match(-1.0, {}), ("G", "E"): Match(-1.0, {})}
"""Ordered pairs that the published code scores by the mismatch of the first symbol although their reverse resembles."""


def chain(vocabulary: Sequence[Token]) -> Floats:
    """The published table of the chain space, made symmetric: flattening and global pooling resemble each other either
    way round, and a pair that does not match at all takes the lower mismatch of its two symbols."""
    return _published(vocabulary, legacy=False)


def chain_legacy(vocabulary: Sequence[Token]) -> Floats:
    """The table of the published code: a mismatch costs what the first symbol says, so rows and columns differ."""
    return _published(vocabulary, legacy=True)


def _published(vocabulary: Sequence[Token], *, legacy: bool) -> Floats:
    symbols = [token.symbol for token in vocabulary]
    unknown = sorted(set(symbols) - set(MISMATCH))
    if unknown:
        raise InputError(
            f"the published costs know the symbols {''.join(MISMATCH)}, not {', '.join(map(repr, unknown))}"
        )
    mismatch = np.array([MISMATCH[symbol] for symbol in symbols])
    table = np.empty((len(symbols), len(symbols)))
    table[:] = mismatch[:, None]
    if not legacy:
        np.minimum(table, mismatch, out=table)
    _fill(table, vocabulary, symbols, CHAIN)
    if legacy:
        for (first, second), match in _LEGACY.items():
            table[np.ix_(_where(symbols, first), _where(symbols, second))] = match.score
    return table


def _fill(
    table: Floats, vocabulary: Sequence[Token], names: Sequence[str], matches: Mapping[tuple[str, str], Match]
) -> None:
    """Write the points of all pairs of names that `matches` lists, both ways round."""
    members: dict[str, list[int]] = defaultdict(list)
    for index, name in enumerate(names):
        members[name].append(index)
    values = _values(vocabulary)
    missing = np.zeros(len(vocabulary))
    for (first, second), match in matches.items():
        if first not in members or second not in members:
            continue
        rows, columns = np.array(members[first]), np.array(members[second])
        points = np.full((rows.size, columns.size), match.score)
        for name, weight in match.weights.items():
            column = values.get(name, missing)
            points -= weight * np.abs(column[rows, None] - column[columns])
        table[rows[:, None], columns] = points
        table[columns[:, None], rows] = points.T


def _where(names: Sequence[str], name: str) -> list[int]:
    return [index for index, other in enumerate(names) if other == name]


def _values(vocabulary: Sequence[Token]) -> dict[str, Floats]:
    """The value of each parameter by token (V,); NaN where a token has none of that name."""
    values: dict[str, Floats] = {}
    for index, token in enumerate(vocabulary):
        for name, value in token.parameters:
            if name not in values:
                values[name] = np.full(len(vocabulary), np.nan)
            values[name][index] = value
    return values


# -- one rule for the tokens of any other space --------------------------------------------------------------------

FAMILIES: Sequence[tuple[str, str]] = (
    ("none", "nothing"),
    ("zero", "nothing"),
    ("skip", "identity"),
    ("identity", "identity"),
    ("edge", "identity"),
    ("global", "global pooling"),
    ("flatten", "global pooling"),
    ("pool", "pooling"),
    ("residual", "block"),
    ("bottleneck", "block"),
    ("block", "block"),
    ("conv", "convolution"),
    ("norm", "normalisation"),
    ("relu", "activation"),
    ("dropout", "dropout"),
    ("dense", "dense"),
    ("linear", "dense"),
)
"""(part of the name of a kind, family); the first that fits counts, and a kind that none fits is its own family."""

HEIGHTS: Mapping[str, tuple[float, float]] = {
    "block": (7.0, 5.0),
    "convolution": (3.0, 2.0),
    "pooling": (3.0, 2.0),
    "dense": (3.0, 2.0),
    "normalisation": (2.0, 1.0),
    "dropout": (2.0, 1.0),
    "global pooling": (1.5, 0.5),
    "activation": (1.0, 0.5),
    "identity": (1.0, 0.5),
    "nothing": (1.0, 0.5),
}
"""Points of two tokens of one kind, and of two kinds of one family: those of the published table."""

_OWN_FAMILY = (3.0, 2.0)
_STRANGERS = -2.0


@cache
def family(kind: str) -> str:
    """The family of a kind of operation, by the words in its name (:data:`FAMILIES`)."""
    return next((name for part, name in FAMILIES if part in kind.lower()), kind)


def general(vocabulary: Sequence[Token]) -> Floats:
    """The rule for tokens of any space: h (1 - 2/3 d) within a family, -2 between families.

    h is the higher of the family's two :data:`HEIGHTS` for tokens of one kind, else the lower. d in [0, 1] is the mean
    of |p - q| / max(|p|, |q|) over the parameters that both tokens have, 0 where they share none; places
    (:data:`PLACES`) do not count.
    """
    size = len(vocabulary)
    kinds = np.unique([token.kind for token in vocabulary], return_inverse=True)[1]
    families = [family(token.kind) for token in vocabulary]
    kin = np.unique(families, return_inverse=True)[1]
    heights = np.array([HEIGHTS.get(name, _OWN_FAMILY) for name in families]).reshape(size, 2)
    distance, shared = np.zeros((size, size)), np.zeros((size, size))
    for name, column in _values(vocabulary).items():
        if name in PLACES:
            continue
        largest = np.maximum(np.abs(column[:, None]), np.abs(column))
        relative = np.abs(column[:, None] - column) / np.where(largest > 0.0, largest, 1.0)
        both = np.isfinite(relative)
        shared += both
        distance += np.where(both, np.minimum(relative, 1.0), 0.0)
    height = np.where(kinds[:, None] == kinds, heights[:, :1], heights[:, 1:])
    points = height * (1.0 - 2.0 / 3.0 * distance / np.maximum(shared, 1.0))
    return np.where(kin[:, None] == kin, points, _STRANGERS)


# -- what the caller gives -----------------------------------------------------------------------------------------

PUBLISHED: Mapping[str, CostModel] = {"chain": chain}
"""Published tables by space; all other spaces use :func:`general`."""


def given(costs: Costs, default: CostModel) -> CostModel:
    """The cost model of a function of two tokens, or of points by pair of names laid over `default`.

    A function is asked about every ordered pair. The pairs of a mapping name symbols or kinds, in either order; its
    values are points, or a :class:`Match` where parameters should count; all other pairs keep their `default` points.

    Raises `InputError` for anything else, and (from the model) where the points of a pair exceed the mean of the two
    tokens' own, or own points are not positive: a token resembles nothing more than itself.
    """
    if isinstance(costs, Mapping):
        matches: dict[tuple[str, str], Match] = {}
        for pair, points in costs.items():
            if not (isinstance(pair, tuple) and len(pair) == 2 and all(isinstance(name, str) for name in pair)):
                raise InputError(f"costs are keyed by pairs of symbols or kinds, as ('C', 'D'), not by {pair!r}")
            if not isinstance(points, Match | float | int):
                raise InputError(f"the points of {pair} are a number or a Match, not {points!r}")
            matches[pair] = points if isinstance(points, Match) else Match(float(points), {})

        def model(vocabulary: Sequence[Token]) -> Floats:
            table = default(vocabulary)
            _fill(table, vocabulary, [token.symbol for token in vocabulary], matches)
            _fill(table, vocabulary, [token.kind for token in vocabulary], matches)
            return _checked(table, vocabulary)

        return model
    if not callable(costs):
        raise InputError(f"costs are a mapping of pairs to points or a function of two tokens, not {costs!r}")
    function = costs
    return lambda vocabulary: _checked(
        np.array([[function(a, b) for b in vocabulary] for a in vocabulary], float).reshape((len(vocabulary),) * 2),
        vocabulary,
    )


def _checked(table: Floats, vocabulary: Sequence[Token]) -> Floats:
    own = np.diagonal(table)
    wrong = ~np.isfinite(table) | (table > (own[:, None] + own) / 2 + 1e-12) | ~(own > 0.0)
    if wrong.any():
        i, j = map(int, np.argwhere(wrong)[0])
        raise InputError(
            f"costs give {vocabulary[i]} and {vocabulary[j]} {table[i, j]:g} points, and themselves {own[i]:g} and "
            f"{own[j]:g}; expected finite points, positive for a token with itself, and for a pair at most their mean"
        )
    return table
