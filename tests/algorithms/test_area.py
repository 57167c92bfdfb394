"""Assisted aging evolution: the best of the pool are the first population."""

from __future__ import annotations

import pytest

from untrained.algorithms.area import Area
from untrained.errors import InputError
from untrained.spaces.space import space
from untrained.testing.searcher import complete, drive, fitness, told_by, troubled

PLACE = space("nats-tss")


@pytest.mark.parametrize("ahead", [1, 8])
@pytest.mark.parametrize("answer", [complete, troubled])
def test_the_best_of_the_pool_are_the_first_population(answer, ahead: int) -> None:
    searcher = Area(PLACE, fitness, 0, population=5, sample=5, oversampling=6)
    for _, pending, told in drive(searcher, 200, answer, ahead):
        pool = [trial for trial in told if trial.state == "complete"][:30]
        if len(pool) < 30:
            proposal = searcher.ask(pending)
            assert proposal is None or (proposal.operator == "sample" and not proposal.parents)
            if len(pool) + len(pending) >= 30:
                assert proposal is None
            continue
        # By value, those without one last; the population ages from the oldest on.
        ranked = sorted(pool, key=lambda t: -1 if t.values["value"] is None else t.values["value"], reverse=True)
        first = sorted(ranked[:5], key=lambda t: t.number)
        children = [trial for trial in told[pool[-1].number + 1 :] if trial.state == "complete"]
        alive = [*first, *children][-5:]
        assert [trial.number for trial in searcher._alive] == [trial.number for trial in alive]
        if len(pending) < 8:
            assert searcher.ask(pending).operator == "mutation"
            assert searcher.ask(pending).parents[0] in {trial.number for trial in alive}


def test_as_many_random_ones_as_the_pool_needs() -> None:
    told = told_by(Area(PLACE, fitness, 0), 130, complete, 8)
    assert sum(trial.operator == "sample" for trial in told) == 100


@pytest.mark.parametrize("options", [{"population": 1}, {"sample": 0}, {"oversampling": 0}])
def test_impossible_options(options: dict[str, int]) -> None:
    with pytest.raises(InputError, match="area"):
        Area(PLACE, fitness, 0, **options)
