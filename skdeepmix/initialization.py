"""From latent codes to the responsibilities that a fit starts from."""

from operator import itemgetter

import numpy as np
from sklearn import config_context
from sklearn.base import clone
from sklearn.metrics import pairwise_distances_argmin
from sklearn.mixture import GaussianMixture
from sklearn.utils import check_array, check_random_state

from skdeepmix._neighbor_graph import (
    N_COMPONENTS,
    compression,
    fuzzy_graph,
    graph_layout,
    principal_components,
    spectral_start,
)
from skdeepmix._threads import one_thread_of_blas
from skdeepmix._training import draw_seed

# A mixture of more rows than this is fitted on a random subset.
MIXTURE_ROWS = 20_000
N_SEEDINGS = 10
# Number of seedings on each layout of a neighbour graph, by covariances. Full ones end
# in more optima than spherical ones.
N_LAYOUT_SEEDINGS = {"spherical": 5, "full": 10}
# Layouts can be so tight that covariances become singular; this is added to them.
LAYOUT_REG_COVAR = 1e-4
# Mixtures are faster in float32. It rounds the square of a coordinate of this size by
# less than is added to the covariances.
FLOAT32_EXTENT = 10
# Coordinates of the layout that starts from the spectrum of the graph: of those that
# come after the first few, most part small groups and not clusters.
SPECTRAL_DIMS = 5
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


@one_thread_of_blas()
def mixture_start(codes, n_clusters, random_state, data=None):
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
    data : Rows or None, default=None
        Not used.

    Returns
    -------
    resp : ndarray of shape (n_samples, n_clusters)
        Posterior probabilities of the components.
    """
    if n_clusters == 1:
        return np.ones((len(codes), 1))
    codes, subset = _standardized(codes, random_state)
    mixtures = [
        _fit_mixture(kind, subset, n_clusters, random_state, n_init=N_SEEDINGS)
        for kind in _covariance_types(subset, n_clusters)
    ]
    return min(mixtures, key=lambda mixture: mixture.bic(subset)).predict_proba(codes)


def _standardized(codes, random_state):
    """Codes around 0 in units of their scale, and the subset that is fitted."""
    codes = codes.astype(np.float64) - codes.mean(axis=0)
    codes /= codes.std() or 1.0
    if len(codes) <= MIXTURE_ROWS:
        return codes, codes
    return codes, codes[random_state.permutation(len(codes))[:MIXTURE_ROWS]]


def _covariance_types(codes, n_clusters):
    """Name the kinds of covariances for which there are rows enough."""
    enough = len(codes) > ROWS_PER_DIMENSION * n_clusters * codes.shape[1]
    return ("spherical", "full") if enough else ("spherical",)


def _fit_mixture(covariance_type, codes, n_clusters, random_state, **parameters):
    return GaussianMixture(
        n_clusters,
        covariance_type=covariance_type,
        init_params="k-means++",
        max_iter=1000,
        random_state=draw_seed(random_state),
        **parameters,
    ).fit(codes)


def random_rows_start(codes, n_clusters, random_state, data=None):
    """Put every row to the nearest of a few random ones.

    Parameters
    ----------
    codes : ndarray of shape (n_samples, n_latent)
        Latent codes.
    n_clusters : int
        Number of random rows.
    random_state : numpy.random.RandomState
        Chooses them.
    data : Rows or None, default=None
        Not used.

    Returns
    -------
    resp : ndarray of shape (n_samples, n_clusters)
        One 1 in every row.
    """
    chosen = random_state.permutation(len(codes))[:n_clusters]
    labels = pairwise_distances_argmin(codes, codes[chosen])
    return np.eye(n_clusters)[labels]


def neighbors_start(codes, n_clusters, random_state, data=None):
    """Cluster the neighbour graph of rows and latent codes.

    Clusters are followed along the manifold instead of by their distance [1]_. The
    graph is the mean of two fuzzy graphs of 15 nearest neighbours, of the codes and of
    the principal components of the rows. It is laid out [2]_, which pulls clusters
    together and apart, from three starts: the codes, as many principal components, and
    five coordinates of its spectrum. Gaussian mixtures are fitted to each layout and to
    the spectrum itself: five seedings with spherical covariances, and ten with full
    ones, where there are rows enough, on all but the place whose best spherical mixture
    ranks last. Of those with most clusters in use the one is kept that compresses the
    description of the graph most [3]_.

    Parameters
    ----------
    codes : ndarray of shape (n_samples, n_latent)
        Latent codes. Of more than 100,000 a random subset is laid out.
    n_clusters : int
        Number of components.
    random_state : numpy.random.RandomState
        Source of the layouts and of the seedings.
    data : Rows or None, default=None
        The rows themselves; None leaves the graph to the codes.

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
    .. [3] Rosvall, Axelsson, Bergstrom, "The map equation", Eur. Phys. J. Spec. Top.
       178, 2009, Eq. 4.
    """
    n_neighbors = min(N_NEIGHBORS, len(codes) - 1)
    if n_neighbors < 2 or n_clusters == 1:  # no graph to speak of
        return mixture_start(codes, n_clusters, random_state)
    rows = np.arange(len(codes))
    if len(codes) > LAYOUT_ROWS:
        rows = random_state.permutation(len(codes))[:LAYOUT_ROWS]
    views = [codes[rows].astype(np.float64)]
    if data is not None:
        views.append(principal_components(data, rows, random_state))
    graph = sum(fuzzy_graph(view, n_neighbors) for view in views) / len(views)
    resp = np.zeros((len(codes), n_clusters))
    layouts = _layouts(graph, views, random_state)
    resp[rows] = _most_compressing(graph, layouts, n_clusters, random_state)
    return resp


@one_thread_of_blas()
def _layouts(graph, views, random_state):
    """Lay a graph out from each of its views and from its spectrum."""
    n_dims = min(SPECTRAL_DIMS, graph.shape[0] - 2)
    spectrum = spectral_start(graph, n_dims, random_state)
    starts = [_spread(view[:, : views[0].shape[1]]) for view in views]
    starts.append(spectrum)
    # Codes may be the rows themselves, too wide for others to be filled up to.
    wide = starts[0].shape[1] > N_COMPONENTS
    groups = [starts[:1], starts[1:]] if wide else [starts]
    layouts = []
    for group in groups:
        layouts += _side_by_side(graph, group, draw_seed(random_state))
    # A layout tears long clusters, which the spectrum leaves whole.
    return [*layouts, spectrum]


def _side_by_side(graph, starts, seed):
    """Lay a graph out from all starts at once."""
    widths = [start.shape[1] for start in starts]
    shape = graph.shape[0], len(starts), max(widths)
    # Coordinates in which no rows differ fill up the narrow ones: none moves there.
    places = np.zeros(shape, dtype=np.float32)
    for i, start in enumerate(starts):
        places[:, i, : widths[i]] = start
    layouts = graph_layout(graph, places, seed)
    return [layouts[:, i, :width] for i, width in enumerate(widths)]


def _spread(view):
    """Give all columns that vary the same scale, wide enough for a layout."""
    scale = view.std(axis=0)
    constant = scale <= 1e-6 * scale.max()
    return 3 * (view - view.mean(axis=0)) / np.where(constant, scale.max() or 1, scale)


@one_thread_of_blas()
def _most_compressing(graph, layouts, n_clusters, random_state):
    """Keep the mixture with most clusters in use that say most about the edges.

    Full covariances take most of the time, and are left out where the best spherical
    mixture ranks last.
    """

    def best(kind, place):
        found = _scored_mixtures(kind, graph, *place, n_clusters, random_state)
        return *max(found, key=itemgetter(0)), place

    places = [_place(layout, random_state) for layout in layouts]
    spherical = sorted(
        (best("spherical", place) for place in places), key=itemgetter(0)
    )
    full = [
        best("full", place)
        for *_, place in spherical[1:]
        if "full" in _covariance_types(place[1], n_clusters)
    ]
    _, mixture, (points, _) = max([*spherical, *full], key=itemgetter(0))
    return mixture.predict_proba(points)


def _place(layout, random_state):
    """Points of a layout, and the subset in the arithmetic in which it is fitted."""
    points, subset = _standardized(layout, random_state)
    moderate = np.abs(subset).max() < FLOAT32_EXTENT
    return points, subset.astype(np.float32) if moderate else subset


def _scored_mixtures(kind, graph, points, subset, n_clusters, random_state):
    """Fit seedings of a mixture, and score them by clusters in use and compression."""
    for _ in range(N_LAYOUT_SEEDINGS[kind]):
        mixture = _fit_mixture(
            kind, subset, n_clusters, random_state, reg_covar=LAYOUT_REG_COVAR
        )
        labels = mixture.predict(points)
        yield (len(np.unique(labels)), compression(graph, labels)), mixture


#: Starts by the string values of `init`: from (codes, n_clusters, random_state, data)
#: to responsibilities. "random" has neither pre-training nor a start.
STARTS = {
    "neighbors": neighbors_start,
    "k-means++": mixture_start,
    "random": None,
}


def resolve_start(init, n_samples, n_clusters, starts=STARTS):
    """Turn the `init` parameter into what makes a start, checked.

    Parameters
    ----------
    init : str, callable, estimator or array-like
        A key of `starts` or one of its functions; a clusterer; or labels or
        responsibilities.
    n_samples : int
        Number of rows that labels or responsibilities must have.
    n_clusters : int
        Number of clusters.
    starts : dict of str to callable or None, default=STARTS
        What the strings stand for.

    Returns
    -------
    start : callable, estimator, ndarray of shape (n_samples, n_clusters) or None
        What to call or to fit with latent codes, or responsibilities; None without a
        start.

    Raises
    ------
    ValueError
        If a name is not known, or labels or responsibilities do not fit the data.
    """
    if isinstance(init, str):
        if init not in starts:
            raise ValueError(f"Expected init in {sorted(starts)} but got {init!r}.")
        return starts[init]
    if isinstance(init, type):
        raise ValueError(
            f"The 'init' parameter is the class {init.__name__}. Pass an instance of "
            f"it, {init.__name__}(...)."
        )
    if callable(init) or hasattr(init, "fit_predict"):
        return init
    if hasattr(init, "fit"):
        raise ValueError(
            f"The 'init' parameter, a {type(init).__name__}, has no fit_predict. Pass "
            "a clusterer or a pipeline that ends in one."
        )
    if _has_strings(init):
        raise ValueError(
            "The labels in 'init' are strings. Pass integers, negative where unknown, "
            "such as those of sklearn.preprocessing.LabelEncoder."
        )
    start = check_array(init, ensure_2d=False, input_name="init")
    if len(start) != n_samples:
        raise ValueError(
            f"The 'init' parameter gives {len(start)} rows, but X has {n_samples} "
            "samples. Pass one label or one row of responsibilities for each sample."
        )
    convert = _one_hot if start.ndim == 1 else _normalized
    return convert(start, n_clusters)


def start_responsibilities(init, codes, n_clusters, random_state, data=None):
    """Cluster latent codes into responsibilities.

    Parameters
    ----------
    init : {"neighbors", "k-means++"}, estimator or array-like
        See `neighbors_start` and `mixture_start`; or a clusterer or a pipeline that
        ends in one, which is cloned; or labels of shape (n_samples,), negative where
        unknown; or responsibilities of shape (n_samples, n_clusters).
    codes : ndarray of shape (n_samples, n_latent)
        What a clusterer is fitted on.
    n_clusters : int
        Number of clusters.
    random_state : int, RandomState instance or None
        Seeds the start, and every `random_state` of a clusterer that is None.
    data : Rows or None, default=None
        The rows that the codes belong to, for starts that look at both.

    Returns
    -------
    resp : ndarray of shape (n_samples, n_clusters)
        Rows that sum to 1, or to 0 where the start has no label.

    Raises
    ------
    ValueError
        If the labels or responsibilities do not fit the data, or `init` is "random".

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepmix.initialization import start_responsibilities
    >>> codes = np.array([[0.0], [0.1], [5.0]])
    >>> resp = start_responsibilities("k-means++", codes, 2, np.random.RandomState(0))
    >>> resp.argmax(axis=1).tolist() in ([0, 0, 1], [1, 1, 0])
    True
    """
    random_state = check_random_state(random_state)
    codes = check_array(codes, input_name="codes")
    start = resolve_start(init, len(codes), n_clusters)
    if start is None:
        raise ValueError(
            f"init={init!r} has no start to compute. Use 'neighbors', 'k-means++', a "
            "clusterer, labels or responsibilities."
        )
    with config_context(array_api_dispatch=False):
        if hasattr(start, "fit_predict"):
            labels = _fit_labels(start, codes, random_state)
            start = resolve_start(labels, len(codes), n_clusters)
        elif callable(start):
            start = start(codes, n_clusters, random_state, data)
    return start.astype(np.float32)


def _fit_labels(clusterer, codes, random_state):
    clusterer = clone(clusterer)
    parameters = clusterer.get_params()
    for name in sorted(parameters):
        if name.split("__")[-1] == "random_state" and parameters[name] is None:
            clusterer.set_params(**{name: draw_seed(random_state)})
    return clusterer.fit_predict(codes)


def _has_strings(labels):
    found = np.asarray(labels)
    return found.dtype.kind in "OUS" and any(
        isinstance(label, str | bytes) for label in found.flat
    )


def _one_hot(labels, n_clusters):
    resp = np.zeros((len(labels), n_clusters), dtype=np.float32)
    fractions = labels[labels != np.floor(labels)]
    if fractions.size:
        raise ValueError(
            "The labels in 'init' must be integers, negative where unknown, but one of "
            f"them is {fractions[0]:.4g}. Pass responsibilities of shape (n_samples, "
            "n_clusters) for soft labels."
        )
    largest = int(labels.max(initial=0))
    if largest >= n_clusters:
        n_found = len(np.unique(labels[labels >= 0]))
        if n_found > n_clusters:
            raise ValueError(
                f"The start found {n_found} clusters, but n_clusters = {n_clusters}. "
                "Give both the same number."
            )
        raise ValueError(
            f"The labels in 'init' go up to {largest}, but {n_clusters} clusters are "
            f"numbered from 0 to {n_clusters - 1}. Number them anew, as by "
            "numpy.unique(labels, return_inverse=True)[1]."
        )
    known = np.flatnonzero(labels >= 0)
    resp[known, labels[known].astype(np.int64)] = 1
    return resp


def _normalized(resp, n_clusters):
    if resp.shape[1] == 1 < n_clusters:
        raise ValueError(
            "The 'init' parameter has one column, but responsibilities need n_clusters "
            f"= {n_clusters}. Use ravel() if these are labels."
        )
    if resp.shape[1] != n_clusters or resp.min() < 0:
        raise ValueError(
            f"The 'init' parameter has {resp.shape[1]} columns and a least value of "
            f"{resp.min():.3g}, but responsibilities need n_clusters = {n_clusters} "
            "columns of values >= 0."
        )
    total = resp.sum(axis=1, keepdims=True)
    return (resp / np.where(total == 0, 1, total)).astype(np.float32)
