"""When a search ends."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np

from untrained.algorithms.fitness import Fitness
from untrained.algorithms.pareto import fronts
from untrained.algorithms.trial import Trial
from untrained.errors import InputError
from untrained.evaluate.quantities import SIMULATED

EVALUATIONS = 300
"""Where nothing else is said."""
MOST_COPIES = 2000
"""So many trials in a row without a new network end a search that has no number of evaluations to reach."""


@dataclass(frozen=True, slots=True)
class Budget:
    """What a study may use in all, over all runs; what is used up first ends the search, None never does.

    evaluations: trials that are not rejected; minutes: time that searches ran; simulated_seconds: what the evaluations would
    have taken by the cost column of a table; patience: evaluations since the best trial so far, or under `pareto` since the
    last that entered the front.
    """

    evaluations: int | None = None
    minutes: float | None = None
    simulated_seconds: float | None = None
    patience: int | None = None

    def __post_init__(self) -> None:
        for name in ("evaluations", "patience"):
            number = getattr(self, name)
            if number is None:
                continue
            if not isinstance(number, Integral) or number < 1:
                raise InputError(f"{name} is a whole number, at least 1, not {number!r}")
            object.__setattr__(self, name, int(number))
        for name in ("minutes", "simulated_seconds"):
            number = getattr(self, name)
            if number is not None and not (isinstance(number, Real) and 0 < float(number) < math.inf):
                raise InputError(f"{name} is a positive number, not {number!r}")
        if self.evaluations is None and self.minutes is None and self.simulated_seconds is None:
            object.__setattr__(self, "evaluations", EVALUATIONS)

    def check_cost(self, table_cost: str | None) -> None:
        """Refuse simulated seconds that nothing gives."""
        if self.simulated_seconds is not None and table_cost is None:
            raise InputError(
                "simulated seconds come from a table; name its column of seconds: --table-cost COLUMN, or "
                "table_cost='COLUMN'"
            )

    def doubled(self, evaluations: int) -> Budget:
        """Twice as much, for a study that has so many evaluations."""
        return Budget(
            None if self.evaluations is None else 2 * max(self.evaluations, evaluations),
            None if self.minutes is None else 2 * self.minutes,
            None if self.simulated_seconds is None else 2 * self.simulated_seconds,
            None if self.patience is None else 2 * self.patience,
        )


class Told:
    """What the trials have used that were told so far.

    Budgets other than time are compared with this, not with what has ended: what was told when a trial is asked for is
    the same for any number of workers.
    """

    def __init__(self, budget: Budget, fitness: Fitness) -> None:
        self.budget = budget
        self._fitness = fitness
        self._evaluations = self._copies = 0
        self._simulated = 0.0
        self._candidates: list[Trial] = []
        self._came: list[int] = []
        self._look_at = budget.patience or 0

    def add(self, trial: Trial) -> None:
        self._evaluations += trial.state != "rejected"
        self._simulated += simulated(trial)
        self._copies = 0 if trial.copied is None else self._copies + 1
        if trial.state == "complete" and trial.copied is None:
            self._candidates.append(trial)
            self._came.append(self._evaluations)

    def enough(self) -> str | None:
        """Why nothing more is to be asked for, or None."""
        budget = self.budget
        if budget.simulated_seconds is not None and self._simulated >= budget.simulated_seconds:
            return f"{budget.simulated_seconds:,g} simulated seconds are used up"
        if budget.evaluations is None and self._copies >= MOST_COPIES:
            return f"no new network in {MOST_COPIES:,} trials"
        if budget.patience is not None and self._evaluations >= self._look_at:
            # No need to rank everything again before the one that is the best now can be old enough.
            self._look_at = self._newest() + budget.patience
            if self._evaluations >= self._look_at:
                return f"no progress in {budget.patience:,} evaluations"
        return None

    def _newest(self) -> int:
        """After how many evaluations the best came, or the last of the front; 0 without any."""
        scores = self._fitness.scores(self._candidates)
        if self._fitness.ranking != "pareto":
            order = self._fitness(self._candidates)
            return self._came[int(np.argmax(order))] if np.isfinite(order).any() else 0
        whole = np.flatnonzero(np.isfinite(scores).all(axis=1))
        members = whole[fronts(scores[whole]) == 1]
        # A network that equals an earlier one in everything is no progress.
        _, first = np.unique(scores[members], axis=0, return_index=True)
        return max((self._came[place] for place in members[first].tolist()), default=0)


def simulated(trial: Trial) -> float:
    """Simulated seconds that a trial used: copies use none."""
    return (trial.values.get(SIMULATED) or 0.0) if trial.copied is None else 0.0


def simulated_in_all(trials: Sequence[Trial]) -> float:
    """Simulated seconds of all trials together."""
    return math.fsum(map(simulated, trials))
