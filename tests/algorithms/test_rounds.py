"""Rounds: what is asked in one, when it ends, and what its trials are."""

from __future__ import annotations

import pytest

from untrained.algorithms.rounds import REDRAWS, Rounds, distinct
from untrained.algorithms.trial import Proposal, Trial
from untrained.architecture import Architecture
from untrained.spaces.space import space
from untrained.testing.searcher import drive, fitness, told_by, troubled

PLACE = space("nats-tss")


class Growing(Rounds):
    """Round k has k + 2 proposals."""

    name = "growing"

    def __init__(self) -> None:
        super().__init__(PLACE, fitness, 0)
        self.closed: list[tuple[list[Proposal], list[Trial]]] = []

    def _round(self) -> list[Proposal]:
        return self._samples(len(self.closed) + 2)

    def _close(self, planned: list[Proposal], complete: list[Trial]) -> None:
        self.closed.append((planned, complete))


@pytest.mark.parametrize("ahead", [1, 3, 8])
def test_a_round_is_closed_once_with_its_complete_trials(ahead: int) -> None:
    searcher = Growing()
    told = told_by(searcher, 2 + 3 + 4 + 5 + 1, troubled, ahead)
    assert [len(planned) for planned, _ in searcher.closed] == [2, 3, 4, 5]
    start = 0
    for planned, complete in searcher.closed:
        trials = told[start : start + len(planned)]
        assert [trial.architecture for trial in trials] == [proposal.architecture for proposal in planned]
        assert complete == [trial for trial in trials if trial.state == "complete"]
        start += len(planned)


def test_nothing_is_asked_beyond_the_round() -> None:
    for searcher, pending, told in drive(Growing(), 14, troubled, 8):
        ends = [2, 5, 9, 14, 20]
        end = next(end for end in ends if end > len(told))
        assert (searcher.ask(pending) is None) == (len(told) + len(pending) == end)


def test_distinct() -> None:
    numbers = iter([1, 1, 2, 3, 2, 4, 5])
    drawn = distinct(lambda: Architecture("x", (next(numbers),)), 3, {Architecture("x", (2,))})
    assert [architecture.genes for architecture in drawn] == [(1,), (3,), (4,)]


def test_distinct_gives_up() -> None:
    count = 0

    def draw() -> Architecture:
        nonlocal count
        count += 1
        return Architecture("x", (7,))

    assert distinct(draw, 3, set()) == [Architecture("x", (7,))]
    assert count == 1 + REDRAWS
