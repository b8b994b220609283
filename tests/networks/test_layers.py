"""Layers against K single layers, and their initial weights slice by slice."""

import math

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge
from torch import nn

from skdeepmix.networks import StackedLinear
from skdeepmix.networks._layers import (
    RIDGE,
    fit_readout,
    initialized_conv,
    initialized_linear,
    spread_rows,
)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def draw(*shape, seed=1):
    return torch.randn(*shape, dtype=torch.float64, generator=generator(seed))


def stacked(n_networks=3, n_in=4, n_out=5):
    """Stacked layers in float64 whose biases are not all zero."""
    layer = StackedLinear(n_networks, n_in, n_out, generator()).double()
    with torch.no_grad():
        layer.bias.copy_(draw(*layer.bias.shape, seed=2))
    return layer


def single_layers(layer):
    """The same weights as a list of ``nn.Linear``."""
    for weight, bias in zip(layer.weight, layer.bias, strict=True):
        single = nn.utils.skip_init(nn.Linear, *weight.shape, dtype=torch.float64)
        with torch.no_grad():
            single.weight.copy_(weight.T)
            single.bias.copy_(bias[0])
        yield single


@pytest.mark.parametrize("shape", [(3, 7, 4), (7, 4), (3, 1, 4)])
def test_stacked_linear_equals_single_layers(shape):
    layer, x = stacked(), draw(*shape)
    inputs = x if x.ndim == 3 else 3 * [x]
    expected = [f(one) for f, one in zip(single_layers(layer), inputs, strict=True)]
    torch.testing.assert_close(layer(x), torch.stack(expected))


def test_stacked_linear_has_the_gradients_of_single_layers():
    layer, x = stacked(), draw(7, 4).requires_grad_()
    factors = draw(3, 7, 5, seed=3)
    (layer(x) * factors).sum().backward()
    total = torch.zeros_like(x)
    for k, single in enumerate(single_layers(layer)):
        inputs = x.detach().requires_grad_()
        (single(inputs) * factors[k]).sum().backward()
        total += inputs.grad
        torch.testing.assert_close(layer.weight.grad[k], single.weight.grad.T)
        torch.testing.assert_close(layer.bias.grad[k, 0], single.bias.grad)
    torch.testing.assert_close(x.grad, total)


@pytest.mark.parametrize("n_networks", [1, 3, 50])
def test_stacked_linear_starts_within_glorots_bound_of_every_slice(n_networks):
    layer = StackedLinear(n_networks, 30, 20, generator(), gain=2.0)
    bound = 2 * math.sqrt(6 / (30 + 20))
    largest = layer.weight.detach().abs().amax((1, 2))
    assert (largest <= bound).all()
    assert (largest > 0.95 * bound).all()
    torch.testing.assert_close(
        layer.weight.detach().var((1, 2)),
        torch.full((n_networks,), bound**2 / 3),
        rtol=0.2,
        atol=0,
    )
    assert not layer.bias.any()


def test_stacked_slices_differ():
    first, second = StackedLinear(2, 4, 5, generator()).weight
    assert not torch.equal(first, second)


def test_linear_starts_within_glorots_bound():
    layer = initialized_linear(300, 200, generator(), gain=2.0)
    bound = 2 * math.sqrt(6 / (300 + 200))
    assert 0.99 * bound < layer.weight.detach().abs().max() <= bound
    assert not layer.bias.any()


@pytest.mark.parametrize(
    ("kind", "factor"), [(nn.Conv2d, 1.0), (nn.ConvTranspose2d, 2.0)]
)
def test_convolutions_start_within_glorots_bound(kind, factor):
    layer = initialized_conv(
        kind, 30, 20, generator(), kernel_size=4, stride=2, padding=1
    )
    bound = factor * math.sqrt(6 / (16 * (30 + 20)))
    assert 0.99 * bound < layer.weight.detach().abs().max() <= bound
    assert not layer.bias.any()


def make_weights(kind, seed):
    layers = {
        "linear": lambda g: initialized_linear(3, 4, g),
        "stacked": lambda g: StackedLinear(2, 3, 4, g),
        "convolution": lambda g: initialized_conv(nn.Conv2d, 3, 4, g, kernel_size=2),
    }
    return layers[kind](generator(seed)).weight


@pytest.mark.parametrize("kind", ["linear", "stacked", "convolution"])
def test_weights_follow_the_generator_alone(kind):
    state = torch.get_rng_state()
    first, again, other = (make_weights(kind, seed) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("shape", [(), (3,)])
def test_readout_is_a_ridge_regression(shape):
    inputs, outputs = draw(*shape, 50, 4), draw(*shape, 50, 2, seed=3)
    weight, bias = fit_readout(
        zip(inputs.split(20, -2), outputs.split(20, -2), strict=True)
    )
    for k in np.ndindex(shape):
        x, y = inputs[k].numpy(), outputs[k].numpy()
        design = np.column_stack([x, np.ones(50)])
        ridge = RIDGE * np.square(design).sum(0).mean()
        expected = Ridge(ridge, fit_intercept=False).fit(design, y).coef_.T
        np.testing.assert_allclose(weight[k], expected[:-1], rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(bias[k][0], expected[-1], rtol=1e-4, atol=1e-6)


def test_readout_of_constant_inputs_is_finite():
    weight, bias = fit_readout([(torch.zeros(5, 4), torch.ones(5, 1))])
    assert (weight == 0).all()
    torch.testing.assert_close(bias, torch.ones(1, 1), rtol=1e-2, atol=0)


def test_readout_without_rows_is_none():
    assert fit_readout([]) is None


@pytest.mark.parametrize("networks", [[0, 2, 2, 0, 2], [1], [2, 1, 0]])
def test_spread_rows_go_to_their_networks(networks):
    rows, network = draw(len(networks), 4), torch.tensor(networks)
    spread, place = spread_rows(rows, network, 3)
    torch.testing.assert_close(spread[network, place], rows, rtol=0, atol=0)
    for k in range(3):
        own = rows[network == k]
        torch.testing.assert_close(spread[k, : len(own)], own, rtol=0, atol=0)
        assert (spread[k, len(own) :] == 0).all()
