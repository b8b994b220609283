"""Deep mixture models that behave like KMeans and GaussianMixture."""

from skdeepmix._autoencoder import Autoencoder
from skdeepmix._gaussian_mixture_vae import GaussianMixtureVAE
from skdeepmix._mixture_of_networks import MixtureOfNetworks

__version__ = "0.1.0"

__all__ = ["Autoencoder", "GaussianMixtureVAE", "MixtureOfNetworks", "__version__"]
