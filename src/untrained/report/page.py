"""One self-contained HTML page about a study: it needs no network and can be mailed, printed and archived."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import plotly.io

from untrained import __version__
from untrained.errors import InputError
from untrained.report import explanations, figures, tables
from untrained.report.command import resume_command
from untrained.report.style import CSS
from untrained.report.training_run import TrainingRun
from untrained.study.study import Study

if TYPE_CHECKING:
    import plotly.graph_objects as go

# Nothing may be fetched, whatever a name or a reason of the study contains.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data: blob:"


@dataclass(frozen=True, slots=True)
class Extra:
    """What a study does not know. runs: trained networks to show side by side; command: what continues the study, when
    it is more than its setup says."""

    runs: Sequence[TrainingRun] = ()
    command: str | None = None


def write_report(study: Study, path: str | Path, *, extra: Extra | None = None) -> Path:
    """Write the page about `study` to `path`; the same study gives the same page.

    Raises `InputError` for a study without a complete trial and for a path that cannot be written.
    """
    path = Path(path)
    text = report_page(study, extra=extra)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"the report cannot be written to {str(path)!r}: {error.strerror}") from None
    return path


def report_page(study: Study, *, extra: Extra | None = None) -> str:
    """The page as text."""
    extra = extra or Extra()
    note = f"the study was begun {escape(study.record.created)}"
    return _page(study.name, _facts(study), "".join(_sections(study, extra)), note)


def bare_page(title: str, sections: Sequence[tuple[str, str, tuple[go.Figure, str] | None]]) -> str:
    """A page of sections: a heading, HTML, and perhaps a figure with its caption."""
    plots = _Plots()
    body = "".join(
        _section(heading, html + (plots.show(*figure) if figure is not None else ""))
        for heading, html, figure in sections
    )
    return _page(title, "", body, "measured by this version")


def _page(title: str, facts: str, body: str, note: str) -> str:
    title = escape(title)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta name="generator" content="untrained {__version__}"><title>{title}</title>'
        f'<link rel="icon" href="data:,"><style>{CSS}</style></head><body>'
        f"<header><p>Neural architecture search without training</p><h1>{title}</h1>{facts}</header>"
        f"<main>{body}</main>"
        f"<footer>untrained {__version__}; {note}.</footer></body></html>\n"
    )


def _sections(study: Study, extra: Extra) -> Iterator[str]:
    winner = study.best_trial
    plots = _Plots()
    drawing = study.space.draw(winner.architecture).svg()
    yield _section(
        "The winner",
        f"<p>Trial {winner.number} of the space {escape(study.space.name)}:</p>"
        f'<p class="architecture"><code>{tables.breakable(str(winner.architecture))}</code></p>'
        f'<figure><div class="scroll">{drawing}</div><figcaption>The winner, drawn: images enter at the left; operations '
        "are written in boxes or, where boxes are sums, on arrows.</figcaption></figure>" + tables.winner_table(study),
    )
    if study.has_front and study.front:
        yield _section(
            "The front",
            "<p>No other trial is as good as one of these in everything and better in something. The winner above is the "
            "compromise: nearest to the best of all objectives, each scaled to 0..1 over the front.</p>"
            + plots.show(
                figures.front(study),
                "Objectives against each other, one dot a network: the front in orange, its compromise as a star, what it "
                "dominates faint.",
            )
            + tables.front_table(study),
        )
    if extra.runs:
        yield _section(
            "Trained",
            tables.runs_table(extra.runs)
            + plots.show(
                figures.training_curves(extra.runs),
                "By epoch: left the accuracy on held-out images, right the mean loss of the augmented train batches.",
            ),
        )
    yield _section("The best", tables.best_table(study))
    counts = study.counts()
    yield _section(
        "How the search went",
        plots.show(
            figures.best_so_far(study),
            f"Each dot is a trial at its position in the final ranking of all {counts['complete']:,} complete trials "
            f"(1 is best, at the top); the line is the best so far. The winner came as trial {winner.number}.",
        )
        + plots.show(
            figures.metrics_over_trials(study),
            "Every metric over the trials; the more orange a dot, the better its trial in the final ranking. The star is "
            "the winner.",
        ),
    )
    pairs = figures.metric_pairs(study)
    if pairs is not None:
        yield _section(
            "How the metrics agree",
            plots.show(
                pairs,
                "Metrics against each other, one dot a trial, more orange for a better one; the star is the winner. The "
                "rank correlation (Spearman's, each metric turned so that more is better) is 1 where two order all "
                "complete trials alike, 0 where one says nothing about the other, -1 where they contradict each other.",
            ),
        )
    known = len(tables.ancestors(study, winner))
    yield _section(
        "Where the best came from",
        plots.show(
            figures.operators(study),
            "Which operators (of an imported run: generations) made the trials, and which made the best tenth of them; "
            "numbers are trials.",
        )
        + "<h3>The winner's family</h3>"
        + (
            f"<p>Its parents, their parents and so on; {known:,} trials in all are among its ancestors.</p>"
            if known
            else "<p>It was drawn at random and has no parents.</p>"
        )
        + tables.family(study),
    )
    for title, body in explanations.sections(study, plots.show):
        yield _section(title, body)
    losses = figures.losses(study)
    yield _section(
        "What was lost",
        "<p>Nothing: no trial was rejected, none failed, and every metric has a value everywhere.</p>"
        if losses is None
        else plots.show(
            losses,
            "Trials that were rejected by the limits, that failed, or that have no value of a metric, by reason.",
        ),
    )
    command = extra.command or resume_command(study, 2 * study.evaluations)
    yield _section(
        "The setup, and how to go on",
        tables.setup_table(study.setup)
        + (
            "<p>This study was not stored, or its images were given as arrays: no command continues it.</p>"
            if command is None
            else f"<p>To search on, from where this study is:</p><pre><code>{escape(command)}</code></pre>"
        ),
    )


def _facts(study: Study) -> str:
    counts = study.counts()
    seconds = sum(trial.seconds for trial in study.trials)
    copies = sum(trial.copied is not None for trial in study.trials)
    facts = {
        "trials": f"{study.evaluations:,}",
        "different networks": f"{len(study.best_trials):,}",
        "copies, not scored again": f"{copies:,}",
        **({"evaluated in part": f"{counts['partial']:,}"} if "partial" in counts else {}),
        "rejected": f"{counts['rejected']:,}",
        "failed": f"{counts['failed']:,}",
        "seconds of scoring": f"{seconds:,.1f}",
        "the winner's trial": f"{study.best_trial.number:,}",
    }
    return "<dl>" + "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in facts.items()) + "</dl>"


def _section(title: str, body: str) -> str:
    key = "".join(c for c in title.lower().replace(" ", "-") if c.isalnum() or c == "-")
    return f'<section aria-labelledby="{key}"><h2 id="{key}">{escape(title)}</h2>{body}</section>'


class _Plots:
    """Figures of one page: the first one brings the library along."""

    def __init__(self) -> None:
        self._count = 0

    def show(self, figure: go.Figure, caption: str) -> str:
        self._count += 1
        plot = plotly.io.to_html(
            figure,
            full_html=False,
            include_plotlyjs=self._count == 1,
            div_id=f"figure-{self._count}",
            config={"displaylogo": False, "responsive": True, "displayModeBar": False},
        )
        return (
            f'<figure><div role="img" aria-label="{escape(caption)}">{plot}</div>'
            f"<figcaption>{escape(caption)}</figcaption></figure>"
        )
