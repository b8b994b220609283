"""dHSIC and HSIC against naive sums, the trace form and Gaussian closed forms."""

import math
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from skdeepmix.losses import dhsic, hsic
from skdeepmix.losses._hsic import mean_normal_distance


def draw(*shape, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, dtype=dtype, generator=generator)


def dependent(n, n_variables=3, n_dims=2, seed=0):
    """Variables of which each pair is independent of the others but for a sum."""
    z = draw(n_variables, n, n_dims, seed=seed)
    return torch.cat([z[:-1], z.sum(0, keepdim=True)])


def kernels(z, bandwidths):
    """One matrix per variable, pair by pair."""
    return [
        np.array(
            [
                [math.exp(-float(((a - b) ** 2).sum()) / (2 * g**2)) for b in v]
                for a in v
            ]
        )
        for v, g in zip(z, bandwidths, strict=True)
    ]


def naive_dhsic(z, bandwidths):
    """All sums of the V-statistic written out, over 2, 2K and K + 1 indices."""
    k = kernels(z, bandwidths)
    n, variables = len(k[0]), range(len(k))

    def sum_over(n_indices, term):
        return sum(term(i) for i in product(range(n), repeat=n_indices))

    def prod(factors):
        return math.prod(float(f) for f in factors)

    joint = sum_over(2, lambda i: prod(k[j][i] for j in variables))
    apart = sum_over(
        2 * len(k), lambda i: prod(k[j][i[2 * j], i[2 * j + 1]] for j in variables)
    )
    mixed = sum_over(
        len(k) + 1, lambda i: prod(k[j][i[0], i[j + 1]] for j in variables)
    )
    return joint / n**2 + apart / n ** (2 * len(k)) - 2 * mixed / n ** (len(k) + 1)


def normal_kernel_mean(bandwidth, n_dims):
    """Mean of the kernel between two standard normal rows."""
    return (bandwidth**2 / (bandwidth**2 + 2)) ** (n_dims / 2)


@pytest.mark.parametrize("dims", [(2,), (1, 3), (2, 1, 3)])
def test_equals_the_naive_sums(dims):
    z = [draw(4, d, seed=d) + draw(4, 1, seed=9) for d in dims]
    bandwidths = [0.7, 1.0, 2.5][: len(dims)]
    expected = naive_dhsic(z, bandwidths)
    assert float(dhsic(z, bandwidths)) == pytest.approx(expected, rel=1e-9, abs=1e-14)


def test_two_variables_equal_the_trace_form():
    x, y = draw(30, 3), draw(30, 3).square().sum(1, keepdim=True)
    k, other = kernels([x, y], [1.0, 2.0])
    centring = np.eye(30) - 1 / 30
    expected = np.trace(k @ centring @ other @ centring) / 30**2
    assert float(hsic(x, y, [1.0, 2.0])) == pytest.approx(expected)
    assert float(dhsic([x, y], [1.0, 2.0])) == pytest.approx(expected)


@pytest.mark.parametrize("bandwidth", [0.3, 1.0, 4.0])
def test_of_a_normal_variable_with_itself_is_the_closed_form(bandwidth):
    # Products of Gaussian kernels are Gaussian kernels.
    total = bandwidth**2 + 1
    given_one = bandwidth**2 / total * (1 + 2 / total) ** -0.5
    mean = normal_kernel_mean(bandwidth, 1)
    expected = normal_kernel_mean(bandwidth / 2**0.5, 1) + mean**2 - 2 * given_one
    x = draw(2000, 1)
    assert float(hsic(x, x, bandwidth)) == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("n", [50, 200])
def test_of_independent_variables_is_of_order_one_over_n(n):
    # tr(C_xx) tr(C_yy) / n for the covariances in the spaces of the kernels.
    z = draw(300, 2, n, 2)
    expected = (1 - normal_kernel_mean(1.0, 2)) ** 2
    found = n * torch.stack([dhsic(one, 1.0) for one in z])
    error = float(found.std()) / len(found) ** 0.5
    assert abs(float(found.mean()) - expected) < 4 * error + 4 / n


def null_values(z, n_permutations=99):
    generator = torch.Generator().manual_seed(0)
    n = z.shape[1]
    orders = [
        [torch.randperm(n, generator=generator) for _ in z]
        for _ in range(n_permutations)
    ]
    return torch.stack(
        [dhsic([v[o] for v, o in zip(z, order, strict=True)]) for order in orders]
    )


@pytest.mark.parametrize("seed", range(3))
def test_independent_variables_lie_inside_the_permutation_null(seed):
    z = draw(3, 100, 2, seed=seed)
    rank = int((null_values(z) < dhsic(z)).sum())
    assert 1 <= rank <= 98


def test_dependent_variables_lie_far_outside_the_permutation_null():
    z = dependent(100)
    null = null_values(z)
    assert float(dhsic(z)) > float(null.mean() + 20 * null.std())


def test_finds_joint_dependence_of_variables_that_are_pairwise_independent():
    signs = draw(2, 400, 1).sign()
    z = torch.stack([*signs, signs[0] * signs[1]])
    assert float(dhsic(z)) > 20 * max(float(hsic(z[i], z[i - 1])) for i in range(3))


@given(st.permutations(range(6)))
def test_order_of_rows_does_not_matter(order):
    z = dependent(6)
    torch.testing.assert_close(dhsic(z[:, order]), dhsic(z))


@given(st.permutations(range(4)))
def test_order_of_variables_does_not_matter(order):
    z = dependent(7, n_variables=4)
    bandwidths = torch.tensor([0.5, 1.0, 2.0, 4.0])
    found = dhsic(z[order], bandwidths[order])
    torch.testing.assert_close(found, dhsic(z, bandwidths))


@given(st.lists(st.floats(-100, 100), min_size=3, max_size=3))
def test_translation_does_not_matter(offsets):
    z = dependent(7)
    moved = z + torch.tensor(offsets, dtype=z.dtype).reshape(3, 1, 1)
    torch.testing.assert_close(dhsic(moved), dhsic(z))


@given(st.floats(0.01, 100))
def test_only_the_ratio_of_rows_to_bandwidths_matters(scale):
    z = dependent(7)
    torch.testing.assert_close(dhsic(scale * z, scale * 0.8), dhsic(z, 0.8))


@given(st.integers(0, 2**16), st.floats(0.05, 20), st.integers(2, 5))
def test_range(seed, bandwidth, n_variables):
    value = float(dhsic(dependent(9, n_variables, seed=seed), bandwidth))
    assert -1e-12 <= value < 2


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("n", [1, 5, 128])
def test_of_one_variable_is_zero(n, dtype):
    assert dhsic(draw(1, n, 3, dtype=dtype)) == 0


def test_a_constant_variable_does_not_count():
    x, y = dependent(20, n_variables=2)
    constant = torch.full((20, 3), 7.3, dtype=x.dtype)
    assert float(hsic(x, constant)) == pytest.approx(0, abs=1e-14)
    torch.testing.assert_close(dhsic([x, constant, y]), dhsic([x, y]))


def test_a_sequence_of_variables_is_the_same_as_a_stack():
    z = dependent(20)
    torch.testing.assert_close(dhsic(list(z)), dhsic(z))
    torch.testing.assert_close(dhsic(tuple(z), [1, 2, 3]), dhsic(z, [1, 2, 3]))


def test_one_bandwidth_is_that_of_each_variable():
    z = dependent(20)
    expected = dhsic(z, [0.8] * 3)
    for bandwidths in (0.8, torch.tensor(0.8), torch.full((3,), 0.8)):
        torch.testing.assert_close(dhsic(z, bandwidths), expected)
        torch.testing.assert_close(dhsic(list(z), bandwidths), expected)


def test_default_bandwidths_are_those_of_each_number_of_dimensions():
    z = [draw(20, 2), draw(20, 5)]
    bandwidths = [mean_normal_distance(2), mean_normal_distance(5)]
    torch.testing.assert_close(dhsic(z), dhsic(z, bandwidths))


@pytest.mark.parametrize("n_dims", [1, 2, 20])
def test_default_bandwidth_is_the_mean_distance_of_normal_rows(n_dims):
    distances = (draw(100_000, n_dims) - draw(100_000, n_dims, seed=1)).norm(dim=1)
    found = mean_normal_distance(n_dims)
    assert found == pytest.approx(float(distances.mean()), rel=5e-3)


def test_default_bandwidth_of_many_dimensions_does_not_overflow():
    # The distance concentrates at the root of its mean square, 2 d.
    assert mean_normal_distance(500) == pytest.approx(1000**0.5, rel=1e-3)
    value = float(dhsic(draw(2, 40, 500)))
    assert 0 < value < 1


@pytest.mark.parametrize("bandwidths", [None, 0.8, [0.5, 1.0, 2.0]])
def test_gradients_are_those_of_finite_differences(bandwidths):
    z = dependent(4).requires_grad_()
    assert torch.autograd.gradcheck(lambda z: dhsic(z, bandwidths), z)


def test_gradients_of_variables_of_several_dims_are_those_of_finite_differences():
    x, y = draw(4, 1).requires_grad_(), draw(4, 3).requires_grad_()
    assert torch.autograd.gradcheck(hsic, (x, y))


@pytest.mark.parametrize("n_distinct", [1, 2])
def test_gradients_are_finite_where_rows_coincide(n_distinct):
    z = draw(3, n_distinct, 2, dtype=torch.float32).repeat(1, 3, 1).requires_grad_()
    dhsic(z).backward()
    assert z.grad.isfinite().all()


def test_float32_agrees_with_float64_far_from_the_origin():
    z = dependent(60)
    # Powers of 2 leave the rows as they are but for the rounding of the sum.
    found = dhsic((z + 1024).float())
    assert float(found) == pytest.approx(float(dhsic(z)), rel=1e-3)


def test_autocast_costs_no_precision():
    z = dependent(60).float()
    with torch.autocast("cpu", torch.bfloat16):
        found = dhsic(z)
        half = dhsic(z.bfloat16())
    assert found.dtype == half.dtype == torch.float32
    torch.testing.assert_close(found, dhsic(z))
    torch.testing.assert_close(half, dhsic(z.bfloat16().float()))


@pytest.mark.parametrize(
    ("z", "got"),
    [
        ([draw(5, 2), draw(6, 2)], r"\(5, 2\), \(6, 2\)"),
        ([draw(5, 2), draw(5)], r"\(5, 2\), \(5,\)"),
        (draw(5, 2), r"\(5, 2\)"),
        ([], "no tensor"),
    ],
)
def test_wrong_shapes_are_told(z, got):
    message = (
        r"^Expected a tensor of shape \(n_variables, n_rows, n_dims\) or tensors of "
        rf"shape \(n_rows, n_dims\) with the same number of rows but got {got}\.$"
    )
    with pytest.raises(ValueError, match=message):
        dhsic(z)


@pytest.mark.parametrize("as_sequence", [False, True])
def test_wrong_number_of_bandwidths_is_told(as_sequence):
    z = list(draw(3, 5, 2)) if as_sequence else draw(3, 5, 2)
    message = (
        r"^Expected one bandwidth for all variables or one for each but got "
        r"n_variables = 3, bandwidths of shape \(2,\)\.$"
    )
    with pytest.raises(ValueError, match=message):
        dhsic(z, [1.0, 2.0])
