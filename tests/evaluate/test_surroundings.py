"""Scores depend on the network, the images and the seed, and on nothing that torch is set to around the call."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from untrained.errors import InputError
from untrained.metrics.metric import score

CELL = "nats-tss:|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|nor_conv_3x3~2|"
METRICS = ["nwot", "swap", "jacov", "snip", "logsynflow", "zen", "ni", "meco", "params"]


@contextmanager
def double() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


SURROUNDINGS: dict[str, Callable[[], AbstractContextManager[object]]] = {
    "inference": torch.inference_mode,
    "no grad": torch.no_grad,
    "autocast": partial(torch.autocast, "cpu", torch.bfloat16),
    "double": double,
    "meta": partial(torch.device, "meta"),
}


def batch() -> tuple[Tensor, Tensor]:
    return torch.randn(16, 3, 8, 8, generator=torch.Generator().manual_seed(0)), torch.arange(16) % 4


def values(network: nn.Module | str, images: Tensor, labels: Tensor) -> dict[str, float | None]:
    readings = score(network, images, labels, METRICS, skeleton="proxy" if isinstance(network, str) else None)
    return {name: reading.value for name, reading in readings.items()}


@pytest.mark.parametrize("around", SURROUNDINGS)
def test_what_torch_is_set_to_does_not_matter(around: str) -> None:
    images, labels = batch()
    plain = values(CELL, images, labels)
    assert None not in plain.values()
    with SURROUNDINGS[around]():
        assert values(CELL, images, labels) == plain
        default = torch.get_default_dtype(), torch.is_inference_mode_enabled(), torch.empty(0).device.type
    assert default == {"double": (torch.float64, False, "cpu"), "inference": (torch.float32, True, "cpu")}.get(
        around, (torch.float32, False, "meta" if around == "meta" else "cpu")
    )
    assert torch.get_default_dtype() == torch.float32


def test_images_of_inference_mode_and_images_with_gradients_are_images() -> None:
    images, labels = batch()
    plain = values(CELL, images, labels)
    with torch.inference_mode():
        inference = images.clone()
    assert values(CELL, inference, labels) == plain
    leaf = images.clone().requires_grad_()
    assert values(CELL, leaf, labels) == plain
    assert leaf.grad is None


def test_networks_that_write_into_their_images_leave_those_of_the_caller_alone() -> None:
    images, labels = batch()
    before = images.clone()
    network = nn.Sequential(nn.ReLU(inplace=True), nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 4))
    score(network, images, labels, ["nwot", "snip"])
    assert torch.equal(images, before)


@pytest.mark.parametrize("network", [None, nn.Linear, lambda x: x])
def test_other_things_are_no_networks(network: object) -> None:
    with pytest.raises(InputError, match=r"a network is an nn\.Module"):
        score(network, *batch())  # type: ignore[arg-type]
