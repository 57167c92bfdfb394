"""Windows: the table of the published code, the equations of the paper, and what bounds allow."""

from __future__ import annotations

import math

import pytest

from untrained.algorithms.windows import CEILING, WINDOWS, Bounds, absolute, naive, rigid, soft, window
from untrained.errors import InputError


@pytest.mark.parametrize("generation", range(1, 21))
def test_published_code_of_20_generations(generation: int) -> None:
    bounds = rigid(generation / 20)
    assert bounds.low == 0
    assert bounds.high == pytest.approx(max(0.1 - generation**2 / 2000, 0.05))
    bounds = soft(generation / 20)
    assert bounds.low == pytest.approx(-max(0.1 - 0.1 * generation / 20, 0))
    assert bounds.high == pytest.approx(max(0.05 * generation / 20, 0.025))
    assert rigid(generation / 20).most == soft(generation / 20).most == 1


@pytest.mark.parametrize("total", [6, 20, 37])
def test_equations_of_the_paper_for_any_number_of_generations(total: int) -> None:
    for generation in range(1, total + 1):
        late = generation >= total / 2
        assert rigid(generation / total).high == pytest.approx(0.05 if late else 0.1 - 0.2 * (generation / total) ** 2)
        assert soft(generation / total).high == pytest.approx(0.05 * generation / total if late else 0.025)
        assert soft(generation / total).low == pytest.approx(-0.1 + 0.1 * generation / total)


def test_absolute_bounds_the_median_and_its_growth() -> None:
    for progress in (0.05, 0.5, 1.0):
        bounds = absolute(progress)
        assert (bounds.low, bounds.high, bounds.most) == (-math.inf, rigid(progress).high, CEILING)
    assert absolute(1.0).allow(0.78, 0.80)
    assert not absolute(1.0).allow(0.78, 0.81)
    assert absolute(1.0).allow(0.95, 0.2)


def test_naive_allows_everything() -> None:
    assert all(naive(0.3).allow(a, b) and naive(0.3).distance(a, b) == 0 for a in (0.0, 0.5, 1.0) for b in (0.0, 1.0))


def test_lower_end_is_open_and_upper_end_closed() -> None:
    bounds = Bounds(0.0, 0.25, most=0.75)
    assert not bounds.allow(0.5, 0.5)
    assert bounds.allow(0.5, 0.75)
    assert bounds.distance(0.5, 0.5) == 0
    assert not bounds.allow(0.5, 0.75 + 1e-9)
    assert bounds.distance(0.5, 0.375) == 0.125
    assert bounds.distance(0.25, 0.625) == 0.125
    assert bounds.distance(0.75, 1.0) == 0.25


@pytest.mark.parametrize(
    "values", [(0.1, 0.1), (0.2, 0.1), (math.nan, 0.1), (0.0, math.nan), (0, 1, 1.5), (0, 1, math.nan)]
)
def test_impossible_bounds(values: tuple[float, ...]) -> None:
    with pytest.raises(InputError, match="low < high"):
        Bounds(*values)


@pytest.mark.parametrize("values", [(1.0, math.inf), (2.0, 3.0), (-math.inf, -1.5)])
def test_windows_that_exclude_everything(values: tuple[float, float]) -> None:
    with pytest.raises(InputError, match="must allow some change"):
        Bounds(*values)
    assert Bounds(0.999, 1.0).allow(0.0, 1.0)
    assert Bounds(-math.inf, -1.0).allow(1.0, 0.0)


def test_windows_have_names() -> None:
    assert {"rigid", "soft", "absolute", "naive"} <= set(WINDOWS)

    @window
    def of_a_test(progress: float) -> Bounds:
        return Bounds(-progress, progress)

    assert WINDOWS["of_a_test"](0.5) == Bounds(-0.5, 0.5)
