"""Maximum mean discrepancy between two sets of rows."""

import math

import torch

LOG2_E = math.log2(math.e)


def squared_mmd(x, y, bandwidths, unbiased=True):
    r"""Squared maximum mean discrepancy under a mean of Gaussian kernels.

    .. math:: \widehat{\mathrm{MMD}}^2 = \frac{1}{m(m-1)} \sum_{i \ne j} k(x_i, x_j)
        + \frac{1}{n(n-1)} \sum_{i \ne j} k(y_i, y_j)
        - \frac{2}{mn} \sum_{i,j} k(x_i, y_j), \quad
        k(a, b) = \frac1H \sum_{h=1}^H \exp\frac{-\|a - b\|^2}{2 s_h^2}

    (Lemma 6 of [1]_; the loss of a generator in Eq. 9 of [2]_). The *mean* over the
    bandwidths, where others take the sum, leaves the range of the value the same for
    any number of them.

    Parameters
    ----------
    x : torch.Tensor of shape (..., m, n_dims)
        One set of rows.
    y : torch.Tensor of shape (..., n, n_dims)
        The other; leading axes are broadcast.
    bandwidths : sequence of float or torch.Tensor of shape (n_bandwidths,)
        Standard deviations :math:`s_h > 0` of the kernels, in the unit of the rows.
    unbiased : bool, default=True
        Whether to leave out the pairs of a row with itself. If not, these count and
        the divisors are :math:`m^2` and :math:`n^2`.

    Returns
    -------
    squared_mmd : torch.Tensor of shape (...)
        Dimensionless; half precision is computed, and returned, in float32. Biased: in
        [0, 2]. Unbiased, which needs two rows in each set: from :math:`-1/m - 1/n` to
        2, and 0 on average for two sets from one distribution.

    See Also
    --------
    median_distance : A scale for the bandwidths.

    Notes
    -----
    Time and memory grow with :math:`(m + n)^2`. No distance is rooted, so that
    gradients stay finite where rows coincide. Distances are taken about the mean of
    `x`: an offset common to both sets costs no precision.

    References
    ----------
    .. [1] A. Gretton et al. "A Kernel Two-Sample Test". Journal of Machine Learning
           Research 13, 2012.
    .. [2] E. Banijamali, A. Ghodsi and P. Poupart. "Generative Mixture of Networks".
           IJCNN 2017, arXiv:1702.03307.
    """
    dtype = torch.promote_types(torch.promote_types(x.dtype, y.dtype), torch.float32)
    x, y = x.to(dtype), y.to(dtype)
    shift = x.detach().mean(-2, keepdim=True)
    x, y = x - shift, y - shift
    pairs = (x, x), (y, y), (x, y)
    sums = [mean_kernel(a, b, bandwidths).sum((-2, -1)) for a, b in pairs]
    return combine_sums(*sums, x.shape[-2], y.shape[-2], unbiased)


def median_distance(x, generator=None, max_rows=1000):
    """Median Euclidean distance between rows that differ.

    Parameters
    ----------
    x : torch.Tensor of shape (n_rows, n_dims)
        Rows.
    generator : torch.Generator or None, default=None
        Source, on the CPU, of the random choice of `max_rows` rows where there are
        more; None makes the same choice each time.
    max_rows : int, default=1000
        Number of rows that are compared at most; time and memory grow with its square.

    Returns
    -------
    distance : float
        In the unit of the rows; 0 if no two rows differ.
    """
    if len(x) > max_rows:
        generator = generator or torch.Generator().manual_seed(0)
        rows = torch.randperm(len(x), generator=generator, device="cpu")[:max_rows]
        x = x[rows.to(x.device)]
    distances = torch.nn.functional.pdist(x.detach())
    distances = distances[distances > 0]
    return float(distances.median()) if len(distances) else 0.0


def mean_kernel(x, y, bandwidths):
    """Mean of Gaussian kernels of each row of x (..., m, d) with each of y (..., n, d).

    The rows should be about the origin.
    """
    squares = x.square().sum(-1, keepdim=True) + y.square().sum(-1).unsqueeze(-2)
    distances = torch.sub(squares, full_dots(x, y), alpha=2).clamp_min(0)
    # In powers of 2, which on some machines take a fraction of the time of exp.
    scales = torch.as_tensor(bandwidths, dtype=x.dtype, device=x.device)
    rates = -0.5 * LOG2_E / scales**2
    return sum((distances * rate).exp2() for rate in rates) / len(rates)


def full_dots(x, y):
    """Products of each row of x (..., m, d) with each of y (..., n, d).

    In bfloat16 they would leave few digits of the differences of rows.
    """
    with torch.autocast(x.device.type, enabled=False):
        return x @ y.mT


def combine_sums(xx, yy, xy, m, n, unbiased):
    """Squared MMD from sums of the kernel over all pairs within x, within y, between.

    A row has kernel 1 with itself.
    """
    if unbiased:
        return (xx - m) / (m * (m - 1)) + (yy - n) / (n * (n - 1)) - 2 * xy / (m * n)
    return xx / m**2 + yy / n**2 - 2 * xy / (m * n)
