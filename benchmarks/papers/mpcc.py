"""Tables of MPCC (Astorga et al. 2020), at sizes for a CPU.

    python benchmarks/papers/mpcc.py --data-home DIR [--rows ring,digits]

appends to ``benchmarks/results/mpcc.jsonl`` and skips what is there;
``python benchmarks/tables.py`` makes the tables of the documentation.
"""

import math
import sys
from functools import partial
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from _papers import Inputs, Row, Setting, as_is, generated, load, run_rows

from skdeepmix import MPCC, Autoencoder
from skdeepmix._mpcc import MPCCModule
from skdeepmix.datasets import fetch_mnist, fetch_omniglot, fetch_usps, make_arcs
from skdeepmix.losses import median_distance
from skdeepmix.metrics import frechet_distance, mmd_score
from skdeepmix.networks import MLP

NAME = "mpcc"
SEEDS = (0, 1, 2, 3, 4)
N_MODES = 8
# Rows that are generated, and rows of them whose kernels are summed.
N_GENERATED = 10_000
N_KERNEL = 2_000
N_TRAIN = 60_000
N_CHARACTERS = 100
# Of small images of MNIST.
SIDE = 14
# Bandwidths of the squared MMD, relative to the median distance of test images.
BANDWIDTHS = np.array([0.25, 0.5, 1.0])


class AdditiveFloor(MPCCModule):
    """The scales of the authors' code: the floor is added."""

    @property
    def scales(self):
        """Standard deviations of the prior."""
        return self.log_scales.exp() + self.min_scale

    def _limit_scales(self):
        """Leave the rest to the floor."""


class AlgorithmOne(MPCCModule):
    """Algorithm 1 to the letter: the prior gets no gradient from the encoder's loss."""

    def latent_loss(self, z, x):
        """Eq. 7 for latents that are cut off from the prior."""
        return super().latent_loss(z.detach(), x)


class AdditiveMPCC(MPCC):
    """MPCC with a floor that is added."""

    _module_class = AdditiveFloor


class AlgorithmMPCC(MPCC):
    """MPCC with Algorithm 1 to the letter."""

    _module_class = AlgorithmOne


def make_ring():
    """Make eight Gaussians around a circle.

    Returns
    -------
    X : ndarray of shape (10000, 2)
        Points.
    y : ndarray of shape (10000,)
        Number of the Gaussian.
    """
    rng = np.random.RandomState(0)
    y = rng.randint(N_MODES, size=10_000)
    return _modes()[y] + 0.1 * rng.randn(len(y), 2), y


def _modes():
    angles = 2 * math.pi * np.arange(N_MODES) / N_MODES
    return 2 * np.stack([np.cos(angles), np.sin(angles)], axis=1)


def load_small_mnist(data_home):
    """MNIST at half its height and width.

    Parameters
    ----------
    data_home : str or None
        Folder with the data.

    Returns
    -------
    X : ndarray of shape (70000, 196), float32
        Means of two by two pixels, in [0, 1].
    y : ndarray of shape (70000,)
        Digits.
    score_on : dict
        Nothing to score.
    """
    X, y, score_on = load(fetch_mnist, data_home, scale=1 / 255)
    small = X.reshape(-1, SIDE, 2, SIDE, 2).mean((2, 4))
    return small.reshape(len(X), SIDE**2), y, score_on


def load_characters(data_home):
    """A hundred characters of Omniglot, drawn at random.

    Parameters
    ----------
    data_home : str or None
        Folder with the data.

    Returns
    -------
    X : ndarray of shape (2000, 784), float32
        Pixels in [0, 1]: 20 drawings of every character.
    y : ndarray of shape (2000,)
        Characters.
    score_on : dict
        Nothing to score.
    """
    X, y, score_on = load(fetch_omniglot, data_home, scale=1 / 255)
    kept = np.random.RandomState(0).permutation(np.unique(y))[:N_CHARACTERS]
    kept = np.isin(y, kept)
    return X[kept], y[kept], score_on


def rounds(model, train, test):
    """Count the rounds of a fit: moves of all players.

    Parameters
    ----------
    model : MPCC
        Fitted.
    train, test : object
        Not needed.

    Returns
    -------
    rounds : dict of str to int
        The number, ``rounds``.
    """
    return {"rounds": int(model.module_.n_steps)}


def mode_shares(model, train, test):
    """Shares of the samples that are nearest to each Gaussian of the ring.

    Parameters
    ----------
    model : MPCC
        Fitted.
    train, test : object
        Not needed.

    Returns
    -------
    shares : dict of str to float
        The least and the largest share, ``share_min`` and ``share_max``, and
        the number of rounds.
    """
    X, _ = model.sample(N_GENERATED, random_state=0)
    nearest = np.linalg.norm(X[:, None] - _modes(), axis=2).argmin(1)
    shares = np.bincount(nearest, minlength=N_MODES) / len(X)
    share_range = {"share_min": shares.min(), "share_max": shares.max()}
    return share_range | rounds(model, train, test)


def sample_quality(model, train, test):
    """Distances of generated images to those of the test set.

    Parameters
    ----------
    model : MPCC
        Fitted.
    train, test : tuple of (X, y)
        Images that were fitted, and not.

    Returns
    -------
    distances : dict of str to float
        Squared MMD of pixels and Fréchet distance of the codes of an autoencoder: of
        the model (``mmd``, ``frechet``), of decoded draws of the start's clusters in
        the codes of the autoencoder (``_start``), of a mixture of Gaussians with
        full covariances on 50 components (``_mixture``), and of training images
        (``_train``); and the number of rounds.
    """
    autoencoder = Autoencoder(
        32, likelihood="bernoulli", max_iter=10, random_state=0
    ).fit(train[0])
    rng = np.random.RandomState(0)
    components = PCA(50, random_state=0).fit(train[0])
    mixture = GaussianMixture(model.n_clusters, random_state=0).fit(
        components.transform(train[0][:N_GENERATED]).astype(np.float64)
    )
    drawn = components.inverse_transform(mixture.sample(N_GENERATED)[0])
    some = rng.permutation(len(train[0]))[:N_GENERATED]
    found = {
        "": model.sample(N_GENERATED, random_state=0)[0],
        "_mixture": drawn.astype(np.float32),
        "_train": train[0][some],
    }
    if model.start_labels_ is not None:
        found["_start"] = _start_samples(autoencoder, train[0], model.start_labels_)
    codes = autoencoder.transform(test[0])
    some = test[0][rng.permutation(len(test[0]))[:N_KERNEL]]
    bandwidths = BANDWIDTHS * median_distance(torch.from_numpy(some))
    distances = {}
    for name, rows in found.items():
        rows = np.clip(rows, 0, 1)
        distances[f"frechet{name}"] = frechet_distance(
            autoencoder.transform(rows), codes
        )
        kept = rng.permutation(len(rows))[:N_KERNEL]
        distances[f"mmd{name}"] = mmd_score(rows[kept], some, bandwidths=bandwidths)
    return distances | rounds(model, train, test)


def _start_samples(autoencoder, X, labels):
    """Decode draws from a Gaussian on the codes of every cluster of the start."""
    rng = np.random.RandomState(0)
    Z, n_clusters = autoencoder.transform(X), labels.max() + 1
    counts = rng.multinomial(N_GENERATED, np.full(n_clusters, 1 / n_clusters))
    draws = [
        rng.multivariate_normal(Z[labels == k].mean(0), np.cov(Z[labels == k].T), n)
        for k, n in enumerate(counts)
    ]
    return autoencoder.inverse_transform(np.concatenate(draws).astype(np.float32))


PLANE = {"n_latent": 8, "init": "random", "max_iter": 100, "encoder": MLP((128, 128))}
TWO = {**PLANE, "n_latent": 2}
DIGITS = {"n_clusters": 10}
RANDOM = {**DIGITS, "init": "random", "max_iter": 600}
MNIST = {
    "n_clusters": 10,
    "n_latent": 24,
    "encoder": MLP((500, 500)),
    "likelihood": "bernoulli",
    "precision": "bfloat16",
    "max_iter": 20,
}
LONG = {**MNIST, "init": "random", "max_iter": 120}
SHORT = {**LONG, "max_iter": 60}
OMNIGLOT = {
    "n_clusters": N_CHARACTERS,
    "n_latent": 24,
    "likelihood": "bernoulli",
    "max_iter": 300,
}
ROWS = {
    "ring": Row(
        partial(generated, make_ring),
        (
            Setting("random", {**PLANE, "n_clusters": N_MODES}, SEEDS),
            Setting("random, 2 latents", {**TWO, "n_clusters": N_MODES}, SEEDS),
        ),
        (),
        every=10,
        extra=mode_shares,
    ),
    "arcs": Row(
        partial(generated, partial(make_arcs, random_state=0)),
        (
            Setting("random", {**PLANE, "n_clusters": 5}, SEEDS),
            Setting("random, 2 latents", {**TWO, "n_clusters": 5}, SEEDS),
        ),
        (),
        every=10,
        extra=rounds,
    ),
    "digits": Row(
        partial(generated, partial(load_digits, return_X_y=True)),
        (
            Setting("defaults", DIGITS, SEEDS),
            Setting("random", RANDOM, SEEDS),
            Setting("random, 2,400 epochs", {**RANDOM, "max_iter": 2400}, SEEDS),
            Setting("floor added, random", {**RANDOM, "variant": AdditiveMPCC}, (0, 1)),
            Setting(
                "Algorithm 1, random", {**RANDOM, "variant": AlgorithmMPCC}, (0, 1)
            ),
        ),
        (Inputs("pixels", as_is),),
        every=25,
        extra=rounds,
    ),
    "usps": Row(
        partial(load, fetch_usps),
        (Setting("defaults", {**DIGITS, "precision": "bfloat16"}, (0, 1)),),
        (),
        every=20,
        extra=rounds,
    ),
    "mnist": Row(
        partial(load, fetch_mnist, scale=1 / 255),
        (
            Setting("defaults", MNIST, (0, 1)),
            Setting("random", LONG, (0, 1)),
        ),
        (),
        every=5,
        n_train=N_TRAIN,
        extra=sample_quality,
    ),
    "mnist14": Row(
        load_small_mnist,
        (
            Setting("random", LONG, (0,)),
            Setting("one layer shared, 60 epochs", {**SHORT, "n_shared": 1}, (0,)),
            Setting(
                "one layer shared, 300 epochs",
                {**LONG, "n_shared": 1, "max_iter": 300},
                (0, 1),
            ),
            Setting(
                "latent conditions, 60 epochs",
                {**SHORT, "latent_conditions": True},
                (0,),
            ),
        ),
        (),
        every=5,
        extra=rounds,
        n_train=N_TRAIN,
    ),
    "omniglot": Row(
        load_characters,
        (
            Setting("defaults", OMNIGLOT, (0,)),
            Setting("random", {**OMNIGLOT, "init": "random", "max_iter": 600}, (0,)),
        ),
        (Inputs("pixels", as_is),),
        baseline_seeds=(0,),
        every=100,
        extra=rounds,
    ),
}


def main(argv=None):
    """Run the rows that the command line names.

    Parameters
    ----------
    argv : list of str or None, default=None
        Arguments; None takes those of the process.
    """
    run_rows(__doc__, NAME, ROWS, MPCC, argv)


if __name__ == "__main__":
    main()
