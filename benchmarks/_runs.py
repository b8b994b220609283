"""What all benchmark scripts share: results on file, scores, baselines, curves.

A result is one line of JSON per (data, setting, seed) in
``benchmarks/results/<name>.jsonl``. Scripts skip what is on file, so that they resume
after an interruption; to run something again, delete its lines.
"""

import argparse
import json
import math
import multiprocessing
import os
import platform
import re
import shlex
import signal
import subprocess
import sys
import warnings
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter

import joblib
import numpy as np
import sklearn
import threadpoolctl
import torch
from sklearn.callback import FitCallback
from sklearn.cluster import KMeans, SpectralClustering
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
from sklearn.mixture import GaussianMixture

import skdeepmix
from skdeepmix._training import native_bfloat16
from skdeepmix.metrics import (
    clustering_accuracy,
    makhzani_accuracy,
    posterior_mutual_information,
    purity_score,
)

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
KEY = ("data", "setting", "seed")
# A change of anything else cannot change a result.
SOURCES = ("skdeepmix", "benchmarks", ":(exclude)benchmarks/results")
# Multiplications of one EM step, n * K * d^2, up to which full covariances are fitted.
FULL_COVARIANCE_LIMIT = 5e9
# Of UMAP before a mixture: neighbours and distance of the paper of N2D.
UMAP_LAYOUT = {"n_components": 10, "n_neighbors": 20, "min_dist": 0.0}


class Runs:
    """Results on file, appended to line by line.

    Parameters
    ----------
    path : str or path-like
        A ``.jsonl`` file; it need not exist yet.

    Attributes
    ----------
    provenance : dict
        Commit, command, versions and machine, taken here and not when a line is
        written: the code that runs is the code that was imported.

    Examples
    --------
    >>> import tempfile
    >>> runs = Runs(Path(tempfile.mkdtemp()) / "example.jsonl")
    >>> _ = runs.record("iris", "KMeans", 0, seconds=0.1, acc=0.89)
    >>> runs.done("iris", "KMeans", 0), runs.done("iris", "KMeans", 1)
    (True, False)
    """

    def __init__(self, path):
        self.path = Path(path)
        self.provenance = provenance()

    def lines(self):
        """Read all lines.

        Read anew at every call, so that several processes may share the file.

        Returns
        -------
        lines : list of dict
            In the order of the file.

        Raises
        ------
        ValueError
            If a line is broken, the last one for example by a full disk, or names the
            same (data, setting, seed) as an earlier one.
        """
        return read_lines(self.path)

    def done(self, data, setting, seed):
        """Whether a result is on file.

        Parameters
        ----------
        data, setting : str
            What was fitted on what.
        seed : int
            The `random_state`.

        Returns
        -------
        done : bool
            True if there is a line with this key.
        """
        return (data, setting, seed) in {_key(line) for line in self.lines()}

    def record(self, data, setting, seed, *, seconds, device="cpu", **results):
        """Append one line.

        Parameters
        ----------
        data, setting : str
            What was fitted on what.
        seed : int
            The `random_state`.
        seconds : float
            Wall-clock time of the fit.
        device : str, default="cpu"
            Where it ran, in words.
        **results : object
            Anything that JSON holds, and numpy scalars and arrays. Numbers keep six
            digits; NaN and infinity become null.

        Returns
        -------
        line : dict
            What was written.

        Raises
        ------
        ValueError
            If the result is on file already.
        """
        key = dict(zip(KEY, (data, setting, seed), strict=True))
        if self.done(**key):
            raise ValueError(
                f"{self.path} has a line for {tuple(key.values())} already. Delete it "
                "to run this again."
            )
        environment = {
            "device": device,
            "threads": torch.get_num_threads(),
            "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        line = _plain(
            {**key, "seconds": seconds, **results, **environment, **self.provenance}
        )
        self._append(json.dumps(line, allow_nan=False) + "\n")
        return line

    def _append(self, text):
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # One unbuffered write to a file in append mode: lines of two processes do not
        # mix, and an interruption leaves whole lines.
        with open(self.path, "ab", buffering=0) as file:
            file.write(text.encode())
            os.fsync(file.fileno())


def read_lines(path):
    """Read a file of results.

    Parameters
    ----------
    path : str or path-like
        A ``.jsonl`` file; one that does not exist is empty.

    Returns
    -------
    lines : list of dict
        In the order of the file.

    Raises
    ------
    ValueError
        If a line is broken or a key occurs twice.
    """
    path = Path(path)
    if not path.exists():
        return []
    lines, seen = [], {}
    for number, text in enumerate(path.read_text("utf-8").splitlines(True), start=1):
        line = _parse(text, f"{path}, line {number}")
        first = seen.setdefault(_key(line), number)
        if first != number:
            raise ValueError(
                f"{path}, lines {first} and {number} both hold {_key(line)}. Delete "
                "one of them."
            )
        lines.append(line)
    return lines


def _parse(text, where):
    try:
        line = json.loads(text)
    except json.JSONDecodeError:
        line = None
    # A line that was cut off may by chance be whole, but the next would be glued to it.
    if isinstance(line, dict) and set(KEY) <= set(line) and text.endswith("\n"):
        return line
    raise ValueError(
        f"{where} is broken: expected a JSON object with {', '.join(KEY)} and a line "
        f"break, got {text[:60]!r}. Delete the line and run the script again."
    )


def _key(line):
    return tuple(line[name] for name in KEY)


def _plain(value):
    """Turn numpy into what JSON holds, with six digits and null for non-finite."""
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, (np.ndarray, np.generic)):
        return _plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value


# Where a result comes from


def provenance():
    """Commit, command, versions, number of cores and arithmetic of this process.

    Returns
    -------
    provenance : dict
        `commit` is None outside a repository; `dirty` says whether source files differ
        from the commit; `bfloat16` names what the processor has for products of
        bfloat16 matrices, and `isa` what oneDNN is kept to, None without a limit.
    """
    changes = _git("status", "--porcelain", "--", *SOURCES)
    return {
        "commit": _git("rev-parse", "--verify", "--quiet", "HEAD"),
        "dirty": None if changes is None else bool(changes),
        "command": command_line(sys.argv),
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "scikit-learn": sklearn.__version__,
            "numpy": np.__version__,
            "skdeepmix": skdeepmix.__version__,
        },
        "cores": joblib.cpu_count(),
        "bfloat16": native_bfloat16(),
        "isa": os.environ.get("ONEDNN_MAX_CPU_ISA"),
    }


def _git(*args):
    try:
        done = subprocess.run(
            ["git", "-C", ROOT, *args], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def command_line(argv):
    """Write a command so that it means the same on any machine.

    Parameters
    ----------
    argv : list of str
        As `sys.argv`.

    Returns
    -------
    command : str
        The script relative to the repository; paths among the arguments become DIR.

    Examples
    --------
    >>> command_line(["a/b.py", "--data-home", "/some/where", "--seeds=0,1"])
    'python b.py --data-home DIR --seeds=0,1'
    """
    script = Path(argv[0]).resolve()
    inside = script.is_relative_to(ROOT) and script.exists()
    script = script.relative_to(ROOT).as_posix() if inside else script.name
    return f"python {shlex.join([script, *map(_without_path, argv[1:])])}"


def _without_path(arg):
    option, equals, value = arg.rpartition("=")
    return f"{option}{equals}DIR" if "/" in value or os.sep in value else arg


def device_name(estimator):
    """Where an estimator runs, in words.

    Parameters
    ----------
    estimator : estimator
        One with a parameter `device`, or any other, which runs on the CPU.

    Returns
    -------
    name : str
        ``"cpu"`` or the name of the CUDA device.
    """
    device = estimator.get_params().get("device", "cpu")
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    device = torch.device(device)
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def set_threads(n_threads):
    """Limit the threads of torch, BLAS and OpenMP in this process.

    Parameters
    ----------
    n_threads : int or None
        None leaves them as they are.
    """
    if n_threads is not None:
        torch.set_num_threads(n_threads)
        threadpoolctl.threadpool_limits(n_threads)


# Fits and their scores


def timed(function, *args):
    """Wall-clock time of a call.

    Parameters
    ----------
    function : callable
        What to call.
    *args : object
        With what.

    Returns
    -------
    seconds : float
        At least 0.
    """
    start = perf_counter()
    function(*args)
    return perf_counter() - start


def process_memory(name):
    """Memory of this process, as Linux tells it.

    Parameters
    ----------
    name : str
        ``"VmHWM"`` is the largest resident memory so far, ``"RssAnon"`` the resident
        memory that no file backs.

    Returns
    -------
    megabytes : float or None
        In units of 2**20 bytes; None where the system does not tell.
    """
    status = Path("/proc/self/status")
    if not status.exists():
        return None
    return int(re.search(rf"{name}:\s+(\d+)", status.read_text())[1]) / 1024


def scores(y, labels, proba=None):
    """Compare a clustering with known classes.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Classes.
    labels : array-like of shape (n_samples,)
        Clusters.
    proba : array-like of shape (n_samples, n_clusters) or None, default=None
        Posterior of the clusters.

    Returns
    -------
    scores : dict of str to float
        `acc` (Hungarian), `nmi`, `ari`, `purity`, `n_live`, the number of clusters in
        use; with `proba` also `makhzani` and `information`, the mutual information of
        rows and clusters in nats.

    Examples
    --------
    >>> scores([0, 0, 1, 1], [1, 1, 0, 0])["acc"]
    1.0
    """
    result = {
        "acc": clustering_accuracy(y, labels),
        "nmi": normalized_mutual_info_score(y, labels),
        "ari": adjusted_rand_score(y, labels),
        "purity": purity_score(y, labels),
        "n_live": len(np.unique(labels)),
    }
    if proba is not None:
        result["makhzani"] = makhzani_accuracy(y, proba)
        result["information"] = posterior_mutual_information(proba)
    return result


def baselines(X, n_clusters, seed):
    """What a user would try first.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Rows, of which only the shape matters here.
    n_clusters : int
        Number of clusters.
    seed : int
        The `random_state`.

    Yields
    ------
    name : str
        Name of the setting.
    estimator : estimator
        Not fitted. GaussianMixture comes with diagonal covariances and, where an EM
        step costs no more than `FULL_COVARIANCE_LIMIT`, with full ones.
    """
    yield "KMeans", KMeans(n_clusters, n_init=10, random_state=seed)
    for kind in ("diag", "full"):
        cost = X.shape[0] * n_clusters * X.shape[1] ** 2
        if kind == "diag" or cost <= FULL_COVARIANCE_LIMIT:
            yield (
                f"GaussianMixture, {kind}",
                GaussianMixture(n_clusters, covariance_type=kind, random_state=seed),
            )


def baselines_and_spectral(X, n_clusters, seed):
    """The :func:`baselines`, and the spectral clustering of a graph of neighbours.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Rows, of which only the shape matters here.
    n_clusters : int
        Number of clusters.
    seed : int
        The `random_state`.

    Yields
    ------
    name : str
        Name of the setting.
    estimator : estimator
        Not fitted.
    """
    yield from baselines(X, n_clusters, seed)
    yield (
        "SpectralClustering",
        SpectralClustering(n_clusters, affinity="nearest_neighbors", random_state=seed),
    )


class _Clock(FitCallback):
    """Note when a task ended, before an estimator is made of it for later callbacks."""

    def on_fit_task_end(self, estimator, context):
        """Look at the clock."""
        self.time = perf_counter()


class Curve(FitCallback):
    """Callback that records how a fit goes, against known classes.

    The classes are only recorded: nothing that is seen here flows back into the fit.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Rows to predict.
    y : array-like of shape (n_samples,)
        Their classes.
    every : int, default=1
        Number of epochs between two points; the first epoch is always a point.
    X_val : array-like of shape (n_validation, n_features) or None, default=None
        Rows whose `score` is recorded as well.

    Attributes
    ----------
    callbacks : tuple of callback
        What to set: this one behind a clock.
    points : list of dict
        `init` (from 0), `epoch` (from 1), `seconds` since the fit began,
        less those spent here, `acc`, `purity` and, with `X_val`, `score`.
    seconds : float
        Time spent here and on the estimators that are looked at, to be taken off the
        time of the fit.
    """

    def __init__(self, X, y, every=1, X_val=None):
        self.X, self.y, self.every, self.X_val = X, y, every, X_val
        self.points = []
        self.seconds = 0.0
        self._begin = None
        self._clock = _Clock()
        self.callbacks = self._clock, self

    def setup(self, estimator, context):
        """Forget earlier fits."""
        self.points = []
        self.seconds = 0.0
        self._begin = perf_counter()

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        """Record a point if the task is an epoch whose turn it is."""
        epoch = context.task_id + 1
        due = epoch == 1 or epoch % self.every == 0
        if context.task_name == "epoch" and due and fitted_estimator is not None:
            self._record(context.parent.task_id, epoch, fitted_estimator)
        self.seconds += perf_counter() - self._clock.time

    def _record(self, init, epoch, fitted_estimator):
        labels = fitted_estimator.predict(self.X)
        point = {
            "init": init,
            "epoch": epoch,
            "seconds": self._clock.time - self._begin - self.seconds,
            "acc": clustering_accuracy(self.y, labels),
            "purity": purity_score(self.y, labels),
        }
        if self.X_val is not None:
            point["score"] = fitted_estimator.score(self.X_val)
        self.points.append(point)

    def columns(self):
        """All points, by column.

        Returns
        -------
        columns : dict of str to list
            Empty without points.
        """
        names = self.points[0] if self.points else ()
        return {name: [point[name] for point in self.points] for name in names}

    def score_at(self, epoch, score):
        """A score at the last point that is not after an epoch.

        Parameters
        ----------
        epoch : int
            From 1.
        score : {"acc", "purity"}
            Which score.

        Returns
        -------
        value : float or None
            None if there is no such point, or if there are several restarts: this
            callback does not know which of them was kept.
        """
        before = [point for point in self.points if point["epoch"] <= epoch]
        one_restart = len({point["init"] for point in self.points}) == 1
        return before[-1][score] if before and one_restart else None


def fit_and_record(
    runs,
    estimator,
    X,
    y,
    *,
    data,
    setting,
    seed,
    every=None,
    score_on=None,
    test=None,
    extra=None,
):
    """Fit, score and write one line, unless it is on file.

    Parameters
    ----------
    runs : Runs
        Where to.
    estimator : estimator
        Not fitted; with `random_state` set to the seed.
    X : array-like of shape (n_samples, n_features)
        Rows.
    y : array-like of shape (n_samples,)
        Classes; not given to the fit.
    data, setting : str
        What is fitted on what.
    seed : int
        The `random_state`.
    every : int or None, default=None
        Record a :class:`Curve` with a point every so many epochs.
    score_on : dict of str to array-like, default=None
        Name in the line and rows of every log-likelihood to record. The first one
        whose name is not ``"score"`` is also part of the curve.
    test : tuple of (X, y) or None, default=None
        Rows that are not fitted, whose scores get names that end in ``_test``.
    extra : callable or None, default=None
        From the fitted estimator to a dict of more results. With the number of epochs,
        `n_epochs`, among them the seconds of an epoch are recorded too.

    Returns
    -------
    estimator : estimator
        Fitted; the line itself may have been on file.

    Raises
    ------
    KeyboardInterrupt
        If the fit was interrupted, even where the estimator would go on: half a fit
        is no result.
    """
    score_on = score_on or {}
    held_out = [rows for name, rows in score_on.items() if name != "score"]
    curve = Curve(X, y, every or 1, *held_out[:1])
    if every and hasattr(estimator, "set_callbacks"):
        estimator.set_callbacks(*curve.callbacks)
    with _not_interrupted():
        start = perf_counter()
        estimator.fit(X)
        seconds = perf_counter() - start - curve.seconds
    if not runs.done(data, setting, seed):
        more = extra(estimator) if extra else {}
        if "n_epochs" in more:
            more["seconds_per_epoch"] = seconds / more["n_epochs"]
        line = runs.record(
            data,
            setting,
            seed,
            seconds=seconds,
            device=device_name(estimator),
            **evaluate(estimator, X, y, curve, score_on),
            **(test_scores(estimator, *test) if test else {}),
            **more,
        )
        print(
            f"{data}, {setting}, seed {seed}: ACC {line['acc']:.3f}, "
            f"{line['seconds']:.1f} s",
            flush=True,
        )
    return estimator


def evaluate(estimator, X, y, curve, score_on):
    """Everything that a line holds about a fitted estimator.

    Parameters
    ----------
    estimator : estimator
        Fitted to X.
    X : array-like of shape (n_samples, n_features)
        Rows.
    y : array-like of shape (n_samples,)
        Classes.
    curve : Curve
        With its points, or none.
    score_on : dict of str to array-like
        Rows to score, by the name of the score.

    Returns
    -------
    results : dict
        The `scores`; `acc_start` and `acc_guided`, the accuracy of the start and at
        the end of its guidance, and their purities; log-likelihoods in nats per row;
        `n_iter`, `curve` and `estimator`.
    """
    labels = getattr(estimator, "labels_", None)
    labels = estimator.predict(X) if labels is None else labels
    soft = hasattr(estimator, "predict_proba")
    results = scores(y, labels, estimator.predict_proba(X) if soft else None)
    start = getattr(estimator, "start_labels_", None)
    if start is not None:
        results["acc_start"] = clustering_accuracy(y, start)
        results["purity_start"] = purity_score(y, start)
    for name in ("acc", "purity"):
        epoch = getattr(estimator, "n_iter_guided_", None) or 0
        guided = curve.score_at(epoch, name)
        if guided is not None:
            results[f"{name}_guided"] = guided
    if hasattr(estimator, "score_samples"):
        results |= {name: estimator.score(rows) for name, rows in score_on.items()}
    if hasattr(estimator, "n_iter_"):
        results["n_iter"] = estimator.n_iter_
    if curve.points:
        results["curve"] = curve.columns()
    results["estimator"] = " ".join(repr(estimator).split())
    return results


def test_scores(estimator, X, y):
    """Scores of rows that were not fitted.

    Parameters
    ----------
    estimator : estimator
        Fitted, with `predict_proba`.
    X : array-like of shape (n_samples, n_features)
        Rows.
    y : array-like of shape (n_samples,)
        Classes.

    Returns
    -------
    scores : dict of str to float
        As `scores`, with ``_test`` after every name.
    """
    proba = estimator.predict_proba(X)
    found = scores(y, proba.argmax(axis=1), proba)
    return {f"{name}_test": score for name, score in found.items()}


def record_baselines(
    runs,
    X,
    y,
    n_clusters,
    *,
    data,
    inputs,
    seed,
    score_on=None,
    baselines=baselines,
):
    """Fit the baselines that are not on file.

    Parameters
    ----------
    runs : Runs
        Where to.
    X : array-like of shape (n_samples, n_features)
        Rows.
    y : array-like of shape (n_samples,)
        Classes.
    n_clusters : int
        Number of clusters.
    data : str
        Name of the data.
    inputs : str
        What X is, ends up in the name of the setting.
    seed : int
        The `random_state`.
    score_on : dict of str to array-like, default=None
        Rows to score, by the name of the score.
    baselines : callable, default=baselines
        From (X, n_clusters, seed) to names and estimators.
    """
    for name, estimator in baselines(X, n_clusters, seed):
        key = {"data": data, "setting": f"{name}, {inputs}", "seed": seed}
        if not runs.done(**key):
            fit_and_record(runs, estimator, X, y, **key, score_on=score_on)


def baseline_settings(X, n_clusters, inputs, baselines=baselines):
    """Names that :func:`record_baselines` gives.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Rows, or anything of the same shape.
    n_clusters : int
        Number of clusters.
    inputs : str
        What X is.
    baselines : callable, default=baselines
        From (X, n_clusters, seed) to names and estimators.

    Returns
    -------
    settings : list of str
        In order.
    """
    return [f"{name}, {inputs}" for name, _ in baselines(X, n_clusters, None)]


@contextmanager
def _not_interrupted():
    """Raise KeyboardInterrupt at the end if Ctrl-C came, whoever swallowed it."""
    hits = []

    def handler(number, frame):
        hits.append(number)
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
    if hits:
        raise KeyboardInterrupt


# The command line


def alone(function, *args):
    """Call a function in a process of its own; warn if it fails.

    Parameters
    ----------
    function : callable
        Of a module that the process can import.
    *args : object
        What can be pickled.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context) as executor:
        error = executor.submit(function, *args).exception()
    if error is not None:
        text = f"{function.__name__}{args} failed: {error!r}"
        warnings.warn(text, RuntimeWarning, stacklevel=2)


def timing_parser(description, repeats=None):
    """Options of scripts that time calls.

    Parameters
    ----------
    description : str
        First line of the help.
    repeats : int or None, default=None
        Default of `--repeats`; None is no such option.

    Returns
    -------
    parser : argparse.ArgumentParser
        With `threads`, `results` and `repeats`.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--threads", type=int, help="default: as they are")
    parser.add_argument(
        "--results", metavar="DIR", type=Path, default=RESULTS, help="of the .jsonl"
    )
    if repeats is not None:
        parser.add_argument("--repeats", type=int, default=repeats)
    return parser


def parser(description, rows):
    """Options of scripts that fit models to data sets.

    Parameters
    ----------
    description : str
        First line of the help.
    rows : iterable of str
        Names of what `--rows` can choose from.

    Returns
    -------
    parser : argparse.ArgumentParser
        With `data_home`, `rows`, `seeds`, `threads`, `device` and `results`.
    """
    parser = timing_parser(description)
    parser.add_argument(
        "--data-home",
        metavar="DIR",
        help="folder with mnist.npz and the like; what OpenML has is fetched into it",
    )
    parser.add_argument(
        "--rows",
        type=choices(tuple(rows)),
        default=list(rows),
        help=f"comma-separated, of {', '.join(rows)}; default: all",
    )
    parser.add_argument(
        "--seeds",
        type=_seeds,
        help="comma-separated, instead of those of the row",
    )
    parser.add_argument("--device", default="auto", help="of our estimators")
    return parser


def choices(known):
    """Type of an option that takes some of what is known, separated by commas.

    Parameters
    ----------
    known : tuple of str
        What can be chosen from.

    Returns
    -------
    parse : callable
        From the text of the option to a list.
    """

    def parse(text):
        unknown = sorted(set(text.split(",")) - set(known))
        if unknown:
            raise argparse.ArgumentTypeError(
                f"expected some of {', '.join(known)}, got {', '.join(unknown)}"
            )
        return text.split(",")

    return parse


def _seeds(text):
    try:
        return [int(seed) for seed in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"expected integers such as 0,1,2, got {text!r}"
        ) from None
