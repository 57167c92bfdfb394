"""Condition number of the neural tangent kernel.

Chen et al., "Neural Architecture Search on ImageNet in Four GPU Hours" (TE-NAS), ICLR 2021.
"""

import numpy as np
import torch

from untrained.metrics.metric import Undefined, metric
from untrained.probe.observation import Observation
from untrained.probe.setting import Setting

_COLUMNS = 1 << 16
"""How many columns of G are turned to float64 at a time."""


@metric("ntk", better="lower", setting=Setting(images=16), paper="chen2021tenas", legacy=Setting(images=72, inits=3))
def ntk(seen: Observation, *, legacy: bool = False) -> float:
    """lambda_max / lambda_min of G G^T, row i of G being the gradient of the summed logits of image i.

    Gradients run over all tensors with `weight` in their name, those of normalisation included. Eigenvalues in float64:
    the float32 ones of the published code may turn negative, and a negative ratio ranks best. A kernel that is singular
    to working precision has no condition number. legacy: the ratio in float32, 1e5 where that is no number, of 72 images
    and 3 initialisations (NAS-Bench-201; 14 images on DARTS).
    """
    gradients = seen.sample_gradients
    if legacy:
        lowest, *_, highest = np.linalg.eigvalsh((gradients @ gradients.T).cpu().numpy())
        return float(np.nan_to_num(highest / lowest, nan=1e5, posinf=np.inf, neginf=-np.inf))
    kernel = torch.zeros(len(gradients), len(gradients), dtype=torch.float64, device=gradients.device)
    for columns in torch.split(gradients, _COLUMNS, dim=1):
        wide = columns.double()
        kernel += wide @ wide.T
    spectrum = np.linalg.eigvalsh(kernel.cpu().numpy())
    if spectrum[-1] <= 0 or spectrum[0] <= spectrum[-1] * np.finfo(np.float64).eps * len(spectrum):
        raise Undefined("the kernel is singular to working precision (condition number = inf)")
    return float(spectrum[-1] / spectrum[0])
