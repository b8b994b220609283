"""Scores of the posterior p(k given x) alone: no labels are needed."""

import numpy as np
from scipy.special import entr
from sklearn.utils import check_array

# float32 posteriors over a thousand clusters still sum to 1 well within this.
SUM_TOLERANCE = 1e-3


def posterior_entropy(proba):
    r"""Mean entropy of the cluster posteriors, in nats.

    .. math:: \frac1N \sum_i H\left(p(k \mid x_i)\right)
        = -\frac1N \sum_{i,k} p(k \mid x_i) \log p(k \mid x_i)

    It says how undecided the model is between its clusters: 0 when every row
    belongs to one cluster alone, :math:`\log K` when every row is spread evenly
    over all of them.

    Parameters
    ----------
    proba : array-like of shape (n_samples, n_clusters)
        Posterior of each row, as `predict_proba` returns it: at least 0, rows
        that sum to 1. Zeros are allowed.

    Returns
    -------
    entropy : float
        In nats, in [0, log(n_clusters)]; lower is more decided.

    Raises
    ------
    ValueError
        If `proba` is not a non-empty, finite 2-D array, has a negative entry, or
        has a row that does not sum to 1.

    See Also
    --------
    posterior_mutual_information : Does not reward the collapse to one cluster.

    Notes
    -----
    A low value is no proof of good clusters: a model that puts all rows into one
    cluster scores a perfect 0, and so does an over-confident one that is wrong.
    Compare only models with the same `n_clusters`.

    Examples
    --------
    >>> from skdeepmix.metrics import posterior_entropy
    >>> posterior_entropy([[1.0, 0.0], [0.0, 1.0]])
    0.0
    >>> round(posterior_entropy([[0.5, 0.5], [0.5, 0.5]]), 3)
    0.693
    """
    proba = check_proba(proba)
    return float(np.clip(_mean_entropy(proba), 0, np.log(proba.shape[1])))


def posterior_mutual_information(proba):
    r"""Mutual information between rows and clusters, in nats.

    .. math:: I = H\Big(\frac1N \sum_i p(k \mid x_i)\Big)
        - \frac1N \sum_i H\left(p(k \mid x_i)\right)

    It is high when the model decides firmly (second term) *and* uses its clusters
    evenly (first term) [1]_, [2]_, which makes it a criterion to choose between
    restarts without labels. Its largest value, :math:`\log K`, needs K clusters of
    equal size and certain assignments; it is 0 when all rows share one posterior,
    the collapse to a single cluster included.

    Parameters
    ----------
    proba : array-like of shape (n_samples, n_clusters)
        Posterior of each row, as `predict_proba` returns it: at least 0, rows
        that sum to 1. Zeros are allowed.

    Returns
    -------
    mutual_information : float
        In nats, in [0, log(n_clusters)]; higher is better.

    Raises
    ------
    ValueError
        If `proba` is not a non-empty, finite 2-D array, has a negative entry, or
        has a row that does not sum to 1.

    See Also
    --------
    posterior_entropy : The second term alone.

    Notes
    -----
    It measures confidence and balance, not truth: a confident, balanced partition
    along the wrong factor scores as high as the right one. It grows with
    `n_clusters`, so that models with different numbers of clusters cannot be
    compared by it, and it favours even clusters where the classes are uneven.

    References
    ----------
    .. [1] J. S. Bridle, A. J. R. Heading and D. J. C. MacKay. "Unsupervised
           Classifiers, Mutual Information and 'Phantom Targets'". NIPS 4, 1991.
    .. [2] A. Krause, P. Perona and R. Gomes. "Discriminative Clustering by
           Regularized Information Maximization". NIPS 23, 2010.

    Examples
    --------
    >>> from skdeepmix.metrics import posterior_mutual_information
    >>> round(posterior_mutual_information([[1.0, 0.0], [0.0, 1.0]]), 3)
    0.693
    >>> posterior_mutual_information([[1.0, 0.0], [1.0, 0.0]])
    0.0
    """
    proba = check_proba(proba)
    information = entr(proba.mean(axis=0)).sum() - _mean_entropy(proba)
    # Rounding may step over either end of the exact range.
    return float(np.clip(information, 0, np.log(proba.shape[1])))


def check_proba(proba):
    """Validate posteriors and return them in float64.

    Parameters
    ----------
    proba : array-like of shape (n_samples, n_clusters)
        Rows of probabilities.

    Returns
    -------
    proba : ndarray of shape (n_samples, n_clusters), float64
        The same rows.

    Raises
    ------
    ValueError
        If `proba` is not a non-empty, finite 2-D array, has a negative entry, or
        has a row that does not sum to 1.
    """
    proba = check_array(proba, dtype=np.float64, input_name="proba")
    if proba.min() < 0:
        raise ValueError(
            f"Expected proba >= 0 but got a smallest entry of {proba.min():.3g}. "
            "Pass the output of predict_proba, not its logarithm."
        )
    sums = proba.sum(axis=1)
    row = np.abs(sums - 1).argmax()
    if abs(sums[row] - 1) > SUM_TOLERANCE:
        raise ValueError(
            f"Expected each row of proba to sum to 1 but row {row} sums to "
            f"{sums[row]:.3g}. Pass the output of predict_proba."
        )
    return proba


def _mean_entropy(proba):
    return entr(proba).sum(axis=1).mean()
