"""Divergences of Dirichlet distributions against torch.distributions and scipy."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.integrate import quad
from torch.distributions import Dirichlet, kl_divergence

from skdeepmix.losses import dirichlet_kl

concentrations = st.lists(st.floats(1e-3, 1e3), min_size=3, max_size=3)


def draw(*shape, seed=0):
    """Positive numbers in float64, most within [0.1, 10]."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, dtype=torch.float64, generator=generator).exp()


def tensor(values):
    return torch.tensor(values, dtype=torch.float64)


@pytest.mark.parametrize("seed", range(3))
def test_equals_torch_distributions(seed):
    a, b = draw(2, 9, 5, seed=seed)
    expected = kl_divergence(Dirichlet(a), Dirichlet(b))
    torch.testing.assert_close(dirichlet_kl(a, b), expected)


@pytest.mark.parametrize(
    ("a", "b"), [([2.0, 3.0], [1.5, 1.0]), ([5.0, 1.2], [2.0, 7.0])]
)
def test_equals_quadrature_in_one_dimension(a, b):
    q, p = stats.beta(*a), stats.beta(*b)
    expected, _ = quad(lambda w: q.pdf(w) * (q.logpdf(w) - p.logpdf(w)), 0, 1)
    found = dirichlet_kl(tensor(a), tensor(b))
    assert float(found) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_equals_the_mean_of_scipy_log_ratios(seed):
    a, b = draw(2, 4, seed=seed).numpy() + 0.5
    w = stats.dirichlet.rvs(a, size=20_000, random_state=seed).T
    ratios = stats.dirichlet.logpdf(w, a) - stats.dirichlet.logpdf(w, b)
    error = ratios.std() / len(ratios) ** 0.5
    assert abs(float(dirichlet_kl(tensor(a), tensor(b))) - ratios.mean()) < 4 * error


@pytest.mark.parametrize("shape", [(), (1,), (4,), (3, 1, 4), (3, 5, 4)])
def test_shapes_are_broadcast_as_a_loop_does(shape):
    a, b = draw(5, 4), draw(*shape, seed=1)
    whole = np.broadcast_shapes(a.shape, b.shape)
    for one, other in [(a, b), (b, a)]:
        found = dirichlet_kl(one, other)
        assert found.shape == whole[:-1]
        one, other = one.expand(whole), other.expand(whole)
        for i in np.ndindex(whole[:-1]):
            expected = kl_divergence(Dirichlet(one[i]), Dirichlet(other[i]))
            torch.testing.assert_close(found[i], expected)


@given(concentrations)
def test_of_equal_distributions_is_zero(a):
    assert dirichlet_kl(tensor(a), tensor(a)) == 0


@given(concentrations, concentrations)
def test_is_not_negative(a, b):
    assert dirichlet_kl(tensor(a), tensor(b)) >= -1e-9


@given(concentrations, st.integers(0, 2))
def test_is_positive_for_another_distribution(a, k):
    b = tensor(a)
    b[k] *= 1.5
    assert dirichlet_kl(tensor(a), b) > 0


@given(concentrations, concentrations, st.permutations(range(3)))
def test_order_of_clusters_does_not_matter(a, b, order):
    a, b = tensor(a), tensor(b)
    expected = dirichlet_kl(a, b)
    torch.testing.assert_close(dirichlet_kl(a[order], b[order]), expected)


def test_gradients_are_those_of_finite_differences():
    a, b = (v.requires_grad_() for v in draw(2, 3, 4))
    assert torch.autograd.gradcheck(dirichlet_kl, (a, b))


def test_small_concentrations_in_float32_agree_with_float64():
    a = torch.tensor([[1e-3, 1e-3, 1e-3], [1e-3, 0.5, 0.499]])
    b = torch.full((3,), 1 / 3)
    values, slopes = [], []
    for dtype in (torch.float32, torch.float64):
        one = a.to(dtype).detach().requires_grad_()
        value = dirichlet_kl(one, b)
        value.sum().backward()
        values.append(value.detach().double())
        slopes.append(one.grad.double())
    assert slopes[0].isfinite().all()
    torch.testing.assert_close(*values, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(*slopes, rtol=1e-4, atol=1e-4)


def test_half_precision_is_computed_in_float32():
    a, b = draw(2, 3, 4).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        found = dirichlet_kl(a, b)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, dirichlet_kl(a.float(), b.float()))
