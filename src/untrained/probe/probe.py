"""An untrained network under observation: each pass over it is run once and shared by all metrics that need it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from untrained.errors import DataError, InputError
from untrained.nn.blocks import ReLUConvBN
from untrained.nn.counts import count_macs, count_parameters
from untrained.nn.initialisers import WeightPlan
from untrained.probe.observer import Observer
from untrained.probe.patterns import Patterns
from untrained.probe.setting import Setting
from untrained.probe.slots import Slots
from untrained.seeds import derive

STACK_CHANNELS = 8
"""Networks whose convolutions are at most this wide run all initialisations as one `vmap` on a CPU: there, the number of
calls is what costs. Wider ones run them one after the other, since grouped convolutions are slower than plain ones."""


@dataclass(frozen=True, slots=True)
class Flow:
    """Synaptic flow through a network of non-negative weights: for each prunable tensor, weights and gradients.

    weights: |theta|; gradients: dR/dtheta with R the sum of the outputs on an image of ones; both float64.
    """

    weights: tuple[Tensor, ...]
    gradients: tuple[Tensor, ...]


@dataclass(frozen=True, slots=True)
class Structure:
    """What runs in a forward pass: input channels of every convolution and pooling layer, in order, and how many of the
    convolutions sit in a ReLU-conv-BN wrapper (published code of noise immunity counts those twice)."""

    conv_channels: tuple[int, ...]
    pool_channels: tuple[int, ...]
    wrapped_channels: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Size:
    """How large a network is: trainable parameters, and multiply-accumulates for one image."""

    parameters: int
    macs: int

    @classmethod
    def of(cls, network: nn.Module, image_shape: tuple[int, int, int]) -> Size:
        """The size of `network` on images (c, h, w)."""
        return cls(count_parameters(network), count_macs(network, image_shape))


class Observation:
    """One initialisation of a network, seen on its batch. Everything is computed when it is first asked for."""

    def __init__(self, probe: Probe, index: int) -> None:
        self._probe = probe
        self._index = index

    @property
    def patterns(self) -> Patterns:
        """Activation patterns on the images."""
        return self._probe._patterns[self._index]

    @property
    def pools(self) -> tuple[Tensor, ...]:
        """Inputs of all pooling layers on the images, each (n, c, h, w)."""
        return self._probe._pools[self._index]

    @property
    def noisy_pools(self) -> tuple[Tensor, ...]:
        """The same on the images plus standard normal noise, as a batch of its own."""
        return self._probe._noisy_pools[self._index]

    @property
    def flow(self) -> Flow:
        """Synaptic flow; see :class:`Flow`."""
        return self._probe._flows[self._index]

    @property
    def structure(self) -> Structure:
        """What ran; see :class:`Structure`."""
        return self._probe.structure

    @property
    def parameters(self) -> int:
        """Trainable parameters."""
        return self._probe.size.parameters

    @property
    def macs(self) -> int:
        """Multiply-accumulates for one image."""
        return self._probe.size.macs


class Probe:
    """A network, a batch and R initialisations under one setting; iterating gives R observations.

    network: any `nn.Module` from images (n, c, h, w) to a tensor (or a tuple whose last tensor is the logits); it is left
    as it was: weights, buffers, mode and the global random state. images: (N, c, h, w) float, as `check_images` wants
    them; the setting's first `images` are used, or the next ones for each initialisation.
    needs: names of what the metrics will ask an observation for, so that one pass serves all of them.
    """

    def __init__(
        self,
        network: nn.Module,
        images: Tensor,
        labels: Tensor | None = None,
        *,
        setting: Setting | None = None,
        seed: int = 0,
        needs: frozenset[str] = frozenset({"patterns"}),
        size: Size | None = None,
    ) -> None:
        if not isinstance(network, nn.Module):
            raise InputError(f"a network is an nn.Module, not {type(network).__name__}")
        self.network = network
        self.setting = setting or Setting()
        if self.setting.labels and labels is None:
            raise InputError("this setting needs labels, and none were given")
        self.seed = seed
        self.needs = needs
        self.inits = self.setting.inits if self.setting.weights != "keep" or self.setting.fresh else 1
        self._size = size
        self._images = images
        self._labels = labels
        self._slots = Slots(network)
        self._plan = WeightPlan(network, self.setting.weights)

    def __len__(self) -> int:
        return self.inits

    def __getitem__(self, index: int) -> Observation:
        if not 0 <= index < self.inits:
            raise IndexError(index)
        return Observation(self, index)

    def __iter__(self) -> Iterator[Observation]:
        return (Observation(self, index) for index in range(self.inits))

    @property
    def samples(self) -> int:
        """Images in each batch."""
        return min(self.setting.images, len(self._images)) if self.setting.source == "images" else self.setting.images

    # -- what goes in ----------------------------------------------------------------------------------------------

    @cached_property
    def _weights(self) -> list[dict[str, Tensor]]:
        device = self._images.device
        drawn = [self._plan.values(derive(self.seed, "weights", index)) for index in range(self.inits)]
        return [{name: value.to(device) for name, value in one.items()} for one in drawn]

    def _batch(self, index: int) -> Tensor:
        """The images of initialisation `index`: (samples, c, h, w)."""
        shape = (self.samples, *self._images.shape[1:])
        if self.setting.source == "ones":
            return torch.ones(shape, device=self._images.device)
        if self.setting.source == "noise":
            return self._noise("images", index, shape)
        return self._images[self._rows(index)]

    def _rows(self, index: int) -> slice | list[int]:
        if not self.setting.fresh:
            return slice(0, self.samples)
        start = index * self.samples
        if start + self.samples <= len(self._images):
            return slice(start, start + self.samples)
        return [(start + k) % len(self._images) for k in range(self.samples)]

    def _noise(self, label: str, index: int, shape: tuple[int, ...]) -> Tensor:
        generator = torch.Generator().manual_seed(derive(self.seed, label, index))
        return torch.randn(shape, generator=generator).to(self._images.device)

    @cached_property
    def stacked(self) -> bool:
        """Whether all initialisations run at once under `vmap`."""
        if self.inits == 1 or self._images.device.type != "cpu" or self.needs & {"pools", "structure"}:
            return False
        widths = [p.shape[0] for p in self._slots.own.values() if p.dim() == 4]
        return bool(widths) and max(widths) <= STACK_CHANNELS

    # -- passes ----------------------------------------------------------------------------------------------------

    @contextmanager
    def _quiet(self) -> Iterator[None]:
        """Modules that draw from the global generator get the same numbers each time and leave no trace."""
        state = torch.get_rng_state()
        torch.default_generator.manual_seed(derive(self.seed, "global"))
        try:
            yield
        finally:
            torch.set_rng_state(state)

    def _forward(self, values: Mapping[str, Tensor], images: Tensor, observer: Observer) -> Tensor:
        with self._slots.holding(values), observer:
            return logits(self.network(images))

    @cached_property
    def _patterns(self) -> list[Patterns]:
        if self.stacked:
            return self._stacked_patterns()
        return self._seen[0] if "patterns" in self.needs else self._run_images(patterns=True)[0]

    @property
    def _pools(self) -> list[tuple[Tensor, ...]]:
        return self._seen[1]

    @property
    def structure(self) -> Structure:
        """What runs in a forward pass."""
        return self._seen[2]

    @cached_property
    def _seen(self) -> tuple[list[Patterns], list[tuple[Tensor, ...]], Structure]:
        return self._run_images(patterns="patterns" in self.needs)

    def _run_images(self, *, patterns: bool) -> tuple[list[Patterns], list[tuple[Tensor, ...]], Structure]:
        """One pass over the images for each initialisation, with all that the metrics of this probe ask for."""
        keep_pools = bool(self.needs & {"pools", "structure"})
        all_patterns: list[Patterns] = []
        all_pools: list[tuple[Tensor, ...]] = []
        convs: list[int] = []
        with torch.no_grad(), self._quiet():
            for index, values in enumerate(self._weights):
                seen: list[Tensor] = []
                convs = []
                packed = Patterns(self.samples)
                observer = Observer(
                    patterns=[packed] if patterns else None,
                    pools=seen if keep_pools else None,
                    conv_channels=convs if keep_pools else None,
                )
                self._forward(values, self._batch(index), observer)
                all_patterns.append(packed)
                all_pools.append(tuple(seen))
        wrapped = [module.in_chans for module in self.network.modules() if isinstance(module, ReLUConvBN)]
        structure = Structure(
            tuple(convs),
            tuple(int(x.shape[1]) for x in all_pools[-1]),
            tuple(wrapped),
        )
        return all_patterns, all_pools, structure

    def _stacked_patterns(self) -> list[Patterns]:
        patterns = [Patterns(self.samples) for _ in range(self.inits)]
        observer = Observer(patterns=patterns)
        stacked = {name: torch.stack([one[name] for one in self._weights]) for name in self._weights[0]}

        def forward(values: dict[str, Tensor], images: Tensor) -> Tensor:
            return self._forward(values, images, observer)

        with torch.no_grad(), self._quiet():
            if self.setting.fresh:
                batches = torch.stack([self._batch(index) for index in range(self.inits)])
                torch.func.vmap(forward)(stacked, batches)
            else:
                torch.func.vmap(forward, in_dims=(0, None))(stacked, self._batch(0))
        return patterns

    @cached_property
    def _noisy_pools(self) -> list[tuple[Tensor, ...]]:
        passes: list[tuple[Tensor, ...]] = []
        with torch.no_grad(), self._quiet():
            for index, values in enumerate(self._weights):
                seen: list[Tensor] = []
                images = self._batch(index)
                self._forward(values, images + self._noise("noise", index, tuple(images.shape)), Observer(pools=seen))
                passes.append(tuple(seen))
        return passes

    @cached_property
    def _flows(self) -> list[Flow]:
        flows = []
        ones = torch.ones((1, *self._images.shape[1:]), dtype=torch.float64, device=self._images.device)
        own = self._slots.own
        for values in self._weights:
            theta = {name: values.get(name, tensor).detach().abs().double() for name, tensor in own.items()}
            prunable = [name for name in self._plan.prunable if name in theta]
            for name in prunable:
                theta[name].requires_grad_()
            with torch.enable_grad(), self._quiet():
                total = self._forward(theta, ones, Observer(bypass_norm=True)).sum()
                weights = tuple(theta[name] for name in prunable)
                gradients = torch.autograd.grad(total, weights, allow_unused=True) if total.requires_grad else ()
            flows.append(
                Flow(
                    tuple(weight.detach() for weight in weights),
                    tuple(
                        torch.zeros_like(weight) if gradient is None else gradient
                        for weight, gradient in zip(weights, gradients or [None] * len(weights), strict=True)
                    ),
                )
            )
        return flows

    @cached_property
    def size(self) -> Size:
        """Parameters and multiply-accumulates of the network, or those it stands in for."""
        channels, height, width = self._images.shape[1:]
        return self._size or Size.of(self.network, (channels, height, width))


def logits(output: Any) -> Tensor:
    """The class scores of what a network returned: a tensor, or the last tensor of a tuple or list."""
    if isinstance(output, Tensor):
        return output
    if isinstance(output, tuple | list):
        for item in reversed(output):
            if isinstance(item, Tensor):
                return item
    raise InputError(f"the network returns {type(output).__name__}; a tensor or a tuple of tensors is expected")


def check_images(images: Tensor, labels: Tensor | None = None) -> None:
    """Refuse anything that is no batch of finite images (n, c, h, w) with, perhaps, one class number an image."""
    if not isinstance(images, Tensor) or images.dim() != 4 or not images.is_floating_point():
        what = f"{images.dtype} {tuple(images.shape)}" if isinstance(images, Tensor) else type(images).__name__
        raise DataError(f"images are a float tensor (n, channels, height, width), normalised; given: {what}")
    if len(images) == 0:
        raise DataError("no images were given; at least one is needed")
    # A sum in double precision cannot overflow, so it is finite exactly when every pixel is; one cheap pass.
    if not math.isfinite(float(images.sum(dtype=torch.float64))):
        raise DataError("the images contain NaN or infinite pixels; clean or drop them")
    if labels is not None:
        if not isinstance(labels, Tensor) or labels.shape != images.shape[:1]:
            raise DataError(f"labels are one class number per image: {len(images)} are expected")
        if labels.is_floating_point() or bool((labels < 0).any()):
            raise DataError("labels are class numbers 0, 1, 2, ...: whole and not negative")
