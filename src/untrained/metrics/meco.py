"""MeCo: the smallest eigenvalue of the correlations between the channels of each feature map.

Jiang et al., "MeCo: Zero-Shot NAS with One Data and Single Forward Pass via Minimum Eigenvalue of Correlation", NeurIPS
2023.
"""

import torch

from untrained.metrics.metric import metric
from untrained.probe.observation import Observation
from untrained.probe.setting import Setting


@metric(
    "meco",
    setting=Setting(images=1, weights="default", source="noise"),
    needs={"feature_maps"},
    paper="jiang2023meco",
    legacy=Setting(images=1, weights="default", source="noise", side=64),
)
def meco(seen: Observation) -> float:
    """Sum over all modules, containers included, of lambda_min of the channel correlations of the first sample's map.

    Correlations that are not finite count 0. Noise has the images' size; legacy: 64x64 pixels, whatever they have.
    """
    total = 0.0
    for feature in seen.feature_maps:
        channels = feature[0].flatten(1).double()
        if channels.shape[1] < 2:
            continue
        correlation = torch.corrcoef(channels).view(len(channels), -1)
        total += float(torch.linalg.eigvalsh(correlation.nan_to_num(0.0, 0.0, 0.0))[0])
    return total
