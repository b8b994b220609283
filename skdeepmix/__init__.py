"""Deep mixture models that behave like KMeans and GaussianMixture."""

import importlib as _importlib

from skdeepmix._autoencoder import Autoencoder
from skdeepmix._gaussian_mixture_vae import GaussianMixtureVAE
from skdeepmix._gumbel_softmax_vae import GumbelSoftmaxVAE
from skdeepmix._mixture_of_networks import MixtureOfNetworks
from skdeepmix._mixture_of_vaes import MixtureOfVAEs
from skdeepmix._mpcc import MPCC

__version__ = "0.1.0"

__all__ = [
    "MPCC",
    "Autoencoder",
    "GaussianMixtureVAE",
    "GumbelSoftmaxVAE",
    "MixtureOfNetworks",
    "MixtureOfVAEs",
    "__version__",
]

# Imported when they are first asked for, as in scikit-learn.
_SUBMODULES = [
    "base",
    "datasets",
    "distributions",
    "initialization",
    "losses",
    "metrics",
    "model_selection",
    "networks",
    "utils",
]


def __dir__():
    return sorted({*globals(), *_SUBMODULES})


def __getattr__(name):
    if name in _SUBMODULES:
        return _importlib.import_module(f"skdeepmix.{name}")
    raise AttributeError(f"module 'skdeepmix' has no attribute {name!r}")
