"""Aging evolution: who is alive, who is a parent, what a child is."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest

from untrained.algorithms.aging import Aging
from untrained.errors import InputError
from untrained.spaces.space import space
from untrained.testing.searcher import complete, drive, fitness, told_by, troubled

PLACE = space("nats-tss")


@pytest.mark.parametrize("answer", [complete, troubled])
@pytest.mark.parametrize("ahead", [1, 8])
def test_the_oldest_dies(answer, ahead: int) -> None:
    """Parents are among the latest `population` complete trials, and all of those become parents in time."""
    searcher = Aging(PLACE, fitness, 0, population=10, sample=1)
    ages = set()
    for _, pending, told in drive(searcher, 400, answer, ahead):
        if len(pending) == ahead:
            continue
        proposal = searcher.ask(pending)
        alive = [trial.number for trial in told if trial.state == "complete"][-10:]
        if proposal.parents:
            (parent,) = proposal.parents
            assert parent in alive
            ages.add(len(alive) - alive.index(parent))
    assert ages == set(range(1, 11))


def test_random_until_the_population_is_full() -> None:
    told = told_by(Aging(PLACE, fitness, 0, population=10, sample=5), 60, troubled)
    first_child = next(trial.number for trial in told if trial.parents)
    assert sum(trial.state == "complete" for trial in told[:first_child]) == 10
    assert all(trial.operator == "mutation" for trial in told[first_child:])


def test_the_whole_population_as_sample_gives_the_best_alive() -> None:
    searcher = Aging(PLACE, fitness, 0, population=12, sample=12)
    for _, pending, told in drive(searcher, 100):
        proposal = searcher.ask(pending)
        if proposal.parents:
            best = max(told[-12:], key=lambda trial: trial.values["value"])
            assert proposal.parents == (best.number,)


def test_a_sample_is_at_most_the_population() -> None:
    def parents(sample: int) -> list[tuple[int, ...]]:
        searcher = Aging(PLACE, fitness, 0, population=12, sample=sample)
        return [trial.parents for trial in told_by(searcher, 60)]

    assert parents(100) == parents(12) != parents(11)


def test_parents_are_the_best_of_a_random_sample() -> None:
    """Rank k of n is the best of s drawn without replacement with probability C(n - 1 - k, s - 1) / C(n, s)."""
    n, s, draws = 12, 4, 3000
    expected = np.array([comb(n - 1 - k, s - 1) for k in range(n)]) / comb(n, s)
    wins = np.zeros(n)
    for seed in range(draws // 100):
        searcher = Aging(PLACE, fitness, seed, population=n, sample=s)
        told = told_by(searcher, n)
        ranks = {trial.number: k for k, trial in enumerate(sorted(told, key=lambda t: -t.values["value"]))}
        pending = []
        for _ in range(100):
            pending.append(searcher.ask(pending))
            wins[ranks[pending[-1].parents[0]]] += 1
    assert wins[n - s + 1 :].sum() == 0
    assert np.abs(wins / draws - expected).max() < 4 * np.sqrt(0.34 * 0.66 / draws)


def test_a_child_is_a_mutant_of_its_parent() -> None:
    told = told_by(Aging(PLACE, fitness, 0, population=10, sample=3), 100)
    for trial in told[10:]:
        parent = told[trial.parents[0]].architecture
        assert trial.architecture in set(PLACE.neighbours(parent))


@pytest.mark.parametrize("options", [{"population": 1}, {"sample": 0}])
def test_impossible_options(options: dict[str, int]) -> None:
    with pytest.raises(InputError, match="aging"):
        Aging(PLACE, fitness, 0, **options)
