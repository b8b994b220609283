"""Pure functions of tensors: densities, divergences and statistics."""

from skdeepmix.losses._adversarial import hinge_critic_loss
from skdeepmix.losses._categorical import categorical_cross_entropy, categorical_kl
from skdeepmix.losses._dirichlet import dirichlet_kl
from skdeepmix.losses._gaussian import gaussian_entropy, gaussian_kl, gaussian_log_prob
from skdeepmix.losses._hsic import dhsic, hsic
from skdeepmix.losses._mmd import median_distance, squared_mmd

__all__ = [
    "categorical_cross_entropy",
    "categorical_kl",
    "dhsic",
    "dirichlet_kl",
    "gaussian_entropy",
    "gaussian_kl",
    "gaussian_log_prob",
    "hinge_critic_loss",
    "hsic",
    "median_distance",
    "squared_mmd",
]
