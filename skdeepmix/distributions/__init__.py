"""Distributions that are parts of the models."""

from skdeepmix.distributions._dirichlet import dirichlet_log_sample
from skdeepmix.distributions._gaussian import gaussian_sample, standard_normal
from skdeepmix.distributions._gumbel import gumbel_softmax_sample
from skdeepmix.distributions._likelihoods import (
    LIKELIHOODS,
    BernoulliLikelihood,
    GaussianLikelihood,
    Likelihood,
)
from skdeepmix.distributions._parzen import parzen_bandwidths, parzen_log_prob

__all__ = [
    "LIKELIHOODS",
    "BernoulliLikelihood",
    "GaussianLikelihood",
    "Likelihood",
    "dirichlet_log_sample",
    "gaussian_sample",
    "gumbel_softmax_sample",
    "parzen_bandwidths",
    "parzen_log_prob",
    "standard_normal",
]
