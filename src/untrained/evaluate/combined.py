"""Several evaluations as one, the cheap ones first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from untrained.architecture import Architecture
from untrained.errors import InputError
from untrained.evaluate.limits import Limit, broken
from untrained.evaluate.outcome import Divisible, Evaluator, Outcome, indivisible
from untrained.spaces.space import space as find_space


@dataclass(frozen=True)
class Combined:
    """What all of `evaluators` say, asked in the order given: give the cheap ones first.

    Each limit is checked as soon as its quantity is known; an architecture that breaks one is rejected and nothing dearer
    runs. (Limits are for what may be handed over: a super-network is larger than any of its answers.) Nor does anything
    run once an objective has no value: such an architecture ranks behind all others anyway. directions: the objectives in
    order, of all that the evaluators give; the other values are recorded after them.
    """

    evaluators: tuple[Evaluator, ...]
    directions: Mapping[str, int]
    limits: tuple[Limit, ...] = ()

    def __post_init__(self) -> None:
        given = {name for evaluator in self.evaluators for name in evaluator.directions}
        for name in (*self.directions, *(limit.quantity for limit in self.limits)):
            if name not in given:
                raise InputError(f"no evaluator gives {name!r}; they give: {', '.join(sorted(given))}")

    def at(self, share: float) -> Combined:
        """The same with a share of the work of those that can do less; the others, cheap ones, do theirs."""
        if not any(isinstance(evaluator, Divisible) for evaluator in self.evaluators):
            raise indivisible(self.directions)
        parts = (part.at(share) if isinstance(part, Divisible) else part for part in self.evaluators)
        return replace(self, evaluators=tuple(parts))

    def __call__(self, architecture: Architecture, *, seed: int) -> Outcome:
        values: dict[str, float | None] = {}
        reasons: dict[str, str] = {}
        costs: dict[str, float] = {}
        seconds = 0.0
        limits = self.limits if find_space(architecture.space).answer(architecture) is not None else ()
        for evaluator in self.evaluators:
            lost = next((name for name in reasons if name in self.directions), None)
            if lost is not None:
                reasons |= dict.fromkeys(evaluator.directions, f"not evaluated, since {lost} has no value")
                continue
            outcome = evaluator(architecture, seed=seed)
            seconds += outcome.seconds
            why = outcome.rejected or broken(
                [limit for limit in limits if limit.quantity in evaluator.directions], outcome.values
            )
            if why is not None:
                return Outcome(rejected=why, seconds=seconds)
            values |= outcome.values
            reasons |= outcome.reasons
            costs |= outcome.costs
        ranked: dict[str, float | None] = {name: values.get(name) for name in self.directions}
        others = {name: value for name, value in values.items() if name not in ranked and value is not None}
        return Outcome(ranked | others, {name: why for name, why in reasons.items() if name in ranked}, seconds, costs)
