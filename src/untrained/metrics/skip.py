"""Skip: how far the skip connections of a cell reach.

Cavagnero et al., "FreeREA: Training-Free Evolution-based Architecture Search", WACV 2023.
"""

from untrained.metrics.metric import Undefined, metric
from untrained.probe.observation import Observation
from untrained.probe.setting import Setting
from untrained.registry import SPACES


@metric("skip", setting=Setting(images=1, weights="keep"), paper="cavagnero2023freerea")
def skip(seen: Observation) -> float:
    """Mean over skip connections of (target - source - 1), 0 without any: a property of the architecture alone."""
    if seen.architecture is None:
        raise Undefined("a bare module has no genes to read; score an architecture")
    tokens = SPACES[seen.architecture.space].tokens(seen.architecture)
    spans = [
        token.get("target") - token.get("source") - 1
        for token in tokens
        if token.kind == "skip_connect" and token.get("target") is not None
    ]
    return sum(spans) / len(spans) if spans else 0.0
