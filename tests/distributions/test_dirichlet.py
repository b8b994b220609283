"""Dirichlet draws against scipy and closed forms."""

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.special import logsumexp

from skdeepmix.distributions import dirichlet_log_sample

CONCENTRATIONS = pytest.mark.parametrize(
    "concentration",
    [
        [0.01, 0.01, 0.01],
        [0.01, 1.0, 10.0],
        [0.1, 0.1],
        [0.3, 2.0, 0.7, 1.0],
        [10.0, 10.0, 10.0],
    ],
)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def leaf(concentration, n=200_000):
    """One row of concentrations for each of n draws, so that each has a gradient."""
    rows = torch.tensor(concentration, dtype=torch.float64).repeat(n, 1)
    return rows.requires_grad_()


def log_draws(concentration):
    return dirichlet_log_sample(leaf(concentration).detach(), generator()).numpy()


def assert_mean(values, expected):
    """Within four standard errors."""
    error = values.std(0) / len(values) ** 0.5
    assert (abs(values.mean(0) - expected) <= 4 * error + 1e-12).all()


@CONCENTRATIONS
def test_weights_have_the_mean_and_covariance_of_scipy(concentration):
    w = np.exp(log_draws(concentration))
    expected = stats.dirichlet(concentration)
    assert_mean(w, expected.mean())
    centred = w - expected.mean()
    assert_mean(centred**2, expected.var())
    products = centred[:, :, None] * centred[:, None, :]
    assert_mean(products, expected.cov())


@CONCENTRATIONS
def test_log_weights_have_the_digamma_mean_and_trigamma_variance(concentration):
    log_w = log_draws(concentration)
    a = torch.tensor(concentration, dtype=torch.float64)
    expected = a.digamma() - a.sum().digamma()
    assert_mean(log_w, expected.numpy())
    variance = torch.polygamma(1, a) - torch.polygamma(1, a.sum())
    assert_mean((log_w - expected.numpy()) ** 2, variance.numpy())


@pytest.mark.parametrize("concentration", [[0.4, 0.6], [0.5, 1.0, 3.0]])
def test_single_weights_follow_beta_distributions(concentration):
    w = np.exp(log_draws(concentration)[:20_000])
    total = sum(concentration)
    for k, a in enumerate(concentration):
        assert stats.kstest(w[:, k], stats.beta(a, total - a).cdf).pvalue > 1e-3


@CONCENTRATIONS
def test_log_weights_are_normalised(concentration):
    np.testing.assert_allclose(logsumexp(log_draws(concentration), 1), 0, atol=1e-12)


def mean_square(a):
    """E[w_1^2]."""
    return a[0] * (a[0] + 1) / (a.sum() * (a.sum() + 1))


def mean_entropy(a):
    """E[-sum_k w_k log w_k]."""
    return (a.sum() + 1).digamma() - (a / a.sum() * (a + 1).digamma()).sum()


def mean_log(a):
    """E[log w_1]."""
    return a[0].digamma() - a.sum().digamma()


@pytest.mark.parametrize(
    ("expectation", "value"),
    [
        (mean_square, lambda log_w: (2 * log_w[:, 0]).exp()),
        (mean_entropy, lambda log_w: -(log_w.exp() * log_w).sum(1)),
        (mean_log, lambda log_w: log_w[:, 0]),
    ],
)
@CONCENTRATIONS
def test_gradient_is_that_of_the_expectation(expectation, value, concentration):
    draws = leaf(concentration)
    value(dirichlet_log_sample(draws, generator())).sum().backward()
    a = draws[0].detach()
    steps = 1e-4 * a.diag()
    expected = [
        (expectation(a + s) - expectation(a - s)) / (2 * s.sum()) for s in steps
    ]
    gradients = draws.grad.numpy()
    error = gradients.std(0) / len(gradients) ** 0.5
    expected = torch.stack(expected).numpy()
    assert (abs(gradients.mean(0) - expected) < 4 * error).all()


@pytest.mark.parametrize("smallest", [1e-3, 1e-2])
@pytest.mark.parametrize("n_clusters", [2, 10])
def test_small_concentrations_stay_finite_in_float32(smallest, n_clusters):
    concentration = torch.full((100_000, n_clusters), smallest, requires_grad=True)
    log_w = dirichlet_log_sample(concentration, generator())
    (log_w.exp() * log_w).sum().backward(retain_graph=True)
    assert log_w.isfinite().all()
    assert concentration.grad.isfinite().all()
    log_w.sum().backward()
    assert concentration.grad.isfinite().all()


def test_small_concentrations_in_float32_choose_every_cluster_equally_often():
    concentration = torch.full((20_000, 4), 1e-3)
    counts = dirichlet_log_sample(concentration, generator()).argmax(1).bincount()
    assert stats.chisquare(counts.numpy()).pvalue > 1e-3


def test_half_precision_is_computed_in_float32():
    concentration = torch.tensor([[0.5, 0.25, 2.0]]).repeat(5, 1)
    expected = dirichlet_log_sample(concentration, generator())
    half = concentration.bfloat16().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        found = dirichlet_log_sample(half, generator())
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected, rtol=0, atol=0)
    found[:, 0].sum().backward()
    assert half.grad.isfinite().all()


def test_leading_axes_are_kept():
    concentration = torch.rand(2, 3, 4, generator=generator(1)) + 0.1
    log_w = dirichlet_log_sample(concentration, generator())
    assert log_w.shape == (2, 3, 4)
    flat = dirichlet_log_sample(concentration.reshape(6, 4), generator())
    torch.testing.assert_close(log_w.reshape(6, 4), flat, rtol=0, atol=0)


def test_one_row_may_be_expanded():
    log_w = dirichlet_log_sample(torch.ones(3).expand(1000, 3), generator())
    assert len(log_w.unique(dim=0)) == 1000


def test_one_cluster_has_all_the_weight():
    assert (dirichlet_log_sample(torch.ones(5, 1), generator()) == 0).all()


def test_the_generator_decides():
    concentration = torch.full((5, 3), 0.4)
    one, same = (dirichlet_log_sample(concentration, generator()) for _ in range(2))
    torch.testing.assert_close(one, same, rtol=0, atol=0)
    assert not torch.equal(one, dirichlet_log_sample(concentration, generator(1)))


def test_the_global_random_state_is_neither_used_nor_changed():
    concentration = torch.full((5, 3), 0.4)
    expected = dirichlet_log_sample(concentration, generator())
    with torch.random.fork_rng():
        torch.manual_seed(123)
        state = torch.get_rng_state()
        found = dirichlet_log_sample(concentration, generator())
        assert torch.equal(torch.get_rng_state(), state)
    torch.testing.assert_close(found, expected, rtol=0, atol=0)
