"""Bad input is refused in a full sentence; odd but legitimate data are fitted."""

import pickle
import re
import warnings

import numpy as np
import pytest
import torch
from scipy import sparse
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.cluster import DBSCAN, KMeans
from sklearn.datasets import load_digits, make_blobs
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdeepmix import (
    MPCC,
    GaussianMixtureVAE,
    GumbelSoftmaxVAE,
    MixtureOfNetworks,
    MixtureOfVAEs,
)
from skdeepmix._sklearn_compat import InvalidParameterError
from skdeepmix.base import _model
from skdeepmix.networks import MLP, ConvNet
from skdeepmix.utils.discovery import all_estimators

CLUSTERERS = dict(all_estimators("cluster"))
METHODS = ["predict", "predict_proba", "transform", "score_samples", "score"]
X, y = make_blobs(60, n_features=3, centers=4, random_state=0)


def small(cls=GaussianMixtureVAE, **parameters):
    """Make a model that is fitted in a few hundredths of a second."""
    defaults = {"encoder": MLP((16,)), "n_latent": 2, "max_iter": 10}
    return cls(**defaults | parameters, random_state=0)


class Labels(ClusterMixin, BaseEstimator):
    """Give fixed labels, whatever the rows."""

    def __init__(self, labels):
        self.labels = labels

    def fit(self, X, y=None):
        self.labels_ = self.labels
        return self


def raises(error, message):
    """Expect an error with this message and no more."""
    return pytest.raises(error, match=f"^{re.escape(message)}$")


@pytest.fixture(scope="module")
def fitted():
    return small().fit(X)


# What scikit-learn refuses on behalf of every estimator, in its own words.


def with_entry(value):
    changed = X.astype(np.asarray(value).dtype)
    changed[7, 1] = value
    return changed


IMPUTE = (
    "GaussianMixtureVAE does not accept missing values encoded as NaN natively. For "
    "supervised learning, you might want to consider "
    "sklearn.ensemble.HistGradientBoostingClassifier and Regressor which accept "
    "missing values encoded as NaNs natively. Alternatively, it is possible to "
    "preprocess the data, for instance by using an imputer transformer in a pipeline "
    "or drop samples with missing values. See "
    "https://scikit-learn.org/stable/modules/impute.html You can find a list of all "
    "estimators that handle NaN values at the following page: "
    "https://scikit-learn.org/stable/modules/impute.html"
    "#estimators-that-handle-nan-values"
)
RESHAPE = (
    "Reshape your data either using array.reshape(-1, 1) if your data has a single "
    "feature or array.reshape(1, -1) if it contains a single sample."
)
REFUSED = {
    "NaN": (with_entry(np.nan), f"Input X contains NaN.\n{IMPUTE}"),
    "infinity": (
        with_entry(np.inf),
        "Input X contains infinity or a value too large for dtype('float64').",
    ),
    "minus infinity, sparse": (
        sparse.csr_array(with_entry(-np.inf)),
        "Input X contains infinity or a value too large for dtype('float64').",
    ),
    "strings": (
        np.array([["a", "b", "c"]] * 9),
        "dtype='numeric' is not compatible with arrays of bytes/strings.Convert your "
        "data to numeric values explicitly instead.",
    ),
    "objects": (
        np.array([["a", 1, 2]] * 9, dtype=object),
        "could not convert string to float: 'a'",
    ),
    "complex": (
        np.array([[1 + 2j, 3, 4]]),
        "Complex data not supported\n[[1.+2.j 3.+0.j 4.+0.j]]\n",
    ),
    "no samples": (
        np.empty((0, 3)),
        "Found array with 0 sample(s) (shape=(0, 3)) while a minimum of 1 is required "
        "by GaussianMixtureVAE.",
    ),
    "no features": (
        np.empty((9, 0)),
        "Found array with 0 feature(s) (shape=(9, 0)) while a minimum of 1 is required "
        "by GaussianMixtureVAE.",
    ),
    "one dimension": (
        np.array([1.0, 2.0]),
        f"Expected 2D array, got 1D array instead:\narray=[1. 2.].\n{RESHAPE}",
    ),
    "three dimensions": (
        X[None],
        "Found array with dim 3, while dim <= 2 is required by GaussianMixtureVAE.",
    ),
    "a number": (
        3.0,
        f"Expected 2D array, got scalar array instead:\narray=3.0.\n{RESHAPE}",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_fit_refuses(name):
    bad, message = REFUSED[name]
    with raises(ValueError, message):
        small().fit(bad)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", REFUSED)
def test_fitted_model_refuses(fitted, name, method):
    bad, message = REFUSED[name]
    with raises(ValueError, message):
        getattr(fitted, method)(bad)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n_features", [2, 4])
def test_another_number_of_features(fitted, method, n_features):
    message = (
        f"X has {n_features} features, but GaussianMixtureVAE is expecting 3 features "
        "as input."
    )
    with raises(ValueError, message):
        getattr(fitted, method)(np.zeros((5, n_features)))


@pytest.mark.parametrize("method", [*METHODS, "inverse_transform", "sample"])
def test_unfitted(method):
    message = (
        "This GaussianMixtureVAE instance is not fitted yet. Call 'fit' with "
        "appropriate arguments before using this estimator."
    )
    arguments = [] if method == "sample" else [X]
    with raises(NotFittedError, message):
        getattr(small(), method)(*arguments)


def test_fewer_rows_than_clusters():
    message = "Expected n_samples >= n_clusters but got n_clusters = 5, n_samples = 3."
    with raises(ValueError, message):
        small(n_clusters=5).fit(X[:3])


# Parameters.


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (
            {"n_clusters": 0},
            "The 'n_clusters' parameter of GaussianMixtureVAE must be an int in the "
            "range [1, inf). Got 0 instead.",
        ),
        (
            {"encoder": "mlp"},
            "The 'encoder' parameter of GaussianMixtureVAE must be an instance of "
            "'skdeepmix.networks._specs.NetworkSpec' or None. Got 'mlp' instead.",
        ),
        (
            {"learning_rate": 0},
            "The 'learning_rate' parameter of GaussianMixtureVAE must be a float in "
            "the range (0.0, inf). Got 0 instead.",
        ),
    ],
    ids=str,
)
def test_parameter_out_of_range(parameters, message):
    with raises(InvalidParameterError, message):
        small(**parameters).fit(X)


@pytest.mark.parametrize(
    ("name", "choices"),
    [
        ("likelihood", {"gaussian", "bernoulli"}),
        ("precision", {"auto", "float32", "bfloat16"}),
    ],
)
def test_unknown_string(name, choices):
    with pytest.raises(InvalidParameterError) as error:
        small(**{name: "other"}).fit(X)
    # scikit-learn lists the choices in no fixed order.
    head, listed, tail = re.split(r"[{}]", str(error.value))
    assert head == f"The '{name}' parameter of GaussianMixtureVAE must be a str among "
    assert set(listed.split(", ")) == {repr(choice) for choice in choices}
    assert tail == ". Got 'other' instead."


def test_unknown_device():
    message = "device='tpu' is not a torch device. Use 'auto', 'cpu' or 'cuda'."
    with raises(ValueError, message):
        small(device="tpu").fit(X)


@pytest.mark.parametrize("device", ["cuda", torch.device("cuda:1")])
def test_cuda_without_a_cuda_device(monkeypatch, device):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    message = (
        f"device={device!r} was requested but no CUDA device is available. Use "
        "device='cpu' or device='auto'."
    )
    with raises(ValueError, message):
        small(device=device).fit(X)


@pytest.mark.parametrize("name", ["encoder", "decoder"])
def test_image_shape_that_does_not_match(name):
    message = (
        "The 'image_shape' parameter of ConvNet has 784 elements, but its rows have "
        "100 features."
    )
    with raises(ValueError, message):
        small(**{name: ConvNet(image_shape=(1, 28, 28))}).fit(np.eye(100))


def test_too_many_convolutions():
    message = (
        "The 4 layers of ConvNet make the image 16 times smaller, which leaves nothing "
        "of 10 x 10 pixels. Use fewer 'channels'."
    )
    with raises(ValueError, message):
        small(encoder=ConvNet((1, 10, 10), channels=4 * (8,))).fit(np.eye(100))


@pytest.mark.parametrize("sizes", [(16, 0), (2.5,), ("16",)])
def test_layer_sizes_that_are_no_counts(sizes):
    message = (
        "The 'hidden_layer_sizes' parameter of MLP must be a tuple of positive "
        f"integers. Got {sizes!r} instead."
    )
    with raises(ValueError, message):
        small(encoder=MLP(sizes)).fit(X)


@pytest.mark.parametrize("bad", [X, sparse.csr_array(X)], ids=["dense", "CSR"])
def test_negative_data_with_bernoulli_likelihood(bad):
    message = (
        "likelihood='bernoulli' needs X in [0, 1], but X ranges from "
        f"{X.min():.8g} to {X.max():.8g}. Rescale X, for example with "
        "MinMaxScaler(clip=True), or use likelihood='gaussian'."
    )
    with raises(ValueError, message):
        small(likelihood="bernoulli").fit(bad)


def test_bernoulli_model_takes_the_rounding_of_a_scaler():
    rows = np.eye(20) * (1 + 2**-52)
    model = small(likelihood="bernoulli").fit(rows)
    np.testing.assert_array_equal(model.predict(rows), model.labels_)


def test_bernoulli_model_refuses_rows_outside_of_its_range():
    model = small(likelihood="bernoulli").fit(np.eye(20))
    message = (
        "likelihood='bernoulli' needs X in [0, 1], but X ranges from 0 to 255. Rescale "
        "X, for example with MinMaxScaler(clip=True), or use likelihood='gaussian'."
    )
    with raises(ValueError, message):
        model.predict(255 * np.eye(20))


def test_variance_beyond_float64():
    scaled = np.array([[1e200], [3e200]])
    message = (
        "The variance of X exceeds the range of float64: the largest feature mean is "
        "2e+200. Divide X by a constant."
    )
    with raises(ValueError, message):
        small(n_clusters=1).fit(scaled)


# Starts.

INIT_CHOICES = "an array-like or an object implementing 'fit_predict'. Got"


def test_init_that_ends_in_no_clusterer():
    message = (
        "The 'init' parameter, a Pipeline, has no fit_predict. Pass a clusterer or a "
        "pipeline that ends in one."
    )
    with raises(ValueError, message):
        small(init=make_pipeline(StandardScaler())).fit(X)


@pytest.mark.parametrize(
    "init", ["other", "", print, object, 3, None, MLP(), StandardScaler()], ids=repr
)
def test_init_that_is_no_start(init):
    with pytest.raises(InvalidParameterError) as error:
        small(init=init).fit(X)
    head, listed, tail = re.split(r"[{}]", str(error.value), maxsplit=2)
    assert head == "The 'init' parameter of GaussianMixtureVAE must be a str among "
    assert {"'k-means++'", "'random'"} <= set(listed.split(", "))
    assert tail == f", {INIT_CHOICES} {init!r} instead."


@pytest.mark.parametrize(
    ("init", "error", "message"),
    [
        (
            np.zeros(59, dtype=int),
            ValueError,
            "The 'init' parameter gives 59 rows, but X has 60 samples. Pass one label "
            "or one row of responsibilities for each sample.",
        ),
        (
            np.full((60, 3), 1 / 3),
            ValueError,
            "The 'init' parameter has 3 columns and a least value of 0.333, but "
            "responsibilities need n_clusters = 4 columns of values >= 0.",
        ),
        (
            np.full((60, 4), -0.25),
            ValueError,
            "The 'init' parameter has 4 columns and a least value of -0.25, but "
            "responsibilities need n_clusters = 4 columns of values >= 0.",
        ),
        (
            np.arange(60) % 8,
            ValueError,
            "The start found 8 clusters, but n_clusters = 4. Give both the same "
            "number.",
        ),
        (
            KMeans(7, n_init=1),
            ValueError,
            "The start found 7 clusters, but n_clusters = 4. Give both the same "
            "number.",
        ),
        (
            np.arange(60) % 4 + 0.5,
            ValueError,
            "The labels in 'init' must be integers, negative where unknown, but one of "
            "them is 0.5. Pass responsibilities of shape (n_samples, n_clusters) for "
            "soft labels.",
        ),
        (np.full(60, np.nan), ValueError, "Input init contains NaN."),
        (
            ["a"] * 60,
            ValueError,
            "The labels in 'init' are strings. Pass integers, negative where unknown, "
            "such as those of sklearn.preprocessing.LabelEncoder.",
        ),
        (
            np.array(["a", 1] * 30, dtype=object),
            ValueError,
            "The labels in 'init' are strings. Pass integers, negative where unknown, "
            "such as those of sklearn.preprocessing.LabelEncoder.",
        ),
        (
            Labels(np.zeros(5, dtype=int)),
            ValueError,
            "The 'init' parameter gives 5 rows, but X has 60 samples. Pass one label "
            "or one row of responsibilities for each sample.",
        ),
        (
            Labels(np.full(60, "a")),
            ValueError,
            "The labels in 'init' are strings. Pass integers, negative where unknown, "
            "such as those of sklearn.preprocessing.LabelEncoder.",
        ),
        (
            {"labels": 3},
            TypeError,
            "Input should have at least 1 dimension i.e. satisfy `len(x.shape) > 0`, "
            "got scalar `array({'labels': 3}, dtype=object)` instead.",
        ),
        (
            KMeans,
            ValueError,
            "The 'init' parameter is the class KMeans. Pass an instance of it, "
            "KMeans(...).",
        ),
    ],
    ids=[
        "wrong length",
        "wrong number of columns",
        "negative responsibilities",
        "labels of more clusters",
        "clusterer with more clusters",
        "labels with fractions",
        "NaN",
        "strings",
        "strings and numbers",
        "clusterer with labels of other rows",
        "clusterer with strings",
        "dict",
        "class",
    ],
)
def test_start_that_does_not_fit(init, error, message):
    with raises(error, message):
        small(init=init).fit(X)


def test_start_with_unknown_labels_guides_the_known_rows_alone():
    labels = np.where(np.arange(60) % 2, y, -1)
    model = small(init=labels, max_iter=80, learning_rate=0.01).fit(X)
    np.testing.assert_array_equal(model.start_labels_, labels)
    known = labels >= 0
    assert np.mean(model.labels_[known] == y[known]) > 0.9
    assert np.isfinite(model.predict_proba(X)).all()


@pytest.mark.filterwarnings("ignore:(Number of|The clusters)")
@pytest.mark.parametrize("init", [np.full(60, -1), DBSCAN(eps=1e-9)], ids=str)
def test_start_without_any_label_fits(init):
    model = small(init=init).fit(X)
    assert (model.start_labels_ == -1).all()
    assert np.isfinite(model.predict_proba(X)).all()


# Arguments of the methods of a fitted model.


@pytest.mark.parametrize("n_samples", [0, -1, 1.5, "2", None])
def test_sample_of_no_rows(fitted, n_samples):
    message = (
        "Invalid value for 'n_samples': expected an int of at least 1, got "
        f"{n_samples!r}."
    )
    with raises(ValueError, message):
        fitted.sample(n_samples)


@pytest.mark.parametrize(
    "cluster",
    [4, -1, 1.0, "0", True, np.nan, [], np.array([], dtype=int), [0, 4], [[0]]],
    ids=repr,
)
def test_sample_of_a_cluster_out_of_range(fitted, cluster):
    message = f"Expected 'cluster' to hold integers from 0 to 3, got {cluster!r}."
    with raises(ValueError, message):
        fitted.sample(cluster=cluster)


def test_sample_with_two_opinions_on_the_number_of_rows(fitted):
    message = (
        "n_samples = 3, but 'cluster' has 2 labels. Leave 'n_samples' out to draw one "
        "row per label."
    )
    with raises(ValueError, message):
        fitted.sample(3, cluster=[0, 1])


def test_inverse_transform_of_another_number_of_columns(fitted):
    message = (
        "Z has 3 columns, but GaussianMixtureVAE has 2 latent dimensions. Pass what "
        "'transform' returns."
    )
    with raises(ValueError, message):
        fitted.inverse_transform(X)


def test_inverse_transform_of_nan(fitted):
    with raises(ValueError, "Input Z contains NaN."):
        fitted.inverse_transform(np.full((5, 2), np.nan))


# A fit that diverges.


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (
            {"init": "random"},
            "The loss of GaussianMixtureVAE became nan at epoch 2, in the term "
            "'reconstruction'. Use a smaller 'learning_rate'.",
        ),
        (
            {"init": "k-means++"},
            "The loss of GaussianMixtureVAE became nan at epoch 2 of the pre-training, "
            "in the term 'reconstruction'. Use a smaller 'learning_rate'.",
        ),
        (
            {"init": "k-means++", "max_iter": 4},
            "The latent codes of GaussianMixtureVAE are not finite after the "
            "autoencoder pre-training. Use a smaller 'learning_rate'.",
        ),
        (
            {"init": "random", "max_iter": 1},
            "The posterior of GaussianMixtureVAE is not finite after epoch 1. Use a "
            "smaller 'learning_rate'.",
        ),
    ],
    ids=["training", "pre-training", "last pre-training epoch", "last epoch"],
)
def test_divergence_is_named(parameters, message):
    with raises(ValueError, message):
        small(learning_rate=1e30, **parameters).fit(X.astype(np.float32))


def test_divergence_names_term_and_epoch(monkeypatch):
    module_class = GaussianMixtureVAE()._module_class
    losses, n_calls = module_class.losses, iter(range(100))

    def failing(self, x):
        for terms, *players in losses(self, x):
            factor = np.inf if next(n_calls) == 4 else 1.0
            yield {**terms, "w_prior": terms["w_prior"] * factor}, *players

    monkeypatch.setattr(module_class, "losses", failing)
    message = (
        "The loss of GaussianMixtureVAE became inf at epoch 5, in the term 'w_prior'. "
        "Use a smaller 'learning_rate'."
    )
    with raises(ValueError, message):
        small().fit(X)


# Legitimate data.


def images():
    return load_digits().data[:60] * (255 / 16)


LEGITIMATE = {
    "constant features": np.c_[X, np.ones((60, 2))],
    "all rows equal": np.full((60, 3), 7.0),
    "all zeros": np.zeros((60, 3)),
    "all rows equal to 1e30": np.full((60, 3), 1e30),
    "one feature": X[:, :1],
    "1e-30": X * 1e-30,
    "1e30": X * 1e30,
    "1e-30, float32": (X * 1e-30).astype(np.float32),
    "1e30, float32": (X * 1e30).astype(np.float32),
    "1e-30 beside 1e30": X * [1e-30, 1, 1e30],
    "far from zero": X + 1e6,
    "subnormal": X * 1e-310,
    "images in [0, 255]": images(),
    "images in [0, 255], uint8": images().astype(np.uint8),
    "integers": (10 * X).astype(int),
    "booleans": X > 3,
    "float16": X.astype(np.float16),
    "a list": X.tolist(),
    "CSR without an entry": sparse.csr_array((60, 3)),
    "as many rows as clusters": X[:4],
    "more latent than data": X[:5, :1],
}


@pytest.mark.filterwarnings("ignore:(Number of|The clusters)")
@pytest.mark.parametrize("name", LEGITIMATE)
@pytest.mark.parametrize(
    ("cls", "init"),
    # The starts are the base's, but for that without a start.
    [(cls, "neighbors") for cls in CLUSTERERS.values()]
    + [(GaussianMixtureVAE, init) for init in ("k-means++", "random")]
    + [(MixtureOfNetworks, "random")],
)
def test_legitimate_data_give_finite_results(cls, init, name):
    rows = LEGITIMATE[name]
    model = small(cls, init=init).fit(rows)
    Z = model.transform(rows)
    results = {
        "predict": model.predict(rows),
        "predict_proba": model.predict_proba(rows),
        "transform": Z,
        "inverse_transform": model.inverse_transform(Z),
        "score_samples": model.score_samples(rows),
        "score": model.score(rows),
        "sample": model.sample(5)[0],
        "noisy sample": model.sample(5, observation_noise=True)[0],
        "sample of a cluster": model.sample(5, cluster=3)[0],
        "weights_": model.weights_,
        "cluster_centers_": model.cluster_centers_,
        "loss_curve_": model.loss_curve_,
    }
    assert [n for n, result in results.items() if not np.isfinite(result).all()] == []


@pytest.mark.parametrize("n_samples", [1, 2, 3])
@pytest.mark.parametrize("cls", CLUSTERERS.values(), ids=CLUSTERERS)
def test_one_cluster_of_few_rows(cls, n_samples):
    rows = X[:n_samples]
    # The default of MPCC is to normalise batches.
    model = small(cls, n_clusters=1, decoder=MLP((16,))).fit(rows)
    np.testing.assert_array_equal(model.labels_, np.zeros(n_samples))
    np.testing.assert_allclose(model.predict_proba(rows), 1)
    assert np.isfinite(model.score_samples(rows)).all()


@pytest.mark.filterwarnings("ignore:Number of")
@pytest.mark.parametrize("cls", CLUSTERERS.values(), ids=CLUSTERERS)
def test_last_batch_of_one_row(cls):
    # Networks side by side have no batch normalisation.
    stacked = cls is MixtureOfVAEs
    encoder = MLP((16,), normalization="none" if stacked else "batch")
    model = small(cls, batch_size=20, encoder=encoder).fit(X[:41])
    assert np.isfinite(model.predict_proba(X)).all()


def test_rows_far_from_all_training_rows_have_a_posterior(fitted):
    np.testing.assert_allclose(fitted.predict_proba(X * 1e30).sum(axis=1), 1)


@pytest.mark.parametrize("cls", [GaussianMixtureVAE, MixtureOfNetworks, MPCC])
def test_rows_beyond_all_arithmetic_are_an_error(cls):
    model, rows = small(cls).fit(X), X.copy()
    rows[3, 1] = 1e200
    message = (
        f"The posterior of {cls.__name__} is not finite for 1 of 60 rows, the first of "
        "them row 3: they are too far away from those of the fit, whose scale is "
        f"{model._scaling.scale:.3g}. Clip or drop them."
    )
    with raises(ValueError, message):
        model.predict(rows)


def test_float32_rows_with_a_large_offset_keep_their_arithmetic(monkeypatch):
    rows, used = (X + 1e7).astype(np.float32), set()
    model = small().fit(rows)
    cast = _model.cast_module
    monkeypatch.setattr(
        _model, "cast_module", lambda *args: used.add(args[1]) or cast(*args)
    )
    model.predict(rows)
    assert used == {"float32"}
    far = rows.copy()
    far[0] = 1e20
    model.predict(far)
    assert used == {"float32", "float64"}


def test_likelihoods_below_the_range_of_float32_are_minus_infinity():
    rows = X.astype(np.float32)
    model = small().fit(rows)
    rows[0] = 1e25
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        log_prob = model.score_samples(rows)
    assert log_prob[0] == -np.inf
    assert np.isfinite(log_prob[1:]).all()


# Sparse rows that are valid, but not in the order that SciPy likes best.


@pytest.mark.parametrize("cls", CLUSTERERS.values(), ids=CLUSTERERS)
def test_duplicate_entries_of_csr_count_and_are_left_alone(cls):
    columns = [2, 1, 0, 0, 1, 2]
    parts = (X[:, columns] / 2).ravel(), np.tile(columns, 60), np.arange(0, 361, 6)
    before = [array.copy() for array in parts]
    for array in parts:
        array.flags.writeable = False
    rows = sparse.csr_array(parts, shape=X.shape)
    np.testing.assert_allclose(rows.toarray(), X)
    model, dense = small(cls).fit(rows), small(cls).fit(X)
    np.testing.assert_allclose(model.predict_proba(rows), dense.predict_proba(X))
    for array, expected in zip(parts, before, strict=True):
        np.testing.assert_array_equal(array, expected)


@pytest.mark.parametrize("dtype", [np.int32, np.uint8])
@pytest.mark.parametrize("cls", CLUSTERERS.values(), ids=CLUSTERERS)
def test_batch_size_of_any_integer_type(cls, dtype):
    one, other = (small(cls, batch_size=size).fit(X) for size in (20, dtype(20)))
    np.testing.assert_array_equal(one.predict_proba(X), other.predict_proba(X))


# Parameters set after the fit.


@pytest.mark.parametrize(
    "changes",
    [
        {"n_clusters": 7},
        {"n_latent": 5, "encoder": MLP((8, 8))},
        {"encoder__hidden_layer_sizes": (3,), "decoder": MLP((4,))},
        {"likelihood": "bernoulli"},
        {"init": "random", "max_iter": 1, "batch_size": 1, "random_state": 5},
        {"device": "nowhere", "precision": "unknown"},
    ],
    ids=str,
)
def test_set_params_after_fit_changes_no_prediction(changes):
    model = small().fit(X)
    before = [getattr(model, method)(X) for method in METHODS]
    drawn = model.sample(9, random_state=3)
    model.set_params(**changes)
    for method, expected in zip(METHODS, before, strict=True):
        np.testing.assert_array_equal(getattr(model, method)(X), expected)
    for now, expected in zip(model.sample(9, random_state=3), drawn, strict=True):
        np.testing.assert_array_equal(now, expected)


def test_changing_the_spec_that_was_passed_changes_no_prediction():
    spec = MLP((16,))
    model = small(encoder=spec).fit(X)
    before = model.predict_proba(X)
    spec.set_params(hidden_layer_sizes=(3, 3), activation="tanh")
    np.testing.assert_array_equal(model.predict_proba(X), before)


# Methods that one model alone has.

OWN_METHODS = [
    (GumbelSoftmaxVAE, "style"),
    (MixtureOfVAEs, "reconstruct"),
    (MixtureOfVAEs, "transform_components"),
]


@pytest.mark.parametrize(("cls", "method"), OWN_METHODS)
def test_own_methods_validate_like_the_others(cls, method):
    model = small(cls)
    message = (
        f"This {cls.__name__} instance is not fitted yet. Call 'fit' with appropriate "
        "arguments before using this estimator."
    )
    with raises(NotFittedError, message):
        getattr(model, method)(X)
    model.fit(X)
    message = f"X has 2 features, but {cls.__name__} is expecting 3 features as input."
    with raises(ValueError, message):
        getattr(model, method)(X[:, :2])
    dense = getattr(model, method)(X)
    np.testing.assert_allclose(getattr(model, method)(sparse.csr_array(X)), dense)
    assert getattr(model, method)(X.astype(np.float32)).dtype == np.float32


def test_changing_the_classifier_that_was_passed_changes_no_prediction():
    spec = MLP((8,))
    model = small(GumbelSoftmaxVAE, classifier=spec).fit(X)
    before = model.predict_proba(X)
    spec.set_params(hidden_layer_sizes=(3, 3))
    loaded = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(loaded.predict_proba(X), before)
