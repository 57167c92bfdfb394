"""SWAP-NAS: cycles, parents, who joins and who leaves."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest

from untrained.algorithms.swap_nas import SwapNas
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
def test_the_best_child_joins_and_the_worst_leaves(answer, ahead: int) -> None:
    searcher = SwapNas(PLACE, fitness, 0, population=10, mutants=4)
    alive: list[Trial] = []
    cycle: list[Trial] = []
    joined = crossed = heard = 0
    for _, _, told in drive(searcher, 500, answer, ahead):
        if len(told) == heard:
            continue
        heard = len(told)
        trial = told[-1]
        if trial.operator == "sample":
            alive += [trial] if trial.state == "complete" else []
            continue
        assert len(alive) == 10
        cycle.append(trial)
        if trial.operator == "crossover":
            assert set(trial.parents) <= {one.number for one in alive}
            continue
        mutants = [one for one in cycle if one.operator == "mutation"]
        if len(mutants) < 4:
            continue
        children = [one for one in cycle if one.operator == "crossover"]
        usable = [one for one in children if one.state == "complete"]
        crossed += bool(children)
        parent = told[mutants[0].parents[0]]
        assert {one.parents for one in mutants} == {(parent.number,)}
        assert len({one.architecture for one in mutants}) == 4
        if usable:
            assert value(parent) == max(map(value, usable))
        elif children:
            assert parent.number == children[0].parents[0]
        else:
            assert parent in alive
        networks = {PLACE.canonical(one.architecture) for one in alive}
        new = [m for m in mutants if m.state == "complete" and PLACE.canonical(m.architecture) not in networks]
        if new:
            alive.append(max(new, key=value))
            alive.remove(min(alive, key=value))
            joined += 1
        assert [one.number for one in alive] == [one.number for one in searcher._alive]
        cycle = []
    assert joined > 20
    assert crossed > 20


def test_no_network_is_there_twice() -> None:
    for seed in range(5):
        searcher = SwapNas(PLACE, fitness, seed, population=10)
        for _ in drive(searcher, 300):
            newer = [PLACE.canonical(t.architecture) for t in searcher._alive if t.number >= 10]
            assert len(set(newer)) == len(newer)


def test_parents_are_the_best_of_half_the_population() -> None:
    """Rank k of n is the best of s drawn without replacement with probability C(n - 1 - k, s - 1) / C(n, s)."""
    n, draws = 12, 2000
    expected = np.array([comb(n - 1 - k, n // 2 - 1) for k in range(n)]) / comb(n, n // 2)
    wins = np.zeros(n)
    for seed in range(draws):
        searcher = SwapNas(PLACE, fitness, seed, population=n, crossover=0.0)
        ranked = sorted(told_by(searcher, n), key=value, reverse=True)
        (parent,) = searcher.ask([]).parents
        wins[[trial.number for trial in ranked].index(parent)] += 1
    assert np.abs(wins / draws - expected).max() < 4 * np.sqrt(0.25 / draws)


def test_crossover_probability() -> None:
    operators = []
    for seed in range(400):
        searcher = SwapNas(PLACE, fitness, seed, population=4, crossover=0.3)
        told_by(searcher, 4)
        operators.append(searcher.ask([]).operator)
    assert abs(operators.count("crossover") / 400 - 0.3) < 4 * np.sqrt(0.21 / 400)
    assert set(operators) == {"crossover", "mutation"}


def test_twins_of_the_best_and_the_second_best() -> None:
    searcher = SwapNas(PLACE, fitness, 1, population=20, crossover=1.0)
    told = told_by(searcher, 20)
    one = searcher.ask([])
    two = searcher.ask([one])
    assert one.operator == two.operator == "crossover"
    assert one.parents == two.parents[::-1]
    best, second = (told[number] for number in one.parents)
    assert value(best) > value(second)


@pytest.mark.parametrize("options", [{"population": 3}, {"mutants": 0}, {"crossover": 1.1}])
def test_impossible_options(options: dict[str, float]) -> None:
    with pytest.raises(InputError, match="swap-nas"):
        SwapNas(PLACE, fitness, 0, **options)
