"""Categorical divergences against scipy, torch.distributions and the limit 0 log 0."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import entropy
from torch.distributions import Categorical, kl_divergence

from skdeepmix.losses import categorical_cross_entropy, categorical_kl

logits = st.lists(st.floats(-30, 30), min_size=4, max_size=4)


def log_softmax(*values):
    return torch.tensor(values, dtype=torch.float64).log_softmax(-1)


def uniform(n_clusters):
    return log_softmax(*[0.0] * n_clusters)


@pytest.fixture
def log_resp():
    generator = torch.Generator().manual_seed(0)
    values = 3 * torch.randn(5, 6, 4, dtype=torch.float64, generator=generator)
    return values.log_softmax(-1)


def test_equals_scipy(log_resp):
    log_weights = log_softmax(0.0, 1.0, -2.0, 0.5)
    expected = entropy(log_resp.exp().numpy(), log_weights.exp().numpy(), axis=-1)
    np.testing.assert_allclose(categorical_kl(log_resp, log_weights), expected)


def test_equals_torch_distributions(log_resp):
    log_weights = log_softmax(0.0, 1.0, -2.0, 0.5)
    expected = kl_divergence(
        Categorical(logits=log_resp), Categorical(logits=log_weights)
    )
    torch.testing.assert_close(categorical_kl(log_resp, log_weights), expected)


def test_to_uniform_weights_is_the_entropy_that_is_missing(log_resp):
    expected = math.log(4) - entropy(log_resp.exp().numpy(), axis=-1)
    np.testing.assert_allclose(categorical_kl(log_resp, uniform(4)), expected)


@given(logits, logits)
def test_is_not_negative(first, second):
    assert categorical_kl(log_softmax(*first), log_softmax(*second)) >= -1e-12


@given(logits)
def test_of_equal_distributions_is_zero(values):
    log_resp = log_softmax(*values)
    assert categorical_kl(log_resp, log_resp) == 0


@given(logits)
def test_to_uniform_weights_is_at_most_log_k(values):
    assert categorical_kl(log_softmax(*values), uniform(4)) <= math.log(4) + 1e-12


def test_of_one_cluster_is_zero():
    assert categorical_kl(uniform(1), uniform(1)) == 0


def test_minus_infinity_counts_as_probability_zero():
    log_resp = torch.tensor([math.log(0.25), math.log(0.75), -math.inf])
    expected = entropy([0.25, 0.75, 0], [1 / 3, 1 / 3, 1 / 3])
    found = categorical_kl(log_resp, uniform(3).float())
    assert float(found) == pytest.approx(expected, rel=1e-6)


def test_of_a_certain_row_is_log_k():
    log_resp = torch.tensor([0.0, -math.inf, -math.inf, -math.inf])
    assert float(categorical_kl(log_resp, uniform(4))) == pytest.approx(math.log(4))


def test_gradient_is_finite_where_log_resp_is_minus_infinity():
    log_resp = torch.tensor([0.0, -math.inf], requires_grad=True)
    categorical_kl(log_resp, uniform(2)).backward()
    # d/dx of e^x (x - log pi) at x = 0; nothing flows into a probability of 0.
    torch.testing.assert_close(log_resp.grad, torch.tensor([1 + math.log(2), 0.0]))


@pytest.mark.parametrize("gap", [1e2, 1e4, math.inf])
def test_gradient_through_a_saturated_softmax_is_finite(gap):
    values = torch.tensor([0.0, -gap, -2 * gap], requires_grad=True)
    categorical_kl(values.log_softmax(-1), uniform(3)).backward()
    assert values.grad.isfinite().all()


def test_cross_entropy_is_that_of_the_rows_with_a_target(log_resp):
    log_resp = log_resp[0]
    targets = log_resp.flip(0).exp()
    targets[[1, 4]] = 0
    known = [0, 2, 3, 5]
    p, log_q = targets.numpy()[known], log_resp.numpy()[known]
    expected = entropy(p, axis=-1) + entropy(p, np.exp(log_q), axis=-1)
    found = categorical_cross_entropy(log_resp, targets)
    assert found.item() == pytest.approx(expected.mean())


def test_cross_entropy_without_targets_is_zero(log_resp):
    assert categorical_cross_entropy(log_resp[0], torch.zeros(6, 4)).item() == 0
