"""Fitness: the ranking and the objectives of trials."""

from __future__ import annotations

import numpy as np

from untrained.algorithms.fitness import Fitness
from untrained.algorithms.rankings import mean_ranks
from untrained.algorithms.trial import Trial
from untrained.architecture import Architecture


def trial(number: int, **values: float | None) -> Trial:
    return Trial(number, Architecture("none", ()), values=values)


def test_objectives_are_signed_and_in_order() -> None:
    fitness = Fitness("rank_sum", {"accuracy": 1, "latency": -1})
    trials = [trial(0, latency=3.0, accuracy=0.5), trial(1, latency=1.0, accuracy=0.25), trial(2, accuracy=None)]
    np.testing.assert_array_equal(fitness.scores(trials), [[0.5, -3], [0.25, -1], [np.nan, np.nan]])
    np.testing.assert_array_equal(fitness(trials), [-3, -3, -np.inf])
    assert fitness([]).shape == (0,)
    assert fitness.scores([]).shape == (0, 2)
    assert fitness.objectives == ("accuracy", "latency")


def test_fitness_is_within_the_trials_given() -> None:
    fitness = Fitness("rank_sum", {"a": 1, "b": 1})
    one, two, three = trial(0, a=1.0, b=9.0), trial(1, a=2.0, b=8.0), trial(2, a=3.0, b=8.5)
    assert fitness([one, two])[0] == fitness([one, two])[1]
    assert fitness([one, two, three])[0] > fitness([one, two, three])[1]


def test_mean_ranks_are_those_of_scipy() -> None:
    from scipy.stats import rankdata

    scores = np.random.default_rng(0).integers(0, 6, (40, 3)).astype(float)
    np.testing.assert_array_equal(mean_ranks(scores), rankdata(scores, axis=0))
