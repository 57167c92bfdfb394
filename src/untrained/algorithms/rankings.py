"""Rankings: from a table of scores to one fitness a candidate, higher being better.

All are pure functions of scores (n, m) and directions (m,), +1 where higher is better and -1 where lower is. A candidate
with a score that is not finite is worse than all candidates without.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from untrained.algorithms.pareto import crowding, fronts
from untrained.errors import InputError
from untrained.registry import RANKINGS

Ranking = Callable[[np.ndarray, np.ndarray], np.ndarray]


def ranking(function: Ranking) -> Ranking:
    """Register a ranking under the name of the function."""
    RANKINGS.add(function.__name__, function)
    return function


def fitness(name: str, scores: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """The ranking `name` of scores (n, m), checked: fitness (n,), -inf for candidates with a score that is not finite."""
    scores = np.asarray(scores, float)
    directions = np.asarray(directions, float)
    if scores.ndim != 2 or scores.shape[1:] != directions.shape:
        raise InputError(f"scores (n, m) and directions (m,) are expected, not {scores.shape} and {directions.shape}")
    finite = np.isfinite(scores).all(axis=1)
    values = np.full(len(scores), -np.inf)
    if finite.any():
        values[finite] = RANKINGS[name](scores[finite], directions)
    return values


def mean_ranks(scores: np.ndarray) -> np.ndarray:
    """The rank (n, m) of each score in its column, 1 for the lowest, ties sharing their mean rank.

    `scipy.stats.rankdata`, at a tenth of its cost for the few rows of a tournament.
    """
    ranks = np.empty(scores.shape)
    for column, ordered in enumerate(np.sort(scores, axis=0).T):
        values = scores[:, column]
        ranks[:, column] = (ordered.searchsorted(values, "left") + ordered.searchsorted(values, "right") + 1) / 2
    return ranks


@ranking
def single(scores: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """The one metric itself."""
    if scores.shape[1] != 1:
        raise InputError(f"the ranking 'single' takes one metric, not {scores.shape[1]}; try 'rank_sum'")
    return np.asarray(scores[:, 0] * directions[0])


@ranking
def first(scores: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """The first metric alone; the others are only recorded."""
    return np.asarray(scores[:, 0] * directions[0])


@ranking
def rank_sum(scores: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """Minus the sum over metrics of the candidate's rank, 1 for the best, ties sharing their mean rank."""
    return -np.asarray(mean_ranks(-scores * directions).sum(axis=1))


@ranking
def max_normalised_sum(scores: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """Sum over metrics of the score divided by the largest magnitude among the candidates (FreeREA)."""
    largest = np.abs(scores).max(axis=0)
    return np.asarray((scores * directions / np.where(largest > 0, largest, 1.0)).sum(axis=1))


@ranking
def log_rank_sum(scores: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """Sum over metrics of ln(rank / n) among the n candidates, n for the best, ties sharing their mean rank (AZ-NAS)."""
    return np.asarray(np.log(mean_ranks(scores * directions) / len(scores)).sum(axis=1))


@ranking
def pareto(scores: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """Minus the number of the candidate's Pareto front; within a front, the less crowded the better (NSGA-II).

    Between the fronts -1, -2, ... lies 1/2 (1 - 1 / (1 + crowding distance)); equal candidates count once.
    """
    points, place = np.unique(scores * directions, axis=0, return_inverse=True)
    front = fronts(points)
    distance = np.zeros(len(points))
    for number in range(1, int(front.max()) + 1):
        distance[front == number] = crowding(points[front == number])
    return np.asarray((0.5 * (1.0 - 1.0 / (1.0 + distance)) - front)[place.reshape(-1)])
