"""Zen-score: how much the features move when Gaussian images do.

Lin et al., "Zen-NAS: A Zero-Shot NAS for High-Performance Deep Image Recognition", ICCV 2021.
"""

import math

from untrained.metrics.metric import Undefined, metric
from untrained.probe.observation import Observation
from untrained.probe.setting import Setting

GAMMA = 0.01


@metric(
    "zen",
    setting=Setting(images=16, inits=2, weights="normal", source="noise"),
    needs={"pools", "variances"},
    paper="lin2021zennas",
    legacy=Setting(images=16, inits=32, weights="normal", source="noise"),
)
def zen(seen: Observation) -> float:
    """ln E sum |phi(x) - phi(x + 0.01 z)| + sum over BN layers of ln sqrt(mean running variance).

    phi: the last feature map before the last pooling; x, z and the weights standard normal. The running variances are what
    two passes with momentum 0.1 leave of an initial 1, as in the published code, where they go on growing over its 32
    repeats; legacy: as many, but each starts at 1. The authors define it for plain networks; on cells it is computable, no
    more.
    """
    moved = seen.moved(GAMMA)
    if not seen.pools:
        raise Undefined("the network has no pooling layer, so no last feature map")
    change = float((seen.pools[-1] - moved.pools[-1]).abs().flatten(1).sum(1).double().mean())
    if change <= 0:
        raise Undefined("the features do not depend on the images")
    running = zip(seen.variances, moved.variances, strict=True)
    return math.log(change) + sum(
        0.5 * math.log(float((0.81 + 0.09 * first + 0.1 * second).mean())) for first, second in running
    )
