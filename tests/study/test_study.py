"""The loop: the same study whatever the order of the answers, interrupted or not, by machine or by hand."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from study_evaluators import DIRECTIONS, HOMES, Mishaps, Synthetic, study_of, what

from untrained.algorithms.trial import Trial
from untrained.architecture import Architecture
from untrained.errors import InputError, LimitError, StoreError
from untrained.evaluate.outcome import Outcome
from untrained.registry import ALGORITHMS
from untrained.seeds import derive
from untrained.spaces.space import space
from untrained.study import study as study_module
from untrained.study.executors import Serial
from untrained.study.journal import Journal
from untrained.study.study import Study

TROUBLE = Synthetic(rejected=0.15, failed=0.1, empty=0.1)
ALL = pytest.mark.parametrize("algorithm", ALGORITHMS.names())


def options(algorithm: str) -> dict[str, float | str]:
    """So small that there are several generations, of networks that differ."""
    return {
        "genetic": {"population": 9, "mutation": 0.6},
        "aging": {"population": 9, "sample": 3},
        "annealing": {"moves": "global"},
        "area": {"population": 4, "sample": 2, "oversampling": 3},
        "freerea": {"population": 9, "sample": 4},
        "nsga2": {"population": 9},
        "swap-nas": {"population": 9},
    }.get(algorithm, {})


class Shuffled(Serial):
    """Any number of workers: some of the evaluations under way end at a time, in any order.

    After `patience` answers it is interrupted.
    """

    def __init__(self, evaluator, seed: int, patience: float = math.inf) -> None:
        super().__init__(evaluator)
        self.random = random.Random(seed)
        self.patience = patience

    def collect(self):
        self.random.shuffle(self._queue)
        answers = {}
        for _ in range(self.random.randint(1, len(self._queue))):
            if self.patience <= 0:
                raise KeyboardInterrupt
            self.patience -= 1
            answers |= super().collect()
        return answers


@pytest.fixture
def shuffled(monkeypatch: pytest.MonkeyPatch):
    """Makes studies run in a random order."""

    def use(seed: int, patience: float = math.inf) -> None:
        monkeypatch.setattr(
            study_module, "make_executor", lambda evaluator, workers, timeout: Shuffled(evaluator, seed, patience)
        )

    return use


def finished(algorithm: str, evaluations: int = 80, evaluator=TROUBLE, **more) -> Study:
    study = study_of(evaluator, algorithm=algorithm, **options(algorithm), **more)
    study.run(evaluations)
    return study


# -- one study, however it comes about -------------------------------------------------------------------------------


@ALL
@pytest.mark.parametrize("place", ["nats-tss", "chain"])
def test_the_order_of_the_answers_does_not_matter(algorithm: str, place: str, shuffled) -> None:
    if place == "chain" and algorithm in ("bohb", "reinforce", "pruning"):
        pytest.skip("refuses spaces without a fixed number of genes, or without super-networks")
    place = HOMES.get(algorithm, place)
    expected = finished(algorithm, place=place)
    assert expected.evaluations == 80
    assert len(expected.complete) < len(expected.trials)  # searches that repeat themselves meet little trouble
    for seed in range(3):
        shuffled(seed)
        assert what(finished(algorithm, place=place).trials) == what(expected.trials)


@ALL
def test_a_study_continues_as_if_nothing_had_happened(algorithm: str, shuffled, tmp_path) -> None:
    expected = what(finished(algorithm).trials)
    for seed in range(3):
        path = tmp_path / f"{seed}.db"
        rng = random.Random(seed)
        interruptions = 0
        while True:
            shuffled(rng.randrange(1000), rng.randint(0, 30))
            study = study_of(TROUBLE, Journal(path), algorithm=algorithm, **options(algorithm))
            before = len(study.trials)
            try:
                study.run(80)
                break
            except KeyboardInterrupt:
                interruptions += 1
                stored = study_of(None, Journal(path), algorithm=algorithm).trials
                assert what(stored) == what(study.trials)
                assert len(stored) >= before
        assert interruptions
        assert what(study.trials) == expected
        assert what(study_of(None, Journal(path), algorithm=algorithm).trials) == expected


@ALL
def test_a_finished_study_can_be_extended(algorithm: str) -> None:
    study = finished(algorithm, 30)
    study.run(31)
    study.run(80)
    assert what(study.trials) == what(finished(algorithm, 80).trials)


@ALL
@pytest.mark.parametrize("ahead", [1, 3])
def test_how_far_questions_run_ahead_belongs_to_the_study(algorithm: str, ahead: int, shuffled) -> None:
    expected = finished(algorithm, ahead=ahead)
    for seed in range(3):
        shuffled(seed)
        assert what(finished(algorithm, ahead=ahead).trials) == what(expected.trials)


@ALL
def test_by_hand_is_the_same(algorithm: str) -> None:
    evaluator = Synthetic(empty=0.1)
    expected = finished(algorithm, 60, evaluator)
    rng = random.Random(0)
    by_hand = study_of(None, algorithm=algorithm, **options(algorithm))
    waiting: list[Trial] = []
    while len(by_hand.trials) < 60 or waiting:
        if len(by_hand.trials) + len(waiting) < 60 and len(waiting) < rng.randint(1, 8):
            # Nothing can be asked for while the oldest question is open and the generation or `ahead` waits for it.
            with suppress(InputError):
                waiting.append(by_hand.ask())
                continue
        trial = waiting.pop(rng.randrange(len(waiting)))
        assert trial.state == "asked"
        network = by_hand.space.canonical(trial.architecture)
        by_hand.tell(trial, evaluator(network, seed=derive(0, "candidate", str(network))).values)
    assert [row[:6] for row in what(by_hand.trials)] == [row[:6] for row in what(expected.trials)]


def test_by_hand_and_by_machine_take_turns() -> None:
    study = study_of(Synthetic())
    asked = [study.ask() for _ in range(3)]
    study.tell(asked[1], {"up": 1.0, "down": 0.0})
    study.run(20)
    assert [trial.number for trial in study.trials] == list(range(20))
    assert study.ask().number == 20
    with pytest.raises(InputError, match="not asked for"):
        study.tell(asked[0], {"up": 1.0, "down": 0.0})


def test_after_an_interruption_the_trials_under_way_are_asked_again(shuffled) -> None:
    study = study_of(Synthetic())
    shuffled(1, 20)
    with pytest.raises(KeyboardInterrupt):
        study.run(60)
    holes = sorted(set(range(study.trials[-1].number)) - {trial.number for trial in study.trials})
    assert holes
    for number in holes:
        trial = study.ask()
        assert trial.number == number
        study.tell(trial, {"up": 0.0, "down": 0.0})


def test_more_questions_than_may_be_open() -> None:
    study = study_of(None, ahead=4)
    asked = [study.ask() for _ in range(4)]
    with pytest.raises(InputError, match="under way"):
        study.ask()
    for trial in asked[1:]:
        study.tell(trial, {"up": 0.0, "down": 0.0})
    with pytest.raises(InputError, match="under way"):
        study.ask()
    study.tell(asked[0], {"up": 0.0, "down": 0.0})
    assert [study.ask().number for _ in range(4)] == [4, 5, 6, 7]


# -- what is evaluated -----------------------------------------------------------------------------------------------


@dataclass
class Counting:
    """Remembers what it was asked."""

    evaluator: Synthetic
    calls: Counter = field(default_factory=Counter)
    seeds: dict = field(default_factory=dict)

    @property
    def directions(self) -> Mapping[str, int]:
        return DIRECTIONS

    def __call__(self, architecture: Architecture, *, seed: int) -> Outcome:
        self.calls[architecture] += 1
        self.seeds[architecture] = seed
        return self.evaluator(architecture, seed=seed)


@pytest.mark.parametrize("order", [None, 0, 1, 2])
def test_identical_networks_are_scored_once(order: int | None, shuffled) -> None:
    if order is not None:
        shuffled(order)
    counting = Counting(TROUBLE)
    study = study_of(counting, algorithm="aging", population=4, sample=4)
    study.run(150)
    place = space("nats-tss")
    assert set(counting.calls.values()) == {1}
    first: dict[Architecture, Trial] = {}
    for trial in study.trials:
        network = place.canonical(trial.architecture)
        known = first.setdefault(network, trial)
        assert trial.copied == (None if known is trial else known.number)
        assert (trial.state, trial.values, trial.reasons) == (known.state, known.values, known.reasons)
        if trial.copied is not None:
            assert (trial.seconds, trial.costs) == (0.0, {})
    assert {trial.state for trial in study.trials if trial.copied is not None} >= {"complete", "rejected"}
    assert set(counting.calls) == set(first)


def test_the_seed_of_a_candidate_depends_on_study_and_network_alone() -> None:
    one, two, other = Counting(Synthetic()), Counting(Synthetic()), Counting(Synthetic())
    study_of(one, algorithm="random").run(60)
    study_of(two, algorithm="aging", population=5, sample=2).run(60)
    study_of(other, algorithm="random", seed=1).run(60)
    assert len(set(one.seeds.values())) == len(one.seeds)
    for architecture in one.seeds.keys() & two.seeds.keys():
        assert one.seeds[architecture] == two.seeds[architecture]
    for architecture, seed in one.seeds.items():
        assert seed == derive(0, "candidate", str(architecture))
    assert not set(one.seeds.values()) & set(other.seeds.values())


def test_rejected_candidates_cost_nothing_of_the_budget() -> None:
    study = finished("random", 60, Synthetic(rejected=0.5))
    assert study.evaluations == 60
    assert study.counts()["complete"] == 60
    assert study.counts()["rejected"] > 20
    assert study.trials[-1].state == "complete"


@ALL
def test_limits_that_leave_nothing_end_the_search(algorithm: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study_module, "MOST_REJECTED", 50)
    study = study_of(Synthetic(rejected=1.0), algorithm=algorithm)
    with pytest.raises(LimitError, match="50 candidates in a row broke the limits x<1"):
        study.run(10)
    assert study.counts() == {"complete": 0, "rejected": len(study.trials), "failed": 0}
    assert 50 <= len(study.trials) < 60


@pytest.mark.parametrize(
    ("mishap", "reason"),
    [
        ("raise", "OddError: this and that"),
        ("assert", "AssertionError: no message"),
        ("memory", "MemoryError: DefaultCPUAllocator: can't allocate memory"),
    ],
)
def test_a_candidate_that_raises_is_recorded_and_the_search_goes_on(mishap: str, reason: str) -> None:
    study = finished("aging", 80, Mishaps(mishap=mishap))
    failed = [trial for trial in study.trials if trial.state == "failed"]
    assert 5 < len(failed) < 30
    assert study.evaluations == 80
    assert {trial.reasons["error"] for trial in failed} == {reason}
    assert all(trial.values == {} for trial in failed)


def test_only_the_first_line_of_an_error_is_kept() -> None:
    study = finished("random", 20, Synthetic(failed=0.5))
    assert {trial.reasons["error"] for trial in study.trials if trial.state == "failed"} == {
        "ValueError: no such convolution"
    }


def test_wrong_input_ends_the_search() -> None:
    study = study_of(Mishaps(mishap="input"))
    with pytest.raises(InputError, match="mu and sigma"):
        study.run(80)
    assert study.counts()["failed"] == 0


# -- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("evaluations", [0, -5])
def test_zero_evaluations(evaluations: int) -> None:
    with pytest.raises(InputError, match="evaluations is a whole number, at least 1"):
        study_of(Synthetic()).run(evaluations)


@pytest.mark.parametrize("arguments", [{"workers": 0}, {"workers": -1}, {"timeout": 0.0}, {"timeout": -1.0}])
def test_impossible_workers(arguments: dict) -> None:
    study = study_of(Synthetic())
    with pytest.raises(InputError, match=r"workers|timeout"):
        study.run(5, **arguments)
    assert study.trials == []


def test_a_study_without_evaluator_can_only_be_read() -> None:
    with pytest.raises(InputError, match=r"untrained\.search"):
        study_of(None).run(5)


def test_answers_that_nobody_asked_for() -> None:
    study = study_of(None)
    with pytest.raises(InputError, match="not asked for"):
        study.tell(0, {"up": 1.0, "down": 1.0})
    trial = study.ask()
    for values in ({}, {"up": 1.0}, {"up": 1.0, "down": 1.0, "sideways": 1.0}):
        with pytest.raises(InputError, match="up, down"):
            study.tell(trial, values)
    for value in ("1.0", [1.0, 2.0], torch.ones(2), object()):
        with pytest.raises(InputError, match="the value of down is a number"):
            study.tell(trial, {"up": 1.0, "down": value})
    study.tell(trial.number, {"down": torch.tensor(1.0), "up": np.float32(2)})
    with pytest.raises(InputError, match="told already"):
        study.tell(trial, {"up": 1.0, "down": 1.0})
    assert list(study.trials[0].values) == ["up", "down"]


def test_two_at_the_same_study(tmp_path) -> None:
    one = study_of(Synthetic(), Journal(tmp_path / "runs.db"))
    two = study_of(Synthetic(), Journal(tmp_path / "runs.db"))
    one.run(10)
    with pytest.raises(StoreError, match="another process"):
        two.run(20)
    assert what(study_of(None, Journal(tmp_path / "runs.db")).trials) == what(one.trials)


def test_numbers_of_any_kind_are_stored_as_floats(tmp_path) -> None:
    study = study_of(None, Journal(tmp_path / "runs.db"))
    study.tell(study.ask(), {"up": np.float32(0.5), "down": torch.tensor(2)})
    study.tell(study.ask(), {"up": 3, "down": None})
    stored = study_of(None, Journal(tmp_path / "runs.db"))
    assert [dict(trial.values) for trial in stored.trials] == [{"up": 0.5, "down": 2.0}, {"up": 3.0, "down": None}]
    assert what(stored.trials) == what(study.trials)
    assert type(study.trials[0].values["up"]) is float


# -- what was found --------------------------------------------------------------------------------------------------


def told(*values: tuple[float | None, float | None]) -> Study:
    """A study whose trials have these values of `up` and `down`."""
    study = study_of(None, algorithm="random")
    for up, down in values:
        study.tell(study.ask(), {"up": up, "down": down})
    return study


def test_best_trials_by_hand() -> None:
    # ranks of up: 2, 1, 3.5, 3.5; of down, where lower is better: 1, 4, 2.5, 2.5
    study = told((8.0, 1.0), (9.0, 7.0), (1.0, 3.0), (1.0, 3.0))
    assert [trial.number for trial in study.best_trials] == [0, 1, 2, 3]
    assert study.best_trial.number == 0
    np.testing.assert_array_equal(study.fitness(study.trials), [-3, -5, -6, -6])


def test_a_trial_without_a_finite_value_is_worst() -> None:
    bad = [(None, 0.0), (math.inf, 0.0), (math.nan, 0.0), (9.0, -math.inf)]
    study = told(*bad, (0.0, 9.0), (1.0, 8.0))
    assert [trial.number for trial in study.best_trials] == [5, 4, 0, 1, 2, 3]
    np.testing.assert_array_equal(study.fitness(study.trials)[:4], [-math.inf] * 4)


def test_each_network_is_among_the_best_once(shuffled) -> None:
    shuffled(0)
    study = study_of(TROUBLE, algorithm="aging", population=4, sample=4)
    study.run(120)
    networks = [study.space.canonical(trial.architecture) for trial in study.best_trials]
    complete = {study.space.canonical(trial.architecture) for trial in study.complete}
    assert len(networks) == len(set(networks))
    assert set(networks) == complete
    assert all(trial.copied is None for trial in study.best_trials)


def test_each_network_is_among_the_best_once_by_hand() -> None:
    study = study_of(None, algorithm="aging", population=3, sample=3)
    for _ in range(80):
        trial = study.ask()
        study.tell(trial, {"up": float(len(set(trial.architecture.genes))), "down": 0.0})
    networks = [study.space.canonical(trial.architecture) for trial in study.best_trials]
    assert len(networks) == len(set(networks)) < 80


def test_nothing_found_yet() -> None:
    study = study_of(Synthetic())
    assert study.best_trials == study.trials == study.complete == []
    assert study.counts() == {"complete": 0, "rejected": 0, "failed": 0}
    with pytest.raises(InputError, match="no complete trial"):
        _ = study.best_trial
    assert len(study.trials_dataframe()) == 0


def test_table_of_trials() -> None:
    study = finished("genetic", 60)
    table = study.trials_dataframe()
    assert list(table.number) == [trial.number for trial in study.trials]
    assert list(table.columns) == [
        "number", "state", "architecture", "operator", "parents", "up", "down", "seconds", "copied", "reason",
    ]  # fmt: skip
    assert [Architecture.parse(text) for text in table.architecture] == [trial.architecture for trial in study.trials]
    failed = table[table.state == "failed"]
    assert set(failed.reason) == {"error: ValueError: no such convolution"}
    assert failed.up.isna().all()
    assert dict(table.state.value_counts()) == study.counts()


def test_every_trial_is_reported_once_after_it_is_stored(tmp_path, shuffled) -> None:
    shuffled(3)
    study = study_of(TROUBLE, Journal(tmp_path / "runs.db"), algorithm="aging", population=9, sample=2)
    reader = Journal(tmp_path / "runs.db")
    reported: list[Trial] = []

    def report(trial: Trial) -> None:
        reported.append(trial)
        assert trial.number in {stored.number for stored in reader.trials(study.record)}

    study.run(40, on_trial=report)
    assert sorted(trial.number for trial in reported) == [trial.number for trial in study.trials]
    reported.clear()
    study.run(60, on_trial=report)
    assert [trial.number for trial in study.trials][-len(reported) :] == sorted(trial.number for trial in reported)
    assert len(reported) >= 20
    study.run(60, on_trial=lambda trial: pytest.fail("there was nothing to do"))


def test_threads_of_torch_are_given_back() -> None:
    threads = torch.get_num_threads()
    seen = []

    @dataclass
    class Looking(Counting):
        def __call__(self, architecture: Architecture, *, seed: int) -> Outcome:
            seen.append(torch.get_num_threads())
            return super().__call__(architecture, seed=seed)

    try:
        torch.set_num_threads(2)
        study_of(Looking(Synthetic())).run(3)
        assert (set(seen), torch.get_num_threads()) == ({1}, 2)
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_values_that_are_not_finite_are_none_with_a_reason(value: float) -> None:
    study = study_of(None)
    trial = study.tell(study.ask(), dict.fromkeys(study.directions, value))
    assert set(trial.values.values()) == {None}
    assert all("no finite number" in why for why in trial.reasons.values())
    assert set(trial.reasons) == set(study.directions)


def test_the_network_to_build_keeps_the_limit() -> None:
    """Proposals may have edges that lead nowhere; limits are of the network without them, and so is the answer."""
    import untrained as un
    from untrained.nn.counts import count_parameters

    study = un.search(metrics=["logsynflow"], evaluations=40, limits=["params<500k"], seed=3)
    sizes = [
        count_parameters(un.create_model(trial.architecture, num_classes=10, in_chans=1)) for trial in study.best_trials
    ]
    assert max(sizes) < 500_000
    raw = [count_parameters(un.create_model(t.architecture, num_classes=10, in_chans=1)) for t in study.complete]
    assert max(raw) >= 500_000
