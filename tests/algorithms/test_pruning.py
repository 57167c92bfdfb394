"""Pruning: which operations go, where it ends, and what a study hands over."""

from __future__ import annotations

import numpy as np
import pytest

import untrained as un
from untrained.algorithms.fitness import Fitness
from untrained.algorithms.pruning import Pruning
from untrained.algorithms.trial import Proposal, Trial
from untrained.architecture import Architecture
from untrained.errors import InputError
from untrained.seeds import generator
from untrained.spaces.nats_tss import nats_tss
from untrained.spaces.nats_tss_super import FULL, nats_tss_super
from untrained.spaces.space import Space
from untrained.study.search import load_study, search
from untrained.testing.searcher import SearcherContract, drive, fitness, hopeless, told_by, troubled

ONCE = 24 + 18 + 12 + 1
SMALL = "channels=2,cells=1"


class TestPruning(SearcherContract):
    @pytest.fixture
    def algorithm(self) -> str:
        return "pruning"

    @pytest.fixture
    def place(self) -> Space:
        return nats_tss_super


def separable(seed: int):
    """Answers by the mean weight of the operations on each edge, summed over edges; and the best operation of each."""
    weights = generator("separable", seed).normal(size=(6, 4))

    def answer(number: int, proposal: Proposal) -> Trial:
        kept = np.array([[mask >> bit & 1 for bit in range(4)] for mask in proposal.architecture.genes])
        value = float(((weights * kept).sum(axis=1) / np.maximum(kept.sum(axis=1), 1)).sum())
        return Trial(number, proposal.architecture, proposal.parents, proposal.operator, values={"value": value})

    return answer, tuple(1 << int(bit) for bit in weights.argmax(axis=1))


@pytest.mark.parametrize("ahead", [1, 8])
def test_the_optimum_of_what_is_separable(ahead: int) -> None:
    for seed in range(30):
        answer, best = separable(seed)
        told = told_by(Pruning(nats_tss_super, fitness, seed), ONCE, answer, ahead)
        assert told[-1].operator == "answer"
        assert told[-1].architecture.genes == best


def test_a_round_is_every_way_to_take_one_operation_away() -> None:
    answer, _ = separable(3)
    told = told_by(Pruning(nats_tss_super, fitness, 0), ONCE, answer)
    here = nats_tss_super.full
    start = 0
    for length in (24, 18, 12):
        trials = told[start : start + length]
        assert [trial.architecture for trial in trials] == [pruned for _, pruned in nats_tss_super.prunings(here)]
        value = {trial.architecture: trial.values["value"] for trial in trials}
        genes = list(here.genes)
        for edge in range(6):
            ways = [pruned for at, pruned in nats_tss_super.prunings(here) if at == edge]
            genes[edge] = max(ways, key=value.get).genes[edge]
        here = Architecture("nats-tss-super", tuple(genes))
        start += length
        assert {told[parent].architecture for parent in told[start].parents} <= set(value)
        assert len(told[start].parents) == 6
    assert told[-1].architecture == here


def test_the_ranking_is_that_of_the_round() -> None:
    """Two metrics in opposite directions, as ntk and regions are: each edge loses what ranks best in sum."""
    both = Fitness("rank_sum", {"down": -1, "up": 1})

    def answer(number: int, proposal: Proposal) -> Trial:
        down, up = generator("two", str(proposal.architecture)).random(2).tolist()
        values = {"down": down, "up": up}
        return Trial(number, proposal.architecture, proposal.parents, proposal.operator, values=values)

    told = told_by(Pruning(nats_tss_super, both, 0), 25, answer)
    ranks = np.array([both.scores(told[:24])[:, k].argsort().argsort() for k in (0, 1)]).sum(axis=0)
    expected = [int(np.argmax(ranks[4 * edge : 4 * edge + 4])) + 4 * edge for edge in range(6)]
    # Every way of an edge is scored beside those of all others: ties take the first, as argmax does.
    assert list(told[24].parents) == expected


def test_a_second_pruning_starts_elsewhere() -> None:
    answer, best = separable(1)
    told = told_by(Pruning(nats_tss_super, fitness, 0), 200, answer)
    ends = [trial.number for trial in told if trial.operator == "answer"]
    assert ends[0] == ONCE - 1
    assert len(ends) > 3
    starts = [told[end + 1].architecture for end in ends if end + 1 < len(told)]
    assert len(set(starts)) == len(starts)
    assert all(0 not in start.genes for start in starts)
    assert all(trial.parents == () for trial in (told[end + 1] for end in ends[:-1]))
    assert best == told[ends[0]].architecture.genes


@pytest.mark.parametrize("answer", [troubled, hopeless])
def test_what_cannot_be_scored_ends_no_pruning(answer) -> None:
    searcher = Pruning(nats_tss_super, fitness, 0)
    ends = []
    for one, _, told in drive(searcher, 120, answer, 8):
        assert one.ask([]) is not None
        ends = [trial for trial in told if trial.operator == "answer"]
    assert len(ends) >= 2
    assert all(nats_tss_super.answer(trial.architecture) is not None for trial in ends)


@pytest.mark.parametrize("name", ["nats-tss", "chain", "darts"])
def test_spaces_without_super_networks_are_refused(name: str) -> None:
    with pytest.raises(InputError, match=f"'{name}' has none; search 'nats-tss-super'"):
        search(name, algorithm="pruning", evaluations=5)


def test_a_study_hands_over_a_cell(tmp_path) -> None:
    study = search(
        "nats-tss-super", "digits", metrics=["ntk", "regions"], algorithm="pruning", evaluations=ONCE + 30, skeleton=SMALL,
        target=SMALL, store=tmp_path / "runs.db", name="tenas", seed=2,
    )  # fmt: skip
    assert study.evaluations == ONCE + 30
    (last,) = [trial for trial in study.complete if trial.number == ONCE - 1]
    best = study.best_trial
    assert best.architecture.space == "nats-tss"
    assert 0 not in nats_tss_super.parse(nats_tss.format(best.architecture)).genes
    answers = {nats_tss_super.answer(nats_tss_super.canonical(trial.architecture)) for trial in study.complete}
    assert {trial.architecture for trial in study.best_trials} == answers - {None}
    assert len(study.ranked_trials) > len(study.best_trials)
    assert nats_tss_super.answer(nats_tss_super.canonical(last.architecture)) in answers
    assert load_study(tmp_path / "runs.db").best_trial == best
    network = un.create_model(best.architecture, num_classes=10, in_chans=1, skeleton=SMALL)
    assert sum(p.numel() for p in network.parameters()) > 0
    assert study.trials[0].architecture.genes.count(FULL) == 5


def test_limits_are_for_answers(tmp_path) -> None:
    study = search(
        "nats-tss-super", "digits", metrics="params", algorithm="pruning", evaluations=200, skeleton=SMALL, target=SMALL,
        limits="params<1.2k",
    )  # fmt: skip
    sizes = [trial.values["params"] for trial in study.complete]
    assert max(sizes) > 1200
    assert study.counts()["rejected"] > 0
    assert all(trial.values["params"] < 1200 for trial in study.best_trials)
    with pytest.raises(InputError, match="no answer among its complete trials yet"):
        _ = search("nats-tss-super", "digits", metrics="params", algorithm="pruning", evaluations=20).best_trial
    assert nats_tss.size == 15625
