from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace

import pytest

from untrained.cli.duel import Training, contenders, train_all
from untrained.study.search import load_study, open_search


def test_the_rival_stands_in_the_middle_of_the_random_candidates(store):
    study = load_study(store)
    winner, rival = contenders(study)
    assert winner.trial == study.best_trial.number
    drawn = [trial.number for trial in study.best_trials if trial.operator == "sample"]
    assert len(drawn) >= 3
    place = drawn.index(rival.trial)
    assert abs(place - (len(drawn) - 1 - place)) <= 1
    assert rival.label == "median random candidate"


def test_with_too_few_random_candidates_one_is_drawn():
    study = open_search(metrics=["params"], target="channels=4,cells=1", seed=4)
    study.run(2)
    winner, rival = contenders(study)
    assert winner.trial == study.best_trial.number
    assert (rival.label, rival.trial) == ("random candidate", None)
    assert contenders(study) == [winner, rival]


@pytest.mark.slow
def test_side_by_side_gives_what_one_after_the_other_gives(store, tmp_path):
    how = Training("digits", 8, "channels=4,cells=1", "quick", 1, 0)
    entries = contenders(load_study(store))
    answers = []
    for workers in (1, 2):
        heard = []
        weights = tmp_path / f"{workers}.safetensors"
        runs = train_all(
            entries,
            how,
            weights=weights,
            workers=workers,
            on_epoch=lambda entry, epoch, heard=heard: heard.append(entry),
        )
        assert sorted(entry.label for entry in heard) == ["median random candidate", "winner"]
        assert runs[0].weights == str(weights)
        assert weights.is_file()
        timeless = [{key: value for key, value in run.history[0].items() if key != "seconds"} for run in runs]
        answers.append(([replace(r, seconds=0.0, history=(), weights=None) for r in runs], timeless))
    assert answers[0] == answers[1]


@pytest.mark.slow
def test_refusals_of_a_training_process_are_refusals(store, tmp_path):
    how = Training(str(tmp_path / "nowhere"), None, "nats", "quick", 1, 0)
    with pytest.raises(ValueError, match="does not exist"):
        train_all(
            contenders(load_study(store)), how, weights=tmp_path / "w", workers=2, on_epoch=lambda entry, epoch: None
        )


@pytest.mark.slow
def test_training_processes_end_with_a_parent_that_is_killed(tmp_path):
    words = [
        "--evaluations",
        "4",
        "--workers",
        "2",
        "--train",
        "--target",
        "channels=64,cells=20",
        "--image-size",
        "32",
    ]
    command = [sys.executable, "-m", "untrained", "search", *words, "--store", "s.db"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as parent:
        assert next(line for line in parent.stderr if line.startswith("training the"))
        time.sleep(5)
        parent.kill()
        # The children hold the other end of this pipe, too, and one epoch would take minutes.
        parent.communicate(timeout=30)
