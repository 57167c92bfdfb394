"""Number of linear regions: distinct standard activation patterns.

Chen et al., "Neural Architecture Search on ImageNet in Four GPU Hours" (TE-NAS), ICLR 2021.
"""

from untrained.metrics.metric import Undefined, metric
from untrained.probe.observation import Observation
from untrained.probe.setting import Setting


@metric(
    "regions",
    setting=Setting(images=1000, inits=3, weights="kaiming_fan_in", source="crops"),
    needs={"patterns"},
    paper="chen2021tenas",
)
def regions(seen: Observation) -> float:
    """Distinct rows of the samples x units activation matrix, on small crops: whole images nearly always all differ.

    The published code takes one channel of 3x3 crops and a network of one channel without a stem; here crops keep their
    channels and the network is the one that is scored.
    """
    if seen.patterns.units == 0:
        raise Undefined("the network has no activation whose sign could be read")
    return seen.patterns.distinct_samples()
