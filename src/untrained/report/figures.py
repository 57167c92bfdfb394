"""Figures of a study. Every function returns a plotly figure without a title: the page says what one sees."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from html import escape
from itertools import combinations
from textwrap import wrap
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots
from scipy.stats import rankdata

from untrained.algorithms.trial import Trial
from untrained.report.losses import lost
from untrained.report.standing import positions, shown
from untrained.report.training_run import TrainingRun
from untrained.study.study import Study

# All of these can be told from each other and from white and near-black grounds.
COLOURS = ("#2f7ed8", "#e8590c", "#12a150", "#a855c7", "#c99700", "#0e9aa7", "#d6336c", "#7a8699")
WORST, BEST = "#8fa3bf", "#e8590c"
MOST_PAIRED = 5
"""So many metrics are compared in pairs; more would not fit a page."""


def best_so_far(study: Study) -> go.Figure:
    """The final position of every trial, and of the best one until then, over the trials."""
    places = positions(study)
    figure = go.Figure()
    groups = _by_operator(shown(study, places))
    if len(groups) > len(COLOURS):  # too many to be told apart, as the generations of an imported run
        groups = {"trials": [trial for trials in groups.values() for trial in trials]}
    for colour, (operator, trials) in zip(COLOURS, groups.items(), strict=False):
        figure.add_scatter(
            x=[trial.number for trial in trials],
            y=[places[trial.number] for trial in trials],
            mode="markers",
            name=escape(operator),
            marker={"color": colour, "size": 6, "opacity": 0.75},
            text=[_hover(trial) for trial in trials],
            hovertemplate="%{text}<br>position %{y}<extra></extra>",
        )
    steps = _running_best([(trial.number, places[trial.number]) for trial in study.complete])
    figure.add_scatter(
        x=[number for number, _ in steps],
        y=[place for _, place in steps],
        mode="lines",
        name="best so far",
        line={"shape": "hv", "width": 2.5, "color": "#7a8699"},
        hoverinfo="skip",
    )
    figure.update_xaxes(title="trial", rangemode="tozero")
    ticks = [step * 10**decade for decade in range(7) for step in (1, 2, 5)]
    figure.update_yaxes(title="position in the final ranking", type="log", autorange="reversed", tickvals=ticks)
    return dressed(figure, height=420)


def metrics_over_trials(study: Study) -> go.Figure:
    """Every metric over the trials, coloured by the position in the final ranking."""
    places = positions(study)
    trials = shown(study, places)
    names = list(study.directions)
    figure = make_subplots(rows=len(names), cols=1, shared_xaxes=True, vertical_spacing=0.12 / len(names))
    for row, name in enumerate(names, start=1):
        figure.add_trace(
            _dots(study, places, trials, [trial.number for trial in trials], _column(trials, name)), row, 1
        )
        figure.update_yaxes(title=_titled(study, name), **_scale(_column(trials, name)), row=row, col=1)
    figure.update_xaxes(title="trial", row=len(names), col=1)
    return dressed(figure, height=90 + 190 * len(names), legend=False)


def metric_pairs(study: Study) -> go.Figure | None:
    """Each metric against each other one, coloured by the position in the final ranking; None for a single metric."""
    names = list(study.directions)[:MOST_PAIRED]
    pairs = list(combinations(names, 2))
    if not pairs:
        return None
    places = positions(study)
    trials = [trial for trial in shown(study, places) if trial.copied is None]
    columns = min(3, len(pairs))
    rows = -(-len(pairs) // columns)
    agreement = [f"rank correlation {_spearman(study, a, b)}" for a, b in pairs]
    figure = make_subplots(
        rows=rows, cols=columns, subplot_titles=agreement, vertical_spacing=0.28 / rows, horizontal_spacing=0.1
    )
    for i, (a, b) in enumerate(pairs):
        row, column = i // columns + 1, i % columns + 1
        x, y = _column(trials, a), _column(trials, b)
        figure.add_trace(_dots(study, places, trials, x, y), row, column)
        figure.update_xaxes(title=_titled(study, a), **_scale(x), row=row, col=column)
        figure.update_yaxes(title=_titled(study, b), **_scale(y), row=row, col=column)
    figure.update_annotations(font_size=12)
    return dressed(figure, height=60 + 330 * rows, legend=False)


def front(study: Study) -> go.Figure:
    """Objectives against each other: the front marked, its compromise as a star, what it dominates faint."""
    pairs = list(combinations(list(study.directions)[:MOST_PAIRED], 2))
    members = study.front
    numbers = {trial.number for trial in members}
    others = [trial for trial in shown(study, positions(study)) if trial.copied is None and trial.number not in numbers]
    columns = min(3, len(pairs))
    rows = -(-len(pairs) // columns)
    figure = make_subplots(rows=rows, cols=columns, vertical_spacing=0.28 / rows, horizontal_spacing=0.1)
    kinds = (
        ("dominated", others, {"color": WORST, "size": 6, "opacity": 0.3}),
        ("front", members[1:], {"color": BEST, "size": 9, "line": {"width": 1, "color": "#ffffff"}}),
        ("compromise", members[:1], {"color": BEST, "size": 15, "symbol": "star"}),
    )
    for i, (a, b) in enumerate(pairs):
        row, column = i // columns + 1, i % columns + 1
        for name, trials, marker in kinds:
            figure.add_scatter(
                x=_column(trials, a),
                y=_column(trials, b),
                mode="markers",
                name=name,
                marker=marker,
                showlegend=i == 0,
                text=[f"trial {trial.number}" for trial in trials],
                hovertemplate="%{text}<br>%{x:.5g}, %{y:.5g}<extra></extra>",
                row=row,
                col=column,
            )
        everything = [*others, *members]
        figure.update_xaxes(title=_titled(study, a), **_scale(_column(everything, a)), row=row, col=column)
        figure.update_yaxes(title=_titled(study, b), **_scale(_column(everything, b)), row=row, col=column)
    return dressed(figure, height=80 + 330 * rows)


def operators(study: Study) -> go.Figure:
    """For each operator the share of all complete trials and the share of the best tenth that it made."""
    best = study.best_trials[: max(1, len(study.best_trials) // 10)]
    everything = Counter(trial.operator for trial in study.complete)
    top = Counter(trial.operator for trial in best)
    many = len(everything) > len(COLOURS)  # generations of an imported run: in their order, and closer
    names = list(everything) if many else sorted(everything, key=lambda name: -everything[name])
    figure = go.Figure()
    for label, counts, total, colour in (
        ("of all trials", everything, len(study.complete), WORST),
        (f"of the best {len(best)} networks", top, len(best), BEST),
    ):
        figure.add_bar(
            y=[escape(name) for name in names],
            x=[counts[name] / total for name in names],
            name=label,
            orientation="h",
            marker={"color": colour},
            text=[f"{counts[name]:,}" for name in names],
            textposition="outside",
            cliponaxis=False,
            hovertemplate="%{y}: %{text} " + label + "<extra></extra>",
        )
    figure.update_xaxes(tickformat=".0%", rangemode="tozero")
    return _bars(dressed(figure, height=110 + (32 if many else 62) * len(names)))


def losses(study: Study) -> go.Figure | None:
    """How many trials were rejected or failed, or have no value of a metric, by reason; None when there are none."""
    counts = lost(study)
    if not counts:
        return None
    figure = go.Figure()
    colours = {"rejected": COLOURS[0], "failed": COLOURS[6], "without a value": COLOURS[4]}
    for kind, colour in colours.items():
        rows = [(why, n) for (what, why), n in counts if what == kind]
        figure.add_bar(
            y=["<br>".join(map(escape, wrap(why, 46)[:3])) for why, _ in rows],
            x=[n for _, n in rows],
            name=kind,
            orientation="h",
            marker={"color": colour},
            text=[f"{n:,}" for _, n in rows],
            textposition="outside",
            cliponaxis=False,
            showlegend=bool(rows),
            hovertemplate="%{y}: %{x}<extra>" + kind + "</extra>",
        )
    figure.update_xaxes(title="trials", rangemode="tozero")
    return _bars(dressed(figure, height=130 + 44 * len(counts))).update_layout(barmode="stack")


def training_curves(runs: Sequence[TrainingRun]) -> go.Figure:
    """Accuracy on the held-out images and loss on the train images by epoch, one line a run."""
    figure = make_subplots(rows=1, cols=2, horizontal_spacing=0.12)
    for run, colour in zip(runs, (BEST, COLOURS[0], *COLOURS[2:]), strict=False):
        epochs = [row["number"] for row in run.history]
        for column, field in ((1, "test_accuracy"), (2, "loss")):
            line = {"color": colour, "width": 2.5}
            values = [row[field] for row in run.history]
            mode = "lines+markers" if len(epochs) < 30 else "lines"
            figure.add_scatter(
                x=epochs,
                y=values,
                name=escape(run.label),
                mode=mode,
                line=line,
                showlegend=column == 1,
                row=1,
                col=column,
            )
    figure.update_xaxes(title="epoch")
    figure.update_yaxes(title="test accuracy", tickformat=".0%", row=1, col=1)
    figure.update_yaxes(title="train loss", rangemode="tozero", row=1, col=2)
    return dressed(figure, height=360)


# -- parts -------------------------------------------------------------------------------------------------------------


def _dots(study: Study, places: dict[int, int], trials: Sequence[Trial], x: list[Any], y: list[Any]) -> go.Scatter:
    """One dot a trial, the best in front, the winner as a star."""
    winner = next((trial.number for trial in study.best_trials), None)
    order = sorted(range(len(trials)), key=lambda i: (-places[trials[i].number], trials[i].number == winner))
    ranks = [places[trials[i].number] for i in order]
    return go.Scatter(
        x=[x[i] for i in order],
        y=[y[i] for i in order],
        mode="markers",
        marker={
            "color": [-np.log(rank) for rank in ranks],
            "colorscale": [[0, WORST], [0.5, "#c98b5f"], [1, BEST]],
            "size": [15 if trials[i].number == winner else 6 for i in order],
            "symbol": ["star" if trials[i].number == winner else "circle" for i in order],
            "opacity": 0.85,
        },
        text=[f"trial {trials[i].number}, position {rank}" for i, rank in zip(order, ranks, strict=True)],
        hovertemplate="%{text}<br>%{x:.5g}, %{y:.5g}<extra></extra>",
    )


def dressed(figure: go.Figure, height: int, legend: bool = True) -> go.Figure:
    """The look of all figures: no ground of their own, so that they suit light and dark pages."""
    figure.update_layout(
        template="none",
        height=height,
        margin={"l": 70, "r": 20, "t": 45, "b": 50},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": "system-ui, sans-serif", "size": 13, "color": "#6b7280"},
        showlegend=legend,
        legend={"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom"},
        bargap=0.3,
    )
    grid = {
        "title_font_size": 13,
        "title_standoff": 8,
        "gridcolor": "rgba(128,128,128,0.22)",
        "zeroline": False,
        "linecolor": "rgba(128,128,128,0.5)",
    }
    figure.update_xaxes(**grid)
    figure.update_yaxes(**grid)
    return figure


def _bars(figure: go.Figure) -> go.Figure:
    """Horizontal bars read from the top; their names take the room they need."""
    return figure.update_yaxes(autorange="reversed", automargin=True, showgrid=False, ticksuffix=" ")


def _by_operator(trials: Iterable[Trial]) -> dict[str, list[Trial]]:
    groups: dict[str, list[Trial]] = {}
    for trial in trials:
        groups.setdefault(trial.operator, []).append(trial)
    return groups


def _running_best(points: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The points at which a new best is reached, and the last one."""
    steps: list[tuple[int, int]] = []
    last = 0
    for number, place in points:
        last = number
        if not steps or place < steps[-1][1]:
            steps.append((number, place))
    return [*steps, (last, steps[-1][1])] if steps else []


def _hover(trial: Trial) -> str:
    text = escape(str(trial.architecture))
    lines = [text[i : i + 80] for i in range(0, min(len(text), 240), 80)]
    return f"trial {trial.number}, {escape(trial.operator)}<br>" + "<br>".join(lines)


def _column(trials: Iterable[Trial], name: str) -> list[float | None]:
    return [trial.values.get(name) for trial in trials]


def _scale(values: Iterable[float | None]) -> dict[str, Any]:
    """Powers of ten for positive values of very different sizes."""
    known = [value for value in values if value is not None]
    return {"type": "log", "dtick": 1} if known and min(known) > 0 and max(known) > 300 * min(known) else {}


def _titled(study: Study, name: str) -> str:
    return f"{escape(name)}{'' if study.directions[name] > 0 else ' (lower is better)'}"


def _spearman(study: Study, a: str, b: str) -> str:
    """Rank correlation of two metrics in the direction of better, over all complete trials with both."""
    both = [(t.values[a], t.values[b]) for t in study.complete if None not in (t.values.get(a), t.values.get(b))]
    ranks = rankdata(np.array(both, float).reshape(-1, 2) * [study.directions[a], study.directions[b]], axis=0)
    if len(both) < 3 or (ranks.std(axis=0) == 0).any():
        return "–"
    return f"{np.corrcoef(ranks.T)[0, 1]:.2f}"
