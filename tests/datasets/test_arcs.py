import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.cluster import KMeans
from sklearn.neighbors import NearestNeighbors

from skdeepmix.datasets import make_arcs
from skdeepmix.metrics import clustering_accuracy


def smallest_gap(X, y):
    """Smallest distance between points of different arcs."""
    gaps = []
    for arc in np.unique(y):
        nearest = NearestNeighbors(n_neighbors=1).fit(X[y == arc])
        gaps.append(nearest.kneighbors(X[y != arc])[0].min())
    return min(gaps)


@pytest.mark.parametrize("n_arcs", [1, 3, 5, 8])
def test_each_arc_lies_on_a_unit_circle_through_the_origin(n_arcs):
    X, y = make_arcs(400, n_arcs=n_arcs, noise=0, random_state=0)
    angles = 2 * np.pi * np.arange(n_arcs) / n_arcs
    centres = np.column_stack([np.cos(angles), np.sin(angles)])
    assert_allclose(np.linalg.norm(X - centres[y], axis=1), 1)
    assert_allclose(np.linalg.norm(centres, axis=1), 1)


def test_distance_from_the_origin():
    radii = np.linalg.norm(make_arcs(noise=0, random_state=0)[0], axis=1)
    assert_allclose([radii.min(), radii.max()], [2 * np.sin(np.pi / 10), 2], rtol=1e-3)


def test_inner_ends_are_as_far_apart_as_documented():
    X, y = make_arcs(noise=0, random_state=0)
    inner = np.array(
        [X[y == arc][np.linalg.norm(X[y == arc], axis=1).argmin()] for arc in range(5)]
    )
    gaps = np.linalg.norm(inner - np.roll(inner, 1, axis=0), axis=1)
    assert_allclose(gaps, 1.24 * np.sin(np.pi / 5), rtol=0.02)


def test_default_arcs_do_not_touch():
    assert smallest_gap(*make_arcs(random_state=0)) > 0.3


def test_kmeans_mixes_the_default_arcs():
    X, y = make_arcs(2000, random_state=0)
    labels = KMeans(5, n_init=3, random_state=0).fit_predict(X)
    assert clustering_accuracy(y, labels) < 0.95


def test_noise_is_its_standard_deviation():
    X, y = make_arcs(20_000, n_arcs=1, noise=0.05, random_state=0)
    assert_array_equal(y, 0)
    deviation = np.linalg.norm(X - [1, 0], axis=1) - 1
    assert_allclose(deviation.std(), 0.05, rtol=0.03)


@given(st.integers(1, 60), st.integers(1, 8))
def test_points_are_shared_out_evenly(n_samples, n_arcs):
    _, y = make_arcs(n_samples, n_arcs=n_arcs, random_state=0)
    expected = [len(share) for share in np.array_split(np.arange(n_samples), n_arcs)]
    assert_array_equal(np.bincount(y, minlength=n_arcs), expected)


def test_shapes_and_types():
    X, y = make_arcs(50, random_state=0)
    assert X.shape == (50, 2)
    assert y.shape == (50,)
    assert X.dtype == np.float64
    assert y.dtype == np.int64


def test_rows_are_shuffled():
    _, y = make_arcs(100, random_state=0)
    assert np.count_nonzero(np.diff(y)) > 40
    assert not np.array_equal(y, np.arange(100) % 5)


def test_an_int_gives_the_same_points_twice():
    for first, second in zip(
        make_arcs(20, random_state=3), make_arcs(20, random_state=3), strict=True
    ):
        assert_array_equal(first, second)


def test_a_random_state_advances():
    rng = np.random.RandomState(0)
    first, second = make_arcs(20, random_state=rng), make_arcs(20, random_state=rng)
    assert not np.array_equal(first[0], second[0])


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"n_samples": 0}, ValueError, r"^n_samples == 0, must be >= 1\.$"),
        ({"n_samples": 9.5}, TypeError, r"^n_samples must be an instance of int"),
        ({"n_arcs": 0}, ValueError, r"^n_arcs == 0, must be >= 1\.$"),
        ({"noise": "a"}, TypeError, r"^noise must be an instance of float, not str\.$"),
        (
            {"noise": -0.5},
            ValueError,
            r"^Expected a finite noise >= 0 but got noise = -0\.5\.$",
        ),
        (
            {"noise": np.nan},
            ValueError,
            r"^Expected a finite noise >= 0 but got noise = nan\.$",
        ),
    ],
)
def test_bad_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        make_arcs(**arguments)
