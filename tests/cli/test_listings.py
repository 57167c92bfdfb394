from __future__ import annotations

import os

import pytest

import untrained
from untrained.architecture import Architecture
from untrained.cli import doctor


def test_spaces_are_listed_with_size_and_summary(run):
    records = {record["name"]: record for record in run.done("spaces", "--json").json}
    assert sorted(records) == untrained.list_spaces()
    assert records["nats-tss"]["size"] == 15625
    assert all(record["summary"] and "proxy" in record["skeletons"] for record in records.values())
    text = run.done("spaces").out
    assert all(name in text for name in records)
    assert "15,625" in text


@pytest.mark.parametrize("name", ["nats-tss", "darts"])
def test_one_space_shows_an_architecture_that_can_be_read_back(run, name):
    record = run.done("spaces", name, "--json").json
    assert str(Architecture.parse(record["example"])) == record["example"]
    text = run.done("spaces", name).out
    assert record["example"] in text
    assert untrained.space(name).grammar in text
    assert " ← " in text


def test_metrics_are_listed_and_chosen_by_pattern(run):
    records = run.done("metrics", "--json").json
    assert [record["name"] for record in records] == untrained.list_metrics()
    assert all(record["better"] in ("higher", "lower") and record["summary"] for record in records)
    assert [r["name"] for r in run.done("metrics", "*flow*", "--json").json] == untrained.list_metrics("*flow*")
    line = next(line for line in run.done("metrics", "swap").out.splitlines() if line.startswith("swap"))
    assert "peng2024swap" in line


def test_algorithms_are_listed_with_their_options(run):
    document = run.done("algorithms", "--json").json
    records = {record["name"]: record for record in document["algorithms"]}
    assert sorted(records) == untrained.list_algorithms()
    assert records["genetic"]["options"]["population"] == 25
    assert [ranking["name"] for ranking in document["rankings"]] == untrained.list_rankings()
    assert "population=25" in run.done("algorithms").out
    assert "population" in run.done("algorithms", "genetic").out
    assert run.done("algorithms", "genetic", "--json").json == records["genetic"]
    assert "no options" in run.done("algorithms", "random").out


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["spaces", "nats-ts"], "did you mean 'nats-tss'"),
        (["metrics", "zzz*"], "unknown metric 'zzz*'"),
        (["algorithms", "genetics"], "did you mean 'genetic'"),
    ],
)
def test_unknown_names_are_refused(run, words, meant):
    assert meant in run.refused(*words)


def test_doctor_knows_this_installation(run):
    found = run.done("doctor", "--json").json
    assert found["untrained"] == untrained.__version__
    assert found["problems"] == []
    assert found["cores"] == len(os.sched_getaffinity(0))
    assert found["devices"][0] == "cpu"
    assert all(found["packages"][name] for name in ("torch", "numpy", "typer"))
    assert found["extras"]["dev"] is True
    text = run.done("doctor").out
    assert found["packages"]["torch"] in text


def test_doctor_finds_what_is_wrong(run, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", "/dev/null/cache")
    version = doctor._version
    monkeypatch.setattr(doctor, "_version", lambda package: None if package == "plotly" else version(package))
    answer = run("doctor", "--json")
    assert answer.code == 1
    assert len(answer.json["problems"]) == 2
    assert "plotly is not installed" in answer.json["problems"]
    assert "plotly missing" in run("doctor").out


def test_writable_asks_the_nearest_folder_that_exists(tmp_path, monkeypatch):
    assert doctor._writable(tmp_path / "a" / "b")
    (tmp_path / "file").write_text("")
    assert not doctor._writable(tmp_path / "file" / "c")
    monkeypatch.setattr(os, "access", lambda folder, mode: folder != tmp_path)
    assert not doctor._writable(tmp_path / "a")
