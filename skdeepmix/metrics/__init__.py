"""Scores of clusters, with and without known classes, and of samples."""

from skdeepmix.metrics._agreement import label_agreement
from skdeepmix.metrics._neighbors import compression_score, modularity_score
from skdeepmix.metrics._posterior import (
    posterior_entropy,
    posterior_mutual_information,
)
from skdeepmix.metrics._scorers import (
    compression_scorer,
    entropy_scorer,
    modularity_scorer,
    mutual_information_scorer,
)
from skdeepmix.metrics._supervised import (
    clustering_accuracy,
    makhzani_accuracy,
    purity_score,
)
from skdeepmix.metrics._two_sample import (
    frechet_distance,
    mmd_score,
    parzen_log_likelihood,
)

__all__ = [
    "clustering_accuracy",
    "compression_score",
    "compression_scorer",
    "entropy_scorer",
    "frechet_distance",
    "label_agreement",
    "makhzani_accuracy",
    "mmd_score",
    "modularity_score",
    "modularity_scorer",
    "mutual_information_scorer",
    "parzen_log_likelihood",
    "posterior_entropy",
    "posterior_mutual_information",
    "purity_score",
]
