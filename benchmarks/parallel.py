"""What a second core gains, and what an import costs.

    python benchmarks/parallel.py [--repeats 5]

fits the default GaussianMixtureVAE to the digits, in alternating repeats: restarts and
candidates of a grid search one after the other, with all threads for one fit at a time,
and side by side, in processes and in threads, there also with one thread for all of
BLAS. Imports are those of new processes. Lines are appended to
``benchmarks/results/parallel.jsonl``, and what is there is skipped.
"""

import subprocess
import sys
from functools import partial
from pathlib import Path

import torch
from joblib import parallel_config
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).resolve().parent))

from _runs import Runs, set_threads, timed, timing_parser

from skdeepmix import GaussianMixtureVAE

FIXED = {"device": "cpu", "random_state": 0}
GRID = {"n_latent": [5, 10]}
IMPORTS = ("import skdeepmix", "import torch, sklearn.cluster, sklearn.mixture")


def restarts(X, n_jobs):
    """Fit with two restarts.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Rows.
    n_jobs : int
        How many side by side.
    """
    model = GaussianMixtureVAE(10, n_init=2, n_jobs=n_jobs, **FIXED)
    model.fit(X)


def grid_search(backend, X, n_jobs):
    """Search a grid of two candidates with two folds.

    Parameters
    ----------
    backend : str
        Of joblib.
    X : ndarray of shape (n_samples, n_features)
        Rows.
    n_jobs : int
        How many fits side by side.
    """
    model = GaussianMixtureVAE(10, **FIXED)
    with parallel_config(backend):
        GridSearchCV(model, GRID, cv=2, n_jobs=n_jobs, refit=False).fit(X)


def grid_search_beside_limited_blas(X, n_jobs):
    """Search in threads, with one thread for all of BLAS.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Rows.
    n_jobs : int
        How many fits side by side.
    """
    with threadpool_limits(1, "blas"):
        grid_search("threading", X, n_jobs)


def start_python(code):
    """Run code in a new process.

    Parameters
    ----------
    code : str
        What to run.
    """
    subprocess.run([sys.executable, "-c", code], check=True)


def main(argv=None):
    """Time every pair of calls in turns.

    Parameters
    ----------
    argv : list of str or None, default=None
        Arguments; None takes those of the process.

    Raises
    ------
    RuntimeError
        If a call leaves torch with another number of threads.
    """
    X, _ = load_digits(return_X_y=True)
    calls = {
        "restarts": restarts,
        "processes": partial(grid_search, "loky"),
        "threads": partial(grid_search, "threading"),
        "threads beside limited BLAS": grid_search_beside_limited_blas,
    }
    rows = {
        f"{name}, n_jobs 1 and 2": [partial(call, X, n_jobs) for n_jobs in (1, 2)]
        for name, call in calls.items()
    }
    title = "import of skdeepmix, of torch and scikit-learn"
    rows[title] = [partial(start_python, code) for code in IMPORTS]
    args = timing_parser(__doc__.splitlines()[0], repeats=5).parse_args(argv)
    set_threads(args.threads)
    runs = Runs(args.results / "parallel.jsonl")
    threads = torch.get_num_threads()
    for setting, pair in rows.items():
        todo = [i for i in range(args.repeats) if not runs.done("digits", setting, i)]
        if todo:
            for call in pair:
                call()  # the first call of a process takes longer
        for repeat in todo:
            first, second = map(timed, pair)
            runs.record("digits", setting, repeat, seconds=second, beside=first)
        if torch.get_num_threads() != threads:
            raise RuntimeError(
                f"Expected {threads} threads of torch after {setting}, but found "
                f"{torch.get_num_threads()}."
            )


if __name__ == "__main__":
    main()
