"""Pairs of curved clusters in the unit square, which k-means cannot tell apart."""

import math
from numbers import Integral, Real
from typing import NamedTuple

import numpy as np
from sklearn.utils import check_random_state, check_scalar


class Arc(NamedTuple):
    """Arc of a circle, counter-clockwise; lengths in sides of the square."""

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
    return _draw(TWO_MOONS, [0, 1], n_samples, noise, random_state)


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
    return _draw(MOON_CIRCLE, [0, 1], n_samples, noise, random_state)


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
    return _draw(TWO_CIRCLES, [0, 0, 1], n_samples, noise, random_state)


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
    return np.clip(curve + rng.normal(scale=noise, size=curve.shape), 0, 1), y
