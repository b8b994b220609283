"""Layers whose initial weights come from an explicit generator."""

import math

import torch
from torch import nn

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
    ridge = RIDGE * power * torch.eye(gram.shape[-1]).to(gram)
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
