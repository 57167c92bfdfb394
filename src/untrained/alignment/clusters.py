"""Groups of similar architectures: hierarchical clustering of a similarity matrix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from untrained.alignment.matrix import Floats
from untrained.errors import InputError

Method = Literal["average", "complete", "single", "weighted"]


@dataclass(frozen=True, slots=True, eq=False)
class Clusters:
    """A hierarchy of n architectures.

    linkage: the merges (n - 1, 4) in SciPy's format, heights in dissimilarity 1 - similarity; order: the leaves from
    left to right (n,), such that neighbours are as similar as the hierarchy allows (Bar-Joseph et al. 2001).
    """

    linkage: Floats
    order: NDArray[np.int64]

    def cut(self, *, similarity: float | None = None, count: int | None = None) -> NDArray[np.int64]:
        """The cluster of each architecture (n,), numbered from 0 in the order of the leaves.

        similarity: merge what is at least this similar, as the linkage measures it; or count: at most this many clusters.
        """
        from scipy.cluster import hierarchy

        if (similarity is None) == (count is None):
            raise InputError("cut takes either a similarity or a count of clusters")
        if count is not None and count < 1:
            raise InputError(f"a cut makes at least 1 cluster, not {count}")
        if len(self.order) < 2:
            return np.zeros(len(self.order), np.int64)
        if count is not None:
            labels = hierarchy.fcluster(self.linkage, count, criterion="maxclust")
        else:
            labels = hierarchy.fcluster(self.linkage, 1.0 - float(similarity or 0.0) + 1e-12, criterion="distance")
        names = {label: number for number, label in enumerate(dict.fromkeys(labels[self.order].tolist()))}
        return np.array([names[label] for label in labels.tolist()], np.int64)


def cluster(matrix: Floats, *, method: Method = "average") -> Clusters:
    """Hierarchical clustering of architectures with similarities `matrix` (n, n); n may be 0 or 1.

    method: how similar two clusters are; average: the mean over their pairs (UPGMA, default), complete: the least
    similar pair, single: the most similar pair, weighted: WPGMA. An asymmetric (legacy) matrix is averaged with its
    transpose.
    """
    from scipy.cluster import hierarchy
    from scipy.spatial.distance import squareform

    matrix = np.asarray(matrix, float)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise InputError(f"clusters need a square matrix of similarities, not one of shape {matrix.shape}")
    if not np.isfinite(matrix).all():
        raise InputError("clusters need finite similarities")
    if len(matrix) < 2:
        return Clusters(np.zeros((0, 4)), np.arange(len(matrix)))
    distances = 1.0 - (matrix + matrix.T) / 2.0
    np.fill_diagonal(distances, 0.0)
    condensed = np.clip(squareform(distances, checks=False), 0.0, None)
    linkage = hierarchy.linkage(condensed, method=method, optimal_ordering=True)
    return Clusters(linkage, hierarchy.leaves_list(linkage).astype(np.int64))
