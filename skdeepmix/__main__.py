"""``python -m skdeepmix``: every model on handwritten digits, or on data from a file.

It fits KMeans, GaussianMixture and the models of this package, prints how well they
cluster and how likely they find rows they have not seen, and draws what they generate.
"""

import argparse
import math
import os
import time
import warnings
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import normalized_mutual_info_score
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import train_test_split
from sklearn.utils import check_array
from sklearn.utils.multiclass import type_of_target

from skdeepmix._sklearn_compat import FitCallback
from skdeepmix.metrics import clustering_accuracy
from skdeepmix.utils.discovery import all_estimators

try:
    from matplotlib.figure import Figure
    from rich import progress as rich_progress
    from rich.console import Console
    from rich.table import Table
except ImportError as error:
    MISSING = str(error)
else:
    MISSING = None

HELD_OUT = 0.2
# Without labels there is no number of classes to take.
DEFAULT_N_CLUSTERS = 10
# Squares below this side are rarely images: pen strokes, say, are 16 numbers.
MIN_IMAGE_SIDE = 8
MAX_CLUSTERS_DRAWN = 20
PICTURE = "skdeepmix-demo.png"

# How to make a model for K clusters, and what its `score` is: None for KMeans, whose
# score is no likelihood.
BASELINES = {
    "KMeans": (partial(KMeans, n_init=10), None),
    "GaussianMixture": (
        partial(GaussianMixture, covariance_type="diag", n_init=10),
        "exact",
    ),
}
OURS = {name: (cls, cls._score_kind) for name, cls in all_estimators("cluster")}


class DemoError(Exception):
    """What the user can mend, told in one line."""

    def __init__(self, message):
        super().__init__(" ".join(str(message).split()))


class Data(NamedTuple):
    """Rows to fit and rows held out, with the classes of the former or None."""

    name: str
    fitted: np.ndarray
    held_out: np.ndarray
    y: np.ndarray | None
    n_clusters: int


class Result(NamedTuple):
    """A fitted model and the cells of its row of the table."""

    model: object
    labels: np.ndarray
    accuracy: float | None
    nmi: float | None
    log_likelihood: float | None
    score_kind: str | None
    seconds: float


def main(argv=None):
    """Run the demo.

    Parameters
    ----------
    argv : list of str or None, default=None
        Arguments; None takes those of the command line.

    Raises
    ------
    SystemExit
        With status 2 and one line on stderr if an argument, a file or the data in it
        are wrong; with 0 after ``--help``, and with 130 if interrupted.
    """
    parser = _parser()
    options = parser.parse_args(argv)
    try:
        _demo(options)
    except DemoError as error:
        parser.error(str(error))
    except KeyboardInterrupt:
        parser.exit(130, f"{parser.prog}: interrupted\n")


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, without the usage before it."""

    def error(self, message):
        self.exit(2, f"{self.prog}: error: {message}\n")


def _parser():
    parser = _Parser(
        prog="python -m skdeepmix",
        description="Fit KMeans, GaussianMixture and the models of skdeepmix; print "
        "accuracy (ACC), normalised mutual information (NMI), held-out log-likelihood "
        f"and seconds of each; write {PICTURE}, where generated rows of every cluster "
        "stand next to its real members.",
        epilog="A fifth of the rows is held out. Data that are whole numbers get "
        "uniform noise in [0, 1) first, so that they have a density.",
    )
    parser.add_argument(
        "--data",
        metavar="FILE",
        type=Path,
        help=".npy with rows; .npz with rows X and, optionally, classes y; or .csv of "
        "numbers, with or without a header, without classes (default: the 1,797 "
        "handwritten digits of scikit-learn)",
    )
    parser.add_argument(
        "--model",
        metavar="NAME",
        action="append",
        choices=OURS,
        help="fit this model next to the two of scikit-learn; may be repeated "
        f"(default: all of {', '.join(OURS)})",
    )
    parser.add_argument(
        "--n-clusters",
        metavar="K",
        type=_positive_int,
        help="number of clusters (default: the number of classes in y, or "
        f"{DEFAULT_N_CLUSTERS} without y)",
    )
    parser.add_argument(
        "--out",
        metavar="DIR",
        type=Path,
        default=Path(),
        help=f"folder of {PICTURE}, made if needed (default: this folder)",
    )
    return parser


def _positive_int(text):
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected an integer >= 1, got '{text}'")
    return int(text)


def _demo(options):
    if MISSING:
        raise DemoError(
            f"The demo needs matplotlib and rich ({MISSING}). Install them with: "
            "python -m pip install matplotlib rich"
        )
    _check_folder(options.out)
    data = _split(*_load(options.data), options.n_clusters)
    makers = BASELINES | {name: OURS[name] for name in options.model or OURS}
    results, notes = _fit_all(makers, data)
    console = Console(highlight=False, markup=False)
    console.print(_description(data), style="bold")
    console.print(_table(results, data))
    for note in [_legend(data), *notes]:
        console.print(note)
    figure = _draw({name: results[name] for name in results if name in OURS}, data)
    figure.savefig(options.out / PICTURE, dpi=120)
    console.print(f"Wrote {options.out / PICTURE}", soft_wrap=True)


# Data


def _check_folder(folder):
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DemoError(f"argument --out: {folder}: {error.strerror}") from error
    if not os.access(folder, os.W_OK):
        raise DemoError(f"argument --out: {folder}: cannot be written to")


def _load(path):
    """Return a title, rows and classes or None."""
    if path is None:
        return "Handwritten digits", *load_digits(return_X_y=True)
    if path.suffix.lower() not in READERS:
        raise DemoError(
            f"argument --data: {path}: expected a file name that ends in "
            f"{', '.join(READERS)}"
        )
    try:
        X, y = READERS[path.suffix.lower()](path)
        return path.name, *_check(X, y)
    except Exception as error:  # a broken file makes its reader raise anything
        reason = getattr(error, "strerror", None) or str(error) or repr(error)
        reason = reason.splitlines()[0]
        raise DemoError(f"argument --data: {path}: {reason}") from error


def _read_numpy(path):
    with path.open("rb") as file:
        loaded = np.load(file)
        if isinstance(loaded, np.ndarray):
            return loaded, None
        if "X" not in loaded:
            raise ValueError(
                "expected an array named X and, optionally, one named y; found "
                f"{', '.join(loaded) or 'none'}"
            )
        return loaded["X"], loaded.get("y")


def _read_csv(path):
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    lines = [line for line in lines if line.strip()]
    if lines and not all(map(_is_number, lines[0].split(","))):
        del lines[0]
    if not lines:
        raise ValueError("no rows of numbers")
    return np.loadtxt(lines, delimiter=",", ndmin=2, comments=None), None


READERS = {".npy": _read_numpy, ".npz": _read_numpy, ".csv": _read_csv}


def _is_number(text):
    try:
        float(text)
    except ValueError:
        return False
    return True


def _check(X, y):
    if X.ndim != 2:
        raise ValueError(
            f"expected rows of shape (n_samples, n_features), got shape {X.shape}"
        )
    X = check_array(X, dtype=np.float64)
    if y is None:
        return X, y
    if y.shape != (len(X),):
        raise ValueError(f"expected y of shape ({len(X)},), got shape {y.shape}")
    if type_of_target(y) not in ("binary", "multiclass"):
        raise ValueError(f"expected classes in y, got {type_of_target(y)} values")
    return X, y


def _split(name, X, y, n_clusters):
    """Add noise to whole numbers, hold rows out, and settle the number of clusters."""
    if n_clusters is None:
        n_clusters = DEFAULT_N_CLUSTERS if y is None else len(np.unique(y))
    n_fitted = len(X) - math.ceil(HELD_OUT * len(X))
    if n_fitted < max(2, n_clusters):
        raise DemoError(
            f"Expected at least n_clusters = {n_clusters} and 2 rows to fit, but of "
            f"{len(X)} rows {n_fitted} are left after a fifth is held out. Use more "
            "rows or a smaller --n-clusters."
        )
    if np.array_equal(X, np.floor(X)):
        X = X + np.random.default_rng(0).random(X.shape)
    arrays = [X] if y is None else [X, y]
    fitted, held_out, *ys = train_test_split(
        *arrays, test_size=HELD_OUT, random_state=0
    )
    return Data(name, fitted, held_out, ys[0] if ys else None, n_clusters)


# Models


def _fit_all(makers, data):
    """Fit all models behind a progress bar; return results by name, and warnings."""
    results, notes = {}, {}
    with _progress() as bar:
        for i, (name, (make, score_kind)) in enumerate(makers.items(), 1):
            task = bar.add_task(f"{i}/{len(makers)} {name}", total=None)
            model = make(data.n_clusters, random_state=0)
            if name in OURS:
                model.set_callbacks(_EpochCounter(bar, task))
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("default")
                warnings.filterwarnings("error", "The fit was interrupted")
                results[name] = _fit(name, model, score_kind, data)
            # A dict keeps one of each, in order.
            notes |= {f"{name}: {warning.message}": None for warning in caught}
            bar.update(task, total=1, completed=1)
    return results, list(notes)


def _progress():
    console = Console(stderr=True)  # stdout is the table's
    return rich_progress.Progress(
        rich_progress.TextColumn("{task.description}"),
        rich_progress.BarColumn(),
        rich_progress.TaskProgressColumn(),
        rich_progress.TimeRemainingColumn(elapsed_when_finished=True),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


class _EpochCounter(FitCallback):
    """A scikit-learn callback that moves a bar on after every epoch."""

    def __init__(self, bar, task):
        self.bar = bar
        self.task = task

    def on_fit_task_begin(self, estimator, context):
        """Learn how many epochs there are, once a start has been found."""
        if context.task_name == "epoch":
            total = estimator.n_init * estimator.max_iter
            self.bar.update(self.task, total=total)

    def on_fit_task_end(self, estimator, context):
        """Count an epoch."""
        if context.task_name == "epoch":
            self.bar.advance(self.task)


def _fit(name, model, score_kind, data):
    start = time.perf_counter()
    try:
        model.fit(data.fitted)
    except ConvergenceWarning as warning:  # our models go on with what they have
        raise KeyboardInterrupt from warning
    except ValueError as error:
        raise DemoError(f"{name} could not be fitted: {error}") from error
    seconds = time.perf_counter() - start
    labels = model.predict(data.fitted)
    return Result(
        model,
        labels,
        None if data.y is None else clustering_accuracy(data.y, labels),
        None if data.y is None else normalized_mutual_info_score(data.y, labels),
        score_kind and model.score(data.held_out),
        score_kind,
        seconds,
    )


# Table


def _description(data):
    n_features = data.fitted.shape[1]
    return (
        f"{data.name}: {len(data.fitted):,} rows fitted, {len(data.held_out):,} held "
        f"out; {n_features:,} features, K = {data.n_clusters}"
    )


def _legend(data):
    supervised = "ACC and NMI: of the fitted rows. " if data.y is not None else ""
    return (
        f"{supervised}Log-likelihood: mean over the held-out rows, in nats; a bound is "
        "a lower bound. KMeans and GaussianMixture (diagonal covariances): the best of "
        "10 starts."
    )


def _table(results, data):
    table = Table("model")
    columns = _columns(data)
    for title in columns:
        table.add_column(title, justify="right")
    for name, result in results.items():
        table.add_row(name, *(cell(result) for cell in columns.values()))
    return table


def _columns(data):
    """Titles and what stands below them; without classes there is no accuracy."""
    supervised = {
        "ACC": lambda result: f"{result.accuracy:.3f}",
        "NMI": lambda result: f"{result.nmi:.3f}",
    }
    return (supervised if data.y is not None else {}) | {
        "log-likelihood": lambda result: (
            "-" if result.log_likelihood is None else f"{result.log_likelihood:#.5g}"
        ),
        "kind": lambda result: result.score_kind or "-",
        "seconds": lambda result: f"{result.seconds:.1f}",
    }


# Picture


def _draw(results, data):
    """Draw generated rows of every cluster next to real members of it."""
    draw, n_drawn, with_noise = _drawing(data.fitted.shape[1])
    n_clusters = min(data.n_clusters, MAX_CLUSTERS_DRAWN)
    drawn = np.repeat(np.arange(n_clusters), n_drawn)
    figure = Figure(layout="constrained")
    parts = figure.subfigures(len(results), 1, squeeze=False)[:, 0]
    heights = []
    for part, (name, result) in zip(parts, results.items(), strict=True):
        rows, _ = result.model.sample(cluster=drawn, observation_noise=with_noise)
        groups = {
            "generated": np.split(rows, n_clusters),
            "members": [
                data.fitted[result.labels == k][:n_drawn] for k in range(n_clusters)
            ],
        }
        part.suptitle(name, weight="bold")
        heights.append(draw(part, groups))
    figure.set_size_inches(9, sum(heights))
    return figure


def _drawing(n_features):
    """Choose how to draw rows, how many of a cluster, and whether with noise."""
    side = math.isqrt(n_features)
    if n_features == 2:
        return _scatter, 200, True
    if side >= MIN_IMAGE_SIDE and side**2 == n_features:
        return _images, 10, False
    return _lines, 10, True


def _images(part, groups):
    """Draw tables of images, a row per cluster; return the height in inches."""
    n_clusters, n_columns, _ = np.shape(groups["generated"])
    shown = np.concatenate(groups["members"])
    for axes, (title, rows) in _panels(part, groups):
        tiles = _tiles(rows, n_columns)
        axes.imshow(tiles, cmap="gray_r", vmin=shown.min(), vmax=shown.max())
        step = tiles.shape[0] / n_clusters
        axes.set(title=title, xticks=[], ylabel="cluster")
        axes.set_yticks((np.arange(n_clusters) + 0.5) * step - 1, range(n_clusters))
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        axes.label_outer()
    return 0.7 + 0.41 * n_clusters


def _tiles(groups, n_columns):
    """Put a row of images per group into one image; NaN where there are none."""
    side = math.isqrt(groups[0].shape[1])
    tiles = np.full((len(groups), n_columns, side + 1, side + 1), np.nan)
    for row, images in zip(tiles, groups, strict=True):
        row[: len(images), :side, :side] = images.reshape(-1, side, side)
    return tiles.swapaxes(1, 2).reshape(len(groups) * (side + 1), -1)


def _scatter(part, groups):
    """Draw points in the colours of their clusters; return the height in inches."""
    for axes, (title, rows) in _panels(part, groups, sharex=True, sharey=True):
        for k, points in enumerate(rows):
            axes.plot(*points.T, ".", color=f"C{k % 10}", markersize=3)
        axes.set(title=title)
    return 4.5


def _lines(part, groups):
    """Draw rows as lines over the features, a plot per cluster; return the height."""
    n_clusters = len(groups["members"])
    grid = part.subplots(n_clusters, 2, sharex=True, sharey=True, squeeze=False)
    for column, (title, rows) in zip(grid.T, groups.items(), strict=True):
        column[0].set_title(title)
        for k, axes in enumerate(column):
            axes.plot(rows[k].T, ".-", color=f"C{k % 10}", linewidth=0.5, markersize=2)
            axes.set_ylabel(f"cluster {k}")
            axes.label_outer()
    grid[-1, 0].set_xlabel("feature")
    return 1 + 0.9 * n_clusters


def _panels(part, groups, **options):
    return zip(part.subplots(1, 2, **options), groups.items(), strict=True)


if __name__ == "__main__":
    main()
