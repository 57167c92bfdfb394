"""Correlation with a table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from untrained.errors import InputError
from untrained.evaluate.training_free import TrainingFree
from untrained.images.load import load_images
from untrained.seeds import derive
from untrained.spaces.nats_tss import nats_tss
from untrained.study.correlate import bootstrap_spearman, correlate, correlation
from untrained.study.journal import Journal
from untrained.tables.table import Table

INDICES = list(range(0, 15625, 700))


@pytest.fixture(scope="module")
def table() -> Table:
    architectures = [nats_tss.at(index) for index in INDICES]
    rng = np.random.default_rng(0)
    return Table(nats_tss, architectures, pd.DataFrame({"accuracy": rng.normal(size=len(architectures))}))


def test_the_table_is_spearman_of_the_scores(table: Table) -> None:
    found = correlate(
        "nats-tss", table, "accuracy", ["params", "logsynflow", "params+logsynflow"], "digits", sample=None
    )
    images = load_images("digits")
    batch, _ = images.batch(1, derive(0, "images"))
    evaluate = TrainingFree(
        nats_tss, ("params", "logsynflow"), batch, None, 10, nats_tss.skeleton("proxy"), nats_tss.skeleton("nats")
    )
    scores = []
    for architecture in table:
        network = nats_tss.canonical(architecture)
        scores.append(list(evaluate(network, seed=derive(0, "candidate", str(network))).values.values()))
    truth = table.column("accuracy")
    for column, name in enumerate(("params", "logsynflow")):
        expected = spearmanr(np.array(scores)[:, column], truth).statistic
        assert found.loc[name, "spearman"] == pytest.approx(expected, abs=1e-12)
    assert found.loc["params", "n"] == len(INDICES)
    assert (found["low"] <= found["spearman"]).all()
    assert (found["spearman"] <= found["high"]).all()


def test_seeds_spread_and_a_store_resumes(table: Table, tmp_path: Path) -> None:
    seen = []
    options = {"sample": 12, "seeds": (0, 1), "store": tmp_path / "c.db", "on_trial": seen.append}
    first = correlation("nats-tss", table, "accuracy", ["logsynflow", "params"], "digits", **options)
    assert len(seen) == 24
    assert first.table.loc["logsynflow", "spread"] >= 0
    assert first.table.loc["params", "spread"] == 0
    again = correlation("nats-tss", table, "accuracy", ["logsynflow", "params"], "digits", **options)
    assert len(seen) == 24
    pd.testing.assert_frame_equal(first.table, again.table)
    assert len(Journal(tmp_path / "c.db").studies()) == 2


def test_perfect_order_has_no_width() -> None:
    truth = np.arange(30.0)
    assert bootstrap_spearman(truth[None] ** 3, truth) == pytest.approx((1.0, 1.0))
    low, high = bootstrap_spearman(np.random.default_rng(0).normal(size=(1, 30)), truth)
    assert -1 <= low < 0.3
    assert -0.3 < high <= 1


def test_too_few_architectures_are_refused(table: Table) -> None:
    with pytest.raises(InputError, match="at least 3"):
        correlate("nats-tss", table, "accuracy", ["params"], "digits", sample=2)


def test_another_sample_is_another_study_with_or_without_a_name(table: Table, tmp_path: Path) -> None:
    def stored(sample: int, **options: str) -> list[str]:
        correlation("nats-tss", table, "accuracy", ["params"], sample=sample, store=tmp_path / "c.db", **options)
        return [study.name for study in Journal(tmp_path / "c.db").studies()]

    assert stored(5) == ["nats-tss-digits-given-0"]
    assert stored(6) == ["nats-tss-digits-given-0", "nats-tss-digits-given-0-2"]
    stored(5, name="mine")
    with pytest.raises(InputError, match=r"another setup \(other architectures\); use another --name"):
        stored(6, name="mine")
