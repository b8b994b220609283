import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.cluster import DBSCAN, AgglomerativeClustering, KMeans
from sklearn.datasets import make_moons
from sklearn.neighbors import NearestNeighbors

from skdeepmix.datasets import make_moon_circle, make_two_circles, make_two_moons
from skdeepmix.metrics import clustering_accuracy

# As documented: centres, radii, and the angles that each of the two curves spans.
GEOMETRY = {
    make_two_moons: ([[11, 13], [19, 17]], [8, 8], [np.pi, np.pi]),
    make_moon_circle: ([[15, 10.8], [15, 10.8]], [12, 4.5], [np.pi, 2 * np.pi]),
    make_two_circles: ([[15, 15], [15, 15]], [12, 6], [2 * np.pi, 2 * np.pi]),
}
UNIT = 1 / 30
TOYS = list(GEOMETRY)
DEFAULT_SIZES = {
    make_two_moons: [2000, 2000],
    make_moon_circle: [2000, 2000],
    make_two_circles: [3000, 1500],
}
GAPS = {make_two_moons: 2 / 15, make_moon_circle: 0.25, make_two_circles: 0.2}

each_toy = pytest.mark.parametrize("make_toy", TOYS)


def offsets(make_toy, X, y):
    """Points seen from the centre of their curve."""
    return X - UNIT * np.array(GEOMETRY[make_toy][0])[y]


def distances_from_curve(make_toy, X, y):
    """Signed distance of each point from the circle that its curve is part of."""
    radii = UNIT * np.array(GEOMETRY[make_toy][1])[y]
    return np.linalg.norm(offsets(make_toy, X, y), axis=1) - radii


@each_toy
def test_points_without_noise_lie_on_their_curve(make_toy):
    distances = distances_from_curve(make_toy, *make_toy(noise=0, random_state=0))
    assert_allclose(distances, 0, atol=1e-12)


@pytest.mark.parametrize("make_toy", [make_two_moons, make_moon_circle])
def test_first_moon_is_the_upper_half(make_toy):
    X, y = make_toy(noise=0, random_state=0)
    assert offsets(make_toy, X, y)[y == 0, 1].min() >= 0


def test_second_moon_is_the_lower_half():
    X, y = make_two_moons(noise=0, random_state=0)
    assert offsets(make_two_moons, X, y)[y == 1, 1].max() <= 0


@each_toy
@pytest.mark.parametrize("curve", [0, 1])
def test_angles_are_uniform(make_toy, curve):
    X, y = make_toy(30_000, noise=0, random_state=0)
    first, second = offsets(make_toy, X, y)[y == curve].T
    span = GEOMETRY[make_toy][2][curve]
    parts = np.histogram(np.arctan2(second, first) % span, bins=5, range=(0, span))[0]
    assert_allclose(parts / len(first), 0.2, atol=0.02)


@each_toy
def test_gap_is_as_documented(make_toy):
    X, y = make_toy(noise=0, random_state=0)
    nearest = NearestNeighbors(n_neighbors=1).fit(X[y == 0])
    assert_allclose(nearest.kneighbors(X[y == 1])[0].min(), GAPS[make_toy], rtol=1e-3)


def test_moons_are_those_of_scikit_learn():
    X, y = make_moons(1000, noise=None, random_state=0)
    # Three radii, from -1 to 2, are 0.8 wide.
    X = (X - [0.5, 0.25]) * 0.8 / 3 + 0.5
    assert_allclose(distances_from_curve(make_two_moons, X, y), 0, atol=1e-12)


@each_toy
def test_noise_is_its_standard_deviation(make_toy):
    X, y = make_toy(20_000, noise=0.01, random_state=0)
    distances = distances_from_curve(make_toy, X, y)
    assert_allclose(distances.std(), 0.01, rtol=0.03)
    assert np.abs(distances).max() < 0.06


@each_toy
def test_noise_is_added_to_each_row_alone(make_toy):
    bare, y = make_toy(20_000, noise=0, random_state=0)
    noisy, same_y = make_toy(20_000, noise=0.01, random_state=0)
    assert_array_equal(y, same_y)
    noise = noisy - bare
    assert_allclose(noise.std(axis=0), 0.01, rtol=0.03)
    others = np.column_stack([noise[:-1], bare[1:]])
    correlations = np.corrcoef(noise[1:].T, others.T)[:2, 2:]
    assert_allclose(correlations, 0, atol=0.03)


@each_toy
@given(noise=st.sampled_from([0.0, 0.015, 0.5, 100.0]), seed=st.integers(0, 99))
def test_points_are_in_the_unit_square(make_toy, noise, seed):
    X, _ = make_toy(50, noise=noise, random_state=seed)
    assert X.min() >= 0
    assert X.max() <= 1


@each_toy
def test_default_noise_stays_off_the_border(make_toy):
    X, _ = make_toy(random_state=0)
    assert 0 < X.min()
    assert X.max() < 1


@each_toy
def test_curves_keep_a_tenth_from_the_border(make_toy):
    X, _ = make_toy(noise=0, random_state=0)
    assert_allclose([X[:, 0].min(), X[:, 0].max()], [0.1, 0.9], atol=1e-3)
    assert X.min() >= 0.1
    assert X.max() <= 0.9


@each_toy
def test_kmeans_does_not_identify_them(make_toy):
    X, y = make_toy(random_state=0)
    labels = KMeans(2, n_init=3, random_state=0).fit_predict(X)
    assert clustering_accuracy(y, labels) < 0.8


@each_toy
def test_density_identifies_them(make_toy):
    X, y = make_toy(random_state=0)
    labels = DBSCAN(eps=0.03).fit_predict(X)
    assert clustering_accuracy(y, labels) > 0.99


@each_toy
@pytest.mark.parametrize("seed", range(3))
def test_chains_of_neighbours_identify_them(make_toy, seed):
    X, y = make_toy(1000, random_state=seed)
    labels = AgglomerativeClustering(2, linkage="single").fit_predict(X)
    assert clustering_accuracy(y, labels) == 1


@each_toy
def test_default_sizes(make_toy):
    assert_array_equal(np.bincount(make_toy()[1]), DEFAULT_SIZES[make_toy])


@pytest.mark.parametrize("make_toy", [make_two_moons, make_moon_circle])
@given(n_samples=st.integers(1, 50))
def test_halves_are_even(make_toy, n_samples):
    _, y = make_toy(n_samples, random_state=0)
    expected = [(n_samples + 1) // 2, n_samples // 2]
    assert_array_equal(np.bincount(y, minlength=2), expected)


@given(n_samples=st.integers(1, 50))
def test_a_third_is_on_the_inner_circle(n_samples):
    _, y = make_two_circles(n_samples, random_state=0)
    assert np.count_nonzero(y == 1) == n_samples // 3


@each_toy
def test_shapes_and_types(make_toy):
    X, y = make_toy(50, random_state=0)
    assert X.shape == (50, 2)
    assert y.shape == (50,)
    assert X.dtype == np.float64
    assert y.dtype == np.int64


@each_toy
def test_rows_are_shuffled(make_toy):
    _, y = make_toy(90, random_state=0)
    assert 20 < np.count_nonzero(np.diff(y)) < 70


@each_toy
def test_an_int_gives_the_same_points_twice(make_toy):
    for first, second in zip(
        make_toy(20, random_state=3), make_toy(20, random_state=3), strict=True
    ):
        assert_array_equal(first, second)


@each_toy
def test_a_random_state_advances(make_toy):
    rng = np.random.RandomState(0)
    first, second = make_toy(20, random_state=rng), make_toy(20, random_state=rng)
    assert not np.array_equal(first[0], second[0])


@each_toy
@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"n_samples": 0}, ValueError, r"^n_samples == 0, must be >= 1\.$"),
        (
            {"n_samples": 9.5},
            TypeError,
            r"^n_samples must be an instance of int, not float\.$",
        ),
        ({"noise": "a"}, TypeError, r"^noise must be an instance of float, not str\.$"),
        (
            {"noise": -0.5},
            ValueError,
            r"^Expected a finite noise >= 0 but got noise = -0\.5\.$",
        ),
        (
            {"noise": np.inf},
            ValueError,
            r"^Expected a finite noise >= 0 but got noise = inf\.$",
        ),
    ],
)
def test_bad_arguments(make_toy, arguments, error, message):
    with pytest.raises(error, match=message):
        make_toy(**arguments)
