"""Whole programs that search, to be watched, interrupted and killed from outside."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

PATIENCE = 60.0
"""Seconds after which something is taken to hang; what is waited for usually takes a few."""

PROGRAM = """
    import sys
    from pathlib import Path

    sys.path.insert(0, {here!r})
    from study_evaluators import *

    def main():
        study = study_of({evaluator}, Journal({path!r}), population=9, mutation=0.6)
        study.run({evaluations}, workers={workers})
        print("done", flush=True)
"""
GUARD = """
    if __name__ == "__main__":
        main()
"""


def program(
    path: Path,
    *,
    evaluator: str = "Synthetic(delay=0.02)",
    guard: str = GUARD,
    evaluations: int = 4000,
    workers: int = 2,
) -> str:
    """The text of a search that is kept at `path`."""
    here = str(Path(__file__).parent)
    text = PROGRAM.format(here=here, path=str(path), evaluator=evaluator, evaluations=evaluations, workers=workers)
    return textwrap.dedent(text) + textwrap.dedent(guard)


@contextmanager
def running(script: Path, text: str, *, stdin: bool = False) -> Iterator[subprocess.Popen]:
    """The program in a group of its own, all of which is ended afterwards."""
    # Python ignores Ctrl-C when its parent did, as jobs in the background of a shell do.
    heard = "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
    script.write_text(heard + text)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "TMPDIR": str(script.parent)}
    with script.open() as source:
        process = subprocess.Popen(
            [sys.executable, "-" if stdin else str(script)], stdin=source if stdin else subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True,
        )  # fmt: skip
        try:
            yield process
        finally:
            if members(process.pid):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


def members(group: int) -> list[int]:
    """The processes of a group that are not yet dead."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            state, _, owner = (entry / "stat").read_text().rpartition(")")[2].split()[:3]
        except (OSError, ValueError):
            continue
        if int(owner) == group and state != "Z":
            found.append(int(entry.name))
    return found


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for `condition`, but not for ever."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"{what} never came"
        time.sleep(0.01)


def recorded(path: Path) -> int:
    """Trials in a store that may not be there yet."""
    if not path.is_file():
        return 0
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        try:
            return int(connection.execute("SELECT count(*) FROM trials").fetchone()[0])
        except sqlite3.OperationalError:
            return 0
