"""Diagonal Gaussians against scipy, torch.distributions and quadrature."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import dblquad, quad
from scipy.stats import multivariate_normal, norm
from torch.distributions import Independent, Normal, kl_divergence

from skdeepmix.losses import gaussian_kl, gaussian_log_prob

coordinates = st.floats(-20, 20)
log_variances = st.floats(-8, 8)


def draw(*shape, seed=0):
    """Standard normal numbers in float64."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, dtype=torch.float64, generator=generator)


def tensor(*values):
    return torch.tensor(values, dtype=torch.float64)


def torch_normal(mean, log_var):
    return Independent(Normal(mean, (0.5 * log_var).exp()), 1)


def test_log_prob_equals_scipy():
    x, mean, log_var = draw(3, 7, 4)
    expected = [
        multivariate_normal(m.numpy(), np.diag(v.exp().numpy())).logpdf(p.numpy())
        for p, m, v in zip(x, mean, log_var, strict=True)
    ]
    np.testing.assert_allclose(gaussian_log_prob(x, mean, log_var), expected)


def test_log_prob_equals_torch_distributions_in_float32():
    x, mean, log_var = draw(3, 7, 4).float()
    expected = torch_normal(mean, log_var).log_prob(x)
    torch.testing.assert_close(gaussian_log_prob(x, mean, log_var), expected)


def test_log_prob_broadcasts_points_over_components_as_a_loop_does():
    x, means, log_vars = draw(5, 2), draw(5, 3, 2, seed=1), draw(5, 3, 2, seed=2)
    found = gaussian_log_prob(x.unsqueeze(-2), means, log_vars)
    assert found.shape == (5, 3)
    for i in range(5):
        for k in range(3):
            scale = log_vars[i, k].exp().sqrt().numpy()
            expected = norm(means[i, k].numpy(), scale).logpdf(x[i].numpy()).sum()
            assert float(found[i, k]) == pytest.approx(expected)


def test_log_prob_takes_a_variance_shared_by_all_dimensions():
    x = draw(6, 3)
    found = gaussian_log_prob(x, tensor(0.0), tensor(0.0))
    np.testing.assert_allclose(found, norm.logpdf(x.numpy()).sum(1))


@given(coordinates, log_variances)
def test_density_integrates_to_one(mean, log_var):
    def density(x):
        log_prob = gaussian_log_prob(tensor(x), tensor(mean), tensor(log_var))
        return float(log_prob.exp())

    reach = 10 * np.exp(0.5 * log_var)
    total, _ = quad(density, mean - reach, mean + reach)
    assert total == pytest.approx(1)


def test_kl_equals_torch_distributions():
    mean, log_var, prior_mean, prior_log_var = draw(4, 9, 5)
    expected = kl_divergence(
        torch_normal(mean, log_var), torch_normal(prior_mean, prior_log_var)
    )
    found = gaussian_kl(mean, log_var, prior_mean, prior_log_var)
    torch.testing.assert_close(found, expected)


def test_kl_broadcasts_over_components_as_a_loop_does():
    mean, log_var = draw(2, 5, 2)
    means, log_vars = draw(2, 3, 5, 4, 2, seed=1)
    found = gaussian_kl(mean.unsqueeze(-2), log_var.unsqueeze(-2), means, log_vars)
    assert found.shape == (3, 5, 4)
    for m, i, k in np.ndindex(3, 5, 4):
        expected = kl_divergence(
            torch_normal(mean[i], log_var[i]),
            torch_normal(means[m, i, k], log_vars[m, i, k]),
        )
        torch.testing.assert_close(found[m, i, k], expected)


@pytest.mark.parametrize("seed", range(3))
def test_kl_equals_quadrature_in_one_dimension(seed):
    mean, log_var, prior_mean, prior_log_var = draw(4, 1, seed=seed)
    q = norm(mean.item(), log_var.exp().sqrt().item())
    p = norm(prior_mean.item(), prior_log_var.exp().sqrt().item())
    reach = 12 * q.std()
    expected, _ = quad(
        lambda x: q.pdf(x) * (q.logpdf(x) - p.logpdf(x)),
        q.mean() - reach,
        q.mean() + reach,
    )
    found = gaussian_kl(mean, log_var, prior_mean, prior_log_var)
    assert float(found) == pytest.approx(expected)


def test_kl_equals_quadrature_in_two_dimensions():
    mean, log_var, prior_mean, prior_log_var = draw(4, 2, seed=5)
    q = multivariate_normal(mean.numpy(), np.diag(log_var.exp().numpy()))
    p = multivariate_normal(prior_mean.numpy(), np.diag(prior_log_var.exp().numpy()))
    reach = 8 * log_var.exp().sqrt().numpy()
    low, high = mean.numpy() - reach, mean.numpy() + reach
    expected, _ = dblquad(
        lambda y, x: q.pdf([x, y]) * (q.logpdf([x, y]) - p.logpdf([x, y])),
        low[0],
        high[0],
        low[1],
        high[1],
        epsabs=1e-6,
    )
    found = gaussian_kl(mean, log_var, prior_mean, prior_log_var)
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_default_prior_is_the_standard_normal():
    mean, log_var = draw(2, 6, 3)
    zeros = torch.zeros_like(mean)
    expected = gaussian_kl(mean, log_var, zeros, zeros)
    torch.testing.assert_close(gaussian_kl(mean, log_var), expected)


def test_either_part_of_the_prior_may_be_that_of_the_standard_normal():
    mean, log_var, prior_mean, prior_log_var = draw(4, 6, 3)
    zeros = torch.zeros_like(mean)
    torch.testing.assert_close(
        gaussian_kl(mean, log_var, prior_mean=prior_mean),
        gaussian_kl(mean, log_var, prior_mean, zeros),
    )
    torch.testing.assert_close(
        gaussian_kl(mean, log_var, prior_log_var=prior_log_var),
        gaussian_kl(mean, log_var, zeros, prior_log_var),
    )


@given(coordinates, log_variances, coordinates, log_variances)
def test_kl_is_not_negative(mean, log_var, prior_mean, prior_log_var):
    values = tensor(mean), tensor(log_var), tensor(prior_mean), tensor(prior_log_var)
    assert gaussian_kl(*values) >= 0
    assert gaussian_kl(*values[:2]) >= 0


@given(st.floats(-1e-6, 1e-6))
def test_kl_of_close_gaussians_is_not_rounded_below_zero(gap):
    zero = tensor(0.0)
    assert gaussian_kl(zero, tensor(gap)) >= 0
    assert gaussian_kl(zero, tensor(gap), zero, zero) >= 0


@given(coordinates, log_variances)
def test_kl_of_equal_gaussians_is_zero(mean, log_var):
    mean, log_var = tensor(mean), tensor(log_var)
    assert gaussian_kl(mean, log_var, mean, log_var) == 0


@given(coordinates, log_variances, coordinates, log_variances)
def test_kl_is_zero_for_no_other_gaussian(mean, log_var, prior_mean, prior_log_var):
    differs = max(abs(mean - prior_mean), abs(log_var - prior_log_var)) > 0.1
    values = tensor(mean), tensor(log_var), tensor(prior_mean), tensor(prior_log_var)
    # Half a standard deviation squared, or the variance term, is the least there is.
    assert not differs or gaussian_kl(*values) > 1e-7


@pytest.mark.parametrize("log_var", [-10.0, 10.0])
def test_gradients_are_those_of_torch_distributions_at_the_limits(log_var):
    values = [
        torch.full((2,), v, dtype=torch.float64, requires_grad=True)
        for v in (1.0, log_var, -1.0, -log_var)
    ]
    found = torch.autograd.grad(gaussian_kl(*values), values)
    expected = torch.autograd.grad(
        kl_divergence(torch_normal(*values[:2]), torch_normal(*values[2:])), values
    )
    for one, other in zip(found, expected, strict=True):
        assert one.isfinite().all()
        torch.testing.assert_close(one, other)
