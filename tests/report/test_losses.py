from __future__ import annotations

from untrained.report.losses import lost


def test_every_lost_trial_is_counted_under_its_reason(study):
    found = dict(lost(study))
    counts = study.counts()
    assert found["rejected", "params<500,000"] == counts["rejected"]
    (failed,) = [times for (what, why), times in found.items() if what == "failed"]
    assert failed == counts["failed"]
    assert found["without a value", "good: nothing <i>moves</i> at all"] == sum(
        trial.values["good"] is None for trial in study.complete
    )
    assert list(found.values()) == sorted(found.values(), reverse=True)


def test_numbers_of_names_stay_in_reasons(make_study):
    study = make_study(1)
    (trial, *_) = study.trials
    object.__setattr__(trial, "state", "failed")
    object.__setattr__(trial, "reasons", {"error": "conv_3x3 of 12 and 1.5e-3 on cell_2"})
    assert lost(study)[0][0] == ("failed", "conv_3x3 of 12 and 1.5e-3 on cell_2")


def test_reasons_that_differ_in_numbers_count_under_the_first(make_study):
    study = make_study(3)
    for trial in study.trials:
        object.__setattr__(trial, "state", "failed")
        object.__setattr__(trial, "reasons", {"error": f"took longer than {trial.number + 0.5} s"})
    assert lost(study) == [(("failed", "took longer than 0.5 s"), len(study.trials))]
