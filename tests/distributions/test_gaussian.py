import numpy as np
import pytest
import torch
from scipy.stats import norm

from skdeepmix.distributions import gaussian_sample, standard_normal

generator = torch.Generator().manual_seed


def test_standard_normal_noise_is_that_of_its_generator():
    like = torch.zeros(2, dtype=torch.float64)
    state = torch.random.get_rng_state()
    noise = standard_normal((10_000, 3), like, generator(0))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert noise.shape == (10_000, 3)
    assert noise.dtype == like.dtype
    assert torch.equal(noise, standard_normal((10_000, 3), like, generator(0)))
    assert noise.mean(0).abs().max() < 0.05
    assert (noise.std(0) - 1).abs().max() < 0.05


def test_draws_of_gaussians_have_the_quantiles_of_their_noise():
    rng = np.random.default_rng(0)
    mean, log_var = rng.normal(size=(2, 4, 1, 3))
    probabilities = rng.uniform(size=(5, 3))
    x = gaussian_sample(
        *(torch.from_numpy(a) for a in (mean, log_var, norm.ppf(probabilities)))
    )
    expected = norm.ppf(probabilities, mean, np.exp(0.5 * log_var))
    np.testing.assert_allclose(x, expected)


def test_gradients_reach_mean_and_log_variance():
    parameters = torch.tensor([[1.0, -2.0], [0.5, -1.0]], requires_grad=True)
    noise = torch.tensor([2.0, -3.0])
    gaussian_sample(*parameters, noise).sum().backward()
    assert parameters.grad[0].tolist() == [1, 1]
    scale = np.exp(0.5 * np.array([0.5, -1.0]))
    assert parameters.grad[1].tolist() == pytest.approx(0.5 * scale * [2, -3])
