"""Cloneable descriptions of networks, as kernels are to Gaussian processes."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Set
from numbers import Integral

from sklearn.base import BaseEstimator
from torch import nn

from skdeepmix._sklearn_compat import Interval, StrOptions
from skdeepmix.networks._layers import (
    ConditionalNorm,
    Conditioned,
    ResidualBlock,
    StackedLinear,
    initialized_conv,
    initialized_linear,
)

ACTIVATIONS = {
    "relu": nn.ReLU,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "leaky_relu": nn.LeakyReLU,
    "silu": nn.SiLU,
    "softplus": nn.Softplus,
    "tanh": nn.Tanh,
}
# Those that torch computes in place with the same gradient, bit for bit. To allocate
# outputs takes longer than to compute them.
IN_PLACE = {"relu", "leaky_relu"}
# Factors g on Glorot's bound that keep the power of a standardised signal u through
# depth, E[f(g u)^2] = 1, as He et al. (2015) do for ReLU; no g does so for tanh.
GAINS = {
    "relu": math.sqrt(2),
    "elu": 1.278,
    "gelu": 1.468,
    "leaky_relu": math.sqrt(2),
    "silu": 1.559,
    "softplus": 1.083,
    "tanh": 5 / 3,
}
# Of a number of channels, and whether the normalisation has a gain and a bias.
VECTOR_NORMALIZATIONS = {
    "none": lambda n, affine: nn.Identity(),
    "batch": lambda n, affine: nn.BatchNorm1d(n, affine=affine),
    "layer": lambda n, affine: nn.LayerNorm(n, elementwise_affine=affine),
}
IMAGE_NORMALIZATIONS = {
    "none": lambda n, affine: nn.Identity(),
    "batch": lambda n, affine: nn.BatchNorm2d(n, affine=affine),
    "layer": lambda n, affine: nn.GroupNorm(1, n, affine=affine),
}


class NetworkSpec(BaseEstimator, ABC):
    """Description of a network, from which encoders and decoders are built.

    A spec holds no weights. It is cloned and searched like an estimator:
    ``encoder__hidden_layer_sizes`` is a parameter of a model whose ``encoder`` is an
    :class:`MLP`. Layers are listed from the data side to the code side, in a spec for
    an encoder and in one for a decoder: the same spec serves both directions.
    """

    _parameter_constraints: dict = {}

    def build_encoder(self, n_features, n_outputs, generator):
        """Build a network from data to codes.

        Parameters
        ----------
        n_features : int
            Number of columns of the data.
        n_outputs : int
            Number of outputs.
        generator : torch.Generator
            Source of the initial weights.

        Returns
        -------
        network : torch.nn.Sequential
            Maps (n, n_features) to (n, n_outputs); its last layer is linear.

        Raises
        ------
        ValueError
            If a parameter of the spec is invalid or does not fit `n_features`.
        """
        self._validate_params()
        return self._encoder(n_features, n_outputs, generator)

    def build_decoder(self, n_inputs, n_features, generator, n_conditions=0):
        """Build a network from codes to data, with the layers in reverse.

        Parameters
        ----------
        n_inputs : int
            Number of code dimensions.
        n_features : int
            Number of columns of the data.
        generator : torch.Generator
            Source of the initial weights.
        n_conditions : int, default=0
            Length of a condition that the gain and the bias of every normalisation
            depend on; with 0 there is none.

        Returns
        -------
        network : torch.nn.Module
            Maps (n, n_inputs), and a condition of shape (n, n_conditions) if there is
            one, to (n, n_features).

        Raises
        ------
        ValueError
            If a parameter of the spec is invalid or does not fit `n_features`.
        """
        self._validate_params()
        return self._decoder(n_inputs, n_features, generator, n_conditions)

    def build_stacked_encoders(self, n_networks, n_features, n_outputs, generator):
        """Build K equal networks from data to codes on a tensor axis.

        Parameters
        ----------
        n_networks : int
            Number K of networks.
        n_features : int
            Number of columns of the data.
        n_outputs : int
            Number of outputs.
        generator : torch.Generator
            Source of the initial weights.

        Returns
        -------
        networks : torch.nn.Module
            Maps (n_networks, n, n_features), or (n, n_features) for all networks, to
            (n_networks, n, n_outputs).

        Raises
        ------
        ValueError
            If a parameter of the spec is invalid, or it cannot be stacked.
        """
        self._validate_params()
        return self._stacked(n_networks, n_features, n_outputs, generator, 1)

    def build_stacked_decoders(self, n_networks, n_inputs, n_features, generator):
        """Build K equal networks from codes to data on a tensor axis.

        Parameters
        ----------
        n_networks : int
            Number K of networks.
        n_inputs : int
            Number of code dimensions.
        n_features : int
            Number of columns of the data.
        generator : torch.Generator
            Source of the initial weights.

        Returns
        -------
        networks : torch.nn.Module
            Maps (n_networks, n, n_inputs), or (n, n_inputs) for all networks, to
            (n_networks, n, n_features).

        Raises
        ------
        ValueError
            If a parameter of the spec is invalid, or it cannot be stacked.
        """
        self._validate_params()
        return self._stacked(n_networks, n_inputs, n_features, generator, -1)

    @abstractmethod
    def _encoder(self, n_features, n_outputs, generator):
        """See `build_encoder`."""

    @abstractmethod
    def _decoder(self, n_inputs, n_features, generator, n_conditions):
        """See `build_decoder`."""

    def _stacked(self, n_networks, n_in, n_out, generator, direction):
        """See `build_stacked_encoders`; -1 is the direction of a decoder."""
        raise ValueError(
            f"{type(self).__name__} cannot be built {n_networks} times side by side. "
            "Use MLP."
        )

    @property
    def _gain(self):
        return GAINS[self.activation]

    def _activated(self, layer, kinds, n_channels, n_conditions=0):
        """Make a hidden layer: the layer, its normalisation and its non-linearity."""
        return Conditioned(
            *layer,
            self._normalized(kinds, n_channels, n_conditions),
            # What comes from elsewhere may be needed there.
            self._activation(in_place=bool(layer)),
        )

    def _activation(self, in_place=True):
        """Make a non-linearity, which overwrites its inputs if it can."""
        options = {"inplace": True} if in_place and self.activation in IN_PLACE else {}
        return ACTIVATIONS[self.activation](**options)

    def _normalized(self, kinds, n_channels, n_conditions):
        normalization = kinds[self.normalization](n_channels, n_conditions == 0)
        if n_conditions == 0:
            return normalization
        return ConditionalNorm(normalization, n_channels, n_conditions)


class MLP(NetworkSpec):
    """Fully connected network.

    Parameters
    ----------
    hidden_layer_sizes : tuple of int, default=(500, 500, 2000)
        Number of units of the hidden layers, from the data side to the code side.
        ``()`` is a linear map.
    activation : {"relu", "elu", "gelu", "leaky_relu", "silu", "softplus", "tanh"}, \
            default="relu"
        Non-linearity after every hidden layer.
    normalization : {"none", "batch", "layer"}, default="none"
        Normalisation before every non-linearity.

    See Also
    --------
    ConvNet : Convolutional network for images.

    Examples
    --------
    >>> import torch
    >>> from skdeepmix.networks import MLP
    >>> spec = MLP(hidden_layer_sizes=(64, 32))
    >>> encoder = spec.build_encoder(20, 2, torch.Generator().manual_seed(0))
    >>> encoder(torch.zeros(5, 20)).shape
    torch.Size([5, 2])
    """

    _parameter_constraints: dict = {
        "hidden_layer_sizes": ["array-like"],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "normalization": [StrOptions(set(VECTOR_NORMALIZATIONS))],
    }

    def __init__(
        self,
        hidden_layer_sizes=(500, 500, 2000),
        activation="relu",
        normalization="none",
    ):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.normalization = normalization

    def _encoder(self, n_features, n_outputs, generator):
        return self._network(
            [n_features, *_sizes(self, "hidden_layer_sizes"), n_outputs], generator
        )

    def _decoder(self, n_inputs, n_features, generator, n_conditions):
        hidden = reversed(_sizes(self, "hidden_layer_sizes"))
        return self._network([n_inputs, *hidden, n_features], generator, n_conditions)

    def _network(self, sizes, generator, n_conditions=0):
        layers = [
            self._activated(
                [initialized_linear(n_in, n_out, generator, self._gain)],
                VECTOR_NORMALIZATIONS,
                n_out,
                n_conditions,
            )
            for n_in, n_out in zip(sizes[:-2], sizes[1:-1], strict=True)
        ]
        return Conditioned(*layers, initialized_linear(sizes[-2], sizes[-1], generator))

    def _stacked(self, n_networks, n_in, n_out, generator, direction):
        if self.normalization != "none":
            raise ValueError(
                f"normalization='{self.normalization}' is not available for networks "
                "side by side. Use normalization='none'."
            )
        sizes = [n_in, *_sizes(self, "hidden_layer_sizes")[::direction], n_out]
        layers = []
        for first, second in zip(sizes[:-2], sizes[1:-1], strict=True):
            layers += [
                StackedLinear(n_networks, first, second, generator, self._gain),
                self._activation(),
            ]
        return nn.Sequential(
            *layers, StackedLinear(n_networks, sizes[-2], sizes[-1], generator)
        )


class ConvNet(NetworkSpec):
    """Convolutional network for images given as flat rows.

    Every convolution halves height and width (kernel 4, stride 2, padding 1; sizes
    round down); a fully connected layer follows. A decoder has the transposed layers in
    reverse.

    Parameters
    ----------
    image_shape : tuple of int, default=(1, 28, 28)
        Channels, height and width; their product is the number of features.
    channels : tuple of int, default=(32, 64)
        Number of channels after every convolution, from the data side to the code
        side.
    n_hidden : int, default=256
        Number of units of the fully connected layer.
    activation : {"relu", "elu", "gelu", "leaky_relu", "silu", "softplus", "tanh"}, \
            default="relu"
        Non-linearity after every hidden layer.
    normalization : {"none", "batch", "layer"}, default="none"
        Normalisation before every non-linearity of a convolution.

    See Also
    --------
    MLP : Fully connected network.

    Examples
    --------
    >>> import torch
    >>> from skdeepmix.networks import ConvNet
    >>> spec = ConvNet(image_shape=(1, 8, 8), channels=(8,))
    >>> decoder = spec.build_decoder(2, 64, torch.Generator().manual_seed(0))
    >>> decoder(torch.zeros(5, 2)).shape
    torch.Size([5, 64])
    """

    _parameter_constraints: dict = {
        "image_shape": ["array-like"],
        "channels": ["array-like"],
        "n_hidden": [Interval(Integral, 1, None, closed="left")],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "normalization": [StrOptions(set(IMAGE_NORMALIZATIONS))],
    }

    def __init__(
        self,
        image_shape=(1, 28, 28),
        channels=(32, 64),
        n_hidden=256,
        activation="relu",
        normalization="none",
    ):
        self.image_shape = image_shape
        self.channels = channels
        self.n_hidden = n_hidden
        self.activation = activation
        self.normalization = normalization

    def _encoder(self, n_features, n_outputs, generator):
        channels, sides = self._geometry(n_features)
        layers = []
        for n_in, n_out in zip(channels[:-1], channels[1:], strict=True):
            conv = self._conv(nn.Conv2d, n_in, n_out, generator, self._gain)
            layers.append(self._activated([conv], IMAGE_NORMALIZATIONS, n_out))
        layers[0].insert(0, nn.Unflatten(1, (channels[0], *sides[0])))
        n_flat = channels[-1] * math.prod(sides[-1])
        return Conditioned(
            *layers,
            nn.Sequential(
                nn.Flatten(),
                initialized_linear(n_flat, self.n_hidden, generator, self._gain),
                self._activation(),
            ),
            initialized_linear(self.n_hidden, n_outputs, generator),
        )

    def _decoder(self, n_inputs, n_features, generator, n_conditions):
        channels, sides = self._geometry(n_features)
        n_flat = channels[-1] * math.prod(sides[-1])
        layers = [
            self._dense(n_inputs, self.n_hidden, generator, n_conditions),
            self._dense(self.n_hidden, n_flat, generator, n_conditions),
            nn.Unflatten(1, (channels[-1], *sides[-1])),
        ]
        for i in range(len(channels) - 1, 0, -1):
            n_out, gain = channels[i - 1], self._gain if i > 1 else 1.0
            odd = tuple(s - 2 * t for s, t in zip(sides[i - 1], sides[i], strict=True))
            conv = self._conv(
                nn.ConvTranspose2d, channels[i], n_out, generator, gain,
                output_padding=odd,
            )  # fmt: skip
            if i > 1:
                conv = self._activated(
                    [conv], IMAGE_NORMALIZATIONS, n_out, n_conditions
                )
            layers.append(conv)
        return Conditioned(*layers, nn.Flatten())

    def _dense(self, n_in, n_out, generator, n_conditions):
        """Make a fully connected layer, which is normalised to be conditioned."""
        linear = initialized_linear(n_in, n_out, generator, self._gain)
        if n_conditions == 0:
            return nn.Sequential(linear, self._activation())
        return self._activated([linear], VECTOR_NORMALIZATIONS, n_out, n_conditions)

    @staticmethod
    def _conv(kind, n_in, n_out, generator, gain, **geometry):
        return initialized_conv(
            kind, n_in, n_out, generator, gain, kernel_size=4, stride=2, padding=1,
            **geometry,
        )  # fmt: skip

    def _geometry(self, n_features):
        """Channels and (height, width) after every convolution."""
        strides = [2] * len(_sizes(self, "channels"))
        return _image_geometry(self, n_features, strides)


class ResNet(NetworkSpec):
    """Residual network for images given as flat rows.

    Every block adds two convolutions of kernel 3 to a short cut; in an encoder it then
    averages over squares of as many pixels as its stride, in a decoder it first repeats
    them (sizes round down). These are the blocks of BigGAN [1]_, as used by MPCC [2]_.

    Parameters
    ----------
    image_shape : tuple of int, default=(1, 28, 28)
        Channels, height and width; their product is the number of features.
    channels : tuple of int, default=(32, 32, 32)
        Number of channels after every block, from the data side to the code side.
    strides : tuple of int or None, default=None
        Factor by which each block makes the image smaller; None is 2 for all.
    activation : {"relu", "elu", "gelu", "leaky_relu", "silu", "softplus", "tanh"}, \
            default="relu"
        Non-linearity before every convolution but the first, and after the last block.
    normalization : {"none", "batch", "layer"}, default="none"
        Normalisation before every non-linearity.

    See Also
    --------
    ConvNet : Convolutional network without short cuts.

    References
    ----------
    .. [1] A. Brock, J. Donahue and K. Simonyan. "Large Scale GAN Training for High
           Fidelity Natural Image Synthesis". ICLR 2019, arXiv:1809.11096.
    .. [2] N. Astorga, P. Huijse, P. Protopapas and P. Estevez. "MPCC: Matching Priors
           and Conditionals for Clustering". ECCV 2020, arXiv:2008.09641.

    Examples
    --------
    >>> import torch
    >>> from skdeepmix.networks import ResNet
    >>> spec = ResNet(image_shape=(1, 8, 8), channels=(8, 8), strides=(2, 1))
    >>> encoder = spec.build_encoder(64, 2, torch.Generator().manual_seed(0))
    >>> encoder(torch.zeros(5, 64)).shape
    torch.Size([5, 2])
    """

    _parameter_constraints: dict = {
        "image_shape": ["array-like"],
        "channels": ["array-like"],
        "strides": ["array-like", None],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "normalization": [StrOptions(set(IMAGE_NORMALIZATIONS))],
    }

    def __init__(
        self,
        image_shape=(1, 28, 28),
        channels=(32, 32, 32),
        strides=None,
        activation="relu",
        normalization="none",
    ):
        self.image_shape = image_shape
        self.channels = channels
        self.strides = strides
        self.activation = activation
        self.normalization = normalization

    def _encoder(self, n_features, n_outputs, generator):
        channels, sides, strides = self._geometry(n_features)
        layers = []
        for i, stride in enumerate(strides):
            n_in, n_out = channels[i : i + 2]
            path = Conditioned(
                # The image itself is not rectified.
                *([self._rectified(n_in)] if i else []),
                self._conv(n_in, n_out, generator, self._gain),
                self._rectified(n_out),
                self._conv(n_out, n_out, generator),
                nn.AvgPool2d(stride),
            )
            shortcut = nn.Sequential(
                nn.AvgPool2d(stride), self._matching(n_in, n_out, generator)
            )
            layers.append(ResidualBlock(path, shortcut))
        layers[0] = Conditioned(nn.Unflatten(1, (channels[0], *sides[0])), layers[0])
        n_flat = channels[-1] * math.prod(sides[-1])
        readout = initialized_linear(n_flat, n_outputs, generator)
        return Conditioned(
            *layers, self._rectified(channels[-1]), nn.Flatten(), readout
        )

    def _decoder(self, n_inputs, n_features, generator, n_conditions):
        channels, sides, _ = self._geometry(n_features)
        n_flat = channels[-1] * math.prod(sides[-1])
        layers = [
            initialized_linear(n_inputs, n_flat, generator),
            nn.Unflatten(1, (channels[-1], *sides[-1])),
        ]
        # The last block keeps its channels, a convolution makes the image of them.
        channels = [channels[0], channels[1], *channels[1:]]
        for n_out, n_in, size in zip(
            channels[-2:0:-1], channels[:1:-1], sides[-2::-1], strict=True
        ):
            path = Conditioned(
                self._rectified(n_in, n_conditions),
                nn.Upsample(size),
                self._conv(n_in, n_out, generator, self._gain),
                self._rectified(n_out, n_conditions),
                self._conv(n_out, n_out, generator),
            )
            shortcut = nn.Sequential(
                nn.Upsample(size), self._matching(n_in, n_out, generator)
            )
            layers.append(ResidualBlock(path, shortcut))
        return Conditioned(
            *layers,
            self._rectified(channels[1], n_conditions),
            self._conv(channels[1], channels[0], generator),
            nn.Flatten(),
        )

    def _rectified(self, n_channels, n_conditions=0):
        return self._activated([], IMAGE_NORMALIZATIONS, n_channels, n_conditions)

    @staticmethod
    def _conv(n_in, n_out, generator, gain=1.0):
        return initialized_conv(
            nn.Conv2d, n_in, n_out, generator, gain, kernel_size=3, padding=1
        )

    @staticmethod
    def _matching(n_in, n_out, generator):
        """Change the number of channels, if that is needed."""
        if n_in == n_out:
            return nn.Identity()
        return initialized_conv(nn.Conv2d, n_in, n_out, generator, kernel_size=1)

    def _geometry(self, n_features):
        n_blocks = len(_sizes(self, "channels"))
        if self.strides is None:
            strides = [2] * n_blocks
        else:
            strides = _sizes(self, "strides", length=n_blocks)
        return *_image_geometry(self, n_features, strides), strides


def _image_geometry(spec, n_features, strides):
    """Channels and (height, width) of an image and after every layer of a spec."""
    name = type(spec).__name__
    image_shape = _sizes(spec, "image_shape", length=3)
    if math.prod(image_shape) != n_features:
        raise ValueError(
            f"The 'image_shape' parameter of {name} has {math.prod(image_shape)} "
            f"elements, but its rows have {n_features} features."
        )
    channels = [image_shape[0], *_sizes(spec, "channels")]
    if len(channels) == 1:
        raise ValueError(
            f"The 'channels' parameter of {name} is empty, but it needs at least one "
            "convolution. Use MLP instead."
        )
    sides = [tuple(image_shape[1:])]
    for stride in strides:
        sides.append(tuple(side // stride for side in sides[-1]))
    if min(sides[-1]) < 1:
        raise ValueError(
            f"The {len(strides)} layers of {name} make the image {math.prod(strides)} "
            f"times smaller, which leaves nothing of {image_shape[1]} x "
            f"{image_shape[2]} pixels. Use fewer 'channels'."
        )
    return channels, sides


def _sizes(spec, name, length=None):
    """Read a sequence of positive integers, or say what is wrong with it."""
    value = getattr(spec, name)
    sizes = [int(size) for size in value if isinstance(size, Integral) and size >= 1]
    unordered = isinstance(value, Set | Mapping)
    if unordered or len(sizes) != len(value) or length not in (None, len(sizes)):
        count = "" if length is None else f"{length} "
        raise ValueError(
            f"The '{name}' parameter of {type(spec).__name__} must be a tuple of "
            f"{count}positive integers. Got {value!r} instead."
        )
    return sizes
