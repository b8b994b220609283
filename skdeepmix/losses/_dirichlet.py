"""Divergences of Dirichlet distributions."""

import torch


def dirichlet_kl(concentration, prior_concentration):
    r"""Kullback-Leibler divergence between Dirichlet distributions, in nats.

    .. math:: KL = \log \frac{\Gamma(a_0)}{\Gamma(b_0)}
        + \sum_k \log \frac{\Gamma(b_k)}{\Gamma(a_k)}
        + \sum_k (a_k - b_k) (\psi(a_k) - \psi(a_0)), \quad
        a_0 = \sum_k a_k, \quad b_0 = \sum_k b_k

    This is the last term of Eq. 8 of [1]_, for any prior.

    Parameters
    ----------
    concentration : torch.Tensor of shape (..., n_clusters)
        Concentrations :math:`a > 0` of the first distribution.
    prior_concentration : torch.Tensor of shape (..., n_clusters)
        Concentrations :math:`b > 0` of the second; shapes are broadcast.

    Returns
    -------
    kl : torch.Tensor of shape (...)
        Divergences, at least 0 but for rounding. Half precision is computed, and
        returned, in float32.

    References
    ----------
    .. [1] F. Ye and A. G. Bors. "Mixtures of Variational Autoencoders". IPTA 2020.

    Examples
    --------
    >>> import torch
    >>> from skdeepmix.losses import dirichlet_kl
    >>> kl = dirichlet_kl(torch.tensor([[1.0, 1.0], [5.0, 1.0]]), torch.ones(2))
    >>> print([f"{v:.2f}" for v in kl])
    ['0.00', '0.81']
    """
    a = concentration.to(torch.promote_types(concentration.dtype, torch.float32))
    a, b = torch.broadcast_tensors(a, prior_concentration.to(a))
    a_sum, b_sum = a.sum(-1, keepdim=True), b.sum(-1, keepdim=True)
    log_norm = a_sum.lgamma() - b_sum.lgamma()
    terms = b.lgamma() - a.lgamma() + (a - b) * (a.digamma() - a_sum.digamma())
    return log_norm.squeeze(-1) + terms.sum(-1)
