from __future__ import annotations

import pytest

from untrained.report import standing


def test_positions_number_the_best_trials_and_copies_share_them(study):
    places = standing.positions(study)
    assert [places[trial.number] for trial in study.best_trials] == list(range(1, len(study.best_trials) + 1))
    assert set(places) == {trial.number for trial in study.complete}
    for trial in study.complete:
        if trial.copied is not None:
            assert places[trial.number] == places[trial.copied]


@pytest.mark.parametrize("most", [1, 10, 10_000])
def test_long_studies_are_thinned_but_keep_their_best(study, monkeypatch, most):
    monkeypatch.setattr(standing, "MOST_SHOWN", most)
    monkeypatch.setattr(standing, "BEST_SHOWN", 5)
    places = standing.positions(study)
    shown = standing.shown(study, places)
    assert {t.number for t in study.complete if places[t.number] <= 5} <= {t.number for t in shown}
    others = [trial for trial in shown if places[trial.number] > 5]
    assert len(others) <= most
    assert most < 10_000 or shown == study.complete
