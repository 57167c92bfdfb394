"""Evaluation by table: what training would have given, at the cost it would have had."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from untrained.architecture import Architecture
from untrained.errors import InputError
from untrained.evaluate.outcome import Outcome
from untrained.tables.table import Table


@dataclass(frozen=True)
class Lookup:
    """The quantities `targets` of a table. `cost` names the column of seconds that one evaluation would have taken."""

    table: Table
    targets: tuple[str, ...]
    lower_is_better: tuple[str, ...] = ()
    cost: str | None = None

    def __post_init__(self) -> None:
        for name in (*self.targets, *self.lower_is_better, *([self.cost] if self.cost else [])):
            self.table.column(name)
        if not self.targets or not set(self.lower_is_better) <= set(self.targets):
            raise InputError("a look-up needs at least one target, and lower_is_better names some of them")

    @property
    def directions(self) -> Mapping[str, int]:
        return {name: -1 if name in self.lower_is_better else 1 for name in self.targets}

    def __call__(self, architecture: Architecture, *, seed: int) -> Outcome:
        """The row of `architecture`; an architecture that is not in the table has no values, and says so."""
        row = self.table.row(architecture)
        if row is None:
            return Outcome(dict.fromkeys(self.targets), dict.fromkeys(self.targets, "not in the table"))
        values = {name: float(self.table.column(name)[row]) for name in self.targets}
        return Outcome(
            {name: value if np.isfinite(value) else None for name, value in values.items()},
            {name: "no value in the table" for name, value in values.items() if not np.isfinite(value)},
            float(self.table.column(self.cost)[row]) if self.cost else 0.0,
        )
