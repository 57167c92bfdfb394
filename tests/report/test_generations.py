"""Which generation a trial belongs to, and what a generation is worth."""

from __future__ import annotations

import numpy as np
import pytest
from recorded_study import recorded
from scipy.stats import pearsonr

from untrained.algorithms.trial import Trial
from untrained.alignment import similarity_matrix
from untrained.architecture import Architecture
from untrained.report.generations import Generation, correlation, costs, generation_numbers, generations
from untrained.report.sizes import target_size
from untrained.seeds import generator
from untrained.spaces.space import space

CHAIN = space("chain")
BROKEN = Architecture.parse("chain:C16k3s1-B", strict=False)


def published(trials, **directions):
    """Ranked by the first of these objectives."""
    directions = directions or {"accuracy": 1, "size": -1}
    return recorded(trials, metrics=list(directions), objectives=directions, ranking="first")


def made_up(count=40, generation=10, name_them=True, space=CHAIN):
    """Trials in generations, each a mutant of two of the generation before, better and better."""
    rng = generator("generations")
    trials = []
    for number in range(count):
        age = number // generation
        parents = (
            tuple(sorted(rng.choice(np.arange((age - 1) * generation, age * generation), 2, False).tolist()))
            if age
            else ()
        )
        architecture = space.mutate(trials[parents[0]].architecture, rng) if parents else space.sample(rng)
        values = {"accuracy": age + float(rng.random()), "size": 1000.0 - number}
        operator = f"generation {age + 1}" if name_them else "mutation" if parents else "sample"
        trials.append(Trial(number, architecture, parents, operator, values=values))
    return trials


@pytest.mark.parametrize("name_them", [True, False])
def test_generations_are_named_or_follow_from_the_parents(name_them):
    study = published(made_up(name_them=name_them))
    assert generation_numbers(study) == {number: number // 10 + 1 for number in range(40)}


def test_a_name_counts_more_than_parents_and_the_youngest_parent_decides():
    rng = generator("mixed")
    a = [CHAIN.sample(rng) for _ in range(6)]
    values = {"accuracy": 1.0, "size": 1.0}
    trials = [
        Trial(0, a[0], values=values),
        Trial(1, a[1], (0,), "mutation", values=values),
        Trial(2, a[2], (0, 1), "crossover", values=values),
        Trial(3, a[3], (2, 0), "crossover", state="failed"),
        Trial(4, a[4], (2,), "generation 9", values=values),
        Trial(6, a[5], (4, 5), "crossover", values=values),  # 5 is missing
    ]
    assert generation_numbers(published(trials)) == {0: 1, 1: 2, 2: 3, 3: 4, 4: 9, 6: 10}


def test_each_generation_has_its_best_and_its_median_similarity():
    trials = made_up(41)
    found = generations(published(trials))
    assert [one.number for one in found] == [1, 2, 3, 4, 5]
    for one, start in zip(found, range(0, 41, 10), strict=True):
        members = trials[start : start + 10]
        assert [trial.number for trial in one.trials] == [trial.number for trial in members]
        assert one.fitness == max(trial.values["accuracy"] for trial in members)
        assert one.best.values["accuracy"] == one.fitness
        if len(members) > 1:
            matrix = similarity_matrix([trial.architecture for trial in members])
            assert one.similarity == np.median(matrix[np.triu_indices(len(members), 1)])
    assert found[-1].similarity is None


def test_of_a_large_generation_every_kth_is_compared(monkeypatch):
    monkeypatch.setattr("untrained.report.generations.MOST_COMPARED", 4)
    trials = made_up(10)
    (one,) = generations(published(trials))
    matrix = similarity_matrix([trial.architecture for trial in trials[::3]])
    assert len(matrix) == 4
    assert one.similarity == np.median(matrix[np.triu_indices(4, 1)])
    assert len(one.trials) == 10


def test_trials_without_values_are_no_members():
    trials = made_up(20)
    trials[3] = Trial(3, trials[3].architecture, (), "generation 1", "failed", reasons={"error": "x"})
    assert 3 not in {trial.number for one in generations(published(trials)) for trial in one.trials}


def test_correlation_is_pearsons():
    found = generations(published(made_up(60)))
    expected = pearsonr([one.fitness for one in found], [one.similarity for one in found]).statistic
    assert correlation(found) == pytest.approx(expected)


@pytest.mark.parametrize(
    "pairs",
    [
        [],
        [(1.0, 0.5), (2.0, 0.6)],
        [(1.0, 0.5), (2.0, 0.6), (3.0, None)],
        [(1.0, 0.5), (2.0, 0.6), (-np.inf, 0.7)],
        [(1.0, 0.5), (1.0, 0.6), (1.0, 0.7)],
        [(1.0, 0.5), (2.0, 0.5), (3.0, 0.5)],
    ],
)
def test_no_correlation_of_too_little(pairs):
    trial = Trial(0, BROKEN)
    with np.errstate(all="raise"):
        assert correlation([Generation(i, (trial,), trial, *pair) for i, pair in enumerate(pairs)]) is None


def test_costs_are_parameters_and_the_objectives_that_are_sizes_or_times():
    trials = made_up(20)
    worst = {"accuracy": 0.0, "size": 7.0}
    trials += [Trial(20, BROKEN, (), "generation 3", values=worst), Trial(21, BROKEN, (), "generation 3", values=worst)]
    study = published(trials)
    found = generations(study)
    known = costs(study, found)
    assert list(known) == ["parameters", "size"]
    expected = [target_size(study, one.best.architecture).parameters for one in found[:2]]
    assert known["parameters"] == [*expected, None]
    assert known["size"] == [one.best.values["size"] for one in found]


def test_costs_that_nobody_knows_are_left_out():
    trials = [Trial(n, BROKEN, (), f"generation {n + 1}", values={"accuracy": 1.0, "score": 2.0}) for n in range(3)]
    study = published(trials, accuracy=1, score=1)
    assert costs(study, generations(study)) == {}
