from __future__ import annotations

import pytest

from untrained.errors import InputError
from untrained.report.training_run import TrainingRun, read_runs, write_runs

HALF = (
    '[{"label": "a", "trial": "x", "architecture": 5, "test_accuracy": 1, "parameters": 1, "seconds": 1, "recipe": "x", '
    '"seed": 1, "history": []}]'
)
"""All fields, some of another kind."""


def test_runs_survive_the_file(tmp_path):
    history = ({"number": 1, "loss": 0.1, "train_accuracy": 1 / 3, "test_accuracy": None, "seconds": 2.0},)
    runs = [
        TrainingRun("winner", 7, "nats-tss:x", None, 12, 3.25, "quick", 0, history, "w.safetensors", "it burst"),
        TrainingRun("other", None, "nats-tss:ü", 0.25, 12, 3.25, "quick", 0, ()),
    ]
    write_runs(runs, tmp_path / "runs.json")
    assert read_runs(tmp_path / "runs.json") == runs


def test_no_file_no_runs(tmp_path):
    assert read_runs(tmp_path / "none.json") == []


@pytest.mark.parametrize(
    "text", ["junk", "[1]", '[{"a": 1}]', "[" * 10**5, '[{"label": "a", "history": [{}]}]', "\x00", HALF]
)
def test_files_of_something_else_are_refused(tmp_path, text):
    (tmp_path / "runs.json").write_text(text)
    with pytest.raises(InputError, match="holds no training runs"):
        read_runs(tmp_path / "runs.json")


def test_runs_that_cannot_be_written(tmp_path):
    with pytest.raises(InputError, match="cannot be written"):
        write_runs([], tmp_path / "missing" / "runs.json")
