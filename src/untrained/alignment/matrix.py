"""Similarity: the score of the best alignment, normalised so that 1 says identical.

    similarity(A, B) = (phi(A, B) - phi_min) / (phi_max - phi_min)

    phi      points of paired tokens plus gap penalties, in the best alignment
    phi_max  the greater of phi(A, A) and phi(B, B): the sums of the points of tokens with themselves
    phi_min  a gap as long as the longer one

Sequences are aligned globally (Needleman and Wunsch 1970). The operations of a cell are only partially ordered, so
cells are *matched*: a pairing may use any operations of both as long as one comes before another in one cell exactly if
it does in the other; every unpaired operation costs a gap, and every two paired operations that share an input or an
output node in one cell only cost `TIE`. In a chain of operations the order is total and nothing is shared: there the
best matching is the best alignment.

For any costs that give a pair at most the mean of the two tokens' own points, phi(A, B) <= phi_max, hence similarity
<= 1; if strictly less for different tokens, similarity is 1 for identical architectures only: the same sequences, or
cells whose canonical forms are isomorphic. Values below 0 (the worst alignment is two gaps long, not one) become 0.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from untrained.alignment.costs import CostModel
from untrained.alignment.forms import Form
from untrained.alignment.scheme import TIE, Scheme
from untrained.architecture import Token
from untrained.errors import InputError

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


class Lexicon:
    """Numbers of the tokens met so far, and what each pair of them is worth (V, V): it grows as new ones are met, so that
    comparing again costs no new table."""

    def __init__(self, model: CostModel) -> None:
        self.table: Floats = np.zeros((0, 0))
        self._model = model
        self._numbers: dict[Token, int] = {}

    @property
    def vocabulary(self) -> list[Token]:
        """The tokens, in the order of the table."""
        return list(self._numbers)

    def read(self, sequences: Sequence[Sequence[Token]]) -> tuple[Integers, Integers]:
        """All tokens as rows of the table, and where each sequence starts and the last one ends."""
        numbers, starts = self._numbers, np.cumsum([0, *map(len, sequences)], dtype=np.int64)
        try:
            flat = [numbers[token] for sequence in sequences for token in sequence]
        except KeyError:
            numbers = dict(numbers)
            flat = [numbers.setdefault(token, len(numbers)) for sequence in sequences for token in sequence]
            # Kept only once the model has not refused a token.
            self.table, self._numbers = np.ascontiguousarray(self._model(list(numbers))), numbers
        return np.array(flat, np.int64), starts


def matrix(members: Sequence[Form], scheme: Scheme, *, known: int = 0, lexicon: Lexicon | None = None) -> Floats:
    """Similarities of all pairs of forms (n, n). Those among the first `known` are not computed and mean nothing.

    lexicon: one made for the model of this scheme, to go on with."""
    lexicon = lexicon or Lexicon(scheme.model)
    tokens, starts = lexicon.read([member.tokens for member in members])
    table = lexicon.table
    if members and members[0].cells is not None:
        return _normalised(_matched(members, scheme, table, tokens, starts, known), table, tokens, starts, scheme)
    return aligned(table, tokens, starts, scheme, known=known)


def aligned(table: Floats, tokens: Integers, starts: Integers, scheme: Scheme, *, known: int = 0) -> Floats:
    """Similarities (n, n) of sequences `tokens[starts[i]:starts[i + 1]]` of indices into the rows of `table` (V, V)."""
    from untrained.alignment import kernels

    totals = np.zeros((starts.size - 1, starts.size - 1))
    both = not np.array_equal(table, table.T)
    if scheme.linear:
        kernels.linear(tokens, starts, _profits(table, scheme), known, both, totals)
        totals = _scores(totals, np.diff(starts), scheme)
    else:
        kernels.affine(tokens, starts, table, scheme.opening, scheme.extending, known, both, totals)
    return _normalised(totals, table, tokens, starts, scheme)


def _matched(
    members: Sequence[Form], scheme: Scheme, table: Floats, tokens: Integers, starts: Integers, known: int
) -> Floats:
    """Points of the best matchings of all pairs of architectures made of cells (n, n)."""
    from untrained.alignment import kernels

    if not scheme.linear:
        # Those left unpaired lie on several paths at once: how many runs they form would be a choice, and none is published.
        raise InputError("operations of a cell are no sequence and have no runs of gaps: give one number as gap")
    cells = [cell for member in members for cell in member.cells or ()]
    totals = np.zeros((len(members), len(members)))
    kernels.cells(
        tokens,
        np.cumsum([0, *(len(cell.order) for cell in cells)], dtype=np.int64),
        np.concatenate([np.zeros(0, np.int8), *(cell.order.ravel() for cell in cells)]),
        np.concatenate([np.zeros(0, np.int8), *(cell.ties.ravel() for cell in cells)]),
        np.cumsum([0, *(cell.order.size for cell in cells)], dtype=np.int64),
        np.array([cell.number for cell in cells], np.int64),
        np.cumsum([0, *(len(member.cells or ()) for member in members)], dtype=np.int64),
        _profits(table, scheme),
        TIE,
        known,
        not np.array_equal(table, table.T),
        totals,
    )
    return _scores(totals, np.diff(starts), scheme)


def _profits(table: Floats, scheme: Scheme) -> Floats:
    return np.ascontiguousarray(table - 2.0 * scheme.opening)


def _scores(profits: Floats, lengths: Integers, scheme: Scheme) -> Floats:
    """Alignment scores from sums of profits under linear gaps."""
    scores: Floats = profits + scheme.opening * (lengths[:, None] + lengths)
    return scores


def _normalised(totals: Floats, table: Floats, tokens: Integers, starts: Integers, scheme: Scheme) -> Floats:
    lengths = np.diff(starts)
    members = np.repeat(np.arange(lengths.size), lengths)
    own = np.bincount(members, weights=np.diagonal(table)[tokens], minlength=lengths.size)
    longer = np.maximum(lengths[:, None], lengths)
    least = np.where(longer > 0, scheme.opening + scheme.extending * (longer - 1), 0.0)
    span = np.maximum(own[:, None], own) - least
    values: Floats = np.divide(totals - least, span, out=np.ones_like(totals), where=span > 0.0)
    # Identical sequences reach 1 up to the rounding of their sums; nothing else comes this close.
    values[np.abs(values - 1.0) < 1e-12] = 1.0
    values = np.round(values, 3) if scheme.legacy else np.clip(values, 0.0, 1.0)
    np.fill_diagonal(values, 1.0)
    return values
