"""What every search algorithm must do, as tests: run them on your own algorithm with pytest.

    # test_my_algorithm.py
    from untrained.testing.searcher import SearcherContract

    class TestMine(SearcherContract):
        @pytest.fixture
        def algorithm(self):
            return "mine"

How well it searches is not tested.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from untrained.algorithms.fitness import Fitness
from untrained.algorithms.searcher import Searcher, make_searcher, option_defaults
from untrained.algorithms.trial import Proposal, State, Trial
from untrained.errors import InputError, UnknownNameError
from untrained.registry import ALGORITHMS
from untrained.seeds import generator
from untrained.spaces.space import Space
from untrained.spaces.space import space as find_space

AHEAD = 8
"""Trials under way at a time, as in a study."""

Answer = Callable[[int, Proposal], Trial]


fitness = Fitness("single", {"value": 1})
"""Of the one value; the worst for trials without."""


def complete(number: int, proposal: Proposal) -> Trial:
    """A value that is a fixed, rugged function of the architecture."""
    return _trial(number, proposal, "complete", float(generator(str(proposal.architecture)).random()))


def troubled(number: int, proposal: Proposal) -> Trial:
    """Of five trials in a row one is rejected, one fails and one has no value."""
    state: State = {1: "rejected", 3: "failed"}.get(number % 5, "complete")  # type: ignore[assignment]
    return _trial(number, proposal, state, None if number % 5 else complete(number, proposal).values["value"])


def hopeless(number: int, proposal: Proposal) -> Trial:
    """Every trial fails."""
    return _trial(number, proposal, "failed", None)


def _trial(number: int, proposal: Proposal, state: State, value: float | None) -> Trial:
    values: dict[str, float | None] = {}
    if state == "complete":
        state, values = proposal.state, {"value": value} | proposal.marks
    return Trial(number, proposal.architecture, proposal.parents, proposal.operator, state, values)


def drive(
    searcher: Searcher, trials: int, answer: Answer = complete, ahead: int = 1
) -> Iterator[tuple[Searcher, list[Proposal], list[Trial]]]:
    """Ask and tell until `trials` are told, with up to `ahead` under way; yields before each question.

    What is yielded: the searcher, the proposals under way, the trials told so far.
    """
    pending: list[Proposal] = []
    told: list[Trial] = []
    while len(told) < trials:
        yield searcher, pending, told
        proposal = searcher.ask(pending) if len(pending) < ahead else None
        if proposal is not None:
            pending.append(proposal)
            continue
        assert pending, "nothing is under way and nothing was proposed"
        trial = answer(len(told), pending.pop(0))
        searcher.tell(trial)
        told.append(trial)
    yield searcher, pending, told


def told_by(searcher: Searcher, trials: int, answer: Answer = complete, ahead: int = 1) -> list[Trial]:
    """The trials of a whole search."""
    *_, (_, _, told) = drive(searcher, trials, answer, ahead)
    return told


class SearcherContract:
    """The contract of :class:`untrained.algorithms.searcher.Searcher`; subclasses provide the fixture `algorithm`, a
    registered name, and may provide others: `options` makes a few dozen trials span several generations."""

    TRIALS = 90

    @pytest.fixture
    def algorithm(self) -> str:
        raise NotImplementedError("give your subclass of SearcherContract a fixture named 'algorithm'")

    @pytest.fixture
    def options(self, algorithm: str) -> dict[str, float]:
        """Small numbers for what the algorithm calls population and sample."""
        small = {"population": 12, "sample": 4, "oversampling": 3}
        known = option_defaults(ALGORITHMS[algorithm])
        return {name: value for name, value in small.items() if name in known}

    @pytest.fixture(params=["nats-tss", "chain"])
    def place(self, request: pytest.FixtureRequest, algorithm: str) -> Space:
        """The space to search; a searcher that refuses both of these needs a subclass with a space of its own."""
        place = find_space(request.param)
        try:
            make_searcher(algorithm, place, fitness, 0, {})
        except InputError as refusal:
            pytest.skip(str(refusal))
        return place

    @pytest.fixture
    def make(self, algorithm: str, place: Space, options: dict[str, float]) -> Callable[[int], Searcher]:
        """A fresh searcher of a seed."""
        return lambda seed: make_searcher(algorithm, place, fitness, seed, dict(options))

    @pytest.fixture(params=[complete, troubled, hopeless])
    def answer(self, request: pytest.FixtureRequest) -> Answer:
        """What comes of the proposals."""
        found: Answer = request.param
        return found

    def test_proposals_are_valid(self, make: Callable[[int], Searcher], place: Space, answer: Answer) -> None:
        for trial in told_by(make(0), self.TRIALS, answer, AHEAD):
            assert trial.architecture.space == place.name
            assert place.validate(trial.architecture) == trial.architecture
            assert trial.operator

    def test_parents_have_values_and_were_told_before(self, make: Callable[[int], Searcher], answer: Answer) -> None:
        for searcher, pending, told in drive(make(0), self.TRIALS, answer, AHEAD):
            proposal = searcher.ask(pending) if len(pending) < AHEAD else None
            if proposal is not None:
                assert all(told[parent].state in ("complete", "partial") for parent in proposal.parents)

    def test_asking_changes_nothing(self, make: Callable[[int], Searcher], answer: Answer) -> None:
        quiet, curious = make(0), make(0)
        for (_, pending, _), _ in zip(
            drive(quiet, self.TRIALS, answer, AHEAD), drive(curious, self.TRIALS, answer, AHEAD), strict=True
        ):
            if len(pending) < AHEAD:
                assert curious.ask(pending) == curious.ask(pending)
            curious.ask(pending[: len(pending) // 2])
            assert quiet.ask(pending) == curious.ask(pending)

    def test_state_is_a_function_of_what_was_told(self, make: Callable[[int], Searcher], answer: Answer) -> None:
        for count in (1, 7, 13, 40, self.TRIALS):
            *_, (searcher, pending, told) = drive(make(0), count, answer, AHEAD)
            replayed = make(0)
            for trial in told:
                replayed.tell(trial)
            assert replayed.told == searcher.told == count
            assert replayed.ask(pending) == searcher.ask(pending)
            assert replayed.ask([]) == searcher.ask([])

    def test_something_is_proposed_when_nothing_is_under_way(
        self, make: Callable[[int], Searcher], answer: Answer
    ) -> None:
        for searcher, _, _ in drive(make(0), self.TRIALS, answer, AHEAD):
            assert searcher.ask([]) is not None

    def test_eight_candidates_are_under_way_at_the_start(self, make: Callable[[int], Searcher]) -> None:
        pending: list[Proposal] = []
        for _ in range(AHEAD):
            proposal = make(0).ask(pending)
            assert proposal is not None
            pending.append(proposal)
        assert len({proposal.architecture for proposal in pending}) > 1

    def test_same_seed_same_search(self, make: Callable[[int], Searcher], answer: Answer) -> None:
        first, again, other = (told_by(make(seed), self.TRIALS, answer, AHEAD) for seed in (3, 3, 4))
        assert first == again
        assert [trial.architecture for trial in first] != [trial.architecture for trial in other]

    def test_unknown_options_are_refused(self, algorithm: str, place: Space) -> None:
        with pytest.raises(UnknownNameError, match="colour"):
            make_searcher(algorithm, place, fitness, 0, {"colour": 1})

    @pytest.mark.parametrize("value", ["twelve", None, True, float("nan"), float("inf"), -3])
    def test_options_are_numbers_in_range(self, algorithm: str, place: Space, value: object) -> None:
        for option in option_defaults(ALGORITHMS[algorithm]):
            with pytest.raises(InputError):
                make_searcher(algorithm, place, fitness, 0, {option: value})

    def test_whole_numbers_stay_whole(self, algorithm: str, place: Space) -> None:
        for option, default in option_defaults(ALGORITHMS[algorithm]).items():
            if isinstance(default, int):
                with pytest.raises(InputError, match="whole"):
                    make_searcher(algorithm, place, fitness, 0, {option: default + 0.5})
                make_searcher(algorithm, place, fitness, 0, {option: float(default)})

    def test_a_population_may_be_larger_than_the_space(self, algorithm: str, place: Space) -> None:
        if "population" in option_defaults(ALGORITHMS[algorithm]):
            searcher = make_searcher(algorithm, place, fitness, 0, {"population": 100_000})
            assert len(told_by(searcher, self.TRIALS, complete, AHEAD)) == self.TRIALS
