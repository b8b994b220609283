"""Pure functions of tensors: densities, divergences and statistics."""

from skdeepmix.losses._categorical import categorical_kl
from skdeepmix.losses._dirichlet import dirichlet_kl
from skdeepmix.losses._gaussian import gaussian_kl, gaussian_log_prob
from skdeepmix.losses._hsic import dhsic, hsic
from skdeepmix.losses._mmd import median_distance, squared_mmd

__all__ = [
    "categorical_kl",
    "dhsic",
    "dirichlet_kl",
    "gaussian_kl",
    "gaussian_log_prob",
    "hsic",
    "median_distance",
    "squared_mmd",
]
