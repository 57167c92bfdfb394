"""Passes that go back through the network: what changes when weights or images change."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from untrained.probe.observer import Layers, Observer

Forward = Callable[[dict[str, Tensor], Tensor, Observer], Tensor]
"""(weights by name, images, observer) -> logits."""


@dataclass(frozen=True, slots=True)
class Gradients:
    """A gradient with respect to every prunable tensor (convolution and linear weights): zero where nothing depends on it."""

    weights: tuple[Tensor, ...]
    gradients: tuple[Tensor, ...]

    @property
    def pairs(self) -> list[tuple[Tensor, Tensor]]:
        """(weight, gradient) of each tensor."""
        return list(zip(self.weights, self.gradients, strict=True))


@dataclass(frozen=True, slots=True)
class Channels:
    """Of one convolution or linear layer: its output times the gradient of the loss there, summed over positions.

    products: (n, channels); fan: how many weights each channel has.
    """

    products: Tensor
    fan: int


@dataclass(frozen=True, slots=True)
class LossPass:
    """One batch forward and back: gradients of the cross-entropy; curvature H g and the channels of every layer the loss
    depends on, where asked for."""

    loss: float
    gradients: Gradients
    curvature: tuple[Tensor, ...]
    channels: tuple[Channels, ...]


def loss_pass(
    forward: Forward,
    theta: dict[str, Tensor],
    prunable: Sequence[str],
    images: Tensor,
    labels: Tensor,
    *,
    curvature: bool = False,
    channels: bool = False,
) -> LossPass:
    """Cross-entropy of a labelled batch, differentiated by every prunable tensor.

    curvature: the Hessian times the gradient, by a second backward pass; channels: activations and their gradients as
    well, from the same backward pass.
    """
    theta = _leaves(theta, prunable)
    weights = [theta[name] for name in prunable]
    # Fused attention kernels have no second derivative; the plain one has.
    with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH) if curvature else nullcontext():
        layers = Layers() if channels else None
        scores = forward(theta, images, Observer(layers=layers))
        if layers is not None and layers.overwritten:
            layers = Layers(copied=True)
            scores = forward(theta, images, Observer(layers=layers))
        loss = F.cross_entropy(scores, labels)
        with _channels(layers) as by_layer:
            by_weight = _grad(loss, weights, create_graph=curvature)
        gradients = tuple(g.detach() for g in by_weight)
        second = _product_with_hessian(by_weight, gradients, weights) if curvature else ()
    return LossPass(
        float(loss.detach()),
        Gradients(tuple(w.detach() for w in weights), gradients),
        second,
        tuple(by_layer[place] for place in sorted(by_layer)),
    )


def flow_pass(forward: Forward, theta: dict[str, Tensor], prunable: Sequence[str], ones: Tensor) -> Gradients:
    """Synaptic flow: R = sum of the outputs of the network of |theta| on ones without normalisation, in float64."""
    theta = {name: tensor.detach().abs().double() for name, tensor in theta.items()}
    theta = _leaves(theta, prunable)
    weights = [theta[name] for name in prunable]
    with torch.enable_grad():
        total = forward(theta, ones.double(), Observer(bypass_norm=True)).sum()
        return Gradients(tuple(w.detach() for w in weights), _grad(total, weights))


def jacobian_pass(forward: Forward, theta: dict[str, Tensor], images: Tensor) -> tuple[Tensor, int]:
    """d(sum of all logits) / d(images), a row for each sample: (n, c * h * w); and how many logits there are."""
    images = images.detach().clone().requires_grad_()
    with torch.enable_grad():
        scores = forward(theta, images, Observer())
        (gradient,) = _grad(scores.sum(), [images])
    return gradient.flatten(1), scores.shape[1]


def sample_gradients(forward: Forward, theta: dict[str, Tensor], names: Sequence[str], images: Tensor) -> Tensor:
    """Gradient of each sample's summed logits by the tensors `names`, within one batch: (n, P).

    Batch statistics couple the samples, so every row is one backward pass over the whole batch.
    """
    theta = _leaves(theta, names)
    weights = [theta[name] for name in names]
    rows = images.new_zeros(len(images), sum(w.numel() for w in weights))
    with torch.enable_grad():
        sums = forward(theta, images, Observer()).flatten(1).sum(dim=1)
        if sums.requires_grad and weights:
            for index, row in enumerate(rows):
                grads = torch.autograd.grad(sums[index], weights, retain_graph=True, allow_unused=True)
                torch.cat([_or_zero(g, w).flatten() for g, w in zip(grads, weights, strict=True)], out=row)
    return rows


def sign_sums(
    forward: Forward, theta: dict[str, Tensor], prunable: Sequence[str], images: Tensor, labels: Tensor
) -> tuple[Tensor, ...]:
    """For each prunable tensor, the sum over samples of the sign of the sample's loss gradient, each sample alone."""
    theta = _leaves(theta, prunable)
    weights = [theta[name] for name in prunable]
    sums = [torch.zeros_like(w) for w in weights]
    for image, label in zip(images, labels, strict=True):
        with torch.enable_grad():
            loss = F.cross_entropy(forward(theta, image[None], Observer()), label[None])
            for total, gradient in zip(sums, _grad(loss, weights), strict=True):
                total += gradient.sign()
    return tuple(total.detach() for total in sums)


def block_gradients(
    forward: Forward,
    theta: dict[str, Tensor],
    images: Tensor,
    features: list[Tensor],
    signs: Callable[[int, Tensor], Tensor],
) -> list[tuple[Tensor, Tensor]]:
    """Gradients (at the input, at the output) of each block, random signs being sent into its output alone.

    `features` is filled by the forward pass with the output of every block, in order; `signs` draws the signs.
    """
    images = images.detach().clone().requires_grad_()
    with torch.enable_grad():
        forward(theta, images, Observer())
        pairs = []
        for number, (before, after) in enumerate(pairwise(features)):
            sent, arrived = signs(number, after), None
            if before.requires_grad and after.requires_grad:
                # Blocks share no part of the graph, so each part can go as soon as it is used.
                (arrived,) = torch.autograd.grad(after, [before], sent, allow_unused=True)
            pairs.append((_or_zero(arrived, before), sent))
    return pairs


def _leaves(theta: dict[str, Tensor], names: Sequence[str]) -> dict[str, Tensor]:
    return theta | {name: theta[name].detach().requires_grad_() for name in names}


def _grad(total: Tensor, inputs: Sequence[Tensor], *, create_graph: bool = False) -> tuple[Tensor, ...]:
    if not total.requires_grad or not inputs:
        return tuple(torch.zeros_like(x) for x in inputs)
    grads = torch.autograd.grad(total, list(inputs), allow_unused=True, create_graph=create_graph)
    return tuple(_or_zero(gradient, x) for gradient, x in zip(grads, inputs, strict=True))


def _or_zero(gradient: Tensor | None, like: Tensor) -> Tensor:
    return torch.zeros_like(like) if gradient is None else gradient


@contextmanager
def _channels(layers: Layers | None) -> Iterator[dict[int, Channels]]:
    """Fills, by the number of the layer, as the gradient passes each layer; what it has not passed depends on nothing."""
    found: dict[int, Channels] = {}

    def keep(place: int, weight: Tensor, output: Tensor, gradient: Tensor) -> None:
        products = output.detach() * gradient.detach()
        if weight.dim() == 2:
            products = products.movedim(-1, 1)
        if products.dim() > 2:
            products = products.flatten(2).sum(2)
        found[place] = Channels(products, weight.numel() // products.shape[1])

    handles = [
        output.register_hook(partial(keep, place, weight, output))  # type: ignore[no-untyped-call]
        for place, (weight, output) in enumerate(layers or ())
        if output.requires_grad
    ]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


def _product_with_hessian(
    by_weight: Sequence[Tensor], vector: Sequence[Tensor], weights: Sequence[Tensor]
) -> tuple[Tensor, ...]:
    """H v, from gradients that still know how they depend on the weights."""
    pairs = [(g, v) for g, v in zip(by_weight, vector, strict=True) if g.requires_grad]
    if not pairs:
        return tuple(torch.zeros_like(w) for w in weights)
    outputs, sent = zip(*pairs, strict=True)
    second = torch.autograd.grad(outputs, list(weights), sent, allow_unused=True)
    return tuple(_or_zero(h, w) for h, w in zip(second, weights, strict=True))
