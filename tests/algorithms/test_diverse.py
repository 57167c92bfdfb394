"""Breeding under control: parents, attempts, windows, fallbacks, replacements."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import islice, pairwise, takewhile

import numpy as np
import pytest

from untrained.algorithms.diverse import Breeding, Diverse, breedings
from untrained.algorithms.searcher import make_searcher
from untrained.algorithms.trial import Proposal, Trial
from untrained.algorithms.windows import Bounds, Window, window
from untrained.alignment import similarity_matrix
from untrained.architecture import Architecture
from untrained.errors import InputError, UnknownNameError
from untrained.seeds import generator
from untrained.spaces.space import Space, space
from untrained.testing.searcher import Answer, complete, drive, fitness, told_by, troubled

PLACE = space("nats-tss")
CHAIN = space("chain")


def convolutions(number: int, proposal: Proposal) -> Trial:
    """A smooth landscape: 3x3 convolutions count two, 1x1 one, and later edges a little more."""
    points = {3: 2.0, 2: 1.0}
    value = sum(points.get(gene, 0.0) * (1 + place / 10) for place, gene in enumerate(proposal.architecture.genes))
    return Trial(number, proposal.architecture, proposal.parents, proposal.operator, values={"value": value})


def never(progress: float) -> Bounds:
    """No population becomes that much more alike."""
    return Bounds(0.95, 1.0)


def diversity(trials: list[Trial]) -> float:
    """The median similarity of all pairs, from the definition."""
    matrix = similarity_matrix([trial.architecture for trial in trials])
    return float(np.median(matrix[np.triu_indices(len(trials), 1)]))


def generations(trials: list[Trial], population: int, elites: int = 0) -> list[list[Trial]]:
    """The populations, whole ones and the last: those who live on, and the next complete trials."""
    waiting = [trial for trial in trials if trial.state == "complete"]
    found: list[list[Trial]] = []
    while waiting:
        order = np.argsort(-fitness(found[-1]), kind="stable")[:elites] if found else []
        kept = [found[-1][i] for i in order]
        found.append(kept + waiting[: population - len(kept)])
        del waiting[: population - len(kept)]
    return found


@pytest.mark.parametrize("answer", [complete, troubled])
@pytest.mark.parametrize("ahead", [1, 8])
def test_parents_are_two_of_the_best_five_of_the_generation_before(answer: Answer, ahead: int) -> None:
    told = told_by(Diverse(PLACE, fitness, 0, population=10), 120, answer, ahead)
    whole = generations(told, 10)
    assert len(whole) > 4
    for before, after in pairwise(whole):
        best = np.argsort(-fitness(before), kind="stable")[:5]
        allowed = {before[i].number for i in best}
        assert all(len(set(trial.parents)) == 2 and set(trial.parents) <= allowed for trial in after)
    assert all(trial.operator == "sample" and not trial.parents for trial in whole[0])


def test_parents_are_drawn_in_proportion_to_their_rank() -> None:
    searcher = Diverse(PLACE, fitness, 1)
    first = sorted(told_by(searcher, 25), key=lambda trial: -trial.values["value"])
    place = {trial.number: k for k, trial in enumerate(first)}
    pairs = np.zeros((5, 5))
    for child in islice(searcher._brood(0), 12000):
        pairs[tuple(place[number] for number in child.parents)] += 1
    p = np.array([5, 4, 3, 2, 1]) / 15
    expected = p[:, None] * p / (1 - p[:, None]) * (1 - np.eye(5))
    assert expected.sum() == pytest.approx(1)
    assert np.abs(pairs / 12000 - expected).max() < 4 * np.sqrt(0.11 * 0.89 / 12000)


def foreign(child: Proposal | Trial, known: dict[int, Architecture]) -> float:
    """The share of the genes of a child that neither parent has."""
    pairs = zip(child.architecture.genes, *(known[number].genes for number in child.parents), strict=True)
    return float(np.mean([gene not in pair for gene, *pair in pairs]))


@pytest.mark.parametrize(("attempt", "rate"), [(0, 0.2), (1, 0.18), (5, 0.18), (6, 0.16), (25, 0.1), (26, 0.08)])
def test_mutation_rate_falls_as_in_the_code(attempt: int, rate: float) -> None:
    assert Diverse(PLACE, fitness, 0)._rate(attempt) == pytest.approx(rate)
    assert Diverse(PLACE, fitness, 0, attempts=99)._rate(90) == 0
    assert Diverse(PLACE, fitness, 0, decay=-0.02)._rate(attempt) == pytest.approx(0.4 - rate)
    assert Diverse(PLACE, fitness, 0, attempts=999, decay=-0.02)._rate(900) == 1


def test_number_of_edits_is_binomial() -> None:
    searcher = Diverse(PLACE, fitness, 1)
    known = {trial.number: trial.architecture for trial in told_by(searcher, 25)}
    for attempt in (0, 11):
        brood = list(islice(searcher._brood(attempt), 4000))
        share = np.mean([child.operator == "crossover+mutation" for child in brood])
        expected = 1 - (1 - searcher._rate(attempt)) ** 6
        assert share == pytest.approx(expected, abs=0.03)
        assert (
            0.3 * searcher._rate(attempt)
            < np.mean([foreign(child, known) for child in brood])
            < searcher._rate(attempt)
        )


def test_children_without_mutation_have_the_genes_of_their_parents() -> None:
    told = told_by(Diverse(PLACE, fitness, 0, mutation=0.0), 80)
    known = {trial.number: trial.architecture for trial in told}
    assert not any(foreign(trial, known) for trial in told[25:])


@pytest.mark.parametrize("place", [PLACE, CHAIN])
def test_an_edit_changes_inserts_or_drops_one_gene(place: Space) -> None:
    rng = generator("edits")
    for _ in range(100):
        one = place.sample(rng)
        other = place.edit(one, rng)
        assert other != one
        left = [*takewhile(lambda pair: pair[0] == pair[1], zip(one.genes, other.genes, strict=False))]
        ends = one.genes[len(left) :][::-1], other.genes[len(left) :][::-1]
        right = [*takewhile(lambda pair: pair[0] == pair[1], zip(*ends, strict=False))]
        assert max(map(len, ends)) - len(right) == 1


@pytest.mark.parametrize("place", [PLACE, CHAIN])
@pytest.mark.parametrize("elites", [0, 4])
@pytest.mark.parametrize("name", ["rigid", "soft", "absolute", "naive"])
def test_what_is_told_of_a_breeding_is_what_happened(place: Space, elites: int, name: str) -> None:
    options = {"window": name, "population": 12, "generations": 8, "attempts": 9, "elites": elites}
    trials = 12 + 7 * (12 - elites)
    told = told_by(make_searcher("diverse", place, fitness, 2, options), trials)
    bred = breedings(make_searcher("diverse", place, fitness, 2, options), told)
    whole = generations(told, 12, elites)
    assert [len(one) for one in whole] == [12] * 8
    # The last one is planned, and not yet tried.
    assert [one.generation for one in bred] == list(range(1, 9))
    for one, before, after in zip(bred, whole, whole[1:], strict=False):
        assert one.before == diversity(before)
        assert one.after == diversity(after)
        assert one.change == one.after - one.before
        assert 1 <= one.attempts <= 9
        assert one.fits == (one.bounds.low < one.change <= one.bounds.high and one.after <= one.bounds.most)
        assert one.fits or one.attempts == 9
    assert any(one.attempts > 1 for one in bred) == (name != "naive")


def attempts_of(searcher: Diverse) -> tuple[list[Trial], list[list[Proposal]]]:
    """The first generation, and all populations that it could breed."""
    first = told_by(searcher, searcher.population)
    return first, [list(islice(searcher._brood(k), searcher.population)) for k in range(searcher.attempts)]


def changes(first: list[Trial], broods: list[list[Proposal]]) -> list[float]:
    before = diversity(first)
    return [diversity([Trial(k, child.architecture) for k, child in enumerate(brood)]) - before for brood in broods]


@pytest.mark.parametrize(
    ("fallback", "wanted", "allowed"),
    [
        ("closest", lambda change: 0.95 - change, never),
        ("closest", lambda change: change + 0.9, lambda progress: Bounds(-1.0, -0.9)),
        ("legacy", abs, never),
    ],
)
def test_without_a_fit_the_fallback_is_taken(fallback: str, wanted: Callable[[float], float], allowed: Window) -> None:
    searcher = Diverse(PLACE, fitness, 3, window=allowed, attempts=12, fallback=fallback)
    first, broods = attempts_of(searcher)
    measured = changes(first, broods)
    chosen = min(range(12), key=lambda k: wanted(measured[k]))
    assert chosen > 0
    assert [searcher.ask([]), searcher.ask([broods[chosen][0]])] == broods[chosen][:2]
    breeding = searcher.breeding
    assert breeding is not None
    assert breeding == Breeding(
        1, 12, searcher._rate(chosen), diversity(first), breeding.after, allowed(1 / searcher.generations)
    )
    assert breeding.change == pytest.approx(measured[chosen], abs=1e-12)
    assert not breeding.fits


@pytest.mark.parametrize("fallback", ["closest", "legacy"])
def test_the_first_attempt_that_fits_is_taken(fallback: str) -> None:
    first, broods = attempts_of(Diverse(PLACE, fitness, 3, attempts=12))
    measured = changes(first, broods)
    third = sorted(measured[:6])[-1]
    searcher = Diverse(
        PLACE, fitness, 3, window=lambda progress: Bounds(third - 1e-9, third), attempts=12, fallback=fallback
    )
    told_by(searcher, 25)
    breeding = searcher.breeding
    assert breeding is not None
    assert breeding.fits
    assert breeding.attempts == measured.index(third) + 1 > 1


def test_replacements_come_from_the_attempt_that_was_taken() -> None:
    quick, slow = (Diverse(PLACE, fitness, 3, attempts=6, window=never) for _ in range(2))
    first = told_by(quick, 25)
    for trial in first:
        slow.tell(trial)
    planned = [slow.ask([quick.ask([])] * k) for k in range(25)]  # type: ignore[list-item]
    assert None not in planned
    brood = next(b for b in (list(islice(slow._brood(k), 30)) for k in range(6)) if b[:25] == planned)
    for number in range(25, 30):
        proposal = slow.ask([])
        assert proposal is not None
        slow.tell(Trial(number, proposal.architecture, proposal.parents, proposal.operator, state="failed"))
    assert [slow.ask([brood[0]] * k) for k in range(25)] == brood[5:30]


def test_nothing_is_asked_beyond_a_generation() -> None:
    for searcher, pending, told in drive(Diverse(PLACE, fitness, 0, population=10), 60, complete, 30):
        assert len(pending) <= 10 - len(told) % 10
        assert (searcher.ask(pending) is None) == (len(pending) == 10 - len(told) % 10)


@pytest.mark.parametrize("answer", [complete, troubled])
def test_elites_live_on_unscored(answer: Answer) -> None:
    searcher = Diverse(PLACE, fitness, 0, population=10, elites=3)
    known: list[Trial] = []
    tops: list[float] = []
    seen = 0
    for _ in drive(searcher, 100, answer, 4):
        if searcher.generation == seen + 1:
            seen += 1
            adults = sorted(searcher._adults, key=lambda trial: trial.number)
            assert len(adults) == 10
            best = [known[i] for i in np.argsort(-fitness(known), kind="stable")[:3]] if known else []
            assert all(trial in adults for trial in best)
            assert len({trial.number for trial in adults} - {trial.number for trial in known}) == 10 - len(best)
            known = searcher._adults
            tops.append(float(fitness(known).max()))
    assert seen >= 8
    assert tops == sorted(tops)


def test_windows_are_functions_of_progress() -> None:
    asked: list[float] = []

    @window
    def noted(progress: float) -> Bounds:
        asked.append(progress)
        return Bounds()

    for given in (noted, "noted"):
        asked.clear()
        searcher = Diverse(PLACE, fitness, 0, window=given, population=5, generations=4)
        assert asked == [0.25, 0.5, 0.75, 1.0]
        asked.clear()
        told_by(searcher, 32)
        assert asked == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]


def test_a_landscape_is_climbed_and_diversity_falls_as_allowed() -> None:
    searcher = Diverse(PLACE, fitness, 5, window="rigid")
    told = told_by(searcher, 400, convolutions)
    bred = breedings(Diverse(PLACE, fitness, 5, window="rigid"), told)
    assert all(0 < one.change <= 0.1 for one in bred if one.fits)
    assert np.mean([one.fits for one in bred]) > 0.5
    best = max(trial.values["value"] or 0 for trial in told)
    rng = generator("random")
    random = [
        max(convolutions(0, Proposal(PLACE.sample(rng))).values["value"] or 0 for _ in range(400)) for _ in range(5)
    ]
    assert best == max(convolutions(0, Proposal(a)).values["value"] or 0 for a in PLACE)
    assert best > np.mean(random)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"parents": 1}, "parents"),
        ({"parents": 30}, "parents"),
        ({"generations": 0}, "generations"),
        ({"attempts": 0}, "attempts"),
        ({"elites": 25}, "elites"),
        ({"mutation": 1.5}, "mutation"),
        ({"decay": math.nan}, "decay"),
        ({"decay": -1.5}, "decay"),
        ({"fallback": "none"}, "fallback"),
        ({"window": lambda progress: (0.0, 0.1)}, "Bounds"),
        ({"window": lambda progress: Bounds(0.0, 0.5 - progress)}, "low < high"),
        ({"window": lambda progress: Bounds(1.0, 2.0)}, "must allow some change"),
        ({"population": 1}, "parents <= population"),
    ],
)
def test_impossible_options(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Diverse(PLACE, fitness, 0, **options)  # type: ignore[arg-type]


def test_unknown_windows_are_named() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'rigid'"):
        Diverse(PLACE, fitness, 0, window="rigit")
