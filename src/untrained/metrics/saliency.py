"""Gradient saliencies: what the loss of one labelled batch says about the weights.

Abdelfattah et al., "Zero-Cost Proxies for Lightweight NAS", ICLR 2021, after Lee et al. (SNIP), Wang et al. (GraSP),
Theis et al. (Fisher) and Mozer and Smolensky (plain). Sums run over the weights of convolutions and linear layers; layers
nothing depends on count 0. All of them share one pass forward and back.
"""

from untrained.metrics.metric import metric
from untrained.probe.observation import Observation
from untrained.probe.setting import Setting

LABELLED = Setting(images=64, weights="default", labels=True)


@metric("grad_norm", setting=LABELLED, paper="abdelfattah2021zerocost")
def grad_norm(seen: Observation) -> float:
    """Sum over layers of the norm of the gradient, ||g_l||_2 (not the norm of the whole gradient)."""
    return sum(float(gradient.norm()) for gradient in seen.loss.gradients.gradients)


@metric("plain", setting=LABELLED, paper="abdelfattah2021zerocost")
def plain(seen: Observation) -> float:
    """Sum of g * theta, signed."""
    return sum(float((g * w).sum()) for w, g in seen.loss.gradients.pairs)


@metric("snip", setting=LABELLED, paper="lee2019snip")
def snip(seen: Observation) -> float:
    """Sum of |g * theta|: what a mask over the weights would feel (the published mask is not needed)."""
    return sum(float((g * w).abs().sum()) for w, g in seen.loss.gradients.pairs)


@metric("grasp", setting=LABELLED, needs={"curvature"}, paper="wang2020grasp")
def grasp(seen: Observation) -> float:
    """Minus the sum of theta * (H g), with the sign of the published scores."""
    weights = seen.loss.gradients.weights
    return -sum(float((w * h).sum()) for w, h in zip(weights, seen.loss.curvature, strict=True))


@metric("fisher", setting=LABELLED, needs={"channels"}, paper="theis2018fisher")
def fisher(seen: Observation) -> float:
    """Sum over channels of 1/2 mean over the batch of (sum over positions of a * dL/da)^2, each channel counted once for
    every weight it has, as in the published code; a is the output of a convolution or linear layer."""
    return sum(float(layer.products.square().mean(0).sum()) * layer.fan / 2 for layer in seen.loss.channels)


@metric("l2_norm", setting=Setting(images=1, weights="default"), paper="abdelfattah2021zerocost")
def l2_norm(seen: Observation) -> float:
    """Sum over layers of the norm of the weights, ||theta_l||_2: no data at all."""
    return sum(float(weight.norm()) for weight in seen.weights)
