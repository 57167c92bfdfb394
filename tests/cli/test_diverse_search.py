"""Searches under control of diversity from the command line: what is refused before any work."""

from __future__ import annotations

import pytest

from untrained.algorithms.windows import WINDOWS, Bounds, window

if "excluding" not in WINDOWS:

    @window
    def excluding(progress: float) -> Bounds:
        return Bounds(1.0, 2.0)


def test_a_search_under_control(run):
    run.search("--algorithm", "diverse", "--option", "window=absolute", "--option", "population=5", "--evaluations", 12)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("window=excluding", "must allow some change of the median similarity"),
        ("window=rigit", "unknown window 'rigit'; did you mean 'rigid'"),
        ("population=1", "diverse needs 2 <= parents <= population, not 5 and 1"),
        ("population=0", "diverse needs 2 <= parents <= population"),
        ("fallback=none", "fallback is one of closest, legacy"),
    ],
)
def test_impossible_controls_are_refused_in_one_line(run, tmp_path, option, message):
    refusal = run.refused("search", "--algorithm", "diverse", "--option", option, "--no-report")
    assert message in refusal
    assert refusal.count("\n") == 1
    assert not list(tmp_path.iterdir())
