"""A genetic algorithm that controls the diversity of its populations.

Ávila Pava, Groh, Kist, "Sequence Alignment-based Similarity Metric in Evolutionary Neural Architecture Search", 2024,
algorithm 1, with the loop condition of the text and the code (no number fulfils the printed one) and the rates of the code.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from untrained.algorithms.fitness import Fitness
from untrained.algorithms.searcher import Searcher, algorithm
from untrained.algorithms.trial import Proposal, Trial
from untrained.algorithms.windows import WINDOWS, Bounds, Window
from untrained.alignment.population import Population
from untrained.errors import InputError
from untrained.spaces.space import Space

FALLBACKS = ("closest", "legacy")
PATIENCE = 5
"""The mutation rate falls after so many attempts, as in the code; before the second one, as there, for the first time."""


@dataclass(frozen=True, slots=True)
class Breeding:
    """How generation `generation` (from 1) bred the next one: the number of attempts, the mutation rate of the one that
    was taken, the median similarity of the population before and as planned, and what was allowed."""

    generation: int
    attempts: int
    mutation: float
    before: float
    after: float
    bounds: Bounds

    @property
    def change(self) -> float:
        """By how much the population became more alike."""
        return self.after - self.before

    @property
    def fits(self) -> bool:
        """Whether the change lies in the window, or was the best of all attempts."""
        return self.bounds.allow(self.before, self.after)


@final
@algorithm
class Diverse(Searcher):
    """Generational GA that breeds each population anew until its median similarity changes as a window allows.

    Two different ones of the `parents` best, drawn with probability linear in their rank, cross; each gene of the child
    is edited with probability `mutation`. The whole population is bred at once and compared, unscored, with the one
    before; up to `attempts` times, while the mutation rate falls by `decay` after the first attempt and every five
    later ones. A negative `decay` lets it rise: only so can populations that are too alike be bred apart. If none fits,
    the one closest to the window is taken; fallback `legacy`: the one that changes least.

    window: rigid, soft, absolute, naive (one attempt, no control), or any that is registered; from Python also a
    function of g/N for generation g of `generations`. Later generations count as the last. `elites` of the best live
    on, unscored. Rejected and failed children are replaced by others of the same attempt.
    """

    name = "diverse"
    paper = "avilapava2024alignment"

    def __init__(
        self,
        space: Space,
        fitness: Fitness,
        seed: int,
        *,
        window: str | Window = "rigid",
        population: int = 25,
        parents: int = 5,
        generations: int = 20,
        mutation: float = 0.2,
        decay: float = 0.02,
        attempts: int = 30,
        elites: int = 0,
        fallback: str = "closest",
    ) -> None:
        super().__init__(space, fitness, seed)
        if not 2 <= parents <= population:
            raise InputError(f"diverse needs 2 <= parents <= population, not {parents} and {population}")
        if generations < 1 or attempts < 1 or not 0 <= elites < population:
            raise InputError(
                "diverse needs generations >= 1, attempts >= 1 and 0 <= elites < population, "
                f"not {generations}, {attempts} and {elites}"
            )
        if not (0.0 <= mutation <= 1.0 and -1.0 <= decay <= 1.0):
            raise InputError(f"mutation lies in [0, 1] and decay in [-1, 1], not at {mutation} and {decay}")
        if fallback not in FALLBACKS:
            raise InputError(f"fallback is one of {', '.join(FALLBACKS)}, not {fallback!r}")
        self.window = WINDOWS[window] if isinstance(window, str) else window
        self.population = population
        self.generations = generations
        self.mutation = mutation
        self.decay = decay
        self.attempts = attempts
        self.elites = elites
        self.fallback = fallback
        for generation in range(1, generations + 1):
            self._bounds(generation)
        # Refuses a space whose architectures cannot be compared; all other populations come of this one.
        self._compared = Population([space.sample(self.rng("form"))])
        # Two are drawn one after the other, each in proportion to its weight among those that are left.
        weights = range(parents, 0, -1)
        self._couples = [*itertools.permutations(range(parents), 2)]
        odds = np.array([weights[i] * weights[j] / (sum(weights) - weights[i]) for i, j in self._couples])
        self._odds = odds / odds.sum()
        self._start(0, [])

    def ask(self, pending: Sequence[Proposal]) -> Proposal | None:
        if len(self._members) + len(pending) >= self.population:
            return None
        position = self._heard + len(pending)
        while len(self._plan) <= position:
            self._plan.append(next(self._steps))
        return self._plan[position]

    def _learn(self, trial: Trial) -> None:
        self._heard += 1
        if trial.state == "complete":
            self._members.append(trial)
        if len(self._members) == self.population:
            self._start(self.generation + 1, self._members)

    @property
    def breeding(self) -> Breeding | None:
        """How the population under way was bred; None for the first, which is random."""
        self.ask([])
        return self._breeding

    # -- one generation is one plan: an endless sequence of children, of which a population was compared --------------

    def _start(self, generation: int, adults: list[Trial]) -> None:
        order = np.argsort(-self.fitness(adults), kind="stable").tolist() if adults else []
        self.generation = generation
        self._adults = [adults[i] for i in order]
        self._members = self._adults[: self.elites]
        self._heard = 0
        self._plan: list[Proposal] = []
        self._breeding: Breeding | None = None
        self._steps = self._children() if adults else self._first()

    def _first(self) -> Iterator[Proposal]:
        for step in itertools.count():
            yield Proposal(self.space.sample(self.rng("first", step)))

    def _children(self) -> Iterator[Proposal]:
        """The children of the attempt that is taken."""
        kept = [trial.architecture for trial in self._adults[: self.elites]]
        population = self._compared.updated(trial.architecture for trial in self._adults)
        before, bounds = population.diversity(), self._bounds(self.generation)
        best: tuple[float, int, float, list[Proposal], Iterator[Proposal]] | None = None
        for attempt in range(self.attempts):
            more = self._brood(attempt)
            brood = list(itertools.islice(more, self.population - self.elites))
            after = population.updated([*kept, *(child.architecture for child in brood)]).diversity()
            fits = bounds.allow(before, after)
            far = bounds.distance(before, after) if self.fallback == "closest" else abs(after - before)
            if best is None or fits or far < best[0]:
                best = far, attempt, after, brood, more
            if fits:
                break
        assert best is not None
        _, taken, after, brood, more = best
        self._breeding = Breeding(self.generation, attempt + 1, self._rate(taken), before, after, bounds)
        yield from brood
        yield from more

    def _brood(self, attempt: int) -> Iterator[Proposal]:
        rng, rate = self.rng("breed", self.generation, attempt), self._rate(attempt)
        while True:  # a population at a time, since drawing lots in bulk costs half as much as one by one
            couples = rng.choice(len(self._odds), size=self.population - self.elites, p=self._odds).tolist()
            pairs = [tuple(self._adults[i] for i in self._couples[couple]) for couple in couples]
            children = [self.space.crossover(a.architecture, b.architecture, rng) for a, b in pairs]
            edits = rng.binomial([len(child.genes) for child in children], rate).tolist()
            for (a, b), child, count in zip(pairs, children, edits, strict=True):
                for _ in range(count):
                    child = self.space.edit(child, rng)
                yield Proposal(child, (a.number, b.number), "crossover+mutation" if count else "crossover")

    def _rate(self, attempt: int) -> float:
        """The mutation rate of an attempt (from 0)."""
        return min(1.0, max(0.0, self.mutation - self.decay * -(-attempt // PATIENCE)))

    def _bounds(self, generation: int) -> Bounds:
        bounds = self.window(min(1.0, generation / self.generations))
        if not isinstance(bounds, Bounds):
            raise InputError(f"a window returns Bounds, not {bounds!r}")
        return bounds


def breedings(searcher: Diverse, trials: Iterable[Trial]) -> list[Breeding]:
    """How each generation of a study was bred; `searcher` is a fresh one with the options of the study, `trials` are all
    of its trials in order."""
    found: dict[int, Breeding] = {}
    for trial in trials:
        if searcher.breeding is not None:
            found[searcher.generation] = searcher.breeding
        searcher.tell(trial)
    if searcher.breeding is not None:
        found[searcher.generation] = searcher.breeding
    return list(found.values())
