"""Densities and divergences of diagonal Gaussians."""

import math

LOG_2PI = math.log(2 * math.pi)
# Log-variances that a network returns are kept within these limits, so that exp()
# neither over- nor underflows.
LOG_VAR_RANGE = (-10.0, 10.0)


def gaussian_log_prob(x, mean, log_var):
    r"""Log-density of diagonal Gaussians, in nats.

    .. math:: \log N(x; \mu, \sigma^2) = -\tfrac12 \sum_d \left[ \log 2\pi
        + \log \sigma_d^2 + (x_d - \mu_d)^2 / \sigma_d^2 \right]

    Parameters
    ----------
    x, mean, log_var : torch.Tensor of shape (..., n_dims)
        Points, means and log-variances; their shapes are broadcast.

    Returns
    -------
    log_prob : torch.Tensor of shape (...)
        Log-densities.
    """
    scaled = (x - mean).square() * (-log_var).exp()
    return -0.5 * (LOG_2PI + log_var + scaled).sum(-1)


def gaussian_entropy(log_var):
    r"""Entropy of diagonal Gaussians, in nats.

    .. math:: H = \tfrac12 \sum_d \left[ 1 + \log 2\pi + \log \sigma_d^2 \right]

    Parameters
    ----------
    log_var : torch.Tensor of shape (..., n_dims)
        Log-variances.

    Returns
    -------
    entropy : torch.Tensor of shape (...)
        Entropies, of any sign.
    """
    return 0.5 * (1 + LOG_2PI + log_var).sum(-1)


def gaussian_kl(mean, log_var, prior_mean=None, prior_log_var=None):
    r"""Kullback-Leibler divergence between diagonal Gaussians, in nats.

    .. math:: KL = \tfrac12 \sum_d \left[ \log \frac{s_d^2}{\sigma_d^2}
        + \frac{\sigma_d^2 + (\mu_d - m_d)^2}{s_d^2} - 1 \right]

    Parameters
    ----------
    mean, log_var : torch.Tensor of shape (..., n_dims)
        Mean and log-variance of the first Gaussian.
    prior_mean, prior_log_var : torch.Tensor of shape (..., n_dims) or None
        Mean and log-variance of the second; None is that of the standard normal.

    Returns
    -------
    kl : torch.Tensor of shape (...)
        Divergences, at least 0; shapes are broadcast.
    """
    gap = log_var
    scaled = (mean if prior_mean is None else mean - prior_mean).square()
    if prior_log_var is not None:
        gap = log_var - prior_log_var
        scaled = scaled * (-prior_log_var).exp()
    # expm1: exp(gap) - 1 - gap would round to less than 0 for close Gaussians.
    return 0.5 * (scaled + gap.expm1() - gap).sum(-1)
