"""Tables of the Gumbel-Softmax VAE (Arias Figueroa and Ramirez Rivera 2017).

    python benchmarks/papers/gumbel_softmax_vae.py --data-home DIR [--rows usps,mnist]

appends to ``benchmarks/results/gumbel_softmax_vae.jsonl`` and skips what is there;
``python benchmarks/tables.py`` makes the tables of the documentation.
"""

import sys
from functools import partial
from pathlib import Path

from sklearn.neighbors import KNeighborsClassifier
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from _papers import Inputs, Row, Setting, autoencoder_codes, load, run_rows
from starts import DATA

from skdeepmix import GumbelSoftmaxVAE
from skdeepmix._gumbel_softmax_vae import GumbelSoftmaxVAEModule
from skdeepmix.datasets import fetch_mnist, fetch_reuters_r8, fetch_usps
from skdeepmix.networks import MLP

NAME = "gumbel_softmax_vae"
N_TRAIN = 60_000
# Networks, sizes and method of the paper, but for the step size, which falls.
PAPER = {
    "n_latent": 100,
    "encoder": MLP((512, 256), normalization="batch"),
    "classifier": MLP((100, 50), normalization="batch"),
    "init": "random",
    "balance": 0.0,
    "max_iter": 300,
    "n_iter_no_change": 300,
    "batch_size": 300,
}
IMAGES = {"n_clusters": 10, "precision": "bfloat16"}


class XavierModule(GumbelSoftmaxVAEModule):
    """Weights as in later code of the authors: normal after Xavier, biases 0."""

    def __init__(self, *args, generator, **parameters):
        super().__init__(*args, generator=generator, **parameters)
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                nn.init.xavier_normal_(layer.weight, generator=generator)
                nn.init.zeros_(layer.bias)


class Xavier(GumbelSoftmaxVAE):
    """GumbelSoftmaxVAE that starts from such weights."""

    _module_class = XavierModule


def neighbor_errors(model, train, test):
    """Errors of nearest neighbours on the features of rows that were not fitted.

    Parameters
    ----------
    model : GumbelSoftmaxVAE
        Fitted, without classes.
    train : tuple of (X, y)
        Rows that were fitted, and the classes that their neighbours get.
    test : tuple of (X, y)
        Rows that were not.

    Returns
    -------
    errors : dict of str to float
        Fractions ``knn_3``, ``knn_5`` and ``knn_10``.
    """
    Z, Z_test = model.transform(train[0]), model.transform(test[0])
    return {
        f"knn_{k}": 1 - KNeighborsClassifier(k).fit(Z, train[1]).score(Z_test, test[1])
        for k in (3, 5, 10)
    }


def settings(shared, seeds, n_style=50, likelihood="gaussian", **of_default):
    """The default, the paper, without a weight on the style, and with other weights.

    Parameters
    ----------
    shared : dict
        Parameters of all.
    seeds : tuple of int
        Seeds of the default and of the paper.
    n_style : int
        Dimension of the style in the paper.
    likelihood : str
        That of the paper.
    **of_default
        Parameters of the default alone.

    Returns
    -------
    settings : tuple of Setting
        Four.
    """
    paper = {**PAPER, **shared, "n_style": n_style, "likelihood": likelihood}
    return (
        Setting("defaults", {**shared, **of_default}, seeds),
        Setting("random", paper, seeds),
        Setting("random, beta = 1", {**paper, "beta": 1.0, "max_iter": 100}, (0,)),
        Setting("Xavier, random", {**paper, "variant": Xavier, "max_iter": 100}, seeds),
    )


def everywhere(name):
    """Row of one more data set, to see that the default does not collapse.

    Parameters
    ----------
    name : str
        Of the data set in ``starts.py``.

    Returns
    -------
    row : Row
        Default parameters, one seed.
    """

    def load(data_home):
        return *DATA[name](data_home), {}

    shared = {"n_clusters": N_CLUSTERS[name], "precision": "bfloat16"}
    return Row(load, (Setting("defaults", shared, (0,)),), (), every=20)


# Data sets that the paper does not have, and their numbers of classes.
N_CLUSTERS = {
    "iris": 3,
    "wine": 3,
    "cancer": 2,
    "digits": 10,
    "optdigits": 10,
    "pendigits": 10,
    "coil20": 20,
    "isolet": 26,
    "yaleb": 38,
    "mnist10k": 10,
}
ROWS = {
    "mnist": Row(
        partial(load, fetch_mnist, scale=1 / 255),
        settings(IMAGES, (0, 1, 2), n_style=150, likelihood="bernoulli", max_iter=40),
        (),
        every=20,
        n_train=N_TRAIN,
        extra=neighbor_errors,
    ),
    "usps": Row(
        partial(load, fetch_usps),
        settings(IMAGES, (0, 1, 2, 3, 4), likelihood="bernoulli"),
        (
            Inputs(
                "autoencoder codes",
                partial(autoencoder_codes, n_latent=32, max_iter=20),
            ),
        ),
        baseline_seeds=(0, 1, 2),
        every=20,
    ),
    "reuters": Row(
        partial(load, fetch_reuters_r8),
        settings({"n_clusters": 8, "precision": "bfloat16"}, (0, 1, 2)),
        (
            Inputs(
                "autoencoder codes",
                partial(autoencoder_codes, n_latent=32, max_iter=20),
            ),
        ),
        baseline_seeds=(0, 1, 2),
        every=20,
    ),
    **{name: everywhere(name) for name in N_CLUSTERS},
}


def main(argv=None):
    """Run the rows that the command line names.

    Parameters
    ----------
    argv : list of str or None, default=None
        Arguments; None takes those of the process.
    """
    run_rows(__doc__, NAME, ROWS, GumbelSoftmaxVAE, argv)


if __name__ == "__main__":
    main()
