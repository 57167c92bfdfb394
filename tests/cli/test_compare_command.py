from __future__ import annotations

from untrained.alignment import align
from untrained.study.search import load_study, open_search

A = "chain:R32k5s1-D3-A2-g".replace("D3", "Dk3s1")
B = "chain:R64k5s1-Dk3s1-C16k3s1-A2-E-F16"


def test_people_see_both_rows_and_every_change(run):
    out = run.done("compare", A, B).out
    assert out.startswith(f"A {A}\nB {B}\n\n")
    assert str(align(A, B)) in out
    assert "+ conv(filters=16, kernel=3, stride=1)" in out
    assert "residual(filters=32, kernel=5, stride=1, skip=1) -> residual(filters=64, kernel=5, stride=1, skip=1)" in out
    assert "same network" not in out


def test_json_has_every_column(run):
    answer = run.done("compare", A, B, "--json").json
    alignment = align(A, B)
    assert answer["a"] == A
    assert answer["b"] == B
    assert answer["similarity"] == alignment.similarity
    assert answer["score"] == alignment.score
    assert answer["same_network"] is False
    assert [column["kind"] for column in answer["columns"]] == [pair.kind for pair in alignment.pairs]
    inserted = next(column for column in answer["columns"] if column["kind"] == "insertion")
    assert inserted["a"] is None
    assert inserted["b"] == {
        "kind": "conv",
        "symbol": "C",
        "parameters": {"filters": 16, "kernel": 3, "stride": 1},
    }
    assert all(column["a"] == column["b"] for column in answer["columns"] if column["kind"] == "match")


def test_identical_networks_are_said_to_be(run):
    dead = "nats-tss:|none~0|+|none~0|{}~1|+|skip_connect~0|none~1|none~2|"
    pair = dead.format("none"), dead.format("nor_conv_3x3")
    assert "both are the same network" in run.done("compare", *pair).out
    assert run.done("compare", *pair, "--json").json["same_network"] is True


def test_trials_of_a_study_go_by_number(run, store):
    trials = load_study(store).trials
    by_number = run.done("compare", 0, 3, "--store", store, "--json").json
    assert by_number["a"] == str(trials[0].architecture)
    assert by_number["b"] == str(trials[3].architecture)
    mixed = run.done("compare", trials[0].architecture, 3, "--store", store, "--name", "first", "--json").json
    assert mixed == by_number
    assert "has no trial 99" in run.refused("compare", 0, 99, "--store", store)
    assert "there is no store" in run.refused("compare", 0, 1, "--store", "nowhere.db")


def test_a_study_without_trials_has_none(run):
    open_search(metrics="params", store="empty.db", name="empty")
    assert "has no trial 0; it has none yet" in run.refused("compare", 0, 1, "--store", "empty.db")


def test_individuals_that_break_a_rule_can_be_compared(run):
    assert "similarity" in run.done("compare", "chain:C16k3s1-B", A).out


def test_what_cannot_be_compared(run):
    assert "one space" in run.refused("compare", A, "nats-tss:|none~0|+|none~0|none~1|+|none~0|none~1|none~2|")
    assert "unknown space 'chian'" in run.refused("compare", A, "chian:g")
    assert "unknown gene 'Z'" in run.refused("compare", A, "chain:Z")
    assert "names no space" in run.refused("compare", A, "")
    assert "unknown operation 'nor_conv_7x7'" in run.refused(
        "compare", A, "nats-tss:|nor_conv_7x7~0|+|none~0|none~1|+|none~0|none~1|none~2|"
    )
