"""Parzen log-likelihood against KernelDensity, and the MMD score against its loss."""

import re
import warnings

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy.linalg import sqrtm
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.neighbors import KernelDensity

from skdeepmix.losses import squared_mmd
from skdeepmix.metrics import (
    _two_sample,
    frechet_distance,
    mmd_score,
    parzen_log_likelihood,
)

GRID = np.linspace(0.1, 1.5, 15)


def normal(n, d=3, seed=0):
    return np.random.RandomState(seed).normal(size=(n, d))


@pytest.fixture
def sets():
    """Samples, test rows and validation rows."""
    return normal(200), normal(150, seed=1), normal(120, seed=2)


def mean_log_density(samples, rows, bandwidth):
    # In one leaf: the sums over bounds of several are off for rows far from samples.
    density = KernelDensity(bandwidth=bandwidth, leaf_size=len(samples))
    return density.fit(samples).score_samples(rows)


def test_parzen_equals_kernel_density(sets):
    samples, X, X_validation = sets
    result = parzen_log_likelihood(
        samples, X, X_validation=X_validation, bandwidths=GRID
    )
    curve = [mean_log_density(samples, X_validation, h).mean() for h in GRID]
    assert_allclose(result.validation_scores, curve)
    assert result.bandwidth == GRID[np.argmax(curve)]
    expected = mean_log_density(samples, X, result.bandwidth)
    assert result.mean == pytest.approx(expected.mean())
    assert result.standard_error == pytest.approx(expected.std() / 150**0.5)
    assert type(result.mean) is type(result.standard_error) is float


@pytest.mark.parametrize("n_features", [1, 2, 20])
def test_parzen_default_bandwidths_reach_the_best_one(n_features):
    samples, X = normal(1000, n_features), normal(500, n_features, seed=1)
    X_validation = normal(500, n_features, seed=2)
    result = parzen_log_likelihood(samples, X, X_validation=X_validation)
    fine = parzen_log_likelihood(
        samples, X, X_validation=X_validation, bandwidths=np.geomspace(0.01, 5, 100)
    )
    assert result.validation_scores.max() > fine.validation_scores.max() - 0.05


def test_parzen_default_bandwidths_reach_from_samples_far_from_all_rows():
    X, X_validation = normal(50), normal(50, seed=1)
    result = parzen_log_likelihood(np.full((9, 3), 1e3), X, X_validation=X_validation)
    # The maximum for one point at distance r in d dimensions is at r / sqrt(d).
    assert result.bandwidth == pytest.approx(1e3, rel=0.1)


def test_parzen_default_bandwidths_ignore_rows_that_are_samples():
    X = normal(100)
    samples = np.concatenate([X[:30], normal(300, seed=1)])
    result = parzen_log_likelihood(samples, normal(100, seed=2), X_validation=X)
    assert np.isfinite(result.mean)
    assert result.bandwidths[0] > 0


@pytest.mark.parametrize("bandwidths", [None, GRID])
def test_parzen_changes_with_the_unit_alone(sets, bandwidths):
    samples, X, X_validation = sets
    before = parzen_log_likelihood(
        samples, X, X_validation=X_validation, bandwidths=bandwidths
    )
    samples, X, X_validation = (100 * rows - 1e4 for rows in sets)
    after = parzen_log_likelihood(
        samples,
        X,
        X_validation=X_validation,
        bandwidths=None if bandwidths is None else 100 * bandwidths,
    )
    assert after.mean == pytest.approx(before.mean - 3 * np.log(100))
    assert after.standard_error == pytest.approx(before.standard_error)
    assert after.bandwidth == pytest.approx(100 * before.bandwidth)


def test_parzen_ignores_an_offset(sets):
    samples, rows, validation = sets
    plain = parzen_log_likelihood(samples, rows, X_validation=validation)
    moved = parzen_log_likelihood(
        samples + 1e8, rows + 1e8, X_validation=validation + 1e8
    )
    assert_allclose(moved.bandwidths, plain.bandwidths, rtol=1e-5)
    assert_allclose(moved.mean, plain.mean, rtol=1e-5)


def test_parzen_ignores_the_order_of_rows_and_bandwidths(sets):
    shuffled = [np.random.RandomState(3).permutation(rows) for rows in sets]
    first, second = (
        parzen_log_likelihood(samples, X, X_validation=validation, bandwidths=grid)
        for (samples, X, validation), grid in [(sets, GRID), (shuffled, GRID[::-1])]
    )
    assert_allclose(first.bandwidths, second.bandwidths)
    assert_allclose(first.validation_scores, second.validation_scores)
    assert first.mean == pytest.approx(second.mean)


def test_parzen_favours_centroids_over_training_rows():
    # Theis et al., Table 1: the reason for the warning in the notes.
    X = load_digits().data / 16
    train, X_validation, X = X[:800], X[800:1200], X[1200:]
    centroids = KMeans(200, n_init=1, random_state=0).fit(train).cluster_centers_
    means = [
        parzen_log_likelihood(samples, X, X_validation=X_validation).mean
        for samples in (centroids, train[:200])
    ]
    assert means[0] > means[1]


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        (
            [0.01, 0.02],
            "The largest of 2 bandwidths, 0.02, has the highest mean log-likelihood of "
            "X_validation. Give larger 'bandwidths'.",
        ),
        (
            [9.0, 8.0, 10.0],
            "The smallest of 3 bandwidths, 8, has the highest mean log-likelihood of "
            "X_validation. Give smaller 'bandwidths'.",
        ),
    ],
)
def test_parzen_warns_at_the_end_of_the_grid(sets, grid, message):
    samples, X, X_validation = sets
    with pytest.warns(UserWarning, match=f"^{re.escape(message)}$") as caught:
        parzen_log_likelihood(samples, X, X_validation=X_validation, bandwidths=grid)
    assert caught[0].filename == __file__


def test_parzen_takes_a_single_bandwidth_without_warning(sets):
    samples, X, X_validation = sets
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = parzen_log_likelihood(
            samples, X, X_validation=X_validation, bandwidths=0.01
        )
    assert result.bandwidth == 0.01


def test_parzen_of_one_point_asks_for_bandwidths():
    message = (
        "Expected rows of X_validation that differ but got one point, which is also a "
        "sample. Give the 'bandwidths' to choose from."
    )
    X = np.ones((4, 2))
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        parzen_log_likelihood(X, X, X_validation=X)


@pytest.mark.parametrize("unbiased", [True, False])
@pytest.mark.parametrize("block_rows", [7, 100, 512])
def test_mmd_equals_its_loss_in_blocks_of_any_size(
    sets, monkeypatch, block_rows, unbiased
):
    monkeypatch.setattr(_two_sample, "BLOCK_ROWS", block_rows)
    X, Y, _ = sets
    found = mmd_score(X, Y, bandwidths=[0.5, 2.0], unbiased=unbiased)
    x, y = torch.from_numpy(X), torch.from_numpy(Y)
    expected = float(squared_mmd(x, y, [0.5, 2.0], unbiased))
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-14)
    assert type(found) is float


def test_mmd_equals_kernels_of_scikit_learn(sets):
    X, Y, _ = sets
    xx, yy, xy = (rbf_kernel(A, B, gamma=0.5) for A, B in [(X, X), (Y, Y), (X, Y)])
    expected = xx.mean() + yy.mean() - 2 * xy.mean()
    found = mmd_score(X, Y, bandwidths=[1.0], unbiased=False)
    assert found == pytest.approx(expected)


@pytest.mark.parametrize("unbiased", [True, False])
def test_mmd_ignores_unit_offset_order_and_side(sets, unbiased):
    X, Y = sets[0] + 0.5, sets[1]
    expected = mmd_score(X, Y, unbiased=unbiased)
    order = np.random.RandomState(0).permutation(len(X))
    for A, B in [(1e3 * X - 1e6, 1e3 * Y - 1e6), (X[order], Y), (Y, X)]:
        assert mmd_score(A, B, unbiased=unbiased) == pytest.approx(expected, rel=1e-6)


def test_mmd_grows_with_the_distance_of_the_sets(sets):
    X, Y, _ = sets
    scores = [mmd_score(X, Y + gap, bandwidths=[1.0]) for gap in (0, 0.5, 1, 9)]
    assert scores == sorted(scores)
    assert abs(scores[0]) < 0.01


def test_mmd_is_negative_only_if_unbiased():
    X = normal(100)
    assert mmd_score(X, X) < 0
    assert mmd_score(X, X, unbiased=False) == pytest.approx(0, abs=1e-12)
    assert mmd_score(X, X, unbiased=False) >= 0


def test_mmd_of_equal_points_is_0():
    X = np.ones((4, 2))
    assert mmd_score(X, X) == mmd_score(X, X, unbiased=False) == 0


def test_mmd_takes_single_rows_if_biased():
    found = mmd_score([[0.0]], [[1.0]], bandwidths=[1.0], unbiased=False)
    assert found == pytest.approx(2 - 2 * np.exp(-0.5))
    message = "Found array with 1 sample(s) (shape=(1, 1)) while a minimum of 2 is"
    with pytest.raises(ValueError, match=re.escape(message)):
        mmd_score([[0.0]], [[1.0], [2.0]])


SCORES = [
    lambda A, B, **kwargs: parzen_log_likelihood(A, B, X_validation=B, **kwargs),
    lambda A, B, **kwargs: parzen_log_likelihood(B, B, X_validation=A, **kwargs),
    mmd_score,
]


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([[1.0, np.nan, 0.0]] * 3, "contains NaN"),
        (np.empty((0, 3)), "Found array with 0 sample"),
        (np.ones(3), "Expected 2D array, got 1D array instead"),
    ],
)
def test_bad_rows(score, rows, message):
    with pytest.raises(ValueError, match=message):
        score(rows, normal(9))


@pytest.mark.parametrize("score", SCORES)
def test_numbers_of_features_must_agree(score):
    message = (
        r"^Expected as many features in both sets but (X|Y|X_validation) has (2|3) and "
        r"the other (2|3)\. Pass rows of the same features\.$"
    )
    with pytest.raises(ValueError, match=message):
        score(normal(9, 2), normal(9, 3))


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize(
    ("bandwidths", "message"),
    [
        (
            [0.5, -1.0],
            "Expected bandwidths > 0 but got a smallest one of -1. Pass standard "
            "deviations in the unit of the features.",
        ),
        (
            [0.0],
            "Expected bandwidths > 0 but got a smallest one of 0. Pass standard "
            "deviations in the unit of the features.",
        ),
        (
            [[0.5, 1.0]],
            "Expected bandwidths of shape (n_bandwidths,) but got (1, 2). Pass a "
            "number or a list of numbers.",
        ),
        ([np.nan], "Input bandwidths contains NaN."),
        ([], "Found array with 0 sample(s) (shape=(0,)) while a minimum of 1 is"),
    ],
)
def test_bad_bandwidths(score, bandwidths, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        score(normal(9), normal(9, seed=1), bandwidths=bandwidths)


# Fréchet distance


@pytest.mark.parametrize("n_features", [1, 3])
def test_frechet_distance_equals_its_formula_with_a_matrix_root(n_features):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, n_features)) @ rng.normal(size=(n_features, n_features))
    Y = rng.normal(size=(40, n_features)) + 1
    C, D = (np.cov(rows.T).reshape(n_features, -1) for rows in (X, Y))
    expected = ((X.mean(0) - Y.mean(0)) ** 2).sum()
    expected += np.trace(C + D - 2 * sqrtm(C @ D).real)
    assert frechet_distance(X, Y) == pytest.approx(expected)
    assert frechet_distance(Y, X) == pytest.approx(expected)


def test_frechet_distance_of_features_that_repeat_is_finite():
    rows = np.random.default_rng(0).normal(size=(30, 2))
    X = np.hstack([rows, rows, np.zeros((30, 1))])
    assert frechet_distance(X, X) == pytest.approx(0, abs=1e-6)
    assert frechet_distance(X, X + 1) == pytest.approx(5)


def test_frechet_distance_needs_two_rows_of_the_same_features():
    X = np.zeros((3, 2))
    with pytest.raises(ValueError, match="1 sample"):
        frechet_distance(X, X[:1])
    with pytest.raises(ValueError, match="as many features in both sets"):
        frechet_distance(X, X[:, :1])
