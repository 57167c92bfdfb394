"""From names to a running study and back: what is stored, what is refused, what comes out."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from study_evaluators import HOMES, what

import untrained as un
from untrained.algorithms.trial import Trial
from untrained.errors import DataError, InputError, LimitError, StoreError, UnknownNameError
from untrained.registry import ALGORITHMS
from untrained.spaces.chain import Chain
from untrained.spaces.space import space
from untrained.study.journal import Journal
from untrained.study.search import AHEAD, data_of, load_study, open_search, search
from untrained.study.study import Study

SMALL = "channels=1,cells=1"


def quick(**changes) -> Study:
    """A search that takes milliseconds a candidate."""
    arguments = {
        "space": "nats-tss", "data": "digits", "metrics": ["params"], "algorithm": "genetic", "options": {"population": 8},
        "evaluations": 24, "skeleton": SMALL, "target": SMALL,
    }  # fmt: skip
    return search(**(arguments | changes))


def test_a_search_from_end_to_end(tmp_path) -> None:
    seen: list[Trial] = []
    study = quick(metrics=["params", "ni", "synflow"], store=tmp_path / "runs.db", on_trial=seen.append)
    assert study.evaluations == len(seen) == 24
    assert [trial.number for trial in study.trials] == list(range(24))
    assert study.directions == {"params": 1, "ni": 1, "synflow": 1}
    assert study.setup["ranking"] == "rank_sum"
    assert study.ahead == AHEAD
    for trial in study.complete:
        assert list(trial.values) == ["params", "ni", "synflow"]
        assert all((value is None) == (name in trial.reasons) for name, value in trial.values.items())
    assert study.best_trial == study.best_trials[0]
    again = load_study(tmp_path / "runs.db")
    assert what(again.trials) == what(study.trials)
    assert again.best_trial == study.best_trial
    assert (again.name, again.setup, again.directions) == (study.name, study.setup, study.directions)


def test_the_same_call_gives_the_same_study_and_another_seed_another() -> None:
    one, two, other = (quick(metrics=["nwot", "synflow"], seed=seed) for seed in (0, 0, 1))
    assert what(one.trials) == what(two.trials)
    assert [trial.architecture for trial in one.trials] != [trial.architecture for trial in other.trials]


def test_studies_without_a_name_never_meet(tmp_path) -> None:
    store = tmp_path / "runs.db"
    first, second = (quick(metrics=metrics, store=store) for metrics in (["params"], ["skip"]))
    assert second.name == f"{first.name}-2"
    # Either is continued by its own setup, and a third search gets a number of its own.
    again = quick(metrics=["skip"], store=store, evaluations=30)
    assert (again.name, again.evaluations) == (second.name, 30)
    assert quick(metrics=["params"], store=store, evaluations=30).name == first.name
    assert quick(metrics=["params", "skip"], store=store).name == f"{first.name}-3"
    with pytest.raises(StoreError, match="exists with another setup"):
        quick(metrics=["skip"], store=store, name=first.name)


def test_a_space_says_what_searches_score_by() -> None:
    assert list(open_search("nats-tss").directions) == ["nwot", "logsynflow", "skip"]
    assert list(open_search("darts").directions) == ["swap", "params"]
    assert list(open_search("darts-tied").directions) == ["swap"]
    assert list(open_search("nats-sss").directions) == ["logsynflow"]
    assert list(open_search("darts", metrics="nwot").directions) == ["nwot"]


def test_the_study_is_the_same_with_two_workers() -> None:
    one, two = (quick(metrics=["nwot", "synflow"], evaluations=30, workers=workers) for workers in (1, 2))
    assert what(one.trials) == what(two.trials)


def test_the_same_name_continues(tmp_path) -> None:
    store = tmp_path / "runs.db"
    first = quick(store=store, evaluations=10)
    seen: list[Trial] = []
    study = quick(store=store, on_trial=seen.append)
    assert len(seen) == 14
    assert what(study.trials)[:10] == what(first.trials)
    assert what(study.trials) == what(quick().trials)
    quick(store=store, on_trial=lambda trial: pytest.fail("there was nothing to do"))


def test_limits_reject_before_anything_is_scored() -> None:
    place = space("nats-tss")
    study = quick(
        metrics=["params", "nwot"], algorithm="random", options=None, target="channels=4,cells=1", limits=["params<6k"]
    )
    assert study.evaluations == 24
    rejected = [trial for trial in study.trials if trial.state == "rejected"]
    assert rejected
    for trial in study.trials:
        # What is evaluated is the canonical form: edges that lead nowhere have no parameters.
        network = place.build(place.canonical(trial.architecture), in_chans=1, skeleton="channels=4,cells=1")
        count = sum(p.numel() for p in network.parameters())
        assert (trial.state == "rejected") == (count >= 6000)
        if trial.state == "rejected":
            assert trial.reasons == {"limits": f"params {count:,} breaks params<6,000"}
            assert trial.values == {}
        else:
            # Sizes are those of the target, not of the small network that is scored.
            assert trial.values["params"] == count


def test_impossible_limits_are_refused_with_what_there_is(tmp_path) -> None:
    near = r"none of 300 .* params<1,000; the nearest has params 4,\d\d\d; they have params from 4,\d\d\d to 17,534"
    with pytest.raises(LimitError, match=near):
        quick(target="channels=4,cells=1", limits=["params<1k"], store=tmp_path / "runs.db")
    assert not (tmp_path / "runs.db").exists()


@pytest.mark.parametrize(
    "change",
    [
        {"metrics": ["macs"]}, {"metrics": ["params", "macs"]}, {"algorithm": "random", "options": {}}, {"seed": 1},
        {"options": {"population": 9}}, {"limits": ["params<1G"]}, {"skeleton": "proxy"}, {"target": "proxy"},
        {"space": "chain", "target": "proxy"}, {"data": "arrays"}, {"image_size": 9}, {"ranking": "rank_sum"},
    ],
    ids=lambda change: " ".join(change),
)  # fmt: skip
def test_another_setup_under_the_same_name_is_refused(tmp_path, change: dict) -> None:
    store = tmp_path / "runs.db"
    study = quick(store=store, name="mine", evaluations=3)
    if "data" in change:
        rng = np.random.default_rng(0)
        change = {"data": (rng.random((40, 8, 8, 1), dtype=np.float32), np.arange(40) % 10)}
    with pytest.raises(StoreError, match=r"another setup.*there.*here"):
        quick(store=store, name="mine", **change)
    assert what(load_study(store).trials) == what(study.trials)


def test_several_studies_share_a_store(tmp_path) -> None:
    store = tmp_path / "runs.db"
    names = {quick(store=store, evaluations=3, seed=seed).name for seed in range(3)}
    assert len(names) == 3
    with pytest.raises(InputError, match="holds 3 studies"):
        load_study(store)
    assert len(load_study(store, min(names)).trials) == 3
    with pytest.raises(UnknownNameError):
        load_study(store, "nobody")
    with pytest.raises(StoreError, match="no store"):
        load_study(tmp_path / "other.db")


def test_a_loaded_study_continues_by_hand(tmp_path) -> None:
    store = tmp_path / "runs.db"
    quick(store=store, evaluations=10)
    study = load_study(store)
    expected = quick(evaluations=12).trials
    for number in (10, 11):
        trial = study.ask()
        assert trial.number == number
        assert (trial.architecture, trial.parents) == (expected[number].architecture, expected[number].parents)
        study.tell(trial, {"params": expected[number].values["params"]})
    with pytest.raises(InputError, match=r"untrained\.search"):
        study.run(20)


def test_a_journal_can_be_passed(tmp_path) -> None:
    journal = Journal()
    study = quick(store=journal, evaluations=5)
    assert study.journal is journal
    assert what(load_study(journal).trials) == what(study.trials)


@pytest.mark.parametrize("algorithm", ALGORITHMS.names())
def test_every_algorithm_searches(algorithm: str) -> None:
    study = quick(space=HOMES.get(algorithm, "nats-tss"), algorithm=algorithm, options=None, evaluations=30)
    assert study.evaluations == 30
    assert study.counts()["failed"] == 0


def test_a_space_is_searched_under_the_name_it_is_registered_by(tmp_path) -> None:
    assert quick(space=space("nats-tss"), evaluations=2).setup["space"] == "nats-tss"
    with pytest.raises(InputError, match="not registered under its name"):
        quick(space=Chain(legacy=True), target="proxy", skeleton="proxy", store=tmp_path / "runs.db")
    assert not (tmp_path / "runs.db").exists()


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"evaluations": 0}, InputError, "at least 1"),
        ({"space": "nats-ts"}, UnknownNameError, "nats-tss"),
        ({"metrics": []}, InputError, "no metric"),
        ({"metrics": ["parms"]}, UnknownNameError, "params"),
        ({"metrics": ["params", "params"]}, InputError, "named twice"),
        ({"algorithm": "genetics"}, UnknownNameError, "genetic"),
        ({"options": {"populaton": 4}}, UnknownNameError, "population"),
        ({"options": {"population": 1}}, InputError, "population"),
        ({"ranking": "ranksum"}, UnknownNameError, "rank_sum"),
        ({"metrics": ["params", "macs"], "ranking": "single"}, InputError, "takes one metric"),
        ({"skeleton": "tiny"}, UnknownNameError, "proxy"),
        ({"target": "channel=4"}, UnknownNameError, "channels"),
        ({"limits": ["params"]}, LimitError, "is no limit"),
        ({"data": "digit"}, DataError, "digits"),
        ({"workers": 0}, InputError, "workers"),
        ({"timeout": -1}, InputError, "timeout"),
        ({"workers": 1.5}, InputError, "workers"),
        ({"timeout": "a"}, InputError, "timeout"),
        ({"evaluations": 2.5}, InputError, "whole number"),
        ({"seed": "a"}, InputError, "a seed is a whole number, not 'a'"),
        ({"seed": 1.5}, InputError, "a seed is a whole number"),
        ({"space": None}, InputError, "a space is given by name"),
        ({"algorithm": None}, UnknownNameError, "unknown algorithm"),
        ({"ranking": 3}, UnknownNameError, "unknown ranking"),
        ({"options": "population=5"}, InputError, "options are a mapping"),
        ({"limits": [1]}, InputError, "a limit is a text"),
        ({"skeleton": 3}, InputError, "a skeleton is"),
        ({"tables": 3}, InputError, "tables are files"),
        ({"metrics": [None]}, InputError, "given by name"),
        ({"metrics": "swap(mu=1)"}, InputError, "and a positive sigma"),
        ({"metrics": None, "objectives": "params(x=1)"}, UnknownNameError, "params"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_wrong_input_is_refused_before_anything_is_stored(tmp_path, change: dict, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        quick(store=tmp_path / "runs.db", **change)
    assert not (tmp_path / "runs.db").exists()


def test_numbers_of_numpy_are_numbers(tmp_path) -> None:
    options = {"population": np.int64(4)}
    study = quick(store=tmp_path / "a.db", name="a", seed=np.int64(3), evaluations=np.int64(4), options=options)
    plain = quick(store=tmp_path / "b.db", name="a", seed=3, evaluations=4, options={"population": 4})
    assert study.setup == plain.setup
    assert [t.architecture for t in study.trials] == [t.architecture for t in plain.trials]


def test_metrics_that_need_labels_need_labelled_images() -> None:
    images = np.random.default_rng(0).random((40, 8, 8, 1), dtype=np.float32)
    labelled = next(name for name in un.list_metrics() if un.registry.METRICS[name].setting.labels)
    with pytest.raises(InputError, match="no labels"):
        quick(data=images, metrics=[labelled])
    assert quick(data=images, evaluations=3).setup["num_classes"] is None


def test_the_images_of_a_study_are_found_again(tmp_path) -> None:
    study = quick(evaluations=2)
    assert data_of(study).digest == study.setup["data_digest"]
    rng = np.random.default_rng(0)
    arrays = (rng.random((40, 8, 8, 1), dtype=np.float32), np.arange(40) % 10)
    study = quick(data=arrays, evaluations=2)
    assert data_of(study, arrays).digest == study.setup["data_digest"]
    with pytest.raises(InputError, match="not the images"):
        data_of(study, "digits")


def test_the_batch_is_the_same_for_every_candidate_and_depends_on_the_seed() -> None:
    one, two, other = (open_search(metrics=["nwot"], seed=seed).evaluator.images for seed in (0, 0, 1))
    assert one.equal(two)
    assert not one.equal(other)
    assert one.shape == (64, 1, 8, 8)


def test_one_metric_and_one_limit_may_stand_alone() -> None:
    assert (
        open_search(metrics="nwot", limits="params<500k").setup
        == open_search(metrics=["nwot"], limits=["params<500k"]).setup
    )


def test_image_files_that_cannot_be_read_are_named(tmp_path, caplog: pytest.LogCaptureFixture) -> None:
    for number in range(20):
        pixels = np.full((16, 16, 3), 10 * number, np.uint8)
        folder = tmp_path / "data" / ("dark" if number < 10 else "light")
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    open_search(data=tmp_path / "data", metrics="params")
    assert not caplog.messages
    (tmp_path / "data" / "dark" / "broken.png").write_bytes(b"")
    open_search(data=tmp_path / "data", metrics="params")
    assert caplog.messages == [
        "1 image file(s) of 'data' cannot be read and are left out: dark/broken.png: not an image"
    ]


def test_a_study_says_how_far_it_is() -> None:
    study = open_search(metrics="params", name="mine")
    assert repr(study) == "<study mine: no trial yet>"
    study.run(2)
    assert repr(study) == "<study mine: 2 complete>"


def test_a_store_that_is_removed_ends_the_search(tmp_path) -> None:
    path = tmp_path / "runs.db"
    with pytest.raises(StoreError, match="was removed or replaced while in use"):
        search(metrics=["params"], evaluations=9, store=path, on_trial=lambda trial: path.unlink(missing_ok=True))
