"""How alike architectures are: alignment, population matrices, diversity, clusters, motifs, contrasts.

Ávila Pava, Groh, Kist, "Sequence Alignment-based Similarity Metric in Evolutionary Neural Architecture Search", 2024.
"""

import sys
from types import ModuleType
from typing import Any

from untrained.architecture import Architecture
from untrained.similarity.alignment import Alignment, Edit, align, similarity, similarity_matrix
from untrained.similarity.clusters import Clusters, cluster
from untrained.similarity.contrasts import Contrast, Effect, contrasts, effects
from untrained.similarity.costs import Match
from untrained.similarity.motifs import Motif, motifs
from untrained.similarity.population import Population, diversity

__all__ = [
    "Alignment",
    "Clusters",
    "Contrast",
    "Edit",
    "Effect",
    "Match",
    "Motif",
    "Population",
    "align",
    "cluster",
    "contrasts",
    "diversity",
    "effects",
    "motifs",
    "similarity",
    "similarity_matrix",
]


class _Package(ModuleType):
    """This package bears the name of its main function, and importing it binds that name in `untrained`: so that
    ``untrained.similarity(a, b)`` works at any time, the package can be called."""

    def __call__(self, *architectures: Architecture | str, **options: Any) -> float:
        return similarity(*architectures, **options)


sys.modules[__name__].__class__ = _Package
