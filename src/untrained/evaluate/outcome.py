"""What an evaluator is and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from untrained.architecture import Architecture


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
