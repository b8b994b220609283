"""Starts from anything that clusters, and the guidance towards them."""

import re
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.cluster import HDBSCAN, AgglomerativeClustering, KMeans
from sklearn.datasets import make_blobs
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdeepmix import GaussianMixtureVAE, initialization
from skdeepmix._neighbor_graph import fuzzy_graph
from skdeepmix.initialization import (
    guidance_weight,
    resolve_start,
    start_responsibilities,
)
from skdeepmix.networks import MLP

N_CLUSTERS = 3


@pytest.fixture(scope="module")
def blobs():
    return make_blobs(
        60, centers=[[0, 0], [9, 0], [0, 9]], cluster_std=0.5, random_state=0
    )


def start(init, codes, n_clusters=N_CLUSTERS, seed=0):
    return start_responsibilities(init, codes, n_clusters, np.random.RandomState(seed))


def assert_one_hot(resp, labels):
    np.testing.assert_array_equal(resp.sum(1), 1)
    np.testing.assert_array_equal(resp.max(1), 1)
    np.testing.assert_array_equal(resp.argmax(1), labels)


@given(st.floats(0.4, 1, exclude_max=True))
def test_guidance_is_zero_from_two_fifths_of_a_fit(progress):
    assert guidance_weight(progress) == 0


@given(st.floats(0, 0.2))
def test_guidance_is_constant_at_first(progress):
    assert guidance_weight(progress) == guidance_weight(0.0) > 0


@given(st.floats(0, 1, exclude_max=True), st.floats(0, 1, exclude_max=True))
def test_guidance_never_rises(first, second):
    first, second = sorted([first, second])
    assert guidance_weight(first) >= guidance_weight(second) >= 0


@pytest.mark.parametrize("max_iter", [1, 2, 3, 10, 79])
def test_a_fit_has_at_least_half_of_its_epochs_free(max_iter):
    weights = [guidance_weight(epoch / max_iter) for epoch in range(max_iter)]
    assert weights.count(0.0) >= max_iter // 2


def test_a_fit_is_guided_by_these_weights(blobs, monkeypatch):
    X, y = blobs
    seen = []
    monkeypatch.setattr(
        "skdeepmix.base._modules.guidance_weight",
        lambda progress: seen.append(progress) or 0.0,
    )
    GaussianMixtureVAE(3, encoder=MLP((4,)), init=y, max_iter=4).fit(X)
    assert seen == [0, 0.25, 0.5, 0.75]


def test_labels_become_certain_responsibilities(blobs):
    X, y = blobs
    assert_one_hot(start(y, X), y)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int64", "float64"])
def test_labels_have_any_dtype(blobs, dtype):
    X, y = blobs
    assert_one_hot(start(y.astype(dtype), X), y)


def test_labels_can_be_a_list(blobs):
    X, y = blobs
    assert_one_hot(start(y.tolist(), X), y)


def test_negative_labels_are_no_opinion(blobs):
    X, y = blobs
    labels = np.where(np.arange(len(y)) % 4 == 0, -1, y)
    resp = start(labels, X)
    assert not resp[labels < 0].any()
    assert_one_hot(resp[labels >= 0], y[labels >= 0])


def test_responsibilities_are_normalised(blobs):
    X, _ = blobs
    given = np.random.RandomState(0).uniform(size=(len(X), N_CLUSTERS))
    expected = given / given.sum(1, keepdims=True)
    np.testing.assert_allclose(start(given, X), expected, rtol=1e-6)


def test_rows_of_zeros_stay_zero(blobs):
    X, _ = blobs
    given = np.ones((len(X), N_CLUSTERS))
    given[::3] = 0
    resp = start(given, X)
    assert not resp[::3].any()
    np.testing.assert_allclose(np.delete(resp, np.s_[::3], axis=0), 1 / 3)


CLUSTERERS = {
    "k-means++": "k-means++",
    "KMeans": KMeans(N_CLUSTERS, n_init=3),
    "GaussianMixture": GaussianMixture(N_CLUSTERS, n_init=3),
    "pipeline": make_pipeline(StandardScaler(), KMeans(N_CLUSTERS, n_init=3)),
    "without random_state": AgglomerativeClustering(N_CLUSTERS),
}


@pytest.mark.parametrize("name", CLUSTERERS)
def test_clusterers_start_from_what_they_find(blobs, name):
    X, y = blobs
    resp = start(CLUSTERERS[name], X)
    assert_one_hot(resp, resp.argmax(1))
    assert adjusted_rand_score(y, resp.argmax(1)) == 1


def test_clusterers_are_cloned(blobs):
    clusterer = KMeans(N_CLUSTERS)
    start(clusterer, blobs[0])
    assert not hasattr(clusterer, "labels_")
    assert clusterer.random_state is None


def test_noise_of_a_density_clusterer_is_no_opinion(blobs):
    X, y = blobs
    outliers = np.array([[30.0, 30.0], [-40.0, 5.0]])
    resp = start(HDBSCAN(min_cluster_size=10, copy=True), np.vstack([X, outliers]))
    assert not resp[-2:].any()
    known = resp[:-2].any(1)
    assert known.mean() > 0.9
    assert adjusted_rand_score(y[known], resp[:-2].argmax(1)[known]) == 1


@pytest.fixture
def mixtures(monkeypatch):
    """Mixtures that are fitted, with their rows."""
    fitted = []

    class Noted(GaussianMixture):
        def fit(self, X, y=None):
            fitted.append((self, X))
            return super().fit(X)

    monkeypatch.setattr(initialization, "GaussianMixture", Noted)
    return fitted


@pytest.mark.parametrize(("width", "kind"), [(1, "spherical"), (4, "full")])
def test_mixtures_have_the_covariances_of_the_lower_bic(mixtures, width, kind):
    X, _ = make_blobs(300, centers=[[0, 0], [0, 12], [0, 24]], random_state=0)
    labels = start("k-means++", X * [width, 1]).argmax(1)
    best, rows = min(mixtures, key=lambda pair: pair[0].bic(pair[1]))
    assert [mixture.covariance_type for mixture, _ in mixtures] == ["spherical", "full"]
    assert best.covariance_type == kind
    np.testing.assert_array_equal(labels, best.predict(rows))


def test_mixtures_are_spherical_where_rows_are_few(mixtures, blobs):
    X, _ = blobs
    for n_samples in (30, 31):  # five for each of two dimensions of three components
        start("k-means++", X[:n_samples, :2])
    found = [(len(rows), mixture.covariance_type) for mixture, rows in mixtures]
    assert found == [(30, "spherical"), (31, "spherical"), (31, "full")]


def test_full_covariances_are_not_tried_where_spherical_ones_say_least(mixtures, blobs):
    X, y = blobs
    noise = np.random.RandomState(1).normal(size=X.shape)
    layouts = {"rows": X, "noise": noise, "between": X + 3 * noise}
    resp = initialization._most_compressing(
        fuzzy_graph(X, 5), layouts.values(), N_CLUSTERS, np.random.RandomState(0)
    )
    assert adjusted_rand_score(y, resp.argmax(1)) == 1
    tried = Counter()
    for mixture, points in mixtures:
        correlation = {
            name: np.corrcoef(points.ravel(), layout.ravel())[0, 1]
            for name, layout in layouts.items()
        }
        place = max(correlation, key=correlation.get)
        tried[mixture.covariance_type, place] += 1
    spherical = {("spherical", name): 5 for name in layouts}
    assert tried == spherical | {("full", "rows"): 10, ("full", "between"): 10}


@pytest.mark.parametrize(("n_latent", "n_calls"), [(1, 1), (4, 1), (60, 2)])
def test_layouts_are_those_of_the_starts_whatever_their_widths(
    monkeypatch, n_latent, n_calls
):
    rng = np.random.RandomState(0)
    codes, rows = rng.randn(80, n_latent), rng.randn(80, 3)
    graph, calls = fuzzy_graph(rows, 5), []

    def doubled(graph, start, seed):
        calls.append(start.shape)
        return 2 * start

    monkeypatch.setattr(initialization, "graph_layout", doubled)
    *layouts, spectrum = initialization._layouts(graph, [codes, rows], rng)
    starts = [initialization._spread(view[:, :n_latent]) for view in (codes, rows)]
    for layout, start in zip(layouts, [*starts, spectrum], strict=True):
        np.testing.assert_allclose(layout, 2 * start, rtol=1e-6)
    assert len(calls) == n_calls


@pytest.mark.parametrize(("extent", "dtype"), [(1, "float32"), (300, "float64")])
def test_mixtures_of_layouts_are_float32_where_it_is_exact_enough(
    mixtures, extent, dtype
):
    X, _ = make_blobs(1000, centers=3, n_features=4, random_state=0)
    # Five rows along a ray, whose covariance is singular but for what is added to it.
    ray = extent * np.linspace(1, 1.5, 5)[:, np.newaxis] * [1.0, 1.01, 0.3, -2.0]
    layout = np.concatenate([X, X[[0]] + ray])
    resp = initialization._most_compressing(
        fuzzy_graph(layout, 5), [layout] * 2, N_CLUSTERS + 1, np.random.RandomState(0)
    )
    assert {rows.dtype for _, rows in mixtures} == {np.dtype(dtype)}
    assert resp.dtype == np.float64
    np.testing.assert_allclose(resp.sum(1), 1)


def test_random_has_no_responsibilities(blobs):
    X, _ = blobs
    with pytest.raises(ValueError, match="^init='random' has no start to compute. Use"):
        start("random", X)


def test_random_is_no_start():
    assert resolve_start("random", 60, N_CLUSTERS) is None


def test_a_resolved_start_resolves_to_itself(blobs):
    clusterer = KMeans(N_CLUSTERS)
    assert resolve_start(clusterer, 60, N_CLUSTERS) is clusterer
    resp = resolve_start(blobs[1], 60, N_CLUSTERS)
    np.testing.assert_array_equal(resolve_start(resp, 60, N_CLUSTERS), resp)


class Recorder(KMeans):
    """Remembers the seeds that its clones were fitted with."""

    seeds = []

    def fit_predict(self, X, y=None):
        self.seeds.append(self.random_state)
        return super().fit_predict(X, y)


@pytest.fixture
def recorder():
    Recorder.seeds.clear()
    return Recorder(N_CLUSTERS, n_init=1)


@pytest.mark.parametrize("wrap", [lambda c: c, lambda c: make_pipeline(c)])
def test_clusterers_are_seeded(blobs, recorder, wrap):
    for seed in (0, 0, 1):
        start(wrap(recorder), blobs[0], seed=seed)
    first, again, other = Recorder.seeds
    assert isinstance(first, int)
    assert first == again != other


def test_seeds_of_the_user_are_kept(blobs, recorder):
    start(recorder.set_params(random_state=7), blobs[0])
    assert Recorder.seeds == [7]


def test_every_random_state_of_a_pipeline_is_seeded(blobs):
    codes = np.random.RandomState(0).randn(200, 2)  # no clusters: seeds decide
    pipeline = make_pipeline(StandardScaler(), KMeans(8, n_init=1))
    first, again = (start(pipeline, codes, 8, seed=3) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert any((start(pipeline, codes, 8, seed=s) != first).any() for s in range(3))


def test_random_state_of_the_model_decides_the_start():
    X = np.random.RandomState(0).randn(80, 4)
    models = [
        GaussianMixtureVAE(
            8, encoder=MLP((4,)), init=KMeans(8, n_init=1), max_iter=1, random_state=3
        )
        for _ in range(2)
    ]
    labels = [model.fit(X).start_labels_ for model in models]
    np.testing.assert_array_equal(*labels)


def assert_raises(message, *args, **kwargs):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        start(*args, **kwargs)


def test_labels_must_be_as_many_as_rows(blobs):
    X, y = blobs
    assert_raises(
        "The 'init' parameter gives 59 rows, but X has 60 samples. Pass one label or "
        "one row of responsibilities for each sample.",
        y[1:],
        X,
    )


def test_labels_must_be_below_n_clusters(blobs):
    X, y = blobs
    assert_raises(
        "The start found 3 clusters, but n_clusters = 2. Give both the same number.",
        y,
        X,
        n_clusters=2,
    )


def test_huge_labels_are_as_much_too_large_as_others(blobs):
    X, y = blobs
    y = y.astype(float)
    y[0] = 1e30
    assert_raises(
        "The start found 4 clusters, but n_clusters = 3. Give both the same number.",
        y,
        X,
    )
    with pytest.raises(ValueError, match="go up to 1000.*, but 4 clusters are numb"):
        start(y, X, n_clusters=4)


@pytest.mark.filterwarnings("error")
def test_unknown_labels_may_be_any_negative_number(blobs):
    X, y = blobs
    y = y.astype(float)
    y[0] = -1e30
    resp = resolve_start(y, len(X), 3)
    assert resp[0].sum() == 0
    np.testing.assert_array_equal(resp[1:].argmax(axis=1), y[1:])


def test_unknown_starts_are_named_beside_the_known(blobs):
    assert_raises(
        "Expected init in ['k-means++', 'neighbors', 'random'] but got 'kmeans'.",
        "kmeans",
        blobs[0],
    )


@pytest.mark.parametrize("classes", [(1, 2), (0, 5)])
def test_labels_are_numbered_from_0(blobs, classes):
    X, y = blobs
    assert_raises(
        f"The labels in 'init' go up to {classes[1]}, but 2 clusters are numbered from "
        "0 to 1. Number them anew, as by numpy.unique(labels, return_inverse=True)[1].",
        np.array(classes)[y % 2],
        X,
        n_clusters=2,
    )


def test_labels_in_a_column_are_not_responsibilities(blobs):
    X, y = blobs
    assert_raises(
        "The 'init' parameter has one column, but responsibilities need n_clusters = "
        "3. Use ravel() if these are labels.",
        y[:, None],
        X,
    )


@pytest.mark.parametrize("init", ["neighbors", "k-means++"])
def test_seeds_and_lists_do_as_well(blobs, init):
    X, y = blobs
    resp = start_responsibilities(init, X.tolist(), 3, 0)
    assert adjusted_rand_score(y, resp.argmax(1)) == 1
    assert start_responsibilities(init, X, 3, None).shape == (60, 3)


def test_clusterers_must_find_at_most_n_clusters(blobs):
    assert_raises(
        "The start found 4 clusters, but n_clusters = 3. Give both the same number.",
        KMeans(4, n_init=1),
        blobs[0],
    )


def test_clusterers_may_find_fewer_clusters(blobs):
    assert start(KMeans(2, n_init=1), blobs[0]).any(0).tolist() == [True, True, False]


def test_responsibilities_need_a_column_for_each_cluster(blobs):
    X, _ = blobs
    assert_raises(
        "The 'init' parameter has 2 columns and a least value of 1, but "
        "responsibilities need n_clusters = 3 columns of values >= 0.",
        np.ones((len(X), 2)),
        X,
    )


def test_responsibilities_must_not_be_negative(blobs):
    X, _ = blobs
    assert_raises(
        "The 'init' parameter has 3 columns and a least value of -1, but "
        "responsibilities need n_clusters = 3 columns of values >= 0.",
        -np.ones((len(X), 3)),
        X,
    )


def test_start_must_be_finite(blobs):
    X, y = blobs
    labels = y.astype(float)
    labels[0] = np.nan
    with pytest.raises(ValueError, match="Input init contains NaN"):
        start(labels, X)
