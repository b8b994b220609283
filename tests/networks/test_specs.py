"""Specs of networks: geometry, mirrored directions, initial weights, errors."""

import math
import re

import pytest
import torch
from sklearn.base import clone
from torch import nn

from skdeepmix._sklearn_compat import InvalidParameterError
from skdeepmix.networks import MLP, ConvNet, ResNet, _specs
from skdeepmix.networks._layers import (
    ConditionalNorm,
    SpectralNorm,
    spectrally_normalized,
)
from skdeepmix.networks._specs import (
    ACTIVATIONS,
    IMAGE_NORMALIZATIONS,
    VECTOR_NORMALIZATIONS,
)

SPECS = {
    "MLP": (MLP((6, 5)), 20),
    "linear MLP": (MLP(()), 20),
    "ConvNet": (ConvNet((2, 7, 9), channels=(3, 4), n_hidden=5), 126),
    "ResNet": (ResNet((2, 7, 9), channels=(3, 4), strides=(2, 1)), 126),
}


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def draw(*shape, seed=1):
    return torch.randn(*shape, generator=generator(seed))


def leaves(network):
    """Layers in their order, whatever blocks they are part of."""
    return [layer for layer in network.modules() if not list(layer.children())]


def layers_of(network, *kinds):
    return [layer for layer in leaves(network) if isinstance(layer, kinds)]


def linear_shapes(network):
    """(inputs, outputs) of every linear layer."""
    found = layers_of(network, nn.Linear)
    return [(layer.in_features, layer.out_features) for layer in found]


def states_equal(first, second):
    first, second = first.state_dict(), second.state_dict()
    return all(torch.equal(first[name], second[name]) for name in first)


def test_mlp_lists_its_layers_from_the_data_to_the_code():
    spec = MLP(hidden_layer_sizes=(7, 6, 5))
    encoder = spec.build_encoder(20, 2, generator())
    decoder = spec.build_decoder(3, 20, generator())
    assert linear_shapes(encoder) == [(20, 7), (7, 6), (6, 5), (5, 2)]
    assert linear_shapes(decoder) == [(3, 5), (5, 6), (6, 7), (7, 20)]


def test_mlp_without_hidden_layers_is_a_linear_map():
    network = MLP(()).build_encoder(4, 3, generator())
    x = draw(5, 4)
    weight, bias = network.parameters()
    torch.testing.assert_close(network(x), x @ weight.T + bias)


def test_mlp_equals_its_layers_by_hand():
    network = MLP((6,), activation="tanh").build_encoder(4, 3, generator())
    x = draw(5, 4)
    first, first_bias, second, second_bias = network.parameters()
    expected = torch.tanh(x @ first.T + first_bias) @ second.T + second_bias
    torch.testing.assert_close(network(x), expected)


def test_conv_net_halves_the_image_and_doubles_it_in_reverse():
    spec = ConvNet((1, 28, 28), channels=(3, 4), n_hidden=5)
    encoder = spec.build_encoder(784, 2, generator())
    decoder = spec.build_decoder(6, 784, generator())
    convs = layers_of(encoder, nn.Conv2d)
    transposed = layers_of(decoder, nn.ConvTranspose2d)
    assert [(c.in_channels, c.out_channels) for c in convs] == [(1, 3), (3, 4)]
    assert [(c.in_channels, c.out_channels) for c in transposed] == [(4, 3), (3, 1)]
    assert linear_shapes(encoder) == [(4 * 7 * 7, 5), (5, 2)]
    assert linear_shapes(decoder) == [(6, 5), (5, 4 * 7 * 7)]


@pytest.mark.parametrize("side", [(4, 4), (5, 5), (7, 9), (6, 11), (15, 4)])
@pytest.mark.parametrize("n_channels", [1, 3])
def test_conv_net_takes_images_of_any_size(side, n_channels):
    image_shape = (n_channels, *side)
    n_features = math.prod(image_shape)
    spec = ConvNet(image_shape, channels=(3, 4), n_hidden=5)
    code = spec.build_encoder(n_features, 2, generator())(draw(6, n_features))
    rows = spec.build_decoder(2, n_features, generator())(code)
    assert code.shape == (6, 2)
    assert rows.shape == (6, n_features)


@pytest.mark.parametrize("name", SPECS)
def test_output_of_a_decoder_has_both_signs(name):
    spec, n_features = SPECS[name]
    rows = spec.build_decoder(4, n_features, generator())(draw(50, 4))
    assert rows.min() < 0 < rows.max()


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.parametrize("direction", ["encoder", "decoder"])
def test_weights_follow_the_generator_alone(name, direction):
    spec, n_features = SPECS[name]
    sizes = (n_features, 4) if direction == "encoder" else (4, n_features)
    build = getattr(spec, f"build_{direction}")
    state = torch.get_rng_state()
    first, again, other = (build(*sizes, generator(seed)) for seed in (0, 0, 1))
    assert states_equal(first, again)
    assert not states_equal(first, other)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("name", SPECS)
def test_a_clone_builds_the_same_network(name):
    spec, n_features = SPECS[name]
    networks = [
        s.build_encoder(n_features, 4, generator()) for s in (spec, clone(spec))
    ]
    assert states_equal(*networks)


def powers(network, x, kinds):
    """Mean square of the signal after every layer of the given kinds."""
    found = []
    for layer in leaves(network):
        x = layer(x)
        if isinstance(layer, kinds):
            found.append(float(x.detach().square().mean()))
    return found


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_mlp_keeps_the_power_of_the_signal_through_depth(activation):
    spec = MLP((300,) * 6, activation=activation)
    network = spec.build_encoder(300, 300, generator())
    after_activation = powers(network, draw(500, 300), ACTIVATIONS[activation])
    assert 0.4 < min(after_activation) < max(after_activation) < 1.8


@pytest.mark.parametrize("direction", ["encoder", "decoder"])
def test_conv_net_keeps_the_power_of_the_signal_through_depth(direction):
    # As many outputs as inputs for every layer but for the pixels: Glorot's case.
    spec = ConvNet((16, 48, 48), channels=(16, 16, 16), n_hidden=16 * 6 * 6)
    n_features = 16 * 48 * 48
    if direction == "encoder":
        network, n_inputs = spec.build_encoder(n_features, 9, generator()), n_features
    else:
        network, n_inputs = spec.build_decoder(576, n_features, generator()), 576
    after_activation = powers(network, draw(20, n_inputs), nn.ReLU)
    assert len(after_activation) == 4
    assert 0.4 < min(after_activation) < max(after_activation) < 1.8


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activation_follows_every_hidden_layer_and_no_other(activation):
    network = MLP((6, 5), activation=activation).build_encoder(9, 2, generator())
    kinds = [type(layer) for layer in leaves(network)]
    assert kinds.count(ACTIVATIONS[activation]) == 2
    assert kinds[-1] is nn.Linear


def gradients(build, *inputs, **parameters):
    """Outputs of a network and their gradients by inputs and weights."""
    network = build(generator=generator(), **parameters)
    inputs = [tensor.clone().requires_grad_() for tensor in inputs]
    out = network(*inputs)
    of = [*inputs, *network.parameters()]
    return out, *torch.autograd.grad(out.square().sum(), of)


@pytest.mark.parametrize("normalization", VECTOR_NORMALIZATIONS)
@pytest.mark.parametrize("activation", sorted(_specs.IN_PLACE))
@pytest.mark.parametrize("name", sorted(SPECS.keys() - {"linear MLP"}))
def test_activations_overwrite_nothing_that_is_needed(
    name, activation, normalization, monkeypatch
):
    spec, n_features = SPECS[name]
    spec = clone(spec).set_params(activation=activation, normalization=normalization)
    x, z, condition = draw(6, n_features), draw(6, 4), draw(6, 3)
    calls = [
        (spec.build_encoder, (x,), {"n_features": n_features, "n_outputs": 4}),
        (spec.build_decoder, (z,), {"n_inputs": 4, "n_features": n_features}),
        (
            spec.build_decoder,
            (z, condition),
            {"n_inputs": 4, "n_features": n_features, "n_conditions": 3},
        ),
    ]
    if isinstance(spec, MLP) and normalization == "none":
        sizes = {"n_networks": 2, "n_features": n_features}
        calls += [
            (spec.build_stacked_encoders, (x,), sizes | {"n_outputs": 4}),
            (spec.build_stacked_decoders, (z,), sizes | {"n_inputs": 4}),
        ]
    found = [gradients(build, *inputs, **sizes) for build, inputs, sizes in calls]
    monkeypatch.setattr(_specs, "IN_PLACE", set())
    for first, (build, inputs, sizes) in zip(found, calls, strict=True):
        second = gradients(build, *inputs, **sizes)
        torch.testing.assert_close(first, second, rtol=0, atol=0)


@pytest.mark.parametrize("name", sorted(SPECS.keys() - {"linear MLP"}))
def test_activations_overwrite_outputs_of_their_own_layer_alone(name):
    spec, n_features = SPECS[name]
    network = spec.build_encoder(n_features, 4, generator())
    overwrites = {layer.inplace for layer in layers_of(network, nn.ReLU)}
    assert overwrites == {name != "ResNet"}  # where a short cut needs them


@pytest.mark.parametrize("normalization", VECTOR_NORMALIZATIONS)
def test_mlp_normalizes_before_every_activation(normalization):
    spec = MLP((6, 5), normalization=normalization)
    network = leaves(spec.build_encoder(9, 2, generator()))
    expected = [type(VECTOR_NORMALIZATIONS[normalization](n, True)) for n in (6, 5)]
    assert [type(network[i]) for i in (1, 4)] == expected
    assert [type(network[i]) for i in (2, 5)] == [nn.ReLU, nn.ReLU]


@pytest.mark.parametrize("normalization", IMAGE_NORMALIZATIONS)
def test_conv_net_normalizes_before_the_activation_of_every_convolution(normalization):
    spec = ConvNet((1, 8, 8), channels=(3, 4), normalization=normalization)
    for built, n_normalized in (
        (spec.build_encoder(64, 2, generator()), 2),
        (spec.build_decoder(2, 64, generator()), 1),
    ):
        network = leaves(built)
        convs = [
            i
            for i, layer in enumerate(network)
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)
        ]
        kind = type(IMAGE_NORMALIZATIONS[normalization](3, True))
        found = [i for i in convs if i + 2 < len(network)]
        found = [i for i in found if isinstance(network[i + 2], nn.ReLU)]
        assert len(found) == n_normalized
        assert all(isinstance(network[i + 1], kind) for i in found)


@pytest.mark.parametrize("spec", [MLP((6,)), ConvNet((1, 5, 4), channels=(3,))])
def test_batch_normalization_uses_no_other_row_in_evaluation(spec):
    spec = clone(spec).set_params(normalization="batch")
    network = spec.build_encoder(20, 2, generator())
    x = draw(8, 20)
    network.train()(x)
    network.eval()
    torch.testing.assert_close(network(x)[:1], network(x[:1]))


def test_image_shape_must_have_as_many_elements_as_features():
    message = (
        "The 'image_shape' parameter of ConvNet has 784 elements, but its rows have "
        "100 features."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        ConvNet((1, 28, 28)).build_encoder(100, 2, generator())
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        ConvNet((1, 28, 28)).build_decoder(2, 100, generator())


def test_convolutions_must_leave_something_of_the_image():
    message = (
        "The 3 layers of ConvNet make the image 8 times smaller, which leaves nothing "
        "of 4 x 7 pixels. Use fewer 'channels'."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        ConvNet((1, 4, 7), channels=(2, 2, 2)).build_encoder(28, 2, generator())


def test_conv_net_needs_a_convolution():
    message = (
        "The 'channels' parameter of ConvNet is empty, but it needs at least one "
        "convolution. Use MLP instead."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        ConvNet((1, 4, 4), channels=()).build_decoder(2, 16, generator())


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            MLP((5, 0)),
            "The 'hidden_layer_sizes' parameter of MLP must be a tuple of positive "
            "integers. Got (5, 0) instead.",
        ),
        (
            MLP((2.5,)),
            "The 'hidden_layer_sizes' parameter of MLP must be a tuple of positive "
            "integers. Got (2.5,) instead.",
        ),
        (
            MLP({8: 4}),
            "The 'hidden_layer_sizes' parameter of MLP must be a tuple of positive "
            "integers. Got {8: 4} instead.",
        ),
        (
            MLP({8}),
            "The 'hidden_layer_sizes' parameter of MLP must be a tuple of positive "
            "integers. Got {8} instead.",
        ),
        (
            ConvNet((4, 5)),
            "The 'image_shape' parameter of ConvNet must be a tuple of 3 positive "
            "integers. Got (4, 5) instead.",
        ),
        (
            ConvNet((1, 4, 5), channels=(-1,)),
            "The 'channels' parameter of ConvNet must be a tuple of positive integers. "
            "Got (-1,) instead.",
        ),
    ],
)
def test_sizes_must_be_positive_integers(spec, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        spec.build_encoder(20, 2, generator())


@pytest.mark.parametrize("spec", [MLP(), ConvNet()])
@pytest.mark.parametrize("name", ["activation", "normalization"])
def test_choices_by_string_are_checked(spec, name):
    spec = clone(spec).set_params(**{name: "wobbly"})
    message = (
        rf"^The '{name}' parameter of {type(spec).__name__} must be a str among "
        r"\{.*'none'.*\}\. Got 'wobbly' instead\.$"
    )
    if name == "activation":
        message = message.replace("none", "relu")
    with pytest.raises(InvalidParameterError, match=message):
        spec.build_encoder(784, 2, generator())


@pytest.mark.parametrize("name", sorted(SPECS.keys() - {"linear MLP"}))
def test_a_condition_changes_what_a_decoder_makes(name):
    spec, n_features = SPECS[name]
    decoder = spec.build_decoder(4, n_features, generator(), n_conditions=3)
    z, condition = draw(6, 4), torch.eye(3)[[0, 1, 2, 0, 1, 2]]
    plain = decoder(z, condition)
    assert plain.shape == (6, n_features)
    # At the start all conditions are treated alike.
    torch.testing.assert_close(plain, decoder(z, condition.flip(0)))
    norms = layers_of_kind(decoder, ConditionalNorm)
    with torch.no_grad():
        for norm in norms:
            norm.bias.copy_(draw(*norm.bias.shape))
    assert not torch.allclose(plain, decoder(z, condition))
    gradients = torch.autograd.grad(
        decoder(z, condition).square().sum(), [norm.gain for norm in norms]
    )
    assert all(gradient.any() for gradient in gradients)


def layers_of_kind(network, kind):
    return [layer for layer in network.modules() if isinstance(layer, kind)]


@pytest.mark.parametrize("name", SPECS)
def test_spectral_norms_divide_by_the_largest_singular_value(name):
    spec, n_features = SPECS[name]
    network = spec.build_encoder(n_features, 4, generator())
    state = torch.get_rng_state()
    normalized = spectrally_normalized(network, generator(1))
    assert torch.equal(torch.get_rng_state(), state)
    layers = layers_of_kind(normalized, SpectralNorm)
    assert len(layers) == len(layers_of_kind(normalized, nn.Linear | nn.Conv2d))
    for _ in range(200):  # steps of the power iteration
        normalized(draw(3, n_features))
    normalized.eval()
    for layer in layers:
        weight = layer.layer.weight
        largest = torch.linalg.matrix_norm(weight.flatten(1), 2)
        torch.testing.assert_close(
            layer.normalized_weight(), weight / largest, rtol=1e-3, atol=1e-5
        )
    # Not twice.
    spectrally_normalized(normalized, generator())
    assert layers_of_kind(normalized, SpectralNorm) == layers


def test_residual_blocks_add_a_short_cut():
    spec = ResNet((1, 4, 4), channels=(3,), strides=(2,))
    network = spec.build_encoder(16, 2, generator())
    block = network[0][1]
    x = draw(5, 1, 4, 4)
    with torch.no_grad():
        first, second = layers_of(block.path, nn.Conv2d)
        (shortcut,) = layers_of(block.shortcut, nn.Conv2d)
        path = second(first(x).relu())
        expected = nn.functional.avg_pool2d(path + shortcut(x), 2)
        torch.testing.assert_close(block(x), expected)


def test_strides_must_be_as_many_as_channels():
    message = "The 'strides' parameter of ResNet must be a tuple of 2 positive integers"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        ResNet((1, 8, 8), channels=(3, 4), strides=(2,)).build_encoder(
            64, 2, generator()
        )
