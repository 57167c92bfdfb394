"""Random search: every network once while there are new ones, each as likely as the space makes it."""

from __future__ import annotations

from collections import Counter

import numpy as np

from untrained.algorithms.random_search import RandomSearch
from untrained.algorithms.trial import Proposal, Trial
from untrained.architecture import Architecture
from untrained.spaces.space import space
from untrained.testing.searcher import fitness, hopeless, told_by


class Twelve:
    """Genes 0..23 for twelve networks: 2 k and 2 k + 1 are the same."""

    name = "twelve"

    def sample(self, rng: np.random.Generator) -> Architecture:
        return Architecture(self.name, (int(rng.integers(24)),))

    def canonical(self, architecture: Architecture) -> Architecture:
        return Architecture(self.name, (architecture.genes[0] // 2 * 2,))


def networks(trials: list[Trial]) -> list[int]:
    return [trial.architecture.genes[0] // 2 for trial in trials]


def answer(number: int, proposal: Proposal) -> Trial:
    return Trial(number, proposal.architecture, values={"value": 0.0})


def test_no_repeats_until_there_is_nothing_new() -> None:
    for seed in range(20):
        for ahead in (1, 8):
            for outcome in (answer, hopeless):
                told = told_by(RandomSearch(Twelve(), fitness, seed), 30, outcome, ahead)
                assert sorted(networks(told)[:12]) == list(range(12))
                assert len(told) == 30


def test_the_first_proposal_is_a_plain_sample() -> None:
    counts = Counter(RandomSearch(Twelve(), fitness, seed).ask([]).architecture.genes[0] for seed in range(2400))
    assert max(abs(counts[gene] - 100) for gene in range(24)) < 50


def test_networks_of_the_topology_space_do_not_repeat() -> None:
    place = space("nats-tss")
    told = told_by(RandomSearch(place, fitness, 0), 400, answer, 8)
    assert len({place.canonical(trial.architecture) for trial in told}) == 400
    assert all(trial.operator == "sample" and not trial.parents for trial in told)
