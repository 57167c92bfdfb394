"""How a search is going, on stderr: live in a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Self

from untrained.cli.terminal import notes, number, shortened

if TYPE_CHECKING:
    from rich.live import Live
    from rich.text import Text

    from untrained.algorithms.trial import Trial
    from untrained.study.budget import Budget
    from untrained.study.study import Study

LIVE, PLAIN = 0.25, 5.0
"""Seconds between two updates."""


class SearchProgress:
    """Called with every trial; shows the count, the rate, the time left, what was lost, and the best so far."""

    def __init__(self, study: Study, budget: Budget) -> None:
        self._study = study
        self._budget = budget
        self._shown = time.monotonic()
        self._first: tuple[float, int] | None = None
        self._live: Live | None = None
        self._pause = LIVE if sys.stderr.isatty() else PLAIN

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            from rich.live import Live

            self._live = Live(self._picture(), console=notes(soft_wrap=False), auto_refresh=False, transient=True)
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def __call__(self, trial: Trial) -> None:
        if self._first is None:
            self._first = (time.monotonic(), self._study.evaluations)
        if time.monotonic() - self._shown < self._pause:
            return
        begun = time.monotonic()
        if self._live is None:
            print(self.line(), file=sys.stderr, flush=True)
        else:
            self._live.update(self._picture(), refresh=True)
        self._shown = time.monotonic()
        # Ranking a long history takes a while: never spend more than a twentieth of the time on it.
        self._pause = max(self._pause, 20 * (self._shown - begun))

    def line(self) -> str:
        """Everything in one line."""
        done, goal = self._study.evaluations, self._budget.evaluations
        parts = [f"{done:,} trials" if goal is None else f"{done:,} of {goal:,} trials"]
        rate = self._rate(done)
        if rate > 0:
            parts.append(f"{rate:.1f}/s")
            parts += [f"{duration((goal - done) / rate)} left"] if goal is not None and done < goal else []
        if self._budget.minutes is not None:
            parts.append(f"{self._study.searched_seconds / 60:.1f} of {self._budget.minutes:g} min")
        if self._budget.simulated_seconds is not None:
            parts.append(f"{self._study.simulated_seconds:,.0f} of {self._budget.simulated_seconds:,.0f} simulated s")
        counts = self._study.counts()
        parts += [f"{counts[state]:,} {state}" for state in ("partial", "rejected", "failed") if counts.get(state)]
        return ", ".join(parts) + self._best()

    def _rate(self, done: int) -> float:
        """Trials a second since the first one ended: starting the workers is no part of it."""
        if self._first is None:
            return 0.0
        since, there = self._first
        return (done - there) / max(time.monotonic() - since, 1e-9)

    def _part(self) -> float:
        """How much of the budget is used, 0..1."""
        study, budget = self._study, self._budget
        used = (
            (study.evaluations, budget.evaluations),
            (study.searched_seconds / 60, budget.minutes),
            (study.simulated_seconds, budget.simulated_seconds),
        )
        return min(1.0, max(number / most for number, most in used if most is not None))

    def _best(self) -> str:
        best = next(iter(self._study.best_trials), None)
        if best is None:
            return ""
        scores = " ".join(f"{name} {number(best.values.get(name))}" for name in self._study.directions)
        return f"; best #{best.number} {scores} {shortened(str(best.architecture), 60)}"

    def _picture(self) -> Text:
        from rich.text import Text

        counts, _, best = self.line().partition("; ")
        filled = round(30 * self._part())
        return Text.assemble(
            ("━" * filled, "green"),
            ("━" * (30 - filled), "dim"),
            " ",
            counts,
            "\n",
            best,
            no_wrap=True,
            overflow="ellipsis",
        )


class CountProgress:
    """Called with every trial; shows how many of `total` are done and the time left."""

    def __init__(self, total: int) -> None:
        self._total, self._done = total, 0
        self._begun = self._shown = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if sys.stderr.isatty() and self._done:
            print(file=sys.stderr)

    def __call__(self, trial: Trial) -> None:
        self._done += 1
        now = time.monotonic()
        if now - self._shown < (LIVE if sys.stderr.isatty() else PLAIN):
            return
        self._shown = now
        rate = self._done / (now - self._begun)
        left = duration((self._total - self._done) / rate)
        line = f"{self._done:,} of {self._total:,} trials, {rate:.1f}/s, {left} left"
        if sys.stderr.isatty():
            print(f"\r{line:<70}", end="", file=sys.stderr, flush=True)
        else:
            print(line, file=sys.stderr, flush=True)


def duration(seconds: float) -> str:
    """A time for people."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
