"""SWAP-Score: the number of distinct sample-wise activation patterns.

Peng et al., "SWAP-NAS: Sample-Wise Activation Patterns for Ultra-fast NAS", ICLR 2024.
"""

import math

import numpy as np

from untrained.errors import InputError
from untrained.metrics.metric import Undefined, metric
from untrained.probe.observation import Observation
from untrained.probe.setting import Setting

LOW, HIGH = 0.1, 0.9


def _large(parameters: np.ndarray, *, unit: float = 1e6, **_: float) -> float:
    """mu: nine of ten networks are smaller."""
    return float(np.quantile(parameters / unit, HIGH))


def _spread(parameters: np.ndarray, *, unit: float = 1e6, **_: float) -> float:
    """sigma: the square of the range between the smallest and the largest tenth, so that the factor is exp(-1) there."""
    low, high = np.quantile(parameters / unit, (LOW, HIGH)).tolist()
    if low == high:
        raise InputError(
            f"sigma=auto needs networks of different sizes, and most here have {parameters[0]:,.0f} parameters"
        )
    return float((high - low) ** 2)


def _check(*, mu: float | str | None = None, sigma: float | str | None = None, unit: float = 1e6) -> None:
    """Numbers, or `auto`: both or neither of mu and sigma."""
    wrong = (mu is None) != (sigma is None) or unit <= 0
    wrong |= (isinstance(mu, float) and mu < 0) or (isinstance(sigma, float) and sigma <= 0)
    if wrong:
        raise InputError(
            f"regularised swap needs a mu of at least 0 and a positive sigma and unit, not {mu}, {sigma} and {unit}"
        )


@metric(
    "swap",
    setting=Setting(images=12, inits=8, weights="normal", fresh=True),
    needs={"patterns"},
    paper="peng2024swap",
    legacy=Setting(images=16, inits=32, weights="normal"),
    auto={"mu": _large, "sigma": _spread},
    check=_check,
)
def swap(seen: Observation, *, mu: float | None = None, sigma: float | None = None, unit: float = 1e6) -> float:
    """Distinct columns of the samples x units activation matrix (eq. 4): at most min(2^S, V).

    With `mu` and `sigma`, the regularised form (eq. 5-6): times exp(-(Theta - mu)^2 / sigma), Theta the number of
    parameters in units of `unit` (1e6 for benchmark networks; the published one-cell proxy counts in 1e3). Either may be
    `auto`: from quantiles q of the sizes of 100 random networks, mu = q(0.9), since published and measured orders are best
    near the largest networks, and sigma = (q(0.9) - q(0.1))^2, which leaves a small network exp(-1) of its count. A search
    fixes both when it starts, from its seed and the sizes of its target.

    The published code scores one batch of 16 images (the paper says 32) 32 times (legacy). Here each initialisation sees
    its own images, since the draw of images moves the ranking more than the draw of weights, and 12 of them: fewer
    saturate wide networks, more order DARTS cells worse.
    """
    if seen.patterns.units == 0:
        raise Undefined("the network has no activation whose sign could be read")
    count = seen.patterns.distinct_units()
    if mu is None or sigma is None:
        return count
    return count * math.exp(-((seen.parameters / unit - mu) ** 2) / sigma)
