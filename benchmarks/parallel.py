"""What a second core gains, and what an import costs.

    python benchmarks/parallel.py [--repeats 5] [--n-init 4]

fits the default GaussianMixtureVAE to the digits, in alternating repeats: restarts and
candidates of a grid search one after the other, with all threads for one fit at a time,
and side by side, in processes and in threads, there also with one thread for all of
BLAS. Imports are those of new processes.
"""

import argparse
import subprocess
import sys
from functools import partial
from pathlib import Path
from statistics import mean, stdev

import torch
from joblib import parallel_config
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).resolve().parent))

from _runs import timed

from skdeepmix import GaussianMixtureVAE

GRID = {"n_latent": [5, 10]}
IMPORTS = {
    "torch, scikit-learn": "import torch, sklearn.cluster, sklearn.mixture",
    "skdeepmix": "import skdeepmix",
}


def restarts(n_init, X, n_jobs):
    """Fit with several restarts.

    Parameters
    ----------
    n_init : int
        Number of restarts.
    X : ndarray of shape (n_samples, n_features)
        Rows.
    n_jobs : int
        How many side by side.
    """
    GaussianMixtureVAE(10, n_init=n_init, n_jobs=n_jobs, random_state=0).fit(X)


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


def compare(title, first, second, repeats):
    """Print the mean and the spread of the ratio of two times.

    Parameters
    ----------
    title : str
        What is compared.
    first, second : callable
        Called in turns, once before that.
    repeats : int
        How often.
    """
    first()
    second()
    ratios, seconds = [], []
    for _ in range(repeats):
        one, other = timed(first), timed(second)
        ratios.append(one / other)
        seconds.append((one, other))
    spread = stdev(ratios) if len(ratios) > 1 else 0.0
    one, other = (mean(times) for times in zip(*seconds, strict=True))
    print(
        f"{title}: {one:.1f} s / {other:.1f} s = {mean(ratios):.2f} ± {spread:.2f}",
        flush=True,
    )


def main(argv=None):
    """Print every ratio.

    Parameters
    ----------
    argv : list of str or None, default=None
        Arguments; None takes those of the process.
    """
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--repeats", type=int, default=5)
    options.add_argument("--n-init", type=int, default=4)
    args = options.parse_args(argv)
    X, _ = load_digits(return_X_y=True)
    pairs = {
        "restarts, n_jobs = 1 / -1": [
            partial(restarts, args.n_init, X, n_jobs) for n_jobs in (1, -1)
        ],
        **{
            f"GridSearchCV, {backend}, n_jobs = 1 / 2": [
                partial(grid_search, backend, X, n_jobs) for n_jobs in (1, 2)
            ]
            for backend in ("loky", "threading")
        },
        "GridSearchCV, threading, BLAS limited, n_jobs = 1 / 2": [
            partial(grid_search_beside_limited_blas, X, n_jobs) for n_jobs in (1, 2)
        ],
        "import of skdeepmix / of torch and scikit-learn": [
            partial(start_python, IMPORTS[name])
            for name in ("skdeepmix", "torch, scikit-learn")
        ],
    }
    threads = torch.get_num_threads()
    for title, (first, second) in pairs.items():
        compare(title, first, second, args.repeats)
    print(f"threads of torch before and after: {threads}, {torch.get_num_threads()}")


if __name__ == "__main__":
    main()
