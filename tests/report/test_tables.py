from __future__ import annotations

import re
from html import unescape

import pytest

from untrained.report import tables
from untrained.report.sizes import target_size
from untrained.spaces.space import create_model
from untrained.study.search import search


def cells(html):
    """The rows of a table as texts."""
    return [
        [unescape(re.sub(r"<[^>]+>", "", cell)) for cell in re.findall(r"<td[^>]*>(.*?)</td>", row)]
        for row in re.findall(r"<tr>(.*?)</tr>", html)[1:]
    ]


def test_best_table_lists_the_best_with_scores_sizes_and_texts(study):
    rows = cells(tables.best_table(study))
    assert len(rows) == 10
    for place, (row, trial) in enumerate(zip(rows, study.best_trials, strict=False), start=1):
        network = create_model(trial.architecture, num_classes=10, in_chans=1, skeleton="nats")
        parameters = sum(p.numel() for p in network.parameters())
        assert row[:2] == [str(place), str(trial.number)]
        assert row[2] == f"{trial.values['good']:.5g}"
        assert row[4] == f"{parameters:,}"
        assert row[-1] == study.space.format(trial.architecture)


def test_target_size_builds_no_weights(study):
    size = target_size(study, study.best_trial.architecture)
    assert size.parameters > 1000
    assert size.macs > size.parameters


def test_winner_table_places_the_winner_by_each_metric_alone(study):
    rows = {row[0]: row for row in cells(tables.winner_table(study))}
    winner = study.best_trial
    goods = [t.values["good"] for t in study.best_trials if t.values["good"] is not None]
    slows = [t.values["slow"] for t in study.best_trials]
    n = len(study.best_trials)
    assert rows["good"][2:] == ["higher", f"{1 + sum(v > winner.values['good'] for v in goods)} of {n}"]
    assert rows["slow"][2:] == ["lower", f"{1 + sum(v < winner.values['slow'] for v in slows)} of {n}"]


def test_ancestors_are_all_that_a_trial_descends_from(study):
    trials = {trial.number: trial for trial in study.trials}
    child = next(trial for trial in reversed(study.complete) if len(tables.ancestors(study, trial)) > 4)
    expected, waiting = set(), list(child.parents)
    while waiting:
        number = waiting.pop()
        expected.add(number)
        waiting += trials[number].parents
    assert tables.ancestors(study, child) == expected


def test_family_stops_after_so_many_generations_and_tells_each_once(study, monkeypatch):
    trials = {trial.number: trial for trial in study.trials}
    child = max(study.complete, key=lambda trial: len(tables.ancestors(study, trial)))
    monkeypatch.setattr(type(study), "best_trial", child)
    for generations in range(4):
        html = tables.family(study, generations)
        told = [int(number) for number in re.findall(r"<b>#(\d+)</b>", html)]
        expected, level = {child.number}, {child.number}
        for _ in range(generations):
            level = {parent for number in level for parent in trials[number].parents}
            expected |= level
        assert set(told) == expected
        assert html.count("<ul") == html.count("</ul>")
        assert html.count("<li>") == html.count("</li>") == len(told)
        assert html.count("earlier ancestors") + html.count("are above") > 0


@pytest.mark.parametrize("text", ["<script>", "a|b,c/d+e)", "&amp;"])
def test_breakable_text_is_escaped_and_reads_the_same(text):
    html = tables.breakable(text)
    assert "<script" not in html
    assert unescape(re.sub("<wbr>", "", html)) == text


def test_setup_table_spells_lists_mappings_and_nothing():
    rows = dict(cells(tables.setup_table({"a_b": [1, 2], "c": {"x": 0.5}, "d": [], "e": None, "f": "<i>", "g": 0})))
    assert rows == {"a b": "1, 2", "c": "x=0.5", "d": "–", "e": "–", "f": "<i>", "g": "0"}


def test_numbers_are_readable():
    assert [tables.number(v) for v in (None, 3.0, 1234567.0, 0.000123456, 484.60838, 4084.375, 156477.97)] == [
        "–", "3", "1,234,567", "0.00012346", "484.61", "4,084.4", "156,478",
    ]  # fmt: skip


def test_a_size_that_is_an_objective_is_told_once():
    found = search("nats-tss", metrics=["params"], evaluations=3, algorithm="random")
    assert [row[0] for row in cells(tables.winner_table(found))] == ["params", "MACs"]
    heads = re.findall(r"<th [^>]*>(.*?)</th>", tables.best_table(found))
    assert heads == ["position", "trial", "params", "MACs", "architecture"]
