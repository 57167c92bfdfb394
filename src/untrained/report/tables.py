"""Tables and lists as HTML; everything that comes from outside is escaped here."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from untrained.algorithms.trial import Trial
from untrained.report.sizes import known_size
from untrained.report.standing import positions
from untrained.report.training_run import TrainingRun
from untrained.study.study import Study

TOP = 10
GENERATIONS = 4
MOST_FRONT = 100


def best_table(study: Study, top: int = TOP) -> str:
    """The `top` best trials with scores, sizes and texts."""
    best = study.best_trials[:top]
    return _trials_table(study, best, f"The best {len(best)} of the whole history, each network once.")


def front_table(study: Study) -> str:
    """The front by its first objective, best first, at most `MOST_FRONT` of it."""
    front = study.front
    name, direction = next(iter(study.directions.items()))
    ordered = sorted(front, key=lambda trial: -direction * (trial.values[name] or 0.0))[:MOST_FRONT]
    which = f"all {len(front):,}" if len(ordered) == len(front) else f"{len(ordered):,} of {len(front):,}"
    return _trials_table(study, ordered, f"The front, {which} networks, by {name}.")


def _trials_table(study: Study, trials: Sequence[Trial], caption: str) -> str:
    names = list(study.directions)
    sizes = _sizes_beside(study)
    rows = []
    for place, trial in enumerate(trials, start=1):
        size = known_size(study, trial.architecture)
        scores = [number(trial.values.get(name)) for name in names]
        text = f"<code>{breakable(study.space.format(trial.architecture))}</code>"
        counts = ["–" if size is None else f"{size[name]:,}" for name in sizes]
        rows.append([str(place), str(trial.number), *scores, *counts, text])
    heads = ["position", "trial", *names, *sizes.values(), "architecture"]
    return table(heads, rows, caption=caption, texts=(len(heads) - 1,))


def _sizes_beside(study: Study) -> dict[str, str]:
    """The sizes that are told beside the objectives, unless they are among them, with their headings."""
    titles = {"params": "parameters", "macs": "MACs"}
    return {name: title for name, title in titles.items() if name not in study.directions}


def winner_table(study: Study) -> str:
    """What the winner scored, where that places it for each metric alone, and how large it is."""
    winner = study.best_trial
    size = known_size(study, winner.architecture)
    rows = []
    for name, direction in study.directions.items():
        value = winner.values.get(name)
        others = [t.values.get(name) for t in study.best_trials]
        better = sum(1 for v in others if v is not None and value is not None and v * direction > value * direction)
        place = "–" if value is None else f"{better + 1:,} of {len(others):,}"
        rows.append([escape(name), number(value), "higher" if direction > 0 else "lower", place])
    if size is not None:
        rows += [[title, f"{size[name]:,}", "", ""] for name, title in _sizes_beside(study).items()]
    return table(["", "value", "better is", "place by it alone"], rows, caption="Scores and size.", texts=(0, 2))


def runs_table(runs: Sequence[TrainingRun]) -> str:
    """Trained networks side by side."""
    rows = [
        [
            escape(run.label),
            "–" if run.trial is None else str(run.trial),
            "–" if run.test_accuracy is None else f"<strong>{run.test_accuracy:.2%}</strong>",
            f"{run.parameters:,}",
            str(len(run.history)),
            f"{run.seconds:.1f}",
            f"<code>{breakable(run.architecture)}</code>",
        ]
        for run in runs
    ]
    heads = ["network", "trial", "test accuracy", "parameters", "epochs", "seconds", "architecture"]
    what = f"Trained alike: recipe {runs[0].recipe}, seed {runs[0].seed}; accuracy of the final weights on held-out images."
    return table(heads, rows, caption=what, texts=(0, 6))


def setup_table(setup: Mapping[str, Any]) -> str:
    """Every choice that makes the study repeatable."""
    rows = [[escape(key.replace("_", " ")), f"<code>{breakable(plain(value))}</code>"] for key, value in setup.items()]
    return table(["choice", "value"], rows, caption="The setup as it is stored.", texts=(0, 1))


def family(study: Study, generations: int = GENERATIONS) -> str:
    """The ancestors of the winner as nested lists, so many generations back; everyone's own ancestors are shown once."""
    trials = {trial.number: trial for trial in study.trials}
    places = positions(study)
    told: set[int] = set()

    def entry(trial: Trial, depth: int) -> str:
        place = f", position {places[trial.number]:,}" if trial.number in places else f", {trial.state}"
        line = f"<b>#{trial.number}</b> {escape(trial.operator)}{place}"
        text = f"<code>{breakable(study.space.format(trial.architecture))}</code>"
        parents = [trials[n] for n in dict.fromkeys(trial.parents) if n in trials]
        if not parents:
            return f"<li>{line} {text}</li>"
        if trial.number in told:
            return f"<li>{line} {text} <i>(its parents are above)</i></li>"
        told.add(trial.number)
        if depth == generations:
            return f"<li>{line} {text} <i>({len(ancestors(study, trial)):,} earlier ancestors)</i></li>"
        return f"<li>{line} {text}<ul>{''.join(entry(parent, depth + 1) for parent in parents)}</ul></li>"

    return f'<ul class="tree">{entry(study.best_trial, 0)}</ul>'


def ancestors(study: Study, trial: Trial) -> set[int]:
    """The numbers of all trials that `trial` descends from."""
    parents = {other.number: other.parents for other in study.trials}
    found: set[int] = set()
    waiting = list(trial.parents)
    while waiting:
        number = waiting.pop()
        if number not in found:
            found.add(number)
            waiting.extend(parents.get(number, ()))
    return found


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], *, caption: str, texts: Sequence[int] = ()) -> str:
    """A table of cells that are HTML; columns in `texts` are text, the others numbers."""
    kinds = ["text" if i in texts else "number" for i in range(len(heads))]
    head = "".join(
        f'<th scope="col" class="{kind}">{escape(title)}</th>' for kind, title in zip(kinds, heads, strict=True)
    )
    body = "".join(
        "<tr>" + "".join(f'<td class="{kind}">{cell}</td>' for kind, cell in zip(kinds, row, strict=True)) + "</tr>"
        for row in rows
    )
    return (
        f'<div class="scroll"><table><caption>{escape(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def number(value: float | None) -> str:
    """Whole numbers in full, others with five digits, or a dash."""
    if value is None or not math.isfinite(value):
        return "–"
    if value == round(value) and abs(value) < 1e15:
        return f"{value:,.0f}"
    return f"{value:,.0f}" if 1e5 <= abs(value) < 1e7 else f"{value:,.5g}"


def breakable(text: str) -> str:
    """`text` escaped, with places where a line may break after separators."""
    broken = escape(text)
    for mark in ("|", ",", "/", "+", ")"):
        broken = broken.replace(mark, f"{mark}<wbr>")
    return broken


def plain(value: Any) -> str:
    """A choice of a setup as text."""
    if isinstance(value, Mapping):
        parts = (
            f"{key} ({plain(item)})" if isinstance(item, Mapping) else f"{key}={item}" for key, item in value.items()
        )
        return ", ".join(parts) or "–"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "–"
    return "–" if value is None else str(value)
