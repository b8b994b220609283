"""What the scripts of the papers' tables share: rows of settings and baselines."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from _runs import (
    Runs,
    baseline_settings,
    fit_and_record,
    parser,
    record_baselines,
    set_threads,
)
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

from skdeepmix import Autoencoder


@dataclass(frozen=True)
class Setting:
    """Parameters of the model, and the seeds it is fitted with.

    Attributes
    ----------
    name : str
        As in the table.
    parameters : dict
        Of the estimator; `variant` is its class, if that is not the script's model.
    seeds : tuple of int
        Unless the command line says otherwise.
    codes : callable or None
        From (X, n_clusters, seed) to the baselines, their names and estimators, that
        are fitted on the codes of the model.
    """

    name: str
    parameters: dict
    seeds: tuple
    codes: Callable | None = None


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
    extra : callable or None
        From a fitted estimator and the (X, y) that were fitted and not fitted to more
        results of a model's line.
    """

    load: Callable
    settings: tuple
    inputs: tuple
    baseline_seeds: tuple = (0, 1, 2, 3, 4)
    every: int = 1
    scored: bool = False
    n_train: int | None = None
    extra: Callable | None = None


def load(fetch, data_home, scale=1.0):
    """Rows and classes of a data set.

    Parameters
    ----------
    fetch : callable
        Loader.
    data_home : str or None
        Folder with the data.
    scale : float
        What values are multiplied by.

    Returns
    -------
    X : {ndarray, CSR array} of shape (n_samples, n_features), float32
        Rows.
    y : ndarray of shape (n_samples,)
        Classes.
    score_on : dict
        Nothing to score.
    """
    data = fetch(data_home=data_home)
    return (data.data * scale).astype(np.float32), data.target, {}


def generated(make, data_home):
    """Rows and classes of data that need no folder.

    Parameters
    ----------
    make : callable
        Returns X and y.
    data_home : object
        Not needed.

    Returns
    -------
    X : ndarray of shape (n_samples, n_features), float32
        Rows.
    y : ndarray of shape (n_samples,)
        Classes.
    score_on : dict
        Nothing to score.
    """
    X, y = make()
    return X.astype(np.float32), y, {}


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


def autoencoder_codes(X, seed, **parameters):
    """Codes of an autoencoder.

    Parameters
    ----------
    X : {ndarray, CSR array} of shape (n_samples, n_features)
        Rows.
    seed : int
        The `random_state`.
    **parameters
        Of the :class:`~skdeepmix.Autoencoder`.

    Returns
    -------
    Z : ndarray of shape (n_samples, n_latent)
        Codes, in float64.
    """
    autoencoder = Autoencoder(**parameters, random_state=seed)
    return autoencoder.fit_transform(X).astype(np.float64)


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


def run_rows(doc, name, rows, model, argv=None):
    """Run the rows that the command line names.

    Parameters
    ----------
    doc : str
        What the script is, in its first line.
    name : str
        Of the file of results.
    rows : dict of str to Row
        All rows.
    model : type
        Class of the model.
    argv : list of str or None, default=None
        Arguments; None takes those of the process.
    """
    options = parser(doc.splitlines()[0], rows)
    options.add_argument(
        "--settings", metavar="TEXT", default="", help="those that begin with it"
    )
    args = options.parse_args(argv)
    set_threads(args.threads)
    runs = Runs(args.results / f"{name}.jsonl")

    def build(variant=model, **parameters):
        return variant(**parameters, device=args.device)

    for row in args.rows:
        run_row(
            row,
            rows[row],
            runs,
            data_home=args.data_home,
            seeds=args.seeds,
            build=build,
            prefix=args.settings,
        )


def run_row(
    name,
    row,
    runs,
    *,
    data_home=None,
    seeds=None,
    build,
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
    build : callable
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
    codes = np.empty((X.shape[0], estimator.n_latent if setting.codes else 0))
    expected = [setting.name]
    if setting.codes:
        expected += baseline_settings(codes, n_clusters, inputs, setting.codes)
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
        extra=row.extra and (lambda fitted: row.extra(fitted, (X, y), test)),
    )
    if setting.codes:
        codes = estimator.transform(X).astype(np.float64)
        record_baselines(
            runs,
            codes,
            y,
            n_clusters,
            data=name,
            inputs=inputs,
            seed=seed,
            baselines=setting.codes,
        )
