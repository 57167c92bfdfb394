"""How alike architectures are: alignment, population matrices, diversity, clusters, motifs, contrasts.

Ávila Pava, Groh, Kist, "Sequence Alignment-based Similarity Metric in Evolutionary Neural Architecture Search", 2024.
"""

from untrained.alignment.alignment import Alignment, Edit, align, similarity, similarity_matrix
from untrained.alignment.charts import Chart, chart
from untrained.alignment.clusters import Clusters, cluster
from untrained.alignment.contrasts import Contrast, Effect, contrasts, effects
from untrained.alignment.costs import Match
from untrained.alignment.motifs import Motif, motifs
from untrained.alignment.population import Population, diversity

__all__ = [
    "Alignment",
    "Chart",
    "Clusters",
    "Contrast",
    "Edit",
    "Effect",
    "Match",
    "Motif",
    "Population",
    "align",
    "chart",
    "cluster",
    "contrasts",
    "diversity",
    "effects",
    "motifs",
    "similarity",
    "similarity_matrix",
]
