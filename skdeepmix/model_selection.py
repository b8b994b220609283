"""The number of clusters, for any clusterer, by the knee of a curve."""

import warnings
from collections.abc import Iterable

import numpy as np
from scipy.sparse import issparse
from sklearn.base import clone
from sklearn.utils import Bunch, check_array, column_or_1d
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.sparsefuncs import mean_variance_axis

from skdeepmix._data import canonical

# What scikit-learn's clusterers and mixtures call the number of clusters.
SIZE_PARAMETERS = ("n_clusters", "n_components")

MIN_POINTS = 4
MIN_REFINED_POINTS = 20


def knee_point(n_clusters, values, *, overlap=True, refine=True):
    r"""Find the knee of a curve by the L method.

    Two straight lines are fitted by least squares to the points up to c and to those
    from c on. The knee is the c where their errors, weighted by the numbers of points
    :math:`n_L` and :math:`n_R`, are least [1]_:

    .. math:: \frac{n_L}{n_L + n_R} \mathrm{RMSE}(L_c)
        + \frac{n_R}{n_L + n_R} \mathrm{RMSE}(R_c)

    Parameters
    ----------
    n_clusters : array-like of shape (n_points,), int
        Numbers of clusters, at least 4, each at least 1 and larger than the one
        before; they need not be evenly spaced.
    values : array-like of shape (n_points,)
        What is plotted against them, in any unit: falling or rising.
    overlap : bool, default=True
        Whether the point c belongs to both lines. That suits what is left over with c
        clusters, such as distances within them, an information criterion or a
        likelihood: the knee is the first point of the flat part and the last of the
        steep one. False is the method as published, where the right line begins at
        the next point; it suits the cost of the step from c clusters to c - 1, such as
        the merge distances of hierarchical clustering.
    refine : bool, default=True
        Whether points beyond twice the knee are left out and the knee is found again
        for as long as it falls [1]_: a long tail draws it to the right. The first 20
        points are never left out, since lines through a few fit anything.

    Returns
    -------
    knee : int
        One of `n_clusters`. Each line has two points at least: the knee is never the
        first or the last, nor, without `overlap`, the last but one.

    Raises
    ------
    TypeError
        If `n_clusters` are not integers.
    ValueError
        If there are fewer than 4 points, not as many values, values that are not
        finite, or `n_clusters` that do not increase.

    See Also
    --------
    select_n_clusters : Fit a clusterer with each number of clusters, find the knee.

    Notes
    -----
    There always is an answer, also for a curve without a knee: look at the curve.
    The unit and the zero of the values do not matter; taking their logarithm or root
    does. The cost is quadratic in the number of points.

    References
    ----------
    .. [1] S. Salvador and P. Chan. "Determining the Number of Clusters/Segments in
           Hierarchical Clustering/Segmentation Algorithms". ICTAI, 2004.

    Examples
    --------
    >>> from skdeepmix.model_selection import knee_point
    >>> knee_point([1, 2, 3, 4, 5, 6, 7], [90, 60, 30, 3, 2, 1, 0])
    4
    """
    x = _check_n_clusters(n_clusters)
    y = _check_values(values, x)
    while True:
        knee = _best_split(x, y, overlap)
        kept = max(np.searchsorted(x, 2 * knee, side="right"), MIN_REFINED_POINTS)
        if not refine or kept >= len(x):
            return int(knee)
        x, y = x[:kept], y[:kept]


def select_n_clusters(
    estimator,
    X,
    n_clusters_range,
    *,
    criterion=None,
    param_name=None,
    n_jobs=None,
):
    r"""Choose the number of clusters of any clusterer by the knee of a curve.

    A clone of the clusterer is fitted with each number of clusters, and
    :func:`knee_point` finds the knee of a criterion, by default

    .. math:: \log \frac1N \sum_i \lVert x_i - \mu_{c(i)} \rVert^2

    with the mean :math:`\mu_c` of the rows of cluster c, which needs labels alone. The
    logarithm makes the knee sharper: without it the first few clusters, which save
    most, outweigh the others.

    Parameters
    ----------
    estimator : estimator
        A clusterer or mixture with `fit_predict`; it is not changed. For equal starts
        set its `random_state` to an int.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Rows, as `estimator` takes them.
    n_clusters_range : iterable of int
        Numbers of clusters to fit, at least 4, increasing, such as ``range(1, 25)``.
        Begin with 1 and go on to at least twice of what is expected.
    criterion : callable or None, default=None
        Called as ``criterion(fitted_estimator, X, labels)``, returns a float; None is
        the formula above. Whether less or more is better does not matter.
    param_name : str or None, default=None
        Parameter of `estimator` to set, such as ``"kmeans__n_clusters"`` of a
        pipeline. None is `n_clusters` or, where there is none, `n_components`.
    n_jobs : int or None, default=None
        Number of fits at a time; None is 1 unless in a
        :func:`joblib.parallel_config` context, -1 is all cores.

    Returns
    -------
    selection : :class:`~sklearn.utils.Bunch`
        `n_clusters`: int, the knee.
        `n_clusters_range`: ndarray of shape (n_points,), what was fitted.
        `curve`: ndarray of shape (n_points,), the criterion for each, for a plot.

    Raises
    ------
    TypeError
        If `estimator` is a class or has no `fit_predict`, or the range is not one of
        integers.
    ValueError
        If `estimator` has no such parameter, if there are fewer than 4 numbers, or
        they do not increase, or if the criterion is not finite.

    Warns
    -----
    UserWarning
        If the knee is the smallest or largest that the range can give. Not for a
        range that begins with 1: there are no smaller numbers to try.

    See Also
    --------
    knee_point : Only the knee, of a curve that is at hand.
    skdeepmix.metrics.modularity_score : A criterion with a maximum.

    Notes
    -----
    The knee is a rule of thumb. Clusters that overlap, or lie within others, leave no
    sharp knee; what is found then depends on the range, and on the criterion.
    There is an answer for data without clusters as well. A range that ends soon
    after the true number hides the knee, and so does one that begins with it: the
    knee cannot be the first or last number. Rows in high dimensions have flat curves:
    take the codes of a model, or principal components.

    The default criterion takes clusters for round ones, whatever the clusterer does,
    and measures in X, not in what a pipeline makes of it. It says nothing of moons and
    rings, and a mixture has a better one: ``lambda model, X, labels: model.bic(X)``.

    References
    ----------
    .. [1] S. Salvador and P. Chan. "Determining the Number of Clusters/Segments in
           Hierarchical Clustering/Segmentation Algorithms". ICTAI, 2004.
    .. [2] E. Banijamali, A. Ghodsi and P. Poupart. "Generative Mixture of Networks".
           IJCNN, 2017, Section 3.1.

    Examples
    --------
    >>> from sklearn.cluster import KMeans
    >>> from sklearn.datasets import make_blobs
    >>> from skdeepmix.model_selection import select_n_clusters
    >>> X, y = make_blobs(300, n_features=5, centers=4, random_state=0)
    >>> selection = select_n_clusters(KMeans(random_state=0), X, range(1, 13))
    >>> selection.n_clusters
    4
    >>> selection.curve.shape
    (12,)
    """
    if isinstance(estimator, type):
        raise TypeError(
            f"Expected an estimator but got the class {estimator.__name__}. Pass an "
            f"instance: {estimator.__name__}()."
        )
    if not hasattr(estimator, "fit_predict"):
        raise TypeError(
            "Expected a clusterer with a fit_predict method but got "
            f"{type(estimator).__name__}."
        )
    param_name = _check_param_name(estimator, param_name)
    sizes = _check_n_clusters(n_clusters_range)
    criterion = _log_dispersion if criterion is None else criterion
    curve = Parallel(n_jobs=n_jobs)(
        delayed(_evaluate)(estimator, X, {param_name: size}, criterion)
        for size in sizes.tolist()
    )
    curve = _check_values(curve, sizes)
    knee = knee_point(sizes, curve)
    _warn_at_ends(knee, sizes)
    return Bunch(n_clusters=knee, n_clusters_range=sizes, curve=curve)


def _best_split(x, y, overlap):
    """Last number of clusters on the left line of the best pair of lines."""
    errors = []
    ends = range(2, len(x) if overlap else len(x) - 1)
    for end in ends:
        left, right = slice(end), slice(end - overlap, None)
        errors.append(
            len(x[left]) * _line_error(x[left], y[left])
            + len(x[right]) * _line_error(x[right], y[right])
        )
    return x[ends[np.argmin(errors)] - 1]


def _line_error(x, y):
    """Root mean squared residual of the least-squares line."""
    x, y = x - x.mean(), y - y.mean()
    return np.sqrt(np.mean((y - x * (x @ y) / (x @ x)) ** 2))


def _evaluate(estimator, X, params, criterion):
    model = clone(estimator).set_params(**params)
    labels = model.fit_predict(X)
    return float(criterion(model, X, labels))


def _log_dispersion(estimator, X, labels):
    """Log of the mean squared distance of rows to the mean of their cluster."""
    X = check_array(X, accept_sparse="csr", dtype=np.float64, input_name="X")
    X = canonical(X)
    total = sum(_squares(X[labels == label]) for label in np.unique(labels))
    with np.errstate(divide="ignore"):  # the caller tells for which n_clusters
        return np.log(total / X.shape[0])


def _squares(rows):
    """Sum of squared distances to the mean."""
    if issparse(rows):
        return rows.shape[0] * mean_variance_axis(rows, axis=0)[1].sum()
    # From one of them, so that equal rows leave no rounding.
    return rows.shape[0] * (rows - rows[0]).var(axis=0).sum()


def _check_param_name(estimator, param_name):
    known, name = estimator.get_params(), type(estimator).__name__
    wanted = SIZE_PARAMETERS if param_name is None else (param_name,)
    for parameter in wanted:
        if parameter in known:
            return parameter
    nested = [key for key in known if key.rpartition("__")[2] in SIZE_PARAMETERS]
    raise ValueError(
        f"Expected an estimator with the parameter {' or '.join(wanted)} but got "
        f"{name} without. Pass as param_name the parameter that sets the number of "
        f"clusters; of {name} it may be one of {nested or sorted(known)}."
    )


def _check_n_clusters(n_clusters):
    if not isinstance(n_clusters, Iterable):
        raise TypeError(
            f"Expected several numbers of clusters but got {n_clusters!r}. Pass a "
            "range, such as range(1, 25)."
        )
    sizes = column_or_1d(list(n_clusters))
    if len(sizes) < MIN_POINTS:
        raise ValueError(
            f"Expected at least {MIN_POINTS} numbers of clusters, for two lines, but "
            f"got {len(sizes)}. Pass a wider range, such as range(1, 25)."
        )
    if sizes.dtype.kind not in "iu":
        raise TypeError(
            f"Expected integers as numbers of clusters but got {sizes.dtype} values."
        )
    if sizes[0] < 1 or np.any(sizes[:-1] >= sizes[1:]):
        raise ValueError(
            "Expected numbers of clusters >= 1 that increase but got "
            f"{sizes.tolist()}. Sort them and leave out duplicates."
        )
    return sizes.astype(np.int64)


def _check_values(values, n_clusters):
    values = column_or_1d(values, dtype=np.float64)
    if len(values) != len(n_clusters):
        raise ValueError(
            f"Expected one value per number of clusters but got {len(values)} values "
            f"for {len(n_clusters)} numbers."
        )
    if not np.all(np.isfinite(values)):
        bad = np.flatnonzero(~np.isfinite(values))[0]
        raise ValueError(
            f"Expected finite values but got {values[bad]} for {n_clusters[bad]} "
            "clusters. Leave this number out; the default criterion needs more "
            "distinct rows than clusters."
        )
    return values


def _warn_at_ends(knee, sizes):
    smallest, largest = sizes[1], sizes[-2]
    if knee == largest or (knee == smallest and sizes[0] > 1):
        warnings.warn(
            f"The knee is at {knee} clusters, and numbers from {sizes[0]} to "
            f"{sizes[-1]} can only give {smallest} to {largest}. Pass a wider range: "
            "it should begin with 1 and reach twice the knee.",
            stacklevel=3,
        )
