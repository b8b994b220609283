"""Starts of deep mixtures: defaults on any table, kept starts, restarts, and K.

    python benchmarks/starts.py --data-home DIR [--rows defaults,kept,...] [--sets ...]

appends to ``benchmarks/results/starts_<row>.jsonl`` and skips what is there;
``python benchmarks/tables.py`` makes the tables of the documentation. Rows that
compare with umap-learn leave it out where it is not installed.
"""

import sys
import warnings
from functools import partial
from operator import itemgetter
from pathlib import Path
from time import perf_counter
from unittest import mock

import numpy as np
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.callback import FitCallback
from sklearn.cluster import KMeans, SpectralClustering
from sklearn.datasets import (
    load_breast_cancer,
    load_digits,
    load_iris,
    load_wine,
    make_blobs,
)
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.manifold import trustworthiness
from sklearn.mixture import BayesianGaussianMixture, GaussianMixture
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

sys.path.insert(0, str(Path(__file__).resolve().parent))

from _runs import (
    UMAP_LAYOUT,
    Runs,
    choices,
    fit_and_record,
    parser,
    scores,
    set_threads,
    timed,
)

from skdeepmix import (
    GaussianMixtureVAE,
    GumbelSoftmaxVAE,
    MixtureOfVAEs,
    datasets,
    initialization,
)
from skdeepmix._data import Rows, Scaling
from skdeepmix._neighbor_graph import (
    fuzzy_graph,
    graph_layout,
    modularity,
    principal_components,
    spectral_start,
)
from skdeepmix._threads import one_thread_of_blas
from skdeepmix.base import _mixture
from skdeepmix.distributions import GaussianLikelihood
from skdeepmix.initialization import (
    N_NEIGHBORS,
    SPECTRAL_DIMS,
    _covariance_types,
    _place,
    _scored_mixtures,
    _spread,
)
from skdeepmix.metrics import (
    clustering_accuracy,
    compression_score,
    modularity_score,
    posterior_entropy,
)

SEEDS = (0, 1, 2, 3, 4)
# Half of the epochs for studies that compare fits with each other.
STUDY_EPOCHS = 40
# Seedings with spherical and with full covariances, and layouts that get the latter.
SEEDINGS = {
    "5 and 5 on all four": (5, 5, 4),
    "5 and 5 on three": (5, 5, 3),
    "5 and 10 on two": (5, 10, 2),
    "5 and 10 on three": (5, 10, 3),
    "5 and 10 on all four": (5, 10, 4),
}
# Seedings on a layout that are drawn from, and how often.
N_POOL = 20
N_DRAWS = 500
# Rows whose labels are kept on file, to compare restarts with each other.
N_LABELS = 1000
SYMBOLS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def standardized(load):
    """Loader of a data set whose features have units of their own.

    Parameters
    ----------
    load : callable
        One of scikit-learn's.

    Returns
    -------
    load : callable
        From `data_home`, not needed, to X with standardised columns, and y.
    """

    def load_standardized(data_home):
        X, y = load(return_X_y=True)
        return StandardScaler().fit_transform(X), y

    return load_standardized


def fetched(name, **parameters):
    """Loader of a data set whose features share a unit, which stay as they are.

    Parameters
    ----------
    name : str
        Of the function in :mod:`skdeepmix.datasets`.
    **parameters : object
        Passed to it.

    Returns
    -------
    load : callable
        From `data_home` to X, float32 unless sparse, and y.
    """

    def load(data_home):
        fetch = getattr(datasets, f"fetch_{name}")
        X, y = fetch(data_home=data_home, return_X_y=True, **parameters)
        return X.astype(np.float32), y

    return load


def blobs(n_features):
    """Loader of a thousand rows of three Gaussian clusters.

    Parameters
    ----------
    n_features : int
        Number of features.

    Returns
    -------
    load : callable
        From `data_home`, not needed, to X and y.
    """
    return lambda data_home: make_blobs(1000, n_features, centers=3, random_state=0)


def some_pendigits(data_home):
    """Three thousand of the pen digits, the same for every seed.

    Parameters
    ----------
    data_home : path-like
        Folder of the data sets.

    Returns
    -------
    X : ndarray of shape (3000, 16)
        Rows, float32.
    y : ndarray of shape (3000,)
        Classes.
    """
    X, y = TABLES["pendigits"](data_home)
    some = np.random.RandomState(0).permutation(len(y))[:3000]
    return X[some], y[some]


TABLES = {
    "iris": standardized(load_iris),
    "wine": standardized(load_wine),
    "cancer": standardized(load_breast_cancer),
    "digits": lambda data_home: load_digits(return_X_y=True),
    "optdigits": fetched("optdigits"),
    "pendigits": fetched("pendigits"),
    "usps": fetched("usps"),
    "coil20": fetched("coil20"),
    "isolet": fetched("isolet"),
    "r8": fetched("reuters_r8"),
    "yaleb": fetched("yaleb"),
    "mnist10k": fetched("mnist", subset="test"),
}
NOISE_DATA = {
    "blobs-2": blobs(2),
    "blobs-4": blobs(4),
    "iris": TABLES["iris"],
    "pendigits-3000": some_pendigits,
}
DATA = TABLES | NOISE_DATA
RESTART_DATA = ("digits", "isolet", "coil20", "usps", "r8", "pendigits", "mnist10k")
KEPT_DATA = ("digits", "isolet", "coil20", "usps")
NUMBER_DATA = {
    "wine": range(2, 9),
    "digits": range(4, 21, 2),
    "coil20": range(8, 33, 4),
}
LAYOUT_DATA = ("digits", "coil20", "usps", "pendigits", "mnist10k")
PRETRAININGS = (0.0625, 0.125, 0.25, 0.5, 1.0)


# Defaults for any table


def in_float64(X):
    """Rows in double precision."""
    return X.astype(np.float64)


class StopAfterFirstEpoch(FitCallback):
    """Callback that leaves of a fit little more than its start."""

    def on_fit_task_end(self, estimator, context):
        """Stop the fit at the end of an epoch."""
        return context.task_name == "epoch"


class AutoencoderClusters:
    """A clusterer on the codes of the autoencoder that the model pre-trains.

    Parameters
    ----------
    model : GaussianMixtureVAE
        With the clusterer as `init`.
    """

    def __init__(self, model):
        self.model = model

    def fit(self, X):
        """Pre-train and cluster.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        self : object
            With `labels_`.
        """
        self.model.set_callbacks(StopAfterFirstEpoch()).fit(X)
        self.labels_ = self.model.start_labels_
        return self

    def get_params(self, deep=True):
        """Parameters of the model."""
        return self.model.get_params(deep)

    def __repr__(self):
        return f"AutoencoderClusters({self.model!r})"


def competitors(X, n_clusters, seed):
    """What a user would try first.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Rows.
    n_clusters, seed : int
        Number of clusters and `random_state`.

    Yields
    ------
    name : str
        Name of the setting.
    estimator : estimator
        Not fitted. Mixtures get float64, and of more than 50 features 50 principal
        components.
    """
    yield "default", GaussianMixtureVAE(n_clusters, random_state=seed)
    yield "KMeans", KMeans(n_clusters, n_init=10, random_state=seed)
    mixtures = {
        "GaussianMixture, full": GaussianMixture(n_clusters, random_state=seed),
        "GaussianMixture, diag": GaussianMixture(
            n_clusters, covariance_type="diag", random_state=seed
        ),
        "BayesianGaussianMixture": BayesianGaussianMixture(
            n_components=n_clusters, max_iter=1000, random_state=seed
        ),
    }
    double = FunctionTransformer(in_float64, accept_sparse=True)
    components = PCA(50, random_state=seed) if X.shape[1] > 50 else "passthrough"
    for name, mixture in mixtures.items():
        yield name, make_pipeline(double, components, mixture)
    yield (
        "SpectralClustering",
        SpectralClustering(n_clusters, affinity="nearest_neighbors", random_state=seed),
    )
    start = KMeans(n_clusters, n_init=10)
    yield (
        "AE + KMeans",
        AutoencoderClusters(
            GaussianMixtureVAE(n_clusters, random_state=seed, init=start)
        ),
    )


def run_defaults(runs, load, name, seeds, every=8):
    """Fit the default model and what users compare it with, on one data set."""
    X, y = load()
    n_clusters = len(np.unique(y))
    for seed in seeds or SEEDS:
        for setting, estimator in competitors(X, n_clusters, seed):
            key = {"data": name, "setting": setting, "seed": seed}
            if runs.done(**key):
                continue
            try:
                fit_and_record(runs, estimator, X, y, **key, every=every)
            except ValueError as error:  # covariances of too few rows
                failed = dict.fromkeys(("seconds", "acc", "ari"), np.nan)
                runs.record(**key, **failed, error=str(error))


def run_random(runs, load, name, seeds):
    """Fit the objective of the paper from a random start."""
    X, y = load()
    for seed in seeds or SEEDS:
        key = {"data": name, "setting": "random, beta 1", "seed": seed}
        if not runs.done(**key):
            estimator = GaussianMixtureVAE(
                len(np.unique(y)), random_state=seed, init="random", beta=1.0
            )
            fit_and_record(runs, estimator, X, y, **key, every=8)


# Which graph, which layout, which criterion


class Codes(ClusterMixin, BaseEstimator):
    """Clusterer that keeps the codes it is given."""

    seen = []

    def fit_predict(self, X, y=None):
        """Keep the codes and put all rows into one cluster."""
        self.seen.append(X)
        return np.zeros(len(X), dtype=int)


def run_candidates(runs, load, name, seeds):
    """Compare graphs, starts of their layout and criteria, on pre-trained codes."""
    X, y = load()
    n_clusters = len(np.unique(y))
    for seed in seeds or SEEDS[:3]:
        if runs.done(name, "rows and codes, all", seed):
            continue
        with warnings.catch_warnings(action="ignore", category=ConvergenceWarning):
            AutoencoderClusters(
                GaussianMixtureVAE(n_clusters, random_state=seed, init=Codes())
            ).fit(X)
        codes = Codes.seen.pop().astype(np.float64)
        data = Rows(X, Scaling.fit(X))
        random_state = np.random.RandomState(seed)
        components = principal_components(data, np.arange(len(y)), random_state)
        graphs = {
            "codes": fuzzy_graph(codes, N_NEIGHBORS),
            "rows": fuzzy_graph(components, N_NEIGHBORS),
        }
        graphs["rows and codes"] = (graphs["codes"] + graphs["rows"]) / 2
        n_dims = codes.shape[1]
        for graph_name, graph in graphs.items():
            starts = {
                "codes": _spread(codes),
                "components": _spread(components[:, :n_dims]),
                "spectrum": spectral_start(graph, SPECTRAL_DIMS, random_state),
            }
            pool = []
            for start_name, start in starts.items():
                fits = candidates(graph, start, n_clusters, random_state, y)
                record_choices(runs, name, f"{graph_name}, {start_name}", seed, fits)
                pool += fits
            record_choices(runs, name, f"{graph_name}, all", seed, pool)


def candidates(graph, start, n_clusters, random_state, y):
    """Lay a graph out and fit mixtures; what each scores.

    Parameters
    ----------
    graph : scipy.sparse.csr_array of shape (n_samples, n_samples)
        Neighbours.
    start : ndarray of shape (n_samples, n_dims)
        Start of the layout.
    n_clusters : int
        Number of clusters.
    random_state : numpy.random.RandomState
        Source of the layout and of the seedings.
    y : ndarray of shape (n_samples,)
        Classes, with which the result is compared.

    Returns
    -------
    fits : list of dict
        `acc`, `seconds` and the criteria by which one could choose.
    """
    begin = perf_counter()
    layout = graph_layout(graph, start, random_state.randint(2**31 - 1))
    points, subset = _place(layout, random_state)
    fits = []
    for kind in _covariance_types(subset, n_clusters):
        for (_, compressed), mixture in _scored_mixtures(
            kind, graph, points, subset, n_clusters, random_state
        ):
            labels = mixture.predict(points)
            fits.append(
                {
                    "acc": clustering_accuracy(y, labels),
                    "compression": compressed,
                    "modularity": modularity(graph, labels),
                    "likelihood": -mixture.bic(subset) / len(subset),
                }
            )
    for fit in fits:
        fit["seconds"] = (perf_counter() - begin) / len(fits)
    return fits


def record_choices(runs, data, setting, seed, fits):
    """Write what each criterion chooses of some candidates."""
    acc = np.array([fit["acc"] for fit in fits])
    chosen = {
        f"acc_{name}": acc[np.argmax([fit[name] for fit in fits])]
        for name in ("compression", "modularity", "likelihood")
    }
    seconds = sum(fit["seconds"] for fit in fits)
    runs.record(
        data,
        setting,
        seed,
        seconds=seconds,
        acc=acc.mean(),
        acc_best=acc.max(),
        **chosen,
    )


# How many seedings, and where


def run_seedings(runs, load, name, seeds):
    """Draw the seedings of a start, again and again, from many on its places."""
    X, y = load()
    n_clusters = len(np.unique(y))
    for seed in seeds or SEEDS[:3]:
        missing = [rule for rule in SEEDINGS if not runs.done(name, rule, seed)]
        if not missing:
            continue
        with one_thread_of_blas():
            pools = seedings(
                *layouts_of_start(X, n_clusters, seed), n_clusters, seed, y
            )
        for rule in missing:
            random_state = np.random.RandomState(seed)
            drawn = [draw(pools, *SEEDINGS[rule], random_state) for _ in range(N_DRAWS)]
            acc, seconds = np.transpose(drawn)
            runs.record(
                name,
                rule,
                seed,
                seconds=seconds.mean(),
                acc=acc.mean(),
                acc_low=np.quantile(acc, 0.05),
            )


def layouts_of_start(X, n_clusters, seed):
    """Neighbour graph of rows and the layouts that a default start makes of it.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Rows.
    n_clusters, seed : int
        Number of clusters and `random_state`.

    Returns
    -------
    graph : scipy.sparse.csr_array of shape (n_samples, n_samples)
        Neighbours.
    layouts : list of ndarray of shape (n_samples, n_dims)
        What mixtures are fitted to.
    """
    kept = []

    def keep(graph, layouts, n_clusters, random_state):
        kept.extend([graph, list(layouts)])
        return np.full((graph.shape[0], n_clusters), 1 / n_clusters)

    model = GaussianMixtureVAE(n_clusters, random_state=seed)
    with (
        mock.patch.object(initialization, "_most_compressing", keep),
        warnings.catch_warnings(action="ignore", category=ConvergenceWarning),
    ):
        AutoencoderClusters(model).fit(X)
    return kept


def seedings(graph, layouts, n_clusters, seed, y):
    """Fit many mixtures to layouts as a start does.

    Parameters
    ----------
    graph : scipy.sparse.csr_array of shape (n_samples, n_samples)
        Neighbours.
    layouts : list of ndarray of shape (n_samples, n_dims)
        What they are fitted to.
    n_clusters, seed : int
        Number of clusters, and seed of the seedings.
    y : ndarray of shape (n_samples,)
        Classes, with which the results are compared.

    Returns
    -------
    pools : list of dict of str to list of (tuple, float, float)
        For each layout, by covariances: the score by which a start chooses, ACC and
        seconds of every mixture.
    """
    random_state = np.random.RandomState(seed)
    places = [_place(layout, random_state) for layout in layouts]
    pools = [
        {kind: [] for kind in _covariance_types(subset, n_clusters)}
        for _, subset in places
    ]
    more = dict.fromkeys(initialization.N_LAYOUT_SEEDINGS, N_POOL)
    with mock.patch.object(initialization, "N_LAYOUT_SEEDINGS", more):
        for (points, subset), pool in zip(places, pools, strict=True):
            for kind, fits in pool.items():
                begin = perf_counter()
                for score, mixture in _scored_mixtures(
                    kind, graph, points, subset, n_clusters, random_state
                ):
                    seconds = perf_counter() - begin
                    acc = clustering_accuracy(y, mixture.predict(points))
                    fits.append((score, acc, seconds))
                    begin = perf_counter()
    return pools


def draw(pools, n_spherical, n_full, n_layouts, random_state):
    """Draw some of many seedings, with replacement, and keep the best as a start does.

    Parameters
    ----------
    pools : list of dict of str to list
        What :func:`seedings` returns.
    n_spherical, n_full : int
        Number of seedings with spherical covariances on every layout, and with full
        ones on each of the best.
    n_layouts : int
        How many layouts get full ones.
    random_state : numpy.random.RandomState
        Source of the draw.

    Returns
    -------
    acc, seconds : float
        Of the seeding that is kept; of all that were drawn.
    """

    def drawn(pool, kind, n_drawn):
        fits = pool.get(kind, [])
        n_drawn = n_drawn if fits else 0
        return [fits[random_state.randint(len(fits))] for _ in range(n_drawn)]

    score_of = itemgetter(0)
    spherical = [drawn(pool, "spherical", n_spherical) for pool in pools]
    best = [score_of(max(fits, key=score_of)) for fits in spherical]
    order = sorted(range(len(pools)), key=best.__getitem__)
    full = [drawn(pools[i], "full", n_full) for i in order[-n_layouts:]]
    fits = sum([*spherical, *full], [])
    _, acc, _ = max(fits, key=score_of)
    return acc, sum(seconds for *_, seconds in fits)


# A start that is kept


def starts(n_clusters):
    """Clusterers to start from, and how the fit treats the start.

    Parameters
    ----------
    n_clusters : int
        Number of clusters.

    Returns
    -------
    starts : dict of str to clusterer
        With umap-learn where it is installed.
    """
    result = {
        "k-means": KMeans(n_clusters, n_init=10),
        "GaussianMixture": GaussianMixture(
            n_clusters, n_init=5, init_params="k-means++"
        ),
        "spectral": SpectralClustering(n_clusters, affinity="nearest_neighbors"),
    }
    try:
        from umap import UMAP
    except ImportError:
        return result
    layout = UMAP(**UMAP_LAYOUT)
    mixture = GaussianMixture(n_clusters, n_init=5)
    return result | {"UMAP + GaussianMixture": make_pipeline(layout, mixture)}


# Weight of the guidance and of the conditional prior.
TREATMENTS = {
    "not guided, beta 1": (0.0, 1.0),
    "guided, beta 1": (50.0, 1.0),
    "guided, beta 3 (default)": (50.0, 3.0),
}


def run_kept(runs, load, name, seeds):
    """Fit from several starts, with and without what keeps them."""
    X, y = load()
    fitted, held_out = split(len(y))
    X_val = X[held_out]
    for seed in seeds or SEEDS[:3]:
        for start, clusterer in starts(len(np.unique(y))).items():
            for treatment, (weight, beta) in TREATMENTS.items():
                setting = f"{start}, {treatment}"
                if runs.done(name, setting, seed):
                    continue
                estimator = GaussianMixtureVAE(
                    len(np.unique(y)),
                    random_state=seed,
                    init=clusterer,
                    beta=beta,
                    max_iter=STUDY_EPOCHS,
                )
                with mock.patch.object(initialization, "GUIDANCE_WEIGHT", weight):
                    fit_and_record(
                        runs,
                        estimator,
                        X[fitted],
                        y[fitted],
                        data=name,
                        setting=setting,
                        seed=seed,
                        every=4,
                        score_on={"score_val": X_val},
                    )


def split(n_samples):
    """Nine of ten rows to fit, and the others.

    Parameters
    ----------
    n_samples : int
        Number of rows.

    Returns
    -------
    fitted, held_out : ndarray
        Indices, the same for every seed.
    """
    order = np.random.RandomState(0).permutation(n_samples)
    n_held_out = n_samples // 10
    return np.sort(order[n_held_out:]), np.sort(order[:n_held_out])


# Restarts and the number of clusters


def run_restarts(runs, load, name, seeds):
    """Fit ten times, with every criterion that needs no classes."""
    X, y = load()
    for seed in seeds or range(10):
        record_criteria(runs, X, y, len(np.unique(y)), name, "default", seed)


def run_number(runs, load, name, seeds):
    """Fit with several numbers of clusters, with every criterion."""
    X, y = load()
    for n_clusters in NUMBER_DATA[name]:
        for seed in seeds or SEEDS[:3]:
            record_criteria(runs, X, y, n_clusters, name, f"K = {n_clusters}", seed)


def record_criteria(runs, X, y, n_clusters, data, setting, seed):
    """Fit one model to nine of ten rows and write a line of criteria.

    Parameters
    ----------
    runs : Runs
        Where to.
    X : array-like of shape (n_samples, n_features)
        Rows.
    y : ndarray of shape (n_samples,)
        Classes, with which the result is compared.
    n_clusters : int
        Number of clusters.
    data, setting : str
        What is fitted on what.
    seed : int
        The `random_state`.
    """
    if runs.done(data, setting, seed):
        return
    fitted, held_out = split(len(y))
    estimator = GaussianMixtureVAE(n_clusters, random_state=seed, max_iter=STUDY_EPOCHS)
    start = perf_counter()
    estimator.fit(X[fitted])
    seconds = perf_counter() - start
    labels, proba = estimator.labels_, estimator.predict_proba(X[fitted])
    codes = estimator.transform(X[fitted])
    line = runs.record(
        data,
        setting,
        seed,
        seconds=seconds,
        **scores(y[fitted], labels, proba),
        acc_start=clustering_accuracy(y[fitted], estimator.start_labels_),
        score=estimator.score(X[fitted]),
        score_val=estimator.score(X[held_out]),
        entropy=posterior_entropy(proba),
        compression=compression_score(X[fitted], labels),
        modularity=modularity_score(X[fitted], labels),
        compression_codes=compression_score(codes, labels),
        modularity_codes=modularity_score(codes, labels),
        # Evenly from all rows: some sets are sorted by class.
        labels="".join(SYMBOLS[k] for k in labels[:: -(-len(labels) // N_LABELS)]),
        estimator=" ".join(repr(estimator).split()),
    )
    print(f"{data}, {setting}, seed {seed}: ACC {line['acc']:.3f}, {seconds:.1f} s")


# How long to pre-train


def run_pretraining(runs, load, name, seeds):
    """Start the model after a shorter or a longer pre-training."""
    X, y = load()
    for seed in seeds or SEEDS[:3]:
        for fraction in PRETRAININGS:
            setting = f"{fraction} of the epochs"
            if runs.done(name, setting, seed):
                continue
            estimator = AutoencoderClusters(
                GaussianMixtureVAE(len(np.unique(y)), random_state=seed)
            )
            with mock.patch.object(_mixture, "PRETRAINING", fraction):
                seconds = timed(estimator.fit, X)
            acc = clustering_accuracy(y, estimator.labels_)
            runs.record(name, setting, seed, seconds=seconds, acc=acc)


# The noise of a start

# Logarithm of the least noise scale.
FLOORS = {"the error": -np.inf, "exp(-2)": -2.0, "exp(-1)": -1.0}
NOISY_MODELS = (GaussianMixtureVAE, MixtureOfVAEs, GumbelSoftmaxVAE)
N_SAMPLES = 1000


def run_noise(runs, load, name, seeds):
    """Start the noise at the error of the autoencoder, with and without a floor."""
    X, y = load()
    n_clusters = len(np.unique(y))
    for seed in seeds or SEEDS[:3]:
        mixture = GaussianMixture(n_clusters, random_state=seed)
        record_noise(runs, mixture, X, y, name, "GaussianMixture", seed)
        for model in NOISY_MODELS:
            for floor, least in FLOORS.items():
                estimator = model(n_clusters, random_state=seed)
                setting = f"{model.__name__}, {floor}"
                with noise_from(least):
                    record_noise(runs, estimator, X, y, name, setting, seed)


def noise_from(least):
    """Start the noise of all models at this scale at least.

    Parameters
    ----------
    least : float
        Its logarithm, in units of the scale of the data.

    Returns
    -------
    patch : context manager
        Until it ends.
    """
    calibrate = GaussianLikelihood.calibrate

    def calibrate_from(likelihood, mean_square, **_):
        calibrate(likelihood, mean_square, least=least)

    return mock.patch.object(GaussianLikelihood, "calibrate", calibrate_from)


def record_noise(runs, estimator, X, y, data, setting, seed):
    """Fit one model to nine of ten rows and write a line about its samples.

    Parameters
    ----------
    runs : Runs
        Where to.
    estimator : estimator
        Not fitted.
    X : array-like of shape (n_samples, n_features)
        Rows.
    y : ndarray of shape (n_samples,)
        Classes, with which the result is compared.
    data, setting : str
        What is fitted on what.
    seed : int
        The `random_state`.
    """
    if runs.done(data, setting, seed):
        return
    fitted, held_out = split(len(y))
    seconds = timed(estimator.fit, X[fitted])
    samples, clusters = estimator.sample(N_SAMPLES)
    line = runs.record(
        data,
        setting,
        seed,
        seconds=seconds,
        acc=clustering_accuracy(y[fitted], estimator.predict(X[fitted])),
        own=(estimator.predict(samples) == clusters).mean(),
        score_val=estimator.score(X[held_out]),
        estimator=" ".join(repr(estimator).split()),
    )
    print(
        f"{data}, {setting}, seed {seed}: ACC {line['acc']:.3f}, own "
        f"{line['own']:.3f}, {line['score_val']:.2f} nats, {seconds:.1f} s",
        flush=True,
    )


# Layouts beside umap-learn


def run_layout(runs, load, name, seeds):
    """Lay out the principal components by our code and by umap-learn."""
    X, y = load()
    Z = PCA(min(50, X.shape[1]), random_state=0).fit_transform(X).astype(np.float64)
    for seed in seeds or SEEDS[:3]:
        for setting, lay_out in layouts().items():
            if runs.done(name, setting, seed):
                continue
            start = perf_counter()
            layout = lay_out(Z, seed)
            seconds = perf_counter() - start
            mixture = GaussianMixture(
                len(np.unique(y)), n_init=5, reg_covar=1e-4, random_state=seed
            )
            labels = mixture.fit_predict(layout / layout.std())
            runs.record(
                name,
                setting,
                seed,
                seconds=seconds,
                acc=clustering_accuracy(y, labels),
                trust=trustworthiness(Z, layout, n_neighbors=15),
            )


def layouts():
    """Functions from rows and a seed to a layout, by the name of their setting.

    Returns
    -------
    layouts : dict of str to callable
        With umap-learn where it is installed.
    """
    result = {"skdeepmix": _our_layout}
    try:
        from umap import UMAP
    except ImportError:
        return result
    UMAP(n_neighbors=5).fit(np.random.RandomState(0).rand(50, 3))  # compile first
    parameters = {"n_components": 5, "n_neighbors": 15, "min_dist": 0.0}
    return result | {
        "umap-learn": lambda Z, seed: UMAP(
            **parameters, random_state=seed
        ).fit_transform(Z)
    }


def _our_layout(Z, seed):
    graph = fuzzy_graph(Z, 15)
    start = spectral_start(graph, 5, np.random.RandomState(seed))
    return graph_layout(graph, start, seed)


ROWS = {
    "defaults": (run_defaults, tuple(TABLES)),
    "random": (run_random, ("usps",)),
    "candidates": (run_candidates, tuple(name for name in TABLES if name != "yaleb")),
    "seedings": (run_seedings, RESTART_DATA),
    "kept": (run_kept, KEPT_DATA),
    "restarts": (run_restarts, RESTART_DATA),
    "number": (run_number, tuple(NUMBER_DATA)),
    "pretraining": (run_pretraining, LAYOUT_DATA),
    "layout": (run_layout, LAYOUT_DATA),
    "noise": (run_noise, tuple(NOISE_DATA)),
}


def main(argv=None):
    """Run the rows that the command line names.

    Parameters
    ----------
    argv : list of str or None, default=None
        Arguments; None takes those of the process.
    """
    options = parser(__doc__.splitlines()[0], ROWS)
    options.add_argument(
        "--sets",
        type=choices(tuple(DATA)),
        default=list(DATA),
        help="comma-separated data sets; default: all of the row",
    )
    args = options.parse_args(argv)
    set_threads(args.threads)
    for row in args.rows:
        runs = Runs(args.results / f"starts_{row}.jsonl")
        run, names = ROWS[row]
        for name in names:
            if name in args.sets:
                run(runs, partial(DATA[name], args.data_home), name, args.seeds)


if __name__ == "__main__":
    main()
