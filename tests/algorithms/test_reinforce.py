"""REINFORCE: the policy, its gradient, its rewards and where they lead."""

from __future__ import annotations

import numpy as np
import pytest

from untrained.algorithms.reinforce import Reinforce
from untrained.algorithms.trial import Proposal, State, Trial
from untrained.architecture import Architecture
from untrained.errors import InputError
from untrained.spaces.space import space
from untrained.testing.searcher import fitness, told_by

PLACE = space("nats-tss")


def trial(number: int, genes: tuple[int, ...], value: float | None, state: State = "complete") -> Trial:
    return Trial(number, Architecture(PLACE.name, genes), state=state, values={"value": value})


def log_probability(searcher: Reinforce, genes: tuple[int, ...]) -> float:
    return float(np.log(searcher.probabilities[np.arange(6), genes]).sum())


def test_uniform_at_first_and_sampled_as_it_says() -> None:
    searcher = Reinforce(PLACE, fitness, 0)
    np.testing.assert_allclose(searcher.probabilities, 0.2)
    searcher._logits = np.random.default_rng(0).normal(size=(6, 5))
    counts = np.zeros((6, 5))
    pending: list[Proposal] = []
    for _ in range(2000):
        pending.append(searcher.ask(pending))
        counts[np.arange(6), pending[-1].architecture.genes] += 1
    assert np.abs(counts / 2000 - searcher.probabilities).max() < 4 * np.sqrt(0.25 / 2000)


def test_the_step_is_adams_along_the_gradient_of_the_log_probability(monkeypatch: pytest.MonkeyPatch) -> None:
    searcher = Reinforce(PLACE, fitness, 0, momentum=0.0)
    searcher._logits = np.random.default_rng(0).normal(size=(6, 5))
    gradients: list[np.ndarray] = []
    monkeypatch.setattr(Reinforce, "_ascend", lambda self, gradient, step: gradients.append(gradient))
    genes = (0, 1, 2, 3, 4, 0)
    searcher.momentum = 0.5  # baseline after one reward r is r; after 0.5 and 1, weighted 1/3 and 2/3, it is 5/6
    searcher.tell(trial(0, (1,) * 6, 1.0))
    searcher.tell(trial(1, genes, 2.0))
    numeric = np.zeros((6, 5))
    for i in np.ndindex(6, 5):
        searcher._logits[i] += 1e-6
        above = log_probability(searcher, genes)
        searcher._logits[i] -= 2e-6
        numeric[i] = (above - log_probability(searcher, genes)) / 2e-6
        searcher._logits[i] += 1e-6
    np.testing.assert_allclose(gradients[0], 0, atol=1e-12)
    np.testing.assert_allclose(gradients[1], (1 - 5 / 6) * numeric, atol=1e-7)


def test_adam() -> None:
    searcher = Reinforce(PLACE, fitness, 0, learning_rate=0.1)
    gradient = np.random.default_rng(0).normal(size=(6, 5))
    searcher._ascend(gradient, 1)
    np.testing.assert_allclose(searcher._logits, 0.1 * np.sign(gradient), rtol=1e-5)
    searcher._ascend(-gradient, 2)
    mean = (0.9 * 0.1 - 0.1) * gradient / (1 - 0.9**2)
    np.testing.assert_allclose(searcher._logits, 0.1 * np.sign(gradient) + 0.1 * mean / np.abs(gradient), rtol=1e-5)


def test_rewards_are_the_part_of_the_window_that_is_worse(monkeypatch: pytest.MonkeyPatch) -> None:
    rewards: list[float] = []

    def note(self: Reinforce, gradient: np.ndarray, step: int) -> None:
        rewards.append(self._rewards)  # with no momentum, the reward itself

    monkeypatch.setattr(Reinforce, "_ascend", note)
    searcher = Reinforce(PLACE, fitness, 0, momentum=0.0, window=4)
    for number, value in enumerate([3.0, 5.0, 4.0, 4.0, 4.0, None, 9.0]):
        searcher.tell(trial(number, (number % 5,) * 6, value))
    searcher.tell(trial(7, (0,) * 6, None, "rejected"))
    # 4 among 3 5 4 4: beats one, ties one; 4 among 5 4 4 4: ties two of three
    np.testing.assert_allclose(rewards, [0.5, 1, 0.5, (1 + 0.5) / 3, 1 / 3, 0, 1, 0])


def test_it_learns_the_rewarded_genes() -> None:
    def answer(number: int, proposal: Proposal) -> Trial:
        genes = proposal.architecture.genes
        return trial(number, genes, float(sum(gene == 3 for gene in genes)))

    searcher = Reinforce(PLACE, fitness, 0)
    told_by(searcher, 600, answer, 8)
    assert (searcher.probabilities.argmax(axis=1) == 3).all()
    assert searcher.probabilities[:, 3].mean() > 0.8


def test_invalid_combinations_are_drawn_again() -> None:
    place = space("darts")
    pending: list[Proposal] = []
    searcher = Reinforce(place, fitness, 0)
    for _ in range(50):
        pending.append(searcher.ask(pending))
        assert place.validate(pending[-1].architecture) == pending[-1].architecture
    assert {proposal.operator for proposal in pending} == {"policy"}


def test_spaces_of_varying_length_are_refused() -> None:
    with pytest.raises(InputError, match=r"reinforce.*chain"):
        Reinforce(space("chain"), fitness, 0)


@pytest.mark.parametrize("options", [{"learning_rate": 0.0}, {"momentum": 1.0}, {"window": 1}])
def test_impossible_options(options: dict[str, float]) -> None:
    with pytest.raises(InputError, match="reinforce"):
        Reinforce(PLACE, fitness, 0, **options)
