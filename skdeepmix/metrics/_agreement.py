"""Agreement of several clusterings of the same rows."""

import numpy as np
from sklearn.metrics import adjusted_rand_score
from sklearn.utils import check_consistent_length


def label_agreement(labels):
    """Mean adjusted Rand index of every clustering with the others.

    Clusters that are found again and again are no accident of a start: agreement is the
    stability of [1]_ for single clusterings, and helps to choose one of several fits.

    Parameters
    ----------
    labels : list of array-like of shape (n_samples,)
        At least two clusterings of the same rows.

    Returns
    -------
    agreement : ndarray of shape (n_clusterings,)
        At most 1; higher is better, about 0 for labels by chance.

    Raises
    ------
    ValueError
        If there are fewer than two clusterings or they differ in length.

    See Also
    --------
    posterior_mutual_information : How sure and even a single fit is.

    References
    ----------
    .. [1] T. Lange, V. Roth, M. L. Braun and J. M. Buhmann. "Stability-Based Validation
           of Clustering Solutions". Neural Computation 16, 2004.

    Examples
    --------
    >>> from skdeepmix.metrics import label_agreement
    >>> label_agreement([[0, 0, 1, 1], [1, 1, 0, 0], [0, 0, 0, 1]]).round(2).tolist()
    [0.5, 0.5, 0.0]
    """
    if len(labels) < 2:
        raise ValueError(
            f"Expected at least 2 clusterings but got {len(labels)}. Pass a list of "
            "labels, one array for every fit."
        )
    check_consistent_length(*labels)
    matrix = np.array(
        [[adjusted_rand_score(first, second) for second in labels] for first in labels]
    )
    return (matrix.sum(axis=1) - matrix.diagonal()) / (len(labels) - 1)
