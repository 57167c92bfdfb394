"""NSGA-II: who survives, who wins, and how much of the front it finds."""

from __future__ import annotations

import numpy as np
import pytest

from untrained.algorithms.fitness import Fitness
from untrained.algorithms.nsga2 import Nsga2
from untrained.algorithms.pareto import crowding, fronts
from untrained.algorithms.random_search import RandomSearch
from untrained.algorithms.searcher import Searcher
from untrained.algorithms.trial import Proposal, Trial
from untrained.errors import InputError
from untrained.spaces.space import space
from untrained.testing.searcher import drive, fitness, told_by, troubled

PLACE = space("nats-tss")
TWO = Fitness("pareto", {"ones": 1, "twos": -1})


def ones_and_twos(number: int, proposal: Proposal) -> Trial:
    """More 1s are better, and so are more 2s, of which the negative is minimised; the others are lost for both."""
    genes = proposal.architecture.genes
    values = {"ones": float(genes.count(1)), "twos": -float(genes.count(2))}
    return Trial(number, proposal.architecture, proposal.parents, proposal.operator, values=values)


def front_size(searcher: Searcher, evaluations: int) -> int:
    """How many of the seven best compromises were found."""
    told = told_by(searcher, evaluations, ones_and_twos, 8)
    found = {tuple(row) for row in TWO.scores(told).tolist()}
    return len(found & {(float(k), 6.0 - k) for k in range(7)})


def test_survivors_are_the_best_fronts_then_the_least_crowded() -> None:
    searcher = Nsga2(PLACE, TWO, 0, population=12)
    before: list[Trial] = []
    generation: list[Trial] = []
    generations = 0
    for _, pending, told in drive(searcher, 200, ones_and_twos):
        if pending or not told:
            continue
        generation.append(told[-1])
        if searcher._heard:
            continue
        together, survivors = before + generation, {trial.number for trial in searcher._alive}
        assert len(survivors) == 12
        scores = TWO.scores(together)
        front = fronts(scores)
        last = max(front[i] for i, trial in enumerate(together) if trial.number in survivors)
        assert all(trial.number in survivors for i, trial in enumerate(together) if front[i] < last)
        points = np.unique(scores[front == last], axis=0)
        distance = {tuple(p): d for p, d in zip(points.tolist(), crowding(points).tolist(), strict=True)}
        of_last = [i for i, f in enumerate(front) if f == last]
        stay = [distance[tuple(scores[i].tolist())] for i in of_last if together[i].number in survivors]
        go = [distance[tuple(scores[i].tolist())] for i in of_last if together[i].number not in survivors]
        assert not go or min(stay) >= max(go) - 1e-12
        before, generation = list(searcher._alive), []
        generations += 1
    assert generations > 10


def test_it_finds_the_front() -> None:
    found = [front_size(Nsga2(PLACE, TWO, seed), 400) for seed in range(5)]
    random = [front_size(RandomSearch(PLACE, TWO, seed), 400) for seed in range(5)]
    assert np.mean(found) > 5 > np.mean(random)


def test_binary_tournaments() -> None:
    """Rank k of n wins against the n - 1 - k worse: 2 (n - 1 - k) / n (n - 1)."""
    searcher = Nsga2(PLACE, fitness, 0, population=8)
    told = told_by(searcher, 8)
    ranked = sorted(told, key=lambda t: t.values["value"], reverse=True)
    rng, wins = np.random.default_rng(0), np.zeros(8)
    for _ in range(4000):
        wins[ranked.index(searcher._winner(rng))] += 1
    np.testing.assert_allclose(wins / 4000, [2 * (7 - k) / 56 for k in range(8)], atol=4 * np.sqrt(0.19 / 4000))


def test_rates_of_the_operators() -> None:
    searcher = Nsga2(PLACE, fitness, 0, population=30, crossover=0.8, mutation=0.25)
    told_by(searcher, 30)
    rng = np.random.default_rng(0)
    operators = [searcher._child(rng).operator for _ in range(3000)]
    different = 0.8 * (1 - np.sum(([2 * (29 - k) / 870 for k in range(30)] * np.ones(30)) ** 2))
    crossed = sum("crossover" in operator for operator in operators) / 3000
    assert abs(crossed - different) < 4 * np.sqrt(0.25 / 3000)
    both = operators.count("crossover+mutation") / (3000 * crossed)
    assert abs(both - 0.25) < 4 * np.sqrt(0.19 / 2000)
    assert set(operators) == {"crossover", "mutation", "crossover+mutation"}


def test_children_are_new() -> None:
    searcher = Nsga2(PLACE, fitness, 0, population=20)
    for _, _, told in drive(searcher, 400, troubled):
        if len(told) > 40:
            planned = [proposal.architecture for proposal in searcher._plan()]
            assert len(set(planned)) == len(planned)
            assert not set(planned) & {trial.architecture for trial in searcher._alive}


def test_trials_without_a_value_are_behind_all_fronts() -> None:
    searcher = Nsga2(PLACE, TWO, 0, population=4)
    for number in range(8):
        proposal = searcher.ask([])
        values = {"ones": float(number), "twos": None if number < 4 else 0.0}
        searcher.tell(Trial(number, proposal.architecture, proposal.parents, values=values))
    assert sorted(trial.number for trial in searcher._alive) == [4, 5, 6, 7]


@pytest.mark.parametrize("options", [{"population": 1}, {"crossover": 1.5}, {"mutation": -0.5}])
def test_impossible_options(options: dict[str, float]) -> None:
    with pytest.raises(InputError, match="nsga2"):
        Nsga2(PLACE, fitness, 0, **options)
