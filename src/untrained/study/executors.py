"""Where evaluations run: in this process, or in worker processes that may die without taking the study along."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, contextmanager
from multiprocessing import reduction
from numbers import Integral, Real
from typing import Any, Protocol, Self

from untrained.architecture import Architecture
from untrained.errors import InputError, NetworkError
from untrained.evaluate.outcome import Evaluator, Outcome, part_of


class Failed(Exception):  # noqa: N818 - carried as a result
    """A candidate whose evaluation raised or whose worker died, with the reason."""


class Executor(Protocol):
    """Runs evaluations under a number; answers come in any order."""

    workers: int

    def submit(self, number: int, architecture: Architecture, seed: int, share: float = 1.0) -> None:
        """Start, or queue, `share` of an evaluation."""

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
        self._queue: list[tuple[int, Architecture, int, float]] = []

    def submit(self, number: int, architecture: Architecture, seed: int, share: float = 1.0) -> None:
        self._queue.append((number, architecture, seed, share))

    def collect(self) -> Mapping[int, Outcome | Failed]:
        number, architecture, seed, share = self._queue.pop(0)
        return {number: _attempt(self._evaluator, architecture, seed, share)}

    def __exit__(self, *_: object) -> None:
        self._queue.clear()


class Processes:
    """Evaluates in `workers` processes of one torch thread each; `timeout` seconds is the most one candidate may take.

    A worker that dies (killed, out of memory) costs its candidate alone: another one takes its place.
    """

    def __init__(self, evaluator: Evaluator, workers: int, timeout: float | None = None) -> None:
        check_workers(workers, timeout)
        from pebble import ProcessPool

        self.workers = workers
        self._timeout = timeout
        self._handed = _Handed(evaluator)
        self._pool = ProcessPool(
            max_workers=workers,
            initializer=_start_worker,
            initargs=(self._handed, os.getpid()),
            context=multiprocessing.get_context("spawn"),
        )
        self._running: dict[Future[Outcome | Failed], int] = {}

    def submit(self, number: int, architecture: Architecture, seed: int, share: float = 1.0) -> None:
        if not self._pool.active:
            raise InputError(_BROKEN)
        self._running[self._pool.schedule(_work, args=(architecture, seed, share), timeout=self._timeout)] = number

    def collect(self) -> Mapping[int, Outcome | Failed]:
        done: set[Future[Outcome | Failed]] = set()
        while not done:
            done, _ = wait(self._running, timeout=1.0, return_when=FIRST_COMPLETED)
            if not done and not self._pool.active:
                raise InputError(_BROKEN)
        return {self._running.pop(future): self._answer(future) for future in done}

    def _answer(self, future: Future[Outcome | Failed]) -> Outcome | Failed:
        error = future.exception()
        if error is None:
            return future.result()
        if isinstance(error, InputError):
            raise error
        if isinstance(error, BrokenProcessPool):
            raise InputError(_BROKEN) from None
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
        self._handed.close()


def check_workers(workers: int, timeout: float | None) -> None:
    """Refuse what cannot be a number of processes or of seconds."""
    if not isinstance(workers, Integral) or workers < 1:
        raise InputError(f"workers is a whole number, at least 1, not {workers!r}")
    if timeout is not None and not (isinstance(timeout, Real) and float(timeout) > 0):
        raise InputError(f"timeout is a positive number of seconds, not {timeout!r}")


def make_executor(evaluator: Evaluator, workers: int, timeout: float | None = None) -> Serial | Processes:
    """Serial for one worker without a time limit, else processes."""
    return Serial(evaluator) if workers == 1 and timeout is None else Processes(evaluator, workers, timeout)


_BROKEN = (
    "the worker processes end before they take any work (their own error is above). A script has to start its search "
    "under `if __name__ == '__main__':`, and one that is read from standard input can only use workers=1"
)
_evaluator: Evaluator | None = None


class _Handed:
    """An evaluator on its way to worker processes, where it arrives as itself: in a file without a name.

    A parent that starts a worker with more than a pipe holds waits for it to read, and for ever if it dies first.
    """

    def __init__(self, evaluator: Evaluator) -> None:
        self._evaluator = evaluator
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as workers may be started
        try:
            pickle.dump(evaluator, self._file, protocol=pickle.HIGHEST_PROTOCOL)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            self._file.close()
            raise InputError(
                f"the search cannot be handed to worker processes ({error}): define spaces and metrics at the top of a "
                "module, not inside a function, or use workers=1"
            ) from None
        self._file.flush()

    def close(self) -> None:
        self._file.close()

    def __reduce__(self) -> tuple[Any, ...]:
        if sys.platform == "win32":
            return _itself, (self._evaluator,)
        return _fetched, (reduction.DupFd(self._file.fileno()),)


def _itself(evaluator: Evaluator) -> Evaluator:
    return evaluator


def _fetched(handle: Any) -> Evaluator:
    descriptor = handle.detach()
    try:
        content = os.pread(descriptor, os.fstat(descriptor).st_size, 0)
    finally:
        os.close(descriptor)
    evaluator: Evaluator = pickle.loads(content)  # noqa: S301 - this program wrote it a moment ago
    return evaluator


def _start_worker(evaluator: Evaluator, parent: int) -> None:
    """Runs once in each worker, which may use one thread. (Ctrl-C is the parent's to handle: the pool sees to that.)"""
    global _evaluator
    leave_with(parent)
    _evaluator = evaluator
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(1)


def leave_with(parent: int) -> None:
    """End this process when its parent is gone, even if that was killed."""
    import threading
    import time

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _work(architecture: Architecture, seed: int, share: float) -> Outcome | Failed:
    assert _evaluator is not None
    try:
        return _attempt(_evaluator, architecture, seed, share)
    except InputError as error:
        # An error whose constructor takes something else than a message would not survive the way back.
        raise InputError(str(error)) from None


def _attempt(evaluator: Evaluator, architecture: Architecture, seed: int, share: float) -> Outcome | Failed:
    """An evaluation whose failure is an answer: one bad candidate must not end a study, wrong input does."""
    try:
        return part_of(evaluator, share)(architecture, seed=seed)
    except NetworkError as error:
        return Failed(str(error).splitlines()[0])
    except InputError:
        raise
    except (Exception, SystemExit) as error:
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
