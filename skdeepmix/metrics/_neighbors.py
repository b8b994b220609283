"""Scores of clusters by the graph of nearest neighbours: no classes are needed."""

from numbers import Integral

import numpy as np
import torch
from sklearn.utils import check_array, check_consistent_length, check_scalar

from skdeepmix._data import Rows, Scaling
from skdeepmix._neighbor_graph import (
    compression,
    fuzzy_graph,
    modularity,
    principal_components,
)
from skdeepmix.metrics._supervised import check_labels


def compression_score(X, labels, *, n_neighbors=15):
    r"""Nats that clusters save in telling a walk from neighbour to neighbour.

    The map equation [1]_ is the length of the shortest description of a random walk
    that first names the cluster and then the row. This is how much shorter it is than
    without clusters:

    .. math::
        C = -h(q) + 2 \sum_k h(q_k) - \sum_k h(q_k + p_k), \quad h(t) = t \log t

    with the share :math:`p_k` of cluster k in the weights of all edges, the share
    :math:`q_k` of edges that leave it, and their sum q. Edges are those of UMAP's fuzzy
    graph of nearest neighbours [2]_ of the first 50 principal components.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Rows, or codes of them.
    labels : array-like of shape (n_samples,)
        Clusters, of any values.
    n_neighbors : int, default=15
        Number of neighbours of a row; at most n_samples - 1 are used.

    Returns
    -------
    score : float
        In nats per step, at most log(n_clusters); higher is better, 0 for a single
        cluster, and below 0 for labels that part neighbours.

    Raises
    ------
    ValueError
        If X has fewer than 3 rows, labels are not as many as rows, or `n_neighbors` is
        below 1.

    See Also
    --------
    modularity_score : Compares different numbers of clusters better.

    Notes
    -----
    It grows with the number of clusters for as long as these hang together. Its cost
    is that of the nearest neighbours: quadratic in n_samples for more than about 15
    features.

    References
    ----------
    .. [1] M. Rosvall, D. Axelsson and C. T. Bergstrom. "The map equation". European
           Physical Journal Special Topics 178, 2009, Eq. 4.
    .. [2] L. McInnes, J. Healy and J. Melville. "UMAP: Uniform manifold approximation
           and projection for dimension reduction". arXiv:1802.03426, 2018.

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from skdeepmix.metrics import compression_score
    >>> X, y = make_blobs(100, centers=[[0, 0], [99, 0]], random_state=0)
    >>> round(compression_score(X, y), 3)
    0.693
    """
    return compression(*_graph_and_labels(X, labels, n_neighbors))


def modularity_score(X, labels, *, n_neighbors=15):
    r"""Share of the edges between neighbours that lie within clusters, above chance.

    .. math:: Q = \sum_k (w_k - p_k^2)

    with the share :math:`w_k` of weights within cluster k and :math:`p_k` of all
    weights of its rows [1]_. Edges are those of :func:`compression_score`.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Rows, or codes of them.
    labels : array-like of shape (n_samples,)
        Clusters, of any values.
    n_neighbors : int, default=15
        Number of neighbours of a row; at most n_samples - 1 are used.

    Returns
    -------
    score : float
        At most 1 - 1 / n_clusters; higher is better, 0 for a single cluster, below 0
        for labels that part neighbours.

    Raises
    ------
    ValueError
        If X has fewer than 3 rows, labels are not as many as rows, or `n_neighbors` is
        below 1.

    See Also
    --------
    compression_score : Chooses better between clusterings of the same number.

    Notes
    -----
    It falls when a cluster that hangs together is split, so that it can compare
    different numbers of clusters. It favours clusters of equal size.

    References
    ----------
    .. [1] M. E. J. Newman and M. Girvan. "Finding and evaluating community structure in
           networks". Physical Review E 69, 2004, Eq. 5.

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from skdeepmix.metrics import modularity_score
    >>> X, y = make_blobs(100, centers=[[0, 0], [99, 0]], random_state=0)
    >>> round(modularity_score(X, y), 3)
    0.5
    """
    return modularity(*_graph_and_labels(X, labels, n_neighbors))


def _graph_and_labels(X, labels, n_neighbors):
    check_scalar(n_neighbors, "n_neighbors", Integral, min_val=1)
    X = check_array(X, accept_sparse="csr", ensure_min_samples=3)
    labels = check_labels(labels, "labels")
    check_consistent_length(X, labels)
    components = principal_components(
        Rows(X, Scaling.fit(X), dtype=torch.float64),
        np.arange(X.shape[0]),
        np.random.RandomState(0),
    )
    graph = fuzzy_graph(components, min(n_neighbors, X.shape[0] - 1))
    return graph, np.unique(labels, return_inverse=True)[1]
