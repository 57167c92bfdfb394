from __future__ import annotations

import csv
import io
import json
import shutil
import sqlite3

import pytest

from untrained.cli.report import kept_runs
from untrained.report.training_run import TrainingRun, write_runs
from untrained.study.search import load_study


def test_list(run, store):
    (record,) = run.done("studies", "list", "--store", store, "--json").json
    assert record["study"] == "first"
    assert record["counts"] == {"complete": 14}
    text = run.done("studies", "list", "--store", store).out
    assert "first" in text
    assert "params, nwot" in text


def test_show(run, store):
    study = load_study(store)
    document = run.done("studies", "show", "--store", store, "--json").json
    assert document["setup"] == dict(study.setup)
    assert [t["number"] for t in document["top"]] == [t.number for t in study.best_trials[:10]]
    text = run.done("studies", "show", "--store", store, "--name", "first").out
    assert study.space.format(study.best_trial.architecture) in text
    assert "untrained search" in text
    assert "seed          5" in text


def test_export_as_csv_and_json_hold_every_trial(run, store, tmp_path):
    study = load_study(store)
    rows = [study.row(trial) for trial in study.trials]
    exported = run.done("studies", "export", "--store", store, "--format", "json").json
    assert exported == rows
    text = run.done("studies", "export", "--store", store).out
    table = list(csv.DictReader(io.StringIO(text)))
    assert [row["architecture"] for row in table] == [row["architecture"] for row in rows]
    assert [float(row["nwot"]) for row in table] == [row["nwot"] for row in rows]
    assert [row["copied"] for row in table] == ["" if row["copied"] is None else str(row["copied"]) for row in rows]
    answer = run.done("studies", "export", "--store", store, "--out", "trials.csv")
    assert answer.out == ""
    assert (tmp_path / "trials.csv").read_text() == text
    run.done("studies", "export", "--store", store, "--out", "trials.json", "--format", "json")
    assert json.loads((tmp_path / "trials.json").read_text()) == rows


def test_report_of_a_stored_study(run, store, tmp_path):
    answer = run.done("report", "--store", store, "--name", "first", "--out", "page.html")
    assert answer.out == "page.html\n"
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<h1>first</h1>" in page
    assert str(store) in page


def test_training_is_shown_only_while_its_winner_is_the_winner(store, tmp_path):
    study = load_study(store)
    best, second = (str(trial.architecture) for trial in study.best_trials[:2])
    page = tmp_path / "page.html"
    for architecture, shown in ((best, 1), (second, 0)):
        run = TrainingRun("winner", 1, architecture, 0.5, 10, 1.0, "quick", 0, ())
        write_runs([run], page.with_suffix(".json"))
        assert kept_runs(study, page) == [run] * shown
    assert kept_runs(study, tmp_path / "other.html") == []


@pytest.mark.parametrize("verb", [["studies", "list"], ["studies", "show"], ["studies", "export"], ["report"]])
def test_stores_that_are_none_are_refused(run, tmp_path, verb):
    assert "there is no store 'none.db'" in run.refused(*verb, "--store", "none.db")
    assert not (tmp_path / "none.db").exists()
    (tmp_path / "text.db").write_text("no database at all, but long enough to look like a file of something" * 20)
    assert "not a database" in run.refused(*verb, "--store", "text.db")
    with sqlite3.connect(tmp_path / "other.db") as other:
        other.execute("CREATE TABLE birds (name TEXT)")
    other.close()
    assert "something else" in run.refused(*verb, "--store", "other.db")


@pytest.mark.parametrize("verb", [["studies", "show"], ["studies", "export"], ["report"]])
def test_unknown_studies_are_refused(run, store, verb):
    assert "unknown study 'frist'; did you mean 'first'" in run.refused(*verb, "--store", store, "--name", "frist")


def test_files_that_cannot_be_written_are_refused(run, store, tmp_path):
    (tmp_path / "file").touch()
    for verb in (["studies", "export"], ["report"]):
        assert "there can be no file 'file/a'" in run.refused(*verb, "--store", store, "--out", "file/a")
        assert "'.' is a folder" in run.refused(*verb, "--store", store, "--out", ".")
        run.done(*verb, "--store", store, "--out", f"made/{verb[-1]}.html")


@pytest.mark.parametrize("verb", [["studies", "export"], ["report"]])
def test_the_store_is_never_written_over(run, store, tmp_path, verb):
    kept = shutil.copy(store, tmp_path / "kept.db")
    (tmp_path / "link.db").symlink_to(kept)
    (tmp_path / "hard.db").hardlink_to(kept)
    (tmp_path / "folder").mkdir()
    for out in ("kept.db", kept, "folder/../kept.db", "link.db", "hard.db", "kept.db-wal", "kept.db-shm"):
        assert "is the store already" in run.refused(*verb, "--store", "kept.db", "--out", out)
    assert "is the store already" in run.refused(*verb, "--store", "link.db", "--out", "kept.db-wal")
    assert load_study("kept.db").trials == load_study(store).trials


def test_training_runs_are_not_written_over_by_their_page(run, store, tmp_path):
    write_runs([], tmp_path / "page.json")
    assert "is an input already" in run.refused("report", "--store", store, "--out", "page.json")


@pytest.mark.parametrize(
    ("change", "meant"),
    [
        ("UPDATE studies SET setup = 'junk'", "should be JSON"),
        ("UPDATE studies SET setup = '[]'", "study 'first' cannot be read"),
        ("UPDATE studies SET setup = json_set(setup, '$.metrics', 3)", "its metrics cannot be 3"),
        ("UPDATE studies SET setup = json_set(setup, '$.metrics[0]', 3)", "its metrics cannot be [3"),
        ("UPDATE studies SET setup = json_set(setup, '$.image_shape[0]', 'x')", "its image_shape"),
        ("UPDATE studies SET setup = json_set(setup, '$.source', 5)", "its source cannot be 5"),
        ("UPDATE studies SET setup = json_remove(setup, '$.ranking')", "its ranking cannot be None"),
        ("UPDATE trials SET objectives = '[]' WHERE number = 3", "trial 3 cannot be read"),
        ('UPDATE trials SET objectives = \'{"nwot":"x"}\' WHERE number = 3', "trial 3 cannot be read"),
        ("UPDATE trials SET parents = 'junk' WHERE number = 3", "should be JSON"),
        ("UPDATE trials SET parents = '[\"a\"]' WHERE number = 3", "trial 3 cannot be read"),
        ("UPDATE trials SET reasons = '{\"a\":[1]}' WHERE number = 3", "trial 3 cannot be read"),
        ("UPDATE trials SET seconds = 'x' WHERE number = 3", "trial 3 cannot be read"),
        ("UPDATE trials SET operator = x'ff' WHERE number = 3", "trial 3 cannot be read"),
        ("UPDATE trials SET state = 'odd' WHERE number = 3", "trial 3 cannot be read"),
    ],
)
def test_damaged_stores_are_refused(run, store, tmp_path, change, meant):
    damaged = shutil.copy(store, tmp_path / "damaged.db")
    with sqlite3.connect(damaged) as connection:
        connection.execute(change)
    connection.close()
    for words in (["studies", "show"], ["studies", "export"], ["report"]):
        assert meant in run.refused(*words, "--store", damaged)
