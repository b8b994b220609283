"""Divergences of categorical distributions."""


def categorical_kl(log_resp, log_weights):
    r"""Kullback-Leibler divergence between categorical distributions, in nats.

    .. math:: KL = \sum_k r_k (\log r_k - \log \pi_k)

    Parameters
    ----------
    log_resp : torch.Tensor of shape (..., n_clusters)
        Normalised log-probabilities; ``-inf`` counts as probability 0.
    log_weights : torch.Tensor of shape (n_clusters,)
        Normalised log-probabilities of the prior.

    Returns
    -------
    kl : torch.Tensor of shape (...)
        Divergences, at least 0.
    """
    # A lower limit stands in for log 0: 0 * -inf would be NaN, in the gradient too.
    log_resp = log_resp.clamp(min=-80)
    return (log_resp.exp() * (log_resp - log_weights)).sum(-1)
