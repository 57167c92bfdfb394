"""Proposals and trials: what a search algorithm says and hears."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from untrained.architecture import Architecture

State = Literal["asked", "complete", "partial", "rejected", "failed"]

SHARE = "share_of_evaluation"
"""Stands among the values of a trial that got less than the whole evaluation."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """An architecture to try, the numbers of the trials it descends from, the operator that made it, and which share of
    the whole evaluation it is to have: of the epochs of training, say."""

    architecture: Architecture
    parents: tuple[int, ...] = ()
    operator: str = "sample"
    share: float = 1.0

    @property
    def marks(self) -> dict[str, float | None]:
        """What stands among the values of its trial for a share; nothing for the whole evaluation."""
        return {} if self.share >= 1.0 else {SHARE: self.share}

    @property
    def state(self) -> State:
        """The state of its trial once that has values."""
        return "partial" if self.marks else "complete"


@dataclass(frozen=True, slots=True)
class Trial:
    """One row of a study, for ever.

    state: `asked` (no answer yet), `complete` (it has values), `partial` (it has values of a smaller share of the
    evaluation, and is no answer of a search), `rejected` (outside the limits, nothing was scored) or `failed` (it raised,
    ran out of memory or killed its worker). values: by objective, None where there is none; reasons: why, by objective or
    under `limits` or `error`; seconds: what scoring took; costs: of those, by objective; copied: the number of the trial
    with the same network whose values these are.
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

    @property
    def share(self) -> float:
        """The share (0..1] of the whole evaluation that the values are of; 1 where there are none."""
        return self.values.get(SHARE) or 1.0
