"""Synthetic data made of arcs of circles."""

import math
from numbers import Integral, Real

import numpy as np
from sklearn.utils import check_random_state, check_scalar

# Angles on a unit circle through the origin, counted from the origin: the arc leaves
# a hole of radius 2 sin(pi / 10) = 0.62 in the middle and ends at distance 2.
FIRST_ANGLE, LAST_ANGLE = 0.2 * math.pi, math.pi


def make_arcs(n_samples=10000, *, n_arcs=5, noise=0.05, random_state=None):
    r"""Make a pinwheel of separated arcs of circles in the plane.

    Stands in for the synthetic set of Section 4.1 and Figure 2 (a) of [1]_, 10,000
    points from "the arcs of 5 circles", after [2]_; neither paper prints its
    geometry. Here the arcs are copies, turned by :math:`2 \pi j / J`, of

    .. math:: (1 - \cos t, \sin t), \quad t \sim U(\pi / 5, \pi),

    144 degrees of a unit circle that passes through the origin, plus isotropic
    Gaussian noise. With the default noise the five arcs do not touch, yet none is
    near a Gaussian, and k-means mixes them.

    Parameters
    ----------
    n_samples : int, default=10000
        Number of points, at least 1, shared out as evenly as possible: the first
        `n_samples % n_arcs` arcs get one more.
    n_arcs : int, default=5
        Number of arcs J, at least 1. The inner ends of neighbours are
        :math:`1.24 \sin(\pi / J)` apart: 0.73 for five.
    noise : float, default=0.05
        Standard deviation of the noise in each coordinate, at least 0; the circles
        have radius 1.
    random_state : int, RandomState instance or None, default=None
        Source of the positions on the arcs, the noise and the order of the rows.
        None draws from NumPy's global state.

    Returns
    -------
    X : ndarray of shape (n_samples, 2), float64
        The points, in random order; without noise their distance from the origin is
        in [0.61, 2].
    y : ndarray of shape (n_samples,), int64
        The arc of each point, in [0, n_arcs), counter-clockwise.

    Raises
    ------
    TypeError
        If `n_samples` or `n_arcs` is not an integer, or `noise` not a number.
    ValueError
        If `n_samples` or `n_arcs` is below 1, or `noise` negative or not finite.

    See Also
    --------
    sklearn.datasets.make_moons : Two interleaving half circles.

    References
    ----------
    .. [1] N. Dilokthanakul et al. "Deep Unsupervised Clustering with Gaussian
           Mixture Variational Autoencoders". arXiv:1611.02648, 2016.
    .. [2] M. J. Johnson, D. Duvenaud, A. B. Wiltschko, S. R. Datta and R. P. Adams.
           "Composing Graphical Models with Neural Networks for Structured
           Representations and Fast Inference". NIPS 29, 2016.

    Examples
    --------
    >>> from skdeepmix.datasets import make_arcs
    >>> X, y = make_arcs(n_samples=1000, random_state=0)
    >>> X.shape
    (1000, 2)
    >>> sorted(set(y.tolist()))
    [0, 1, 2, 3, 4]
    """
    check_scalar(n_samples, "n_samples", Integral, min_val=1)
    check_scalar(n_arcs, "n_arcs", Integral, min_val=1)
    check_scalar(noise, "noise", Real)
    if not 0 <= noise < math.inf:
        raise ValueError(f"Expected a finite noise >= 0 but got noise = {noise}.")
    rng = check_random_state(random_state)
    y = rng.permutation(np.arange(n_samples, dtype=np.int64) % n_arcs)
    t = rng.uniform(FIRST_ANGLE, LAST_ANGLE, size=n_samples)
    X = _turn(1 - np.cos(t), np.sin(t), 2 * np.pi * y / n_arcs)
    return X + rng.normal(scale=noise, size=X.shape), y


def _turn(first, second, angle):
    """Rotate points (first, second) counter-clockwise about the origin."""
    cos, sin = np.cos(angle), np.sin(angle)
    return np.column_stack([cos * first - sin * second, sin * first + cos * second])
