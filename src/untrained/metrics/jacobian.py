"""Metrics of the Jacobian: how the outputs answer to each image.

Mellor et al., "Neural Architecture Search without Training", first version (jacov); Lopes et al., "EPE-NAS", ICANN 2021.
"""

import numpy as np

from untrained.metrics.metric import Undefined, metric
from untrained.probe.observation import Observation
from untrained.probe.setting import Setting

_STABILISER = 1e-5


_JACOV = Setting(images=64, weights="default")


@metric("jacov", setting=_JACOV, paper="mellor2021nwot", legacy=_JACOV)
def jacov(seen: Observation, *, legacy: bool = False) -> float:
    """-sum of ln(lambda + k) + 1 / (lambda + k), k = 1e-5, over the eigenvalues of the correlations between the images'
    Jacobians.

    The matrix is symmetric, and its eigenvalues are computed as such and are at least 0. legacy: by a solver for any
    matrix, whose rounding errors below -k leave no value.
    """
    correlations = _correlations(_jacobian(seen))
    if legacy:
        spectrum = np.linalg.eigvals(correlations) + _STABILISER
        if np.iscomplexobj(spectrum) or spectrum.min() <= 0:
            raise Undefined("rounding made an eigenvalue complex or negative; jacov without `legacy` has a value")
    else:
        spectrum = np.linalg.eigvalsh(correlations).clip(0.0) + _STABILISER
    return -float((np.log(spectrum) + 1 / spectrum).sum())


_EPE = Setting(images=256, weights="default", labels=True)


@metric("epe_nas", setting=_EPE, paper="lopes2021epenas", legacy=_EPE)
def epe_nas(seen: Observation, *, legacy: bool = False) -> float:
    """Sum over classes of |sum ln(|C| + 1e-5)|, C the correlations of a class' Jacobians; with over 100 outputs, the sum
    over pairs of classes of the difference between those sums, each divided by its class' images, divided by the number
    of classes seen. legacy: there, classes of one image are passed over.
    """
    jacobian, classes = _jacobian(seen), seen.labels.cpu().numpy()
    groups = [jacobian[classes == label] for label in np.unique(classes)]
    if legacy and seen.num_classes > 100:
        groups = [group for group in groups if len(group) > 1]
    sums = [float(np.log(np.abs(_correlations(group)) + _STABILISER).sum()) for group in groups]
    if seen.num_classes <= 100:
        return float(np.abs(sums).sum())
    per_image = np.array([total / len(group) for total, group in zip(sums, groups, strict=True)])
    return float(np.abs(per_image[:, None] - per_image[None, :]).sum() / len(per_image))


def _jacobian(seen: Observation) -> np.ndarray:
    jacobian: np.ndarray = seen.jacobian.double().cpu().numpy()
    if len(jacobian) < 2:
        raise Undefined("one image has no correlation with others; give at least two")
    if (jacobian.std(axis=1) == 0).any():
        raise Undefined("the output does not depend on some image, so its Jacobian has no correlation with others")
    return jacobian


def _correlations(rows: np.ndarray) -> np.ndarray:
    return np.atleast_2d(np.corrcoef(rows))
