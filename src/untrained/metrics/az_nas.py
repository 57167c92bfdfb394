"""AZ-NAS: four views of a network from one pass forward and one back through each block.

Lee and Ham, "AZ-NAS: Assembling Zero-Cost Proxies for Network Architecture Search", CVPR 2024. The published score of a
network is the sum over the four of ln(rank / candidates) among all candidates: the ranking `log_rank_sum` over
`az_expressivity`, `az_progressivity`, `az_trainability` and `macs` (complexity).
"""

from itertools import pairwise

import torch
from torch import Tensor
from torch.nn import functional as F

from untrained.metrics.metric import Undefined, metric
from untrained.probe.observation import Observation
from untrained.probe.setting import Setting

AZ_NAS = ("az_expressivity", "az_progressivity", "az_trainability", "macs")
_SETTING = Setting(images=64, weights="kaiming_fan_in", source="noise")


@metric("az_expressivity", setting=_SETTING, needs={"blocks"}, paper="lee2024aznas")
def az_expressivity(seen: Observation) -> float:
    """Sum over blocks of the entropy of the features' principal components: how evenly channels are used."""
    return sum(seen.once(_entropies))


@metric("az_progressivity", setting=_SETTING, needs={"blocks"}, paper="lee2024aznas")
def az_progressivity(seen: Observation) -> float:
    """The least growth of that entropy from one block to the next."""
    entropies = seen.once(_entropies)
    if len(entropies) < 2:
        raise Undefined("the network has fewer than two blocks to compare")
    return min(after - before for before, after in pairwise(entropies))


@metric("az_trainability", setting=_SETTING, needs={"blocks", "block_gradients"}, paper="lee2024aznas")
def az_trainability(seen: Observation) -> float:
    """Mean over blocks of 2 - sigma - 1 / sigma, sigma the largest singular value of the map from random-sign gradients at
    the block's output to those at its input: 0 when gradients neither grow nor fade. A block that does nothing counts as
    -inf."""
    scores = []
    for gradient_in, gradient_out in seen.block_gradients:
        if torch.equal(gradient_in, gradient_out):
            raise Undefined("a block passes its input on unchanged (trainability = -inf)")
        sigma = _largest_singular_value(gradient_in, gradient_out)
        scores.append(2.0 - sigma - 1.0 / (sigma + 1e-6))
    if not scores:
        raise Undefined("the network has fewer than two blocks to compare")
    return sum(scores) / len(scores)


def _entropies(seen: Observation) -> list[float]:
    values = []
    for feature in seen.blocks:
        channels = feature.transpose(0, 1).flatten(1).double()
        channels -= channels.mean(1, keepdim=True)
        spectrum = torch.linalg.eigvalsh(channels @ channels.T / channels.shape[1]).clamp_min(0.0)
        total = float(spectrum.sum())
        if total <= 0:
            raise Undefined("a block's features are constant")
        share = spectrum / total
        values.append(float(-torch.special.xlogy(share, share + 1e-8).sum()))
    if not values:
        raise Undefined("no block of the network has features of four dimensions")
    return values


def _largest_singular_value(gradient_in: Tensor, gradient_out: Tensor) -> float:
    """Of (1 / bhw) g_in^T g_out; where the block strides, the s x s positions of g_in that become one of g_out are channels
    of g_in. (Sides that the stride does not divide are filled with zeros.)"""
    sides_in, sides_out = gradient_in.shape[2:], gradient_out.shape[2:]
    if sides_in < sides_out:
        raise Undefined("a block enlarges its feature maps, for which there is no published formula")
    stride = max(-(-side // out) for side, out in zip(sides_in, sides_out, strict=True))
    if stride > 1:
        missing = [out * stride - side for side, out in zip(sides_in, sides_out, strict=True)]
        gradient_in = F.pixel_unshuffle(F.pad(gradient_in, (0, missing[1], 0, missing[0])), stride)
    # One product a sample: its positions already lie next to each other.
    products = torch.bmm(gradient_in.flatten(2), gradient_out.flatten(2).transpose(1, 2))
    return float(torch.linalg.matrix_norm(products.double().sum(0) / gradient_out[:, 0].numel(), ord=2))
