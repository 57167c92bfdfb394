"""When a search ends: the same for any number of workers, over all runs, and never before the budget is used."""

from __future__ import annotations

import math
import random
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass

import numpy as np
import pytest
from study_evaluators import DIRECTIONS, Synthetic, study_of, what

from untrained.algorithms.fitness import Fitness
from untrained.algorithms.pareto import fronts
from untrained.algorithms.trial import Trial
from untrained.architecture import Architecture
from untrained.errors import InputError
from untrained.evaluate.outcome import Outcome
from untrained.evaluate.quantities import SIMULATED
from untrained.spaces.space import space
from untrained.study import study as study_module
from untrained.study.budget import Budget, Told
from untrained.study.executors import Serial
from untrained.study.journal import Journal
from untrained.study.search import search
from untrained.study.study import Study

PLACE = space("nats-tss")


@dataclass(frozen=True)
class Priced(Synthetic):
    """Takes 10 simulated seconds a network."""

    def __call__(self, architecture: Architecture, *, seed: int) -> Outcome:
        found = super().__call__(architecture, seed=seed)
        return found if found.rejected else Outcome({**found.values, SIMULATED: 10.0}, found.reasons)


class Shuffled(Serial):
    """Some of the evaluations under way end at a time, in any order."""

    def __init__(self, evaluator, seed: int) -> None:
        super().__init__(evaluator)
        self.random = random.Random(seed)

    def collect(self):
        self.random.shuffle(self._queue)
        count = self.random.randint(1, len(self._queue))
        return {number: answer for _ in range(count) for number, answer in super(Shuffled, self).collect().items()}


@pytest.fixture(params=[None, 1, 2])
def shuffled(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param is not None:
        make = lambda evaluator, workers, timeout: Shuffled(evaluator, request.param)  # noqa: E731
        monkeypatch.setattr(study_module, "make_executor", make)


def ranked(ranking: str, evaluator=None, journal: Journal | None = None) -> Study:
    """A study of another ranking than the usual one."""
    journal = journal or Journal()
    setup = {**study_of(None).setup, "options": {"population": 8}, "ranking": ranking}
    record = journal.find("study") or journal.create("study", setup)
    return Study(journal, record, PLACE, DIRECTIONS, evaluator or Synthetic())


# -- simulated seconds -------------------------------------------------------------------------------------------------


def test_simulated_seconds_end_a_search_in_the_same_place_however_it_runs(shuffled: None) -> None:
    study = study_of(Priced(rejected=0.2, failed=0.1), population=8)
    why = study.run(simulated_seconds=300)
    assert why == "300 simulated seconds are used up"
    own = [10.0 if SIMULATED in t.values and t.copied is None else 0.0 for t in study.trials]
    assert study.simulated_seconds == sum(own)
    assert 300 <= sum(own) <= 300 + 10 * study.ahead
    # What came last was asked for while what had been told was still within the budget.
    assert sum(own[: -study.ahead]) < 300
    expected = study_of(Priced(rejected=0.2, failed=0.1), population=8)
    expected.run(len(study.trials) - study.counts()["rejected"])
    assert what(study.trials) == what(expected.trials)[: len(study.trials)]


def test_a_larger_budget_goes_on(tmp_path) -> None:
    journal = Journal(tmp_path / "s.db")
    first = study_of(Priced(), journal, population=8)
    first.run(simulated_seconds=200)
    again = study_of(Priced(), journal, population=8)
    assert again.run(simulated_seconds=200) == "200 simulated seconds are used up"
    assert len(again.trials) == len(first.trials)
    again.run(simulated_seconds=400)
    whole = study_of(Priced(), population=8)
    whole.run(simulated_seconds=400)
    assert what(again.trials) == what(whole.trials)
    assert len(whole.trials) > len(first.trials)


def test_a_search_that_finds_nothing_new_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("untrained.study.budget.MOST_COPIES", 40)
    study = study_of(Synthetic(), algorithm="genetic", population=4, mutation=0.0)
    assert study.run(simulated_seconds=1e9) == "no new network in 40 trials"
    assert all(trial.copied is not None for trial in study.trials[-40:])


# -- patience ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ranking", ["rank_sum", "first", "pareto"])
def test_patience_ends_a_search_in_the_same_place_however_it_runs(shuffled: None, ranking: str) -> None:
    evaluator = Synthetic(rejected=0.1, failed=0.1, empty=0.1)
    study = ranked(ranking, evaluator)
    assert study.run(2000, patience=25) == "no progress in 25 evaluations"
    told = [t for t in study.trials if t.state != "rejected"]
    assert 25 <= len(told) < 2000
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(study_module, "make_executor", lambda evaluator, *_: Serial(evaluator))
        alone = ranked(ranking, evaluator)
        alone.run(2000, patience=25)
    assert what(study.trials) == what(alone.trials)


@pytest.mark.parametrize("ranking", ["first", "pareto"])
def test_patience_counts_from_the_newest_of_the_best(ranking: str) -> None:
    """Against a plain definition, for every number of trials."""
    study = ranked(ranking, Synthetic(rejected=0.1, empty=0.1))
    study.run(60)
    fitness = study.fitness
    told = Told(Budget(evaluations=99, patience=7), fitness)
    ended = None
    for number, trial in enumerate(study.trials, start=1):
        told.add(trial)
        if ended is None and told.enough():
            ended = number
    expected = None
    for number in range(1, len(study.trials) + 1):
        seen = study.trials[:number]
        complete = [t for t in seen if t.state == "complete" and t.copied is None and None not in t.values.values()]
        newest = -1
        if complete:
            scores = fitness.scores(complete)
            good = fronts(scores) == 1 if ranking == "pareto" else scores[:, 0] == scores[:, 0].max()
            newest = max(t.number for t, best in zip(complete, good, strict=True) if best)
        since = sum(t.state != "rejected" for t in seen if t.number > newest)
        if expected is None and since >= 7:
            expected = number
    assert ended == expected is not None


def test_equal_networks_are_no_progress() -> None:
    told = Told(Budget(evaluations=99, patience=3), Fitness("pareto", {"a": 1, "b": 1}))
    point = PLACE.at(0)
    for number in range(3):
        told.add(Trial(number, point, values={"a": 1.0, "b": 2.0}))
    assert told.enough() is None
    told.add(Trial(3, point, values={"a": 1.0, "b": 2.0}))
    assert told.enough() == "no progress in 3 evaluations"
    never = Told(Budget(evaluations=99), Fitness("first", {"a": 1}))
    for number in range(50):
        never.add(Trial(number, point, values={"a": 1.0}))
    assert never.enough() is None


# -- minutes -----------------------------------------------------------------------------------------------------------


class Clock:
    """Goes on by a second with every evaluation."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr("untrained.study.study.time.monotonic", lambda: self.now)

    def evaluator(self) -> object:
        clock = self

        class Slow(Synthetic):
            def __call__(self, architecture: Architecture, *, seed: int) -> Outcome:
                clock.now += 1.0
                return super().__call__(architecture, seed=seed)

        return Slow()


def networks(study: Study) -> int:
    return sum(trial.copied is None for trial in study.trials)


def test_minutes_count_over_all_runs(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    study = study_of(clock.evaluator(), Journal(tmp_path / "s.db"), algorithm="random")
    assert study.run(minutes=0.5) == "0.5 minutes are used up"
    assert networks(study) == 30
    assert study.searched_seconds == 30
    clock.now += 3600  # time between runs does not count
    again = study_of(clock.evaluator(), Journal(tmp_path / "s.db"), algorithm="random")
    assert again.searched_seconds == 30
    assert again.run(minutes=0.5) == "0.5 minutes are used up"
    assert networks(again) == 30
    again.run(minutes=0.75)
    assert networks(again) == 45
    assert Journal(tmp_path / "s.db").searched(again.record) == 45
    # Trials that were under way when the time was up were evaluated again: nothing is missing.
    whole = study_of(Synthetic(), algorithm="random")
    whole.run(again.evaluations)
    assert what(again.trials) == what(whole.trials)


def test_time_counts_up_to_the_last_trial_of_a_killed_run(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    journal = Journal(tmp_path / "s.db")

    def kill(trial: Trial) -> None:
        if trial.number == 9:
            clock.now += 500
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        study_of(clock.evaluator(), journal, algorithm="random").run(50, on_trial=kill)
    assert study_of(None, journal).searched_seconds == 10


def test_the_first_budget_that_is_used_up_ends_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    everything = {"minutes": 0.5, "simulated_seconds": 1e6, "patience": 10_000}
    assert study_of(clock.evaluator(), algorithm="random").run(20, **everything) == "20 evaluations are used up"
    assert study_of(clock.evaluator(), algorithm="random").run(200, **everything) == "0.5 minutes are used up"


def test_stores_from_before_there_were_clocks(tmp_path) -> None:
    path = tmp_path / "s.db"
    study = study_of(Synthetic(), Journal(path), population=8)
    study.run(5)
    study.journal.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TABLE clocks")
    old = study_of(Synthetic(), Journal(path), population=8)
    assert old.searched_seconds == 0
    old.run(10)
    assert study_of(None, Journal(path)).searched_seconds > 0
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE clocks SET seconds = 'soon'")
        connection.commit()
    with pytest.raises(InputError, match="damaged: the clock"):
        study_of(None, Journal(path))


# -- budgets -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("budget", "message"),
    [
        ({"evaluations": 0}, "evaluations is a whole number, at least 1, not 0"),
        ({"patience": 0}, "patience is a whole number, at least 1"),
        ({"evaluations": 2.5}, "evaluations is a whole number, at least 1, not 2.5"),
        ({"evaluations": "5"}, "evaluations is a whole number, at least 1, not '5'"),
        ({"minutes": "1"}, "minutes is a positive number, not '1'"),
        ({"minutes": 0}, "minutes is a positive number, not 0"),
        ({"minutes": -1}, "minutes is a positive"),
        ({"minutes": math.nan}, "minutes is a positive"),
        ({"simulated_seconds": math.inf}, "simulated_seconds is a positive"),
        ({"simulated_seconds": 5}, "--table-cost COLUMN"),
    ],
)
def test_budgets_that_cannot_be(tmp_path, budget: Mapping[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        search(metrics="params", store=tmp_path / "s.db", **budget)
    assert not (tmp_path / "s.db").exists()


def test_without_another_end_there_are_300_evaluations() -> None:
    assert Budget().evaluations == Budget(patience=5).evaluations == 300
    assert Budget(minutes=5).evaluations is Budget(simulated_seconds=5).evaluations is None
    assert Budget(minutes=1, patience=4).doubled(50) == Budget(minutes=2, patience=8)
    assert Budget(20, simulated_seconds=3).doubled(50) == Budget(100, simulated_seconds=6)


def test_a_patient_search_by_hand_has_no_end() -> None:
    study = study_of(None, population=4)
    for _ in range(12):
        study.tell(study.ask(), {"up": 1.0, "down": 1.0})
    assert study.searched_seconds == 0
    assert np.isfinite(study.simulated_seconds)
