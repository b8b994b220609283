"""Tables of the mixture of networks (Banijamali, Ghodsi and Poupart 2017).

    python benchmarks/papers/mixture_of_networks.py --data-home DIR [--rows usps]

appends to ``benchmarks/results/mixture_of_networks.jsonl`` and skips what is there;
``python benchmarks/tables.py`` makes the tables of the documentation.
"""

import sys
from functools import partial
from pathlib import Path

import numpy as np
from sklearn.cluster import KMeans, MiniBatchKMeans, SpectralClustering

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from _papers import Row, Setting, load, run_rows
from _runs import baselines_and_spectral

from skdeepmix import MixtureOfNetworks
from skdeepmix.datasets import (
    fetch_coil20,
    fetch_isolet,
    fetch_mnist,
    fetch_reuters_r8,
    fetch_usps,
    make_moon_circle,
    make_two_circles,
    make_two_moons,
)
from skdeepmix.metrics import parzen_log_likelihood
from skdeepmix.networks import MLP

NAME = "mixture_of_networks"
SEEDS = (0, 1, 2, 3, 4)
# Batches, step 1 and networks are those of the paper.
PAPER = {"batch_size": 100}
TOY = {**PAPER, "n_clusters": 2, "n_latent": None, "networks": MLP((32, 128, 32))}
N_PARZEN = 10_000
N_VALIDATION = 5_000


def settings(n_clusters, seeds=SEEDS, **parameters):
    """The start of the paper, whose codes the baselines get, and the default start.

    Parameters
    ----------
    n_clusters : int
        Number of clusters.
    seeds : tuple of int
        Seeds of both.
    **parameters
        Others of the model.

    Returns
    -------
    settings : tuple of Setting
        Both.
    """
    shared = {**PAPER, "n_clusters": n_clusters, **parameters}
    k_means = KMeans(n_clusters, n_init=10)
    return (
        Setting(
            "k-means", {**shared, "init": k_means}, seeds, codes=baselines_and_spectral
        ),
        Setting("defaults", shared, seeds),
    )


def load_toy(make, data_home):
    """One of the sets in the plane.

    Parameters
    ----------
    make : callable
        Its maker.
    data_home : str or None
        Not needed.

    Returns
    -------
    X : ndarray of shape (n_samples, 2)
        Points.
    y : ndarray of shape (n_samples,)
        Curves.
    score_on : dict
        Nothing to score.
    """
    X, y = make(random_state=0)
    return X, y, {}


def parzen(model, train, test):
    """Parzen log-likelihood of the test images, by the protocol of the field.

    Parameters
    ----------
    model : MixtureOfNetworks
        Fitted.
    train : tuple of (X, y)
        Images that were fitted, with their classes.
    test : tuple of (X, y)
        5,000 images to choose the window by and the test images, with their classes.

    Returns
    -------
    results : dict of str to float
        `parzen`, its standard error and the window; and the same of as many training
        images and of as many centroids, which show what the measure favours.
    """
    X, _ = train
    X_validation, X_test = np.split(test[0], [N_VALIDATION])
    rng = np.random.RandomState(0)
    centroids = MiniBatchKMeans(N_PARZEN, n_init=1, init="random", random_state=0)
    sets = {
        "parzen": model.sample(N_PARZEN, random_state=0)[0],
        "parzen_images": X[rng.permutation(len(X))[:N_PARZEN]],
        "parzen_centroids": centroids.fit(X).cluster_centers_,
    }
    results = {}
    for name, samples in sets.items():
        found = parzen_log_likelihood(
            samples,
            X_test,
            X_validation=X_validation,
            bandwidths=np.linspace(0.1, 0.3, 21),
        )
        results[name] = found.mean
        results[f"{name}_error"] = found.standard_error
        results[f"{name}_window"] = found.bandwidth
    return results


def toy(make):
    """Row of a set in the plane.

    Parameters
    ----------
    make : callable
        Its maker.

    Returns
    -------
    row : Row
        With the start of the paper, the default one and spectral clustering.
    """
    spectral = SpectralClustering(2, affinity="nearest_neighbors")
    k_means = KMeans(2, n_init=10)
    return Row(
        partial(load_toy, make),
        (
            Setting("k-means", {**TOY, "init": k_means, "max_iter": 230}, SEEDS),
            Setting("defaults", TOY, SEEDS),
            Setting("spectral clustering", {**TOY, "init": spectral}, SEEDS),
        ),
        (),
        every=5,
    )


ROWS = {
    "two-moon": toy(make_two_moons),
    "moon-circle": toy(make_moon_circle),
    "two-circle": toy(make_two_circles),
    "usps": Row(
        partial(load, fetch_usps), settings(10, likelihood="bernoulli"), (), every=15
    ),
    "coil20": Row(
        partial(load, fetch_coil20, scale=1 / 255),
        settings(20, likelihood="bernoulli"),
        (),
        every=15,
    ),
    "isolet": Row(partial(load, fetch_isolet), settings(26), (), every=15),
    "reuters": Row(partial(load, fetch_reuters_r8), settings(8), (), every=15),
    "mnist": Row(
        partial(load, fetch_mnist, scale=1 / 255),
        settings(
            10,
            (0, 1),
            likelihood="bernoulli",
            precision="bfloat16",
            max_iter=60,
        ),
        (),
        every=9,
        n_train=60_000 - N_VALIDATION,
        extra=parzen,
    ),
}


def main(argv=None):
    """Run the rows that the command line names.

    Parameters
    ----------
    argv : list of str or None, default=None
        Arguments; None takes those of the process.
    """
    run_rows(__doc__, NAME, ROWS, MixtureOfNetworks, argv)


if __name__ == "__main__":
    main()
