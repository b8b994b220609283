"""The estimators inside of what others build around scikit-learn."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from imblearn.over_sampling import KMeansSMOTE
from imblearn.under_sampling import ClusterCentroids
from scipy import sparse
from scipy.stats import loguniform
from sklearn.base import clone
from sklearn.cluster import AgglomerativeClustering, KMeans
from sklearn.compose import ColumnTransformer
from sklearn.datasets import make_blobs, make_classification
from sklearn.decomposition import PCA
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import adjusted_rand_score, make_scorer
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    RandomizedSearchCV,
    cross_val_predict,
    cross_validate,
)
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, StandardScaler

from skdeepmix.networks import MLP
from skdeepmix.utils.discovery import all_estimators

CLUSTERERS = dict(all_estimators("cluster"))
X, y = make_blobs(90, n_features=4, centers=3, cluster_std=0.5, random_state=0)

pytestmark = [
    pytest.mark.parametrize("cls", CLUSTERERS.values(), ids=CLUSTERERS),
    # Fits of a few steps.
    pytest.mark.filterwarnings("ignore:(Number of|The clusters)"),
]


def small(cls, **parameters):
    """Make a model that is fitted in a few hundredths of a second."""
    defaults = {"n_clusters": 3, "encoder": MLP((16,)), "n_latent": 2, "max_iter": 10}
    return cls(**defaults | parameters, random_state=0)


# Pipelines and compositions.


def test_end_of_a_pipeline(cls):
    pipeline = make_pipeline(StandardScaler(), PCA(3), small(cls)).fit(X)
    codes = pipeline[:-1].transform(X)
    alone = small(cls).fit(codes)
    np.testing.assert_array_equal(pipeline.predict(X), alone.predict(codes))
    np.testing.assert_array_equal(pipeline.predict_proba(X), alone.predict_proba(codes))
    np.testing.assert_array_equal(pipeline.score_samples(X), alone.score_samples(codes))
    assert pipeline.score(X) == alone.score(codes)
    assert pipeline.inverse_transform(pipeline.transform(X)).shape == X.shape
    np.testing.assert_array_equal(pipeline.fit_predict(X), alone.labels_)


def test_middle_of_a_pipeline_with_a_classifier(cls):
    pipeline = make_pipeline(small(cls, max_iter=40), LogisticRegression())
    assert pipeline.fit(X, y).score(X, y) > 0.9


def test_sparse_rows_from_a_one_hot_encoder(cls):
    rows = pd.DataFrame({"a": list("uvw") * 20, "b": list("xy") * 30})
    pipeline = make_pipeline(OneHotEncoder(), small(cls))
    assert sparse.issparse(pipeline[0].fit_transform(rows))
    assert pipeline.fit(rows).predict_proba(rows).shape == (60, 3)


def test_feature_union(cls):
    union = FeatureUnion([("pca", PCA(1)), ("model", small(cls))])
    Z = union.fit_transform(X)
    np.testing.assert_array_equal(Z[:, 1:], small(cls).fit_transform(X))
    names = [f"model__{cls.__name__.lower()}{i}" for i in range(Z.shape[1] - 1)]
    assert list(union.get_feature_names_out()) == ["pca__pca0", *names]


def test_column_transformer(cls):
    frame = pd.DataFrame(X, columns=list("abcd"))
    columns = ColumnTransformer(
        [("model", small(cls), ["a", "b"])], remainder="passthrough"
    )
    Z = columns.fit_transform(frame)
    expected = small(cls).fit_transform(frame[["a", "b"]])
    np.testing.assert_array_equal(Z[:, :-2], expected)
    np.testing.assert_array_equal(Z[:, -2:], X[:, 2:])


# Model selection.


def test_grid_search_in_parallel_over_nested_parameters(cls):
    grid = {
        "n_clusters": [2, 3],
        "encoder__hidden_layer_sizes": [(8,), (8, 8)],
    }
    serial = GridSearchCV(small(cls), grid, cv=2).fit(X)
    parallel = GridSearchCV(small(cls), grid, cv=2, n_jobs=2).fit(X)
    scores = parallel.cv_results_["mean_test_score"]
    assert np.isfinite(scores).all()
    assert len(set(scores)) == 4
    np.testing.assert_allclose(scores, serial.cv_results_["mean_test_score"], rtol=1e-3)
    best = parallel.best_params_["encoder__hidden_layer_sizes"]
    assert parallel.best_estimator_.encoder.hidden_layer_sizes == best


def test_grid_search_over_specs_and_starts_in_a_pipeline(cls):
    name = cls.__name__.lower()
    grid = {
        f"{name}__encoder": [MLP((8,)), MLP((8,), activation="tanh")],
        f"{name}__init": [
            KMeans(3, n_init=1),
            make_pipeline(PCA(1), GaussianMixture(3)),
        ],
    }
    pipeline = make_pipeline(MinMaxScaler(), small(cls))
    scorer = make_scorer(adjusted_rand_score)
    search = GridSearchCV(pipeline, grid, cv=2, scoring=scorer).fit(X, y)
    assert search.best_score_ > 0.5


def test_halving_grid_search(cls):
    grid = {"n_latent": [1, 2], "learning_rate": [1e-3, 1e-2]}
    search = HalvingGridSearchCV(
        small(cls),
        grid,
        cv=2,
        resource="max_iter",
        min_resources=2,
        max_resources=8,
        random_state=0,
    )
    search.fit(X)
    assert search.n_resources_ == [2, 6]
    assert search.best_estimator_.max_iter == 6


def test_randomized_search(cls):
    rates = {"learning_rate": loguniform(1e-4, 1e-2)}
    search = RandomizedSearchCV(small(cls), rates, n_iter=2, cv=2, random_state=0)
    assert np.isfinite(search.fit(X).best_score_)


def test_cross_validate(cls):
    scores = cross_validate(
        small(cls, max_iter=40),
        X,
        y,
        cv=3,
        scoring=["adjusted_rand_score", "v_measure_score"],
        return_train_score=True,
        error_score="raise",
    )
    assert scores["test_adjusted_rand_score"].shape == (3,)
    assert (scores["train_v_measure_score"] > 0.5).all()


def test_cross_val_predict_of_probabilities(cls):
    proba = cross_val_predict(small(cls), X, cv=2, method="predict_proba")
    np.testing.assert_allclose(proba.sum(axis=1), 1)


# Starts by other clusterers.


def test_clusterer_without_predict_as_start(cls):
    model = small(cls, init=AgglomerativeClustering(3), max_iter=100).fit(X)
    assert adjusted_rand_score(y, model.start_labels_) == 1


def test_labels_of_a_series_as_start(cls):
    model = small(cls, init=pd.Series(y)).fit(pd.DataFrame(X, columns=list("abcd")))
    np.testing.assert_array_equal(model.start_labels_, y)


# imbalanced-learn.


@pytest.fixture
def imbalanced():
    return make_classification(
        200,
        n_features=4,
        n_informative=3,
        n_redundant=0,
        n_clusters_per_class=1,
        weights=[0.8],
        class_sep=2,
        random_state=0,
    )


def test_kmeans_smote(cls, imbalanced):
    rows, classes = imbalanced
    sampler = KMeansSMOTE(
        kmeans_estimator=small(cls),
        k_neighbors=2,
        cluster_balance_threshold=0.1,
        random_state=0,
    )
    resampled, labels = sampler.fit_resample(rows, classes)
    assert np.isfinite(resampled).all()
    counts = np.bincount(labels)
    assert abs(counts[0] - counts[1]) <= 3


@pytest.mark.parametrize("voting", ["soft", "hard"])
def test_cluster_centroids(cls, imbalanced, voting):
    rows, classes = imbalanced
    model = small(cls, max_iter=2)
    sampler = ClusterCentroids(estimator=model, voting=voting, random_state=0)
    resampled, labels = sampler.fit_resample(rows, classes)
    n_minority = np.bincount(classes).min()
    np.testing.assert_array_equal(np.bincount(labels), 2 * [n_minority])
    assert np.isfinite(resampled).all()
    if voting == "soft":
        centers = sampler.estimator_.cluster_centers_
        np.testing.assert_array_equal(resampled[:n_minority], centers)


# Data frames.


@pytest.mark.parametrize(("container", "frame"), [("pandas", pd), ("polars", pl)])
def test_set_output(cls, container, frame):
    rows = frame.DataFrame(dict(zip("abcd", X.T, strict=True)))
    model = small(cls).set_output(transform=container)
    Z = model.fit_transform(rows)
    assert isinstance(Z, frame.DataFrame)
    expected = small(cls).fit_transform(X)
    names = [f"{cls.__name__.lower()}{i}" for i in range(expected.shape[1])]
    assert list(Z.columns) == names
    # Columns lie apart in a frame, which changes the last bit of their means.
    np.testing.assert_allclose(Z.to_numpy(), expected, 1e-9, 1e-12)
    assert list(model.feature_names_in_) == list("abcd")
    assert isinstance(model.predict(rows), np.ndarray)
    assert isinstance(model.predict_proba(rows), np.ndarray)


def test_frames_of_mixed_numeric_types(cls):
    frame = pd.DataFrame({"a": X[:, 0], "b": X[:, 1] > 0, "c": np.arange(90) % 7})
    expected = small(cls).fit(frame.to_numpy(dtype=float))
    model = small(cls).fit(frame)
    np.testing.assert_array_equal(model.labels_, expected.labels_)


def test_a_clone_has_the_parameters_and_networks_of_its_own(cls):
    model = small(cls, encoder=MLP((8,), activation="tanh"))
    copied = clone(model)
    assert copied.encoder is not model.encoder
    assert repr(copied) == repr(model)
