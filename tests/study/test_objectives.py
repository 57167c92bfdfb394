"""Several objectives, from any evaluator: what is stored, what is measured once, what the answer is, what is refused."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from study_evaluators import DIRECTIONS, Synthetic, study_of, what

from untrained.algorithms.pareto import distance_to_ideal
from untrained.errors import InputError, LimitError, NetworkError, StoreError, UnknownNameError
from untrained.evaluate.combined import Combined
from untrained.evaluate.latency import Latency
from untrained.evaluate.quantities import SIMULATED
from untrained.seeds import generator
from untrained.spaces.space import space
from untrained.study.evaluation import read_objectives
from untrained.study.search import load_study, open_search, search
from untrained.study.study import Study
from untrained.tables.table import Table

SMALL = "channels=1,cells=1"
PLACE = space("nats-tss")


def quick(*objectives: str, **changes) -> Study:
    arguments = {"algorithm": "random", "evaluations": 12, "skeleton": SMALL, "target": SMALL}
    return search("nats-tss", "digits", objectives=objectives, **(arguments | changes))


def whole_space() -> pd.DataFrame:
    """Made-up numbers for every architecture of the space."""
    rng = generator("table")
    texts = [PLACE.format(PLACE.at(number)) for number in range(PLACE.size)]
    return pd.DataFrame(
        {"arch_str": texts, "val 12": rng.random(len(texts)), "slow": rng.random(len(texts)), "epoch": 2.0}
    )


@pytest.fixture(scope="session")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("table") / "all.parquet"
    whole_space().to_parquet(path)
    return path


def dominated(one: np.ndarray, others: np.ndarray) -> bool:
    return bool(((others >= one).all(axis=1) & (others > one).any(axis=1)).any())


@pytest.mark.parametrize("ranking", ["pareto", "rank_sum"])
def test_the_front_is_what_nothing_dominates(ranking: str) -> None:
    plain = study_of(None)
    record = plain.journal.create("ranked", {**plain.setup, "options": {}, "ranking": ranking})
    study = Study(plain.journal, record, PLACE, DIRECTIONS, Synthetic(rejected=0.1, empty=0.2))
    study.run(60)
    scores = {t.number: np.array([t.values["up"], -t.values["down"]]) for t in study.best_trials if t.values["down"]}
    everything = np.array(list(scores.values()))
    assert {t.number for t in study.front} == {n for n, one in scores.items() if not dominated(one, everything)}
    assert study.has_front == (ranking == "pareto")
    if ranking == "pareto":
        best = study.best_trials
        assert best[: len(study.front)] == study.front
        assert study.best_trial == study.front[0]
        assert len({str(trial.architecture) for trial in best}) == len(best)
        assert {t.architecture for t in best} == {PLACE.canonical(t.architecture) for t in study.complete}


def test_the_compromise_is_nearest_to_the_best_of_each_objective() -> None:
    front = np.array([[0.0, 10.0], [8.0, 9.0], [9.0, 2.0], [10.0, 0.0]])
    expected = [1.0, np.hypot(0.2, 0.1), np.hypot(0.1, 0.8), 1.0]
    np.testing.assert_allclose(distance_to_ideal(front), expected)
    # The units of an objective do not matter, and one that all share says nothing.
    np.testing.assert_allclose(distance_to_ideal(front * [1e300, 1e-300]), expected)
    np.testing.assert_allclose(distance_to_ideal(np.c_[front, np.full(4, 7.0)]), expected)
    assert distance_to_ideal(np.zeros((0, 2))).shape == (0,)


def test_an_empty_study_has_an_empty_front() -> None:
    assert study_of(Synthetic()).front == []


def test_objectives_have_usual_directions_and_a_minus_wants_low() -> None:
    names = ["nwot", "params", "latency_ms", "accuracy", "table:x", "az_trainability"]
    assert list(read_objectives(names).items()) == [
        ("nwot", 1), ("params", 1), ("latency_ms", -1), ("accuracy", 1), ("table:x", 1), ("az_trainability", 1),
    ]  # fmt: skip
    assert set(read_objectives([f"-{name}" for name in names]).values()) == {-1}
    assert read_objectives(["- swap( mu=1, sigma = 2)"]) == {"swap(mu=1,sigma=2)": -1}
    for text in ("nwott", "-nwott"):
        with pytest.raises(UnknownNameError, match="unknown objective 'nwott'; did you mean 'nwot'"):
            read_objectives([text])


def test_one_search_mixes_all_kinds(tmp_path: Path, table: Path) -> None:
    wanted = ["nwot", "-params", "latency_ms(repeats=3,warmup=1)", "accuracy(epochs=1)", "table:val 12"]
    more = {
        "tables": table,
        "table_cost": "epoch*12",
        "limits": ["macs<1M", "table:slow<0.9"],
        "store": tmp_path / "s.db",
    }
    study = quick(*wanted, evaluations=5, **more)
    names = [name.removeprefix("-") for name in wanted]
    assert list(study.directions.items()) == list(zip(names, (1, -1, -1, 1, 1), strict=True))
    assert study.setup["ranking"] == "pareto"
    rows = Table.read(table, PLACE)
    for trial in study.complete:
        assert list(trial.values)[:5] == names
        assert set(trial.values) - set(names) == {"macs", "table:slow", SIMULATED, "latency_iqr_ms(repeats=3,warmup=1)"}
        row = rows.row(PLACE.canonical(trial.architecture))
        assert trial.values["table:val 12"] == rows.column("val 12")[row]
        assert trial.values["table:slow"] == rows.column("slow")[row] < 0.9
        assert trial.values[SIMULATED] == 24
        assert 0 <= trial.values["accuracy(epochs=1)"] <= 1
    assert {why.partition(" breaks ")[2] for t in study.trials for why in t.reasons.values()} <= {
        "table:slow<0.9",
        "macs<1,000,000",
    }
    kinds = study.setup["conditions"]
    assert kinds["latency_ms(repeats=3,warmup=1)"]["repeats"] == 3
    assert kinds["accuracy(epochs=1)"]["epochs"] == 1
    assert kinds["accuracy(epochs=1)"]["trained_on"] == 1151
    assert kinds["table:slow"] == {"table": rows.digest}
    again = load_study(tmp_path / "s.db")
    assert (again.directions, again.front, what(again.trials)) == (study.directions, study.front, what(study.trials))


def test_what_was_measured_is_never_measured_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[str] = []
    plain = Latency.__call__

    def counted(self, architecture, *, seed):
        measured.append(str(architecture))
        return plain(self, architecture, seed=seed)

    monkeypatch.setattr(Latency, "__call__", counted)
    wanted = ("-latency_ms(repeats=1,warmup=1)", "params")
    more = {"algorithm": "genetic", "options": {"population": 4, "mutation": 0.05}, "store": tmp_path / "s.db"}
    first = quick(*wanted, evaluations=20, **more)
    whole = quick(*wanted, evaluations=40, **more)
    assert len(measured) == len(set(measured)) < 40
    assert what(whole.trials)[:20] == what(first.trials)


def test_look_ups_are_the_same_with_two_workers(table: Path) -> None:
    more = {"tables": [table], "algorithm": "nsga2", "options": {"population": 9}, "limits": ["table:slow<0.7"]}
    one, two = (quick("table:val 12", "-params", evaluations=40, workers=workers, **more) for workers in (1, 2))
    assert what(one.trials) == what(two.trials)
    assert one.counts()["rejected"] > 0


def test_a_table_may_move_but_not_change(tmp_path: Path, table: Path) -> None:
    store = tmp_path / "s.db"
    first = quick("table:val 12", tables=table, store=store, name="mine", evaluations=3)
    assert first.setup["tables"] == [str(table)]
    frame = pd.read_parquet(table)
    frame.to_csv(tmp_path / "moved.csv", index=False)
    moved = quick("table:val 12", tables=tmp_path / "moved.csv", store=store, name="mine", evaluations=5)
    assert what(moved.trials)[:3] == what(first.trials)
    frame.assign(**{"val 12": 0.5}).to_parquet(tmp_path / "other.parquet")
    with pytest.raises(StoreError, match="conditions"):
        quick("table:val 12", tables=tmp_path / "other.parquet", store=store, name="mine", evaluations=7)


@pytest.mark.parametrize("changes", [{"processor": "another"}, {"repeats": 7}])
def test_latencies_of_other_conditions_do_not_mix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict
) -> None:
    more = {"store": tmp_path / "s.db", "name": "mine", "evaluations": 2}
    quick("latency_ms(repeats=1)", **more)
    plain = Latency.conditions
    monkeypatch.setattr(Latency, "conditions", lambda self: plain(self) | changes)
    with pytest.raises(StoreError, match="conditions"):
        quick("latency_ms(repeats=1)", **more)


def test_studies_of_before_continue(tmp_path: Path) -> None:
    """Their setups know nothing of objectives, tables and conditions."""
    journal = quick(store=tmp_path / "s.db", name="old", metrics=["nwot", "params"], evaluations=4).journal
    new = {"objectives", "tables", "table_cost", "conditions"}
    setup = {key: value for key, value in journal.study("old").setup.items() if key not in new}
    record = journal.create("older", setup)
    for trial in load_study(journal, "old").trials:
        journal.record(record, trial)
    older = search(
        metrics=["nwot", "params"], algorithm="random", evaluations=8, skeleton=SMALL, target=SMALL, store=journal,
        name="older",
    )  # fmt: skip
    assert what(older.trials) == what(search(
        metrics=["nwot", "params"], algorithm="random", evaluations=8, skeleton=SMALL, target=SMALL
    ).trials)  # fmt: skip


def test_a_part_of_a_table_is_searched_and_what_it_lacks_is_rejected(table: Path) -> None:
    half = Table.read(table, PLACE)
    half = Table(PLACE, half.architectures[::2], half.values[::2].reset_index(drop=True))
    study = quick("table:val 12", tables=half, evaluations=20)
    assert study.evaluations == 20
    assert {t.reasons["limits"] for t in study.trials if t.state == "rejected"} == {"not in the table"}
    assert study.setup["tables"] == [None]


def test_a_table_that_has_next_to_nothing_is_refused(table: Path) -> None:
    few = Table.read(table, PLACE)
    few = Table(PLACE, few.architectures[:3], few.values[:3])
    with pytest.raises(InputError, match="none of 300 random architectures of 'nats-tss' is in the table"):
        quick("table:val 12", tables=few)


def test_limits_that_leave_nothing_say_what_is_nearest(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("untrained.study.evaluation.FEASIBLE_DRAWS", 60)
    with pytest.raises(
        LimitError, match=r"table:slow<0; the nearest has table:slow 0\.00\d+; they have table:slow from 0"
    ):
        quick("nwot", tables=table, limits=["table:slow<0"])
    with pytest.raises(LimitError, match=r"latency_ms\(repeats=1\)<1e-06.* the nearest has latency_ms\(repeats=1\) \d"):
        quick("nwot", limits=["latency_ms(repeats=1)<0.000001"])
    with pytest.raises(LimitError, match=r"keeps params<10; the nearest has params \d"):
        quick("nwot", limits=["params<10", "latency_ms(repeats=1)<0.000001"])
    both = r"keeps params>900 and params<400; the nearest has params \d\d\d; they have params from \d+ to [\d,]+\."
    with pytest.raises(LimitError, match=both):
        quick("nwot", limits=["params>900", "params<400"])


def test_a_latency_limit_that_only_the_smallest_keep_is_no_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    from untrained.evaluate.outcome import Outcome
    from untrained.evaluate.sizes import size_of

    def by_size(self, architecture, *, seed):
        size = size_of(self.space, architecture, self.target, self.image_shape, self.num_classes)
        return Outcome({self.name: float(size.macs)})

    monkeypatch.setattr(Latency, "__call__", by_size)
    monkeypatch.setattr("untrained.study.evaluation.FEASIBLE_DRAWS", 60)
    macs = sorted(
        size_of(PLACE, PLACE.canonical(PLACE.sample(generator(0, "x", i))), PLACE.skeleton(SMALL), (1, 8, 8), 10).macs
        for i in range(60)
    )
    assert open_search(objectives=["nwot"], limits=[f"latency_ms<={macs[2]}"], skeleton=SMALL, target=SMALL).setup[
        "limits"
    ]


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_networks_that_do_not_run_do_not_end_a_latency_limit(share: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of them fail, and any of the others keeps the limit; or all fail, and their own error is what is said."""
    from untrained.evaluate.outcome import Outcome

    def fragile(self, architecture, *, seed):
        if random.Random(str(architecture)).random() < share:
            raise NetworkError("the network does not run: boom")
        return Outcome({self.name: 1.0 if len(asked) > 8 else 9.0})

    asked: list[None] = []
    monkeypatch.setattr(Latency, "__call__", lambda *a, **k: (asked.append(None), fragile(*a, **k))[1])
    monkeypatch.setattr("untrained.study.evaluation.FEASIBLE_DRAWS", 60)
    if share < 1:
        assert open_search(objectives=["nwot"], limits=["latency_ms<5"], skeleton=SMALL, target=SMALL).setup["limits"]
    else:
        with pytest.raises(NetworkError, match="boom"):
            open_search(objectives=["nwot"], limits=["latency_ms<5"], skeleton=SMALL, target=SMALL)


@pytest.mark.parametrize(
    ("objectives", "changes", "error", "message"),
    [
        (["nwot"], {"metrics": ["ni"]}, InputError, "both given"),
        (["nwot", "-nwot"], {}, InputError, "named twice"),
        (["table:x"], {}, InputError, "no table was given"),
        (["table:vall 12"], {"tables": "table"}, UnknownNameError, "val 12"),
        (["table:slow"], {"tables": ["table", "table"]}, InputError, "2 tables have a column 'slow'"),
        (["table:slow"], {"tables": "table", "table_cost": "epoch*many"}, InputError, "is no cost"),
        (["table:slow"], {"tables": "table", "table_cost": "epoch*0"}, InputError, "is no cost"),
        (["table:slow"], {"tables": "table", "table_cost": "epok"}, UnknownNameError, "epoch"),
        (["nwot"], {"tables": "table", "table_cost": "epoch"}, InputError, "no objective or limit is of the table"),
        (["nwot"], {"tables": "nowhere.csv"}, InputError, "no table 'nowhere.csv'"),
        (["latency_ms(bach=2)"], {}, UnknownNameError, "batch"),
        (["accuracy(recipe=slow)"], {}, UnknownNameError, "quick"),
        (["accuracy"], {"data": "plain"}, InputError, "no labels"),
        (["snip"], {"data": "plain"}, InputError, "no labels"),
        (["nwot", "params"], {"ranking": "single"}, InputError, "takes one metric"),
        (["nwot"], {"limits": ["accuracy>0.5"]}, LimitError, "known quantities"),
    ],
)  # fmt: skip
def test_wrong_input_is_refused(objectives, changes, error, message, table: Path, tmp_path: Path) -> None:
    if "tables" in changes:
        given = changes["tables"]
        swap = lambda one: table if one == "table" else one  # noqa: E731
        changes = changes | {"tables": [swap(one) for one in given] if isinstance(given, list) else swap(given)}
    if changes.get("data") == "plain":
        changes = changes | {"data": np.random.default_rng(0).random((40, 8, 8, 1), dtype=np.float32)}
    with pytest.raises(error, match=message):
        search(**({"objectives": objectives, "store": tmp_path / "s.db"} | changes))
    assert not (tmp_path / "s.db").exists()


def test_one_objective_is_a_plain_search() -> None:
    study = open_search(objectives="nwot")
    assert study.setup["ranking"] == "single"
    assert not study.has_front
    mixed = open_search(objectives=["nwot", "-params"], ranking="rank_sum")
    assert isinstance(mixed.evaluator, Combined)
    assert not mixed.has_front


def test_populations_larger_than_the_space_are_refused() -> None:
    with pytest.raises(InputError, match=r"population of 20000 and the space 'nats-tss' only 15625"):
        quick("params", algorithm="nsga2", options={"population": 20000})
