"""What is kept of a training run, for comparison with others."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from untrained.errors import InputError


@dataclass(frozen=True, slots=True)
class TrainingRun:
    """One trained network as plain values.

    label: what it stands for, as in `winner`; trial: its number in the study, or None; history: by epoch `number`,
    `loss`, `train_accuracy`, `test_accuracy` (0..1 or None) and `seconds`; test_accuracy: that of the final weights;
    weights: the file they are in, or None; reason: why training stopped early, or None.
    """

    label: str
    trial: int | None
    architecture: str
    test_accuracy: float | None
    parameters: int
    seconds: float
    recipe: str
    seed: int
    history: tuple[Mapping[str, Any], ...]
    weights: str | None = None
    reason: str | None = None


def write_runs(runs: Iterable[TrainingRun], path: Path) -> None:
    """Keep `runs` in a JSON file; :func:`read_runs` is the inverse."""
    text = json.dumps([asdict(run) for run in runs], indent=1)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"the training runs cannot be written to {str(path)!r}: {error.strerror}") from None


def read_runs(path: Path) -> list[TrainingRun]:
    """The runs in a file, none when there is no such file; raises `InputError` when it holds something else."""
    if not os.path.isfile(path):
        return []
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        runs = [TrainingRun(**{**row, "history": tuple(row["history"])}) for row in rows]
        for run in runs:
            _check(run)
        return runs
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        raise InputError(f"{str(path)!r} holds no training runs; move it away, it stands where they are kept") from None


def _check(run: TrainingRun) -> None:
    """Raise `ValueError` unless every field is of its kind."""
    texts = (run.label, run.architecture, run.recipe, run.weights or "", run.reason or "")
    numbers = [run.trial or 0, run.parameters, run.seconds, run.seed, run.test_accuracy or 0.0]
    for epoch in run.history:
        numbers += [epoch["number"], epoch["loss"], epoch["train_accuracy"], epoch["seconds"]]
        numbers.append(epoch["test_accuracy"] or 0.0)
    if not all(isinstance(text, str) for text in texts) or not all(type(n) in (int, float) for n in numbers):
        raise ValueError("a field of another kind")
