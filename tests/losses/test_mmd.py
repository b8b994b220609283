"""Squared MMD against a naive loop and the closed form for two Gaussians."""

from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import pdist

from skdeepmix.losses import median_distance, squared_mmd

BANDWIDTHS = [0.5, 1.0, 3.0]
UNBIASED = pytest.mark.parametrize("unbiased", [True, False])


def draw(*shape, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, dtype=dtype, generator=generator)


def naive_squared_mmd(x, y, bandwidths, unbiased):
    """Lemma 6 of Gretton et al. pair by pair."""

    def kernel(a, b):
        return np.mean([np.exp(-((a - b) ** 2).sum() / (2 * s**2)) for s in bandwidths])

    def within(rows):
        pairs = [
            kernel(a, b)
            for (i, a), (j, b) in product(enumerate(rows), repeat=2)
            if i != j or not unbiased
        ]
        return np.mean(pairs)

    x, y = x.numpy(), y.numpy()
    between = np.mean([kernel(a, b) for a, b in product(x, y)])
    return within(x) + within(y) - 2 * between


def gaussian_mmd(x_mean, x_scale, y_mean, y_scale, bandwidth):
    """Population value for two isotropic Gaussians: k integrates to a Gaussian."""

    def expected_kernel(gap, variance):
        total = bandwidth**2 + variance
        shrinkage = (bandwidth**2 / total) ** (len(gap) / 2)
        return shrinkage * np.exp(-(gap**2).sum() / (2 * total))

    gap = x_mean - y_mean
    return (
        expected_kernel(0 * gap, 2 * x_scale**2)
        + expected_kernel(0 * gap, 2 * y_scale**2)
        - 2 * expected_kernel(gap, x_scale**2 + y_scale**2)
    )


@UNBIASED
@pytest.mark.parametrize(("m", "n"), [(5, 5), (4, 9)])
def test_equals_the_naive_loop(m, n, unbiased):
    x, y = draw(m, 3), 1 + draw(n, 3, seed=1)
    expected = naive_squared_mmd(x, y, BANDWIDTHS, unbiased)
    found = squared_mmd(x, y, BANDWIDTHS, unbiased)
    assert float(found) == pytest.approx(expected, rel=1e-9)


@given(
    st.floats(-2, 2), st.floats(0.3, 2), st.floats(0.3, 2), st.sampled_from([0.5, 1, 3])
)
def test_equals_the_closed_form_of_two_gaussians(offset, x_scale, y_scale, bandwidth):
    means = np.zeros(2), np.array([offset, -offset / 2])
    x = x_scale * draw(1500, 2)
    y = y_scale * draw(1500, 2, seed=1) + torch.from_numpy(means[1])
    expected = gaussian_mmd(means[0], x_scale, means[1], y_scale, bandwidth)
    found = float(squared_mmd(x, y, [bandwidth]))
    assert found == pytest.approx(expected, abs=0.03)


def test_unbiased_is_the_closed_form_on_average_and_biased_is_above_it():
    x, y = draw(4000, 6, 1), 0.5 + draw(4000, 6, 1, seed=1)
    expected = gaussian_mmd(np.zeros(1), 1, np.full(1, 0.5), 1, 1)
    repeats = squared_mmd(x, y, [1.0])
    error = float(repeats.std()) / 4000**0.5
    assert abs(float(repeats.mean()) - expected) < 4 * error
    assert float(squared_mmd(x, y, [1.0], unbiased=False).mean()) > expected + 0.1


def test_unbiased_is_often_negative_for_equal_distributions():
    negative = squared_mmd(draw(200, 20, 2), draw(200, 20, 2, seed=1), [1.0]) < 0
    assert 0.3 < float(negative.double().mean()) < 0.8


@given(st.integers(0, 2**16), st.floats(0.05, 20), st.integers(1, 12))
def test_range(seed, bandwidth, n):
    x, y = draw(n + 1, 3, seed=seed), draw(n + 3, 3, seed=seed + 1)
    assert -1e-12 <= float(squared_mmd(x, y, [bandwidth], unbiased=False)) <= 2
    least = -1 / (n + 1) - 1 / (n + 3)
    assert least <= float(squared_mmd(x, y, [bandwidth])) <= 2


def test_number_of_bandwidths_leaves_the_scale_of_the_value():
    x, y = draw(9, 2), 1 + draw(7, 2, seed=1)
    once = squared_mmd(x, y, [0.7])
    torch.testing.assert_close(squared_mmd(x, y, [0.7] * 3), once)


def test_bandwidths_may_be_a_tensor():
    x, y = draw(9, 2), 1 + draw(7, 2, seed=1)
    found = squared_mmd(x, y, torch.tensor(BANDWIDTHS))
    torch.testing.assert_close(found, squared_mmd(x, y, BANDWIDTHS))


@UNBIASED
@given(data=st.data())
def test_order_of_sets_and_rows_does_not_matter(unbiased, data):
    x, y = draw(8, 3), 1 + draw(6, 3, seed=1)
    expected = squared_mmd(x, y, BANDWIDTHS, unbiased)
    order = data.draw(st.permutations(range(8)))
    for one, other in [(y, x), (x[order], y), (y, x[order])]:
        torch.testing.assert_close(
            squared_mmd(one, other, BANDWIDTHS, unbiased), expected
        )


@UNBIASED
def test_leading_axes_are_those_of_a_loop(unbiased):
    x, y = draw(2, 3, 5, 4), draw(3, 7, 4, seed=1)
    found = squared_mmd(x, y, BANDWIDTHS, unbiased)
    assert found.shape == (2, 3)
    for i, j in np.ndindex(2, 3):
        expected = squared_mmd(x[i, j], y[j], BANDWIDTHS, unbiased)
        torch.testing.assert_close(found[i, j], expected)


@UNBIASED
def test_gradients_are_those_of_finite_differences(unbiased):
    x, y = draw(4, 2).requires_grad_(), draw(3, 2, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda x, y: squared_mmd(x, y, BANDWIDTHS, unbiased), (x, y)
    )


def test_gradients_are_finite_where_rows_coincide():
    x = draw(6, 3, dtype=torch.float32)
    y = x[[0, 0, 0, 1]].clone().requires_grad_()
    squared_mmd(x, y, [1e-3, 1.0]).backward()
    assert y.grad.isfinite().all()
    assert y.grad.any()


def test_float32_agrees_with_float64_far_from_the_origin():
    x, y = draw(50, 4), 1 + draw(60, 4, seed=1)
    expected = squared_mmd(x, y, [0.5])
    # Powers of 2 leave the rows as they are but for the rounding of the sum.
    found = squared_mmd((x + 1024).float(), (y + 1024).float(), [0.5])
    assert float(found) == pytest.approx(float(expected), rel=1e-3)


def test_median_distance_equals_scipy():
    x = draw(41, 3)
    assert median_distance(x) == pytest.approx(np.median(pdist(x.numpy())), rel=1e-2)
    odd = draw(3, 5)
    assert median_distance(odd) == pytest.approx(np.median(pdist(odd.numpy())))


def test_median_distance_of_some_rows_is_close_to_that_of_all():
    x = draw(1500, 2)
    whole = np.median(pdist(x.numpy()))
    assert median_distance(x) == pytest.approx(whole, rel=0.05)
    assert median_distance(x) == median_distance(x)
    generator = torch.Generator().manual_seed(1)
    assert median_distance(x, generator) != median_distance(x)
    assert median_distance(x, generator, 100) == pytest.approx(whole, rel=0.2)


def test_median_distance_leaves_out_equal_rows():
    x = torch.tensor([[0.0, 0.0]] * 9 + [[3.0, 4.0]])
    assert median_distance(x) == 5


@pytest.mark.parametrize("n", [0, 1, 4])
def test_median_distance_of_rows_that_do_not_differ_is_0(n):
    assert median_distance(torch.ones(n, 3)) == 0


def test_autocast_costs_no_precision():
    x, y = (draw(20, 3, seed=seed).float() for seed in range(2))
    with torch.autocast("cpu", torch.bfloat16):
        found = squared_mmd(x, x + 0.01 * y, [0.5, 1.0])
        half = squared_mmd(x.bfloat16(), y, [0.5, 1.0])
    assert found.dtype == half.dtype == torch.float32
    torch.testing.assert_close(found, squared_mmd(x, x + 0.01 * y, [0.5, 1.0]))
    torch.testing.assert_close(half, squared_mmd(x.bfloat16().float(), y, [0.5, 1.0]))
