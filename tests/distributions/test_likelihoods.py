"""Likelihoods against scipy, and the noise they learn and draw."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, xlog1py, xlogy
from scipy.stats import bernoulli, norm

from skdeepmix.distributions import (
    LIKELIHOODS,
    BernoulliLikelihood,
    GaussianLikelihood,
)

MIN_SCALE = math.exp(-6)


def draw(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, dtype=torch.float64, generator=generator)


def calibrated(scale):
    """Gaussian noise of a given scale, in float64."""
    likelihood = GaussianLikelihood().double()
    with torch.no_grad():
        likelihood.raw_scale.fill_(math.log(scale / MIN_SCALE - 1))
    return likelihood


def scale_of(likelihood):
    return float(likelihood.log_scale.detach().exp())


def test_gaussian_log_prob_equals_scipy():
    likelihood, x, out = calibrated(0.3), draw(5, 4), draw(5, 4, seed=1)
    expected = norm(out.numpy(), 0.3).logpdf(x.numpy()).sum(1)
    np.testing.assert_allclose(likelihood.log_prob(x, out).detach(), expected)


def test_bernoulli_log_prob_of_bits_equals_scipy():
    x, out = (draw(5, 4) > 0).double(), 3 * draw(5, 4, seed=1)
    expected = bernoulli(expit(out.numpy())).logpmf(x.numpy()).sum(1)
    np.testing.assert_allclose(BernoulliLikelihood().log_prob(x, out), expected)


def test_bernoulli_log_prob_of_grey_values_is_the_cross_entropy():
    x, out = draw(5, 4).sigmoid(), 3 * draw(5, 4, seed=1)
    grey, p = x.numpy(), expit(out.numpy())
    expected = (xlogy(grey, p) + xlog1py(1 - grey, -p)).sum(1)
    np.testing.assert_allclose(BernoulliLikelihood().log_prob(x, out), expected)


def test_bernoulli_log_prob_is_finite_for_extreme_logits():
    x = torch.tensor([[0.0, 1.0]])
    found = BernoulliLikelihood().log_prob(x, torch.tensor([[1e4, -1e4]]))
    assert float(found) == pytest.approx(-2e4)


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_log_prob_of_monte_carlo_samples_equals_a_loop(name):
    likelihood = LIKELIHOODS[name]().double()
    x, out = draw(5, 4).sigmoid(), draw(3, 5, 4, seed=1)
    found = likelihood.log_prob(x, out)
    assert found.shape == (3, 5)
    for one, single in zip(found, out, strict=True):
        torch.testing.assert_close(one, likelihood.log_prob(x, single))


@given(st.just(0.0) | st.floats(1e-30, 1e4), st.floats(-5, 1))
def test_calibrate_makes_the_scale_the_root_mean_square_but_not_small(square, least):
    likelihood = GaussianLikelihood().double()
    with torch.no_grad():
        likelihood.calibrate(torch.tensor(square, dtype=torch.float64), least=least)
    expected = max(math.sqrt(square), math.exp(least))
    assert scale_of(likelihood) == pytest.approx(expected, rel=1e-6)


@given(st.floats(-1e6, 0))
def test_scale_has_a_floor(raw_scale):
    likelihood = GaussianLikelihood()
    with torch.no_grad():
        likelihood.raw_scale.fill_(raw_scale)
    assert scale_of(likelihood) >= MIN_SCALE * (1 - 1e-6)


def test_scale_starts_below_that_of_the_data():
    assert MIN_SCALE < scale_of(GaussianLikelihood()) <= 1


def test_gaussian_samples_have_the_mean_and_the_learned_scale():
    likelihood = calibrated(0.3)
    mean = draw(4).expand(20_000, 4)
    generator = torch.Generator().manual_seed(1)
    noise = (likelihood.sample(mean, generator) - mean).detach().numpy()
    np.testing.assert_allclose(noise.mean(0), 0, atol=5 * 0.3 / math.sqrt(20_000))
    np.testing.assert_allclose(noise.std(0), 0.3, rtol=0.03)
    np.testing.assert_allclose(np.corrcoef(noise.T), np.eye(4), atol=0.04)


def test_bernoulli_samples_are_bits_of_the_given_mean():
    mean = torch.tensor([0.0, 0.1, 0.5, 1.0]).expand(20_000, 4)
    x = BernoulliLikelihood().sample(mean, torch.Generator().manual_seed(0)).numpy()
    assert np.isin(x, [0, 1]).all()
    np.testing.assert_allclose(x.mean(0), mean[0], atol=5 * 0.5 / math.sqrt(20_000))


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_samples_follow_the_generator_alone(name):
    likelihood, mean = LIKELIHOODS[name](), torch.full((50, 2), 0.5)
    first, again, other = (
        likelihood.sample(mean, torch.Generator().manual_seed(seed))
        for seed in (0, 0, 1)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_means_are_the_output_or_its_logistic_function():
    out = draw(5, 4)
    assert torch.equal(GaussianLikelihood().mean(out), out)
    np.testing.assert_allclose(BernoulliLikelihood().mean(out), expit(out.numpy()))


def test_only_gaussian_rows_are_rescaled():
    rescaled = {name: likelihood.rescales for name, likelihood in LIKELIHOODS.items()}
    assert rescaled == {"gaussian": True, "bernoulli": False}


def test_gaussian_log_prob_of_a_mixed_mean_equals_scipy():
    likelihood, x, out = calibrated(0.3), draw(5, 4), draw(3, 5, 4, seed=1)
    weights = draw(5, 3, seed=2).softmax(1)
    found = likelihood.log_prob_of_mixed_mean(x, out, weights).detach()
    mean = np.einsum("knd,nk->nd", out, weights)
    np.testing.assert_allclose(found, norm(mean, 0.3).logpdf(x).sum(1))


def test_bernoulli_log_prob_of_a_mixed_mean_equals_scipy():
    x, out = draw(5, 4).sigmoid(), 3 * draw(3, 5, 4, seed=1)
    weights = draw(5, 3, seed=2).softmax(1)
    found = BernoulliLikelihood().log_prob_of_mixed_mean(x, out, weights)
    p, x = np.einsum("knd,nk->nd", expit(out.numpy()), weights), x.numpy()
    np.testing.assert_allclose(found, (xlogy(x, p) + xlog1py(1 - x, -p)).sum(1))


@pytest.mark.parametrize(("logit", "x"), [(-30.0, 1.0), (30.0, 0.0)])
def test_bernoulli_pixels_that_are_surely_wrong_have_a_gradient(logit, x):
    out = torch.full((1, 1, 1), logit, requires_grad=True)
    weights = torch.ones(1, 1)
    x = torch.full((1, 1), x)
    found = BernoulliLikelihood().log_prob_of_mixed_mean(x, out, weights)
    assert found.item() == pytest.approx(-30)
    found.sum().backward()
    assert abs(out.grad.item()) == pytest.approx(1)
