"""ZiCo: gradients that are large and steady.

Li et al., "ZiCo: Zero-shot NAS via Inverse Coefficient of Variation on Gradients", ICLR 2023.
"""

import math

import torch

from untrained.metrics.metric import Undefined, metric
from untrained.probe.observation import Observation
from untrained.probe.setting import Setting


@metric("zico", setting=Setting(images=64, weights="default", labels=True, batches=2), paper="li2023zico")
def zico(seen: Observation) -> float:
    """Sum over layers of ln sum of E|g| / sd(g) over batches at the same weights.

    sd is the biased one; weights with sd = 0 and layers that sum to 0 are left out. With two batches the ratio has no
    bound, so values are noisy.
    """
    total, counted = 0.0, 0
    for layer in zip(*(batch.gradients for batch in seen.batch_gradients), strict=True):
        gradients = torch.stack(layer).double()
        spread = gradients.std(dim=0, correction=0)
        steady = (gradients.abs().mean(0)[spread > 0] / spread[spread > 0]).sum()
        if steady > 0:
            total += math.log(steady)
            counted += 1
    if counted == 0:
        raise Undefined("no weight has a gradient that differs between batches")
    return total
