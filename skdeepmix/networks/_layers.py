"""Layers whose initial weights come from an explicit generator."""

import math

import torch
from torch import nn

# Power iterations before the first use of a spectral norm, and the least norm.
FIRST_ITERATIONS = 15
LEAST_NORM = 1e-12
# Keeps readouts of few rows, or of inputs that are always zero, well-posed.
RIDGE = 1e-3


def initialized_linear(n_in, n_out, generator, gain=1.0):
    """Make an ``nn.Linear`` with Glorot-uniform weights and zero biases.

    Parameters
    ----------
    n_in, n_out : int
        Number of inputs and outputs.
    generator : torch.Generator
        Source of the weights; torch's global state is not touched.
    gain : float, default=1.0
        Factor on the weights; ``sqrt(2)`` keeps the variance through a ReLU.

    Returns
    -------
    layer : torch.nn.Linear
        The layer, on the CPU.
    """
    layer = nn.utils.skip_init(nn.Linear, n_in, n_out)
    nn.init.xavier_uniform_(layer.weight, gain=gain, generator=generator)
    nn.init.zeros_(layer.bias)
    return layer


def initialized_conv(kind, n_in, n_out, generator, gain=1.0, **geometry):
    """Make a convolution with Glorot-uniform weights and zero biases.

    Parameters
    ----------
    kind : {torch.nn.Conv2d, torch.nn.ConvTranspose2d}
        Class of the layer.
    n_in, n_out : int
        Number of input and output channels.
    generator : torch.Generator
        Source of the weights.
    gain : float, default=1.0
        Factor on the weights.
    **geometry
        ``kernel_size``, ``stride``, ``padding`` and ``output_padding`` of the layer.

    Returns
    -------
    layer : torch.nn.Module
        The layer, on the CPU.
    """
    layer = nn.utils.skip_init(kind, n_in, n_out, **geometry)
    if layer.transposed:  # an output sees one in stride**2 weights of the kernel
        gain = gain * math.sqrt(math.prod(layer.stride))
    nn.init.xavier_uniform_(layer.weight, gain=gain, generator=generator)
    nn.init.zeros_(layer.bias)
    return layer


class StackedLinear(nn.Module):
    """K linear layers side by side, on a tensor axis.

    Equal to a list of K ``nn.Linear``, in one batched matrix product.

    Parameters
    ----------
    n_networks : int
        Number K of layers.
    n_in, n_out : int
        Number of inputs and outputs of each layer.
    generator : torch.Generator
        Source of the weights: Glorot-uniform per layer, ``torch.nn.init`` would take
        the (K, n_in, n_out) weight for a convolution and misread its fans.
    gain : float, default=1.0
        Factor on the weights.

    Attributes
    ----------
    weight : torch.nn.Parameter of shape (n_networks, n_in, n_out)
        The weights.
    bias : torch.nn.Parameter of shape (n_networks, 1, n_out)
        The biases, zero at the start.
    """

    def __init__(self, n_networks, n_in, n_out, generator, gain=1.0):
        super().__init__()
        bound = gain * math.sqrt(6 / (n_in + n_out))
        weight = torch.empty(n_networks, n_in, n_out)
        self.weight = nn.Parameter(weight.uniform_(-bound, bound, generator=generator))
        self.bias = nn.Parameter(torch.zeros(n_networks, 1, n_out))

    def forward(self, x):
        """Apply every layer.

        Parameters
        ----------
        x : torch.Tensor of shape (n_networks, n, n_in) or (n, n_in)
            Inputs of each layer, or the same inputs for all of them.

        Returns
        -------
        out : torch.Tensor of shape (n_networks, n, n_out)
            Outputs of each layer.
        """
        x = x.expand(len(self.weight), *x.shape[-2:])
        return torch.baddbmm(self.bias, x, self.weight)


class Conditioned(nn.Sequential):
    """Layers in a row, some of which depend on a condition.

    Parameters
    ----------
    *layers : torch.nn.Module
        The layers. Those of this class, :class:`ConditionalNorm` and
        :class:`ResidualBlock` are given the condition.
    """

    def forward(self, x, condition=None):
        """Apply the layers.

        Parameters
        ----------
        x : torch.Tensor of shape (n, ...)
            Inputs.
        condition : torch.Tensor of shape (n, n_conditions) or None, default=None
            Condition of every row, None if no layer needs it.

        Returns
        -------
        out : torch.Tensor of shape (n, ...)
            Outputs.
        """
        for layer in self:
            takes = isinstance(layer, Conditioned | ConditionalNorm | ResidualBlock)
            x = layer(x, condition) if takes else layer(x)
        return x


class ConditionalNorm(nn.Module):
    """Normalisation whose gain and bias are linear in a condition.

    The conditional batch normalisation of conditional GANs: at the start all conditions
    are treated alike.

    Parameters
    ----------
    normalization : torch.nn.Module
        Normalisation without gain and bias.
    n_channels : int
        Number of channels, the second axis of the inputs.
    n_conditions : int
        Length of a condition.
    """

    def __init__(self, normalization, n_channels, n_conditions):
        super().__init__()
        self.normalization = normalization
        self.gain = nn.Parameter(torch.zeros(n_channels, n_conditions))
        self.bias = nn.Parameter(torch.zeros(n_channels, n_conditions))

    def forward(self, x, condition):
        """Normalise, then scale and shift by condition.

        Parameters
        ----------
        x : torch.Tensor of shape (n, n_channels, ...)
            Inputs.
        condition : torch.Tensor of shape (n, n_conditions)
            Condition of every row.

        Returns
        -------
        out : torch.Tensor of shape (n, n_channels, ...)
            ``(1 + gain) * normalised + bias``.
        """
        ones = (1,) * (x.dim() - 2)
        gain, bias = (
            nn.functional.linear(condition, weight).unflatten(1, (-1, *ones))
            for weight in (self.gain, self.bias)
        )
        return (1 + gain) * self.normalization(x) + bias


class ResidualBlock(nn.Module):
    """Sum of a path of convolutions and a short cut.

    Parameters
    ----------
    path : Conditioned
        The convolutions.
    shortcut : torch.nn.Module
        From the inputs to the shape of the outputs of the path.
    """

    def __init__(self, path, shortcut):
        super().__init__()
        self.path = path
        self.shortcut = shortcut

    def forward(self, x, condition=None):
        """Add what both paths make of the inputs.

        Parameters
        ----------
        x : torch.Tensor of shape (n, n_channels, height, width)
            Images.
        condition : torch.Tensor of shape (n, n_conditions) or None, default=None
            Condition of every image, None if no layer needs it.

        Returns
        -------
        out : torch.Tensor of shape (n, n_channels, height, width)
            Images.
        """
        return self.path(x, condition) + self.shortcut(x)


class SpectralNorm(nn.Module):
    """A layer whose weight is divided by its largest singular value.

    One step of power iteration per forward pass of the training [1]_. Unlike torch's
    own it takes its first vectors from a generator, and can be pickled.

    Parameters
    ----------
    layer : torch.nn.Linear or torch.nn.Conv2d
        The layer; its weight counts as a matrix with as many rows as outputs.
    generator : torch.Generator
        Source of the first vectors.

    References
    ----------
    .. [1] T. Miyato, T. Kataoka, M. Koyama and Y. Yoshida. "Spectral Normalization for
           Generative Adversarial Networks". ICLR 2018, arXiv:1802.05957.
    """

    def __init__(self, layer, generator):
        super().__init__()
        self.layer = layer
        weight = layer.weight
        self.register_buffer("left", torch.randn(len(weight), generator=generator))
        self.register_buffer("right", torch.zeros(weight[0].numel()))
        for _ in range(FIRST_ITERATIONS):
            self._iterate(weight.flatten(1))

    def forward(self, x):
        """Apply the layer with its normalised weight.

        Parameters
        ----------
        x : torch.Tensor of shape (n, ...)
            Inputs.

        Returns
        -------
        out : torch.Tensor of shape (n, ...)
            Outputs.
        """
        layer, weight = self.layer, self.normalized_weight()
        if isinstance(layer, nn.Linear):
            return nn.functional.linear(x, weight, layer.bias)
        return nn.functional.conv2d(
            x, weight, layer.bias, layer.stride, layer.padding, layer.dilation
        )

    def normalized_weight(self):
        """Weight over the estimate of its largest singular value.

        Returns
        -------
        weight : torch.Tensor of the shape of the weight
            With a largest singular value of about 1.
        """
        weight = self.layer.weight
        with torch.autocast(weight.device.type, enabled=False):
            matrix = weight.flatten(1)
            if self.training:
                self._iterate(matrix)
            # Copies, since the next pass writes into the vectors.
            left, right = self.left.clone(), self.right.clone()
            return weight / (left @ (matrix @ right)).clamp(min=LEAST_NORM)

    @torch.no_grad()
    def _iterate(self, matrix):
        nn.functional.normalize(matrix.mT @ self.left, dim=0, out=self.right)
        nn.functional.normalize(matrix @ self.right, dim=0, out=self.left)


def spectrally_normalized(network, generator):
    """Normalise the weights of all linear layers and convolutions of a network.

    Parameters
    ----------
    network : torch.nn.Module
        The network, changed in place; layers that are normalised stay as they are, and
        so do transposed convolutions.
    generator : torch.Generator
        Source of the first vectors of the power iterations.

    Returns
    -------
    network : torch.nn.Module
        The network.
    """
    for name, child in network.named_children():
        if isinstance(child, nn.Linear | nn.Conv2d):
            setattr(network, name, SpectralNorm(child, generator))
        elif not isinstance(child, SpectralNorm):
            spectrally_normalized(child, generator)
    return network


def fit_readout(pairs):
    """Fit a linear layer by ridge regression.

    Parameters
    ----------
    pairs : iterable of tuple of torch.Tensor
        Batches of inputs, of shape (..., n, n_in), and of the outputs that they should
        have, of shape (..., n, n_out).

    Returns
    -------
    readout : tuple of torch.Tensor or None
        Weights of shape (..., n_in, n_out), with a ridge of a thousandth of the mean
        power of the inputs, and biases of shape (..., 1, n_out); None without batches.
    """
    gram = product = 0
    for inputs, outputs in pairs:
        ones = inputs.new_ones(*inputs.shape[:-1], 1)
        inputs = torch.cat([inputs, ones], -1).double()
        outputs = outputs.double()
        gram = gram + inputs.mT @ inputs
        product = product + inputs.mT @ outputs
    if isinstance(gram, int):
        return None
    power = gram.diagonal(dim1=-2, dim2=-1).mean(-1)[..., None, None]
    identity = torch.eye(gram.shape[-1], dtype=gram.dtype, device=gram.device)
    ridge = RIDGE * power * identity
    solved = torch.linalg.solve(gram + ridge, product).float()
    return solved[..., :-1, :], solved[..., -1:, :]


def spread_rows(rows, network, n_networks):
    """Give every row to one of K networks side by side.

    Parameters
    ----------
    rows : torch.Tensor of shape (n, n_in)
        Rows.
    network : torch.Tensor of shape (n,)
        Index of the network of every row.
    n_networks : int
        Number K of networks.

    Returns
    -------
    spread : torch.Tensor of shape (n_networks, n_most, n_in)
        Rows of each network, as many as the largest share, padded with zeros.
    place : torch.Tensor of shape (n,)
        ``spread[network, place]`` are the rows.
    """
    counts = network.bincount(minlength=n_networks)
    order = network.argsort(stable=True)
    place = torch.empty_like(order)
    place[order] = torch.arange(len(order), device=order.device)
    place -= (counts.cumsum(0) - counts)[network]
    spread = rows.new_zeros(n_networks, int(counts.max()), rows.shape[1])
    spread[network, place] = rows
    return spread, place
