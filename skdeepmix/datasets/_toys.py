"""Curved clusters in the plane, which k-means cannot tell apart."""

import math
from numbers import Integral, Real
from typing import NamedTuple

import numpy as np
from sklearn.utils import check_random_state, check_scalar


class Arc(NamedTuple):
    """Arc of a circle from one angle to another."""

    x: float
    y: float
    radius: float
    first: float = 0.0
    last: float = 2 * math.pi


# The half circles of sklearn.datasets.make_moons, three radii wide, on [0.1, 0.9].
MOON_RADIUS = 0.8 / 3
TWO_MOONS = [
    Arc(0.1 + MOON_RADIUS, 0.5 - MOON_RADIUS / 4, MOON_RADIUS, 0, math.pi),
    Arc(0.9 - MOON_RADIUS, 0.5 + MOON_RADIUS / 4, MOON_RADIUS, math.pi, 2 * math.pi),
]
MOON_CIRCLE = [Arc(0.5, 0.36, 0.4, 0, math.pi), Arc(0.5, 0.36, 0.15)]
TWO_CIRCLES = [Arc(0.5, 0.5, 0.4), Arc(0.5, 0.5, 0.2)]
# Unit circles through the origin: arcs leave a hole of radius 2 sin(pi / 10) = 0.62 in
# the middle and end at distance 2.
PINWHEEL_ANGLE = 0.8 * math.pi


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
    check_scalar(n_arcs, "n_arcs", Integral, min_val=1)
    turns = 2 * math.pi * np.arange(n_arcs) / n_arcs
    # From the outer end to the inner.
    arcs = [
        Arc(math.cos(turn), math.sin(turn), 1.0, turn + PINWHEEL_ANGLE, turn)
        for turn in turns
    ]
    return _draw(arcs, range(n_arcs), n_samples, noise, random_state)


def make_two_moons(n_samples=4000, *, noise=0.015, random_state=None):
    r"""Make two interleaving half circles in the unit square.

    Stands in for the two-moon set of Section 4.1.1 and Figure 1 of [1]_, 4,000 points
    in the unit square, whose geometry is not printed. Here it is that of
    :func:`sklearn.datasets.make_moons`: half circles of radius :math:`r = 4/15`, one
    shifted against the other by r to the right and r / 2 up, and thus 0.13 apart.

    Parameters
    ----------
    n_samples : int, default=4000
        Number of points, at least 1, half of them on either moon; of an odd number
        the upper moon has one more.
    noise : float, default=0.015
        Standard deviation of the Gaussian noise in each coordinate, at least 0, in
        sides of the square.
    random_state : int, RandomState instance or None, default=None
        Source of the positions on the moons, the noise and the order of the rows.
        None draws from NumPy's global state.

    Returns
    -------
    X : ndarray of shape (n_samples, 2), float64
        The points in [0, 1], in random order.
    y : ndarray of shape (n_samples,), int64
        0 for the upper moon, 1 for the lower.

    Raises
    ------
    TypeError
        If `n_samples` is not an integer, or `noise` not a number.
    ValueError
        If `n_samples` is below 1, or `noise` negative or not finite.

    See Also
    --------
    make_moon_circle : A circle within a moon.
    make_two_circles : A circle within a circle.
    sklearn.datasets.make_moons : Evenly spaced points, in other units.

    Notes
    -----
    The geometry is fixed, so that no row depends on another. Without noise points
    keep 0.1 away from the border of the square. Coordinates that noise would carry
    beyond are put on the border; by default they are 6.7 standard deviations off it.

    References
    ----------
    .. [1] E. Banijamali, A. Ghodsi and P. Poupart. "Generative Mixture of Networks".
           IJCNN, 2017.

    Examples
    --------
    >>> from skdeepmix.datasets import make_two_moons
    >>> X, y = make_two_moons(random_state=0)
    >>> X.shape
    (4000, 2)
    >>> (y == 0).sum(), (y == 1).sum()
    (np.int64(2000), np.int64(2000))
    """
    return _draw_in_square(TWO_MOONS, [0, 1], n_samples, noise, random_state)


def make_moon_circle(n_samples=4000, *, noise=0.015, random_state=None):
    r"""Make a half circle with a circle between its horns, in the unit square.

    Stands in for the moon-circle set of Section 4.1.1 and Figure 1 of [1]_, 4,000
    points in the unit square, whose geometry is not printed. Here the moon is the
    upper half of a circle of radius 0.4, and the circle has the same centre and
    radius 0.15: they are 0.25 apart.

    Parameters
    ----------
    n_samples : int, default=4000
        Number of points, at least 1, half of them on moon and circle each; of an odd
        number the moon has one more.
    noise : float, default=0.015
        Standard deviation of the Gaussian noise in each coordinate, at least 0, in
        sides of the square.
    random_state : int, RandomState instance or None, default=None
        Source of the positions on the curves, the noise and the order of the rows.
        None draws from NumPy's global state.

    Returns
    -------
    X : ndarray of shape (n_samples, 2), float64
        The points in [0, 1], in random order.
    y : ndarray of shape (n_samples,), int64
        0 for the moon, 1 for the circle.

    Raises
    ------
    TypeError
        If `n_samples` is not an integer, or `noise` not a number.
    ValueError
        If `n_samples` is below 1, or `noise` negative or not finite.

    See Also
    --------
    make_two_moons : Two interleaving moons.
    make_two_circles : A circle within a circle.

    Notes
    -----
    The geometry is fixed, so that no row depends on another. Without noise points
    keep 0.1 away from the border of the square. Coordinates that noise would carry
    beyond are put on the border; by default they are 6.7 standard deviations off it.

    References
    ----------
    .. [1] E. Banijamali, A. Ghodsi and P. Poupart. "Generative Mixture of Networks".
           IJCNN, 2017.

    Examples
    --------
    >>> from skdeepmix.datasets import make_moon_circle
    >>> X, y = make_moon_circle(random_state=0)
    >>> X.shape
    (4000, 2)
    >>> (y == 0).sum(), (y == 1).sum()
    (np.int64(2000), np.int64(2000))
    """
    return _draw_in_square(MOON_CIRCLE, [0, 1], n_samples, noise, random_state)


def make_two_circles(n_samples=4500, *, noise=0.015, random_state=None):
    r"""Make a circle within a circle, equally dense, in the unit square.

    Stands in for the two-circle set of Section 4.1.1 and Figure 1 of [1]_, 4,500
    points in the unit square, whose geometry is not printed. Here the circles have
    one centre and the radii 0.4 and 0.2; the outer one has twice as many points.

    Parameters
    ----------
    n_samples : int, default=4500
        Number of points, at least 1, a third of them, rounded down, on the inner
        circle.
    noise : float, default=0.015
        Standard deviation of the Gaussian noise in each coordinate, at least 0, in
        sides of the square.
    random_state : int, RandomState instance or None, default=None
        Source of the positions on the circles, the noise and the order of the rows.
        None draws from NumPy's global state.

    Returns
    -------
    X : ndarray of shape (n_samples, 2), float64
        The points in [0, 1], in random order.
    y : ndarray of shape (n_samples,), int64
        0 for the outer circle, 1 for the inner.

    Raises
    ------
    TypeError
        If `n_samples` is not an integer, or `noise` not a number.
    ValueError
        If `n_samples` is below 1, or `noise` negative or not finite.

    See Also
    --------
    make_two_moons : Two interleaving moons.
    make_moon_circle : A circle within a moon.
    sklearn.datasets.make_circles : Evenly spaced points, in other units.

    Notes
    -----
    The geometry is fixed, so that no row depends on another. Without noise points
    keep 0.1 away from the border of the square. Coordinates that noise would carry
    beyond are put on the border; by default they are 6.7 standard deviations off it.

    References
    ----------
    .. [1] E. Banijamali, A. Ghodsi and P. Poupart. "Generative Mixture of Networks".
           IJCNN, 2017.

    Examples
    --------
    >>> from skdeepmix.datasets import make_two_circles
    >>> X, y = make_two_circles(random_state=0)
    >>> X.shape
    (4500, 2)
    >>> (y == 0).sum(), (y == 1).sum()
    (np.int64(3000), np.int64(1500))
    """
    return _draw_in_square(TWO_CIRCLES, [0, 0, 1], n_samples, noise, random_state)


def _draw(arcs, pattern, n_samples, noise, random_state):
    """Draw points around arcs, whose shares of the rows are those in a pattern."""
    check_scalar(n_samples, "n_samples", Integral, min_val=1)
    check_scalar(noise, "noise", Real)
    if not 0 <= noise < math.inf:
        raise ValueError(f"Expected a finite noise >= 0 but got noise = {noise}.")
    rng = check_random_state(random_state)
    y = rng.permutation(np.resize(np.array(pattern, dtype=np.int64), n_samples))
    arc = Arc(*np.array(arcs)[y].T)
    t = rng.uniform(arc.first, arc.last)
    curve = np.column_stack(
        [arc.x + arc.radius * np.cos(t), arc.y + arc.radius * np.sin(t)]
    )
    return curve + rng.normal(scale=noise, size=curve.shape), y


def _draw_in_square(*args):
    """Draw points around arcs and put those that noise carries away on the border."""
    X, y = _draw(*args)
    return np.clip(X, 0, 1), y
