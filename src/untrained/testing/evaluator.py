"""What every evaluator must do, as tests: run them on your own with pytest.

# test_my_evaluator.py
from untrained.testing.evaluator import EvaluatorContract

class TestMine(EvaluatorContract):
    @pytest.fixture
    def evaluator(self):
        return Mine(...)
"""

from __future__ import annotations

import math
import pickle
import random
import sys
from collections.abc import Collection, Sequence

import numpy as np
import pytest

from untrained.architecture import Architecture
from untrained.errors import InputError
from untrained.evaluate.outcome import Divisible, Evaluator, Outcome, part_of
from untrained.seeds import generator
from untrained.spaces.space import space

SEEDS = (0, 2**62)


def what(outcome: Outcome, measured: Collection[str] = ()) -> tuple[object, ...]:
    """All of an outcome but how long it took, and of what was `measured` only that it was."""
    values = [(name, "measured" if name in measured else value) for name, value in outcome.values.items()]
    return repr(values), dict(outcome.reasons), outcome.rejected


class EvaluatorContract:
    """The contract of :class:`untrained.evaluate.outcome.Evaluator`; subclasses provide the fixture `evaluator` and may
    provide others."""

    @pytest.fixture
    def evaluator(self) -> Evaluator:
        raise NotImplementedError("give your subclass of EvaluatorContract a fixture named 'evaluator'")

    @pytest.fixture
    def architectures(self) -> Sequence[Architecture]:
        """Architectures to evaluate; of the topology space unless you say others."""
        return [space("nats-tss").sample(generator("evaluator", number)) for number in range(3)]

    @pytest.fixture
    def strict(self) -> Evaluator | None:
        """The same with limits that some of the architectures break, if there are limits."""
        return None

    measured: Collection[str] = ()
    """Names of values that are measurements, such as a latency: they need not be the same twice."""

    def outcomes(self, evaluator: Evaluator, architectures: Sequence[Architecture]) -> list[tuple[object, ...]]:
        """For each architecture and seed."""
        return [what(evaluator(one, seed=seed), self.measured) for one in architectures for seed in SEEDS]

    def test_objectives_have_directions(self, evaluator: Evaluator) -> None:
        directions = evaluator.directions
        assert directions
        assert all(isinstance(name, str) and direction in (1, -1) for name, direction in directions.items())

    def test_every_objective_has_a_value_or_a_reason(
        self, evaluator: Evaluator, architectures: Sequence[Architecture]
    ) -> None:
        for architecture in architectures:
            outcome = evaluator(architecture, seed=0)
            assert outcome.rejected is None
            assert list(outcome.values)[: len(evaluator.directions)] == list(evaluator.directions)
            assert set(outcome.reasons) == {name for name, value in outcome.values.items() if value is None}
            assert all(outcome.reasons.values())
            assert all(math.isfinite(value) for value in outcome.values.values() if value is not None)
            assert outcome.seconds >= 0
            assert set(outcome.costs) <= set(outcome.values)
            assert all(cost >= 0 for cost in outcome.costs.values())

    def test_the_arguments_decide(self, evaluator: Evaluator, architectures: Sequence[Architecture]) -> None:
        assert self.outcomes(evaluator, architectures) == self.outcomes(evaluator, architectures)

    def test_what_came_before_does_not_matter(
        self, evaluator: Evaluator, architectures: Sequence[Architecture]
    ) -> None:
        forwards = self.outcomes(evaluator, architectures)
        count = len(SEEDS)
        backwards = self.outcomes(evaluator, architectures[::-1])
        by_architecture = [backwards[start : start + count] for start in range(0, len(backwards), count)]
        assert [outcome for group in by_architecture[::-1] for outcome in group] == forwards

    def test_it_travels(self, evaluator: Evaluator, architectures: Sequence[Architecture]) -> None:
        fresh = pickle.loads(pickle.dumps(evaluator))  # noqa: S301 - our own
        expected = self.outcomes(evaluator, architectures)
        used = pickle.loads(pickle.dumps(evaluator))  # noqa: S301
        assert self.outcomes(fresh, architectures) == self.outcomes(used, architectures) == expected
        assert list(fresh.directions.items()) == list(evaluator.directions.items())

    def test_a_share_of_the_work_gives_the_same_objectives_or_is_refused(
        self, evaluator: Evaluator, architectures: Sequence[Architecture]
    ) -> None:
        assert part_of(evaluator, 1.0) is evaluator
        try:
            half = part_of(evaluator, 0.5)
        except InputError as refusal:
            assert str(refusal)  # noqa: PT017 - refusing is as good as doing
            return
        assert isinstance(evaluator, Divisible)
        assert list(half.directions.items()) == list(evaluator.directions.items())
        for architecture in architectures:
            outcome, whole = half(architecture, seed=0), evaluator(architecture, seed=0)
            assert (outcome.rejected is None) == (whole.rejected is None)
            assert list(outcome.values) == list(whole.values)

    def test_global_random_numbers_are_neither_used_nor_moved(
        self, evaluator: Evaluator, architectures: Sequence[Architecture]
    ) -> None:
        torch = sys.modules.get("torch")
        expected = self.outcomes(evaluator, architectures)
        states = random.getstate(), np.random.get_state()[1].copy(), torch and torch.get_rng_state()  # type: ignore[index]  # noqa: NPY002
        if torch is not None:
            torch.default_generator.manual_seed(12345)
        moved = torch and torch.get_rng_state()
        try:
            assert self.outcomes(evaluator, architectures) == expected
            assert random.getstate() == states[0]
            assert np.array_equal(np.random.get_state()[1], states[1])  # type: ignore[index]  # noqa: NPY002
            assert torch is None or torch.equal(torch.get_rng_state(), moved)
        finally:
            if torch is not None:
                torch.set_rng_state(states[2])

    def test_what_breaks_a_limit_is_not_evaluated(
        self, evaluator: Evaluator, strict: Evaluator | None, architectures: Sequence[Architecture]
    ) -> None:
        if strict is None:
            pytest.skip("it has no limits")
        rejected = 0
        for architecture in architectures:
            outcome = strict(architecture, seed=0)
            if outcome.rejected is None:
                assert what(outcome, self.measured) == what(evaluator(architecture, seed=0), self.measured)
            else:
                rejected += 1
                assert "breaks" in outcome.rejected
                assert not outcome.values
                assert not outcome.reasons
        assert 0 < rejected < len(architectures), "the limits of `strict` reject all or nothing"
