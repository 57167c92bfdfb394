"""The store of studies keeps its contract."""

from __future__ import annotations

import sqlalchemy as sa

from untrained.algorithms.trial import Trial
from untrained.study import journal
from untrained.testing.journal import JournalContract, sample_trials


class TestJournal(JournalContract):
    pass


def test_the_samples_use_every_field_of_a_trial() -> None:
    blank = Trial(-1, sample_trials()[0].architecture)
    for field in Trial.__dataclass_fields__:
        if field not in ("number", "architecture"):
            assert any(getattr(trial, field) != getattr(blank, field) for trial in sample_trials()), field


def test_every_field_of_a_trial_has_a_column() -> None:
    columns = {column.name for column in sa.inspect(journal._TRIALS).columns}
    assert {"objectives" if name == "values" else name for name in Trial.__dataclass_fields__} <= columns
