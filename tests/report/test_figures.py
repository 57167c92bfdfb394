from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.stats import spearmanr

from untrained.report import figures
from untrained.report.standing import positions
from untrained.report.training_run import TrainingRun


def data(figure):
    """What the browser will be given."""
    return json.loads(figure.to_json())["data"]


def test_best_so_far_shows_every_trial_once_and_a_line_that_never_rises(study):
    *dots, line = data(figures.best_so_far(study))
    assert sorted(x for trace in dots for x in trace["x"]) == [trial.number for trial in study.complete]
    assert {trace["name"] for trace in dots} == {trial.operator for trial in study.complete}
    places = line["y"]
    assert places == sorted(places, reverse=True)
    assert places[-1] == 1
    assert line["x"][-1] == study.complete[-1].number
    first = min(t.number for t in study.complete if positions(study)[t.number] == 1)
    assert line["x"][places.index(1)] == first


def test_more_operators_than_colours_are_not_told_apart(study, monkeypatch):
    monkeypatch.setattr(figures, "COLOURS", figures.COLOURS[:2])
    dots, _ = data(figures.best_so_far(study))
    assert dots["name"] == "trials"
    assert sorted(dots["x"]) == [trial.number for trial in study.complete]
    (bars, _) = data(figures.operators(study))
    assert bars["y"] == list(dict.fromkeys(trial.operator for trial in study.complete))


def test_best_so_far_escapes_what_is_shown_on_hover(study):
    assert "<br>" in data(figures.best_so_far(study))[0]["text"][0]
    assert figures._hover(study.complete[0]).count("<") == figures._hover(study.complete[0]).count("<br>")


def test_every_metric_has_its_row_and_the_winner_is_a_star_in_front(study):
    rows = data(figures.metrics_over_trials(study))
    assert len(rows) == len(study.directions)
    winner = study.best_trial
    for trace, name in zip(rows, study.directions, strict=True):
        assert trace["x"][-1] == winner.number
        assert trace["y"][-1] == winner.values[name]
        assert trace["marker"]["symbol"].count("star") == 1
        assert trace["marker"]["symbol"][-1] == "star"


def test_values_that_span_decades_get_a_logarithmic_axis(study):
    layout = json.loads(figures.metrics_over_trials(study).to_json())["layout"]
    slow = [t.values["slow"] for t in study.complete]
    assert max(slow) > 300 * min(slow)
    assert layout["yaxis2"]["type"] == "log"
    assert layout["yaxis2"]["title"]["text"] == "slow (lower is better)"
    assert layout["yaxis"].get("type") != "log"


def test_pairs_show_each_network_once_and_the_rank_correlation_towards_better(study):
    figure = figures.metric_pairs(study)
    assert figure is not None
    (trace,) = data(figure)
    assert len(trace["x"]) == sum(trial.copied is None for trial in study.complete)
    both = [(t.values["good"], -t.values["slow"]) for t in study.complete if t.values["good"] is not None]
    expected = spearmanr(*zip(*both, strict=True)).statistic
    assert expected < -0.5
    assert figure.layout.annotations[0].text == f"rank correlation {expected:.2f}"


def test_a_single_metric_has_no_pairs(make_study):
    single = make_study(12, ranking="single")
    single.directions = {"good": 1}
    assert figures.metric_pairs(single) is None


def test_operators_count_all_trials_and_the_best_tenth(study):
    everything, best = data(figures.operators(study))
    assert sum(everything["x"]) == pytest.approx(1)
    assert sum(best["x"]) == pytest.approx(1)
    assert sum(int(n) for n in everything["text"]) == len(study.complete)
    assert sum(int(n) for n in best["text"]) == max(1, len(study.best_trials) // 10)
    made = [trial.operator for trial in study.complete]
    assert dict(zip(everything["y"], map(int, everything["text"]), strict=True)) == {o: made.count(o) for o in {*made}}


def test_losses_are_bars_by_kind_with_escaped_reasons(study):
    bars = {trace["name"]: trace for trace in data(figures.losses(study))}
    assert sum(bars["failed"]["x"]) == study.counts()["failed"]
    assert sum(bars["rejected"]["x"]) == study.counts()["rejected"]
    assert sum(bars["without a value"]["x"]) == sum(t.values["good"] is None for t in study.complete)
    assert bars["rejected"]["y"] == ["params&lt;500,000"]
    assert all("<b>" not in label and "<i>" not in label for trace in bars.values() for label in trace["y"])


def test_training_curves_have_accuracy_and_loss_of_every_run():
    def run(label, accuracies):
        history = tuple(
            {"number": i + 1, "loss": 1 / (i + 1), "train_accuracy": 0.5, "test_accuracy": a, "seconds": 1.0}
            for i, a in enumerate(accuracies)
        )
        return TrainingRun(label, 1, "nats-tss:x", accuracies[-1], 10, 1.0, "quick", 0, history)

    traces = data(figures.training_curves([run("winner", [0.2, 0.9]), run("other", [0.1, None])]))
    assert [trace["y"] for trace in traces] == [[0.2, 0.9], [1, 0.5], [0.1, None], [1, 0.5]]
    assert [trace["name"] for trace in traces if trace["showlegend"]] == ["winner", "other"]


def test_constant_scores_have_no_correlation(make_study):
    same = make_study(12)
    for trial in same._trials.values():
        object.__setattr__(trial, "values", {"good": 1.0, "slow": 2.0})
    with np.errstate(all="raise"):
        figure = figures.metric_pairs(same)
    assert figure.layout.annotations[0].text == "rank correlation –"
