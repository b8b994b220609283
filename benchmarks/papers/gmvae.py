"""Clustering tables of the Gaussian mixture VAE (Dilokthanakul et al. 2016).

    python benchmarks/papers/gmvae.py --data-home DIR [--rows mnist,digits,arcs]

appends to ``benchmarks/results/gmvae.jsonl`` and skips what is there;
``python benchmarks/tables.py`` makes the tables of the documentation.
"""

import sys
from pathlib import Path

import numpy as np
from sklearn.cluster import KMeans

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from _papers import (
    Inputs,
    Row,
    Setting,
    as_is,
    load_embedded_digits,
    pca_50,
    run_rows,
)
from _runs import baselines

from skdeepmix import GaussianMixtureVAE
from skdeepmix.datasets import fetch_mnist, make_arcs
from skdeepmix.networks import MLP

NAME = "gmvae"
# Networks and sizes of the synthetic data in Appendix A of the paper.
ARCS = {
    "n_clusters": 5,
    "n_latent": 2,
    "encoder": MLP((120, 120)),
    "init": "random",
    "beta": 1.0,
    "max_iter": 150,
    "batch_size": 200,
    "n_iter_no_change": 150,
}
MNIST = {
    "n_clusters": 10,
    "likelihood": "bernoulli",
    "max_iter": 40,
    "precision": "bfloat16",
}
# The objective of the paper; from the random start also its method, but for the step
# size, which falls.
PAPER = {**MNIST, "init": "k-means++", "beta": 1.0, "max_iter": 60}
RANDOM = {**MNIST, "init": "random", "beta": 1.0}


def load_mnist(data_home):
    """All 70,000 images in [0, 1]; the score is of the test images, which are fitted.

    Parameters
    ----------
    data_home : str or None
        Folder with the data.

    Returns
    -------
    X : ndarray of shape (70000, 784), float32
        Pixels.
    y : ndarray of shape (70000,)
        Digits.
    score_on : dict
        Rows to score.
    """
    mnist = fetch_mnist(data_home=data_home)
    X = mnist.data.astype(np.float32) / 255
    return X, mnist.target, {"score": X[mnist.split == 1]}


def load_arcs(data_home):
    """Five arcs in the plane, and as many new points to score.

    Parameters
    ----------
    data_home : str or None
        Not needed.

    Returns
    -------
    X : ndarray of shape (10000, 2)
        Points.
    y : ndarray of shape (10000,)
        Arcs.
    score_on : dict
        Rows to score.
    """
    X, y = make_arcs(10000, n_arcs=5, random_state=0)
    X_val, _ = make_arcs(10000, n_arcs=5, random_state=1)
    return X, y, {"score": X, "score_val": X_val}


ROWS = {
    "mnist": Row(
        load_mnist,
        (
            Setting("neighbors, 40 epochs", MNIST, (0, 1, 2)),
            Setting("k-means++, M = 1", PAPER, (0, 1, 2), codes=baselines),
            Setting(
                "k-means++, M = 10, 40 epochs",
                {**PAPER, "n_monte_carlo": 10, "max_iter": 40},
                (0,),
            ),
            Setting("KMeans, M = 1", {**PAPER, "init": KMeans(10, n_init=10)}, (0,)),
            Setting("random, 40 epochs", RANDOM, (0, 1, 2)),
        ),
        (
            Inputs("pixels", as_is),
            Inputs("50 principal components", pca_50),
        ),
        baseline_seeds=(0,),
        # A point takes about as long as a tenth of an epoch, all rows are predicted.
        every=4,
    ),
    "mnist-train": Row(
        load_mnist,
        tuple(
            Setting(
                f"neighbors, K = {n_clusters}",
                {**MNIST, "n_clusters": n_clusters, "max_iter": 30},
                (0, 1),
            )
            for n_clusters in (16, 30)
        ),
        (),
        every=5,
        n_train=60_000,
    ),
    "digits": Row(
        load_embedded_digits,
        (Setting("defaults", {"n_clusters": 10}, (0, 1, 2, 3, 4)),),
        (Inputs("pixels", as_is),),
    ),
    "arcs": Row(
        load_arcs,
        (
            Setting("random, no constraint", ARCS, (0, 1, 2, 3, 4)),
            Setting(
                "random, information constraint",
                {**ARCS, "min_information": 1.0},
                (0, 1, 2, 3, 4),
            ),
        ),
        (Inputs("points", as_is),),
        every=10,
        scored=True,
    ),
}


def main(argv=None):
    """Run the rows that the command line names.

    Parameters
    ----------
    argv : list of str or None, default=None
        Arguments; None takes those of the process.
    """
    run_rows(__doc__, NAME, ROWS, GaussianMixtureVAE, argv)


if __name__ == "__main__":
    main()
