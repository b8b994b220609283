"""Data sets of the papers in raw units, and synthetic ones."""

from skdeepmix.datasets._arcs import make_arcs
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
]
