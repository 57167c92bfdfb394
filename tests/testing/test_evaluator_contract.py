"""Every evaluator of the package keeps the contract of evaluators."""

from __future__ import annotations

import importlib
import inspect
import pickle
import pkgutil
from dataclasses import replace

import pandas as pd
import pytest

import untrained.evaluate
from untrained.architecture import Architecture
from untrained.evaluate.limits import Limit
from untrained.evaluate.lookup import Lookup
from untrained.evaluate.outcome import Evaluator
from untrained.evaluate.training_free import TrainingFree
from untrained.metrics.metric import Metric
from untrained.probe.setting import Setting
from untrained.registry import METRICS
from untrained.seeds import generator
from untrained.spaces.space import space
from untrained.tables.table import Table
from untrained.testing.evaluator import EvaluatorContract
from untrained.testing.metric import CLASSES, batch


def training_free(place: str, metrics: tuple[str, ...], **more) -> TrainingFree:
    where = space(place)
    small = where.skeleton("channels=4,cells=1" if place == "nats-tss" else "proxy")
    return TrainingFree(where, metrics, *batch(), CLASSES, small, small, **more)


class TestTrainingFree(EvaluatorContract):
    @pytest.fixture
    def evaluator(self) -> TrainingFree:
        return training_free("nats-tss", ("ni", "nwot", "logsynflow", "params", "swap(mu=0.01,sigma=1)"))

    @pytest.fixture
    def strict(self, evaluator: TrainingFree) -> TrainingFree:
        return replace(evaluator, limits=(Limit.parse("params<8k"), Limit.parse("macs>1")))


class TestTrainingFreeOnChains(EvaluatorContract):
    @pytest.fixture
    def evaluator(self) -> TrainingFree:
        return training_free("chain", ("nwot", "snip", "macs"))

    @pytest.fixture
    def architectures(self) -> list[Architecture]:
        return [space("chain").sample(generator("evaluator", number)) for number in range(2)]


class TestLookup(EvaluatorContract):
    @pytest.fixture
    def evaluator(self, architectures: list[Architecture]) -> Lookup:
        values = pd.DataFrame({"accuracy": [90.0, float("nan")], "latency": [1.0, 2.0], "cost": [10.0, 20.0]})
        table = Table(space("nats-tss"), architectures[:2], values)
        return Lookup(table, ("accuracy", "latency"), ("latency",), "cost")


def test_metrics_travel_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """A formula may be anything, and may have options: only its name has to be known on the other side."""
    mine = Metric("mine", lambda seen, *, factor=1.0: factor, "lower", Setting(images=1), frozenset(), "")
    monkeypatch.setitem(METRICS._entries, "mine", mine)
    evaluator = training_free("nats-tss", ("mine", "mine(factor=3)"))
    architecture = space("nats-tss").sample(generator(0))
    assert evaluator(architecture, seed=0).values == {"mine": 1.0, "mine(factor=3)": 3.0}
    again = pickle.loads(pickle.dumps(evaluator))  # noqa: S301
    assert again(architecture, seed=0).values == {"mine": 1.0, "mine(factor=3)": 3.0}
    assert again.directions == {"mine": -1, "mine(factor=3)": -1}


def test_every_evaluator_of_the_package_is_covered() -> None:
    covered = {type(one) for one in (training_free("nats-tss", ("nwot",)),)} | {Lookup}
    found = set()
    for module in pkgutil.iter_modules(untrained.evaluate.__path__):
        home = importlib.import_module(f"untrained.evaluate.{module.name}")
        for _, entry in inspect.getmembers(home, inspect.isclass):
            if entry.__module__ == home.__name__ and hasattr(entry, "directions") and callable(entry):
                found.add(entry)
    assert found - {Evaluator} == covered
