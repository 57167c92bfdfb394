"""What an evaluator is and what it answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from untrained.architecture import Architecture
from untrained.errors import InputError


@dataclass(frozen=True, slots=True)
class Outcome:
    """values: by objective, None where there is none, then whatever else was learnt; reasons: why, by objective; seconds:
    what it took; costs: of those, by objective; rejected: the limit that the architecture breaks, or why else it cannot be
    evaluated, in which case there are no values."""

    values: Mapping[str, float | None] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    costs: Mapping[str, float] = field(default_factory=dict)
    rejected: str | None = None


class Evaluator(Protocol):
    """From an architecture to values; picklable, and without state: the answer depends on its arguments alone."""

    @property
    def directions(self) -> Mapping[str, int]:
        """The objectives in order: +1 where higher is better, -1 where lower is."""

    def __call__(self, architecture: Architecture, *, seed: int) -> Outcome:
        """Evaluate `architecture`. Raises only what is not the architecture's fault."""


@runtime_checkable
class Divisible(Evaluator, Protocol):
    """An evaluator that can do less than all of its work, for a first impression."""

    def at(self, share: float) -> Evaluator:
        """The evaluator that does `share` (0..1) of the work. Raises `InputError` if that is less than can be done."""


def part_of(evaluator: Evaluator, share: float) -> Evaluator:
    """`evaluator` for a share (0..1] of its work: itself for all of it."""
    if share >= 1.0:
        return evaluator
    if isinstance(evaluator, Divisible):
        return evaluator.at(share)
    raise indivisible(evaluator.directions)


def indivisible(names: Iterable[str]) -> InputError:
    """The error for quantities that need all of the work."""
    return InputError(
        f"there is no {' or '.join(names)} for a share of the work; only accuracy(epochs=N) can be had in fewer epochs"
    )
