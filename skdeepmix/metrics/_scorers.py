"""Scorers for model selection without classes.

Each is a callable ``(estimator, X, y=None)``, higher is better: pass it as `scoring` to
:class:`~sklearn.model_selection.GridSearchCV`.
"""

from skdeepmix.metrics._neighbors import compression_score, modularity_score
from skdeepmix.metrics._posterior import (
    posterior_entropy,
    posterior_mutual_information,
)


def compression_scorer(estimator, X, y=None):
    """Score the clusters of rows by :func:`compression_score`.

    Parameters
    ----------
    estimator : estimator
        Fitted, with `predict`.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Rows.
    y : object, default=None
        Ignored.

    Returns
    -------
    score : float
        In nats; higher is better.

    Examples
    --------
    >>> from sklearn.cluster import KMeans
    >>> from sklearn.datasets import make_blobs
    >>> from skdeepmix.metrics import compression_scorer
    >>> X, _ = make_blobs(100, centers=[[0, 0], [99, 0]], random_state=0)
    >>> round(compression_scorer(KMeans(2, random_state=0).fit(X), X), 3)
    0.693
    """
    return compression_score(X, estimator.predict(X))


def modularity_scorer(estimator, X, y=None):
    """Score the clusters of rows by :func:`modularity_score`.

    Parameters
    ----------
    estimator : estimator
        Fitted, with `predict`.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Rows.
    y : object, default=None
        Ignored.

    Returns
    -------
    score : float
        Higher is better.

    Examples
    --------
    >>> from sklearn.cluster import KMeans
    >>> from sklearn.datasets import make_blobs
    >>> from sklearn.model_selection import GridSearchCV
    >>> from skdeepmix.metrics import modularity_scorer
    >>> X, _ = make_blobs(300, centers=[[0, 0], [99, 0], [0, 99]], random_state=0)
    >>> grid = {"n_clusters": [2, 3, 4]}
    >>> kmeans = KMeans(n_init=10, random_state=0)
    >>> search = GridSearchCV(kmeans, grid, scoring=modularity_scorer).fit(X)
    >>> search.best_params_
    {'n_clusters': 3}
    """
    return modularity_score(X, estimator.predict(X))


def mutual_information_scorer(estimator, X, y=None):
    """Score posteriors by :func:`posterior_mutual_information`.

    Parameters
    ----------
    estimator : estimator
        Fitted, with `predict_proba`.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Rows.
    y : object, default=None
        Ignored.

    Returns
    -------
    score : float
        In nats; higher is better. Comparable for one number of clusters only.

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from sklearn.mixture import GaussianMixture
    >>> from skdeepmix.metrics import mutual_information_scorer
    >>> X, _ = make_blobs(100, centers=[[0, 0], [99, 0]], random_state=0)
    >>> mixture = GaussianMixture(2, random_state=0).fit(X)
    >>> round(mutual_information_scorer(mixture, X), 3)
    0.693
    """
    return posterior_mutual_information(estimator.predict_proba(X))


def entropy_scorer(estimator, X, y=None):
    """Score posteriors by the negative of :func:`posterior_entropy`.

    Parameters
    ----------
    estimator : estimator
        Fitted, with `predict_proba`.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Rows.
    y : object, default=None
        Ignored.

    Returns
    -------
    score : float
        In nats, at most 0; higher is better. Comparable for one number of clusters
        only, all of them in use.

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from sklearn.mixture import GaussianMixture
    >>> from skdeepmix.metrics import entropy_scorer
    >>> X, _ = make_blobs(100, centers=[[0, 0], [9, 0]], random_state=0)
    >>> mixture = GaussianMixture(2, random_state=0).fit(X)
    >>> abs(round(entropy_scorer(mixture, X), 3))
    0.0
    """
    return -posterior_entropy(estimator.predict_proba(X))
