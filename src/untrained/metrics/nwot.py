"""NWOT (NASWOT): how differently the samples of a batch are processed.

Mellor et al., "Neural Architecture Search without Training", ICML 2021.
"""

import numpy as np

from untrained.metrics.metric import Undefined, metric
from untrained.probe.observation import Observation
from untrained.probe.setting import Setting


@metric(
    "nwot", setting=Setting(images=64), needs={"patterns"}, paper="mellor2021nwot", legacy=Setting(images=64, inits=3)
)
def nwot(seen: Observation) -> float:
    """log |det K|, K_ij = number of units on which samples i and j agree.

    K is exact (integers), its determinant float64. Two samples with equal patterns make K singular. The original first
    runs a backward pass to leave out units without a path to the output; a canonical architecture has none.
    legacy: the mean of three initialisations, as FreeREA takes it.
    """
    if seen.patterns.units == 0:
        raise Undefined("the network has no activation whose sign could be read")
    kernel = seen.patterns.agreement()
    if (np.triu(kernel, 1) == seen.patterns.units).any():
        raise Undefined("two images have the same activation pattern, so the kernel is singular (log det = -inf)")
    sign, logdet = np.linalg.slogdet(kernel)
    if sign <= 0:
        raise Undefined("the kernel is singular to working precision (log det = -inf)")
    return float(logdet)
