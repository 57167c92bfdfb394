"""Proposals and trials: what a search algorithm says and hears."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from untrained.architecture import Architecture

State = Literal["asked", "complete", "rejected", "failed"]


@dataclass(frozen=True, slots=True)
class Proposal:
    """An architecture to try, the numbers of the trials it descends from, and the operator that made it."""

    architecture: Architecture
    parents: tuple[int, ...] = ()
    operator: str = "sample"


@dataclass(frozen=True, slots=True)
class Trial:
    """One row of a study, for ever.

    state: `asked` (no answer yet), `complete` (it has values), `rejected` (outside the limits, nothing was scored) or
    `failed` (it raised, ran out of memory or killed its worker). values: by objective, None where there is none; reasons:
    why, by objective or under `limits` or `error`; seconds: what scoring took; costs: of
    those, by objective; copied: the number of the trial with the
    same network whose values these are.
    """

    number: int
    architecture: Architecture
    parents: tuple[int, ...] = ()
    operator: str = "sample"
    state: State = "complete"
    values: Mapping[str, float | None] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    costs: Mapping[str, float] = field(default_factory=dict)
    copied: int | None = None
