"""Density of Parzen windows over sets of samples."""

import math
from itertools import product

import torch

from skdeepmix.losses import median_distance

LOG_2 = math.log(2)
HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)
# Rows and samples of a tile of kernel values: on a CPU it stays in the cache, and on
# an accelerator it is large enough to hide the start of its operations.
CPU_TILE = 1024, 1024
ACCELERATOR_TILE = 8192, 8192
# Bandwidths to choose from, relative to the median distance of rows.
BANDWIDTHS = [0.03 * 2 ** (step / 4) for step in range(20)]


def parzen_bandwidths(x):
    """Bandwidths to choose from, by the likelihood of rows.

    Parameters
    ----------
    x : torch.Tensor of shape (n, n_dims)
        Rows.

    Returns
    -------
    bandwidths : torch.Tensor of shape (20,)
        From 0.03 to 0.8 times the median distance of the rows, or times 1 if they are
        all equal.
    """
    return (median_distance(x) or 1.0) * x.new_tensor(BANDWIDTHS)


@torch.no_grad()
def parzen_log_prob(x, samples, bandwidth):
    r"""Log-density of Parzen windows, in nats.

    .. math:: \log p(x) = \log \frac1S \sum_{r=1}^S N(x; y_r, h^2 I)
        = \log \sum_r \exp\frac{-\|x - y_r\|^2}{2 h^2} - \log S
        - \tfrac d2 \log(2 \pi h^2)

    This is Eq. 4 of [1]_ with its normaliser, in log space: a row far from all samples
    has a finite log-density.

    Parameters
    ----------
    x : torch.Tensor of shape (n, n_dims)
        Rows, of a floating type.
    samples : torch.Tensor of shape (..., n_samples, n_dims)
        Centres of the windows; each leading index is a density of its own.
    bandwidth : float, sequence of float or torch.Tensor of shape (n_bandwidths,)
        Standard deviation h > 0 of the windows, in the unit of x. Several cost little
        more than one, as the distances are computed once.

    Returns
    -------
    log_prob : torch.Tensor of shape (n, ...) or (n, ..., n_bandwidths)
        Log-densities, in the type of x and without gradient; the last axis is there if
        `bandwidth` is no single number.

    Notes
    -----
    Time is linear in the number of kernel values. These are computed in tiles of fixed
    size: memory for them grows neither with n nor with the number of samples.

    Squared distances come from products about the mean of the samples: an offset of the
    data costs no precision, but rounding adds an error of the order of the machine
    epsilon times the squared distance to that mean over :math:`h^2`. Take float64 for
    windows below a thousandth of the extent of the data.

    References
    ----------
    .. [1] E. Banijamali, A. Ghodsi and P. Poupart. "Generative Mixture of Networks".
           IJCNN 2017, arXiv:1702.03307.
    """
    bandwidths = torch.as_tensor(bandwidth, dtype=torch.float64, device="cpu")
    *lead, n_samples, n_dims = samples.shape
    samples = samples.to(x).reshape(-1, n_samples, n_dims)
    shift = samples.mean((0, 1))
    samples = samples - shift
    # The squared norms of the samples are part of the product: [x, 1] [y, -|y|^2 / 2].
    samples = torch.cat([samples, -0.5 * samples.square().sum(-1, True)], -1)
    n_rows, n_columns = CPU_TILE if x.device.type == "cpu" else ACCELERATOR_TILE
    tiles = samples.split(n_columns, dim=1)
    buffers = x.new_empty(2, min(n_rows, len(x)) * min(n_columns, n_samples))
    log_sums = [
        _log_sums(rows - shift, tiles, bandwidths.reshape(-1).tolist(), buffers)
        for rows in x.split(n_rows)
    ]
    log_norm = math.log(n_samples) + n_dims * (bandwidths.log() + HALF_LOG_2PI).to(x)
    return torch.cat(log_sums).reshape(len(x), *lead, *bandwidths.shape) - log_norm


def _log_sums(rows, tiles, bandwidths, buffers):
    """Log of the sums of kernels of some rows, of shape (n, K, n_bandwidths)."""
    ratios = [(bandwidths[0] / h) ** 2 for h in bandwidths]
    unit = LOG_2 * bandwidths[0] ** 2
    # Exponents of 2, which some machines take far faster than those of e; in the unit
    # of the first bandwidth; short of the row's own squared norm.
    points = torch.cat([rows, torch.ones_like(rows[:, :1])], 1) / unit
    tops = rows.new_empty(len(tiles), len(tiles[0]), 1, len(rows))
    sums = tops.new_empty(*tops.shape[:2], len(ratios), len(rows))
    for t, k in product(range(len(tiles)), range(len(tiles[0]))):
        samples = tiles[t][k]
        dots, kernels = buffers[:, : len(rows) * len(samples)].unflatten(
            1, (len(rows), len(samples))
        )
        torch.mm(points, samples.T, out=dots)
        torch.amax(dots, 1, out=tops[t, k, 0])
        dots.sub_(tops[t, k, 0].unsqueeze(1))
        for h, ratio in enumerate(ratios):
            # The first, often the only one, is no multiple; the last needs no copy.
            values = dots if h == len(ratios) - 1 else kernels
            scaled = torch.mul(dots, ratio, out=values) if h else dots
            torch.sum(torch.exp2(scaled, out=values), 1, out=sums[t, k, h])
    tops -= rows.square().sum(1) / (2 * unit)
    exponents = sums.log2_() + tops * rows.new_tensor(ratios).unsqueeze(1)
    return (LOG_2 * exponents).logsumexp(0).permute(2, 0, 1)
