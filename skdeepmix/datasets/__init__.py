"""Data sets of the papers in raw units, and synthetic ones."""

from skdeepmix.datasets._fetchers import (
    fetch_coil20,
    fetch_isolet,
    fetch_mnist,
    fetch_omniglot,
    fetch_optdigits,
    fetch_pendigits,
    fetch_reuters_r8,
    fetch_usps,
    fetch_yaleb,
)
from skdeepmix.datasets._toys import (
    make_arcs,
    make_moon_circle,
    make_two_circles,
    make_two_moons,
)

__all__ = [
    "fetch_coil20",
    "fetch_isolet",
    "fetch_mnist",
    "fetch_omniglot",
    "fetch_optdigits",
    "fetch_pendigits",
    "fetch_reuters_r8",
    "fetch_usps",
    "fetch_yaleb",
    "make_arcs",
    "make_moon_circle",
    "make_two_circles",
    "make_two_moons",
]
