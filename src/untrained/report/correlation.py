"""A page about how well metrics order the architectures of a table."""

from __future__ import annotations

import math
from html import escape
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from untrained.report.page import bare_page
from untrained.report.tables import number, table
from untrained.study.correlate import Correlation

_COLOUR = "#2f7ed8"


def bars(found: Correlation) -> go.Figure:
    """Spearman's correlation of every metric with its 95 % interval."""
    ordered = found.table.sort_values("spearman")
    figure = go.Figure(
        go.Bar(
            y=[escape(str(name)) for name in ordered.index],
            x=ordered["spearman"],
            orientation="h",
            marker={"color": _COLOUR},
            error_x={
                "type": "data",
                "symmetric": False,
                "array": ordered["high"] - ordered["spearman"],
                "arrayminus": ordered["spearman"] - ordered["low"],
            },
        )
    )
    figure.update_layout(height=120 + 24 * len(ordered), margin={"l": 10, "r": 10, "t": 10, "b": 40}, template="none")
    figure.update_xaxes(title=f"Spearman correlation with {found.target}")
    figure.update_yaxes(automargin=True)
    return figure


def scatters(found: Correlation, columns: int = 3) -> go.Figure:
    """The target against each metric's rank, a panel each."""
    names = list(found.values)
    rows = -(-len(names) // columns)
    figure = make_subplots(rows=rows, cols=columns, subplot_titles=[escape(str(name)) for name in names])
    for place, name in enumerate(names):
        ranks = found.values[name].rank(pct=True)
        dots = go.Scattergl(
            x=ranks, y=found.truth, mode="markers", marker={"size": 3, "color": _COLOUR, "opacity": 0.5}
        )
        figure.add_trace(dots, place // columns + 1, place % columns + 1)
    figure.update_layout(
        height=80 + 240 * rows, showlegend=False, margin={"l": 40, "r": 10, "t": 40, "b": 40}, template="none"
    )
    return figure


def agreement(found: Correlation) -> go.Figure:
    """Spearman's correlation of every metric with every other one."""
    matrix = found.values.rank().corr()
    names = [escape(str(name)) for name in matrix]
    heat = go.Heatmap(z=np.round(matrix.to_numpy(), 3), x=names, y=names, zmin=-1, zmax=1, colorscale="RdBu")
    figure = go.Figure(heat)
    figure.update_layout(height=160 + 24 * len(names), margin={"l": 10, "r": 10, "t": 10, "b": 10}, template="none")
    figure.update_xaxes(automargin=True)
    figure.update_yaxes(automargin=True, autorange="reversed")
    return figure


def write_correlation(found: Correlation, path: str | Path, title: str) -> Path:
    """Write the page to `path`."""
    heads = [
        "metric",
        "Spearman",
        "95 % interval",
        "spread over seeds",
        "Kendall",
        "regret",
        "without a value",
        "ms a network",
    ]
    ordered = found.table.sort_values("spearman", ascending=False)
    rows = [
        [
            str(name), _digits(row.spearman), f"{_digits(row.low)} to {_digits(row.high)}", _digits(row.spread),
            _digits(row.kendall), number(row.regret), number(row.missing), f"{1e3 * row.seconds:,.1f}",
        ]
        for name, row in ordered.iterrows()
    ]  # fmt: skip
    sections = [
        ("The table", table(heads, rows, caption=f"Over {len(found.truth):,} architectures.", texts=(0,)), None),
        ("Correlation", "", (bars(found), "Spearman's rank correlation with its 95 % bootstrap interval.")),
        (
            "Each metric",
            "",
            (scatters(found), f"{found.target} against the share of architectures that a metric ranks lower."),
        ),
        (
            "Agreement",
            "",
            (agreement(found), "Rank correlation between metrics, each turned so that higher is better."),
        ),
    ]
    path = Path(path)
    path.write_text(bare_page(title, sections), encoding="utf-8")
    return path


def _digits(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3f}"
