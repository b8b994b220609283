"""Parzen windows against scipy in float64."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.integrate import quad
from scipy.spatial.distance import cdist
from scipy.special import logsumexp
from scipy.stats import multivariate_normal, norm

from skdeepmix.distributions import _parzen, parzen_log_prob


def draw(*shape, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, dtype=dtype, generator=generator)


def reference(x, samples, bandwidth):
    """The definition in float64 from plain differences."""
    x, samples = np.asarray(x, np.float64), np.asarray(samples, np.float64)
    n_dims = x.shape[1]
    log_kernels = -cdist(x, samples, "sqeuclidean") / (2 * bandwidth**2)
    log_norm = np.log(len(samples)) + n_dims / 2 * np.log(2 * np.pi * bandwidth**2)
    return logsumexp(log_kernels, axis=1) - log_norm


@pytest.fixture
def small_tiles(monkeypatch):
    monkeypatch.setattr(_parzen, "CPU_TILE", (4, 3))


def test_one_sample_is_scipys_normal():
    x, y = draw(5, 3), draw(1, 3, seed=1)
    expected = multivariate_normal(y[0].numpy(), 0.49 * np.eye(3)).logpdf(x.numpy())
    assert_allclose(parzen_log_prob(x, y, 0.7), expected)


@pytest.mark.parametrize("relative_square", [1.0, 0.1, 0.005, 0.001])
def test_float32_agrees_with_scipy_in_float64(relative_square):
    x = draw(300, 32, dtype=torch.float32)
    samples = draw(3, 1500, 32, seed=1, dtype=torch.float32)
    bandwidth = (relative_square * np.median(cdist(x, samples[0])) ** 2) ** 0.5
    found = parzen_log_prob(x, samples, bandwidth)
    assert found.dtype == torch.float32
    assert found.shape == (300, 3)
    for k in range(3):
        expected = reference(x, samples[k], bandwidth)
        assert_allclose(found[:, k], expected, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("n_samples", [1, 3, 7, 9])
@pytest.mark.parametrize("n", [1, 4, 11])
def test_tiles_change_nothing(small_tiles, n, n_samples):
    x, samples = draw(n, 2), draw(2, n_samples, 2, seed=1)
    bandwidths = [0.3, 0.1, 2.0]
    found = parzen_log_prob(x, samples, bandwidths)
    for k, h in np.ndindex(2, 3):
        expected = reference(x, samples[k], bandwidths[h])
        assert_allclose(found[:, k, h], expected)


def test_every_leading_axis_of_samples_is_kept():
    x, samples = draw(5, 2), draw(2, 3, 4, 2, seed=1)
    found = parzen_log_prob(x, samples, 0.5)
    assert found.shape == (5, 2, 3)
    assert_allclose(found[:, 1, 2], reference(x, samples[1, 2], 0.5))
    assert parzen_log_prob(x, samples[0, 0], 0.5).shape == (5,)


@pytest.mark.parametrize("kind", [list, np.array, torch.tensor])
def test_several_bandwidths_are_a_last_axis(kind):
    x, samples = draw(5, 2), draw(3, 40, 2, seed=1)
    found = parzen_log_prob(x, samples, kind([0.5, 0.01, 7.0]))
    assert found.shape == (5, 3, 3)
    for h, bandwidth in enumerate([0.5, 0.01, 7.0]):
        one = parzen_log_prob(x, samples, torch.tensor(bandwidth))
        torch.testing.assert_close(found[..., h], one)
    assert parzen_log_prob(x, samples, [0.5]).shape == (5, 3, 1)


def test_density_integrates_to_one():
    samples = torch.tensor([[-3.0], [0.2], [0.3]], dtype=torch.float64)

    def density(x):
        x = torch.tensor([[x]], dtype=torch.float64)
        return float(parzen_log_prob(x, samples, 0.4).exp())

    total, _ = quad(density, -8, 6, points=[-3, 0.25])
    assert total == pytest.approx(1)


def test_samples_of_a_normal_give_its_convolution_with_the_window():
    x = torch.linspace(-2, 2, 9, dtype=torch.float64).unsqueeze(1)
    found = parzen_log_prob(x, draw(200_000, 1), 0.5)
    expected = norm(scale=1.25**0.5).logpdf(x.squeeze(1).numpy())
    assert_allclose(found, expected, atol=0.01)


def test_far_rows_have_finite_log_densities():
    samples = draw(2, 20, 2, dtype=torch.float32)
    x = torch.tensor([[1e3, 0.0], [-1e6, 1e6]])
    found = parzen_log_prob(x, samples, 1e-3)
    for k in range(2):
        assert_allclose(found[:, k], reference(x, samples[k], 1e-3), rtol=1e-4)


def test_near_and_far_samples_do_not_disturb_one_another(small_tiles):
    samples = torch.tensor([[0.0], [1e4], [2e4], [-1e4], [0.1]]).double()
    x = torch.tensor([[0.05], [1e4], [5e3]]).double()
    found = parzen_log_prob(x, samples, 0.5)
    assert_allclose(found, reference(x, samples, 0.5), rtol=1e-6)


def test_an_offset_of_all_data_cancels():
    # Of a size that costs the rows themselves no bit.
    x = (draw(50, 4) * 64).round().float() / 64
    samples = (draw(2, 60, 4, seed=1) * 64).round().float() / 64
    expected = parzen_log_prob(x, samples, 0.3)
    found = parzen_log_prob(x + 4096, samples + 4096, 0.3)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-3)


@given(st.floats(0.01, 100), st.floats(0.05, 5))
def test_a_change_of_unit_shifts_by_its_log_per_dimension(factor, bandwidth):
    x, samples = draw(6, 3), draw(2, 8, 3, seed=1)
    found = parzen_log_prob(factor * x, factor * samples, factor * bandwidth)
    expected = parzen_log_prob(x, samples, bandwidth) - 3 * np.log(factor)
    assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


@given(st.data())
def test_order_of_samples_does_not_matter(data):
    x, samples = draw(5, 3), draw(9, 3, seed=1)
    order = data.draw(st.permutations(range(9)))
    found = parzen_log_prob(x, samples[order], 0.5)
    torch.testing.assert_close(found, parzen_log_prob(x, samples, 0.5))


def test_input_is_left_alone_and_needs_no_gradient():
    x, samples = draw(5, 3).requires_grad_(), draw(9, 3, seed=1).requires_grad_()
    before = x.clone(), samples.clone()
    assert not parzen_log_prob(x, samples, [0.5, 1.0]).requires_grad
    assert torch.equal(before[0], x)
    assert torch.equal(before[1], samples)


def test_samples_are_taken_in_the_type_of_the_rows():
    x, samples = draw(5, 3), draw(9, 3, seed=1)
    found = parzen_log_prob(x.float(), samples, 0.5)
    assert found.dtype == torch.float32
    assert_allclose(found, reference(x, samples, 0.5), rtol=1e-4)
