"""What can be observed of a network under one initialisation; everything is computed when it is first asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor

from untrained.architecture import Architecture
from untrained.nn.blocks import ReLUConvBN
from untrained.probe.blocks import blocks_of, outputs_of
from untrained.probe.gradients import (
    Gradients,
    LossPass,
    block_gradients,
    flow_pass,
    jacobian_pass,
    loss_pass,
    sample_gradients,
    sign_sums,
)
from untrained.probe.observer import Observer
from untrained.probe.patterns import Patterns
from untrained.probe.undefined import Undefined

if TYPE_CHECKING:
    from untrained.probe.probe import Probe

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Structure:
    """What runs in a forward pass: input channels of every convolution and pooling layer, in order, and those of the
    ReLU-conv-BN wrappers around convolutions (published code of noise immunity counts wrappers as well)."""

    conv_channels: tuple[int, ...]
    pool_channels: tuple[int, ...]
    wrapped_channels: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ImagePass:
    """One forward pass over the images with what the metrics of a probe ask for."""

    patterns: Patterns
    pools: tuple[Tensor, ...]
    structure: Structure
    variances: tuple[Tensor, ...]


class Observation:
    """One initialisation of a network, seen on its batch."""

    def __init__(self, probe: Probe, index: int) -> None:
        self._probe = probe
        self._index = index
        self._known: dict[Callable[[Observation], Any], Any] = {}

    def once(self, compute: Callable[[Observation], T]) -> T:
        """`compute(self)`, computed once however many metrics ask for it."""
        if compute not in self._known:
            self._known[compute] = compute(self)
        known: T = self._known[compute]
        return known

    # -- forward ---------------------------------------------------------------------------------------------------

    @cached_property
    def images(self) -> Tensor:
        """The batch (n, c, h, w)."""
        return self._probe.batch(self._index)

    @cached_property
    def labels(self) -> Tensor:
        """The classes of the batch (n,)."""
        return self._probe.labels(self._index)

    @cached_property
    def _values(self) -> dict[str, Tensor]:
        return self._probe.values(self._index)

    @cached_property
    def _theta(self) -> dict[str, Tensor]:
        return self._probe.own | self._values

    @cached_property
    def _image_pass(self) -> ImagePass:
        return self._forward_pass(self.images)

    def _forward_pass(self, images: Tensor) -> ImagePass:
        needs = self._probe.needs
        patterns, pools, convs, variances = Patterns(len(images)), list[Tensor](), list[int](), list[Tensor]()
        keeps_pools = bool(needs & {"pools", "structure"})
        observer = Observer(
            patterns=[patterns] if "patterns" in needs and not self._probe.stacked else None,
            pools=pools if keeps_pools else None,
            conv_channels=convs if keeps_pools else None,
            variances=variances if "variances" in needs else None,
        )
        with torch.no_grad():
            self._probe.forward(self._values, images, observer)
        modules = self._probe.network.modules()
        wrapped = tuple(module.in_chans for module in modules if isinstance(module, ReLUConvBN))
        structure = Structure(tuple(convs), tuple(int(x.shape[1]) for x in pools), wrapped)
        return ImagePass(patterns, tuple(pools), structure, tuple(variances))

    @property
    def patterns(self) -> Patterns:
        """Activation patterns on the images; `Undefined` where activations are not a row for each image."""
        patterns = self._probe.stacked_patterns[self._index] if self._probe.stacked else self._image_pass.patterns
        if patterns.misfit is not None:
            raise Undefined(patterns.misfit)
        return patterns

    @property
    def pools(self) -> tuple[Tensor, ...]:
        """Inputs of all pooling layers on the images, each (n, c, h, w)."""
        return self._image_pass.pools

    @property
    def structure(self) -> Structure:
        """What ran; see :class:`Structure`."""
        return self._image_pass.structure

    @property
    def variances(self) -> tuple[Tensor, ...]:
        """Variance per channel of the input of every batch normalisation."""
        return self._image_pass.variances

    def moved(self, scale: float) -> ImagePass:
        """The same pass on the images plus `scale` times standard normal noise, as a batch of its own."""
        known = self._moved.get(scale)
        if known is None:
            noise = self._probe.noise("noise", self._index, tuple(self.images.shape))
            known = self._moved[scale] = self._forward_pass_without_patterns(self.images + scale * noise)
        return known

    @cached_property
    def _moved(self) -> dict[float, ImagePass]:
        return {}

    def _forward_pass_without_patterns(self, images: Tensor) -> ImagePass:
        pools, variances = list[Tensor](), list[Tensor]()
        observer = Observer(pools=pools, variances=variances if "variances" in self._probe.needs else None)
        with torch.no_grad():
            self._probe.forward(self._values, images, observer)
        return ImagePass(Patterns(len(images)), tuple(pools), Structure((), (), ()), tuple(variances))

    # -- backward --------------------------------------------------------------------------------------------------

    @cached_property
    def flow(self) -> Gradients:
        """Synaptic flow: |theta| and dR/dtheta, float64; see `flow_pass`."""
        ones = torch.ones_like(self.images[:1])
        return flow_pass(self._probe.forward, self._theta, self._probe.prunable, ones)

    @cached_property
    def _loss_pass(self) -> LossPass:
        needs = self._probe.needs
        return loss_pass(
            self._probe.forward, self._theta, self._probe.prunable, self.images, self.labels,
            curvature="curvature" in needs, channels="channels" in needs,
        )  # fmt: skip

    @property
    def loss(self) -> LossPass:
        """One labelled batch forward and back: gradients, and what else the metrics of this probe need."""
        return self._loss_pass

    @cached_property
    def batch_gradients(self) -> tuple[Gradients, ...]:
        """The loss gradients on each of the setting's batches, at the same weights."""
        passes = []
        for batch in range(self._probe.setting.batches):
            images, labels = self._probe.batch(self._index, batch), self._probe.labels(self._index, batch)
            passes.append(loss_pass(self._probe.forward, self._theta, self._probe.prunable, images, labels).gradients)
        return tuple(passes)

    @cached_property
    def _jacobian_pass(self) -> tuple[Tensor, int]:
        return jacobian_pass(self._probe.forward, self._theta, self.images)

    @property
    def jacobian(self) -> Tensor:
        """d(sum of logits) / d(images): (n, c * h * w)."""
        return self._jacobian_pass[0]

    @property
    def num_classes(self) -> int:
        """How many logits the network has."""
        return self._jacobian_pass[1]

    @cached_property
    def sample_gradients(self) -> Tensor:
        """Gradient of each sample's summed logits by all tensors called something with `weight`: (n, P)."""
        names = [name for name in self._theta if "weight" in name.rsplit(".", 1)[-1]]
        return sample_gradients(self._probe.forward, self._theta, names, self.images)

    @cached_property
    def sign_sums(self) -> tuple[Tensor, ...]:
        """Sum over samples of the sign of each sample's loss gradient, for each prunable tensor."""
        return sign_sums(self._probe.forward, self._theta, self._probe.prunable, self.images, self.labels)

    # -- blocks ------------------------------------------------------------------------------------------------------

    @cached_property
    def _block_pass(self) -> tuple[list[Tensor], list[tuple[Tensor, Tensor]]]:
        def signs(number: int, like: Tensor) -> Tensor:
            return self._probe.signs(f"signs{number}", self._index, tuple(like.shape))

        with outputs_of(blocks_of(self._probe.network)) as features:
            if "block_gradients" in self._probe.needs:
                pairs = block_gradients(self._probe.forward, self._theta, self.images, features, signs)
            else:
                pairs = []
                with torch.no_grad():
                    self._probe.forward(self._values, self.images, Observer())
        return [feature.detach() for feature in features], pairs

    @property
    def blocks(self) -> list[Tensor]:
        """The output (n, c, h, w) of every block of the network, the stem's first; see `blocks_of`."""
        return self._block_pass[0]

    @property
    def block_gradients(self) -> list[tuple[Tensor, Tensor]]:
        """For each block, the gradients at its input and output when random signs go into its output."""
        return self._block_pass[1]

    @cached_property
    def feature_maps(self) -> list[Tensor]:
        """The four-dimensional outputs of all modules, containers included, in the order they ended."""
        with torch.no_grad(), outputs_of(list(self._probe.network.modules())) as features:
            self._probe.forward(self._values, self.images, Observer())
        return features

    # -- the network itself ------------------------------------------------------------------------------------------

    @property
    def weights(self) -> tuple[Tensor, ...]:
        """The weights of convolutions and linear layers."""
        return tuple(self._theta[name].detach() for name in self._probe.prunable)

    @property
    def parameters(self) -> int:
        """Trainable parameters."""
        return self._probe.size.parameters

    @property
    def macs(self) -> int:
        """Multiply-accumulates for one image."""
        return self._probe.size.macs

    @property
    def architecture(self) -> Architecture | None:
        """The architecture the network was built from, when that is known."""
        return self._probe.architecture
