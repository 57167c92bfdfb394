"""What published code does differently: ``name(legacy)``."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from untrained.errors import InputError, UnknownNameError
from untrained.metrics import jacobian
from untrained.metrics.metric import find_metrics, score, settled
from untrained.probe.setting import Setting
from untrained.registry import METRICS
from untrained.spaces.nats_tss import nats_tss

LEGACY = [name for name in METRICS.names() if METRICS[name].legacy is not None]
SHARED = ["nwot", "swap", "synflow", "logsynflow", "zen"]
"""Metrics of which the setting alone differs."""


def network() -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(3, 6, 3),
            nn.ReLU(),
            nn.Conv2d(6, 8, 3),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(8, 5),
        )


def images(count: int = 80) -> torch.Tensor:
    return torch.randn(count, 3, 8, 8, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", SHARED)
def test_the_published_setting_is_one_of_many(name: str) -> None:
    setting = METRICS[name].legacy
    assert setting is not None
    asked = score(network(), images(), metrics=[f"{name}(legacy)"])[f"{name}(legacy)"]
    given = score(network(), images(), metrics=[name], settings={name: setting})[name]
    assert asked.repeats == given.repeats
    assert len(asked.repeats) == setting.inits


@pytest.mark.parametrize("name", LEGACY)
def test_both_can_be_asked_for_at_once(name: str) -> None:
    labels = torch.arange(80) % 5
    both = score(network(), images(), labels, metrics=[name, f"{name}(legacy)"])
    assert list(both) == [name, f"{name}(legacy)"]
    # This network is so immune to noise that only the published code has a value for it.
    assert both[f"{name}(legacy)"].value is not None
    assert both[name].value is not None or name == "ni"


def test_noise_immune_networks_score_nothing() -> None:
    body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5))
    for parameter in body.parameters():
        nn.init.zeros_(parameter)
    both = score(body, images(), metrics=["ni", "ni(legacy)"], weights="keep")
    assert both["ni"].value is None
    assert both["ni(legacy)"].value == 0.0


def test_the_kernel_of_float32_is_near_that_of_float64() -> None:
    setting = {name: Setting(images=8) for name in ("ntk", "ntk(legacy)")}
    both = score(network(), images(), metrics=["ntk", "ntk(legacy)"], settings=setting)
    assert both["ntk(legacy)"].value == pytest.approx(both["ntk"].value, rel=0.05)
    assert both["ntk(legacy)"].value != both["ntk"].value


def test_meco_looks_at_an_image_of_its_own_size() -> None:
    legacy = score(network(), images(), metrics=["meco(legacy)"])["meco(legacy)"]
    larger = torch.zeros(1, 3, 64, 64)
    assert legacy.value == score(network(), larger, metrics=["meco"])["meco"].value
    assert legacy.value != score(network(), images(), metrics=["meco"])["meco"].value


def test_the_eigenvalues_of_jacov_are_those_of_any_matrix(monkeypatch: pytest.MonkeyPatch) -> None:
    both = score(network(), images(), metrics=["jacov", "jacov(legacy)"])
    assert both["jacov(legacy)"].value == pytest.approx(both["jacov"].value, rel=1e-6)
    for rounded in ([[1.0, -1.1], [0.9, 1.0]], [[1.0, 1.1], [1.1, 1.0]]):  # complex, and negative
        monkeypatch.setattr(jacobian, "_correlations", lambda rows, wrong=rounded: np.array(wrong))
        both = score(network(), images(), metrics=["jacov", "jacov(legacy)"])
        assert both["jacov"].value is not None
        assert "complex or negative" in both["jacov(legacy)"].reason


def test_classes_of_one_image_are_passed_over_where_there_are_many_outputs() -> None:
    many = nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), nn.Flatten(), nn.Linear(216, 101))
    few = images(9)
    labels = torch.tensor([0, 0, 0, 1, 1, 1, 2, 2, 3])
    whole = score(many, few, labels, metrics=["epe_nas(legacy)"])["epe_nas(legacy)"]
    without = score(many, few[:8], labels[:8], metrics=["epe_nas"])["epe_nas"]
    assert whole.value is not None
    # The Jacobian of a row depends on that row alone: no normalisation is in the way.
    assert math.isclose(whole.value, without.value or 0.0, rel_tol=1e-5)


def test_it_goes_with_other_options() -> None:
    (one,) = find_metrics(["swap(legacy, mu=1, sigma=2)"])
    assert one.name == "swap(legacy,mu=1,sigma=2)"
    assert one.setting == METRICS["swap"].legacy
    (auto,) = settled(find_metrics(["swap(legacy,mu=auto,sigma=auto)"]), nats_tss, "proxy")
    assert auto.name.startswith("swap(legacy,mu=0.")
    assert auto.setting == METRICS["swap"].legacy


@pytest.mark.parametrize("text", ["swap(legacy,legacy)", "swap(legacy=1)"])
def test_it_stands_alone(text: str) -> None:
    with pytest.raises(InputError, match="stands alone and once"):
        find_metrics([text])


@pytest.mark.parametrize("text", ["params(legacy)", "nwot(legacy,legacy)", "ni(legacy=1)"])
def test_nothing_else_is_understood(text: str) -> None:
    with pytest.raises((UnknownNameError, ValueError)):
        find_metrics([text])
