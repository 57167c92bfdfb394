from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from untrained.training.inference import accuracy, predict


def network() -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5), nn.Flatten(), nn.Linear(144, 3))


def test_predictions_do_not_depend_on_the_batch_and_change_nothing() -> None:
    model = network().train()
    model[1].eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    images = torch.randn(23, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    whole = predict(model, images)
    assert torch.allclose(predict(model, images, batch_size=5), whole, atol=1e-6)
    assert whole.shape == (23, 3)
    assert model.training
    assert not model[1].training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_the_mode_comes_back_after_an_error() -> None:
    model = network().train()
    with pytest.raises(RuntimeError):
        predict(model, torch.zeros(2, 5, 8, 8))
    assert model[2].training


def test_accuracy_counts_by_hand() -> None:
    logits = torch.tensor([[2.0, 1.0], [0.0, 1.0], [5.0, 4.0], [0.0, 3.0]])
    model = nn.Flatten()
    images = logits[:, :, None, None]
    assert accuracy(model, images, torch.tensor([0, 1, 1, 1])) == 0.75
    assert accuracy(model, images, torch.tensor([1, 0, 1, 0]), batch_size=3) == 0.0


def test_the_first_of_two_heads_counts() -> None:
    class Two(nn.Module):
        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return x.flatten(1), -x.flatten(1)

    assert predict(Two(), torch.ones(2, 3, 1, 1)).tolist() == [[1.0] * 3] * 2
