"""Distributions that are parts of the models."""

from skdeepmix.distributions._likelihoods import (
    LIKELIHOODS,
    BernoulliLikelihood,
    GaussianLikelihood,
    Likelihood,
)
from skdeepmix.distributions._noise import standard_normal
from skdeepmix.distributions._parzen import parzen_log_prob

__all__ = [
    "LIKELIHOODS",
    "BernoulliLikelihood",
    "GaussianLikelihood",
    "Likelihood",
    "parzen_log_prob",
    "standard_normal",
]
