"""Evaluation by table: what training would have given, at the cost it would have had."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from untrained.architecture import Architecture
from untrained.errors import InputError
from untrained.evaluate.outcome import Outcome
from untrained.evaluate.quantities import SIMULATED
from untrained.tables.table import Table


@dataclass(frozen=True)
class Lookup:
    """The quantities `targets` of a table, each under the name of its column after `prefix`.

    cost: the column of seconds that one evaluation would have taken, `factor` times: an epoch's seconds times the epochs,
    say. They are recorded as `simulated_seconds`. An architecture that the table does not have, or of which a number is
    missing, is rejected.
    """

    table: Table
    targets: tuple[str, ...]
    lower_is_better: tuple[str, ...] = ()
    cost: str | None = None
    factor: float = 1.0
    prefix: str = ""

    def __post_init__(self) -> None:
        for name in (*self.targets, *self.lower_is_better, *([self.cost] if self.cost else [])):
            self.table.column(name)
        if not self.targets or not set(self.lower_is_better) <= set(self.targets):
            raise InputError("a look-up needs at least one target, and lower_is_better names some of them")
        if self.cost and (negative := np.flatnonzero(self.table.column(self.cost) < 0)).size:
            raise InputError(f"row {negative[0]} of the column {self.cost!r} is negative; a cost is in seconds from 0")

    @property
    def directions(self) -> Mapping[str, int]:
        return {self.prefix + name: -1 if name in self.lower_is_better else 1 for name in self.targets}

    def __call__(self, architecture: Architecture, *, seed: int) -> Outcome:
        row = self.table.row(architecture)
        names = self.targets if self.cost is None else (*self.targets, self.cost)
        found = {} if row is None else {name: float(self.table.column(name)[row]) for name in names}
        if row is None or not all(map(math.isfinite, found.values())):
            return Outcome(rejected="not in the table")
        values: dict[str, float | None] = {self.prefix + name: found[name] for name in self.targets}
        return Outcome(values if self.cost is None else values | {SIMULATED: self.factor * found[self.cost]})
