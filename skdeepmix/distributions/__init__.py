"""Distributions that are parts of the models."""

from skdeepmix.distributions._likelihoods import (
    LIKELIHOODS,
    BernoulliLikelihood,
    GaussianLikelihood,
    Likelihood,
)
from skdeepmix.distributions._noise import standard_normal

__all__ = [
    "LIKELIHOODS",
    "BernoulliLikelihood",
    "GaussianLikelihood",
    "Likelihood",
    "standard_normal",
]
