"""Hilbert-Schmidt independence criteria of two or more sets of variables."""

import math

import torch

from skdeepmix.losses._mmd import LOG2_E, full_dots


def dhsic(z, bandwidths=None):
    r"""Joint dependence of variables: the criterion dHSIC under Gaussian kernels.

    .. math:: \widehat{\mathrm{dHSIC}} =
        \frac{1}{n^2} \sum_{a,b} \prod_{j=1}^K k_j(a, b)
        + \prod_{j=1}^K \frac{1}{n^2} \sum_{a,b} k_j(a, b)
        - \frac2n \sum_a \prod_{j=1}^K \frac1n \sum_b k_j(a, b), \quad
        k_j(a, b) = \exp\frac{-\|z^j_a - z^j_b\|^2}{2 g_j^2}

    (Section 4 of [1]_; Eq. 13 of [2]_). It estimates the squared distance, in the space
    of the kernels, between the joint distribution of the variables and the product of
    their marginals: 0 if and only if all K are jointly independent.

    Parameters
    ----------
    z : torch.Tensor of shape (n_variables, n_rows, n_dims) or sequence of torch.Tensor
        K variables, each a set of rows. Those in a sequence have shape
        (n_rows, n_dims) with a number of dimensions of their own. Row a of each belongs
        to row a of all others.
    bandwidths : None, float or sequence of float, default=None
        Standard deviations :math:`g_j > 0` of the kernels, in the unit of the rows: one
        for all variables or one for each. None is the mean distance of two standard
        normal rows, :math:`2 \Gamma((d + 1) / 2) / \Gamma(d / 2)` in d dimensions.

    Returns
    -------
    dhsic : torch.Tensor of shape ()
        Dimensionless, in [0, 2) but for rounding, and 0 for one variable. It is a
        V-statistic, biased upwards: of independent variables of order 1 / n_rows. Half
        precision is computed, and returned, in float32.

    Raises
    ------
    ValueError
        If the variables differ in their numbers of rows or have other than two axes,
        or if there are several bandwidths, but not as many as variables.

    See Also
    --------
    hsic : The same of two variables.

    Notes
    -----
    Time and memory grow with :math:`K n^2`. Neither a distance nor the value is
    rooted, so that gradients stay finite where rows coincide and where the value is 0.
    Distances are taken about the mean of each variable: an offset costs no precision.

    References
    ----------
    .. [1] N. Pfister et al. "Kernel-based Tests for Joint Independence". Journal of the
           Royal Statistical Society B 80(1), 2018.
    .. [2] F. Ye and A. G. Bors. "Mixtures of Variational Autoencoders". IPTA 2020.

    Examples
    --------
    >>> import torch
    >>> from skdeepmix.losses import dhsic
    >>> generator = torch.Generator().manual_seed(0)
    >>> z = torch.randn(3, 200, 2, generator=generator)
    >>> print(f"{dhsic(z):.2f}")
    0.00
    >>> print(f"{dhsic(torch.stack([z[0], z[1], z[0] + z[1]])):.2f}")
    0.03
    """
    stacks = as_stacks(z)
    pairs = zip(stacks, as_bandwidths(stacks, bandwidths), strict=True)
    exponents = torch.cat([log2_kernels(*pair) for pair in pairs])  # (K, n, n)
    joint = exponents.sum(0).exp2().mean(-1)  # (n,)
    single = exponents.exp2().mean(-1)  # (K, n)
    return joint.mean() + single.mean(-1).prod() - 2 * single.prod(0).mean()


def hsic(x, y, bandwidths=None):
    r"""Dependence of two variables: the criterion HSIC under Gaussian kernels.

    .. math:: \widehat{\mathrm{HSIC}} = \frac{1}{n^2} \operatorname{tr}(K H L H), \quad
        H = I - \tfrac1n \mathbf{1} \mathbf{1}^\top

    (Definition 2 of [1]_ with the divisor :math:`n^2` of the V-statistic), where K and
    L are the kernels between the rows of `x` and between those of `y`.

    Parameters
    ----------
    x : torch.Tensor of shape (n_rows, n_dims)
        Rows of one variable.
    y : torch.Tensor of shape (n_rows, n_other_dims)
        The rows of the other that belong to them.
    bandwidths : None, float or sequence of float, default=None
        Standard deviations of the two kernels, as in `dhsic`.

    Returns
    -------
    hsic : torch.Tensor of shape ()
        Dimensionless, in [0, 1) but for rounding.

    Raises
    ------
    ValueError
        If the variables differ in their numbers of rows or have other than two axes,
        or if there are several bandwidths, but not two.

    See Also
    --------
    dhsic : The same of any number of variables.

    References
    ----------
    .. [1] A. Gretton et al. "Measuring Statistical Dependence with Hilbert-Schmidt
           Norms". ALT 2005.
    """
    return dhsic((x, y), bandwidths)


def as_stacks(z):
    """Variables as stacks (n_variables, n_rows, n_dims), float32 at least."""
    given = [z] if isinstance(z, torch.Tensor) else z
    stacks = [v if v is z else v.unsqueeze(0) for v in given]
    if any(s.ndim != 3 for s in stacks) or len({s.shape[1] for s in stacks}) != 1:
        shapes = ", ".join(str(tuple(v.shape)) for v in given)
        raise ValueError(
            "Expected a tensor of shape (n_variables, n_rows, n_dims) or tensors of "
            "shape (n_rows, n_dims) with the same number of rows but got "
            f"{shapes or 'no tensor'}."
        )
    return [s.to(torch.promote_types(s.dtype, torch.float32)) for s in stacks]


def as_bandwidths(stacks, bandwidths):
    """What to divide each stack of variables by."""
    if bandwidths is None:
        return [mean_normal_distance(s.shape[-1]) for s in stacks]
    bandwidths = torch.as_tensor(bandwidths, dtype=torch.float64, device="cpu")
    if bandwidths.ndim == 0:
        return [bandwidths] * len(stacks)
    sizes = [len(s) for s in stacks]
    if bandwidths.shape != (sum(sizes),):
        raise ValueError(
            "Expected one bandwidth for all variables or one for each but got "
            f"n_variables = {sum(sizes)}, bandwidths of shape "
            f"{tuple(bandwidths.shape)}."
        )
    return bandwidths.to(stacks[0]).reshape(-1, 1, 1).split(sizes)


def mean_normal_distance(n_dims):
    """Mean Euclidean distance of two standard normal rows."""
    # Gamma itself overflows from some 340 dimensions.
    return 2 * math.exp(math.lgamma((n_dims + 1) / 2) - math.lgamma(n_dims / 2))


def log2_kernels(z, bandwidth):
    """Logarithms to base 2 of the Gaussian kernels (K, n, n) of rows (K, n, d)."""
    z = (z - z.detach().mean(-2, keepdim=True)) / bandwidth
    squares = z.square().sum(-1)
    sums = squares.unsqueeze(-1) + squares.unsqueeze(-2)
    distances = torch.sub(sums, full_dots(z, z), alpha=2).clamp_min(0)
    return distances * (-0.5 * LOG2_E)
