"""Every evaluator of the package keeps the contract of evaluators."""

from __future__ import annotations

import importlib
import inspect
import pickle
import pkgutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import untrained.evaluate
from untrained.architecture import Architecture
from untrained.evaluate.combined import Combined
from untrained.evaluate.latency import Latency
from untrained.evaluate.limits import Limit
from untrained.evaluate.lookup import Lookup
from untrained.evaluate.outcome import Divisible, Evaluator
from untrained.evaluate.sizes import Sizes
from untrained.evaluate.training import Training, keep_back
from untrained.evaluate.training_free import TrainingFree
from untrained.images.load import load_images
from untrained.metrics.metric import Metric
from untrained.probe.setting import Setting
from untrained.registry import METRICS
from untrained.seeds import generator
from untrained.spaces.space import Skeleton, Space, space
from untrained.tables.table import Table
from untrained.testing.evaluator import EvaluatorContract
from untrained.testing.metric import CLASSES, batch
from untrained.training.recipe import recipe


def training_free(place: str, metrics: tuple[str, ...], **more) -> TrainingFree:
    where = space(place)
    small = where.skeleton("channels=4,cells=1" if place == "nats-tss" else "proxy")
    return TrainingFree(where, metrics, *batch(), CLASSES, small, small, **more)


def lookup(architectures: list[Architecture]) -> Lookup:
    values = pd.DataFrame({"accuracy": [90.0, 90.5, 91.0], "slow": [1.0, 2.0, 3.0], "cost": [10.0, 20.0, 30.0]})
    table = Table(space("nats-tss"), architectures, values)
    return Lookup(table, ("accuracy", "slow"), ("slow",), "cost", 12, "table:")


def network() -> tuple[Space, Skeleton, tuple[int, int, int], int]:
    place = space("nats-tss")
    return place, place.skeleton("channels=4,cells=1"), (1, 8, 8), 10


class TestTrainingFree(EvaluatorContract):
    @pytest.fixture
    def evaluator(self) -> TrainingFree:
        return training_free("nats-tss", ("ni", "nwot", "logsynflow", "params", "swap(mu=0.01,sigma=1)"))


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
        return lookup(architectures)


class TestSizes(EvaluatorContract):
    @pytest.fixture
    def evaluator(self) -> Sizes:
        return Sizes(*network())


class TestLatency(EvaluatorContract):
    measured = ("latency_ms", "latency_iqr_ms")

    @pytest.fixture
    def evaluator(self) -> Latency:
        return Latency(*network(), warmup=1, repeats=3)


class TestTraining(EvaluatorContract):
    @pytest.fixture
    def evaluator(self) -> Training:
        rng = np.random.default_rng(0)
        labels = np.arange(60) % 3
        images = load_images((rng.random((60, 8, 8, 1), dtype=np.float32) + labels[:, None, None, None], labels))
        return Training(keep_back(images, 0), replace(recipe("quick"), epochs=2), network()[1])


class TestCombined(EvaluatorContract):
    measured = TestLatency.measured

    @pytest.fixture
    def evaluator(self, architectures: list[Architecture]) -> Combined:
        parts = (
            Sizes(*network()), lookup(architectures), Latency(*network(), warmup=1, repeats=2),
            training_free("nats-tss", ("nwot", "ni")),
        )  # fmt: skip
        return Combined(parts, {"ni": 1, "params": -1, "table:accuracy": 1, "latency_ms": -1})

    @pytest.fixture
    def strict(self, evaluator: Combined) -> Combined:
        return replace(evaluator, limits=tuple(map(Limit.parse, ("table:slow<3", "params<8k", "macs>1"))))


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
    covered = {TrainingFree, Lookup, Sizes, Latency, Training, Combined}
    found = set()
    for module in pkgutil.iter_modules(untrained.evaluate.__path__):
        home = importlib.import_module(f"untrained.evaluate.{module.name}")
        for _, entry in inspect.getmembers(home, inspect.isclass):
            known = {*dir(entry), *getattr(entry, "__dataclass_fields__", ())}
            if entry.__module__ == home.__name__ and {"directions", "__call__"} <= known:
                found.add(entry)
    assert found - {Evaluator, Divisible} == covered
