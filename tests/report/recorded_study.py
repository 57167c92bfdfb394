"""A study of given trials, as one that was imported."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from untrained.algorithms.trial import Trial
from untrained.study.journal import Journal
from untrained.study.search import read_study
from untrained.study.study import Study


def recorded(trials: Iterable[Trial], place: str = "chain", **changes: Any) -> Study:
    """One objective, `accuracy`, and no evaluator; `changes` of its setup. Nothing was trained, no image was seen."""
    setup = {
        "space": place, "algorithm": "published", "options": {}, "metrics": ["accuracy"], "objectives": {"accuracy": 1},
        "ranking": "single", "seed": 0, "data": "x", "data_digest": None, "source": None, "image_shape": [3, 32, 32],
        "num_classes": 10, "skeleton": "channels=16", "target": "channels=16", "limits": [], "ahead": 1, **changes,
    }  # fmt: skip
    journal = Journal()
    record = journal.create("recorded", setup)
    for trial in trials:
        journal.record(record, trial)
    return read_study(journal, record)
