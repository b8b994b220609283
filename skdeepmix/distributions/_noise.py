"""Noise from explicit generators."""

import torch


def standard_normal(shape, like, generator):
    """Draw standard normal noise.

    Parameters
    ----------
    shape : tuple of int
        Shape of the noise.
    like : torch.Tensor
        Whose type and device the noise gets.
    generator : torch.Generator
        Source of randomness, on that device.

    Returns
    -------
    noise : torch.Tensor
        The noise; torch's global random state is not touched.
    """
    return torch.randn(shape, dtype=like.dtype, device=like.device, generator=generator)
