"""A study whose scores are made up: every state, a failure, copies, a metric to minimise and a hostile name."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from untrained.architecture import Architecture
from untrained.evaluate.outcome import Outcome
from untrained.spaces.space import space
from untrained.study.journal import Journal
from untrained.study.study import Study

NAME = "<script>alert(1)</script> & 'more'"
LIMIT = "params<500,000"
FAULT = "no <b>kernel</b> of size 7 & more"


class MadeUp:
    """`good` is higher where more convolutions are, `slow` (lower is better) too; some are lost."""

    directions = {"good": 1, "slow": -1}  # noqa: RUF012 - read only

    def __call__(self, architecture: Architecture, *, seed: int) -> Outcome:
        genes = np.array(architecture.genes)
        convolutions = int(((genes == 2) | (genes == 3)).sum())
        noise = float(np.random.default_rng(seed).normal())
        if (genes == 0).sum() >= 3:
            return Outcome(rejected=f"params {500_000 + seed % 1000:,} breaks {LIMIT}")
        if (genes == 1).sum() >= 3:
            raise RuntimeError(FAULT)
        slow = 10 ** (convolutions + 0.1 * noise)
        if genes[0] == 4:
            return Outcome({"good": None, "slow": slow}, {"good": "nothing <i>moves</i> at all"}, 0.01)
        return Outcome({"good": 100 * convolutions + noise, "slow": slow}, {}, 0.01)


@pytest.fixture(scope="session")
def make_study() -> Callable[..., Study]:
    """A function that makes such a study of so many trials."""

    def make(evaluations: int = 120, *, journal: Journal | None = None, name: str = NAME, **changes: object) -> Study:
        setup = {
            "space": "nats-tss", "algorithm": "genetic", "options": {"population": 10}, "metrics": ["good", "slow"],
            "ranking": "rank_sum", "seed": 3, "data": "digits", "data_digest": "0", "source": "digits",
            "image_shape": [1, 8, 8], "num_classes": 10, "skeleton": "channels=8,cells=1", "target": "channels=16,cells=5",
            "limits": [LIMIT], "ahead": 8, **changes,
        }  # fmt: skip
        journal = journal or Journal(None)
        study = Study(journal, journal.create(name, setup), space("nats-tss"), MadeUp.directions, MadeUp())
        if evaluations:
            study.run(evaluations)
        return study

    return make


@pytest.fixture(scope="session")
def study(make_study: Callable[..., Study]) -> Study:
    """One that is only looked at."""
    made = make_study()
    counts = made.counts()
    assert min(counts.values()) > 0
    assert any(trial.copied is not None for trial in made.complete)
    return made
