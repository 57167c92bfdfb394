"""Noise immunity: how much noise on the images moves the feature maps.

Wu et al., "Training-free neural architecture search by noise immunity" (the first metric of the rank-hybrid GA).
"""

import math

import torch
from torch import Tensor

from untrained.metrics.metric import Undefined, metric
from untrained.probe.observation import Observation
from untrained.probe.setting import Setting

_SETTING = Setting(images=64)
NOISE = 1.0
"""Standard deviation of the noise on normalised images, as in the published code."""

_NEEDS = ("pools",)


@metric("ni", setting=_SETTING, needs={*_NEEDS, "structure"}, paper="wu2024ni", legacy=Setting(images=128))
def ni(seen: Observation, *, legacy: bool = False) -> float:
    """ln(Gamma * n_conv / n_pool / eta) with eta = ln(1e-10 + sum over poolings of mean (tau - tau')^2): published code.

    tau, tau': inputs of the pooling layers on images and on noisy images; n_conv, n_pool: how many convolution and
    pooling layers ran (a ReLU-conv-BN wrapper counts beside its convolution); Gamma: the sum of their input channels. The
    published code scores 0 when eta <= 0; here that is undefined. legacy: 0 there, and a batch of 128.
    """
    structure = seen.structure
    convs = structure.conv_channels + structure.wrapped_channels
    pools = structure.pool_channels
    eta = math.log(1e-10 + sum(_mean_square(a, b) for a, b in zip(seen.pools, seen.moved(NOISE).pools, strict=True)))
    if not pools or not convs:
        raise Undefined("the network has no pooling or no convolution layer")
    if not math.isfinite(eta):
        raise Undefined(f"the features are not finite (eta = {eta:.3g})")
    if eta <= 0:
        if legacy:
            return 0.0
        raise Undefined(
            f"the noise hardly moves the features (eta = {eta:.3g}), where the published formula has no value"
        )
    return math.log((sum(convs) + sum(pools)) * len(convs) / len(pools) / eta)


@metric("ni_eta", setting=_SETTING, needs=_NEEDS, better="lower", paper="wu2024ni")
def ni_eta(seen: Observation) -> float:
    """ln(1e-10 + sum over samples and poolings of (tau - tau')^2 / |tau|): the papers' own eta, lower is better.

    The square of the difference is taken per sample as a squared norm, |tau| as the norm of the sample's map.
    """
    if not seen.pools:
        raise Undefined("the network has no pooling layer")
    total = 0.0
    for clean, noisy in zip(seen.pools, seen.moved(NOISE).pools, strict=True):
        total += float((_norms(clean - noisy).square() / _norms(clean).clamp_min(1e-12)).sum())
    if total == 0:
        raise Undefined("the features do not depend on the images")
    return math.log(1e-10 + total)


def _norms(maps: Tensor) -> Tensor:
    """The norm of each sample's map, in float64."""
    norms: Tensor = torch.linalg.vector_norm(maps.flatten(1), dim=1, dtype=torch.float64)
    return norms


def _mean_square(a, b) -> float:  # type: ignore[no-untyped-def]
    return float((a - b).square().mean(dtype=a.dtype))
