"""Worker processes: the same answers as without, whatever becomes of a candidate, of a worker or of the parent."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from study_evaluators import Mishaps, Synthetic, study_of, what
from study_programs import PATIENCE, members, program, recorded, running, until

from untrained.architecture import Architecture
from untrained.errors import InputError
from untrained.study.executors import Failed, Processes, Serial, make_executor
from untrained.study.journal import Journal

CELL = Architecture("nats-tss", (3, 1, 0, 4, 2, 3))


def test_what_is_made() -> None:
    assert isinstance(make_executor(Synthetic(), 1), Serial)
    for executor in (make_executor(Synthetic(), 2), make_executor(Synthetic(), 1, timeout=5)):
        with executor:
            assert isinstance(executor, Processes)


def test_two_workers_make_the_same_study() -> None:
    evaluator = Synthetic(rejected=0.15, failed=0.15, empty=0.1, delay=0.02)
    studies = []
    for workers in (1, 2):
        studies.append(study_of(evaluator, population=9, mutation=0.6))
        studies[-1].run(120, workers=workers)
    assert what(studies[0].trials) == what(studies[1].trials)
    assert min(studies[0].counts().values()) > 1


@pytest.mark.parametrize(
    ("mishap", "timeout", "reason"),
    [("kill", None, "SIGKILL"), ("memory", None, "MemoryError"), ("raise", None, "OddError"), ("hang", 0.5, "longer")],
)
def test_the_search_survives_its_candidates(mishap: str, timeout: float | None, reason: str) -> None:
    """One worker, so that the worker that is lost is the only one."""
    answers = {}
    with Processes(Mishaps(mishap=mishap), 1, timeout) as executor:
        for number, seed in enumerate([1, 5, 2, 3]):
            executor.submit(number, CELL, seed)
        while len(answers) < 4:
            answers |= executor.collect()
    assert isinstance(answers[1], Failed)
    assert reason in str(answers[1])
    for number, seed in ((0, 1), (2, 2), (3, 3)):
        assert answers[number] == Synthetic()(CELL, seed=seed)


def test_a_study_survives_its_workers() -> None:
    study = study_of(Mishaps(mishap="kill"), algorithm="random")
    study.run(14, workers=2)
    failed = [trial for trial in study.trials if trial.state == "failed"]
    assert 0 < len(failed) < 10
    assert study.evaluations == 14
    assert all("SIGKILL" in trial.reasons["error"] for trial in failed)
    spared = study_of(Synthetic(), algorithm="random")
    spared.run(14)
    for one, two in zip(study.trials, spared.trials, strict=True):
        assert one.architecture == two.architecture
        assert one.state == "failed" or one.values == two.values


def test_the_reason_is_the_same_with_and_without_workers() -> None:
    for mishap in ("raise", "assert", "memory"):
        evaluator = Mishaps(mishap=mishap)
        with Serial(evaluator) as serial, Processes(evaluator, 1) as processes:
            for executor in (serial, processes):
                executor.submit(0, CELL, 5)
            assert str(serial.collect()[0]) == str(processes.collect()[0])


@pytest.mark.parametrize("workers", [1, 2])
def test_wrong_input_ends_the_search(workers: int) -> None:
    study = study_of(Mishaps(mishap="input"))
    with pytest.raises(InputError, match="mu and sigma"):
        study.run(80, workers=workers)
    assert study.counts()["failed"] == 0


def test_large_evaluators_arrive() -> None:
    """More than a pipe holds at a time."""
    evaluator = Mishaps(mishap="none" + "." * 1_000_000)
    with Processes(evaluator, 2) as executor:
        for number in range(6):
            executor.submit(number, CELL, number)
        answers = {}
        while len(answers) < 6:
            answers |= executor.collect()
    assert answers == {number: evaluator(CELL, seed=number) for number in range(6)}


def test_what_cannot_be_handed_to_workers_is_refused() -> None:
    evaluator = Mishaps(mishap=lambda: None)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="at the top of a module"), Processes(evaluator, 2):
        pass


# -- whole programs ---------------------------------------------------------------------------------------------------

needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").is_file(), reason="looks for processes in /proc")


@needs_proc
@pytest.mark.parametrize("evaluator", ["Synthetic(delay=0.02)", "Stuck(after=20)"])
def test_workers_do_not_outlive_a_parent_that_is_killed(tmp_path: Path, evaluator: str) -> None:
    """Neither those that wait for work nor those in the middle of it."""
    path = tmp_path / "runs.db"
    with running(tmp_path / "run.py", program(path, evaluator=evaluator)) as process:
        until(lambda: recorded(path) >= 20, "the first trial")
        assert len(members(process.pid)) >= 3
        process.kill()
        process.wait()
        until(lambda: not members(process.pid), "the end of the workers")
    assert {file.suffix for file in tmp_path.iterdir()} <= {".py", ".db", ".db-wal", ".db-shm"}


@needs_proc
@pytest.mark.parametrize("workers", [1, 2])
def test_an_interrupt_keeps_what_was_recorded(tmp_path: Path, workers: int) -> None:
    path = tmp_path / "runs.db"
    with running(tmp_path / "run.py", program(path, workers=workers)) as process:
        until(lambda: recorded(path) >= 20, "the first trial")
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=PATIENCE)
        assert process.returncode in (-signal.SIGINT, 130, 1)
        assert "KeyboardInterrupt" in errors
        until(lambda: not members(process.pid), "the end of the workers")
    count = recorded(path)
    assert 20 <= count < 4000
    study = study_of(Synthetic(), Journal(path), population=9, mutation=0.6)
    study.run(count + 30)
    again = study_of(Synthetic(), population=9, mutation=0.6)
    again.run(count + 30)
    assert what(study.trials) == what(again.trials)
    assert {file.suffix for file in tmp_path.iterdir()} <= {".py", ".db", ".db-wal", ".db-shm"}


@needs_proc
@pytest.mark.parametrize("stdin", [False, True], ids=["without a main guard", "from standard input"])
def test_workers_that_cannot_start_are_an_error(tmp_path: Path, stdin: bool) -> None:
    path = tmp_path / "runs.db"
    # More than a pipe holds: a parent that hands it over waits for a worker that will never read it.
    text = program(path, guard="main()", evaluator="Mishaps(mishap=1_000_000 * '-')")
    with running(tmp_path / "run.py", text, stdin=stdin) as process:
        _, errors = process.communicate(timeout=PATIENCE)
        assert process.returncode == 1
        assert "InputError: the worker processes end before they take any work" in errors
        assert "__main__" in errors
    assert recorded(path) == 0
