"""From latent codes to the responsibilities that a fit starts from."""

import numpy as np
from sklearn import config_context
from sklearn.base import clone
from sklearn.mixture import GaussianMixture
from sklearn.utils import check_array

from skdeepmix._neighbor_graph import fuzzy_graph, graph_layout

# A mixture of more rows than this is fitted on a random subset.
MIXTURE_ROWS = 20_000
N_SEEDINGS = 10
# Fewer rows for every dimension of every component, and full covariances collapse on
# a few rows each, with a likelihood that no criterion resists.
ROWS_PER_DIMENSION = 5
# A layout of more rows than this is made of a random subset; the others are reached
# through the encoder, so that the cost stays linear.
LAYOUT_ROWS = 100_000
N_NEIGHBORS = 15

# Guidance towards the start: weight on its cross-entropy in nats, and the fractions of
# the fit at which it begins to fall and at which it has ended.
GUIDANCE_WEIGHT = 50.0
GUIDANCE_FALLS = 0.2
GUIDANCE_ENDS = 0.4


def guidance_weight(progress):
    """Weight of the guidance towards the start: constant, falling, zero.

    Parameters
    ----------
    progress : float
        Fraction of the fit that is done, in [0, 1).

    Returns
    -------
    weight : float
        Factor on the cross-entropy, dimensionless.
    """
    left = (GUIDANCE_ENDS - progress) / (GUIDANCE_ENDS - GUIDANCE_FALLS)
    return GUIDANCE_WEIGHT * min(max(left, 0.0), 1.0)


def mixture_start(codes, n_clusters, random_state):
    """Fit a Gaussian mixture, seeded by k-means++, to latent codes.

    Spherical and full covariances are tried, and the Bayesian information criterion
    decides: full ones follow the shape of the clusters, but need rows enough.

    Parameters
    ----------
    codes : ndarray of shape (n_samples, n_latent)
        Latent codes. Of more than 20,000 a random subset is fitted.
    n_clusters : int
        Number of components.
    random_state : numpy.random.RandomState
        Source of the seedings, of which the likeliest of 10 is kept.

    Returns
    -------
    resp : ndarray of shape (n_samples, n_clusters)
        Posterior probabilities of the components.
    """
    if n_clusters == 1:
        return np.ones((len(codes), 1))
    codes = codes.astype(np.float64) - codes.mean(axis=0)
    codes /= codes.std() or 1.0
    subset = codes
    if len(codes) > MIXTURE_ROWS:
        subset = codes[random_state.permutation(len(codes))[:MIXTURE_ROWS]]
    enough = len(subset) > ROWS_PER_DIMENSION * n_clusters * codes.shape[1]
    covariance_types = ("spherical", "full") if enough else ("spherical",)
    mixtures = [
        GaussianMixture(
            n_clusters,
            covariance_type=covariance_type,
            init_params="k-means++",
            n_init=N_SEEDINGS,
            max_iter=1000,
            random_state=random_state.randint(np.iinfo(np.int32).max),
        ).fit(subset)
        for covariance_type in covariance_types
    ]
    return min(mixtures, key=lambda mixture: mixture.bic(subset)).predict_proba(codes)


def neighbors_start(codes, n_clusters, random_state):
    """Fit a Gaussian mixture to a layout of the neighbour graph of latent codes.

    Clusters are followed along the manifold instead of by their distance in the
    codes [1]_: a fuzzy graph of 15 nearest neighbours is laid out in as many
    dimensions as the codes have [2]_, which pulls clusters together and apart.

    Parameters
    ----------
    codes : ndarray of shape (n_samples, n_latent)
        Latent codes. Of more than 100,000 a random subset is laid out.
    n_clusters : int
        Number of components.
    random_state : numpy.random.RandomState
        Source of the layout and of the seedings.

    Returns
    -------
    resp : ndarray of shape (n_samples, n_clusters)
        Posterior probabilities of the components; 0 for rows that were left out.

    References
    ----------
    .. [1] McConville, Santos-Rodriguez, Piechocki, Craddock, "N2D: (Not too) deep
       clustering via clustering the local manifold of an autoencoded embedding", ICPR
       2020.
    .. [2] McInnes, Healy, Melville, "UMAP: Uniform manifold approximation and
       projection for dimension reduction", arXiv:1802.03426, 2018.
    """
    n_neighbors = min(N_NEIGHBORS, len(codes) - 1)
    if n_neighbors < 2:  # no graph to speak of
        return mixture_start(codes, n_clusters, random_state)
    rows = np.arange(len(codes))
    if len(codes) > LAYOUT_ROWS:
        rows = random_state.permutation(len(codes))[:LAYOUT_ROWS]
    codes = codes.astype(np.float64)
    scale = codes.std(axis=0)
    start = 3 * (codes[rows] - codes.mean(axis=0)) / np.where(scale == 0, 1, scale)
    graph = fuzzy_graph(codes[rows], n_neighbors)
    seed = random_state.randint(np.iinfo(np.int32).max)
    layout = graph_layout(graph, start, seed)
    resp = np.zeros((len(codes), n_clusters))
    resp[rows] = mixture_start(layout, n_clusters, random_state)
    return resp


#: Starts by the string values of `init`: from (codes, n_clusters, random_state) to
#: responsibilities. "random" is the paper as printed: neither pre-training nor a start.
STARTS = {
    "neighbors": neighbors_start,
    "k-means++": mixture_start,
    "random": None,
}


def resolve_start(init, n_samples, n_clusters):
    """Turn the `init` parameter into what makes a start, checked.

    Parameters
    ----------
    init : str, callable, estimator or array-like
        A key of `STARTS` or one of its functions; a clusterer; or labels or
        responsibilities.
    n_samples : int
        Number of rows that labels or responsibilities must have.
    n_clusters : int
        Number of clusters.

    Returns
    -------
    start : callable, estimator, ndarray of shape (n_samples, n_clusters) or None
        What to call or to fit with latent codes, or responsibilities; None without a
        start.

    Raises
    ------
    ValueError
        If the labels or responsibilities do not fit the data.
    """
    if isinstance(init, str):
        return STARTS[init]
    if isinstance(init, type):
        raise ValueError(
            f"The 'init' parameter is the class {init.__name__}. Pass an instance of "
            f"it, {init.__name__}(...)."
        )
    if callable(init) or hasattr(init, "fit_predict"):
        return init
    start = check_array(init, ensure_2d=False, input_name="init")
    if len(start) != n_samples:
        raise ValueError(
            f"The 'init' parameter has {len(start)} rows, but X has {n_samples} "
            "samples. Pass one label or one row of responsibilities for each sample."
        )
    convert = _one_hot if start.ndim == 1 else _normalized
    return convert(start, n_clusters)


def start_responsibilities(init, codes, n_clusters, random_state):
    """Cluster latent codes into responsibilities.

    Parameters
    ----------
    init : {"k-means++"}, estimator or array-like
        See `mixture_start`; or a clusterer or a pipeline that ends in one, which is
        cloned; or labels of shape (n_samples,), negative where unknown; or
        responsibilities of shape (n_samples, n_clusters).
    codes : ndarray of shape (n_samples, n_latent)
        What a clusterer is fitted on.
    n_clusters : int
        Number of clusters.
    random_state : numpy.random.RandomState
        Seeds every `random_state` of the clusterer that is None.

    Returns
    -------
    resp : ndarray of shape (n_samples, n_clusters)
        Rows that sum to 1, or to 0 where the start has no label.

    Raises
    ------
    ValueError
        If the labels or responsibilities do not fit the data.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepmix.initialization import start_responsibilities
    >>> codes = np.array([[0.0], [0.1], [5.0]])
    >>> resp = start_responsibilities("k-means++", codes, 2, np.random.RandomState(0))
    >>> resp.argmax(axis=1).tolist() in ([0, 0, 1], [1, 1, 0])
    True
    """
    start = resolve_start(init, len(codes), n_clusters)
    with config_context(array_api_dispatch=False):
        if hasattr(start, "fit_predict"):
            return _one_hot(_fit_labels(start, codes, random_state), n_clusters)
        if callable(start):
            start = start(codes, n_clusters, random_state)
    return start.astype(np.float32)


def _fit_labels(clusterer, codes, random_state):
    clusterer = clone(clusterer)
    parameters = clusterer.get_params()
    for name in sorted(parameters):
        if name.split("__")[-1] == "random_state" and parameters[name] is None:
            clusterer.set_params(**{name: random_state.randint(np.iinfo("i4").max)})
    return clusterer.fit_predict(codes)


def _one_hot(labels, n_clusters):
    resp = np.zeros((len(labels), n_clusters), dtype=np.float32)
    fractions = labels[labels != np.floor(labels)]
    if fractions.size:
        raise ValueError(
            "The labels in 'init' must be integers, negative where unknown, but one of "
            f"them is {fractions[0]:.4g}. Pass responsibilities of shape (n_samples, "
            "n_clusters) for soft labels."
        )
    labels = labels.astype(np.int64)
    if labels.max(initial=-1) >= n_clusters:
        raise ValueError(
            f"The start found {labels.max() + 1} clusters, but n_clusters = "
            f"{n_clusters}. Give both the same number."
        )
    known = np.flatnonzero(labels >= 0)
    resp[known, labels[known]] = 1
    return resp


def _normalized(resp, n_clusters):
    if resp.shape[1] != n_clusters or resp.min() < 0:
        raise ValueError(
            f"The 'init' parameter has {resp.shape[1]} columns and a least value of "
            f"{resp.min():.3g}, but responsibilities need n_clusters = {n_clusters} "
            "columns of values >= 0."
        )
    total = resp.sum(axis=1, keepdims=True)
    return (resp / np.where(total == 0, 1, total)).astype(np.float32)
