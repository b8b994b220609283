"""Time of restarts one after the other, relative to that side by side.

    python benchmarks/parallel_restarts.py [--repeats 5] [--n-init 4]

fits the default GaussianMixtureVAE to the digits, in alternating repeats:
``n_jobs=1`` has all threads for one fit at a time, ``n_jobs=-1`` one core for each.
"""

import argparse
from statistics import mean, stdev
from time import perf_counter

from sklearn.datasets import load_digits

from skdeepmix import GaussianMixtureVAE


def seconds(n_jobs, n_init, X):
    """Wall-clock time of a fit.

    Parameters
    ----------
    n_jobs : int
        Number of processes.
    n_init : int
        Number of restarts.
    X : ndarray of shape (n_samples, n_features)
        Rows.

    Returns
    -------
    seconds : float
        Of `fit`.
    """
    model = GaussianMixtureVAE(10, n_init=n_init, n_jobs=n_jobs, random_state=0)
    start = perf_counter()
    model.fit(X)
    return perf_counter() - start


def main(argv=None):
    """Print every pair of times, and the mean and spread of their ratios.

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
    seconds(-1, args.n_init, X[:100])  # starts the processes
    ratios = []
    for _ in range(args.repeats):
        one, many = (seconds(n_jobs, args.n_init, X) for n_jobs in (1, -1))
        ratios.append(one / many)
        print(f"n_jobs=1 {one:.1f} s, n_jobs=-1 {many:.1f} s", flush=True)
    spread = stdev(ratios) if len(ratios) > 1 else 0.0
    print(f"ratio {mean(ratios):.2f} ± {spread:.2f}")


if __name__ == "__main__":
    main()
