"""What a study lost, and why."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from untrained.study.study import Study


def lost(study: Study) -> list[tuple[tuple[str, str], int]]:
    """((`rejected`, `failed` or `without a value`; the reason), number of trials), most frequent first.

    Reasons that differ in numbers alone count as one, under the first of them. A complete trial counts once for every
    metric that has no value.
    """
    counts: Counter[tuple[str, str]] = Counter()
    first: dict[tuple[str, str, str], tuple[str, str]] = {}
    for what, where, why in _losses(study):
        counts[first.setdefault((what, where, _without_numbers(why)), (what, where + why))] += 1
    return counts.most_common()


def rejected(study: Study) -> list[tuple[str, int]]:
    """(limit, or why else; number of trials that it rejected), most frequent first."""
    return [(why, times) for (what, why), times in lost(study) if what == "rejected"]


def _losses(study: Study) -> Iterator[tuple[str, str, str]]:
    """What was lost; the limit or the metric; the reason."""
    for trial in study.trials:
        if trial.state == "rejected":
            yield "rejected", trial.reasons.get("limits", "").split(" breaks ")[-1] or "outside the limits", ""
        elif trial.state == "failed":
            yield "failed", "", trial.reasons.get("error", "unknown")
        else:
            for name, why in trial.reasons.items():
                yield "without a value", f"{name}: ", why


def _without_numbers(text: str) -> str:
    return re.sub(r"(?<![A-Za-z_])\d[\d.,]*(e[+-]?\d+)?", "#", text)
