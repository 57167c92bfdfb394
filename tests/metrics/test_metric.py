"""Metrics by name and option, and readings."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from untrained.errors import ArchitectureError, InputError, UnknownNameError
from untrained.metrics.metric import Metric, Undefined, find_metrics, score
from untrained.probe.setting import Setting
from untrained.registry import METRICS
from untrained.testing.metric import CELL, batch, network


def of(formula, **setting) -> Metric:
    """A metric that is not registered."""
    return Metric("mine", formula, "higher", Setting(**({"images": 4, "weights": "normal"} | setting)), frozenset(), "")


def read(formula, **setting):
    return score(network("plain"), batch()[0], metrics=[of(formula, **setting)])["mine"]


def test_options() -> None:
    (metric,) = find_metrics([" swap( mu = 0.7, sigma=1e0 ) "])
    assert metric.name == "swap(mu=0.7,sigma=1e0)"
    assert metric.formula.keywords == {"mu": 0.7, "sigma": 1.0}
    assert metric.setting == METRICS["swap"].setting
    assert metric.summary == METRICS["swap"].summary != ""


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("swap(mu=1", InputError, r"expected something like 'swap\(mu=1,sigma=1\)'"),
        ("swap(mu=1)x", InputError, "is no metric"),
        ("swap(", InputError, "is no metric"),
        ("swap()", UnknownNameError, "option of swap ''"),
        ("swap(mu=1,)", UnknownNameError, "option of swap ''"),
        ("swap(1,1)", UnknownNameError, "option of swap '1'"),
        ("swap(my=1)", UnknownNameError, "did you mean 'mu'"),
        ("swap(seen=1)", UnknownNameError, "option of swap 'seen'"),
        ("swap(mu)", InputError, "takes a number or 'auto', not ''"),
        ("swap(mu=)", InputError, "takes a number or 'auto', not ''"),
        ("swap(mu=one)", InputError, "takes a number or 'auto', not 'one'"),
        ("swap(mu=nan)", InputError, "takes a number or 'auto', not 'nan'"),
        ("swap(mu=inf)", InputError, "takes a number or 'auto', not 'inf'"),
        ("swap(mu=1=2)", InputError, "takes a number"),
        ("swap(mu=1,mu=2)", InputError, "given twice"),
        ("params(mu=1)", UnknownNameError, "it has no options"),
        ("nwot(mu=1)", UnknownNameError, "known: legacy"),
        ("swp(mu=1)", UnknownNameError, "unknown metric 'swp'"),
        ("", UnknownNameError, "unknown metric"),
        ("(mu=1)", UnknownNameError, "unknown metric"),
    ],
)
def test_names_that_cannot_be_read(text: str, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        find_metrics([text])


def test_one_value_a_name() -> None:
    with pytest.raises(InputError, match="named twice"):
        find_metrics(["nwot", "swap", "nwot"])
    with pytest.raises(InputError, match="no metric"):
        find_metrics([])
    assert len(find_metrics(["swap", "swap(mu=1,sigma=1)"])) == 2


def test_readings_are_in_the_order_of_the_names() -> None:
    names = ["ni", "swap", "params", "nwot", "synflow"]
    assert list(score(network("plain"), batch()[0], metrics=names)) == names


def test_values_are_averaged() -> None:
    values = iter([1.0, 2.0, 6.0])
    reading = read(lambda seen: next(values), inits=3)
    assert (reading.value, reading.repeats, reading.reason) == (3.0, (1.0, 2.0, 6.0), None)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_not_finite_is_a_reason(bad: float) -> None:
    values = iter([1.0, bad, 6.0])
    reading = read(lambda seen: next(values), inits=3)
    assert reading.value is None
    assert reading.reason == f"mine is {bad}, not a finite number"


def test_infinities_of_both_signs_do_not_cancel() -> None:
    values = iter([math.inf, -math.inf])
    assert read(lambda seen: next(values), inits=2).value is None


def failing(error: Exception):
    def formula(seen) -> float:
        raise error

    return formula


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (Undefined("it has no colour"), "it has no colour"),
        (RuntimeError("shapes 3 and 4\nand a trace"), "RuntimeError: shapes 3 and 4"),
        (ZeroDivisionError("division by zero"), "ZeroDivisionError: division by zero"),
        (OverflowError(), "OverflowError: no message"),
        (ValueError("expected more than one row"), "ValueError: expected more than one row"),
        (torch.linalg.LinAlgError("did not converge"), "LinAlgError: did not converge"),
    ],
)
def test_what_cannot_be_computed_is_a_reason(error: Exception, reason: str) -> None:
    reading = read(failing(error))
    assert (reading.value, reading.reason) == (None, reason)


@pytest.mark.parametrize("error", [InputError("mend it"), KeyError("a fault"), AssertionError()])
def test_faults_are_not_hidden(error: Exception) -> None:
    with pytest.raises(type(error)):
        read(failing(error))


def test_labels_that_the_network_has_no_output_for_are_a_reason() -> None:
    images, labels = batch(16)
    reading = score(network("plain"), images, labels + 100, ["snip", "nwot"])
    assert reading["snip"].reason == "IndexError: Target 100 is out of bounds."
    assert reading["nwot"].value is not None


@pytest.mark.parametrize("kind", [torch.int32, torch.uint8, torch.bool])
def test_labels_of_any_whole_type(kind: torch.dtype) -> None:
    images, labels = batch(16)
    labels = labels.clamp_max(1)
    net = network("plain")
    values = [score(net, images, given, ["snip"])["snip"].value for given in (labels.to(kind), labels)]
    assert values[0] is not None
    assert values[0] == values[1]


def test_a_network_of_no_numbers_has_no_value_that_depends_on_images() -> None:
    images, labels = batch(16)
    net = network("plain")
    next(net.parameters()).data[0] = math.nan
    found = score(
        net, images, labels, [n for n in METRICS.names() if n not in ("params", "macs", "skip")], weights="keep"
    )
    assert {name for name, reading in found.items() if reading.value is not None} == set()
    assert "NaN" in found["swap"].reason


def test_what_a_network_raises_is_a_reason_whatever_it_is() -> None:
    class Odd(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise KeyError("blue")

    images, labels = batch(16)
    found = score(
        nn.Sequential(nn.Conv2d(3, 2, 3), Odd()), images, labels, ["swap", "macs", "jacov", "params", "l2_norm"]
    )
    assert {name: reading.reason for name, reading in found.items() if reading.reason} == {
        "swap": "KeyError: 'blue'",
        "macs": "cannot count the MACs of the network on a (3, 8, 8) image: KeyError: 'blue'",
        "jacov": "KeyError: 'blue'",
    }


def test_lazy_networks_have_to_be_run_first() -> None:
    images, _ = batch(16)
    net = nn.Sequential(nn.LazyConv2d(4, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(3))
    with pytest.raises(InputError, match="run it on a batch once"):
        score(net, images)
    net(images)
    assert score(net, images)["swap"].value is not None


@pytest.mark.parametrize("wrong", [None, 3, [3], [None]])
def test_metrics_are_names(wrong: object) -> None:
    with pytest.raises(InputError, match="given by name"):
        find_metrics(wrong)


def test_settings_by_name() -> None:
    images, _ = batch(40)
    own = {"swap": Setting(images=5, inits=2, weights="normal")}
    readings = score(network("plain"), images, metrics=["swap", "nwot"], settings=own)
    assert len(readings["swap"].repeats) == 2
    assert len(readings["nwot"].repeats) == 1
    with pytest.raises(UnknownNameError, match="did you mean 'swap'"):
        score(network("plain"), images, metrics=["swap", "nwot"], settings={"swpa": own["swap"]})


def test_weights_for_all() -> None:
    net, (images, _) = network("plain"), batch(40)
    drawn = score(net, images, metrics=["nwot"], weights="xavier")["nwot"].value
    kept = score(net, images, metrics=["nwot"], weights="keep")["nwot"].value
    assert drawn != kept
    with pytest.raises(UnknownNameError, match="initialiser"):
        score(net, images, metrics=["nwot"], weights="zeros")


def test_architectures_are_built() -> None:
    images, labels = batch(40)
    text = score(CELL, images, labels, metrics=["params"])["params"].value
    small = score(CELL, images, labels, metrics=["params"], skeleton="proxy")["params"].value
    assert text > small == sum(parameter.numel() for parameter in network("cell").parameters())
    more = score(CELL, images, labels, metrics=["params"], skeleton="proxy", num_classes=7)["params"].value
    assert more == small + (7 - 3) * (32 + 1)
    with pytest.raises(ArchitectureError):
        score("nats-tss:|nor_conv_3x3~0|", images)


def test_networks_that_return_more_than_logits() -> None:
    class Pair(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = network("plain")

        def forward(self, x):
            return x.mean(), self.net(x)

    images, labels = batch(40)
    for name in ("nwot", "synflow", "snip"):
        one, two = (score(net, images, labels, metrics=[name])[name].value for net in (Pair(), network("plain")))
        assert one == two


def test_scores_print_as_a_table() -> None:
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.Flatten(), torch.nn.Linear(144, 2))
    images = torch.randn(12, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    scores = score(network, images, metrics=["params", "nwot", "meco"])
    head, *rows = str(scores).splitlines()
    assert head.split()[:4] == ["metric", "value", "better", "seconds"]
    assert [row.split()[0] for row in rows] == list(scores)
    assert rows[0].split()[1:3] == ["402", "higher"]
    assert "no value: the network has no activation" in rows[1]
    # Numbers end where their heading does.
    assert {row.index(" higher") for row in rows} == {head.index("better") - 1}
    assert scores == dict(scores)
