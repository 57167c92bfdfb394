"""Trials that get a share of the evaluation: what is recorded, what counts as an answer, and what can be had in shares."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from study_evaluators import DIRECTIONS, Divided, Synthetic, study_of, what

from untrained.algorithms.trial import SHARE
from untrained.errors import InputError
from untrained.evaluate.combined import Combined
from untrained.evaluate.outcome import part_of
from untrained.evaluate.training import Training, keep_back
from untrained.images.load import load_images
from untrained.seeds import derive
from untrained.spaces.space import Skeleton, space
from untrained.study.journal import Journal
from untrained.study.search import search
from untrained.study.study import Study
from untrained.training.recipe import recipe

PLACE = space("nats-tss")
TROUBLE = Divided(rejected=0.1, failed=0.1, empty=0.1)
ROUND = 22
"""Trials of one round with shares of 1/9, 1/3 and 1."""


def divided(evaluator=TROUBLE, journal: Journal | None = None, **more) -> Study:
    return study_of(evaluator, journal, algorithm="bohb", rungs=3, **more)


def test_what_got_a_share_is_recorded_and_no_answer() -> None:
    study = divided(Divided())
    study.run(2 * ROUND)
    partial = [trial for trial in study.trials if trial.state == "partial"]
    assert len(partial) == 2 * 17
    assert {round(1 / trial.share) for trial in partial} == {3, 9}
    assert all(trial.share == 1.0 and SHARE not in trial.values for trial in study.complete)
    assert len(study.complete) == 2 * 5
    assert {trial.number for trial in study.best_trials} <= {trial.number for trial in study.complete}
    assert study.counts() == {"complete": 10, "rejected": 0, "failed": 0, "partial": 34}
    assert study.evaluations == 2 * ROUND
    for trial in study.trials:
        network = PLACE.canonical(trial.architecture)
        seed = derive(study.seed, "candidate", str(network))
        expected = Divided().at(trial.share)(network, seed=seed).values
        assert {name: trial.values[name] for name in DIRECTIONS} == expected


def test_the_study_is_the_same_with_workers_and_in_pieces(tmp_path: Path) -> None:
    whole = divided(journal=Journal())
    whole.run(3 * ROUND)
    assert {trial.state for trial in whole.trials} == {"complete", "partial", "rejected", "failed"}
    two = divided(journal=Journal())
    two.run(3 * ROUND, workers=2)
    assert what(two.trials) == what(whole.trials)
    path = tmp_path / "s.db"
    for evaluations in (5, 11, 30, 40, 3 * ROUND):
        divided(journal=Journal(path)).run(evaluations)
    assert what(divided(None, Journal(path)).trials) == what(whole.trials)


def test_a_network_is_evaluated_once_for_each_share() -> None:
    asked: list[tuple[str, float]] = []

    class Noted(Divided):
        def __call__(self, architecture, *, seed):
            asked.append((str(architecture), self.share))
            return super().__call__(architecture, seed=seed)

    study = divided(Noted(failed=0.2), random=0.9)
    study.run(20 * ROUND)
    assert len(asked) == len(set(asked))
    failed = {str(PLACE.canonical(trial.architecture)) for trial in study.trials if trial.state == "failed"}
    assert failed
    assert all([one for one, _ in asked].count(network) == 1 for network in failed)


def test_by_hand() -> None:
    study = divided(None)
    for _ in range(ROUND):
        trial = study.ask()
        told = study.tell(trial, {"up": trial.share, "down": 0.0})
        assert (told.share, told.state) == (trial.share, "complete" if trial.share == 1.0 else "partial")
    assert len(study.complete) == 5


# -- what can be had in shares -----------------------------------------------------------------------------------------


def test_training_has_fewer_epochs() -> None:
    images = keep_back(load_images("digits"), 0)
    whole = Training(images, recipe("quick"), Skeleton(channels=2, cells=1))
    epochs = whole.recipe.epochs
    third = part_of(whole, 1 / 3)
    assert isinstance(third, Training)
    assert third.recipe.epochs == round(epochs / 3)
    assert part_of(whole, 1.0) is whole
    with pytest.raises(InputError, match=f"of {epochs} epochs is none; train for at least 1,000"):
        whole.at(0.001)
    both = Combined((Synthetic(), whole), {"up": 1, "accuracy": 1})
    cut = part_of(both, 1 / 3)
    assert isinstance(cut, Combined)
    assert cut.evaluators == (Synthetic(), third)
    assert (cut.directions, cut.limits) == (both.directions, both.limits)


@pytest.mark.parametrize("evaluator", [Synthetic(), Combined((Synthetic(),), {"up": 1})])
def test_other_evaluations_are_whole(evaluator) -> None:
    assert part_of(evaluator, 1.0) is evaluator
    with pytest.raises(InputError, match=r"no up.* for a share of the work; only accuracy"):
        part_of(evaluator, 0.5)


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ({"metrics": "nwot"}, "no nwot for a share of the work"),
        ({"objectives": ["nwot", "-params"]}, "no nwot or params for a share"),
        ({"objectives": "accuracy(epochs=3)"}, "of 3 epochs is none; train for at least 9"),
    ],
)
def test_a_search_in_shares_that_cannot_be_had_never_starts(what, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        search(algorithm="bohb", options={"rungs": 3}, store=tmp_path / "s.db", **what)
    assert not (tmp_path / "s.db").exists()


def test_a_real_search_trains_the_best_for_longer() -> None:
    study = search(
        objectives=["accuracy(epochs=2)", "-params"], ranking="rank_sum", algorithm="bohb",
        options={"rungs": 2, "eta": 2}, evaluations=5, skeleton=Skeleton(channels=2, cells=1),
    )  # fmt: skip
    assert [trial.share for trial in study.trials] == [0.5, 0.5, 1.0, 1.0, 1.0]
    assert study.trials[2].operator == "promotion"
    assert study.trials[2].parents[0] in (0, 1)
    seconds = [trial.costs["accuracy(epochs=2)"] for trial in study.trials]
    assert all(map(math.isfinite, seconds))
    assert study.best_trial.share == 1.0
