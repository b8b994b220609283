"""Cross-entropies and divergences of categorical distributions."""


def categorical_cross_entropy(log_resp, targets):
    r"""Mean cross-entropy against targets that some rows may not have, in nats.

    .. math:: H = -\frac{\sum_{ik} t_{ik} \log r_{ik}}{\max(1, \sum_{ik} t_{ik})}

    Parameters
    ----------
    log_resp : torch.Tensor of shape (n, n_clusters)
        Normalised log-probabilities.
    targets : torch.Tensor of shape (n, n_clusters)
        Probabilities, rows of zeros where there is no target; these do not dilute the
        others.

    Returns
    -------
    cross_entropy : torch.Tensor of shape ()
        At least 0, and 0 if no row has a target.
    """
    return -(targets * log_resp).sum() / targets.sum().clamp(min=1)


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
