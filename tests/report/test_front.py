"""The page of a study with a front: the front marked, the rest faint, in a figure and in a table."""

from __future__ import annotations

import re

import pytest

from untrained.report import figures, tables
from untrained.report.page import report_page


@pytest.fixture(scope="module")
def fronted(make_study):
    return make_study(60, ranking="pareto")


def test_the_front_is_marked_and_the_rest_faint(fronted):
    dominated, front, compromise = figures.front(fronted).data
    members = [(trial.values["good"], trial.values["slow"]) for trial in fronted.front]
    assert list(zip(compromise.x, compromise.y, strict=True)) == members[:1]
    assert list(zip(front.x, front.y, strict=True)) == members[1:]
    others = {t.number for t in fronted.complete if t.copied is None} - {t.number for t in fronted.front}
    assert {int(text.removeprefix("trial ")) for text in dominated.text} == others
    assert dominated.marker.opacity < 0.5
    assert (front.marker.color, compromise.marker.symbol) == (figures.BEST, "star")


def test_the_table_holds_the_front_by_its_first_objective(fronted, monkeypatch):
    text = tables.front_table(fronted)
    ordered = sorted(fronted.front, key=lambda trial: -trial.values["good"])
    rows = re.findall(r'<tr><td class="number">\d+</td><td class="number">(\d+)</td>', text)
    assert [int(row) for row in rows] == [trial.number for trial in ordered]
    monkeypatch.setattr(tables, "MOST_FRONT", 1)
    assert f"1 of {len(ordered)} networks" in tables.front_table(fronted)


def test_only_a_study_with_a_front_shows_one(fronted, study):
    assert '<h2 id="the-front">' in report_page(fronted)
    assert '<h2 id="the-front">' not in report_page(study)


def test_conditions_are_readable():
    assert tables.plain({"latency_ms": {"batch": 1, "threads": 2}, "a": 3}) == "latency_ms (batch=1, threads=2), a=3"
