"""What is kept of a training run, for comparison with others."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


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
    path.write_text(json.dumps([asdict(run) for run in runs], indent=1), encoding="utf-8")


def read_runs(path: Path) -> list[TrainingRun]:
    """The runs in a file, none when there is no such file."""
    if not path.is_file():
        return []
    rows = json.loads(path.read_text(encoding="utf-8"))
    return [TrainingRun(**{**row, "history": tuple(row["history"])}) for row in rows]
