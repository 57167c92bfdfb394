from __future__ import annotations

import inspect
import json
import shlex
import sqlite3

import numpy as np
import pytest
from PIL import Image

from untrained.cli import search as search_module
from untrained.cli.progress import SearchProgress
from untrained.study.search import load_study, open_search

ARCHITECTURE = "nats-tss:|nor_conv_3x3~0|+|none~0|none~1|+|none~0|none~1|none~2|"


def test_a_search_answers_on_stdout_and_works_on_stderr(run, tmp_path):
    answer = run.search("--evaluations", 12, "--store", "s.db", "--name", "one")
    best = load_study("s.db", "one").best_trial
    assert f"best of 12 trials: #{best.number}" in answer.out
    assert str(best.architecture) in answer.out
    assert " ← " in answer.out
    assert "untrained search --space nats-tss" in answer.out
    assert "--evaluations 24" in answer.out
    assert "new study 'one'" in answer.err
    assert "12 of 12 trials" in answer.err
    assert "\x1b" not in answer.out + answer.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["s.db"]


def test_json_is_one_document_that_agrees_with_the_store(run, store):
    answer = run.search(
        "--store", store, "--name", "first", "--evaluations", 14, "--seed", 5, "--option", "population=6", "--json"
    )
    study = load_study(store, "first")
    document = answer.json
    assert document["best"] == document["top"][0]
    assert document["best"]["architecture"] == str(study.best_trial.architecture)
    assert document["best"]["values"] == dict(study.best_trial.values)
    assert document["best"]["params"] == document["best"]["values"]["params"]
    assert document["counts"] == dict(study.counts())
    assert document["setup"]["options"] == {"population": 6}
    assert document["report"] is None
    assert document["training"] == []
    assert "14 trials were there already; nothing to search" in answer.err


def test_the_printed_command_continues_the_study(run):
    first = run.search(
        "--evaluations", 6, "--store", "a folder/s.db", "--name", "it's", "--limit", "macs<=40M", "--limit", "params<1e6",
        "--option", "population=5", "--algorithm", "aging", "--option", "sample=2", "--seed", 3, "--image-size", 12, "--json",
    )  # fmt: skip
    program, *words = shlex.split(first.json["resume"])
    assert program == "untrained"
    assert words[-2:] == ["--evaluations", "12"]
    second = run.done(*words, "--no-report", "--workers", 1, "--json")
    assert "6 trials were there already" in second.err
    assert second.json["evaluations"] == 12
    assert second.json["setup"] == first.json["setup"]


def test_defaults_are_those_of_the_library(run, monkeypatch):
    offered = inspect.signature(search_module.search).parameters
    library = inspect.signature(open_search).parameters
    for name in ("space", "data", "algorithm", "seed", "skeleton", "target", "ranking", "image_size", "name"):
        assert offered[name].default == library[name].default, name


def test_ctrl_c_keeps_everything_and_says_how_to_resume(run, monkeypatch):
    def after_five(self, trial):
        if self._study.evaluations == 5:
            raise KeyboardInterrupt

    words = ["search", "--metrics", "params,nwot", "--target", "channels=4", "--workers", 1, "--evaluations", 9]
    with monkeypatch.context() as patched:
        patched.setattr(SearchProgress, "__call__", after_five)
        answer = run(*words, "--store", "s.db", "--no-report")
    assert answer.code == 130
    assert answer.out == ""
    assert "interrupted; 5 trials are kept. Resume with:" in answer.err
    command = shlex.split(answer.err.splitlines()[-1])
    resumed = run.done(*command[1:], "--workers", 1, "--no-report", "--json")
    assert "5 trials were there already" in resumed.err
    whole = run.done(*words, "--store", "whole.db", "--no-report", "--json")
    assert resumed.json["best"] == whole.json["best"]
    assert [t.architecture for t in load_study("s.db").trials] == [
        t.architecture for t in load_study("whole.db").trials
    ]


def test_ctrl_c_before_anything_was_scored(run, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("untrained.images.load.load_images", stop)
    answer = run("search", "--evaluations", 3)
    assert (answer.code, answer.out) == (130, "")
    assert "before anything was scored" in answer.err


@pytest.fixture
def folder(tmp_path):
    """Two classes of 24 small pictures: bright ones and dark ones."""
    rng = np.random.default_rng(0)
    for name, level in (("dark", 60), ("light", 190)):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for i in range(24):
            pixels = np.clip(rng.normal(level, 30, (12, 12, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "pictures" / name / f"{i}.png")
    return tmp_path / "pictures"


def test_a_folder_of_pictures_from_search_to_trained_winner_and_report(run, folder, tmp_path):
    from untrained.training.trained import load_trained

    words = ["search", "--data", folder, "--metrics", "nwot,params", "--target", "channels=4,cells=1", "--workers", 1]
    words += ["--evaluations", 8, "--train", "--epochs", 2, "--store", "s.db", "--name", "pictures"]
    answer = run.done(*words, "--json")
    document = answer.json
    winner, rival = document["training"]
    assert (winner["label"], rival["label"]) == ("winner", "median random candidate")
    assert winner["architecture"] == document["best"]["architecture"]
    assert [len(r["history"]) for r in (winner, rival)] == [2, 2]
    assert 0 <= winner["test_accuracy"] <= 1
    assert "epoch 2: loss" in answer.err
    assert winner["parameters"] == document["best"]["params"]

    page = (tmp_path / document["report"]).read_text(encoding="utf-8")
    assert document["report"] == "runs/pictures.html"
    assert f"{winner['test_accuracy']:.2%}" in page
    assert "--train" in document["resume"]
    assert str(folder) in document["resume"]
    _, metadata = load_trained(winner["weights"])
    assert metadata["architecture"] == winner["architecture"]
    assert metadata["test_accuracy"] == winner["test_accuracy"]

    again = run.done("report", "--store", "s.db", "--json").json
    assert f"{rival['test_accuracy']:.2%}" in (tmp_path / again["report"]).read_text(encoding="utf-8")

    place = words.index("--train")
    untrained_again = [*words[:place], "--no-train", *words[place + len(["--train", "--epochs", 2]) :]]
    assert run.done(*untrained_again, "--json").json["training"] == document["training"]
    text = run.done(*untrained_again).out
    assert f"{winner['test_accuracy']:.2%}" in text
    assert "report: runs/pictures.html" in text


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["--space", "nats-ts"], "did you mean 'nats-tss'"),
        (["--metric", "nwott"], "did you mean 'nwot'"),
        (["--metrics", "nwot,nwot"], "named twice"),
        (["--algorithm", "genetics"], "did you mean 'genetic'"),
        (["--ranking", "rank"], "unknown ranking 'rank'"),
        (["--ranking", "single"], "'single' takes one metric"),
        (["--option", "population=1"], "population"),
        (["--option", "populations=9"], "did you mean 'population'"),
        (["--option", "population=big"], "takes a number"),
        (["--option", "population"], "no 'name=value'"),
        (["--option", "population=5", "--option", "population=6"], "'population' is given twice"),
        (["--epochs", "3"], "--epochs is for --train"),
        (["--recipe", "nope"], "--recipe is for --train"),
        (["--data", "nowhere"], "'nowhere' does not exist"),
        (["--skeleton", "tiny"], "unknown nats-tss skeleton 'tiny'"),
        (["--target", "channels=0"], "channels >= 1"),
        (["--limit", "params<"], "is no limit"),
        (["--limit", "size<3"], "cannot limit 'size'"),
        (["--limit", "params<10", "--target", "channels=1,cells=1"], "none of 300 random architectures"),
        (["--evaluations", "0"], "--evaluations"),
        (["--workers", "0"], "--workers"),
        (["--workers", "-3"], "--workers"),
        (["--epochs", "0"], "--epochs"),
        (["--timeout", "0"], "timeout is a positive number"),
        (["--timeout", "nan"], "timeout is a positive number"),
        (["--image-size", "3"], "image_size"),
        (["--train", "--recipe", "slow"], "unknown recipe 'slow'"),
        (["--report", "."], "is a folder"),
        (["--store", "."], "store"),
        (["--objective", "nwott"], "unknown objective 'nwott'; did you mean 'nwot'"),
        (["--objective", "nwot", "--metric", "ni"], "both given"),
        (["--objective", "accuracy", "--epochs", "3"], "write the objective as 'accuracy(epochs=3)'"),
        (["--objective", "table:x"], "give --table FILE"),
        (["--objective", "table:x", "--table", "nowhere.csv"], "no table 'nowhere.csv'"),
        (["--minutes", "0"], "minutes is a positive number, not 0"),
        (["--simulated-seconds", "60"], "name its column of seconds: --table-cost COLUMN"),
        (["--patience", "0"], "--patience"),
        (["--limit", "latency<5"], "known quantities: params, macs, latency_ms, table:COLUMN"),
    ],
)
def test_bad_input_is_refused_before_any_work(run, words, meant):
    message = run.refused("search", *words)
    assert meant in message
    assert "trials" not in message


def test_stores_that_cannot_be_used_are_refused(run, tmp_path):
    (tmp_path / "text.db").write_text("this is no database, and long enough to be sure of it" * 20)
    assert "not a database" in run.refused("search", "--store", "text.db")
    with sqlite3.connect(tmp_path / "other.db") as other:
        other.execute("CREATE TABLE birds (name TEXT)")
    other.close()
    assert "something else" in run.refused("search", "--store", "other.db")


def test_a_name_cannot_be_continued_with_another_setup(run, store):
    message = run.refused("search", "--store", store, "--name", "first", "--metrics", "nwot")
    assert "another setup" in message
    assert "use another --name" in message


def test_images_without_labels_can_be_searched_but_not_trained_on(run, tmp_path):
    np.savez(tmp_path / "plain.npz", x_train=np.random.default_rng(0).integers(0, 255, (40, 8, 8), dtype=np.uint8))
    assert "needs labels" in run.refused("search", "--data", "plain.npz", "--metrics", "nwot", "--train")
    run.search("--data", "plain.npz", "--evaluations", 3, "--name", "other")
    assert "snip" in run.refused("search", "--data", "plain.npz", "--metrics", "snip")


def test_a_front_is_printed_and_continued(run, tmp_path):
    words = [
        "search",
        "--objective",
        "nwot",
        "--objective",
        "-params",
        "--limit",
        "params<7k",
        "--target",
        "channels=4,cells=1",
    ]
    words += ["--workers", 1, "--no-report", "--name", "front"]
    text = run.done(*words, "--evaluations", 8).out
    study = load_study("untrained.db", "front")
    assert f"the compromise of a front of {len(study.front)} networks, of 8 trials: #{study.best_trial.number}" in text
    assert f"rejected: {study.counts()['rejected']} by params<7,000" in text
    table = text.partition("the front, by nwot")[2].partition("rejected:")[0].splitlines()[3:]
    rows = [line.split() for line in table if line.strip()]
    assert {int(row[0]) for row in rows} == {trial.number for trial in study.front}
    scores = [float(row[1].replace(",", "")) for row in rows]
    assert scores == sorted(scores, reverse=True)

    document = run.done(*words, "--evaluations", 8, "--json").json
    assert [one["number"] for one in document["front"]] == [trial.number for trial in study.front]
    assert document["rejected"] == {"params<7,000": study.counts()["rejected"]}
    assert document["best"] == document["front"][0]
    resume = shlex.split(document["resume"])[1:]
    assert "--objective -params" in document["resume"]
    again = run.done(*resume, "--no-report", "--workers", 1, "--json")
    assert again.json["evaluations"] == 16
    assert again.json["setup"] == document["setup"]
    plain = run.search("--evaluations", 3, "--name", "plain", "--json").json
    assert (plain["front"], plain["rejected"]) == (None, {})


def test_other_ends_are_told_and_doubled_in_the_command(run):
    words = [
        "search",
        "--metrics",
        "params",
        "--target",
        "channels=4,cells=1",
        "--workers",
        1,
        "--no-report",
        "--name",
        "a",
    ]
    patient = run.done(*words, "--patience", 5, "--evaluations", 60, "--option", "population=4")
    assert "ended: no progress in 5 evaluations" in patient.err
    assert patient.out.rstrip().endswith("--evaluations 120 --patience 10")
    words[-1] = "b"
    timed = run.done(*words, "--minutes", 0.002, "--json")
    assert "ended: 0.002 minutes are used up" in timed.err
    assert "of 0.002 min" in timed.err
    assert timed.json["resume"].endswith("--minutes 0.004")
    assert timed.json["searched_seconds"] >= 0.12
    again = run.done(*words, "--minutes", 0.002, "--json")
    assert again.json["evaluations"] == timed.json["evaluations"]


def test_tables_are_looked_up_and_named_in_the_command(run, tmp_path):
    from untrained.spaces.space import space

    place = space("nats-tss")
    cells = [place.at(number) for number in range(place.size)]
    lines = ["architecture,acc,epoch", *(f"{place.format(one)},{sum(one.genes)},3" for one in cells)]
    (tmp_path / "t a.csv").write_text("\n".join(lines))
    words = [
        "search",
        "--objective",
        "table:acc",
        "--table",
        "t a.csv",
        "--table-cost",
        "epoch*12",
        "--algorithm",
        "random",
    ]
    first = run.done(*words, "--evaluations", 6, "--workers", 1, "--no-report", "--json").json
    assert first["best"]["values"]["simulated_seconds"] == 36
    resume = shlex.split(first["resume"])[1:]
    simulated = run.done(
        *words, "--simulated-seconds", 1000, "--workers", 1, "--no-report", "--json", "--name", "other"
    )
    assert "of 1,000 simulated s" in simulated.err
    assert 1000 <= simulated.json["simulated_seconds"] <= 1000 + 8 * 36
    assert simulated.json["resume"].endswith("--simulated-seconds 2000")
    again = run.done(*resume, "--workers", 1, "--no-report", "--json").json
    assert (again["evaluations"], again["setup"]) == (12, first["setup"])


def test_when_nothing_can_be_scored_the_reason_is_told(run, monkeypatch):
    from untrained.evaluate.training_free import TrainingFree

    def broken(self, architecture, *, seed):
        raise RuntimeError("the probe is broken")

    monkeypatch.setattr(TrainingFree, "__call__", broken)
    answer = run("search", "--metrics", "nwot", "--evaluations", 3, "--workers", 1)
    assert answer.code == 2
    assert "error: no candidate could be scored; 3 failed: RuntimeError: the probe is broken" in answer.err


def test_a_table_without_a_number_is_refused_before_any_work(run, tmp_path):
    (tmp_path / "t.csv").write_text(f"architecture,acc\n{ARCHITECTURE},\n")
    words = ["--objective", "nwot", "--objective", "table:acc", "--table", "t.csv", "--evaluations", 3]
    assert "is in the table; a search by table needs" in run.refused("search", *words)


def test_values_that_nothing_has_are_told(run, monkeypatch):
    from untrained.evaluate.outcome import Outcome
    from untrained.evaluate.training_free import TrainingFree

    def empty(self, architecture, *, seed):
        return Outcome({"nwot": None, "ni": 1.0}, {"nwot": "it is undefined"})

    monkeypatch.setattr(TrainingFree, "__call__", empty)
    answer = run("search", "--metrics", "nwot,ni", "--evaluations", 3, "--workers", 1)
    assert answer.code == 2
    assert "error: no candidate could be scored; 3 without a value: nwot: it is undefined" in answer.err


def test_training_in_rungs(run, tmp_path):
    words = (
        "search", "--objective", "accuracy(epochs=2)", "--algorithm", "bohb", "--option", "rungs=2", "--option", "eta=2",
        "--skeleton", "channels=2,cells=1", "--workers", 1, "--store", "s.db", "--report", "r.html", "--evaluations",
    )  # fmt: skip
    early = run(*words, 2)
    assert early.code == 2
    assert "2 partial" in early.err
    assert "all of the 2 trials had a share of the evaluation; search on" in early.err
    found = run.done(*words, 5, "--json").json
    assert found["counts"] == {"complete": 3, "rejected": 0, "failed": 0, "partial": 2}
    page = (tmp_path / "r.html").read_text()
    assert "<dt>evaluated in part</dt><dd>2</dd>" in page
    shown = run.done("studies", "show", "--store", "s.db").out
    assert "2 partial" in shown


def test_two_workers_find_the_same(run):
    alone = run.search("--evaluations", 6, "--store", "one.db", "--json").json
    words = ["search", "--metrics", "params,nwot", "--target", "channels=4,cells=1", "--no-report", "--workers", 2]
    together = run.done(*words, "--evaluations", 6, "--store", "two.db", "--json").json
    assert together["best"] == alone["best"]
    assert json.dumps(together["top"]) == json.dumps(alone["top"])


def test_files_that_cannot_be_are_refused_before_any_work(run, tmp_path):
    (tmp_path / "file").touch()
    for words in (["--store", "file/s.db"], ["--store", "file/deeper/s.db"], ["--report", "file/page.html"]):
        message = run.refused("search", *words)
        assert "there can be no file" in message
        assert "trials" not in message
    (tmp_path / "runs").touch()
    assert "there can be no file 'runs/" in run.refused("search", "--name", "s")


def test_nothing_needed_is_written_over(run, tmp_path):
    table = tmp_path / "t.csv"
    table.write_text(f"architecture,acc\n{ARCHITECTURE},1\n")
    refused = {
        "the store": [
            ["--store", "r.db", "--report", "r.db"],
            ["--store", "w.safetensors", "--report", "w.html", "--train"],
            ["--store", "w.json", "--report", "w.html", "--train"],
            ["--store", "runs/s.safetensors", "--name", "s", "--train", "--no-report"],
        ],
        "an input": [["--table", table, "--report", "./t.csv"]],
        "another output": [["--report", "w.safetensors", "--train"]],
    }
    for what, lines in refused.items():
        for words in lines:
            message = run.refused("search", "--metrics", "params", "--evaluations", 2, *words)
            assert f"is {what} already" in message
    assert table.read_text().startswith("architecture")


def test_a_study_with_a_long_name_has_a_report(run, tmp_path):
    words = ["search", "--metrics", "params", "--evaluations", 2, "--workers", 1, "--name", "ü" * 400]
    (page,) = (tmp_path / "runs").glob("*.html") if run.done(*words) else ()
    assert len(page.name.encode()) < 200
    assert "no training runs" in (page.with_suffix(".json").write_text("junk"), run(*words).err)[1]


def test_names_that_are_no_text_are_refused(run):
    assert "no text that can be stored" in run.refused("search", "--name", "a\udcff")
