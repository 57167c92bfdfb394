"""A study: one search, from the first question to the best answer, and everything it ever tried."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from untrained.algorithms.fitness import Fitness
from untrained.algorithms.pareto import distance_to_ideal, fronts
from untrained.algorithms.searcher import Searcher, make_searcher
from untrained.algorithms.trial import Proposal, State, Trial
from untrained.architecture import Architecture
from untrained.errors import InputError, LimitError
from untrained.evaluate.outcome import Evaluator, Outcome
from untrained.seeds import derive
from untrained.spaces.space import Space
from untrained.study.budget import Budget, Told, simulated_in_all
from untrained.study.executors import Failed, check_workers, make_executor, one_thread
from untrained.study.journal import Journal, StudyRecord

if TYPE_CHECKING:
    import pandas as pd

PARETO = "pareto"
MOST_REJECTED = 2000
"""So many rejected candidates in a row end a search: its limits leave too little to find."""


class Study:
    """Asks a searcher, evaluates, records, tells it, and ranks what came out.

    Trials are told in the order they were asked for, and trial k is asked when the trials up to k - `ahead` have been
    told. So the study is a function of its setup and `ahead` alone: it is the same whatever the number of workers, and
    whether or not it was interrupted, unless it ends by the clock or measures with one.
    """

    def __init__(
        self,
        journal: Journal,
        record: StudyRecord,
        space: Space,
        directions: Mapping[str, int],
        evaluator: Evaluator | None = None,
        make: Callable[[Study], Searcher] | None = None,
    ) -> None:
        self.journal = journal
        self.record = record
        self.space = space
        self.evaluator = evaluator
        self.directions = dict(directions)
        self._make = make or _by_name
        self._trials: dict[int, Trial] = {trial.number: trial for trial in journal.trials(record)}
        self._known: dict[tuple[Architecture, float], Trial] = {}
        self._asked: dict[int, Proposal] = {}
        self._searcher: Searcher | None = None
        self._told: Told | None = None
        self._searched = journal.searched(record)
        self._since: float | None = None
        self._rejected = self._rejected_in_a_row = 0
        for trial in self._trials.values():
            self._remember(trial)

    def __repr__(self) -> str:
        counts = ", ".join(f"{number} {state}" for state, number in self.counts().items() if number)
        return f"<study {self.name}: {counts or 'no trial yet'}>"

    # -- what it is ------------------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        return self.record.name

    @property
    def setup(self) -> Mapping[str, Any]:
        """Everything that makes the study repeatable."""
        return self.record.setup

    @property
    def seed(self) -> int:
        return int(self.setup["seed"])

    @property
    def ahead(self) -> int:
        """How many trials may be under way when the next one is asked for."""
        return int(self.setup["ahead"])

    # -- what it found ---------------------------------------------------------------------------------------------

    @property
    def trials(self) -> list[Trial]:
        """All finished trials by number."""
        return [self._trials[number] for number in sorted(self._trials)]

    @property
    def complete(self) -> list[Trial]:
        """The trials with values, by number."""
        return [trial for trial in self.trials if trial.state == "complete"]

    @property
    def fitness(self) -> Fitness:
        """`study.fitness(trials)`: fitness (n,) of trials under the study's ranking, within just these trials."""
        return Fitness(self.setup["ranking"], self.directions)

    @property
    def best_trials(self) -> list[Trial]:
        """The complete trials, best first under the ranking over the whole history, each network once; under `pareto` the
        front comes first, and its compromise before the others.

        Their architectures are the canonical ones: what was scored, what limits were counted on, and what to build. What
        was proposed, with edges that lead nowhere, say, stands in `trials`. Networks that are no answer, as super-networks,
        are left out.
        """
        answers = ((trial, self.space.answer(trial.architecture)) for trial in self.ranked_trials)
        return self._front_first([replace(trial, architecture=one) for trial, one in answers if one is not None])

    @property
    def ranked_trials(self) -> list[Trial]:
        """The same with all networks, answers or not, each as an architecture of the study's space."""
        found = [(trial, network) for (network, _), trial in self._known.items() if trial.state == "complete"]
        if not found:
            return []
        found.sort(key=lambda pair: pair[0].number)
        order = np.argsort(-self.fitness([trial for trial, _ in found]), kind="stable")
        return self._front_first([replace(found[i][0], architecture=found[i][1]) for i in order.tolist()])

    @property
    def has_front(self) -> bool:
        """Whether the answer is a front of several objectives rather than one best trial."""
        return self.setup["ranking"] == PARETO and len(self.directions) > 1

    @property
    def front(self) -> list[Trial]:
        """The complete trials that no other one is at least as good as in all objectives and better in one, each network
        once, whatever the ranking. The first is the compromise: nearest to the best of each objective, where the whole
        front spans 0 to 1 in each."""
        return self._front(self.best_trials)

    def _front(self, trials: Sequence[Trial]) -> list[Trial]:
        by_number = sorted(trials, key=lambda trial: trial.number)
        scores = self.fitness.scores(by_number)
        whole = np.flatnonzero(np.isfinite(scores).all(axis=1))
        members = whole[fronts(scores[whole]) == 1]
        near = np.argsort(distance_to_ideal(scores[members]), kind="stable")
        return [by_number[i] for i in members[near].tolist()]

    def _front_first(self, trials: list[Trial]) -> list[Trial]:
        if self.setup["ranking"] != PARETO:
            return trials
        front = self._front(trials)
        numbers = {trial.number for trial in front}
        return front + [trial for trial in trials if trial.number not in numbers]

    @property
    def best_trial(self) -> Trial:
        """The best complete trial of the whole history."""
        best = self.best_trials
        if not best:
            what = "answer among its complete trials" if self.complete else "complete trial"
            raise InputError(f"the study {self.name!r} has no {what} yet; search on")
        return best[0]

    def counts(self) -> dict[State, int]:
        """Number of trials in each state; `partial` only where there are some."""
        states = Counter(trial.state for trial in self._trials.values())
        shown: tuple[State, ...] = ("complete", "rejected", "failed", *(("partial",) if states["partial"] else ()))
        return {state: states[state] for state in shown}

    @property
    def evaluations(self) -> int:
        """Trials that count towards a budget: all but the rejected, which cost next to nothing."""
        return len(self._trials) - self._rejected

    def trials_dataframe(self) -> pd.DataFrame:
        """One row per trial: number, state, architecture, operator, parents, each value, seconds, reason."""
        import pandas as pd

        return pd.DataFrame([self.row(trial) for trial in self.trials])

    def row(self, trial: Trial) -> dict[str, Any]:
        """A trial as one flat row of plain values."""
        return {
            "number": trial.number,
            "state": trial.state,
            "architecture": str(trial.architecture),
            "operator": trial.operator,
            "parents": " ".join(map(str, trial.parents)),
            **{name: trial.values.get(name) for name in self.directions},
            "seconds": trial.seconds,
            "copied": trial.copied,
            "reason": "; ".join(f"{key}: {why}" for key, why in trial.reasons.items()) or None,
        }

    # -- the loop --------------------------------------------------------------------------------------------------

    def ask(self) -> Trial:
        """The next trial to evaluate by hand, in state `asked`; answer with :meth:`tell`."""
        if self._searcher is None:
            self._rewind()
        while True:
            step = self._next()
            if not isinstance(step, tuple):
                raise InputError("nothing can be proposed before a trial that is under way has been told")
            number, proposal = step
            if number not in self._trials:
                return _trial(number, proposal, "asked", proposal.marks)

    def tell(self, trial: Trial | int, values: Mapping[str, float | None]) -> Trial:
        """Record the values of a trial that :meth:`ask` gave."""
        number = trial if isinstance(trial, int) else trial.number
        if number not in self._asked or number in self._trials:
            raise InputError(f"trial {number} was not asked for, or has been told already")
        if set(values) != set(self.directions):
            raise InputError(f"values are expected for {', '.join(self.directions)}, not {', '.join(values)}")
        read = {name: _number(name, values[name]) for name in self.directions}
        return self._finish(number, self._asked[number], Outcome(read))

    def run(
        self,
        evaluations: int | None = None,
        *,
        minutes: float | None = None,
        simulated_seconds: float | None = None,
        patience: int | None = None,
        workers: int = 1,
        timeout: float | None = None,
        on_trial: Callable[[Trial], None] | None = None,
    ) -> str:
        """Search until a budget is used up, counting what earlier runs used; returns which one, in words.

        evaluations, minutes, simulated_seconds, patience: see `Budget`; without any of the first three, 300 evaluations.
        workers: processes (1 evaluates in this one); timeout: seconds a candidate may take; on_trial: called with each
        trial once it is recorded. A `KeyboardInterrupt` leaves everything that has ended recorded. So does the end of the
        minutes: what is under way then is dropped, and evaluated when the study goes on.
        """
        budget = Budget(evaluations, minutes, simulated_seconds, patience)
        check_workers(workers, timeout)
        if self.evaluator is None:
            raise InputError(f"the study {self.name!r} was loaded to be read; continue it with untrained.search(...)")
        if "table_cost" in self.setup:
            budget.check_cost(self.setup["table_cost"])
        most = math.inf if budget.evaluations is None else budget.evaluations
        used = f"{most:,} evaluations are used up"
        late = math.inf if budget.minutes is None else 60 * budget.minutes
        if self.evaluations >= most:
            return used
        if self._searched >= late:
            return f"{budget.minutes:,g} minutes are used up"
        report = on_trial or (lambda trial: None)
        self._rewind(budget)
        running: dict[int, tuple[Architecture, float]] = {}
        twins: dict[int, tuple[Architecture, float]] = {}
        with (
            self._timed(),
            one_thread(),
            make_executor(self.evaluator, min(workers, self.ahead), timeout) as executor,
            self._forgetting(),
        ):
            while True:
                why = None
                while self.evaluations + len(running) + len(twins) < most:
                    if self.searched_seconds >= late:
                        return f"{budget.minutes:,g} minutes are used up"
                    step = self._next()
                    if not isinstance(step, tuple):
                        why = step
                        break
                    number, proposal = step
                    if number in self._trials:
                        continue
                    network = self.space.canonical(proposal.architecture)
                    work = network, proposal.share
                    known = self._known_of(*work)
                    if known is not None:
                        report(self._copy(number, proposal, known))
                        self._check_progress()
                    elif work in running.values():
                        twins[number] = work
                    else:
                        running[number] = work
                        executor.submit(number, network, derive(self.seed, "candidate", str(network)), proposal.share)
                if not running:
                    return why or used
                for number, answer in executor.collect().items():
                    work = running.pop(number)
                    report(self._finish(number, self._asked[number], answer))
                    for twin in [n for n, same in twins.items() if same == work]:
                        del twins[twin]
                        report(self._copy(twin, self._asked[twin], self._trials[number]))
                self._check_progress()

    def _rewind(self, budget: Budget | None = None) -> None:
        """A searcher that knows nothing yet; the loop replays what is recorded."""
        self._searcher = self._make(self)
        self._told = None if budget is None else Told(budget, self.fitness)
        self._asked.clear()

    @contextmanager
    def _timed(self) -> Iterator[None]:
        """The time inside counts as searched."""
        self._searched, self._since = self.journal.searched(self.record), time.monotonic()
        try:
            yield
            self.journal.set_searched(self.record, self.searched_seconds)
        finally:
            self._searched, self._since = self.searched_seconds, None

    @property
    def searched_seconds(self) -> float:
        """How long searches of this study have run, over all runs: of one that was killed, until its last trial."""
        return self._searched + (0.0 if self._since is None else time.monotonic() - self._since)

    @property
    def simulated_seconds(self) -> float:
        """What all evaluations would have taken by the cost column of a table; copies take nothing."""
        return simulated_in_all(self.trials)

    @contextmanager
    def _forgetting(self) -> Iterator[None]:
        """What was asked inside is forgotten afterwards: a search that was interrupted leaves trials unanswered."""
        try:
            yield
        finally:
            self._searcher = self._told = None
            self._asked.clear()

    def _next(self) -> tuple[int, Proposal] | str | None:
        """The next number and what is to be tried; None when the oldest trial under way must end first; a text that says
        why nothing more is to be tried.

        What has been told at this point depends on the number alone, never on what happened to end sooner.
        """
        assert self._searcher is not None
        while len(self._asked) >= self.ahead:
            if not self._tell_oldest(self._searcher):
                return None
        while (proposal := self._searcher.ask(list(self._asked.values()))) is None:
            if not self._tell_oldest(self._searcher):
                return None
        if self._told is not None and (why := self._told.enough()) is not None:
            return why
        number = self._searcher.told + len(self._asked)
        recorded = self._trials.get(number)
        if recorded is not None:
            proposal = Proposal(recorded.architecture, recorded.parents, recorded.operator, proposal.share)
        self._asked[number] = proposal
        return number, proposal

    def _tell_oldest(self, searcher: Searcher) -> bool:
        oldest = next(iter(self._asked), None)
        if oldest is None or oldest not in self._trials:
            return False
        del self._asked[oldest]
        searcher.tell(self._trials[oldest])
        if self._told is not None:
            self._told.add(self._trials[oldest])
        return True

    def _finish(self, number: int, proposal: Proposal, answer: Outcome | Failed) -> Trial:
        if isinstance(answer, Failed):
            trial = _trial(number, proposal, "failed", reasons={"error": str(answer)})
        elif answer.rejected is not None:
            trial = _trial(number, proposal, "rejected", reasons={"limits": answer.rejected}, seconds=answer.seconds)
        else:
            values = {name: None if value is None else float(value) for name, value in answer.values.items()}
            odd = {name: f"is {value}, no finite number" for name, value in values.items() if not _finite(value)}
            values |= dict.fromkeys(odd)
            reasons, costs = {**odd, **answer.reasons}, answer.costs
            trial = _trial(number, proposal, proposal.state, values | proposal.marks, reasons, answer.seconds, costs)
        self._store(trial)
        return trial

    def _copy(self, number: int, proposal: Proposal, known: Trial) -> Trial:
        trial = _trial(number, proposal, known.state, known.values, known.reasons, copied=known.number)
        self._store(trial)
        return trial

    def _store(self, trial: Trial) -> None:
        self.journal.record(self.record, trial, None if self._since is None else self.searched_seconds)
        self._trials[trial.number] = trial
        self._remember(trial)

    def _remember(self, trial: Trial) -> None:
        work = self.space.canonical(trial.architecture), trial.share
        known = self._known.setdefault(work, trial)
        if trial.state == "complete" != known.state:
            self._known[work] = trial
        rejected = trial.state == "rejected"
        self._rejected += rejected
        self._rejected_in_a_row = self._rejected_in_a_row + 1 if rejected else 0

    def _known_of(self, network: Architecture, share: float) -> Trial | None:
        """The trial that did this work. One that was rejected or failed stands for any share."""
        known = self._known.get((network, share))
        whole = self._known.get((network, 1.0))
        return known or (whole if whole is not None and whole.state in ("rejected", "failed") else None)

    def _check_progress(self) -> None:
        if self._rejected_in_a_row >= MOST_REJECTED:
            last = next(trial.reasons["limits"] for trial in reversed(self.trials) if trial.state == "rejected")
            limits = ", ".join(self.setup["limits"])
            broke = f"broke the limits {limits}" if limits else "were rejected"
            raise LimitError(f"{MOST_REJECTED} candidates in a row {broke}; loosen them (the last one: {last})")


def _number(name: str, value: Any) -> float | None:
    """A value that the user gives: anything that is one number, such as a tensor of one element."""
    try:
        if not isinstance(value, str):
            return None if value is None else float(value)
    except (TypeError, ValueError):
        pass
    raise InputError(f"the value of {name} is a number, or None where there is none, not {value!r:.80}")


def _finite(value: float | None) -> bool:
    return value is None or math.isfinite(value)


def _by_name(study: Study) -> Searcher:
    """The algorithm that the study's setup names."""
    setup = study.setup
    return make_searcher(setup["algorithm"], study.space, study.fitness, study.seed, dict(setup["options"]))


def _trial(
    number: int,
    proposal: Proposal,
    state: State,
    values: Mapping[str, float | None] | None = None,
    reasons: Mapping[str, str] | None = None,
    seconds: float = 0.0,
    costs: Mapping[str, float] | None = None,
    copied: int | None = None,
) -> Trial:
    return Trial(
        number, proposal.architecture, proposal.parents, proposal.operator, state, values or {}, reasons or {}, seconds,
        costs or {}, copied,
    )  # fmt: skip
