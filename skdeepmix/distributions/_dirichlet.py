"""Draws from Dirichlet distributions."""

import torch


def dirichlet_log_sample(concentration, generator):
    r"""Draw logarithms of weights from Dirichlet distributions.

    .. math:: \log w = \operatorname{log\,softmax}(\log g), \quad
        \log g_k = \log h_k - \frac{E_k}{a_k}, \quad
        h_k \sim \operatorname{Gamma}(a_k + 1), \quad E_k \sim \operatorname{Exp}(1)

    Thus :math:`g_k = h_k U_k^{1 / a_k}` with uniform :math:`U_k` follows
    :math:`\operatorname{Gamma}(a_k)` (as [1]_ has it for :math:`a_k < 1`). In log space
    no draw underflows where concentrations are small and weights are all but one-hot.

    Parameters
    ----------
    concentration : torch.Tensor of shape (..., n_clusters)
        Concentrations :math:`a > 0`; in float32 from 1e-3.
    generator : torch.Generator
        Source of randomness, on the device of the concentrations; torch's global random
        state is not touched.

    Returns
    -------
    log_weights : torch.Tensor of shape (..., n_clusters)
        Normalised log-weights, of which gradients reach the concentrations by implicit
        reparametrisation [2]_. Half precision is computed, and returned, in float32.

    References
    ----------
    .. [1] G. Marsaglia and W. W. Tsang. "A Simple Method for Generating Gamma
           Variables". ACM Transactions on Mathematical Software 26(3), 2000.
    .. [2] M. Figurnov, S. Mohamed and A. Mnih. "Implicit Reparameterization Gradients".
           NeurIPS 2018.

    Examples
    --------
    >>> import torch
    >>> from skdeepmix.distributions import dirichlet_log_sample
    >>> generator = torch.Generator().manual_seed(0)
    >>> log_weights = dirichlet_log_sample(torch.full((2, 3), 0.1), generator)
    >>> print([f"{v:.4f}" for v in log_weights.exp().sum(1)])
    ['1.0000', '1.0000']
    """
    dtype = torch.promote_types(concentration.dtype, torch.float32)
    # Draws fill memory in its order: with one layout they depend on the values alone.
    concentration = concentration.to(dtype).contiguous()
    # What torch.distributions.Gamma calls, which itself takes no generator.
    gamma = torch._standard_gamma(concentration + 1, generator=generator)
    exponential = torch.empty_like(concentration).exponential_(generator=generator)
    return (gamma.log() - exponential / concentration).log_softmax(-1)
