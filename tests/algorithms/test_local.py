"""Hill climbing: up only, every neighbour before a new start."""

from __future__ import annotations

import numpy as np
import pytest

from untrained.algorithms.local import Local
from untrained.algorithms.trial import Trial
from untrained.errors import InputError
from untrained.spaces.space import space
from untrained.testing.searcher import complete, drive, fitness, told_by, troubled

PLACE = space("nats-tss")


def value(trial: Trial) -> float:
    found = trial.values["value"]
    return -np.inf if found is None else found


@pytest.mark.parametrize("ahead", [1, 8])
@pytest.mark.parametrize("answer", [complete, troubled])
def test_climbs_end_at_local_optima(answer, ahead: int) -> None:
    searcher = Local(PLACE, fitness, 0, starts=4)
    here: Trial | None = None
    tops = 0
    for _, _, told in drive(searcher, 600, answer, ahead):
        now = searcher._here
        if now is not None and here is not None and now is not here:
            assert value(now) > value(here)
        if now is None and here is not None:
            tops += 1
            tried = {trial.architecture: trial for trial in told}
            for other in PLACE.neighbours(here.architecture):
                assert other in tried
            later = [tried[other] for other in PLACE.neighbours(here.architecture) if tried[other].number > here.number]
            assert all(trial.state != "complete" or value(trial) <= value(here) for trial in later)
        here = now
    assert tops > 3


def test_a_climb_starts_at_the_best_of_the_random_ones() -> None:
    searcher = Local(PLACE, fitness, 0, starts=7)
    told = told_by(searcher, 30, troubled)
    drawn = [trial for trial in told if trial.operator == "sample"]
    assert sum(trial.state == "complete" for trial in drawn) == 7
    best = max((trial for trial in drawn if trial.state == "complete"), key=value)
    assert told[len(drawn)].parents == (best.number,)


def test_neighbours_are_tried_once_with_one_under_way() -> None:
    told = told_by(Local(PLACE, fitness, 0), 400)
    seen = set()
    for trial in told:
        if trial.parents:
            assert trial.architecture not in seen
            assert trial.architecture in set(PLACE.neighbours(told[trial.parents[0]].architecture))
        seen.add(trial.architecture)


def test_the_order_of_neighbours_is_random() -> None:
    first = []
    for seed in range(300):
        searcher = Local(PLACE, fitness, seed, starts=1)
        told_by(searcher, 1)
        here, there = searcher._here.architecture.genes, searcher.ask([]).architecture.genes
        first.append(next(i for i, pair in enumerate(zip(here, there, strict=True)) if pair[0] != pair[1]))
    counts = np.bincount(first, minlength=6)
    assert np.abs(counts - 50).max() < 4 * np.sqrt(50)


def test_impossible_options() -> None:
    with pytest.raises(InputError, match="local"):
        Local(PLACE, fitness, 0, starts=0)


def test_as_good_is_not_better() -> None:
    """On a plain, all 24 neighbours of each start are tried and none becomes the next place."""
    told = told_by(Local(PLACE, fitness, 0, starts=1), 50, lambda n, p: Trial(n, p.architecture, p.parents))
    assert [trial.parents for trial in told[1:25]] == [(0,)] * 24
    assert told[25].parents == ()
