"""How well clusters match known classes, and how good they look without any."""

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

__all__ = [
    "clustering_accuracy",
    "compression_score",
    "compression_scorer",
    "entropy_scorer",
    "label_agreement",
    "makhzani_accuracy",
    "modularity_score",
    "modularity_scorer",
    "mutual_information_scorer",
    "posterior_entropy",
    "posterior_mutual_information",
    "purity_score",
]
