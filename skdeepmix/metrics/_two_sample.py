"""Scores of samples against held-out rows."""

import warnings
from itertools import product

import numpy as np
import torch
from sklearn.metrics import pairwise_distances_argmin_min
from sklearn.utils import Bunch, check_array

from skdeepmix.distributions import parzen_log_prob
from skdeepmix.losses import median_distance
from skdeepmix.losses._mmd import combine_sums, mean_kernel

BLOCK_ROWS = 512
GRID_ROWS = 1000
GRID_SIZE = 30
# Of the median distance between rows.
MMD_BANDWIDTHS = np.sqrt([1 / 8, 1 / 4, 1 / 2, 1, 2])


def parzen_log_likelihood(samples, X, *, X_validation, bandwidths=None):
    r"""Log-likelihood of rows under Gaussian Parzen windows around samples.

    .. math:: \log p(x) = \log \frac1S \sum_{r=1}^S N(x; y_r, h^2 I)

    A likelihood for models that can be sampled but have no density of their own
    [1]_, [2]_: the samples are drawn, 10,000 as a rule; the bandwidth h with the
    largest mean on validation rows is taken; the mean over the test rows and its
    standard error are reported.

    Parameters
    ----------
    samples : array-like of shape (n_samples, n_features)
        Draws of the model.
    X : array-like of shape (n_rows, n_features)
        Test rows.
    X_validation : array-like of shape (n_validation, n_features)
        Rows that choose the bandwidth. They should be neither test rows nor rows from
        which the samples were made.
    bandwidths : float, array-like of shape (n_bandwidths,) or None, default=None
        Standard deviations of the windows to choose from, above 0, in the unit of the
        features. None makes 30 of them in geometric steps, in proportion to the unit:
        from half of the median distance of validation rows to their nearest sample to
        twice the larger of that distance and the median distance between validation
        rows, each per root of n_features (the first is at least a thousandth of the
        last).

    Returns
    -------
    result : :class:`~sklearn.utils.Bunch`
        With the attributes

        mean : float
            Mean log-likelihood of the test rows, in nats; higher is better.
        standard_error : float
            Standard deviation over the test rows by the root of their number.
        bandwidth : float
            The bandwidth chosen.
        bandwidths : ndarray of shape (n_bandwidths,)
            Those tried, in ascending order.
        validation_scores : ndarray of shape (n_bandwidths,)
            Mean log-likelihood of the validation rows under each.

    Raises
    ------
    ValueError
        If an array is no non-empty, finite 2-D array, if the numbers of features
        differ, if a bandwidth is not above 0, or if `bandwidths` is None and all
        validation rows coincide with samples and with one another.

    Warns
    -----
    UserWarning
        If the bandwidth chosen is the first or the last of several.

    See Also
    --------
    mmd_score : A distance, of bounded range, that needs no validation rows.

    Notes
    -----
    In many dimensions the measure favours samples without noise or detail: centroids
    of k-means score above the training rows themselves [3]_. It depends on the number
    of samples and on the unit of the features: to divide all features by s adds
    :math:`d \log s`. Compare at the same of both, as on pixels in [0, 1].

    Time is linear in the number of pairs of rows and samples. They are taken in tiles
    of fixed size.

    References
    ----------
    .. [1] I. Goodfellow et al. "Generative Adversarial Nets". NIPS 27, 2014.
    .. [2] Y. Li, K. Swersky and R. Zemel. "Generative Moment Matching Networks". ICML
           2015.
    .. [3] L. Theis, A. van den Oord and M. Bethge. "A note on the evaluation of
           generative models". ICLR 2016, Table 1.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepmix.metrics import parzen_log_likelihood
    >>> X, X_validation, good = np.random.default_rng(0).normal(size=(3, 500, 2))
    >>> result = parzen_log_likelihood(good, X, X_validation=X_validation)
    >>> round(result.mean, 2), round(result.standard_error, 2)
    (-2.81, 0.04)
    >>> poor = parzen_log_likelihood(good + 2, X, X_validation=X_validation)
    >>> round(poor.mean, 1)
    -4.4
    """
    samples = _check_rows(samples, "samples")
    X = _check_rows(X, "X", like=samples)
    X_validation = _check_rows(X_validation, "X_validation", like=samples)
    if bandwidths is None:
        bandwidths = _parzen_bandwidths(samples, X_validation)
    bandwidths = np.sort(_check_bandwidths(bandwidths))
    log_probs = parzen_log_prob(X_validation, samples, torch.from_numpy(bandwidths))
    validation_scores = log_probs.mean(0).numpy()
    best = int(validation_scores.argmax())
    if len(bandwidths) > 1 and best in (0, len(bandwidths) - 1):
        _warn_of_end(bandwidths, best)
    log_prob = parzen_log_prob(X, samples, bandwidths[best]).numpy()
    return Bunch(
        mean=float(log_prob.mean()),
        standard_error=float(log_prob.std() / np.sqrt(len(log_prob))),
        bandwidth=float(bandwidths[best]),
        bandwidths=bandwidths,
        validation_scores=validation_scores,
    )


def mmd_score(X, Y, *, bandwidths=None, unbiased=True):
    r"""Squared maximum mean discrepancy between two sets of rows.

    .. math:: \widehat{\mathrm{MMD}}^2 = \frac{1}{m(m-1)} \sum_{i \ne j} k(x_i, x_j)
        + \frac{1}{n(n-1)} \sum_{i \ne j} k(y_i, y_j)
        - \frac{2}{mn} \sum_{i,j} k(x_i, y_j)

    with the mean k of Gaussian kernels of several bandwidths (Lemma 6 of [1]_). It is
    small where both are draws of one distribution.

    Parameters
    ----------
    X : array-like of shape (n_rows_x, n_features)
        One set, such as held-out rows.
    Y : array-like of shape (n_rows_y, n_features)
        The other, such as samples of a model.
    bandwidths : float, array-like of shape (n_bandwidths,) or None, default=None
        Standard deviations of the kernels, above 0, in the unit of the features. None
        takes the median distance between (at most 1000 of) the rows of both sets
        times the roots of 1/8, 1/4, 1/2, 1 and 2.
    unbiased : bool, default=True
        Whether to leave out the pairs of a row with itself.

    Returns
    -------
    score : float
        Dimensionless, at most 2; lower is more alike. The unbiased score is 0 on
        average for sets from one distribution, and hence often *negative*; the biased
        one is at least 0 and falls with the number of rows.

    Raises
    ------
    ValueError
        If a set is no non-empty, finite 2-D array, has a single row though the score
        is unbiased, if the numbers of features differ, or if a bandwidth is not
        above 0.

    See Also
    --------
    parzen_log_likelihood : Punishes missing modes harder.

    Notes
    -----
    With default bandwidths the score does not depend on the unit of the features. To
    compare several models give all of them the bandwidths of one.

    Time is linear in the number of pairs of rows. They are taken in blocks of fixed
    size.

    References
    ----------
    .. [1] A. Gretton et al. "A Kernel Two-Sample Test". Journal of Machine Learning
           Research 13, 2012.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepmix.metrics import mmd_score
    >>> X, Y = np.random.default_rng(2).normal(size=(2, 500, 2))
    >>> round(mmd_score(X, Y), 3), round(mmd_score(X, Y + 2), 3)
    (-0.0, 0.518)
    """
    min_rows = 2 if unbiased else 1
    X = _check_rows(X, "X", min_rows=min_rows)
    Y = _check_rows(Y, "Y", like=X, min_rows=min_rows)
    if bandwidths is None:
        # The unit is of no account where all rows are equal.
        bandwidths = MMD_BANDWIDTHS * (median_distance(torch.cat([X, Y])) or 1.0)
    bandwidths = _check_bandwidths(bandwidths)
    shift = X.mean(0)
    X, Y = X - shift, Y - shift
    sums = [_kernel_sum(A, B, bandwidths) for A, B in [(X, X), (Y, Y), (X, Y)]]
    score = combine_sums(*sums, len(X), len(Y), unbiased)
    return score if unbiased else max(score, 0.0)


def frechet_distance(X, Y):
    r"""Squared Fréchet distance of the Gaussians with the moments of two samples.

    .. math:: \|m_X - m_Y\|^2 + \operatorname{tr} \left[ C_X + C_Y
        - 2 (C_X^{1/2} C_Y C_X^{1/2})^{1/2} \right]

    With the features of an Inception network this is the "FID" of [1]_; the features
    are up to the caller, for example the codes of an
    :class:`~skdeepmix.Autoencoder` that was fitted to real rows.

    Parameters
    ----------
    X : array-like of shape (n_samples_X, n_features)
        Rows of the one sample, two at least.
    Y : array-like of shape (n_samples_Y, n_features)
        Rows of the other.

    Returns
    -------
    distance : float
        In squared units of the features, at least 0; 0 if means and covariances
        agree. Samples of the same distribution have a positive one, which falls with
        their sizes: compare samples of the same sizes alone.

    Raises
    ------
    ValueError
        If the sets differ in their numbers of features, or hold a single row.

    See Also
    --------
    mmd_score : Sees more than two moments.

    Notes
    -----
    Time grows with the third power of the number of features.

    References
    ----------
    .. [1] M. Heusel, H. Ramsauer, T. Unterthiner, B. Nessler and S. Hochreiter. "GANs
           Trained by a Two Time-Scale Update Rule Converge to a Local Nash
           Equilibrium". NIPS 2017, arXiv:1706.08500.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepmix.metrics import frechet_distance
    >>> X = np.random.default_rng(0).normal(size=(500, 2))
    >>> round(frechet_distance(X, X + 2), 3)
    8.0
    """
    X = _check_rows(X, "X", min_rows=2)
    Y = _check_rows(Y, "Y", like=X, min_rows=2)
    # The matrix under the root is similar to a positive semi-definite one; its
    # eigenvalues are found of that, since the product itself is not symmetric.
    values, vectors = torch.linalg.eigh(_covariance(X))
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    products = torch.linalg.eigvalsh(root @ _covariance(Y) @ root).clamp(min=0)
    traces = X.var(0).sum() + Y.var(0).sum() - 2 * products.sqrt().sum()
    distance = (X.mean(0) - Y.mean(0)).square().sum() + traces
    return max(float(distance), 0.0)


def _covariance(X):
    return torch.cov(X.T).reshape(X.shape[1], X.shape[1])


def _kernel_sum(X, Y, bandwidths):
    blocks = product(X.split(BLOCK_ROWS), Y.split(BLOCK_ROWS))
    return sum(float(mean_kernel(x, y, bandwidths).sum()) for x, y in blocks)


def _parzen_bandwidths(samples, rows):
    """Geometric grid between the scales of neighbours and of the whole."""
    generator = torch.Generator().manual_seed(0)
    order = torch.randperm(len(rows), generator=generator, device="cpu")
    rows = rows[order[:GRID_ROWS]]
    # About the mean, since an offset would cost these distances their precision.
    center = samples.mean(0)
    distances = pairwise_distances_argmin_min(rows - center, samples - center)[1]
    nearest = float(np.median(distances))
    # Samples far from all rows have the larger distance.
    longest = 2 * max(median_distance(rows), nearest)
    if longest == 0:
        raise ValueError(
            "Expected rows of X_validation that differ but got one point, which is "
            "also a sample. Give the 'bandwidths' to choose from."
        )
    shortest = max(nearest / 2, longest / 1000)
    return np.geomspace(shortest, longest, GRID_SIZE) / np.sqrt(rows.shape[1])


def _warn_of_end(bandwidths, best):
    end, remedy = ("largest", "larger") if best else ("smallest", "smaller")
    warnings.warn(
        f"The {end} of {len(bandwidths)} bandwidths, {bandwidths[best]:.3g}, has the "
        f"highest mean log-likelihood of X_validation. Give {remedy} 'bandwidths'.",
        UserWarning,
        stacklevel=3,
    )


def _check_rows(rows, name, like=None, min_rows=1):
    rows = check_array(
        rows, dtype=np.float64, ensure_min_samples=min_rows, input_name=name
    )
    if like is not None and rows.shape[1] != like.shape[1]:
        raise ValueError(
            f"Expected as many features in both sets but {name} has {rows.shape[1]} "
            f"and the other {like.shape[1]}. Pass rows of the same features."
        )
    return torch.tensor(rows, device="cpu")


def _check_bandwidths(bandwidths):
    bandwidths = check_array(
        np.atleast_1d(bandwidths),
        ensure_2d=False,
        dtype=np.float64,
        input_name="bandwidths",
    )
    if bandwidths.ndim != 1:
        raise ValueError(
            f"Expected bandwidths of shape (n_bandwidths,) but got {bandwidths.shape}. "
            "Pass a number or a list of numbers."
        )
    if bandwidths.min() <= 0:
        raise ValueError(
            f"Expected bandwidths > 0 but got a smallest one of {bandwidths.min():.3g}."
            " Pass standard deviations in the unit of the features."
        )
    return bandwidths
