from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from untrained.errors import InputError, UnknownNameError
from untrained.registry import RECIPES, summary
from untrained.training.recipe import Recipe, quick, recipe


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 30), st.integers(1, 50), st.floats(0, 5), st.floats(0.001, 2))
def test_rate_is_the_closed_form(epochs: int, steps: int, warmup: float, peak: float) -> None:
    plan = Recipe("plan", "", epochs=epochs, warmup=warmup, learning_rate=peak)
    total = epochs * steps
    rising = min(round(warmup * steps), total - 1)
    for step in range(total):
        if step < rising:
            expected = peak * (step + 1) / rising
        else:
            expected = peak * math.cos(math.pi / 2 * (step - rising) / (total - rising)) ** 2
        assert plan.rate(step, steps) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_rate_rises_to_the_peak_and_falls_to_nearly_nothing() -> None:
    plan = Recipe("plan", "", epochs=10, warmup=2, learning_rate=0.4)
    rates = [plan.rate(step, 5) for step in range(50)]
    assert rates[0] == pytest.approx(0.04)
    assert rates[9] == rates[10] == pytest.approx(0.4)
    assert rates[30] == pytest.approx(0.2)
    assert rates[:10] == sorted(rates[:10])
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert 0 < rates[-1] < 0.002


def test_colour_flips_and_grey_does_not_unless_told() -> None:
    assert [quick.flips(channels) for channels in (1, 3, 4)] == [False, True, True]
    assert [replace(quick, flip="always").flips(channels) for channels in (1, 3)] == [True, True]
    assert [replace(quick, flip="never").flips(channels) for channels in (1, 3)] == [False, False]


def test_recipes_are_found_by_name() -> None:
    assert recipe("quick") is quick
    assert "quick" in RECIPES.names()
    assert summary(quick) == quick.summary
    with pytest.raises(UnknownNameError, match="unknown recipe 'quik'; did you mean 'quick'"):
        recipe("quik")


@pytest.mark.parametrize(
    "change",
    [
        {"epochs": 0},
        {"batch_size": 1},
        {"learning_rate": 0.0},
        {"warmup": -1.0},
        {"momentum": 1.0},
        {"weight_decay": -1e-4},
        {"label_smoothing": 1.0},
        {"crop": 1.0},
        {"flip": "sometimes"},
        {"clip": 0.0},
    ],
)
def test_values_out_of_bounds_are_named(change: dict[str, Any]) -> None:
    ((name, value),) = change.items()
    with pytest.raises(InputError, match=f"the recipe 'quick' cannot have {name}={value!r}"):
        replace(quick, **change)
