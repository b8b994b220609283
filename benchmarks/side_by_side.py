"""Time of an epoch of K networks side by side, beside that of one.

    python benchmarks/side_by_side.py [--repeats 5] [--threads 1] [--clusters 2 5 10]

trains mixtures of VAEs with small networks, in alternating repeats, appends to
``benchmarks/results/side_by_side.jsonl`` and skips what is there.
"""

import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent))

from _runs import Runs, set_threads, timed, timing_parser

from skdeepmix import MixtureOfVAEs
from skdeepmix.networks import MLP

N_EPOCHS = 5
N_ROWS = 256 * 40


def seconds(n_clusters, X):
    """Wall-clock time of an epoch.

    Parameters
    ----------
    n_clusters : int
        Number of components.
    X : ndarray of shape (n_samples, n_features)
        Rows.

    Returns
    -------
    seconds : float
        A fit of several epochs less one of a single epoch, per epoch.
    """
    times = []
    for n_epochs in (1, 1 + N_EPOCHS):
        model = MixtureOfVAEs(
            n_clusters,
            encoder=MLP((64, 64)),
            init="random",
            max_iter=n_epochs,
            batch_size=256,
            device="cpu",
            random_state=0,
        )
        times.append(timed(model.fit, X))
    return (times[1] - times[0]) / N_EPOCHS


def main(argv=None):
    """Time several numbers of components, each beside a single one.

    Parameters
    ----------
    argv : list of str or None, default=None
        Arguments; None takes those of the process.
    """
    options = timing_parser(__doc__.splitlines()[0], repeats=5)
    options.add_argument("--clusters", type=int, nargs="+", default=[2, 5, 10, 50, 100])
    args = options.parse_args(argv)
    set_threads(args.threads)
    runs = Runs(args.results / "side_by_side.jsonl")
    data = f"threads: {torch.get_num_threads()}"
    X = np.random.RandomState(0).randn(N_ROWS, 64).astype(np.float32)
    seconds(1, X)  # the first fit of a process takes longer
    for n_clusters in args.clusters:
        setting = f"K = {n_clusters}"
        for repeat in range(args.repeats):
            if not runs.done(data, setting, repeat):
                one, many = (seconds(k, X) for k in (1, n_clusters))
                runs.record(data, setting, repeat, seconds=many, beside=one)


if __name__ == "__main__":
    main()
