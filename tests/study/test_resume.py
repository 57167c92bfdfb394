"""A search that is killed, again and again, ends as if nothing had happened."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest
from study_evaluators import Synthetic, study_of, what
from study_programs import members, program, recorded, running, until

from untrained.study.journal import Journal

KILLS = 5
EVALUATIONS = 1500


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").is_file(), reason="looks for processes in /proc")
@pytest.mark.parametrize("workers", [1, 2])
def test_killed_at_random_moments(tmp_path: Path, workers: int) -> None:
    path, moments = tmp_path / "runs.db", random.Random(workers)
    counts = [0]
    for kill in range(KILLS):
        text = program(path, workers=workers, evaluations=EVALUATIONS, evaluator="Synthetic(delay=0.01)")
        with running(tmp_path / f"run{kill}.py", text) as process:
            goal = counts[-1] + moments.randint(1, 60)
            until(lambda goal=goal: recorded(path) >= goal, f"trial {goal}")
            time.sleep(moments.random() * 0.05)
            process.kill()
            process.wait()
            counts.append(recorded(path))
            start = time.monotonic()
            until(lambda process=process: not members(process.pid), "the end of the workers")
            # Half a second, usually.
            assert time.monotonic() - start < 5
    assert counts == sorted(set(counts))
    assert counts[-1] < EVALUATIONS
    study = study_of(Synthetic(), Journal(path), population=9, mutation=0.6)
    study.run(EVALUATIONS, workers=1)
    expected = study_of(Synthetic(), population=9, mutation=0.6)
    expected.run(EVALUATIONS)
    assert what(study.trials) == what(expected.trials)
