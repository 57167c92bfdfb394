"""What every metric must do, as tests: run them on your own metric with pytest.

    # test_my_metric.py
    from untrained.testing.metric import MetricContract

    class TestMine(MetricContract):
        @pytest.fixture
        def metric(self):
            return "mine"

How well it ranks networks is not tested.
"""

from __future__ import annotations

import functools
import math
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from untrained.errors import InputError
from untrained.metrics.metric import Metric, Reading, score
from untrained.probe.setting import Setting
from untrained.registry import METRICS, summary
from untrained.spaces.space import create_model

IMAGES, INITS, CLASSES = 8, 2, 3
"""Enough to be different from one, and quick."""

CELL = "nats-tss:|nor_conv_3x3~0|+|avg_pool_3x3~0|nor_conv_1x1~1|+|skip_connect~0|nor_conv_3x3~1|none~2|"
DEAD = "nats-tss:|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"


class Functional(nn.Module):
    """Functions in the place of modules."""

    def __init__(self, in_chans: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_chans, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.head = nn.Linear(4, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(torch.relu(self.norm(self.conv(x))), 2)
        logits: Tensor = self.head(F.relu(x).mean((2, 3)))
        return logits


class Twice(nn.Module):
    """One convolution, one activation and one pooling layer, each used two times."""

    def __init__(self, in_chans: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(in_chans, 4, 1)
        self.conv = nn.Conv2d(4, 4, 3, padding=1)
        self.relu = nn.ReLU()
        self.pool = nn.AvgPool2d(2)
        self.head = nn.Linear(16, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for _ in range(2):
            x = self.pool(self.relu(self.conv(x)))
        logits: Tensor = self.head(x.flatten(1))
        return logits


def _plain(in_chans: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(in_chans, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.2),
        nn.Conv2d(4, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(6, CLASSES),
    )  # fmt: skip


def _in_place(in_chans: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(in_chans, 4, 3, padding=1), nn.ReLU(inplace=True), nn.AvgPool2d(2), nn.ReLU6(inplace=True),
        nn.Conv2d(4, 4, 3), nn.Hardswish(inplace=True), nn.Flatten(), nn.Linear(16, CLASSES),
    )  # fmt: skip


def _no_activation(in_chans: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(in_chans, 4, 3), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(36, CLASSES))


def _linear(in_chans: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(64 * in_chans, CLASSES))


def _architecture(text: str) -> Callable[[int], nn.Module]:
    return lambda in_chans: create_model(text, num_classes=CLASSES, in_chans=in_chans, skeleton="proxy")


NETWORKS: dict[str, Callable[[int], nn.Module]] = {
    "plain": _plain,
    "cell": _architecture(CELL),
    "dead": _architecture(DEAD),
    "no activation": _no_activation,
    "linear": _linear,
    "in place": _in_place,
    "functional": Functional,
    "used twice": Twice,
}
"""Networks for images (n, in_chans, 8, 8), by what is special about them."""


def network(name: str, in_chans: int = 3) -> nn.Module:
    """One of `NETWORKS`, always with the same weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return NETWORKS[name](in_chans)


def batch(n: int = 2 * IMAGES, in_chans: int = 3, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Smooth noise in the shape of images (n, in_chans, 8, 8), and labels (n,) of all classes."""
    noise = torch.randn(n, in_chans, 8, 8, generator=torch.Generator().manual_seed(seed))
    smooth = F.avg_pool2d(noise, 3, stride=1, padding=1)
    return 3 * (smooth - smooth.mean()), torch.arange(n) % CLASSES


def quick(metric: Metric) -> Setting:
    """The setting of `metric` with fewer images and initialisations."""
    setting = metric.setting
    return replace(setting, images=min(setting.images, IMAGES), inits=min(setting.inits, INITS))


def readings(
    net: nn.Module | str,
    names: list[str],
    images: Tensor,
    labels: Tensor | None,
    *,
    seed: int = 0,
    weights: str | None = None,
) -> dict[str, Reading]:
    """`score` under quick settings."""
    settings = {name: quick(METRICS[name]) for name in names}
    skeleton = "proxy" if isinstance(net, str) else None
    return score(net, images, labels, names, seed=seed, weights=weights, settings=settings, skeleton=skeleton)


@functools.cache
def together(name: str) -> dict[str, Reading]:
    """All metrics of one network in one call."""
    return readings(network(name), METRICS.names(), *batch())


def what(reading: Reading) -> tuple[float | None, str | None, tuple[float, ...]]:
    """All of a reading but how long it took."""
    return reading.value, reading.reason, reading.repeats


@contextmanager
def bystanders() -> Iterator[None]:
    """Nothing global may change inside."""
    states = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()  # type: ignore[index]  # noqa: NPY002
    modes = torch.is_grad_enabled(), torch.get_default_dtype(), torch.get_num_threads()
    yield
    assert torch.equal(torch.get_rng_state(), states[0])
    assert np.array_equal(np.random.get_state()[1], states[1])  # type: ignore[index]  # noqa: NPY002
    assert random.getstate() == states[2]
    assert (torch.is_grad_enabled(), torch.get_default_dtype(), torch.get_num_threads()) == modes


class MetricContract:
    """The contract of a registered metric; subclasses provide the fixture `metric`, its name."""

    @pytest.fixture
    def metric(self) -> str:
        raise NotImplementedError("give your subclass of MetricContract a fixture named 'metric'")

    def check(self, reading: Reading) -> None:
        """A finite value, or a reason in words."""
        assert reading.seconds >= 0
        if reading.value is None:
            assert reading.reason
            assert reading.reason.strip() == reading.reason
            assert "\n" not in reading.reason
        else:
            assert reading.reason is None
            assert type(reading.value) is float
            assert math.isfinite(reading.value)
            assert reading.value == pytest.approx(math.fsum(reading.repeats) / len(reading.repeats))

    # -- description -----------------------------------------------------------------------------------------------

    def test_describes_itself(self, metric: str) -> None:
        entry = METRICS[metric]
        assert entry.name == metric
        assert entry.better in ("higher", "lower")
        assert summary(getattr(entry.formula, "func", entry.formula)), "the docstring's first line is what lists show"

    # -- values ----------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("name", NETWORKS)
    def test_a_value_or_a_reason(self, metric: str, name: str) -> None:
        self.check(readings(network(name), [metric], *batch())[metric])

    @pytest.mark.parametrize("name", ["plain", "cell", "linear"])
    def test_few_and_equal_images(self, metric: str, name: str) -> None:
        net = network(name)
        images, labels = batch()
        self.check(readings(net, [metric], images[:1], labels[:1])[metric])
        self.check(readings(net, [metric], images[:3], labels[:3])[metric])
        self.check(readings(net, [metric], images[:1].expand(IMAGES, -1, -1, -1), labels[:IMAGES])[metric])
        self.check(readings(net, [metric], torch.zeros_like(images), torch.zeros_like(labels))[metric])

    @pytest.mark.parametrize("name", NETWORKS)
    def test_one_channel(self, metric: str, name: str) -> None:
        self.check(readings(network(name, 1), [metric], *batch(in_chans=1))[metric])

    def test_a_plain_network_has_a_value_at_the_metrics_own_setting(self, metric: str) -> None:
        reading = score(network("cell"), *batch(), [metric])[metric]
        self.check(reading)
        # Metrics of the architecture itself have no value for a module.
        assert reading.value is not None or score(CELL, *batch(), [metric], skeleton="proxy")[metric].value is not None

    def test_extreme_weights_give_a_value_or_a_reason(self, metric: str) -> None:
        for scale in (0.0, 1e-30, 1e30, math.nan):
            net = network("plain")
            with torch.no_grad():
                for parameter in net.parameters():
                    parameter.mul_(scale)
            self.check(readings(net, [metric], *batch(), weights="keep")[metric])

    # -- independence ----------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("name", NETWORKS)
    def test_alone_or_with_others(self, metric: str, name: str) -> None:
        assert what(readings(network(name), [metric], *batch())[metric]) == what(together(name)[metric])

    def test_the_seed_decides(self, metric: str) -> None:
        net, (images, labels) = network("plain"), batch()
        first = what(readings(net, [metric], images, labels, seed=5)[metric])
        other = readings(net, [metric], images, labels, seed=6)[metric]
        self.check(other)
        torch_state = torch.get_rng_state()
        try:
            torch.default_generator.manual_seed(99)
            again = what(readings(net, [metric], images.clone(), labels.clone(), seed=5)[metric])
        finally:
            torch.set_rng_state(torch_state)
        assert first == again

    def test_the_seed_decides_for_an_architecture(self, metric: str) -> None:
        with torch.random.fork_rng(devices=[]):
            first = readings(CELL, [metric], *batch(), weights="keep")[metric]
            torch.default_generator.manual_seed(99)
            again = readings(CELL, [metric], *batch(), weights="keep")[metric]
        assert what(first) == what(again)

    def test_a_module_scores_as_its_architecture(self, metric: str) -> None:
        module, text = (readings(net, [metric], *batch())[metric] for net in (network("cell"), CELL))
        if module.value is not None and METRICS[metric].setting.weights != "keep":
            assert what(module) == what(text)

    def test_kept_weights_decide(self, metric: str) -> None:
        """The metric's own initialisation does not depend on the weights that the module has."""
        net = network("plain")
        first = what(readings(net, [metric], *batch())[metric])
        with torch.no_grad():
            for parameter in net.parameters():
                parameter.add_(1.0)
        if METRICS[metric].setting.weights != "keep":
            assert what(readings(net, [metric], *batch())[metric]) == first

    def test_labels_matter_to_metrics_that_need_them_alone(self, metric: str) -> None:
        images, labels = batch()
        if METRICS[metric].setting.labels:
            with pytest.raises(InputError, match="labels"):
                readings(network("plain"), [metric], images, None)
        else:
            without = readings(network("plain"), [metric], images, None)
            assert what(without[metric]) == what(readings(network("plain"), [metric], images, labels)[metric])

    # -- nothing is left behind ------------------------------------------------------------------------------------

    @pytest.mark.parametrize("name", NETWORKS)
    def test_the_module_is_left_as_it_was(self, metric: str, name: str) -> None:
        net = network(name)
        for number, module in enumerate(net.modules()):
            module.training = bool(number % 2)
        frozen = next(net.parameters())
        frozen.requires_grad_(False)
        marked = list(net.parameters())[-1]
        marked.grad = torch.full_like(marked, 7.0)
        before = _snapshot(net)
        images, labels = batch()
        kept = images.clone()
        with bystanders():
            readings(net, [metric], images, labels)
            readings(net, [metric], images, labels, weights="keep")
        _compare(net, before)
        assert torch.equal(images, kept)
        assert not images.requires_grad
        assert all((parameter.grad is None) == (parameter is not marked) for parameter in net.parameters())
        assert torch.equal(marked.grad, torch.full_like(marked, 7.0))

    def test_images_that_do_not_fit_leave_the_module_as_it_was(self, metric: str) -> None:
        net = network("plain")
        before = _snapshot(net)
        with bystanders(), suppress(InputError):
            self.check(readings(net, [metric], *batch(in_chans=1))[metric])
        _compare(net, before)


def _snapshot(net: nn.Module) -> list[object]:
    found: list[object] = []
    for module in net.modules():
        hooks = {key: len(value) for key, value in vars(module).items() if key.endswith("_hooks")}
        tensors = [
            (key, tensor, id(tensor), tensor.detach().clone(), tensor.requires_grad)
            for places in (module._parameters, module._buffers)
            for key, tensor in places.items()
            if tensor is not None
        ]
        found.append((id(module), module.training, hooks, sorted(vars(module)), tensors))
    return found


def _compare(net: nn.Module, before: list[object]) -> None:
    after = _snapshot(net)
    assert len(after) == len(before)
    for new, old in zip(after, before, strict=True):
        assert new[:4] == old[:4]  # type: ignore[index]
        for one, two in zip(new[4], old[4], strict=True):  # type: ignore[index]
            assert (one[0], one[2], one[4]) == (two[0], two[2], two[4])
            assert torch.equal(one[3], two[3])
