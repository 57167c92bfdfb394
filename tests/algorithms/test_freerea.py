"""FreeREA: three children of the best two, the oldest goes, the best stay."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest

from untrained.algorithms.freerea import FreeRea
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
def test_the_oldest_goes_then_all_but_the_best(answer, ahead: int) -> None:
    """With the whole population as the sample, the best two are the parents of every step."""
    searcher = FreeRea(PLACE, fitness, 0, population=12, sample=12)
    alive: list[Trial] = []
    steps: list[Trial] = []
    heard = 0
    sizes = set()
    for _, pending, told in drive(searcher, 400, answer, ahead):
        if len(told) == heard:
            continue
        heard = len(told)
        trial = told[-1]
        if trial.operator == "sample":
            alive += [trial] if trial.state == "complete" else []
            continue
        steps.append(trial)
        best, second = sorted(alive, key=lambda t: (-value(t), t.number))[:2]
        allowed = {"mutation": [(best.number,), (second.number,)], "crossover": [(best.number, second.number)]}
        if value(best) > value(second) > -np.inf:
            assert trial.parents in allowed[trial.operator]
        if pending or searcher._heard:
            continue
        sizes.add(len(steps))
        alive += [t for t in steps if t.state == "complete"]
        steps = []
        if len(alive) > 12:
            alive.remove(min(alive, key=lambda t: t.number))
            alive = sorted(sorted(alive, key=lambda t: (-value(t), t.number))[:12], key=lambda t: t.number)
        assert [t.number for t in alive] == [t.number for t in searcher._alive]
    assert 3 in sizes
    assert sizes <= {1, 2, 3}


def test_nothing_is_tried_twice_after_the_start() -> None:
    told = told_by(FreeRea(PLACE, fitness, 0, population=20, sample=5), 400, complete, 8)
    children = [trial.architecture for trial in told[20:]]
    assert len(set(children)) == len(children)
    assert not set(children) & {trial.architecture for trial in told[:20]}


def test_tournaments() -> None:
    """Rank k of n is the best of s drawn without replacement with probability C(n - 1 - k, s - 1) / C(n, s), and second
    with probability k C(n - 1 - k, s - 2) / C(n, s)."""
    n, s, draws = 12, 5, 1500
    first = np.array([comb(n - 1 - k, s - 1) for k in range(n)]) / comb(n, s)
    second = np.array([k * comb(n - 1 - k, s - 2) for k in range(n)]) / comb(n, s)
    wins = np.zeros((2, n))
    for seed in range(draws):
        searcher = FreeRea(PLACE, fitness, seed, population=n, sample=s)
        ranks = {t.number: k for k, t in enumerate(sorted(told_by(searcher, n), key=value, reverse=True))}
        crossed = next((p for p in searcher._plan() if p.operator == "crossover"), None)
        if crossed is None:  # its child was known
            draws -= 1
            continue
        a, b = crossed.parents
        wins[0, ranks[a]] += 1
        wins[1, ranks[b]] += 1
    # Parents whose crossing gives nothing new are a little rarer.
    assert np.abs(wins / draws - np.array([first, second])).max() < 4 * np.sqrt(0.25 / draws)


@pytest.mark.parametrize("options", [{"population": 1}, {"sample": 1}])
def test_impossible_options(options: dict[str, int]) -> None:
    with pytest.raises(InputError, match="freerea"):
        FreeRea(PLACE, fitness, 0, **options)
