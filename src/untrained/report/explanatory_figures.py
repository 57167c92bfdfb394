"""Figures that explain: generations, breeding, charts of architectures, maps of their similarities."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from untrained.algorithms.diverse import Breeding
from untrained.alignment.charts import Chart
from untrained.alignment.clusters import Clusters
from untrained.report.figures import BEST, COLOURS, dressed
from untrained.report.generations import Generation

KIND_COLOURS = (*COLOURS, "#8d5524", "#5c7a29", "#3d5a80", "#b5179e", "#5b6472")
"""White letters can be read on all of them."""
MOST_NUMBERED = 20
"""In charts of more columns not every one has a number."""


def fitness_and_similarity(found: Sequence[Generation], fitness: str) -> go.Figure:
    """The best fitness of each generation and its median similarity; `fitness` names what is on the left axis."""
    figure = make_subplots(specs=[[{"secondary_y": True}]])
    numbers = [one.number for one in found]
    for name, values, colour, secondary in (
        (fitness, [one.fitness for one in found], BEST, False),
        ("median similarity", [one.similarity for one in found], COLOURS[0], True),
    ):
        figure.add_trace(
            go.Scatter(
                x=numbers,
                y=values,
                name=escape(name),
                mode="lines+markers",
                line={"color": colour, "width": 2.5},
                text=[f"generation {one.number}: {len(one.trials)} trials, best #{one.best.number}" for one in found],
                hovertemplate="%{text}<br>%{y:.4g}<extra></extra>",
            ),
            secondary_y=secondary,
        )
    figure.update_xaxes(title="generation")
    figure.update_yaxes(title=escape(fitness), secondary_y=False)
    figure.update_yaxes(title="median similarity", showgrid=False, tickmode="auto", secondary_y=True)
    return dressed(figure, height=380).update_layout(margin={"r": 70})


def over_seeds(runs: Sequence[Sequence[Generation]], fitness: str | None) -> go.Figure:
    """Mean and standard deviation, over searches, of the median similarity of each generation and, where `fitness` names
    it, of its best fitness."""
    panels = [("median similarity", "similarity", COLOURS[0])]
    if fitness is not None:
        panels.insert(0, (escape(fitness), "fitness", BEST))
    figure = make_subplots(rows=1, cols=len(panels), horizontal_spacing=0.12)
    for column, (name, attribute, colour) in enumerate(panels, start=1):
        by_number: dict[int, list[float]] = {}
        for run in runs:
            for one in run:
                value = getattr(one, attribute)
                if value is not None and math.isfinite(value):
                    by_number.setdefault(one.number, []).append(value)
        numbers = sorted(number for number, values in by_number.items() if len(values) > 1)
        middle = [float(np.mean(by_number[number])) for number in numbers]
        width = [float(np.std(by_number[number], ddof=1)) for number in numbers]
        for end, fill in ((-1, None), (1, "tonexty")):
            figure.add_scatter(
                x=numbers,
                y=[mean + end * deviation for mean, deviation in zip(middle, width, strict=True)],
                mode="lines",
                line={"width": 0},
                fill=fill,
                fillcolor="rgba(128,128,128,0.25)",
                hoverinfo="skip",
                row=1,
                col=column,
            )
        figure.add_scatter(
            x=numbers,
            y=middle,
            mode="lines+markers",
            line={"color": colour, "width": 2.5},
            text=[f"{mean:.4g} ± {deviation:.2g}" for mean, deviation in zip(middle, width, strict=True)],
            hovertemplate="generation %{x}: %{text}<extra></extra>",
            row=1,
            col=column,
        )
        figure.update_yaxes(title=name, row=1, col=column)
    figure.update_xaxes(title="generation")
    return dressed(figure, height=330, legend=False)


def costs_of_the_best(found: Sequence[Generation], quantities: Mapping[str, Sequence[float | None]]) -> go.Figure:
    """What the best of each generation costs, a panel a quantity."""
    figure = make_subplots(rows=1, cols=len(quantities), horizontal_spacing=0.35 / (len(quantities) + 1))
    for column, (name, values) in enumerate(quantities.items(), start=1):
        figure.add_scatter(
            x=[one.number for one in found],
            y=list(values),
            mode="lines+markers",
            line={"color": BEST, "width": 2.5},
            text=[f"#{one.best.number}" for one in found],
            hovertemplate="generation %{x}, %{text}<br>%{y:,.5g}<extra></extra>",
            row=1,
            col=column,
        )
        figure.update_yaxes(title=escape(name.replace("_", " ")), rangemode="tozero", row=1, col=column)
    figure.update_xaxes(title="generation")
    return dressed(figure, height=300, legend=False)


def breeding(bred: Sequence[Breeding]) -> go.Figure:
    """By how much the median similarity changed in each generation, within what was allowed."""
    figure = go.Figure()
    numbers = [one.generation for one in bred]
    # An end that is open is drawn at the edge of the figure.
    changes = [one.change for one in bred]
    edges = [end for one in bred for end in (one.bounds.low, one.bounds.high) if math.isfinite(end)]
    bottom, top = min(changes + edges) - 0.02, max(changes + edges) + 0.02
    line = {"color": COLOURS[7], "width": 1, "shape": "hvh"}
    for name, ends, fill in (
        ("least", [max(bottom, one.bounds.low) for one in bred], None),
        ("allowed", [min(top, one.bounds.high, one.bounds.most - one.before) for one in bred], "tonexty"),
    ):
        figure.add_scatter(
            x=numbers,
            y=ends,
            name=name,
            mode="lines",
            line=line,
            fill=fill,
            fillcolor="rgba(128,128,128,0.18)",
            showlegend=fill is not None,
            hoverinfo="skip",
        )
    for name, colour, fits in (("within", BEST, True), ("as close as it came", COLOURS[0], False)):
        chosen = [one for one in bred if one.fits is fits]
        figure.add_scatter(
            x=[one.generation for one in chosen],
            y=[one.change for one in chosen],
            name=name,
            mode="markers",
            marker={"color": colour, "size": 9},
            text=[f"attempt {one.attempts}, mutation rate {one.mutation:.2f}" for one in chosen],
            hovertemplate="generation %{x}: %{y:+.3f}<br>%{text}<extra></extra>",
        )
    figure.update_xaxes(title="generation")
    figure.update_yaxes(title="change of the median similarity", tickformat="+.2f", range=[bottom, top])
    return dressed(figure, height=340)


def chart_of(chart: Chart, labels: Sequence[str]) -> go.Figure:
    """Architectures in rows, one cell an operation, coloured by its kind; the consensus below."""
    consensus = chart.consensus
    symbols = [[escape(token.symbol) if token else "" for token in row] for row in chart.rows]
    kinds = [[token.kind if token else "" for token in row] for row in chart.rows]
    hovers = [[escape(str(token)) if token else "nothing" for token in row] for row in chart.rows]
    empty = [""] * len(consensus)
    symbols += [empty, [escape(one.symbol) if one.kind else "" for one in consensus]]
    kinds += [empty, [one.kind for one in consensus]]
    hovers += [empty, [f"{escape(one.kind) or 'nothing'} in {one.share:.0%}" for one in consensus]]
    known = list(dict.fromkeys(kind for row in kinds for kind in row if kind))
    colours = [KIND_COLOURS[i % len(KIND_COLOURS)] for i in range(len(known))]
    count = len(known)
    figure = go.Figure(
        go.Heatmap(
            z=[[known.index(kind) if kind else None for kind in row] for row in kinds],
            x=list(range(len(consensus))),
            y=list(range(len(kinds))),
            text=symbols,
            texttemplate="%{text}",
            customdata=hovers,
            hovertemplate="%{customdata}<extra></extra>",
            hoverongaps=False,
            colorscale=[[(i + end) / count, colour] for i, colour in enumerate(colours) for end in (0, 1)],
            zmin=-0.5,
            zmax=count - 0.5,
            showscale=False,
            xgap=2,
            ygap=2,
        )
    )
    # Long sequences are numbered by fives.
    step = 1 if len(consensus) <= MOST_NUMBERED else 5
    heads = chart.heads if any(chart.heads) else ["" if i % step else str(i) for i in range(1, len(consensus) + 1)]
    figure.update_xaxes(
        tickvals=list(range(len(heads))),
        ticktext=list(heads),
        showgrid=False,
        side="top",
        range=[-0.5, len(heads) - 0.5],
    )
    figure.update_yaxes(
        tickvals=[*range(len(labels)), len(labels) + 1], ticktext=[*map(escape, labels), "consensus"],
        range=[len(kinds) - 0.5, -0.5], showgrid=False, automargin=True,
    )  # fmt: skip
    return dressed(figure, height=90 + 24 * len(kinds), legend=False)


def similarity_map(matrix: np.ndarray, clusters: Clusters, labels: Sequence[str]) -> go.Figure:
    """All pairs of architectures, neighbours being alike, under the tree of their clusters."""
    from scipy.cluster.hierarchy import dendrogram

    order = clusters.order
    places = list(range(len(order)))
    names = [escape(labels[i]) for i in order]
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.2, 0.8], vertical_spacing=0.01)
    tree = dendrogram(clusters.linkage, no_plot=True)
    for xs, heights in zip(tree["icoord"], tree["dcoord"], strict=True):
        figure.add_scatter(
            x=[(x - 5) / 10 for x in xs],
            y=[1 - height for height in heights],
            mode="lines",
            line={"color": COLOURS[7], "width": 1.5},
            hovertemplate="joined at %{y:.2f}<extra></extra>",
            row=1,
            col=1,
        )
    figure.add_trace(
        go.Heatmap(
            z=matrix[np.ix_(order, order)].round(4).tolist(),
            x=places,
            y=places,
            customdata=[[f"{a} and {b}" for b in names] for a in names],
            hovertemplate="%{customdata}: %{z:.2f}<extra></extra>",
            zmin=0,
            zmax=1,
            colorscale=[[0, "#0b2a4a"], [0.5, "#2f7ed8"], [0.8, "#f0b429"], [1, "#e8590c"]],
            colorbar={"title": {"text": "similarity", "side": "top"}, "len": 0.8, "y": 0.4, "thickness": 14},
        ),
        row=2,
        col=1,
    )
    figure.update_xaxes(tickvals=places, ticktext=names, tickangle=-90, showgrid=False, row=2, col=1)
    figure.update_xaxes(showgrid=False, showticklabels=False, range=[-0.5, len(order) - 0.5], row=1, col=1)
    figure.update_yaxes(tickvals=places, ticktext=names, showgrid=False, autorange="reversed", row=2, col=1)
    figure.update_yaxes(title="joined at", autorange="reversed", row=1, col=1)
    return dressed(figure, height=260 + 16 * len(order), legend=False)
