"""Deep mixture models that behave like KMeans and GaussianMixture."""

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
