"""Distributions that are parts of the models."""

from skdeepmix.distributions._likelihoods import (
    LIKELIHOODS,
    BernoulliLikelihood,
    GaussianLikelihood,
)

__all__ = ["LIKELIHOODS", "BernoulliLikelihood", "GaussianLikelihood"]
