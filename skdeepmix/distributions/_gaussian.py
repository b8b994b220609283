"""Gaussian noise and draws."""

import torch


def standard_normal(shape, like, generator):
    """Draw standard normal noise.

    Parameters
    ----------
    shape : tuple of int
        Shape of the noise.
    like : torch.Tensor
        Whose type and device the noise gets.
    generator : torch.Generator
        Source of randomness, on that device.

    Returns
    -------
    noise : torch.Tensor
        The noise; torch's global random state is not touched.
    """
    return torch.randn(shape, dtype=like.dtype, device=like.device, generator=generator)


def gaussian_sample(mean, log_var, noise):
    r"""Draw from diagonal Gaussians.

    .. math:: x = \mu + \sigma \epsilon, \quad \epsilon \sim N(0, 1)

    (reparametrised, Section 2.4 of [1]_).

    Parameters
    ----------
    mean, log_var : torch.Tensor of shape (..., n_dims)
        Means and log-variances.
    noise : torch.Tensor of shape (..., n_dims)
        Standard normal noise. All shapes are broadcast.

    Returns
    -------
    x : torch.Tensor of shape (..., n_dims)
        Draws, through which gradients reach the parameters.

    References
    ----------
    .. [1] D. P. Kingma and M. Welling. "Auto-Encoding Variational Bayes". ICLR 2014.
    """
    return mean + (0.5 * log_var).exp() * noise
