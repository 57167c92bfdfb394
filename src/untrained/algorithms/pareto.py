"""Pareto fronts: which of several compromises are worth having, and how lonely each is.

Deb et al., "A Fast and Elitist Multiobjective Genetic Algorithm: NSGA-II", IEEE Transactions on Evolutionary
Computation 2002.
"""

from __future__ import annotations

import numpy as np


def fronts(scores: np.ndarray) -> np.ndarray:
    """The front (n,) of each of n points, from finite scores (n, m), higher being better.

    1: no point is at least as good in all objectives and better in one; 2: only points of front 1 are; and so on.
    """
    # In descending lexicographic order the first of any points is never dominated by the others.
    order = np.lexsort(scores.T[::-1])[::-1]
    ordered = scores[order]
    found = np.zeros(len(scores), int)
    front = 0
    left = np.arange(len(scores))
    while len(left):
        front += 1
        dominated = np.zeros(len(scores), bool)
        candidates = left
        while len(candidates):
            best, candidates = candidates[0], candidates[1:]
            found[best] = front
            others = ordered[candidates]
            worse = (others <= ordered[best]).all(axis=1) & (others < ordered[best]).any(axis=1)
            dominated[candidates[worse]] = True
            candidates = candidates[~worse]
        left = left[dominated[left]]
    numbers = np.empty(len(scores), int)
    numbers[order] = found
    return numbers


def crowding(scores: np.ndarray) -> np.ndarray:
    """The crowding distance (n,) within the n points of one front (n, m).

    The sum over objectives of the gap between the two nearest on either side, as a part of the objective's range;
    infinite for the points at the ends of an objective. An objective that all share says nothing.
    """
    distance = np.zeros(len(scores))
    for column in scores.T:
        order = np.argsort(column, kind="stable")
        steps = column[order] / max(abs(column).max(), np.finfo(float).tiny)  # the range of huge values overflows
        extent = steps[-1] - steps[0]
        if extent > 0:
            distance[order[1:-1]] += (steps[2:] - steps[:-2]) / extent
            distance[order[[0, -1]]] = np.inf
    return distance


def distance_to_ideal(scores: np.ndarray) -> np.ndarray:
    """How far each of the n points of one front (n, m) is from the best of all objectives: Euclidean, with each objective
    scaled to 0..1 over the front."""
    largest = np.maximum(
        np.abs(scores).max(axis=0, initial=0.0), np.finfo(float).tiny
    )  # the range of huge values overflows
    scaled = scores / largest
    best = scaled.max(axis=0, initial=-np.inf)
    extent = best - scaled.min(axis=0, initial=np.inf)
    return np.asarray(np.sqrt((((best - scaled) / np.where(extent > 0, extent, 1.0)) ** 2).sum(axis=1)))
