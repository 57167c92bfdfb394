"""`auto`: numbers that follow from the sizes of a space, fixed once."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from untrained.errors import InputError
from untrained.evaluate.training_free import TrainingFree
from untrained.metrics.auto import SAMPLE
from untrained.metrics.metric import find_metrics, score, settled
from untrained.registry import METRICS
from untrained.seeds import generator
from untrained.spaces.choices import Choices
from untrained.spaces.space import create_model, space
from untrained.study.correlate import correlate
from untrained.study.search import open_search, search
from untrained.tables.table import Table
from untrained.testing.metric import CELL, batch, network

AUTO = "swap(mu=auto,sigma=auto)"
PLACE = space("nats-tss")
SMALL = "channels=2,cells=1"


def sizes(skeleton: str, *, num_classes: int = 10, in_chans: int = 3, seed: int = 0) -> np.ndarray:
    rng = generator(seed, "auto")
    drawn = [PLACE.canonical(PLACE.sample(rng)) for _ in range(SAMPLE)]
    built = [create_model(one, num_classes=num_classes, in_chans=in_chans, skeleton=skeleton) for one in drawn]
    return np.array([sum(p.numel() for p in net.parameters()) for net in built], float)


def numbers(name: str) -> dict[str, float]:
    (metric,) = find_metrics(name)
    return dict(metric.formula.keywords)


@pytest.mark.parametrize("unit", [None, 1e3])
def test_quantiles_of_the_sizes_of_random_networks(unit: float | None) -> None:
    asked = AUTO if unit is None else f"swap(mu=auto,unit={unit},sigma=auto)"
    (found,) = settled(find_metrics(asked), PLACE, SMALL, seed=3, num_classes=4, in_chans=1)
    low, high = np.quantile(sizes(SMALL, num_classes=4, in_chans=1, seed=3) / (unit or 1e6), [0.1, 0.9])
    expected = {"mu": high, "sigma": (high - low) ** 2} | ({} if unit is None else {"unit": unit})
    assert found.formula.keywords == pytest.approx(expected, rel=1e-3)
    assert numbers(found.name) == found.formula.keywords


def test_the_order_does_not_depend_on_the_unit() -> None:
    images, _ = batch(96)
    values = [
        score(CELL, images, metrics=f"swap(mu=auto,sigma=auto,unit={unit})", skeleton=SMALL) for unit in (1e2, 1e6)
    ]
    first, second = (next(iter(one.values())).value for one in values)
    assert first == pytest.approx(second, rel=1e-2)


def test_what_is_a_number_stays_and_other_metrics_stay_themselves() -> None:
    nwot, mixed = settled(find_metrics(["nwot", "swap(mu=0.5,sigma=auto)"]), PLACE, SMALL)
    assert nwot is METRICS["nwot"]
    assert mixed.formula.keywords["mu"] == 0.5
    assert mixed.formula.keywords["sigma"] > 0
    assert settled([mixed], PLACE, "nats") == [mixed]


def test_of_an_architecture() -> None:
    images, _ = batch(96)
    plain = score(CELL, images, metrics="swap", skeleton=SMALL)["swap"].value
    value = score(CELL, images, metrics=AUTO, skeleton=SMALL)[AUTO].value
    low, high = np.quantile(sizes(SMALL), [0.1, 0.9])
    theta = sum(p.numel() for p in create_model(CELL, skeleton=SMALL).parameters())
    assert value == pytest.approx(plain * math.exp(-(((theta - high) / (high - low)) ** 2)), rel=1e-2)


def test_of_a_network_by_itself_there_is_none() -> None:
    with pytest.raises(InputError, match=r"network by itself has none; give numbers, as in 'swap\(mu=1,sigma=1\)'"):
        score(network("plain"), batch()[0], metrics=["nwot", AUTO])


def test_networks_of_one_size_and_units_that_are_none() -> None:
    def build(choice, num_classes, in_chans, channels):
        return torch.nn.Linear(in_chans, num_classes)

    one_size = Choices("one-size", {"pool": ["max", "avg"]}, build, None)
    with pytest.raises(InputError, match="sigma=auto needs networks of different sizes"):
        settled(find_metrics(AUTO), one_size, None)
    with pytest.raises(InputError, match="positive sigma and unit"):
        settled(find_metrics("swap(mu=auto,sigma=1,unit=0)"), PLACE, SMALL)


def test_a_study_fixes_the_numbers_of_its_target_once(tmp_path) -> None:
    arguments = {
        "data": "digits",
        "metrics": AUTO,
        "skeleton": SMALL,
        "store": tmp_path / "a.db",
        "name": "a",
        "seed": 5,
    }
    study = search("nats-tss", target="channels=3,cells=1", evaluations=4, **arguments)
    (name,) = study.setup["metrics"]
    assert list(study.directions) == [name]
    low, high = np.quantile(sizes("channels=3,cells=1", in_chans=1, seed=5) / 1e6, [0.1, 0.9])
    assert numbers(name) == pytest.approx({"mu": high, "sigma": (high - low) ** 2}, rel=1e-3)
    again = search("nats-tss", target="channels=3,cells=1", evaluations=6, **arguments)
    assert [trial.number for trial in again.trials] == list(range(6))
    spelled = open_search("nats-tss", target="channels=3,cells=1", **(arguments | {"metrics": name}))
    assert spelled.setup == study.setup
    assert isinstance(study.evaluator, TrainingFree)
    assert all(trial.values[name] is not None for trial in again.complete)


def test_a_correlation_keeps_the_name_that_was_asked_for(tmp_path) -> None:
    rng = generator(0, "table")
    chosen = list({PLACE.canonical(PLACE.sample(rng)) for _ in range(12)})
    file = tmp_path / "table.csv"
    file.write_text("architecture,size\n" + "".join(f"{PLACE.format(a)},{i}\n" for i, a in enumerate(chosen)))
    table = Table.read(file, PLACE)
    found = correlate("nats-tss", table, "size", [AUTO, f"params+{AUTO}"], skeleton=SMALL, seeds=[0, 1])
    assert list(found.index) == [AUTO, f"params+{AUTO}"]
    assert (found.missing == 0).all()
    assert (found.seconds > 0).all()
