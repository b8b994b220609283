"""Relaxed categorical variables."""

import torch


def gumbel_softmax_sample(logits, temperature, generator):
    r"""Draw relaxed one-hot vectors.

    .. math:: y_k = \frac{\exp((l_k + G_k) / \tau)}{\sum_j \exp((l_j + G_j) / \tau)},
        \quad G_k = -\log E_k, \quad E_k \sim \operatorname{Exp}(1)

    (Eq. 2 of [1]_; the concrete distribution of [2]_). The largest entry is at k with
    the probability of the softmax of the logits, whatever the temperature; as it falls
    to zero, draws become one-hot.

    Parameters
    ----------
    logits : torch.Tensor of shape (..., n_clusters)
        Log-probabilities, normalised or not.
    temperature : float or torch.Tensor of shape ()
        Temperature :math:`\tau > 0`.
    generator : torch.Generator
        Source of randomness, on the device of the logits.

    Returns
    -------
    y : torch.Tensor of shape (..., n_clusters)
        Draws, positive with sum 1, through which gradients reach the logits.

    References
    ----------
    .. [1] E. Jang, S. Gu and B. Poole. "Categorical Reparameterization with
           Gumbel-Softmax". ICLR 2017.
    .. [2] C. J. Maddison, A. Mnih and Y. W. Teh. "The Concrete Distribution". ICLR
           2017.
    """
    draws = torch.empty_like(logits).exponential_(generator=generator)
    # An exponential draw may round to zero.
    gumbel = -draws.clamp(min=torch.finfo(logits.dtype).tiny).log()
    return ((logits + gumbel) / temperature).softmax(-1)
