"""`untrained correlate`."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from untrained.cli.app import main
from untrained.spaces.nats_tss import nats_tss


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
