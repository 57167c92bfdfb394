"""GradSign: how far the gradients of single samples agree in sign.

Zhang and Jia, "GradSign: Model Performance Inference with Theoretical Insights", ICLR 2022.
"""

from untrained.metrics.metric import metric
from untrained.probe.observation import Observation
from untrained.probe.setting import Setting


@metric("gradsign", setting=Setting(images=32, weights="default", labels=True), paper="zhang2022gradsign")
def gradsign(seen: Observation) -> float:
    """Sum over weights of |sum over samples of sign(dL_i / dtheta)|, every sample a batch of its own."""
    return sum(float(total.abs().sum()) for total in seen.sign_sums)
