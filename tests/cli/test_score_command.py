from __future__ import annotations

import numpy as np
import pytest

from untrained.study.search import load_study

BARE = "|nor_conv_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|none~0|avg_pool_3x3~1|nor_conv_3x3~2|"
FULL = f"nats-tss:{BARE}"


def test_scores_are_those_of_a_search_with_the_same_seed(run, store):
    study = load_study(store)
    trials = study.best_trials[:3]
    texts = [str(trial.architecture) for trial in trials]
    answer = run.done(
        "score", *texts, "--metrics", "params,nwot", "--target", "channels=4,cells=1", "--seed", 5, "--json"
    )
    for record, trial in zip(answer.json, trials, strict=True):
        assert record["architecture"] == str(trial.architecture)
        assert {name: one["value"] for name, one in record["metrics"].items()} == dict(trial.values)
    other = run.done("score", texts[0], "--metric", "nwot", "--seed", 6, "--json").json
    assert other[0]["metrics"]["nwot"]["value"] != trials[0].values["nwot"]


def test_one_architecture_is_a_table_with_meanings(run):
    answer = run.done("score", FULL, "--metrics", "nwot,params")
    assert answer.out.startswith(FULL)
    assert "Number of trainable parameters" in answer.out
    assert "higher" in answer.out


def test_several_architectures_are_one_table(run):
    answer = run.done("score", FULL, "--space", "nats-tss", "--random", 2, "--metric", "params", "--metric", "macs")
    lines = answer.out.splitlines()
    assert [line.split()[0] for line in lines[2:5]] == ["1", "2", "3"]
    assert FULL in lines[2]
    assert "Higher is better." in answer.out


def test_texts_without_a_space_and_patterns_of_metrics(run):
    answer = run.done("score", BARE, "--space", "nats-tss", "--metrics", "par*,macs", "--json")
    assert answer.json[0]["architecture"] == FULL
    assert set(answer.json[0]["metrics"]) == {"params", "macs"}


def test_a_metric_without_a_value_says_why(run):
    empty = "nats-tss:|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"
    record = run.done("score", empty, FULL, "--metric", "ni", "--json").json[0]["metrics"]["ni"]
    assert record["value"] is None
    assert record["reason"]
    assert f"no value: {record['reason']}" in run.done("score", empty, "--metric", "ni").out
    assert f"#1 has no ni: {record['reason']}" in run.done("score", empty, FULL, "--metric", "ni").out


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ([], "nothing to score"),
        (["--random", "2"], "needs --space"),
        ([BARE], "names no space"),
        (["nats-tss:|nor_conv_5x5~0|"], "column"),
        ([FULL, "--metric", "nwott"], "did you mean 'nwot'"),
        ([FULL, "--metrics", "zzz*"], "unknown metric 'zzz*'"),
        ([FULL, "--data", "nowhere"], "does not exist"),
        ([FULL, "--skeleton", "huge"], "unknown nats-tss skeleton"),
        (["--space", "nowhere", "--random", "1"], "unknown space 'nowhere'"),
    ],
)
def test_bad_input_is_refused(run, words, meant):
    assert meant in run.refused("score", *words)


def test_metrics_with_labels_need_labels(run, tmp_path):
    np.savez(tmp_path / "plain.npz", x_train=np.random.default_rng(0).integers(0, 255, (40, 8, 8), dtype=np.uint8))
    assert "have no labels" in run.refused("score", FULL, "--data", "plain.npz", "--metric", "snip")
