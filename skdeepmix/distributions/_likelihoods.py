"""Distributions of the data given the output of a decoder."""

import math

import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits, softplus

# In units of the scaled data: the noise never falls below exp(-6), so that constant
# features cannot drive the likelihood to infinity (Rybkin et al. 2021).
MIN_LOG_SCALE = -6.0


class GaussianLikelihood(nn.Module):
    r"""Gaussian noise of one learned scale around the output of the decoder.

    .. math:: \log p(y | x) = \sum_d \log N(y_d; f_d(x), \sigma^2)

    Attributes
    ----------
    log_scale : torch.Tensor of shape ()
        Logarithm of the noise scale, in units of the scaled data.

    References
    ----------
    .. [1] Rybkin, Daniilidis, Levine, "Simple and effective VAE training with
       calibrated decoders", ICML 2021, Section 3: one learned scale.
    """

    rescales = True

    def __init__(self):
        super().__init__()
        # softplus(raw) = 6: the scale starts at 1, that of the data.
        self.raw_scale = nn.Parameter(torch.tensor(math.log(math.expm1(6.0))))

    @property
    def log_scale(self):
        """Logarithm of the noise scale."""
        return MIN_LOG_SCALE + softplus(self.raw_scale)

    def calibrate(self, mean_square):
        """Set the noise to a mean squared error, in squared units of the data."""
        excess = (0.5 * mean_square.log() - MIN_LOG_SCALE).clamp(min=0.1)
        self.raw_scale.copy_(excess.expm1().log())

    def log_prob(self, x, out):
        """Log-density of rows, in nats.

        Parameters
        ----------
        x : torch.Tensor of shape (n, n_features)
            Rows.
        out : torch.Tensor of shape (..., n, n_features)
            Output of the decoder.

        Returns
        -------
        log_prob : torch.Tensor of shape (..., n)
            Log-densities.
        """
        log_scale = self.log_scale
        squares = (x - out).square().sum(-1) * torch.exp(-2 * log_scale)
        constant = x.shape[-1] * (math.log(2 * math.pi) + 2 * log_scale)
        return -0.5 * (squares + constant)

    def mean(self, out):
        """Expected rows given the output of the decoder."""
        return out

    def sample(self, mean, generator):
        """Draw rows around their expectation, with explicit randomness."""
        noise = torch.randn(
            mean.shape, dtype=mean.dtype, device=mean.device, generator=generator
        )
        return mean + self.log_scale.exp() * noise


class BernoulliLikelihood(nn.Module):
    r"""Independent Bernoulli variables with the output of the decoder as logits.

    .. math:: \log p(y | x) = \sum_d y_d \log p_d + (1 - y_d) \log (1 - p_d)

    Grey values in [0, 1] are accepted, as the papers do; the number is then a
    cross-entropy and no log-density.
    """

    rescales = False

    def calibrate(self, mean_square):
        """Do nothing: there is no noise scale."""

    def log_prob(self, x, out):
        """Log-probability of rows, in nats.

        Parameters
        ----------
        x : torch.Tensor of shape (n, n_features)
            Rows, in [0, 1].
        out : torch.Tensor of shape (..., n, n_features)
            Output of the decoder.

        Returns
        -------
        log_prob : torch.Tensor of shape (..., n)
            Log-probabilities.
        """
        x = x.expand(out.shape)
        return -binary_cross_entropy_with_logits(out, x, reduction="none").sum(-1)

    def mean(self, out):
        """Expected rows given the output of the decoder."""
        return out.sigmoid()

    def sample(self, mean, generator):
        """Draw rows around their expectation, with explicit randomness."""
        return torch.bernoulli(mean, generator=generator)


LIKELIHOODS = {"gaussian": GaussianLikelihood, "bernoulli": BernoulliLikelihood}
