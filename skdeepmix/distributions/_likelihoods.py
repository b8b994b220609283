"""Distributions of the data given the output of a decoder."""

import math
from abc import ABC, abstractmethod

import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits, softplus

from skdeepmix.distributions._gaussian import standard_normal

# In units of the scaled data: the noise never falls below exp(-6), so that constant
# features cannot drive the likelihood to infinity (Rybkin et al. 2021).
MIN_LOG_SCALE = -6.0
# Well below the data's own scale: noise as large as the data leaves latents unused,
# from where training does not recover.
START_LOG_SCALE = -1.0
# An autoencoder with as many latents as features has hardly any error, but draws of its
# latents have, which less noise would make hundreds or thousands of nats.
LEAST_CALIBRATED = -2.0
# The smallest normal number of float32, about: has a finite logarithm.
LEAST_PROBABILITY = 1e-37


class Likelihood(nn.Module, ABC):
    """Distribution p(x | z) of a row given the output of the decoder.

    Attributes
    ----------
    rescales : bool
        Whether rows are centred and scaled; else they lie in [0, 1] as they are.
    """

    rescales: bool

    @abstractmethod
    def log_prob(self, x, out):
        """Log-likelihood of rows.

        Parameters
        ----------
        x : torch.Tensor of shape (n, n_features)
            Rows.
        out : torch.Tensor of shape (..., n, n_features)
            Output of the decoder.

        Returns
        -------
        log_prob : torch.Tensor of shape (..., n)
            In nats, summed over the features.
        """

    @abstractmethod
    def mean(self, out):
        """Expected rows.

        Parameters
        ----------
        out : torch.Tensor of shape (..., n_features)
            Output of the decoder.

        Returns
        -------
        mean : torch.Tensor of shape (..., n_features)
            In model units.
        """

    @abstractmethod
    def log_prob_of_mixed_mean(self, x, out, weights):
        """Log-likelihood of rows around the mean of several decoders.

        Parameters
        ----------
        x : torch.Tensor of shape (n, n_features)
            Rows.
        out : torch.Tensor of shape (n_decoders, n, n_features)
            Outputs of the decoders.
        weights : torch.Tensor of shape (n, n_decoders)
            Weights of their expected rows, with sum 1.

        Returns
        -------
        log_prob : torch.Tensor of shape (n,)
            In nats, summed over the features.
        """

    @abstractmethod
    def sample(self, mean, generator):
        """Draw rows around their expectation.

        Parameters
        ----------
        mean : torch.Tensor of shape (..., n_features)
            Expected rows.
        generator : torch.Generator
            Source of randomness.

        Returns
        -------
        x : torch.Tensor of shape (..., n_features)
            Rows.
        """

    def calibrate(self, mean_square, least=LEAST_CALIBRATED):
        """Set the noise, if there is a scale to set.

        Parameters
        ----------
        mean_square : torch.Tensor of shape ()
            Mean squared error of the decoder, in squared model units: the scale is its
            root.
        least : float, default=-2.0
            Logarithm of the least scale.
        """


class GaussianLikelihood(Likelihood):
    r"""Gaussian noise of one learned scale around the output of the decoder.

    .. math:: \log p(x | z) = \sum_d \log N(x_d; f_d(z), \sigma^2)

    References
    ----------
    .. [1] Rybkin, Daniilidis, Levine, "Simple and effective VAE training with
       calibrated decoders", ICML 2021, Section 3: one learned scale.
    """

    rescales = True

    def __init__(self):
        super().__init__()
        excess = START_LOG_SCALE - MIN_LOG_SCALE
        self.raw_scale = nn.Parameter(torch.tensor(math.log(math.expm1(excess))))

    @property
    def log_scale(self):
        """Logarithm of the noise scale, in units of the scaled data."""
        return MIN_LOG_SCALE + softplus(self.raw_scale)

    def calibrate(self, mean_square, least=LEAST_CALIBRATED):
        log_scale = (0.5 * mean_square.log()).clamp(min=least)
        self.raw_scale.copy_((log_scale - MIN_LOG_SCALE).expm1().log())

    def log_prob(self, x, out):
        log_scale = self.log_scale
        squares = (x - out).square().sum(-1) * torch.exp(-2 * log_scale)
        constant = x.shape[-1] * (math.log(2 * math.pi) + 2 * log_scale)
        return -0.5 * (squares + constant)

    def mean(self, out):
        return out

    def log_prob_of_mixed_mean(self, x, out, weights):
        return self.log_prob(x, mix(out, weights))

    def sample(self, mean, generator):
        noise = standard_normal(mean.shape, mean, generator)
        return mean + self.log_scale.exp() * noise


class BernoulliLikelihood(Likelihood):
    r"""Independent Bernoulli variables with the output of the decoder as logits.

    .. math:: \log p(x | z) = \sum_d x_d \log p_d + (1 - x_d) \log (1 - p_d)

    Grey values in [0, 1] are accepted, as the papers do; the number is then a
    cross-entropy and no log-density.
    """

    rescales = False

    def log_prob(self, x, out):
        x = x.expand(out.shape)
        return -binary_cross_entropy_with_logits(out, x, reduction="none").sum(-1)

    def mean(self, out):
        return out.sigmoid()

    def log_prob_of_mixed_mean(self, x, out, weights):
        # Both probabilities, since 1 - p is 0 long before the other sigmoid is.
        yes, no = (mix(logits.sigmoid(), weights) for logits in (out, -out))
        log_yes, log_no = (p.clamp(min=LEAST_PROBABILITY).log() for p in (yes, no))
        return (x * log_yes + (1 - x) * log_no).sum(-1)

    def sample(self, mean, generator):
        return torch.bernoulli(mean, generator=generator)


def mix(rows, weights):
    """Weighted means of rows of several decoders.

    Parameters
    ----------
    rows : torch.Tensor of shape (n_decoders, n, n_features)
        Rows.
    weights : torch.Tensor of shape (n, n_decoders) or (n_decoders,)
        Weights, of each row or of all.

    Returns
    -------
    mean : torch.Tensor of shape (n, n_features)
        Means.
    """
    # No matrix product: half precision would round probabilities to 0 and 1.
    return (rows * weights.expand(rows.shape[1], -1).T.unsqueeze(2)).sum(0)


#: Likelihoods by the value of an estimator's `likelihood` parameter.
LIKELIHOODS = {"gaussian": GaussianLikelihood, "bernoulli": BernoulliLikelihood}
