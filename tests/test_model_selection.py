import re
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from joblib import parallel_config
from numpy.testing import assert_allclose, assert_array_equal
from scipy.cluster.hierarchy import linkage
from scipy.sparse import csr_array
from sklearn.cluster import DBSCAN, AgglomerativeClustering, BisectingKMeans, KMeans
from sklearn.datasets import make_blobs
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture
from sklearn.pipeline import make_pipeline

from skdeepmix import GaussianMixtureVAE
from skdeepmix.model_selection import _log_dispersion, knee_point, select_n_clusters
from skdeepmix.networks import MLP


@st.composite
def curves(draw, min_size=4, max_size=30):
    """Numbers of clusters with gaps, and rough values."""
    size = draw(st.integers(min_size, max_size))
    rng = np.random.RandomState(draw(st.integers(0, 2**16)))
    x = 1 + np.cumsum(rng.randint(1, 4, size=size))
    return x, rng.normal(size=size) + 10 / x


@st.composite
def corners(draw):
    """Two exact lines that meet at a known number, and their slopes differ."""
    size = draw(st.integers(4, 19))
    knee = draw(st.integers(1, size - 2))
    first = draw(st.integers(1, 5))
    slopes = draw(st.sampled_from([(-9, -1), (-1, 0), (2, 0.5), (-0.1, -5)]))
    x = np.arange(first, first + size)
    steps = x - x[knee]
    return x, 3 + np.where(steps < 0, slopes[0], slopes[1]) * steps, x[knee]


def naive_knee(x, y, overlap):
    """Last point of the left line, by polyfit over all splits."""
    errors = {}
    for split in range(1, len(x) - 1 if overlap else len(x) - 2):
        right = split if overlap else split + 1
        total = 0
        for part in (slice(split + 1), slice(right, None)):
            line = np.polyval(np.polyfit(x[part], y[part], 1), x[part])
            total += len(x[part]) * np.sqrt(np.mean((line - y[part]) ** 2))
        errors[x[split]] = total
    return min(errors, key=errors.get)


@given(corners())
def test_finds_the_corner_of_two_lines(curve):
    x, y, knee = curve
    assert knee_point(x, y) == knee


@given(st.integers(2, 16), st.floats(0.5, 1e3))
def test_without_overlap_a_step_ends_the_left_line(knee, height):
    x = np.arange(1, 19)
    y = np.where(x <= knee, height * (2 + 1 / 19) - 0.1 * x, -0.01 * x)
    assert knee_point(x, y, overlap=False) == knee


@pytest.mark.parametrize("overlap", [True, False])
@given(curve=curves())
def test_is_that_of_a_loop_over_polyfit(overlap, curve):
    knee = knee_point(*curve, overlap=overlap, refine=False)
    assert knee == naive_knee(*curve, overlap)


@pytest.mark.parametrize("overlap", [True, False])
@given(curve=curves(max_size=50), scale=st.sampled_from([-1e6, -0.5, 1e-6, 8.0]))
def test_units_of_the_values_do_not_matter(overlap, curve, scale):
    x, y = curve
    expected = knee_point(x, y, overlap=overlap)
    assert knee_point(x, scale * (y + 100), overlap=overlap) == expected


@pytest.mark.parametrize("overlap", [True, False])
@given(curve=curves(min_size=21, max_size=50))
def test_refinement_cuts_for_as_long_as_the_knee_falls(overlap, curve):
    x, y = curve
    kept, last, knee = len(x), np.inf, x[-1]
    while knee < last:
        last, knee = knee, naive_knee(x[:kept], y[:kept], overlap)
        kept = max(20, np.count_nonzero(x <= 2 * knee))
    assert knee_point(x, y, overlap=overlap) == knee


def test_refinement_takes_the_knee_back_from_a_long_tail():
    x = np.arange(1, 101)
    y = np.where(x <= 10, 100 - 8 * x, 20) - 6 * np.log1p(np.maximum(x - 10, 0))
    assert knee_point(x, y) == 10
    assert knee_point(x, y, refine=False) > 11


def test_refinement_keeps_twenty_points():
    x, rng = np.arange(1, 21), np.random.RandomState(0)
    y = 100 / x + rng.normal(size=20)
    assert knee_point(x, y) == knee_point(x, y, refine=False) < 10


def test_merge_distances_suit_lines_without_overlap():
    X, _ = make_blobs(120, centers=6 * np.eye(5), cluster_std=0.3, random_state=0)
    # The last merge is the one from two clusters to one.
    distances = linkage(X, "ward")[:-30:-1, 2]
    sizes = np.arange(2, 2 + len(distances))
    assert knee_point(sizes, distances, overlap=False) == 5


def test_knee_is_an_int():
    assert type(knee_point(np.arange(1, 6), [4, 2, 0, 0, 0])) is int


@pytest.mark.parametrize(
    ("sizes", "values", "error", "message"),
    [
        (
            [1, 2, 3],
            [3, 2, 1],
            ValueError,
            "Expected at least 4 numbers of clusters, for two lines, but got 3. "
            "Pass a wider range, such as range(1, 25).",
        ),
        (
            [1, 2, 2, 3],
            [4, 3, 2, 1],
            ValueError,
            "Expected numbers of clusters >= 1 that increase but got [1, 2, 2, 3]. "
            "Sort them and leave out duplicates.",
        ),
        (
            np.array([4, 3, 2, 1], dtype=np.uint8),
            [4, 3, 2, 1],
            ValueError,
            "Expected numbers of clusters >= 1 that increase but got [4, 3, 2, 1]. "
            "Sort them and leave out duplicates.",
        ),
        (
            [0, 1, 2, 3],
            [4, 3, 2, 1],
            ValueError,
            "Expected numbers of clusters >= 1 that increase but got [0, 1, 2, 3]. "
            "Sort them and leave out duplicates.",
        ),
        (
            [1.0, 2.0, 3.5, 4.0],
            [4, 3, 2, 1],
            TypeError,
            "Expected integers as numbers of clusters but got float64 values.",
        ),
        (
            5,
            [1],
            TypeError,
            "Expected several numbers of clusters but got 5. Pass a range, such as "
            "range(1, 25).",
        ),
        (
            range(5, 2),
            [],
            ValueError,
            "Expected at least 4 numbers of clusters, for two lines, but got 0. Pass a "
            "wider range, such as range(1, 25).",
        ),
        (
            [1, 2, 3, 4],
            [4, 3, 2],
            ValueError,
            "Expected one value per number of clusters but got 3 values for 4 numbers.",
        ),
        (
            [1, 2, 3, 4],
            [4, 3, np.nan, 1],
            ValueError,
            "Expected finite values but got nan for 3 clusters. Leave this number out; "
            "the default criterion needs more distinct rows than clusters.",
        ),
    ],
)
def test_bad_curves(sizes, values, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        knee_point(sizes, values)


CLUSTERERS = [
    KMeans(n_init=5, random_state=0),
    BisectingKMeans(random_state=0, n_init=5),
    AgglomerativeClustering(),
    GaussianMixture(n_init=2, random_state=0),
]


def blobs(n_clusters, seed=0):
    """Well separated Gaussians."""
    rng = np.random.RandomState(seed)
    centers = rng.uniform(-10, 10, size=(n_clusters, 6))
    return make_blobs(30 * n_clusters, centers=centers, random_state=seed)[0]


@pytest.mark.parametrize("clusterer", CLUSTERERS, ids=lambda c: type(c).__name__)
@pytest.mark.parametrize("n_clusters", [2, 3, 5])
def test_finds_the_number_of_blobs(clusterer, n_clusters):
    X = blobs(n_clusters)
    selection = select_n_clusters(clusterer, X, range(1, 13))
    assert selection.n_clusters == n_clusters


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("top", [18, 30])
def test_end_of_a_wide_range_does_not_matter(seed, top):
    selection = select_n_clusters(
        AgglomerativeClustering(), blobs(8, seed), range(1, top + 1)
    )
    assert selection.n_clusters == 8


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("container", [np.asarray, csr_array])
@pytest.mark.parametrize("n_repeats", [3, 300])
@pytest.mark.parametrize("offset", [0.0, 1e3])
def test_rows_that_repeat_have_no_dispersion(container, n_repeats, offset):
    rows = np.random.RandomState(0).normal(size=(10, 3)) + offset
    X = container(np.repeat(rows, range(n_repeats, n_repeats + 10), axis=0))
    message = r"^Expected finite values but got -inf for 10 clusters\. Leave this "
    with pytest.raises(ValueError, match=message):
        select_n_clusters(KMeans(n_init=5, random_state=0), X, range(1, 16))


def test_entries_of_sparse_rows_that_repeat_are_summed():
    parts = ([1.0, 1.0, 2.0, 5.0], [0, 0, 1, 0], [0, 2, 3, 4])
    X = csr_array(parts, shape=(3, 2))
    labels = np.zeros(3, dtype=int)
    found, expected = (_log_dispersion(None, x, labels) for x in (X, X.toarray()))
    assert found == pytest.approx(expected)
    assert X.nnz == 4  # the rows of the user stay as they are


def test_default_criterion_is_that_of_kmeans():
    X = blobs(3)
    sizes = [1, 2, 3, 5, 8]
    selection = select_n_clusters(KMeans(random_state=0), X, sizes)
    inertia = [KMeans(k, random_state=0).fit(X).inertia_ for k in sizes]
    assert_allclose(selection.curve, np.log(np.array(inertia) / len(X)))


def test_result():
    selection = select_n_clusters(AgglomerativeClustering(), blobs(3), range(1, 9))
    assert sorted(selection) == ["curve", "n_clusters", "n_clusters_range"]
    assert_array_equal(selection.n_clusters_range, np.arange(1, 9))
    assert selection.n_clusters == knee_point(np.arange(1, 9), selection.curve)


@pytest.mark.parametrize("scale", [1e-9, 1e9])
def test_units_of_the_rows_do_not_matter(scale):
    X = blobs(4)
    curves = [
        select_n_clusters(AgglomerativeClustering(), X * factor, range(1, 10)).curve
        for factor in (1, scale)
    ]
    assert_allclose(curves[0] + 2 * np.log(scale), curves[1])


@pytest.mark.parametrize("container", [csr_array, pd.DataFrame])
def test_takes_what_the_clusterer_takes(container):
    X = blobs(3)
    clusterer = KMeans(random_state=0)
    expected = select_n_clusters(clusterer, X, range(1, 8)).curve
    selection = select_n_clusters(clusterer, container(X), range(1, 8))
    assert_allclose(selection.curve, expected)


def test_criterion_gets_model_rows_and_labels():
    X, calls = blobs(3), []

    def criterion(model, rows, labels):
        assert rows is X
        assert_array_equal(model.predict(X), labels)
        calls.append(model.n_components)
        return model.bic(rows)

    mixture = GaussianMixture(n_init=2, random_state=0, covariance_type="spherical")
    selection = select_n_clusters(mixture, X, range(1, 9), criterion=criterion)
    assert calls == list(range(1, 9))
    assert selection.n_clusters == 3


@pytest.mark.filterwarnings("ignore:(Number of|The clusters)")
def test_finds_the_number_of_blobs_by_a_deep_model():
    X, _ = make_blobs(200, centers=8 * np.eye(4), random_state=0)
    model = GaussianMixtureVAE(
        n_latent=2,
        encoder=MLP((16,)),
        max_iter=20,
        learning_rate=1e-2,
        random_state=0,
    )
    selection = select_n_clusters(model, X, range(1, 9))
    assert selection.n_clusters == 4


def test_parameter_of_a_pipeline():
    X = blobs(4)
    pipeline = make_pipeline(PCA(n_components=3), KMeans(n_init=3, random_state=0))
    selection = select_n_clusters(
        pipeline, X, range(1, 10), param_name="kmeans__n_clusters"
    )
    assert selection.n_clusters == 4


def test_estimator_stays_as_it_was():
    clusterer = KMeans(n_clusters=7, random_state=0)
    select_n_clusters(clusterer, blobs(3), range(1, 8))
    assert clusterer.n_clusters == 7
    assert not hasattr(clusterer, "labels_")


def test_an_iterator_will_do():
    clusterer = AgglomerativeClustering()
    selection = select_n_clusters(clusterer, blobs(3), iter(range(1, 8)))
    assert selection.n_clusters == 3


def test_jobs_give_the_same_curve():
    X, clusterer = blobs(3), KMeans(random_state=0)
    expected = select_n_clusters(clusterer, X, range(1, 7)).curve
    with parallel_config("threading"):  # quick to start
        selection = select_n_clusters(clusterer, X, range(1, 7), n_jobs=2)
    assert_allclose(selection.curve, expected)


@pytest.mark.parametrize(
    ("values", "sizes", "message"),
    [
        (
            [9, 7, 5, 3, 1, 2],
            range(1, 7),
            "The knee is at 5 clusters, and numbers from 1 to 6 can only give 2 to 5. "
            "Pass a wider range: it should begin with 1 and reach twice the knee.",
        ),
        (
            [9, 1, 0.9, 0.8, 0.7, 0.6],
            range(2, 8),
            "The knee is at 3 clusters, and numbers from 2 to 7 can only give 3 to 6. "
            "Pass a wider range: it should begin with 1 and reach twice the knee.",
        ),
    ],
)
def test_warns_of_a_knee_at_an_end(values, sizes, message):
    values = dict(zip(sizes, values, strict=True))
    with pytest.warns(UserWarning, match=f"^{re.escape(message)}$") as record:
        select_n_clusters(
            KMeans(random_state=0),
            blobs(3),
            sizes,
            criterion=lambda model, X, labels: values[model.n_clusters],
        )
    assert record[0].filename == __file__


def test_does_not_warn_of_two_clusters_where_one_was_tried():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clusterer = AgglomerativeClustering()
        assert select_n_clusters(clusterer, blobs(2), range(1, 9)).n_clusters == 2


@pytest.mark.parametrize(
    ("estimator", "arguments", "error", "message"),
    [
        (
            KMeans,
            {},
            TypeError,
            r"^Expected an estimator but got the class KMeans\. Pass an instance",
        ),
        (
            PCA(),
            {},
            TypeError,
            r"^Expected a clusterer with a fit_predict method but got PCA\.$",
        ),
        (
            DBSCAN(),
            {},
            ValueError,
            r"^Expected an estimator with the parameter n_clusters or n_components but "
            r"got DBSCAN without\. Pass as param_name the parameter that sets the "
            r"number of clusters; of DBSCAN it may be one of \['algorithm', .*\]\.$",
        ),
        (
            make_pipeline(PCA(), KMeans()),
            {},
            ValueError,
            r"^Expected .* but got Pipeline without\. .* of Pipeline it may be one of "
            r"\['pca__n_components', 'kmeans__n_clusters'\]\.$",
        ),
        (
            KMeans(),
            {"param_name": "k"},
            ValueError,
            r"^Expected an estimator with the parameter k but got KMeans without\. ",
        ),
        (
            KMeans(),
            {"n_clusters_range": range(2, 5)},
            ValueError,
            r"^Expected at least 4 numbers of clusters, for two lines, but got 3\. ",
        ),
    ],
)
def test_bad_arguments(estimator, arguments, error, message):
    with pytest.raises(error, match=message):
        select_n_clusters(
            estimator, blobs(2), **{"n_clusters_range": range(1, 6), **arguments}
        )


def test_as_many_clusters_as_rows_leave_nothing_to_measure():
    X = np.arange(6.0)[:, None] ** 2
    message = r"^Expected finite values but got -inf for 6 clusters\. Leave this .*\.$"
    with pytest.raises(ValueError, match=message):
        select_n_clusters(AgglomerativeClustering(), X, range(1, 7))
