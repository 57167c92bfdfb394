"""Where evaluations run: in this process, or in worker processes that may die without taking the study along."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol, Self

from untrained.architecture import Architecture
from untrained.errors import InputError
from untrained.evaluate.outcome import Evaluator, Outcome


class Failed(Exception):  # noqa: N818 - carried as a result
    """A candidate whose evaluation raised or whose worker died, with the reason."""


class Executor(Protocol):
    """Runs evaluations under a number; answers come in any order."""

    workers: int

    def submit(self, number: int, architecture: Architecture, seed: int) -> None:
        """Start, or queue, an evaluation."""

    def collect(self) -> Mapping[int, Outcome | Failed]:
        """Wait until at least one submitted evaluation has ended; the answers since the last call, by number."""

    def __enter__(self) -> Self:
        """Start the workers."""

    def __exit__(self, *_: object) -> None:
        """Stop the workers at once; unfinished evaluations are dropped."""


class Serial(AbstractContextManager["Serial"]):
    """Evaluates in this process, one at a time."""

    workers = 1

    def __init__(self, evaluator: Evaluator) -> None:
        self._evaluator = evaluator
        self._queue: list[tuple[int, Architecture, int]] = []

    def submit(self, number: int, architecture: Architecture, seed: int) -> None:
        self._queue.append((number, architecture, seed))

    def collect(self) -> Mapping[int, Outcome | Failed]:
        number, architecture, seed = self._queue.pop(0)
        return {number: _attempt(self._evaluator, architecture, seed)}

    def __exit__(self, *_: object) -> None:
        self._queue.clear()


class Processes:
    """Evaluates in `workers` processes of one torch thread each; `timeout` seconds is the most one candidate may take.

    A worker that dies (killed, out of memory) costs its candidate alone: another one takes its place.
    """

    def __init__(self, evaluator: Evaluator, workers: int, timeout: float | None = None) -> None:
        if workers < 1:
            raise InputError(f"workers is at least 1, not {workers}")
        from pebble import ProcessPool

        self.workers = workers
        self._timeout = timeout
        self._pool = ProcessPool(
            max_workers=workers,
            initializer=_start_worker,
            initargs=(evaluator, os.getpid()),
            context=multiprocessing.get_context("spawn"),
        )
        self._running: dict[Future[Outcome | Failed], int] = {}

    def submit(self, number: int, architecture: Architecture, seed: int) -> None:
        self._running[self._pool.schedule(_work, args=(architecture, seed), timeout=self._timeout)] = number

    def collect(self) -> Mapping[int, Outcome | Failed]:
        done, _ = wait(self._running, return_when=FIRST_COMPLETED)
        return {self._running.pop(future): self._answer(future) for future in done}

    def _answer(self, future: Future[Outcome | Failed]) -> Outcome | Failed:
        error = future.exception()
        if error is None:
            return future.result()
        if isinstance(error, TimeoutError):
            return Failed(f"took longer than {self._timeout:g} s")
        code = getattr(error, "exitcode", None)
        if code is not None:
            how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
            return Failed(f"its worker process died ({how}); out of memory, perhaps")
        return Failed(f"{type(error).__name__}: {error}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.stop()
        self._pool.join()


def make_executor(evaluator: Evaluator, workers: int, timeout: float | None = None) -> Serial | Processes:
    """Serial for one worker without a time limit, else processes."""
    return Serial(evaluator) if workers == 1 and timeout is None else Processes(evaluator, workers, timeout)


_evaluator: Evaluator | None = None


def _start_worker(evaluator: Evaluator, parent: int) -> None:
    """Runs once in each worker: Ctrl-C is the parent's to handle, and one thread is all a worker may use."""
    global _evaluator
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _leave_with(parent)
    _evaluator = evaluator
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(1)


def _leave_with(parent: int) -> None:
    """End this worker when its parent is gone, even if that was killed."""
    import threading
    import time

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _work(architecture: Architecture, seed: int) -> Outcome | Failed:
    assert _evaluator is not None
    return _attempt(_evaluator, architecture, seed)


def _attempt(evaluator: Evaluator, architecture: Architecture, seed: int) -> Outcome | Failed:
    """An evaluation whose failure is an answer: one bad candidate must not end a study."""
    try:
        return evaluator(architecture, seed=seed)
    except InputError:
        raise
    except (MemoryError, RuntimeError, ValueError, ArithmeticError, LookupError, TypeError, AttributeError) as error:
        return Failed(f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no message'}")


@contextmanager
def one_thread() -> Iterator[None]:
    """One torch thread for the length of a serial search: on small networks more are slower, and much so when busy."""
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
