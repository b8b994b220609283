"""Relaxed one-hot draws against closed forms."""

import numpy as np
import pytest
import torch
from scipy.special import expit, logit
from scipy.stats import chisquare, kstest

from skdeepmix.distributions import gumbel_softmax_sample

LOGITS = torch.tensor([0.5, -1.0, 0.0, 1.5], dtype=torch.float64)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def draws(temperature, logits=LOGITS, n=20_000, seed=0):
    return gumbel_softmax_sample(logits.expand(n, -1), temperature, generator(seed))


@pytest.mark.parametrize("temperature", [0.1, 0.5, 1.0, 10.0])
def test_the_largest_entry_has_the_probabilities_of_the_softmax(temperature):
    counts = draws(temperature).argmax(1).bincount(minlength=4).numpy()
    expected = 20_000 * LOGITS.softmax(0).numpy()
    assert chisquare(counts, expected).pvalue > 1e-3


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_two_clusters_follow_a_logistic_distribution(temperature):
    # The difference of two Gumbel variables is logistic: (l + L) / tau <= logit(y).
    y = draws(temperature, LOGITS[:2])[:, 0].numpy()
    gap = float(LOGITS[0] - LOGITS[1])
    assert kstest(y, lambda v: expit(temperature * logit(v) - gap)).pvalue > 1e-3


def test_rows_sum_to_one_and_harden_as_the_temperature_falls():
    sharpness = []
    for temperature in (5.0, 1.0, 0.2, 0.01):
        y = draws(temperature)
        np.testing.assert_allclose(y.sum(1), 1)
        assert (y >= 0).all()
        sharpness.append(float(y.max(1).values.mean()))
    assert sharpness == sorted(sharpness)
    assert sharpness[-1] > 0.99


def test_gradient_is_that_of_the_expectation():
    # E[y_1] of two clusters by quadrature over the logistic variable.
    quantiles = (np.arange(200_000) + 0.5) / 200_000
    noise = logit(quantiles)

    def expectation(gap):
        return expit((gap + noise) / 0.7).mean()

    expected = (expectation(0.3 + 1e-4) - expectation(0.3 - 1e-4)) / 2e-4
    logits = torch.tensor([0.3, 0.0], dtype=torch.float64, requires_grad=True)
    draws(0.7, logits, n=200_000)[:, 0].mean().backward()
    assert float(logits.grad[0]) == pytest.approx(expected, rel=0.02)


def test_certain_clusters_and_cold_temperatures_stay_finite():
    logits = torch.tensor([[0.0, -200.0], [-80.0, 0.0]], requires_grad=True)
    y = gumbel_softmax_sample(logits, 1e-3, generator())
    y.square().sum().backward()
    assert y.isfinite().all()
    assert logits.grad.isfinite().all()


def test_the_generator_decides():
    torch.testing.assert_close(draws(0.5, n=5), draws(0.5, n=5), rtol=0, atol=0)
    assert not torch.equal(draws(0.5, n=5), draws(0.5, n=5, seed=1))
