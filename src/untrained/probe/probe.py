"""An untrained network under observation: each pass over it is run once and shared by all metrics that need it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedParameter

from untrained.architecture import Architecture
from untrained.errors import DataError, InputError, NetworkError
from untrained.nn.counts import count_macs, count_parameters
from untrained.nn.initialisers import WeightPlan
from untrained.probe.observation import Observation
from untrained.probe.observer import Observer
from untrained.probe.patterns import Patterns
from untrained.probe.setting import Setting
from untrained.probe.slots import Slots
from untrained.probe.undefined import Undefined
from untrained.seeds import derive

STACK_CHANNELS = 8
"""Networks whose convolutions are at most this wide run all initialisations as one `vmap` on a CPU: there, the number of
calls is what costs. Wider ones run them one after the other, since grouped convolutions are slower than plain ones."""

CROP = 3
"""Side of the crops that the source `crops` cuts."""


class Size:
    """How large the network that `build` gives is on images (c, h, w): built, and each number counted, when first asked
    for."""

    def __init__(self, build: Callable[[], nn.Module], image_shape: tuple[int, int, int]) -> None:
        self._build = build
        self._image_shape = image_shape

    @cached_property
    def _network(self) -> nn.Module:
        return self._build()

    @cached_property
    def parameters(self) -> int:
        """Trainable parameters."""
        return count_parameters(self._network)

    @cached_property
    def macs(self) -> int:
        """Multiply-accumulates of convolutions and linear layers for one image."""
        return count_macs(self._network, self._image_shape)

    def __getitem__(self, quantity: str) -> int:
        """`params` or `macs`."""
        return self.macs if quantity == "macs" else self.parameters


class Probe:
    """A network, a batch and R initialisations under one setting; iterating gives R observations.

    network: any `nn.Module` from images (n, c, h, w) to a tensor (or a tuple whose last tensor is the logits); it is left
    as it was: weights, buffers, mode and the global random state. images: (N, c, h, w) float, as `check_images` wants
    them; the setting's first `images` are used, or the next ones for each batch and initialisation.
    needs: names of what the metrics will ask an observation for, so that one pass serves all of them: patterns, pools,
    structure, variances, curvature, channels, block_gradients. size, architecture: of the network that this one stands in for.
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
        architecture: Architecture | None = None,
    ) -> None:
        if not isinstance(network, nn.Module):
            raise InputError(f"a network is an nn.Module, not {type(network).__name__}")
        if any(isinstance(parameter, UninitializedParameter) for parameter in network.parameters()):
            raise InputError("the network has lazy parameters without a shape; run it on a batch once")
        self.network = network
        self.setting = setting or Setting()
        if self.setting.labels and labels is None:
            raise InputError("this setting needs labels, and none were given")
        self.seed = seed
        self.needs = needs
        self.architecture = architecture
        # Kept weights on the same images would give the same value each time.
        self.inits = self.setting.inits if self.setting.weights != "keep" or self.setting.fresh else 1
        self._size = size
        self._images = images.to(next((p.dtype for p in network.parameters() if p.is_floating_point()), torch.float32))
        self._labels = labels
        self._slots = Slots(network)
        self._plan = WeightPlan(network, self.setting.weights)
        self._observations: dict[int, Observation] = {}

    def __len__(self) -> int:
        return self.inits

    def __getitem__(self, index: int) -> Observation:
        if not 0 <= index < self.inits:
            raise IndexError(f"initialisation {index} of {self.inits}")
        if index not in self._observations:
            self._observations[index] = Observation(self, index)
        return self._observations[index]

    def __iter__(self) -> Iterator[Observation]:
        return (self[index] for index in range(self.inits))

    def forget(self) -> None:
        """Let go of everything that was observed. (A probe and its observations hold each other, so that without this
        their memory would wait for the garbage collector.)"""
        self._observations.clear()

    # -- what goes in ----------------------------------------------------------------------------------------------

    @property
    def samples(self) -> int:
        """Images in each batch: an equal share where fewer are given than the batches of one initialisation take."""
        if self.setting.source != "images":
            return self.setting.images
        return min(self.setting.images, max(1, len(self._images) // self.setting.batches))

    @property
    def own(self) -> dict[str, Tensor]:
        """The network's own parameters by name, each once."""
        return self._slots.own

    @property
    def prunable(self) -> list[str]:
        """Names of the weights of convolutions and linear layers."""
        return self._plan.prunable

    def values(self, index: int) -> dict[str, Tensor]:
        """The tensors of initialisation `index` by name."""
        drawn = self._plan.values(derive(self.seed, "weights", index))
        return {name: tensor.to(self._images.device) for name, tensor in drawn.items()}

    def batch(self, index: int, number: int = 0) -> Tensor:
        """Batch `number` of initialisation `index`: (samples, c, h, w)."""
        channels, height, width = self._images.shape[1:]
        match self.setting.source:
            case "images":
                return self._images[self._rows(index, number)]
            case "ones":
                return self._images.new_ones(self.samples, channels, height, width)
            case "noise":
                side = self.setting.side
                shape = (self.samples, channels, side or height, side or width)
                return self.noise("images", index * self.setting.batches + number, shape)
            case "crops":
                return self._crops(index * self.setting.batches + number)

    def labels(self, index: int, number: int = 0) -> Tensor:
        """The classes of that batch: (samples,)."""
        if self._labels is None:
            raise InputError("this metric needs labels, and none were given")
        return self._labels[self._rows(index, number)]

    def noise(self, label: str, index: int, shape: tuple[int, ...]) -> Tensor:
        """Standard normal noise, the same for the same seed, label and index."""
        generator = torch.Generator().manual_seed(derive(self.seed, label, index))
        return torch.randn(shape, generator=generator).to(self._images)

    def signs(self, label: str, index: int, shape: tuple[int, ...]) -> Tensor:
        """-1 and 1 with equal chances, the same for the same seed, label and index; each random bit is used."""
        generator = torch.Generator().manual_seed(derive(self.seed, label, index))
        count = math.prod(shape)
        octets = torch.randint(256, (-(-count // 8),), generator=generator, dtype=torch.uint8)
        bits = torch.from_numpy(np.unpackbits(octets.numpy(), count=count)).view(shape)
        return bits.to(self._images).mul_(2).sub_(1)

    def _rows(self, index: int, number: int) -> slice | list[int]:
        batch = number + index * self.setting.batches if self.setting.fresh else number
        start = batch * self.samples
        if start + self.samples <= len(self._images):
            return slice(start, start + self.samples)
        return [(start + k) % len(self._images) for k in range(self.samples)]

    def _crops(self, index: int) -> Tensor:
        generator = torch.Generator().manual_seed(derive(self.seed, "crops", index))
        count, _, height, width = self._images.shape
        which = torch.randint(count, (self.samples,), generator=generator)
        top = torch.randint(max(1, height - CROP + 1), (self.samples,), generator=generator)
        left = torch.randint(max(1, width - CROP + 1), (self.samples,), generator=generator)
        rows = (top[:, None] + torch.arange(min(CROP, height)))[:, :, None]
        columns = (left[:, None] + torch.arange(min(CROP, width)))[:, None, :]
        return self._images[which[:, None, None], :, rows, columns].permute(0, 3, 1, 2).contiguous()

    # -- passes ----------------------------------------------------------------------------------------------------

    def forward(self, values: Mapping[str, Tensor], images: Tensor, observer: Observer) -> Tensor:
        """The logits of the network holding `values`, watched by `observer`."""
        return _numbers(self._run(values, images, observer))

    def _run(self, values: Mapping[str, Tensor], images: Tensor, observer: Observer) -> Tensor:
        """The same without a look at the logits, which cannot be had under `vmap`."""
        with quiet(derive(self.seed, "global")), self._slots.holding(values), observer:
            try:
                # A copy, since a network may begin with an operation in place.
                output = self.network(images.clone())
            except (RuntimeError, Undefined):
                raise
            except Exception as error:
                raise NetworkError.of(error) from error
            return logits(output, first=hasattr(self.network, "auxiliary"))

    @cached_property
    def stacked(self) -> bool:
        """Whether the patterns of all initialisations are taken at once under `vmap`."""
        one_by_one = self.needs & {"pools", "structure", "variances"}
        if self.inits == 1 or self._images.device.type != "cpu" or one_by_one or "patterns" not in self.needs:
            return False
        widths = [tensor.shape[0] for tensor in self.own.values() if tensor.dim() == 4]
        return bool(widths) and max(widths) <= STACK_CHANNELS

    @cached_property
    def stacked_patterns(self) -> list[Patterns]:
        """Activation patterns of every initialisation, from one pass; from one each where a module is not made for `vmap`
        (it draws random numbers, or branches on values)."""
        try:
            return self._in_one_pass()
        except (RuntimeError, NetworkError):
            patterns = [Patterns(self.samples) for _ in range(self.inits)]
            with torch.no_grad():
                for index, one in enumerate(patterns):
                    self.forward(self.values(index), self.batch(index), Observer(patterns=[one]))
            return patterns

    def _in_one_pass(self) -> list[Patterns]:
        patterns = [Patterns(self.samples) for _ in range(self.inits)]
        observer = Observer(patterns=patterns)
        constants = self._plan.constants
        drawn = self._plan.stacked([derive(self.seed, "weights", index) for index in range(self.inits)])

        def forward(values: dict[str, Tensor], images: Tensor) -> Tensor:
            return self._run(constants | values, images, observer)

        with torch.no_grad():
            if self.setting.fresh or self.setting.source == "noise":
                batches = torch.stack([self.batch(index) for index in range(self.inits)])
                _numbers(torch.func.vmap(forward)(drawn, batches))
            else:
                _numbers(torch.func.vmap(forward, in_dims=(0, None))(drawn, self.batch(0)))
        return patterns

    @cached_property
    def size(self) -> Size:
        """Parameters and multiply-accumulates of the network, or those it stands in for."""
        channels, height, width = self._images.shape[1:]
        network = self.network  # a reference to `self` would be a cycle, and networks would pile up
        return self._size or Size(lambda: network, (channels, height, width))


@contextmanager
def quiet(seed: int) -> Iterator[None]:
    """Whatever draws from torch's global generator inside gets the numbers of `seed`, and leaves no trace."""
    state = torch.get_rng_state()
    torch.default_generator.manual_seed(seed)
    try:
        yield
    finally:
        torch.set_rng_state(state)


def _numbers(out: Tensor) -> Tensor:
    """The outputs of a network, or `Undefined` where one is NaN."""
    if bool(out.isnan().any()):
        raise Undefined("the outputs of the network are not numbers (NaN)")
    return out


def logits(output: Any, *, first: bool = False) -> Tensor:
    """The class scores of what a network returned: a tensor, or the last (or first) tensor of a tuple or list."""
    if isinstance(output, Tensor):
        return output
    if isinstance(output, tuple | list):
        for item in output if first else reversed(output):
            if isinstance(item, Tensor):
                return item
    raise NetworkError(f"the network returns {type(output).__name__}; a tensor or a tuple of tensors is expected")


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
