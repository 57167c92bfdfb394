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
    ],
)
def test_what_cannot_be_done_is_refused_before_any_work(run, table: Path, words: list[str], meant: str) -> None:
    (table.parent / "file").touch()
    message = run.refused("correlate", table, "accuracy", "--metrics", "params", *words)
    assert meant in message
    assert message.count("\n") == 1
    assert not (table.parent / "c.db").exists()
    assert not (table.parent / "untrained.db").exists()
