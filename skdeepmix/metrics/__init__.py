"""How well clusters match known classes, and how sure a posterior is of them."""

from skdeepmix.metrics._posterior import (
    posterior_entropy,
    posterior_mutual_information,
)
from skdeepmix.metrics._supervised import (
    clustering_accuracy,
    makhzani_accuracy,
    purity_score,
)

__all__ = [
    "clustering_accuracy",
    "makhzani_accuracy",
    "posterior_entropy",
    "posterior_mutual_information",
    "purity_score",
]
