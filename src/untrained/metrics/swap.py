"""SWAP-Score: the number of distinct sample-wise activation patterns.

Peng et al., "SWAP-NAS: Sample-Wise Activation Patterns for Ultra-fast NAS", ICLR 2024.
"""

import math

from untrained.errors import InputError
from untrained.metrics.metric import Undefined, metric
from untrained.probe.observation import Observation
from untrained.probe.setting import Setting


@metric(
    "swap",
    setting=Setting(images=12, inits=8, weights="normal", fresh=True),
    needs={"patterns"},
    paper="peng2024swap",
)
def swap(seen: Observation, *, mu: float | None = None, sigma: float | None = None, unit: float = 1e6) -> float:
    """Distinct columns of the samples x units activation matrix (eq. 4): at most min(2^S, V).

    With `mu` and `sigma`, the regularised form (eq. 5-6): times exp(-(Theta - mu)^2 / sigma), Theta the number of
    parameters in units of `unit` (1e6 for benchmark networks; the published one-cell proxy counts in 1e3). The published
    code scores one batch of 16 images (the paper says 32) 32 times. Here each initialisation sees its own images, since the
    draw of images moves the ranking more than the draw of weights, and 12 of them: fewer saturate wide networks, more
    order DARTS cells worse.
    """
    if seen.patterns.units == 0:
        raise Undefined("the network has no activation whose sign could be read")
    count = seen.patterns.distinct_units()
    if mu is None and sigma is None:
        return count
    if mu is None or sigma is None or sigma <= 0 or unit <= 0:
        raise InputError(f"regularised swap needs mu and a positive sigma and unit, not {mu}, {sigma} and {unit}")
    return count * math.exp(-((seen.parameters / unit - mu) ** 2) / sigma)
