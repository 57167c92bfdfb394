"""A study generation by generation: how good, how alike, how large."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from untrained.algorithms.trial import Trial
from untrained.alignment.population import Population
from untrained.errors import InputError
from untrained.report.sizes import known_size
from untrained.study.search import read_study
from untrained.study.study import Study

MOST_COMPARED = 300
"""Of a larger generation every k-th trial is compared: a random search is one generation of thousands."""


@dataclass(frozen=True, slots=True)
class Generation:
    """The complete trials of one generation. best: the fittest of them, and its `fitness` under the study's ranking of
    the whole history; similarity: the median over pairs of trials, None for a single one."""

    number: int
    trials: tuple[Trial, ...]
    best: Trial
    fitness: float
    similarity: float | None


def generation_numbers(study: Study) -> dict[int, int]:
    """The generation of each trial by its number, from 1: the one that its operator names ("generation 3"), else the one
    after that of its youngest parent."""
    found: dict[int, int] = {}
    for trial in study.trials:
        named = re.fullmatch(r"generation (\d+)", trial.operator)
        parents = (found.get(parent, 0) for parent in trial.parents)
        found[trial.number] = int(named[1]) if named else 1 + max(parents, default=0)
    return found


def generations(study: Study) -> list[Generation]:
    """The generations of a study that have complete trials, in order.

    Raises `InputError` where the architectures of the space cannot be aligned.
    """
    numbers = generation_numbers(study)
    groups: dict[int, list[Trial]] = {}
    for trial in study.complete:
        groups.setdefault(numbers[trial.number], []).append(trial)
    fitness = dict(zip((t.number for t in study.complete), study.fitness(study.complete).tolist(), strict=True))
    found = []
    population = Population()
    for number in sorted(groups):
        trials = groups[number]
        best = max(trials, key=lambda trial: fitness[trial.number])
        compared = trials[:: -(-len(trials) // MOST_COMPARED)]
        population = population.updated(trial.architecture for trial in compared)
        similarity = population.diversity() if len(trials) > 1 else None
        found.append(Generation(number, tuple(trials), best, fitness[best.number], similarity))
    return found


def correlation(found: Sequence[Generation]) -> float | None:
    """Pearson's correlation, over generations, of the best fitness with the similarity: high where a population becomes
    alike as it becomes good. None where there are fewer than three, or nothing changes."""
    pairs = [(one.fitness, one.similarity) for one in found if one.similarity is not None and np.isfinite(one.fitness)]
    if len(pairs) < 3 or (np.ptp(pairs, axis=0) == 0).any():
        return None
    return float(np.corrcoef(np.array(pairs).T)[0, 1])


def siblings(study: Study) -> list[Study]:
    """The studies of the same store that differ by their seed only, and this one, by seed; their names differ at most in
    numbers. Those that ask for something this version lacks are left out."""
    found = {study.seed: study}
    for record in study.journal.studies():
        same = all(record.setup.get(key) == study.setup.get(key) for key in {*record.setup, *study.setup} - {"seed"})
        if same and _unnumbered(record.name) == _unnumbered(study.name) and record.setup.get("seed") not in found:
            with suppress(InputError):
                found[record.setup["seed"]] = read_study(study.journal, record)
    return [found[seed] for seed in sorted(found)]


def _unnumbered(name: str) -> str:
    return re.sub(r"\d+", "#", name)


def costs(study: Study, found: Sequence[Generation]) -> Mapping[str, list[float | None]]:
    """What the best network of each generation costs, by quantity: parameters of the target network, and the objectives
    of the study that are sizes or times."""
    names = [name for name in study.directions if name != "params" and re.search(r"size|time|latency|macs", name)]
    sizes = [known_size(study, one.best.architecture) for one in found]
    parameters = [None if size is None else float(size.parameters) for size in sizes]
    quantities: dict[str, list[float | None]] = {"parameters": parameters}
    quantities |= {name: [one.best.values.get(name) for one in found] for name in names}
    return {name: values for name, values in quantities.items() if any(value is not None for value in values)}
