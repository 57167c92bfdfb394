"""Clusters of a similarity matrix."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from untrained.alignment import cluster, similarity_matrix
from untrained.errors import InputError
from untrained.spaces.space import space


def blocks(sizes: list[int], inside: float, outside: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A matrix of groups that are alike inside, shuffled, and the group of each row."""
    groups = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    matrix = np.where(groups[:, None] == groups, inside, outside)
    np.fill_diagonal(matrix, 1.0)
    return matrix, groups


@pytest.mark.parametrize("method", ["average", "complete", "single", "weighted"])
def test_groups_are_found_again(method: str) -> None:
    matrix, groups = blocks([5, 3, 7], 0.8, 0.3, np.random.default_rng(0))
    found = cluster(matrix, method=method)  # type: ignore[arg-type]
    for labels in (found.cut(similarity=0.5), found.cut(count=3)):
        assert np.array_equal(labels[:, None] == labels, groups[:, None] == groups)
        assert list(dict.fromkeys(labels[found.order])) == [0, 1, 2]
    assert sorted(found.order) == list(range(15))
    assert len({*groups[found.order[:1]]} | {*groups[found.order[-1:]]}) == 2


def test_a_cut_merges_what_is_exactly_as_similar() -> None:
    matrix, _ = blocks([4, 4], 0.7, 0.1, np.random.default_rng(1))
    assert cluster(matrix).cut(similarity=0.7).max() == 1
    assert cluster(matrix).cut(similarity=0.71).max() == 7
    assert cluster(matrix).cut(similarity=0.0).max() == 0
    # The means of 0.8 that the linkage takes are a rounding error above it.
    matrix, _ = blocks([4], 0.2, 0.0, np.random.default_rng(1))
    assert cluster(matrix).cut(similarity=0.2).max() == 0


def test_the_leaf_order_is_the_best_of_all_the_hierarchy_allows() -> None:
    rng = np.random.default_rng(2)
    matrix = similarity_matrix([space("chain").sample(rng) for _ in range(6)])
    found = cluster(matrix)

    def leaves(node: int) -> list[list[int]]:
        if node < 6:
            return [[node]]
        left, right = (leaves(int(child)) for child in found.linkage[node - 6, :2])
        return [[*a, *b] for a, b in itertools.product(left, right)] + [
            [*b, *a] for a, b in itertools.product(left, right)
        ]

    def likeness(order: list[int]) -> float:
        return float(sum(matrix[a, b] for a, b in itertools.pairwise(order)))

    assert likeness(found.order.tolist()) == pytest.approx(max(map(likeness, leaves(10))))


def test_an_asymmetric_matrix_is_averaged() -> None:
    matrix = np.array([[1.0, 0.9, 0.1], [0.5, 1.0, 0.1], [0.1, 0.1, 1.0]])
    assert cluster(matrix).linkage[0, 2] == pytest.approx(0.3)


def test_nobody_and_one() -> None:
    assert cluster(np.ones((0, 0))).cut(count=1).tolist() == []
    assert cluster(np.ones((1, 1))).cut(similarity=0.5).tolist() == [0]


def test_what_cannot_be_clustered_is_refused() -> None:
    with pytest.raises(InputError, match="square"):
        cluster(np.ones((2, 3)))
    with pytest.raises(InputError, match="finite"):
        cluster(np.full((2, 2), np.nan))
    with pytest.raises(InputError, match="either a similarity or a count"):
        cluster(np.ones((2, 2))).cut()
    with pytest.raises(InputError, match="at least 1 cluster"):
        cluster(np.ones((2, 2))).cut(count=0)
