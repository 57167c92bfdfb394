"""`untrained correlate`."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from untrained.cli.app import main
from untrained.spaces.nats_tss import nats_tss

CELLS = [nats_tss.format(nats_tss.at(index)) for index in range(8)]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Eight cells with an accuracy each."""
    path = tmp_path / "cells.csv"
    pd.DataFrame({"architecture": CELLS, "accuracy": [3, 1, 4, 1, 5, 9, 2, 6], "same": 1}).to_csv(path, index=False)
    return path


def test_table_page_and_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table, page, csv = tmp_path / "t.csv", tmp_path / "c.html", tmp_path / "c.csv"
    texts = [nats_tss.format(nats_tss.at(index)) for index in range(8)]
    pd.DataFrame({"architecture": texts, "accuracy": [3, 1, 4, 1, 5, 9, 2, 6]}).to_csv(table, index=False)
    call = ["correlate", str(table), "accuracy", "--metrics", "params,macs,params+macs", "--workers", "1"]
    call += ["--store", str(tmp_path / "c.db"), "--report", str(page), "--csv", str(csv)]
    assert main(call) == 0
    assert "params+macs" in capsys.readouterr().out
    assert main([*call, "--json"]) == 0
    records = json.loads(capsys.readouterr().out)
    assert [record["metric"] for record in records] == ["params", "macs", "params+macs"]
    assert page.read_text().startswith("<!doctype html>")
    assert len(pd.read_csv(csv)) == 3


def test_bad_input_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["correlate", str(tmp_path / "no.csv"), "accuracy"]) == 2
    assert capsys.readouterr().err.startswith("error: there is no table")


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["--report", "file/deeper/c.html"], "there can be no file 'file/deeper/c.html'"),
        (["--report", "."], "'.' is a folder"),
        (["--csv", "."], "'.' is a folder"),
        (["--csv", "/proc/x.csv"], "there can be no file '/proc/x.csv'"),
        (["--csv", "cells.csv"], "is an input already"),
        (["--csv", "c.db", "--store", "c.db"], "is the store already"),
        (["--csv", "a", "--report", "a"], "is another output already"),
        (["--metrics", "params,params"], "a metric is named twice: params"),
        (["--metrics", "params+macs,macs + params"], "a metric is named twice: macs+params"),
        (["--metrics", "params+params"], "a metric is named twice: params"),
        (["--ranking", "nope"], "unknown ranking 'nope'"),
        (["--ranking", "single", "--metrics", "params+macs"], "'single' takes one metric"),
    ],
)
def test_what_cannot_be_done_is_refused_before_any_work(run, table: Path, words: list[str], meant: str) -> None:
    (table.parent / "file").touch()
    message = run.refused("correlate", table, "accuracy", "--metrics", "params", *words)
    assert meant in message
    assert message.count("\n") == 1
    assert not (table.parent / "c.db").exists()
    assert not (table.parent / "untrained.db").exists()


def test_a_column_that_is_the_same_everywhere_is_refused(run, table: Path) -> None:
    assert "'same' is 1 everywhere" in run.refused("correlate", table, "same", "--metrics", "params")


@pytest.mark.filterwarnings("error")
def test_what_is_left_out_and_not_defined_is_told(run, tmp_path: Path) -> None:
    # No operation of these has parameters: every network is of the same size.
    same = [cell for cell in map(nats_tss.format, map(nats_tss.at, range(15625))) if "conv" not in cell][:5]
    pd.DataFrame({"architecture": same, "accuracy": [3, 1, 4, None, None]}).to_csv(tmp_path / "few.csv", index=False)
    words = ["correlate", "few.csv", "accuracy", "--metrics", "params", "--workers", "1", "--report", "c.html"]
    answer = run.done(*words)
    assert "2 of 5 architectures have no accuracy and are left out" in answer.err
    assert answer.out.splitlines()[-1].split()[:7] == ["params", *["–"] * 6]
    assert "– to –" in (tmp_path / "c.html").read_text(encoding="utf-8")
    assert "nan" not in answer.out
    assert run.done(*words, "--json").json[0]["spearman"] is None


def test_other_metrics_are_another_study(run, table: Path) -> None:
    words = ["correlate", table, "accuracy", "--workers", "1", "--metrics"]
    for metrics in ("params", "macs", "params"):
        run.done(*words, metrics)
    names = [study["study"] for study in run.done("studies", "list", "--json").json]
    assert len(names) == 2
    assert names[1] == f"{names[0]}-2"
