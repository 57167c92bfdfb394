from __future__ import annotations

from untrained.report.training_run import TrainingRun, read_runs, write_runs


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
