"""What a study lost, and why."""

from __future__ import annotations

import re
from collections import Counter

from untrained.study.study import Study


def lost(study: Study) -> list[tuple[tuple[str, str], int]]:
    """((`rejected`, `failed` or `without a value`; the reason), number of trials), most frequent first.

    Numbers in reasons are left out, so that equal faults count as one. A complete trial counts once for every metric
    that has no value.
    """
    counts: Counter[tuple[str, str]] = Counter()
    for trial in study.trials:
        if trial.state == "rejected":
            counts["rejected", trial.reasons.get("limits", "").split(" breaks ")[-1] or "outside the limits"] += 1
        elif trial.state == "failed":
            counts["failed", _without_numbers(trial.reasons.get("error", "unknown"))] += 1
        else:
            for name, why in trial.reasons.items():
                counts["without a value", f"{name}: {_without_numbers(why)}"] += 1
    return counts.most_common()


def rejected(study: Study) -> list[tuple[str, int]]:
    """(limit, or why else; number of trials that it rejected), most frequent first."""
    return [(why, times) for (what, why), times in lost(study) if what == "rejected"]


def _without_numbers(text: str) -> str:
    return re.sub(r"(?<![A-Za-z_])\d[\d.,]*(e[+-]?\d+)?", "#", text)
