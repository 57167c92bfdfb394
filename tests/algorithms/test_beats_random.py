"""Every algorithm finds more than random search does with as many evaluations; of pruning, see its own tests."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from untrained.algorithms.searcher import make_searcher
from untrained.algorithms.trial import Proposal, Trial
from untrained.registry import ALGORITHMS
from untrained.seeds import generator
from untrained.spaces.space import space
from untrained.testing.searcher import fitness, told_by

PLACE = space("nats-tss")
SEEDS, EVALUATIONS = 20, 200


@cache
def found(algorithm: str, ahead: int) -> np.ndarray:
    """By seed, the most genes of a hidden cell that the search has right."""
    best = []
    for seed in range(SEEDS):
        hidden = PLACE.sample(generator("hidden", seed)).genes

        def answer(number: int, proposal: Proposal, hidden: tuple[int, ...] = hidden) -> Trial:
            right = sum(a == b for a, b in zip(proposal.architecture.genes, hidden, strict=True))
            values = {"value": float(right)}
            return Trial(number, proposal.architecture, proposal.parents, proposal.operator, values=values)

        told = told_by(make_searcher(algorithm, PLACE, fitness, seed, {}), EVALUATIONS, answer, ahead)
        best.append(max(trial.values["value"] for trial in told))
    return np.array(best)


@pytest.mark.parametrize("ahead", [1, 8])
@pytest.mark.parametrize("algorithm", [name for name in ALGORITHMS.names() if name not in ("random", "pruning")])
def test_matching_a_hidden_cell(algorithm: str, ahead: int) -> None:
    assert found(algorithm, ahead).mean() > found("random", 1).mean() + 0.3
