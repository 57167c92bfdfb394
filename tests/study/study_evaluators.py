"""Evaluators without networks, and studies that use them: fast, and importable by worker processes."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from untrained.algorithms.trial import Trial
from untrained.architecture import Architecture
from untrained.errors import InputError
from untrained.evaluate.outcome import Evaluator, Outcome
from untrained.seeds import generator
from untrained.spaces.space import space
from untrained.study.journal import Journal
from untrained.study.study import Study

DIRECTIONS = {"up": 1, "down": -1}
HOMES = {"pruning": "nats-tss-super"}
"""The spaces of algorithms that refuse `nats-tss`."""


@dataclass(frozen=True)
class Synthetic:
    """Two values that depend on the genes and on the seed.

    rejected, failed, empty: shares of the candidates that are rejected, raise, or have no value for `down`; delay: at
    most so many seconds of sleep, drawn anew each time.
    """

    rejected: float = 0.0
    failed: float = 0.0
    empty: float = 0.0
    delay: float = 0.0
    directions: Mapping[str, int] = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        object.__setattr__(self, "directions", DIRECTIONS)

    def __call__(self, architecture: Architecture, *, seed: int) -> Outcome:
        time.sleep(self.delay * (time.perf_counter_ns() // 1000 % 97) / 97)
        rng = generator("synthetic", str(architecture), seed)
        fate = rng.random()
        if fate < self.rejected:
            return Outcome(rejected="params 2,000 breaks params<1,000")
        if fate < self.rejected + self.failed:
            raise ValueError("no such convolution\nand a second line")
        up, down = rng.random(2).tolist()
        if fate > 1 - self.empty:
            return Outcome({"up": up, "down": None}, {"down": "no pooling"}, 0.5, {"up": 0.25, "down": 0.25})
        return Outcome({"up": up, "down": down}, seconds=0.5, costs={"up": 0.25, "down": 0.25})


@dataclass(frozen=True)
class Divided(Synthetic):
    """Its values for a share of the work: the same with an error that shrinks as the share grows."""

    share: float = 1.0

    def at(self, share: float) -> Divided:
        return replace(self, share=share)

    def __call__(self, architecture: Architecture, *, seed: int) -> Outcome:
        outcome = super().__call__(architecture, seed=seed)
        off = (1.0 - self.share) * generator("off", str(architecture), self.share).normal()
        values = {name: None if value is None else value + off for name, value in outcome.values.items()}
        return replace(outcome, values=values)


class OddError(Exception):
    """An exception that does not survive pickling: its constructor takes two arguments and passes on one."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(f"{one} and {two}")


class OddInputError(InputError):
    """The same as an error that ends a study."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(f"{one} and {two}")


@dataclass(frozen=True)
class Mishaps(Synthetic):
    """Every fifth candidate or so ends in `mishap`."""

    mishap: str = "raise"

    def __call__(self, architecture: Architecture, *, seed: int) -> Outcome:
        if seed % 5 == 0:
            match self.mishap:
                case "raise":
                    raise OddError("this", "that")
                case "assert":
                    raise AssertionError
                case "memory":
                    raise MemoryError("DefaultCPUAllocator: can't allocate memory")
                case "kill":
                    os.kill(os.getpid(), signal.SIGKILL)
                case "hang":
                    time.sleep(3600)
                case "input":
                    raise OddInputError("mu", "sigma")
        return super().__call__(architecture, seed=seed)


@dataclass(frozen=True)
class Stuck(Synthetic):
    """Never answers again after `after` candidates."""

    after: int = 0
    count: list[int] = field(default_factory=list)

    def __call__(self, architecture: Architecture, *, seed: int) -> Outcome:
        self.count.append(seed)
        if len(self.count) > self.after:
            time.sleep(3600)
        return super().__call__(architecture, seed=seed)


def study_of(
    evaluator: Evaluator | None,
    journal: Journal | None = None,
    *,
    algorithm: str = "genetic",
    place: str | None = None,
    name: str = "study",
    seed: int = 0,
    ahead: int = 8,
    **options: Any,
) -> Study:
    """The study `name` of `journal`, made when it is not there."""
    journal = journal or Journal()
    place = place or HOMES.get(algorithm, "nats-tss")
    setup = {
        "space": place, "algorithm": algorithm, "options": options, "ranking": "rank_sum", "seed": seed, "limits": ["x<1"],
        "ahead": ahead,
    }  # fmt: skip
    record = journal.find(name) or journal.create(name, setup)
    return Study(journal, record, space(place), DIRECTIONS, evaluator)


def what(trials: list[Trial]) -> list[tuple[Any, ...]]:
    """All of the trials but how long they took."""
    return [
        (t.number, str(t.architecture), t.parents, t.operator, t.state, dict(t.values), dict(t.reasons), t.copied)
        for t in trials
    ]
