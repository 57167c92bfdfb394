"""Hyperband's schedule: by hand, and what holds for all of them."""

from __future__ import annotations

from itertools import groupby, pairwise

import pytest

from untrained.algorithms.rungs import Rungs


def brackets(rungs: Rungs) -> list[list[tuple[int, float]]]:
    found: list[list[tuple[int, float]]] = []
    for rung in rungs.rungs:
        if rung.below is None:
            found.append([])
        found[-1].append((rung.count, rung.share))
    return found


def test_a_round_of_81_by_hand() -> None:
    """Algorithm 1 for R = 81 and eta = 3: n = ceil(5 / (s + 1) 3^s), then a third, rounded down, at each step."""
    assert [[(count, round(81 * share)) for count, share in one] for one in brackets(Rungs(5, 3))] == [
        [(81, 1), (27, 3), (9, 9), (3, 27), (1, 81)],
        [(34, 3), (11, 9), (3, 27), (1, 81)],
        [(15, 9), (5, 27), (1, 81)],
        [(8, 27), (2, 81)],
        [(5, 81)],
    ]


@pytest.mark.parametrize(("height", "eta"), [(1, 3), (2, 2), (3, 3), (4, 4), (8, 2)])
def test_what_holds_for_every_schedule(height: int, eta: int) -> None:
    rungs = Rungs(height, eta)
    assert sum(rung.count for rung in rungs.rungs) == rungs.length
    assert [len(one) for one in brackets(rungs)] == [*range(height, 0, -1)]
    for one in brackets(rungs):
        assert [share for _, share in one] == pytest.approx([eta**-i for i in reversed(range(len(one)))])
        assert all(b == max(1, a // eta) for (a, _), (b, _) in pairwise(one))


def test_every_number_stands_on_its_rung() -> None:
    rungs = Rungs(3, 3)
    places = [rungs.of(number) for number in range(3 * rungs.length)]
    assert [start for start, _ in groupby(start for start, _ in places)] == [0, rungs.length, 2 * rungs.length]
    for number, (start, rung) in enumerate(places):
        assert start + rung.first <= number < start + rung.first + rung.count


def test_whole_evaluations_are_one_rung() -> None:
    rungs = Rungs(1, 3)
    assert [(rung.count, rung.share, rung.below) for rung in rungs.rungs] == [(1, 1.0, None)]
