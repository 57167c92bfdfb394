"""Rankings against tables worked out by hand, and what has to hold for all of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from untrained.algorithms.rankings import fitness
from untrained.errors import InputError, UnknownNameError
from untrained.registry import RANKINGS

# Three metrics, of which lower values of the third are better.
SCORES = np.array([[9.0, 1.0, 5.0], [7.0, 4.0, 1.0], [7.0, 2.0, 3.0], [1.0, 2.0, 5.0]])
DIRECTIONS = np.array([1, 1, -1])

# Whole numbers tie often and transform exactly.
tables = arrays(
    float, st.tuples(st.integers(1, 8), st.just(3)), elements=st.integers(-4, 4).map(float)
)  # fmt: skip


def columns(name: str) -> slice:
    return slice(0, 1) if name == "single" else slice(0, 3)


def ranked(name: str, scores: np.ndarray, directions: np.ndarray = DIRECTIONS) -> np.ndarray:
    """Under `name`, with as many columns as it takes."""
    return fitness(name, scores[:, columns(name)], directions[columns(name)])


def test_rank_sum_by_hand() -> None:
    # ranks, 1 the best, ties sharing their mean: first 1, 2.5, 2.5, 4; second 4, 1, 2.5, 2.5; third 3.5, 1, 2, 3.5
    np.testing.assert_array_equal(fitness("rank_sum", SCORES, DIRECTIONS), [-8.5, -4.5, -7.0, -10.0])


def test_log_rank_sum_by_hand() -> None:
    # ranks, 4 the best: first 4, 2.5, 2.5, 1; second 1, 4, 2.5, 2.5; third 1.5, 4, 3, 1.5
    products = np.array([4 * 1 * 1.5, 2.5 * 4 * 4, 2.5 * 2.5 * 3, 1 * 2.5 * 1.5])
    np.testing.assert_allclose(fitness("log_rank_sum", SCORES, DIRECTIONS), np.log(products / 4**3))


def test_single_by_hand() -> None:
    np.testing.assert_array_equal(fitness("single", SCORES[:, :1], [1]), [9, 7, 7, 1])
    np.testing.assert_array_equal(fitness("single", SCORES[:, 2:], [-1]), [-5, -1, -3, -5])


def test_first_by_hand() -> None:
    np.testing.assert_array_equal(fitness("first", SCORES, DIRECTIONS), [9, 7, 7, 1])
    np.testing.assert_array_equal(fitness("first", SCORES[:, ::-1], DIRECTIONS[::-1]), [-5, -1, -3, -5])


def test_max_normalised_sum_by_hand() -> None:
    expected = [9 / 9 + 1 / 4 - 5 / 5, 7 / 9 + 4 / 4 - 1 / 5, 7 / 9 + 2 / 4 - 3 / 5, 1 / 9 + 2 / 4 - 5 / 5]
    np.testing.assert_allclose(fitness("max_normalised_sum", SCORES, DIRECTIONS), expected)
    np.testing.assert_allclose(fitness("max_normalised_sum", np.array([[0.0], [0.0]]), [1]), [0, 0])
    np.testing.assert_allclose(fitness("max_normalised_sum", np.array([[-4.0], [2.0]]), [1]), [-1, 0.5])


@pytest.mark.parametrize("name", RANKINGS.names())
@settings(max_examples=25, deadline=None)
@given(scores=tables, data=st.data())
def test_order_of_the_candidates_does_not_matter(name: str, scores: np.ndarray, data: st.DataObject) -> None:
    order = np.array(data.draw(st.permutations(range(len(scores)))))
    np.testing.assert_allclose(ranked(name, scores[order]), ranked(name, scores)[order])


@pytest.mark.parametrize("name", RANKINGS.names())
@settings(max_examples=25, deadline=None)
@given(scores=tables)
def test_better_in_every_metric_is_better(name: str, scores: np.ndarray) -> None:
    values = ranked(name, scores)
    signed = (scores * DIRECTIONS)[:, columns(name)]
    for i, one in enumerate(signed):
        for j, two in enumerate(signed):
            if (one > two).all():
                assert values[i] > values[j]
            if (one == two).all():
                assert values[i] == pytest.approx(values[j])


@pytest.mark.parametrize("name", RANKINGS.names())
@settings(max_examples=25, deadline=None)
@given(scores=tables)
def test_direction_is_a_sign(name: str, scores: np.ndarray) -> None:
    np.testing.assert_allclose(ranked(name, -scores, -DIRECTIONS), ranked(name, scores, DIRECTIONS))


@settings(max_examples=50, deadline=None)
@given(scores=tables)
def test_rank_sum_sees_order_alone(scores: np.ndarray) -> None:
    stretched = np.column_stack([np.exp(scores[:, 0]), scores[:, 1] ** 3 + 7, 1e-9 * scores[:, 2] - 3])
    np.testing.assert_array_equal(ranked("rank_sum", stretched), ranked("rank_sum", scores))


@settings(max_examples=50, deadline=None)
@given(scores=tables)
def test_rank_sum_shares_out_the_same_ranks_whatever_ties(scores: np.ndarray) -> None:
    n, m = scores.shape
    assert ranked("rank_sum", scores).sum() == -m * n * (n + 1) / 2


@pytest.mark.parametrize("name", RANKINGS.names())
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_score_that_is_not_finite_is_worst_and_harms_nobody(name: str, bad: float) -> None:
    with_bad = np.vstack([SCORES, SCORES[:1]])
    with_bad[4, 0] = bad
    values = ranked(name, with_bad)
    assert values[4] == -np.inf
    np.testing.assert_array_equal(values[:4], ranked(name, SCORES))
    np.testing.assert_array_equal(ranked(name, np.full((3, 3), bad)), [-np.inf] * 3)


@pytest.mark.parametrize("name", RANKINGS.names())
def test_nobody_and_one(name: str) -> None:
    assert ranked(name, np.empty((0, 3))).shape == (0,)
    assert np.isfinite(ranked(name, SCORES[:1])).all()


def test_huge_and_tiny_scores_stay_finite() -> None:
    scores = np.array([[1e308, 5e-324, 1.0], [-1e308, 0.0, 2.0]])
    for name in RANKINGS.names():
        assert np.isfinite(ranked(name, scores)).all()


def test_what_cannot_be_ranked() -> None:
    with pytest.raises(InputError, match="takes one metric"):
        fitness("single", SCORES, DIRECTIONS)
    with pytest.raises(InputError, match="scores"):
        fitness("rank_sum", SCORES, DIRECTIONS[:2])
    with pytest.raises(InputError, match="scores"):
        fitness("rank_sum", SCORES[0], DIRECTIONS)
    with pytest.raises(UnknownNameError, match="rank_sum"):
        fitness("ranksum", SCORES, DIRECTIONS)
