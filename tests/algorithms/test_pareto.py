"""Pareto fronts by their definition, crowding by hand, and the ranking made of both."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from untrained.algorithms.pareto import crowding, fronts
from untrained.algorithms.rankings import fitness

points = arrays(float, st.tuples(st.integers(1, 12), st.integers(1, 3)), elements=st.integers(0, 4).map(float))


def dominates(a: np.ndarray, b: np.ndarray) -> bool:
    return bool((a >= b).all() and (a > b).any())


@settings(max_examples=150, deadline=None)
@given(scores=points)
def test_fronts_by_definition(scores: np.ndarray) -> None:
    expected = np.zeros(len(scores), int)
    front = 0
    while (left := np.flatnonzero(expected == 0)).size:
        front += 1
        free = [i for i in left if not any(dominates(scores[j], scores[i]) for j in left)]
        expected[free] = front
    np.testing.assert_array_equal(fronts(scores), expected)


def test_fronts_of_nothing() -> None:
    assert fronts(np.empty((0, 2))).shape == (0,)


def test_crowding_by_hand() -> None:
    # gaps 4 - 0 of 10 and 9 - 4 of 10; 10 - 1 of 10 and 4 - 0 of 10
    scores = np.array([[0.0, 10.0], [1.0, 9.0], [4.0, 4.0], [10.0, 0.0]])
    np.testing.assert_allclose(crowding(scores), [np.inf, 0.4 + 0.6, 0.9 + 0.9, np.inf])
    np.testing.assert_allclose(crowding(3e307 * (scores - 5)), crowding(scores))
    np.testing.assert_array_equal(crowding(np.ones((3, 2))), [0, 0, 0])


def test_ranking_by_hand() -> None:
    scores = np.array([[0.0, 10.0], [1.0, 9.0], [4.0, 4.0], [10.0, 0.0], [0.0, 9.0], [1.0, 9.0]])
    values = fitness("pareto", scores, np.array([1, 1]))
    # Distances: infinite at the ends, 1.0 and 1.8 between; the fifth alone in front 2; the last a copy of the second.
    np.testing.assert_allclose(values, [-0.5, -1 + 0.25, -1 + 0.5 * 1.8 / 2.8, -0.5, -2, -1 + 0.25])
    np.testing.assert_allclose(fitness("pareto", scores * [1, -1], np.array([1, -1])), values)


@settings(max_examples=60, deadline=None)
@given(scores=points)
def test_dominated_is_worse(scores: np.ndarray) -> None:
    values = fitness("pareto", scores, np.ones(scores.shape[1]))
    for i, one in enumerate(scores):
        for j, two in enumerate(scores):
            if dominates(one, two):
                assert values[i] > values[j] or values[i] == pytest.approx(values[j]) == np.ceil(values[j])
