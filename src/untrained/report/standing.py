"""Where every trial of a study stands in its final ranking."""

from __future__ import annotations

from collections.abc import Sequence

from untrained.algorithms.trial import Trial
from untrained.study.study import Study

MOST_SHOWN, BEST_SHOWN = 4000, 100
"""More dots than these tell nothing more and make a page slow."""


def positions(study: Study) -> dict[int, int]:
    """The position of each complete trial by number, 1 for the best; trials of one network share theirs."""
    canonical = study.space.canonical
    found = {canonical(trial.architecture): place for place, trial in enumerate(study.ranked_trials, start=1)}
    return {trial.number: found[canonical(trial.architecture)] for trial in study.complete}


def shown(study: Study, places: dict[int, int]) -> list[Trial]:
    """The complete trials that figures show: all, or of a long study every k-th and the very best."""
    complete: Sequence[Trial] = study.complete
    step = -(-len(complete) // MOST_SHOWN)
    return [trial for i, trial in enumerate(complete) if i % max(1, step) == 0 or places[trial.number] <= BEST_SHOWN]
