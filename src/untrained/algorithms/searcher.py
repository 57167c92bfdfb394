"""What every search algorithm is: ask it for an architecture, tell it what came of it."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, TypeVar

import numpy as np

from untrained.algorithms.fitness import Fitness
from untrained.algorithms.scope import Scope
from untrained.algorithms.trial import Proposal, Trial
from untrained.errors import InputError, UnknownNameError
from untrained.registry import ALGORITHMS
from untrained.seeds import generator
from untrained.spaces.space import Space


class Searcher(ABC):
    """A search algorithm. It knows architectures and fitness, never networks or metrics.

    :meth:`tell` is the only thing that changes its state, so the state is a function of the trials told: replaying them
    resumes the search. :meth:`ask` draws from a generator that is seeded by what is being asked for.
    """

    name: ClassVar[str]
    paper: ClassVar[str] = ""
    smallest: float = 1.0
    """The smallest share of an evaluation that is asked for."""

    def __init__(self, space: Space, fitness: Fitness, seed: int) -> None:
        self.space = space
        self.fitness = fitness
        self.seed = seed
        self.told = 0
        self._within = Scope("tournament", fitness)

    def rng(self, *labels: int | str) -> np.random.Generator:
        """The generator for `labels`: always the same for this search."""
        return generator(self.seed, self.name, *labels)

    @abstractmethod
    def ask(self, pending: Sequence[Proposal]) -> Proposal | None:
        """The next architecture to try while `pending` (asked, not yet told) are under way.

        None: nothing can be proposed before another pending trial is told; never None when nothing is pending.
        """

    @abstractmethod
    def _learn(self, trial: Trial) -> None:
        """Take in a finished trial."""

    def tell(self, trial: Trial) -> None:
        """Take in a finished trial; trials are told in the order they were asked for."""
        self._within.hear(trial)
        self._learn(trial)
        self.told += 1


T = TypeVar("T", bound=type[Searcher])


def algorithm(cls: T) -> T:
    """Register a searcher under its name."""
    ALGORITHMS.add(cls.name, cls)
    return cls


def make_searcher(name: str, space: Space, fitness: Fitness, seed: int, options: dict[str, Any]) -> Searcher:
    """The algorithm `name` with its options checked by name and type."""
    cls: type[Searcher] = ALGORITHMS[name]
    known = option_defaults(cls)
    for option, value in options.items():
        if option not in known:
            raise UnknownNameError(f"option of {name}", option, known or ["none: it has no options"])
        kind = type(known[option])
        if kind in (int, float) and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise InputError(f"the option {option!r} of {name!r} takes a number, not {value!r}")
        if kind is int and not float(value).is_integer():
            raise InputError(f"the option {option!r} of {name!r} takes a whole number, not {value!r}")
    return cls(space, fitness, seed, **{o: type(known[o])(v) for o, v in options.items()})


def option_defaults(cls: type[Searcher]) -> dict[str, Any]:
    """Options of an algorithm and their defaults: its keyword-only constructor parameters."""
    parameters = inspect.signature(cls.__init__).parameters.values()
    return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
