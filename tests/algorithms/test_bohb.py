"""BOHB's model: densities by their formula, the split into good and bad, and what is proposed."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from untrained.algorithms.bohb import Bohb, Density
from untrained.algorithms.positions import Positions
from untrained.algorithms.searcher import make_searcher
from untrained.algorithms.trial import Proposal, Trial
from untrained.architecture import Architecture
from untrained.errors import InputError
from untrained.seeds import generator
from untrained.spaces.space import Space, space
from untrained.testing.searcher import SearcherContract, complete, fitness, hopeless, told_by, troubled

PLACE = space("nats-tss")


class Small:
    """Genes in 0..3, 0..2 and a single value, all combinations."""

    name = "small"
    sizes = (4, 3, 1)

    def sample(self, rng: np.random.Generator) -> Architecture:
        return Architecture(self.name, tuple(rng.integers(self.sizes).tolist()))

    def validate(self, architecture: Architecture) -> Architecture:
        return architecture


POSITIONS = Positions(Small(), "test")
EVERYTHING = np.array(list(itertools.product(*map(range, Small.sizes))))


def points(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, [3, 2, 1], (count, 3))


def probabilities(density: Density, numbers: np.ndarray = EVERYTHING) -> np.ndarray:
    return np.exp(density.log(POSITIONS.one_hot(numbers)))


@pytest.mark.parametrize("count", [1, 4, 30])
def test_densities_by_formula(count: int) -> None:
    numbers = points(count)
    density = Density(POSITIONS, numbers, 1e-3)
    expected = []
    for x in EVERYTHING:
        kernels = []
        for point in numbers:
            factors = [
                1 - h if a == b else h / (c - 1)
                for a, b, h, c in zip(x, point, density.bandwidths, Small.sizes, strict=True)
            ]
            kernels.append(np.prod(factors))
        expected.append(np.mean(kernels))
    np.testing.assert_allclose(probabilities(density), expected)
    np.testing.assert_allclose(probabilities(density).sum(), 1)


def test_bandwidths() -> None:
    numbers = points(30)
    shares = [np.bincount(column, minlength=4) / 30 for column in numbers.T]
    scott = [1.06 * np.sqrt(1 - (p**2).sum()) * 30 ** (-1 / 7) for p in shares]
    np.testing.assert_allclose(Density(POSITIONS, numbers, 1e-3).bandwidths, [scott[0], scott[1], 0])
    same = Density(POSITIONS, numbers[[0] * 5], 0.01)
    np.testing.assert_allclose(same.bandwidths, [0.01, 0.01, 0])
    spread = Density(POSITIONS, np.array([[0, 0, 0], [1, 1, 0]]), 0.9)
    np.testing.assert_allclose(spread.bandwidths, [3 / 4, 2 / 3, 0])
    np.testing.assert_allclose(probabilities(spread), 1 / 12)


def test_the_order_of_the_values_does_not_matter() -> None:
    numbers = points(20)
    turned = np.column_stack([(numbers[:, 0] + 1) % 4, 2 - numbers[:, 1], numbers[:, 2]])
    everything = np.column_stack([(EVERYTHING[:, 0] + 1) % 4, 2 - EVERYTHING[:, 1], EVERYTHING[:, 2]])
    one, two = Density(POSITIONS, numbers, 1e-3), Density(POSITIONS, turned, 1e-3)
    np.testing.assert_allclose(probabilities(one), probabilities(two, everything))


def test_draws_keep_each_gene_but_with_the_bandwidth() -> None:
    density = Density(POSITIONS, points(6), 1e-3)
    drawn = density.draw(20_000, np.random.default_rng(0))
    # A gene drawn again may come out the same: the kernel of the draw has h (c - 1) / c for h.
    for column, size in ((0, 4), (1, 3)):
        h = density.bandwidths[column]
        share = np.bincount(density.numbers[:, column], minlength=size) / 6
        found = np.bincount(drawn[:, column], minlength=size) / 20_000
        np.testing.assert_allclose(found, (1 - h) * share + h / size, atol=4 * np.sqrt(0.25 / 20_000))
    assert (drawn[:, 2] == 0).all()


def told_to(searcher: Bohb, values: list[float | None], seed: int = 0) -> list[Trial]:
    rng = np.random.default_rng(seed)
    trials = [Trial(i, PLACE.sample(rng), values={"value": value}) for i, value in enumerate(values)]
    for trial in trials:
        searcher.tell(trial)
    return trials


def test_the_good_are_the_best_part() -> None:
    for count, good in ((14, 7), (30, 7), (60, 9), (100, 15)):
        searcher = Bohb(PLACE, fitness, 0)
        trials = told_to(searcher, np.random.default_rng(count).permutation(count).astype(float).tolist())
        searcher._fitted, searcher._model = count, None
        best, rest = searcher._densities()
        ranked = sorted(trials, key=lambda t: t.values["value"], reverse=True)
        assert {tuple(row) for row in best.numbers.tolist()} == {t.architecture.genes for t in ranked[:good]}
        assert {tuple(row) for row in rest.numbers.tolist()} == {t.architecture.genes for t in ranked[good:]}


def test_trials_without_a_value_are_bad() -> None:
    searcher = Bohb(PLACE, fitness, 0)
    trials = told_to(searcher, [None if i % 2 else float(i) for i in range(20)])
    searcher._fitted, searcher._model = 20, None
    good, bad = searcher._densities()
    assert len(bad.numbers) == 13
    values = {trial.architecture.genes: trial.values["value"] for trial in trials}
    assert all(values[tuple(row)] is not None for row in good.numbers.tolist())
    none = Bohb(PLACE, fitness, 0)
    told_to(none, [None] * 40)
    assert none._densities() is None


def test_random_until_both_densities_have_enough() -> None:
    told = told_by(Bohb(PLACE, fitness, 0, random=0.0), 40)
    assert [trial.operator for trial in told] == ["sample"] * 14 + ["model"] * 26


def test_the_part_that_is_random() -> None:
    searcher = Bohb(PLACE, fitness, 0, random=0.25)
    told_by(searcher, 60)
    pending: list[Proposal] = []
    for _ in range(400):
        pending.append(searcher.ask(pending))
    random = sum(proposal.operator == "sample" for proposal in pending)
    assert abs(random / 400 - 0.25) < 4 * np.sqrt(0.19 / 400)


@pytest.mark.parametrize("answer", [complete, troubled])
def test_what_the_model_proposes_is_new(answer) -> None:
    told = told_by(Bohb(PLACE, fitness, 0), 300, answer, 8)
    seen = set()
    for trial in told:
        assert trial.operator == "sample" or trial.architecture not in seen
        seen.add(trial.architecture)


def test_the_best_of_many_candidates_is_the_maximum_of_the_ratio() -> None:
    """So many draws from a small space are all of it."""
    searcher = Bohb(Small(), fitness, 0, random=0.0, candidates=5000)
    rng = np.random.default_rng(0)
    for number in range(9):
        architecture = Small().sample(rng)
        value = float(architecture.genes[0] == 0) + 0.01 * number
        searcher.tell(Trial(number, architecture, values={"value": value}))
    good, bad = searcher._densities()
    ratio = probabilities(good) / probabilities(bad)
    new = [row for row in range(len(EVERYTHING)) if tuple(EVERYTHING[row].tolist()) not in searcher._seen]
    best = max(new, key=lambda row: ratio[row])
    assert searcher.ask([]).architecture.genes == tuple(EVERYTHING[best].tolist())


def test_spaces_of_varying_length_are_refused() -> None:
    with pytest.raises(InputError, match=r"bohb.*chain"):
        Bohb(space("chain"), fitness, 0)


@pytest.mark.parametrize(
    "options", [{"top": 0.0}, {"candidates": 0}, {"random": 1.0}, {"least_bandwidth": 0.0}, {"least_bandwidth": 1.0}]
)
def test_impossible_options(options: dict[str, float]) -> None:
    with pytest.raises(InputError, match="bohb"):
        Bohb(PLACE, fitness, 0, **options)


# -- with Hyperband ----------------------------------------------------------------------------------------------------

NINTHS = {"rungs": 3, "eta": 3}


class TestBohbInHyperband(SearcherContract):
    """The whole contract with small shares: 22 trials a round."""

    @pytest.fixture
    def algorithm(self) -> str:
        return "bohb"

    @pytest.fixture
    def options(self) -> dict[str, float]:
        return NINTHS

    @pytest.fixture
    def place(self) -> Space:
        return PLACE


@pytest.mark.parametrize("ahead", [1, 8])
@pytest.mark.parametrize("answer", [complete, troubled, hopeless])
def test_the_best_of_each_rung_climb(answer, ahead: int) -> None:
    """Three rounds, by hand: who has which share, and who was promoted."""
    told = told_by(Bohb(PLACE, fitness, 0, **NINTHS), 66, answer, ahead)
    new, climb = True, False
    rungs = [(9, 1 / 9, new), (3, 1 / 3, climb), (1, 1, climb), (5, 1 / 3, new), (1, 1, climb), (3, 1, new)]
    rest, rung = told, []
    for count, share, kind in rungs * 3:
        below = sorted(
            (t for t in rung if t.state == "partial" and t.values["value"] is not None),
            key=lambda t: -t.values["value"],
        )
        rung, rest = rest[:count], rest[count:]
        for trial in rung:
            assert trial.state in ("rejected", "failed", "complete" if share == 1 else "partial")
            assert trial.state in ("rejected", "failed") or trial.share == pytest.approx(share)
        expected = [] if kind is new else below[:count]
        assert [t.parents for t in rung] == [(t.number,) for t in expected] + [()] * (count - len(expected))
        assert [t.architecture for t in rung[: len(expected)]] == [t.architecture for t in expected]
    assert rest == []


def test_a_rung_waits_for_the_one_below() -> None:
    searcher = Bohb(PLACE, fitness, 0, **NINTHS)
    pending: list[Proposal] = []
    while (proposal := searcher.ask(pending)) is not None:
        pending.append(proposal)
    assert len(pending) == 9
    told_by(searcher, 9)
    promoted = [searcher.ask([]), *([searcher.ask([searcher.ask([])])])]
    assert [proposal.operator for proposal in promoted] == ["promotion"] * 2
    assert promoted[0].architecture != promoted[1].architecture


def test_the_model_is_of_the_largest_share_with_enough() -> None:
    """By whole evaluations genes 0 are good, by ninths genes 4 are; both have enough points in the end."""
    searcher = Bohb(PLACE, fitness, 0, random=0.0, **NINTHS)
    rng = np.random.default_rng(0)
    for number in range(200):
        proposal = Proposal(PLACE.sample(rng), share=searcher.rungs.of(number)[1].share)
        gene = 0 if proposal.share == 1.0 else 4
        value = float(proposal.architecture.genes.count(gene))
        values = {"value": value} | proposal.marks
        searcher.tell(Trial(number, proposal.architecture, state=proposal.state, values=values))
        if number in (60, 199):
            searcher._fitted, searcher._model = number, None
            good = searcher._densities()[0]
            shares = [searcher.rungs.of(n)[1].share for n in range(number)]
            largest = 1.0 if shares.count(1.0) >= 14 else 1 / 3 if shares.count(1 / 3) >= 14 else 1 / 9
            wanted = 0 if largest == 1.0 else 4
            assert (good.numbers == wanted).mean() > (good.numbers == 4 - wanted).mean()
    assert largest == 1.0


@pytest.mark.parametrize("options", [{"rungs": 0}, {"eta": 1}, {"rungs": 8}, {"rungs": 11, "eta": 2}, {"rungs": 10**9}])
def test_impossible_rungs(options: dict[str, int]) -> None:
    with pytest.raises(InputError, match="rungs"):
        Bohb(PLACE, fitness, 0, **options)


def test_rungs_find_more_at_equal_cost_where_a_share_says_as_much() -> None:
    """A hidden cell, 20 whole evaluations' worth, the value known from any share: by rungs, whole, and by chance."""

    def best(seed: int, algorithm: str, **options: float) -> float:
        hidden = PLACE.sample(generator("hidden", seed)).genes

        def answer(number: int, proposal: Proposal) -> Trial:
            right = sum(a == b for a, b in zip(proposal.architecture.genes, hidden, strict=True))
            values = {"value": float(right)} | proposal.marks
            return Trial(number, proposal.architecture, state=proposal.state, values=values)

        told = told_by(make_searcher(algorithm, PLACE, fitness, seed, options), 60, answer)
        spent = np.cumsum([trial.share for trial in told])
        return max(
            trial.values["value"] for trial, cost in zip(told, spent, strict=True) if cost < 20 and trial.share == 1.0
        )

    rungs, whole, chance = (
        np.mean([best(seed, name, **options) for seed in range(60)])
        for name, options in (("bohb", NINTHS), ("bohb", {}), ("random", {}))
    )
    assert rungs > whole + 0.2
    assert rungs > chance + 0.5
