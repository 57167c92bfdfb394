"""The genetic algorithm: generations, survivors, tournaments and the published rates."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from math import comb

import numpy as np
import pytest

from untrained.algorithms.genetic import TOURNAMENT, Genetic
from untrained.algorithms.trial import Proposal, Trial
from untrained.errors import InputError
from untrained.spaces.space import space
from untrained.testing.searcher import complete, drive, fitness, told_by, troubled

PLACE = space("nats-tss")


def generations(searcher: Genetic, trials: int, answer=complete, ahead: int = 1) -> Iterator[list[Trial]]:
    """The parents of each generation but the first, which has none."""
    seen = 0
    for _ in drive(searcher, trials, answer, ahead):
        if searcher._generation > seen:
            seen = searcher._generation
            yield searcher._parents


@pytest.mark.parametrize("answer", [complete, troubled])
@pytest.mark.parametrize("ahead", [1, 8])
@pytest.mark.parametrize(("population", "crossover"), [(25, 0.7), (8, 0.7), (3, 0.5), (12, 0.05)])
def test_generations_are_full_and_not_more(answer, ahead: int, population: int, crossover: float) -> None:
    searcher = Genetic(PLACE, fitness, 0, population=population, crossover=crossover)
    previous: list[Trial] = []
    count = 0
    for parents in generations(searcher, 30 * population if crossover > 0.1 else 40, answer, ahead):
        count += 1
        # The pair that takes the last place may bring one too many.
        assert len(parents) in (population, population + 1)
        assert all(trial.state == "complete" for trial in parents)
        before = {trial.number for trial in previous}
        for trial in parents:
            if trial.number not in before:
                assert set(trial.parents) <= before
        previous = parents
    assert count > 2


def test_first_generation_is_sampled_and_counts_complete_trials_alone() -> None:
    searcher = Genetic(PLACE, fitness, 0, population=10)
    told = told_by(searcher, 60, troubled)
    first_child = next(trial.number for trial in told if trial.operator != "sample")
    assert sum(trial.state == "complete" for trial in told[:first_child]) == 10
    assert all(trial.operator == "sample" and not trial.parents for trial in told[:first_child])


def test_pairs_that_do_not_cross_live_on_unscored() -> None:
    searcher = Genetic(PLACE, fitness, 0, population=20)
    survived = []
    for before, after in pairwise(list(generations(searcher, 400))):
        old = {trial.number for trial in before}
        children = [trial for trial in after if trial.number not in old]
        survived.append(1 - len(children) / len(after))
        assert len({trial.number for trial in children}) == len(children)
    assert 0.2 < np.mean(survived) < 0.4


def one_generation(**options: float) -> tuple[Genetic, list[Trial]]:
    """A searcher that has just filled its first generation of 25, and that generation, best first."""
    searcher = Genetic(PLACE, fitness, 1, **options)
    parents = told_by(searcher, 25)
    return searcher, sorted(parents, key=lambda trial: -trial.values["value"])


def planned(searcher: Genetic, count: int) -> list[Proposal]:
    """The first `count` children that this generation would have if it never filled up."""
    return [searcher._child(position) for position in range(count)]


def test_tournaments_of_three_pick_the_best_two() -> None:
    searcher, ranked = one_generation(crossover=1.0)
    place = {trial.number: k for k, trial in enumerate(ranked)}
    mothers, n, pairs = np.zeros(25), 25, 4000
    fathers = np.zeros(25)
    for proposal in planned(searcher, 2 * pairs)[::2]:
        mother, father = proposal.parents
        mothers[place[mother]] += 1
        fathers[place[father]] += 1
    # Rank k of n wins a draw of three when both others are worse, and is second when one of them is.
    first = np.array([comb(n - 1 - k, 2) for k in range(n)]) / comb(n, TOURNAMENT)
    second = np.array([k * (n - 1 - k) for k in range(n)]) / comb(n, TOURNAMENT)
    assert mothers[-2:].sum() == fathers[0] == fathers[-1] == 0
    assert np.abs(mothers / pairs - first).max() < 4 * np.sqrt(0.12 * 0.88 / pairs)
    assert np.abs(fathers / pairs - second).max() < 4 * np.sqrt(0.07 * 0.93 / pairs)


def test_published_rates() -> None:
    searcher, _ = one_generation()
    children = planned(searcher, 6000)
    crossed = len(children) // 2
    assert abs(crossed / (crossed + len(searcher._survivors)) - 0.7) < 0.03
    mutated = sum(proposal.operator == "crossover+mutation" for proposal in children) / len(children)
    assert abs(mutated - 0.08) < 0.02
    assert {proposal.operator for proposal in children} == {"crossover", "crossover+mutation"}


def test_twins_have_the_same_parents_the_other_way_round() -> None:
    searcher, _ = one_generation()
    children = planned(searcher, 400)
    for one, two in zip(children[::2], children[1::2], strict=True):
        assert one.parents == two.parents[::-1]
        assert one.operator == two.operator


def test_children_without_mutation_have_the_genes_of_their_parents() -> None:
    searcher, ranked = one_generation(mutation=0.0)
    architectures = {trial.number: trial.architecture for trial in ranked}
    for proposal in planned(searcher, 400):
        mother, father = (architectures[number].genes for number in proposal.parents)
        assert all(gene in pair for gene, *pair in zip(proposal.architecture.genes, mother, father, strict=True))


def test_trials_without_a_value_lose_every_tournament() -> None:
    searcher = Genetic(PLACE, fitness, 0, population=10, crossover=1.0)
    for number in range(10):
        proposal = searcher.ask([])
        assert proposal is not None
        value = None if number % 2 else float(number)
        searcher.tell(Trial(number, proposal.architecture, values={"value": value}))
    pairs = [proposal.parents for proposal in planned(searcher, 600)[::2]]
    assert any(father % 2 for _, father in pairs)
    assert all(not (mother % 2) or father % 2 for mother, father in pairs)


@pytest.mark.parametrize(
    "options", [{"population": 2}, {"crossover": 0.0}, {"crossover": 1.1}, {"mutation": -0.1}, {"mutation": 2.0}]
)
def test_impossible_options(options: dict[str, float]) -> None:
    with pytest.raises(InputError, match=r"genetic|crossover"):
        Genetic(PLACE, fitness, 0, **options)
