"""Compiled loops of the alignment: imported when the first pair is compared, cached on disk after the first run.

Most work on *profits*: with a linear gap g, pairing two tokens of score s instead of leaving both in gaps changes the
total by s - 2g, so the best total is g * (len(a) + len(b)) plus the greatest sum of profits over order-preserving
pairings. The recursion then has no additions along rows and columns,

    best[i, j] = max(best[i-1, j-1] + profit(a_i, b_j), best[i-1, j], best[i, j-1]),

and a cell costs one addition and two comparisons. The optimum is the same; only the association of the sum differs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
from numba import njit
from numpy.typing import NDArray

F = TypeVar("F", bound=Callable[..., Any])
Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Codes = NDArray[np.int8]


def compiled(function: F) -> F:
    """`function` in machine code, without the interpreter lock, kept on disk between runs where that can be written."""
    try:
        return cast(F, njit(cache=True, nogil=True)(function))
    except RuntimeError:
        return cast(F, njit(nogil=True)(function))


@compiled
def linear(tokens: Integers, starts: Integers, profits: Floats, known: int, both: bool, totals: Floats) -> None:
    """Greatest sums of profits of all pairs of sequences, written into `totals` (n, n), diagonal excluded.

    Sequence i is `tokens[starts[i]:starts[i + 1]]`, indices into `profits` (V, V). Pairs among the first `known` are
    left alone. `both` computes (i, j) and (j, i) separately (asymmetric profits); otherwise one is copied to the other.
    """
    n = starts.size - 1
    longest = 0
    for i in range(n):
        longest = max(longest, starts[i + 1] - starts[i])
    row = np.zeros(longest + 1)
    for i in range(n):
        for j in range(n if both else i):
            if i == j or (i < known and j < known):
                continue
            b = tokens[starts[j] : starts[j + 1]]
            for column in range(b.size + 1):
                row[column] = 0.0
            for position in range(starts[i], starts[i + 1]):
                profit = profits[tokens[position]]
                diagonal = 0.0
                left = 0.0
                for column in range(b.size):
                    above = row[column + 1]
                    best = diagonal + profit[b[column]]
                    # Two comparisons, since `max` of floats would also test for NaN; that with the neighbour on the
                    # left last, since each cell has to wait for it.
                    if above > best:
                        best = above
                    if left > best:
                        best = left
                    diagonal = above
                    row[column + 1] = left = best
            totals[i, j] = row[b.size]
            if not both:
                totals[j, i] = row[b.size]


@compiled
def affine(
    tokens: Integers, starts: Integers, scores: Floats, opening: float, extending: float, known: int, both: bool,
    totals: Floats,
) -> None:  # fmt: skip
    """Best alignment scores of all pairs under affine gaps (Gotoh 1982); arguments as in :func:`linear`.

    A run of k gaps costs `opening` + (k - 1) * `extending`; a run in one sequence may follow one in the other.
    """
    n = starts.size - 1
    longest = 0
    for i in range(n):
        longest = max(longest, starts[i + 1] - starts[i])
    paired = np.zeros(longest + 1)
    deleted = np.zeros(longest + 1)
    inserted = np.zeros(longest + 1)
    for i in range(n):
        for j in range(n if both else i):
            if i == j or (i < known and j < known):
                continue
            b = tokens[starts[j] : starts[j + 1]]
            paired[0] = 0.0
            deleted[0] = inserted[0] = -np.inf
            for column in range(1, b.size + 1):
                paired[column] = deleted[column] = -np.inf
                inserted[column] = opening + (column - 1) * extending
            for position in range(starts[i], starts[i + 1]):
                score = scores[tokens[position]]
                diagonal = max(paired[0], deleted[0], inserted[0])
                deleted[0] = max(paired[0] + opening, deleted[0] + extending, inserted[0] + opening)
                paired[0] = inserted[0] = -np.inf
                for column in range(1, b.size + 1):
                    above = max(paired[column], deleted[column], inserted[column])
                    deleted[column] = max(
                        paired[column] + opening, deleted[column] + extending, inserted[column] + opening
                    )
                    paired[column] = diagonal + score[b[column - 1]]
                    inserted[column] = max(
                        paired[column - 1] + opening, deleted[column - 1] + opening, inserted[column - 1] + extending
                    )
                    diagonal = above
            totals[i, j] = max(paired[b.size], deleted[b.size], inserted[b.size])
            if not both:
                totals[j, i] = totals[i, j]


@compiled
def trace(a: Integers, b: Integers, scores: Floats, opening: float, extending: float) -> tuple[Integers, float]:
    """The columns of one best alignment of two sequences, positions in `a` and in `b` with -1 for a gap (k, 2), and its
    score.

    Among equally good alignments the one that pairs the last tokens is taken, then the one that ends in a deletion.
    """
    n, m = a.size, b.size
    # The last column is a pair, a deletion or an insertion: what each state costs after each other one.
    steps = np.array(
        [[0.0, 0.0, 0.0], [opening, extending, opening], [opening, opening, extending]],
    )
    best = np.full((3, n + 1, m + 1), -np.inf)
    best[0, 0, 0] = 0.0
    for i in range(n + 1):
        for j in range(m + 1):
            if i > 0 and j > 0:
                best[0, i, j] = best[:, i - 1, j - 1].max() + scores[a[i - 1], b[j - 1]]
            if i > 0:
                best[1, i, j] = (best[:, i - 1, j] + steps[1]).max()
            if j > 0:
                best[2, i, j] = (best[:, i, j - 1] + steps[2]).max()
    columns = np.full((n + m, 2), -1, np.int64)
    first = n + m
    i, j, state = n, m, best[:, n, m].argmax()
    while i > 0 or j > 0:
        first -= 1
        if state != 2:
            i -= 1
            columns[first, 0] = i
        if state != 1:
            j -= 1
            columns[first, 1] = j
        state = (best[:, i, j] + steps[state]).argmax()
    return columns[first:], best[:, n, m].max()


@compiled
def match(
    a: Integers, order_a: Codes, ties_a: Codes, b: Integers, order_b: Codes, ties_b: Codes, profits: Floats, tie: float,
    partner: Integers,
) -> float:  # fmt: skip
    """The greatest profit of a matching of two cells that preserves the order both ways, less `tie` for every matched
    operation and every two of them whose ties differ; writes the partner of each operation of `a` (-1: none).

    Exact, by branch and bound over the operations of `a`: a branch ends where it could not win even if every remaining
    operation had its best remaining partner, ties with the pairs chosen so far deducted.
    """
    n, m = a.size, b.size
    # gains[k, t, c]: profit of pairing t >= k with c after the choices of 0..k-1; not positive where it is no use.
    gains = np.zeros((n + 1, n, m))
    for t in range(n):
        for c in range(m):
            gains[0, t, c] = profits[a[t], b[c]]
            if ties_a[t, t] != ties_b[c, c]:
                gains[0, t, c] -= tie
    tried = np.zeros((n + 1, m + 1), np.bool_)  # column m: leaving the operation unpaired
    choice = np.zeros(n, np.int64)
    value = np.zeros(n + 1)  # profit of the choices before k
    partner[:] = -1
    greatest = 0.0
    k = 0
    while k >= 0:
        if k == n:
            if value[k] > greatest:
                greatest = value[k]
                for t in range(n):
                    partner[t] = choice[t] if choice[t] < m else -1
            k -= 1
            continue
        pick = -1
        gain = 0.0
        for c in range(m):
            if gains[k, k, c] > gain and not tried[k, c]:
                pick = c
                gain = gains[k, k, c]
        if pick < 0:
            pick = m
            if tried[k, m]:
                k -= 1
                continue
        tried[k, pick] = True
        hope = value[k] + gain
        for t in range(k + 1, n):
            most = 0.0
            for c in range(m):
                left = gains[k, t, c]
                if pick < m and left > 0.0:
                    if c == pick or order_a[k, t] != order_b[pick, c]:
                        left = 0.0
                    elif ties_a[k, t] != ties_b[pick, c]:
                        left -= tie
                gains[k + 1, t, c] = left
                most = max(most, left)
            hope += most
        if hope > greatest + 1e-12:
            choice[k] = pick
            value[k + 1] = value[k] + gain
            k += 1
            tried[k] = False
    return greatest


@compiled
def cells(
    tokens: Integers, starts: Integers, order: Codes, ties: Codes, squares: Integers, owners: Integers,
    firsts: Integers, profits: Floats, tie: float, known: int, both: bool, totals: Floats,
) -> None:  # fmt: skip
    """Greatest matching profits of all pairs of architectures made of cells, summed over their cells.

    Cell q holds `tokens[starts[q]:starts[q + 1]]`; its order and ties are square blocks, flattened, from `squares[q]`
    on; `owners[q]` says which cell of the space it is. Architecture i holds the cells from `firsts[i]` to
    `firsts[i + 1]`. The rest as in :func:`linear`.
    """
    n = firsts.size - 1
    for i in range(n):
        for j in range(n if both else i):
            if i == j or (i < known and j < known):
                continue
            total = 0.0
            for p in range(firsts[i], firsts[i + 1]):
                for q in range(firsts[j], firsts[j + 1]):
                    if owners[p] != owners[q]:
                        continue
                    a = tokens[starts[p] : starts[p + 1]]
                    b = tokens[starts[q] : starts[q + 1]]
                    total += match(
                        a,
                        order[squares[p] : squares[p + 1]].reshape(a.size, a.size),
                        ties[squares[p] : squares[p + 1]].reshape(a.size, a.size),
                        b,
                        order[squares[q] : squares[q + 1]].reshape(b.size, b.size),
                        ties[squares[q] : squares[q + 1]].reshape(b.size, b.size),
                        profits,
                        tie,
                        np.empty(a.size, np.int64),
                    )
            totals[i, j] = total
            if not both:
                totals[j, i] = total
