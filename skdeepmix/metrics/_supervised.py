"""Scores of a clustering against known classes."""

import numpy as np
from scipy.optimize import linear_sum_assignment
from sklearn.metrics.cluster import contingency_matrix
from sklearn.utils import check_array, check_consistent_length, column_or_1d

from skdeepmix._sklearn_compat import is_pandas_na, is_scalar_nan
from skdeepmix.metrics._posterior import check_proba


def clustering_accuracy(labels_true, labels_pred):
    r"""Accuracy under the best one-to-one map of clusters to classes.

    .. math:: \mathrm{ACC} = \max_m \frac1N \sum_i
        \mathbf 1\left[y_i = m(c_i)\right]

    The maximum runs over the one-to-one maps `m` and is found by the Hungarian
    algorithm [1]_. It is the "ACC" of the deep clustering literature [2]_: the share
    of rows that a clusterer gets right once its clusters have been given names.

    Parameters
    ----------
    labels_true : array-like of shape (n_samples,)
        Classes: integers, strings or any other sortable type.
    labels_pred : array-like of shape (n_samples,)
        Clusters, of any sortable type, in any number.

    Returns
    -------
    accuracy : float
        In (0, 1]; 1 when clusters and classes are the same partition.

    Raises
    ------
    ValueError
        If the labels are empty, not 1-D, missing (NaN), or of different lengths.

    See Also
    --------
    purity_score : Lets several clusters share one class.
    makhzani_accuracy : Names each cluster after a single row.

    Notes
    -----
    With more clusters than classes the clusters left over count as wrong, and with
    fewer the classes left over do: an otherwise perfect over-clustering is punished.
    Where one class holds most rows, putting everything into one cluster already
    scores the share of that class. Complexity: :math:`O(N \log N)` for the
    contingency table and cubic in the smaller number of labels for the assignment.

    References
    ----------
    .. [1] H. W. Kuhn. "The Hungarian Method for the Assignment Problem". Naval
           Research Logistics Quarterly 2, 1955.
    .. [2] J. Xie, R. Girshick and A. Farhadi. "Unsupervised Deep Embedding for
           Clustering Analysis". ICML 2016.

    Examples
    --------
    >>> from skdeepmix.metrics import clustering_accuracy
    >>> clustering_accuracy(["a", "a", "b", "b"], [1, 1, 0, 0])
    1.0
    >>> clustering_accuracy(["a", "a", "b", "b"], [0, 0, 1, 2])
    0.75
    """
    labels_true, labels_pred = _check_label_pair(labels_true, labels_pred)
    counts = contingency_matrix(labels_true, labels_pred)
    matched = linear_sum_assignment(counts, maximize=True)
    return float(counts[matched].sum() / len(labels_true))


def purity_score(labels_true, labels_pred):
    r"""Accuracy when each cluster is named after its most frequent class.

    .. math:: \mathrm{CP} = \frac1N \sum_j \max_i \left| C_i \cap X_j \right|

    for classes :math:`C_i` and clusters :math:`X_j` (Eq. 10 of [1]_). Several
    clusters may take the same class.

    Parameters
    ----------
    labels_true : array-like of shape (n_samples,)
        Classes: integers, strings or any other sortable type.
    labels_pred : array-like of shape (n_samples,)
        Clusters, of any sortable type, in any number.

    Returns
    -------
    purity : float
        In (0, 1]; never below `clustering_accuracy`, and equal to it when the most
        frequent classes of the clusters are all different.

    Raises
    ------
    ValueError
        If the labels are empty, not 1-D, missing (NaN), or of different lengths.

    See Also
    --------
    clustering_accuracy : Allows each class one cluster.
    makhzani_accuracy : Names each cluster after a single row.

    Notes
    -----
    Purity cannot fall when a cluster is split, so it grows with the number of
    clusters and is 1 when each row is a cluster of its own. Compare purities at the
    same number of clusters only.

    References
    ----------
    .. [1] E. Banijamali, A. Ghodsi and P. Poupart. "Generative Mixture of Networks".
           IJCNN 2017, arXiv:1702.03307.

    Examples
    --------
    >>> from skdeepmix.metrics import purity_score
    >>> purity_score(["a", "a", "b", "b"], [0, 0, 1, 2])
    1.0
    >>> purity_score(["a", "a", "b", "b"], [0, 0, 0, 0])
    0.5
    """
    labels_true, labels_pred = _check_label_pair(labels_true, labels_pred)
    # Sparse, since the clusters may be as many as the rows.
    counts = contingency_matrix(labels_true, labels_pred, sparse=True)
    return float(counts.max(axis=0).sum() / len(labels_true))


def makhzani_accuracy(labels_true, proba):
    """Accuracy when each cluster is named after its single surest row.

    The protocol of [1]_, also used in Section 4.2 and Table 1 of [2]_: for each
    cluster k find the row with the largest posterior of k, and give the class of
    that row to all rows whose most probable cluster is k.

    Parameters
    ----------
    labels_true : array-like of shape (n_samples,)
        Classes: integers, strings or any other sortable type.
    proba : array-like of shape (n_samples, n_clusters)
        Posterior of each row, as `predict_proba` returns it: at least 0, rows
        that sum to 1.

    Returns
    -------
    accuracy : float
        In [0, 1]; never above `purity_score` of the most probable clusters.

    Raises
    ------
    ValueError
        If the labels are empty, not 1-D, missing (NaN), or of another length than
        `proba`; if `proba` is not a finite 2-D array, has a negative entry, or has a
        row that does not sum to 1.

    See Also
    --------
    purity_score : Names each cluster after all of its rows.
    clustering_accuracy : Allows each class one cluster.

    Notes
    -----
    One row decides a whole cluster, so this is a noisy lower estimate of purity,
    and like purity it grows with the number of clusters. Ties go to the first row:
    where many posteriors round to exactly 1, as in float32, the number depends on
    the order of the rows, and a score in float64 says more.

    References
    ----------
    .. [1] A. Makhzani, J. Shlens, N. Jaitly, I. Goodfellow and B. Frey.
           "Adversarial Autoencoders". arXiv:1511.05644, 2015.
    .. [2] N. Dilokthanakul et al. "Deep Unsupervised Clustering with Gaussian
           Mixture Variational Autoencoders". arXiv:1611.02648, 2016.

    Examples
    --------
    >>> from skdeepmix.metrics import makhzani_accuracy
    >>> proba = [[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]]
    >>> makhzani_accuracy(["a", "a", "b"], proba)
    1.0
    """
    labels_true = check_labels(labels_true, "labels_true")
    proba = check_proba(proba)
    check_consistent_length(labels_true, proba)
    cluster_names = labels_true[proba.argmax(axis=0)]
    return float(np.mean(cluster_names[proba.argmax(axis=1)] == labels_true))


def _check_label_pair(labels_true, labels_pred):
    labels_true = check_labels(labels_true, "labels_true")
    labels_pred = check_labels(labels_pred, "labels_pred")
    check_consistent_length(labels_true, labels_pred)
    return labels_true, labels_pred


def check_labels(labels, name):
    """Check labels: one for each row, of any kind but NaN.

    Parameters
    ----------
    labels : array-like of shape (n_samples,)
        Labels.
    name : str
        What errors call them.

    Returns
    -------
    labels : ndarray of shape (n_samples,)
        The labels.
    """
    found = np.asarray(labels)
    if found.dtype == object and any(map(_is_missing, found.flat)):
        raise ValueError(
            f"Input {name} has missing values. Leave out their rows, or give them a "
            "class of their own."
        )
    labels = check_array(labels, ensure_2d=False, dtype=None, input_name=name)
    return column_or_1d(labels)


def _is_missing(label):
    return label is None or is_scalar_nan(label) or is_pandas_na(label)
