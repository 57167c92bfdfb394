"""Several evaluators as one: cheap ones first, nothing dear for what is lost already, and every quantity it can give."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch

from untrained.architecture import Architecture
from untrained.errors import DataError, InputError, UnknownNameError
from untrained.evaluate.combined import Combined
from untrained.evaluate.latency import Latency
from untrained.evaluate.limits import Limit
from untrained.evaluate.outcome import Outcome
from untrained.evaluate.quantities import options_of, split_sign
from untrained.evaluate.sizes import Sizes
from untrained.evaluate.training import Training, keep_back
from untrained.images.load import load_images
from untrained.seeds import generator
from untrained.spaces.space import space
from untrained.training.loop import train
from untrained.training.recipe import recipe

PLACE = space("nats-tss")
CELL = PLACE.sample(generator(1))
SMALL = PLACE.skeleton("channels=4,cells=1")


@dataclass(frozen=True)
class Says:
    """Gives its values, and notes that it was asked."""

    values: Mapping[str, float | None]
    asked: list[str] = field(default_factory=list)
    rejected: str | None = None

    @property
    def directions(self) -> Mapping[str, int]:
        return dict.fromkeys(self.values, 1)

    def __call__(self, architecture: Architecture, *, seed: int) -> Outcome:
        self.asked.append(str(architecture))
        if self.rejected is not None:
            return Outcome(rejected=self.rejected, seconds=1.0)
        reasons = {name: "no idea" for name, value in self.values.items() if value is None}
        return Outcome(self.values, reasons, 1.0, dict.fromkeys(self.values, 0.5))


def limits(*texts: str) -> tuple[Limit, ...]:
    return tuple(map(Limit.parse, texts))


def test_objectives_come_in_order_and_the_rest_after_them() -> None:
    both = Combined((Says({"params": 5.0, "b": 1.0}), Says({"a": 2.0})), {"a": 1, "b": -1})
    found = both(CELL, seed=0)
    assert list(found.values.items()) == [("a", 2.0), ("b", 1.0), ("params", 5.0)]
    assert (found.seconds, set(found.costs), dict(found.reasons)) == (2.0, {"a", "b", "params"}, {})


@pytest.mark.parametrize(
    ("texts", "asked", "why"),
    [
        (["params<5"], [1, 0, 0], "params 5 breaks params<5"),
        (["params<=5", "latency_ms<2"], [1, 1, 0], "latency_ms 2.5 breaks latency_ms<2"),
        (["latency_ms<2", "params<5"], [1, 0, 0], "params 5 breaks params<5"),
        (["table:x<2"], [1, 1, 0], "table:x without a value breaks table:x<2"),
        (["params<6", "latency_ms<=2.5"], [1, 1, 1], None),
    ],
)
def test_a_limit_is_checked_before_anything_dearer_runs(texts: list[str], asked: list[int], why: str | None) -> None:
    parts = (Says({"params": 5.0}), Says({"latency_ms": 2.5, "table:x": None}), Says({"dear": 1.0}))
    found = Combined(parts, {"dear": 1}, limits(*texts))(CELL, seed=0)
    assert [len(part.asked) for part in parts] == asked
    assert found.rejected == why
    if why is not None:
        assert (found.values, found.seconds) == ({}, float(sum(asked)))


def test_what_a_part_rejects_is_rejected() -> None:
    parts = (Says({"a": 1.0}), Says({"b": 1.0}, rejected="not in the table"), Says({"c": 1.0}))
    found = Combined(parts, {"a": 1, "c": 1})(CELL, seed=0)
    assert (found.rejected, found.values, parts[2].asked) == ("not in the table", {}, [])


def test_nothing_dearer_runs_once_an_objective_has_no_value() -> None:
    parts = (Says({"a": None, "other": None}), Says({"b": 1.0}), Says({"c": 1.0, "d": 1.0}))
    found = Combined(parts, {"b": 1, "a": 1, "d": 1})(CELL, seed=0)
    assert found.values == {"b": None, "a": None, "d": None}
    assert found.reasons == {
        "a": "no idea", "b": "not evaluated, since a has no value", "d": "not evaluated, since a has no value",
    }  # fmt: skip
    assert [len(part.asked) for part in parts] == [1, 0, 0]
    assert Combined(parts[::-1], {"b": 1, "c": 1})(CELL, seed=0).values == {"b": 1.0, "c": 1.0, "d": 1.0}


def test_what_no_part_gives_is_refused() -> None:
    with pytest.raises(InputError, match="no evaluator gives 'z'; they give: a"):
        Combined((Says({"a": 1.0}),), {"z": 1})
    with pytest.raises(InputError, match="no evaluator gives 'params'"):
        Combined((Says({"a": 1.0}),), {"a": 1}, limits("params<5"))


def test_sizes_are_those_of_the_network() -> None:
    network = PLACE.build(CELL, num_classes=7, in_chans=3, skeleton=SMALL)
    found = Sizes(PLACE, SMALL, (3, 12, 12), 7)(CELL, seed=0).values
    assert found["params"] == sum(p.numel() for p in network.parameters())
    assert Sizes(PLACE, SMALL, (3, 24, 24), 7)(CELL, seed=0).values["macs"] > found["macs"] > 0


def test_latency_is_measured_under_its_conditions(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    class Watched(torch.nn.Module):
        def forward(self, images):
            seen.append(
                (tuple(images.shape), torch.get_num_threads(), torch.is_inference_mode_enabled(), self.training)
            )
            return images

    monkeypatch.setattr(type(PLACE), "build", lambda *_, **__: Watched())
    ticks = iter(range(100))
    monkeypatch.setattr("untrained.evaluate.latency.time.perf_counter", lambda: 0.001 * next(ticks) ** 2)
    before = torch.get_num_threads()
    latency = Latency(PLACE, SMALL, (3, 8, 8), 10, "latency_ms(batch=4)", batch=4, threads=2, warmup=2, repeats=3)
    found = latency(CELL, seed=0)
    assert seen == [((4, 3, 8, 8), 2, True, False)] * 5
    assert torch.get_num_threads() == before
    # The clock is read at 1, 2 | 3, 4 | 5, 6: these passes take 3, 7 and 11 ms.
    assert found.values == {"latency_ms(batch=4)": pytest.approx(7), "latency_iqr_ms(batch=4)": pytest.approx(4)}
    assert latency.conditions() | {"processor": "", "torch": ""} == {
        "batch": 4, "threads": 2, "warmup": 2, "repeats": 3, "processor": "", "torch": "",
    }  # fmt: skip
    assert all(latency.conditions().values())


def test_training_is_measured_on_images_kept_back_from_the_train_images() -> None:
    images = load_images("digits")
    inner = keep_back(images, 3)
    assert images.test is not None
    assert inner.test is not None
    kept, rest, held_out = (set(part.indices.tolist()) for part in (inner.test, inner.train, images.test))
    assert kept | rest == set(images.train.indices.tolist())
    assert not kept & rest
    assert not (kept | rest) & held_out
    assert len(kept) == len(images.train) // 5
    # Every class keeps its share.
    shares = np.bincount(inner.test.labels) / np.bincount(images.train.labels)
    assert abs(shares - 0.2).max() < 0.02
    assert (
        keep_back(images, 3).test.indices.tolist()
        == inner.test.indices.tolist()
        != keep_back(images, 4).test.indices.tolist()
    )

    labels = inner.test.labels
    pixels = images.train.pixels.take(inner.test.indices)
    where = {index: place for place, index in enumerate(images.train.indices.tolist())}
    assert labels.tolist() == [int(images.train.labels[where[index]]) for index in inner.test.indices.tolist()]
    assert len(pixels) == len(labels)


def test_training_gives_what_the_loop_gives() -> None:
    images = keep_back(load_images("digits"), 0)
    one = recipe("quick")
    evaluator = Training(images, type(one)("short", "", epochs=1), SMALL)
    found = evaluator(CELL, seed=5)
    expected = train(CELL, images, evaluator.recipe, seed=5, skeleton=SMALL)
    assert found.values == {"accuracy": expected.test_accuracy}
    assert found.seconds == found.costs["accuracy"] > 0
    exploding = Training(images, type(one)("wild", "", epochs=1, learning_rate=1e30), SMALL)
    lost = exploding(CELL, seed=5)
    assert lost.values == {"accuracy": None}
    assert "loss became" in lost.reasons["accuracy"]


def test_images_that_cannot_be_trained_on_are_refused() -> None:
    pixels = np.random.default_rng(0).random((8, 8, 8, 1), dtype=np.float32)
    with pytest.raises(DataError, match="no labels"):
        keep_back(load_images(pixels), 0)
    with pytest.raises(DataError, match="4 train images, too few"):
        keep_back(load_images((pixels, np.arange(8) % 4), test_fraction=0.5), 0)


def test_signs_and_options() -> None:
    assert [split_sign(text) for text in (" params", "- params ", "-table:a b", "latency_ms( batch = 2 )")] == [
        ("params", False), ("params", True), ("table:a b", True), ("latency_ms(batch=2)", False),
    ]  # fmt: skip
    defaults = {"recipe": "quick", "epochs": 0}
    assert options_of("accuracy", defaults) == defaults
    assert options_of("accuracy(epochs=3,recipe=slow)", defaults) == {"recipe": "slow", "epochs": 3}
    with pytest.raises(UnknownNameError, match="did you mean 'epochs'"):
        options_of("accuracy(epoch=3)", defaults)
    for text in (
        "accuracy(epochs=0)",
        "accuracy(epochs=-1)",
        "accuracy(epochs=x)",
        "accuracy(epochs=1.5)",
        "accuracy(epochs)",
    ):
        with pytest.raises(InputError, match="whole number from 1"):
            options_of(text, defaults)
    for text in ("accuracy(epochs=3", "accuracy(epochs=3,epochs=3)", "accuracy()"):
        with pytest.raises(InputError):
            options_of(text, defaults)
