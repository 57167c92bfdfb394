"""Synaptic flow: SynFlow and its logarithmic form.

Tanaka et al., "Pruning neural networks without any data by iteratively conserving synaptic flow", NeurIPS 2020; scored
over networks by Abdelfattah et al., "Zero-Cost Proxies for Lightweight NAS", ICLR 2021; LogSynFlow by Cavagnero et al.,
"FreeREA: Training-Free Evolution-based Architecture Search", WACV 2023.
"""

from untrained.metrics.metric import metric
from untrained.probe.observation import Observation
from untrained.probe.setting import Setting

# FreeREA averages 3 initialisations (`legacy`); they differ by less than a percent, so one does for ranking.
_SETTING = Setting(images=1, weights="kaiming_fan_out", source="ones")
_LEGACY = Setting(images=1, inits=3, weights="kaiming_fan_out", source="ones")


@metric("synflow", setting=_SETTING, needs={"flow"}, paper="tanaka2020synflow", legacy=_LEGACY)
def synflow(seen: Observation) -> float:
    """Sum of |theta * dR/dtheta| over convolution and linear weights, R the output of the |theta| network on ones.

    Normalisation is bypassed and everything is float64: float32 overflows on deep cells.
    """
    return sum(
        float((weight * gradient).abs().sum())
        for weight, gradient in zip(seen.flow.weights, seen.flow.gradients, strict=True)
    )


@metric("logsynflow", setting=_SETTING, needs={"flow"}, paper="cavagnero2023freerea", legacy=_LEGACY)
def logsynflow(seen: Observation) -> float:
    """Sum of |theta * ln(1 + dR/dtheta)|, on the same pass as `synflow`."""
    return sum(
        float((weight * gradient.log1p()).abs().sum())
        for weight, gradient in zip(seen.flow.weights, seen.flow.gradients, strict=True)
    )
