"""What a second core gains, and what an import costs.

    python benchmarks/parallel.py [--rows restarts,import] [--repeats 5]

fits the default GaussianMixtureVAE to the digits, in alternating repeats: restarts and
candidates of a grid search one after the other, with all threads for one fit at a time,
and side by side, in processes and in threads, there also with one thread for all of
BLAS. Imports are those of new processes. Lines are appended to
``benchmarks/results/parallel.jsonl``, and what is there is skipped.
"""

import argparse
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

from _runs import RESULTS, Runs, choices, timed

from skdeepmix import GaussianMixtureVAE

GRID = {"n_latent": [5, 10]}
IMPORTS = {
    "skdeepmix": "import skdeepmix",
    "torch, scikit-learn": "import torch, sklearn.cluster, sklearn.mixture",
}


def restarts(X, n_jobs):
    """Fit with two restarts.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Rows.
    n_jobs : int
        How many side by side.
    """
    GaussianMixtureVAE(10, n_init=2, n_jobs=n_jobs, random_state=0).fit(X)


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
    model = GaussianMixtureVAE(10, random_state=0)
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
        name: {f"n_jobs = {n}": partial(call, X, n) for n in (1, 2)}
        for name, call in calls.items()
    }
    rows["import"] = {
        name: partial(start_python, code) for name, code in IMPORTS.items()
    }
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rows", type=choices(tuple(rows)), default=list(rows))
    options.add_argument("--repeats", type=int, default=5)
    options.add_argument("--results", metavar="DIR", type=Path, default=RESULTS)
    args = options.parse_args(argv)
    runs = Runs(args.results / "parallel.jsonl")
    threads = torch.get_num_threads()
    for row in args.rows:
        todo = [
            (setting, repeat)
            for repeat in range(args.repeats)
            for setting in rows[row]
            if not runs.done(row, setting, repeat)
        ]
        for setting in rows[row] if todo else ():
            rows[row][setting]()  # the first call of a process takes longer
        for setting, repeat in todo:
            runs.record(row, setting, repeat, seconds=timed(rows[row][setting]))
    if threads != torch.get_num_threads():
        raise RuntimeError(f"{threads} threads of torch became others.")


if __name__ == "__main__":
    main()
