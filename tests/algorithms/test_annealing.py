"""Simulated annealing against the published loop, written out again."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest
from scipy.stats import rankdata

from untrained.algorithms.annealing import Annealing
from untrained.algorithms.fitness import Fitness
from untrained.algorithms.trial import Proposal, Trial
from untrained.errors import InputError
from untrained.seeds import generator
from untrained.spaces.space import space
from untrained.testing.searcher import complete, drive, fitness, told_by, troubled

PLACE = space("nats-tss")
THREE = Fitness("rank_sum", {"a": 1, "b": 1, "c": -1})


def three(number: int, proposal: Proposal) -> Trial:
    """Three values that are a fixed function of the architecture and agree a little."""
    common, *own = generator(str(proposal.architecture)).normal(size=4).tolist()
    values = {name: common + value for name, value in zip("abc", own, strict=True)}
    return Trial(number, proposal.architecture, proposal.parents, proposal.operator, values=values)


def batched(trials: list[Trial], size: int) -> Iterator[list[Trial]]:
    return (trials[start : start + size] for start in range(0, len(trials), size))


def rank_sums(trials: list[Trial]) -> np.ndarray:
    return sum(rankdata([-sign * t.values[name] for t in trials]) for name, sign in (("a", 1), ("b", 1), ("c", -1)))


@pytest.mark.parametrize("version", ["history", "plain"])
@pytest.mark.parametrize("seed", range(4))
def test_the_published_loop(version: str, seed: int) -> None:
    """Which architecture is the current one, iteration after iteration, to the end of the second annealing."""
    searcher = Annealing(PLACE, THREE, seed, version=version, cooling=0.5, end=0.01, iterations=3)
    told = told_by(searcher, 10 * (1 + 2 * 7 * 3) + 1, three, 8)
    temperatures = [0.5**k for k in range(7) for _ in range(3)] * 2
    first, *rounds = batched(told[:-1], 10)
    here = first[int(np.argmin(rank_sums(first)))]
    kept: dict[object, Trial] = {}
    moves = stays = 0
    for number, (trials, temperature) in enumerate(zip(rounds, temperatures, strict=True), start=1):
        assert {trial.parents for trial in trials} == {(here.number,)}
        others = {trial.architecture: trial for trial in [*trials, *kept.values()]}
        others.pop(here.architecture, None)
        candidates = [*others.values(), here]
        sums = rank_sums(candidates)
        place = int(np.argmin(sums[:-1]))
        change = float(sums[place] - sums[-1])
        log_u = math.log(1 - searcher.rng("accept", number).random())
        if version == "history":
            best = candidates[int(np.argmin(sums))]
            kept.setdefault(best.architecture, best)
            accepted = change < 0 or log_u <= -0.25 * change / temperature
        else:
            accepted = log_u >= change / temperature
        moves, stays = moves + accepted, stays + (not accepted)
        here = candidates[place] if accepted else here
    assert told[-1].parents == (here.number,)
    assert moves > 1
    assert stays > 3


def test_a_thousand_evaluations_at_25_temperatures() -> None:
    searcher = Annealing(PLACE, fitness, 0)
    assert len(searcher.temperatures) == 25
    assert searcher.temperatures[-1] >= 8e-4 > searcher.temperatures[-1] * 0.745
    assert len(Annealing(PLACE, fitness, 0, end=1e-3).temperatures) == 24
    seen = []
    for _, pending, told in drive(searcher, 10 + 1000 + 50):
        if not pending and len(told) > 9 and len(told) % 10 == 0:
            seen.append(searcher.temperature)
    assert seen[:100] == [t for t in searcher.temperatures for _ in range(4)]
    assert seen[100:104] == [1.0] * 4


@pytest.mark.parametrize("answer", [complete, troubled])
def test_local_neighbours_are_ten_different_edits(answer) -> None:
    told = told_by(Annealing(PLACE, fitness, 0), 300, answer, 8)
    for trials in batched(told[10:], 10):
        here = told[trials[0].parents[0]].architecture
        assert {trial.architecture for trial in trials} <= set(PLACE.neighbours(here))
        assert len({trial.architecture for trial in trials}) == 10


def test_global_neighbours_redraw_a_part() -> None:
    told = told_by(Annealing(PLACE, fitness, 0, moves="global"), 1000)
    changed = np.zeros(7, int)
    for trial in told[10:]:
        here = told[trial.parents[0]].architecture
        changed[sum(a != b for a, b in zip(trial.architecture.genes, here.genes, strict=True))] += 1
    assert changed[0] == 0
    assert (changed[1:5] > 50).all()


def test_the_worst_of_a_full_history_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("untrained.algorithms.annealing.MOST_HISTORY", 3)
    searcher = Annealing(PLACE, fitness, 0, neighbours=3)
    sizes = set()
    for _, _, told in drive(searcher, 300):
        values = [trial.values["value"] for trial in searcher._history]
        sizes.add(len(values))
        if values and not searcher._heard:
            assert max(values) == max(trial.values["value"] for trial in told)
    assert sizes == {0, 1, 2, 3}


def test_a_trial_without_a_value_is_left_at_once() -> None:
    for ranked in (fitness, Fitness("rank_sum", {"value": 1})):
        searcher = Annealing(PLACE, ranked, 0)
        for number in range(30):
            proposal = searcher.ask([])
            values = {"value": None if number < 10 else float(number)}
            searcher.tell(Trial(number, proposal.architecture, proposal.parents, values=values))
        assert searcher._here.number >= 10


@pytest.mark.parametrize(
    "options",
    [
        {"version": "new"},
        {"moves": "far"},
        {"end": 0.0},
        {"end": 2.0},
        {"cooling": 1.0},
        {"alpha": -0.1},
        {"iterations": 0},
        {"neighbours": 0},
    ],
)
def test_impossible_options(options: dict[str, float]) -> None:
    with pytest.raises(InputError, match=r"annealing|version"):
        Annealing(PLACE, fitness, 0, **options)
