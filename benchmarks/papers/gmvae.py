"""Clustering tables of the Gaussian mixture VAE (Dilokthanakul et al. 2016).

    python benchmarks/papers/gmvae.py --data-home DIR [--rows mnist,digits,arcs]

appends to ``benchmarks/results/gmvae.jsonl`` and skips what is there;
``python benchmarks/tables.py`` makes the tables of the documentation.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from _runs import (
    Runs,
    baseline_settings,
    fit_and_record,
    parser,
    record_baselines,
    set_threads,
)

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


@dataclass(frozen=True)
class Setting:
    """Parameters of the model, and the seeds it is fitted with.

    Attributes
    ----------
    name : str
        As in the table.
    parameters : dict
        Of the estimator.
    seeds : tuple of int
        Unless the command line says otherwise.
    codes : bool
        Whether the baselines are also fitted on the codes of the model.
    """

    name: str
    parameters: dict
    seeds: tuple
    codes: bool = False


@dataclass(frozen=True)
class Inputs:
    """What baselines are fitted on.

    Attributes
    ----------
    name : str
        As in the table.
    prepare : callable
        From (X, seed) to the input.
    """

    name: str
    prepare: Callable


@dataclass(frozen=True)
class Row:
    """One data set with its settings and baselines.

    Attributes
    ----------
    load : callable
        From `data_home` to X, y and the rows to score, by the name of the score.
    settings : tuple of Setting
        Of the model.
    inputs : tuple of Inputs
        Of the baselines.
    baseline_seeds : tuple of int
        Seeds of the baselines.
    every : int
        Epochs between two points of the curve.
    scored : bool
        Whether the likelihoods of baselines are in the units of those of the model.
    n_train : int or None
        Number of rows that are fitted, if the others are a test set.
    """

    load: Callable
    settings: tuple
    inputs: tuple
    baseline_seeds: tuple = (0, 1, 2, 3, 4)
    every: int = 1
    scored: bool = False
    n_train: int | None = None


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


def load_embedded_digits(data_home):
    """The digits of scikit-learn, as they are.

    Parameters
    ----------
    data_home : str or None
        Not needed.

    Returns
    -------
    X : ndarray of shape (1797, 64)
        Pixels in [0, 16].
    y : ndarray of shape (1797,)
        Digits.
    score_on : dict
        Rows to score.
    """
    X, y = load_digits(return_X_y=True)
    return X, y, {"score": X}


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


def as_is(X, seed):
    """Rows as the model gets them.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Rows.
    seed : int
        Not needed.

    Returns
    -------
    X : ndarray of shape (n_samples, n_features)
        The same.
    """
    return X


def pca_50(X, seed):
    """Rows in their first 50 principal components, in float64.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Rows.
    seed : int
        The `random_state`.

    Returns
    -------
    Z : ndarray of shape (n_samples, 50)
        Components.
    """
    return PCA(50, random_state=seed).fit_transform(X).astype(np.float64)


ROWS = {
    "mnist": Row(
        load_mnist,
        (
            Setting("neighbors, 40 epochs", MNIST, (0, 1, 2)),
            Setting("k-means++, M = 1", PAPER, (0, 1, 2), codes=True),
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


def run_row(
    name,
    row,
    runs,
    *,
    data_home=None,
    seeds=None,
    build=GaussianMixtureVAE,
    prefix="",
):
    """Fit whatever of a row is not on file.

    Parameters
    ----------
    name : str
        Name of the data in the file.
    row : Row
        What to run.
    runs : Runs
        Where to.
    data_home : str or None, default=None
        Folder with the data.
    seeds : list of int or None, default=None
        None takes those of each setting.
    build : callable, default=GaussianMixtureVAE
        From parameters to an estimator.
    prefix : str, default=""
        Only settings whose names begin with it; baselines belong to all of them.
    """
    X, y, score_on = row.load(data_home)
    test = None
    if row.n_train is not None:
        test = X[row.n_train :], y[row.n_train :]
        X, y = X[: row.n_train], y[: row.n_train]
    for setting in row.settings:
        if not setting.name.startswith(prefix):
            continue
        for seed in seeds or setting.seeds:
            estimator = build(**setting.parameters, random_state=seed)
            run_setting(name, row, setting, estimator, seed, runs, X, y, score_on, test)
    n_clusters = row.settings[0].parameters["n_clusters"]
    for inputs in () if prefix else row.inputs:
        for seed in seeds or row.baseline_seeds:
            record_baselines(
                runs,
                inputs.prepare(X, seed),
                y,
                n_clusters,
                data=name,
                inputs=inputs.name,
                seed=seed,
                score_on=score_on if row.scored else None,
            )


def run_setting(name, row, setting, estimator, seed, runs, X, y, score_on, test):
    """Fit one model and, where asked for, the baselines on its codes.

    The model is fitted again if only baselines are missing: it alone has the codes.

    Parameters
    ----------
    name : str
        Name of the data in the file.
    row : Row
        Which row.
    setting : Setting
        Which setting of the row.
    estimator : estimator
        Not fitted.
    seed : int
        The `random_state`.
    runs : Runs
        Where to.
    X : ndarray of shape (n_samples, n_features)
        Rows.
    y : ndarray of shape (n_samples,)
        Classes.
    score_on : dict
        Rows to score.
    test : tuple of (X, y) or None
        Rows that are not fitted, and their classes.
    """
    n_clusters = setting.parameters["n_clusters"]
    inputs = f"codes of {setting.name}"
    codes = np.empty((len(X), estimator.n_latent if setting.codes else 0))
    expected = [setting.name]
    if setting.codes:
        expected += baseline_settings(codes, n_clusters, inputs)
    if all(runs.done(name, each, seed) for each in expected):
        return
    estimator = fit_and_record(
        runs,
        estimator,
        X,
        y,
        data=name,
        setting=setting.name,
        seed=seed,
        every=row.every,
        score_on=score_on,
        test=test,
    )
    if setting.codes:
        codes = estimator.transform(X).astype(np.float64)
        record_baselines(
            runs, codes, y, n_clusters, data=name, inputs=inputs, seed=seed
        )


def main(argv=None):
    """Run the rows that the command line names.

    Parameters
    ----------
    argv : list of str or None, default=None
        Arguments; None takes those of the process.
    """
    options = parser(__doc__.splitlines()[0], ROWS)
    options.add_argument(
        "--settings", metavar="TEXT", default="", help="those that begin with it"
    )
    args = options.parse_args(argv)
    set_threads(args.threads)
    runs = Runs(args.results / f"{NAME}.jsonl")

    def build(**parameters):
        return GaussianMixtureVAE(**parameters, device=args.device)

    for name in args.rows:
        run_row(
            name,
            ROWS[name],
            runs,
            data_home=args.data_home,
            seeds=args.seeds,
            build=build,
            prefix=args.settings,
        )


if __name__ == "__main__":
    main()
