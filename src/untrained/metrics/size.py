"""Size as a metric: the baseline every other metric has to beat."""

from untrained.metrics.metric import metric
from untrained.probe.observation import Observation
from untrained.probe.setting import Setting

_SETTING = Setting(images=1, weights="keep")


@metric("params", setting=_SETTING)
def params(seen: Observation) -> float:
    """Number of trainable parameters."""
    return seen.parameters


@metric("macs", setting=_SETTING)
def macs(seen: Observation) -> float:
    """Multiply-accumulate operations of convolutions and linear layers for one image."""
    return seen.macs
