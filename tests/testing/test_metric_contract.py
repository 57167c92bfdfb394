"""Every registered metric keeps the contract of metrics."""

from __future__ import annotations

import pkgutil

import pytest

import untrained.metrics
from untrained.registry import METRICS
from untrained.testing.metric import MetricContract

COVERED = METRICS.names()


class TestRegistered(MetricContract):
    @pytest.fixture(params=COVERED)
    def metric(self, request: pytest.FixtureRequest) -> str:
        return request.param


def test_every_file_of_the_package_brings_a_metric_that_is_covered() -> None:
    files = {f"untrained.metrics.{module.name}" for module in pkgutil.iter_modules(untrained.metrics.__path__)}
    homes = {getattr(METRICS[name].formula, "__module__", "") for name in COVERED}
    machinery = {f"untrained.metrics.{name}" for name in ("metric", "reading", "auto")}
    assert machinery < files
    assert files - machinery <= homes
