"""Time of an epoch of K networks side by side, beside that of one.

    python benchmarks/side_by_side.py [--rows MixtureOfVAEs] [--repeats 5] [--threads 1]

trains mixtures with small networks, in alternating repeats, appends to
``benchmarks/results/side_by_side.jsonl`` and skips what is there.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent))

from _runs import RESULTS, Runs, choices, set_threads, timed

from skdeepmix import MixtureOfNetworks, MixtureOfVAEs
from skdeepmix.networks import MLP

SPEC = MLP((64, 64))
MODELS = {
    "MixtureOfVAEs": MixtureOfVAEs(encoder=SPEC, init="random"),
    # Without an autoencoder, whose time would not depend on K.
    "MixtureOfNetworks": MixtureOfNetworks(
        networks=SPEC, n_latent=None, hard_fraction=0.0, init="random"
    ),
}
N_EPOCHS = 5
N_ROWS = 256 * 40
N_FEATURES = {"MixtureOfVAEs": 64, "MixtureOfNetworks": 10}


def seconds(model, n_clusters, X):
    """Wall-clock time of an epoch.

    Parameters
    ----------
    model : estimator
        One of our models.
    n_clusters : int
        Number of components.
    X : ndarray of shape (n_samples, n_features)
        Rows.

    Returns
    -------
    seconds : float
        A fit of several epochs less one of a single epoch, per epoch.
    """
    model.set_params(n_clusters=n_clusters, batch_size=256, random_state=0)
    one, more = (
        timed(model.set_params(max_iter=n_epochs).fit, X)
        for n_epochs in (1, 1 + N_EPOCHS)
    )
    return (more - one) / N_EPOCHS


def main(argv=None):
    """Time several numbers of components.

    Parameters
    ----------
    argv : list of str or None, default=None
        Arguments; None takes those of the process.
    """
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rows", type=choices(tuple(MODELS)), default=list(MODELS))
    options.add_argument("--repeats", type=int, default=5)
    options.add_argument("--threads", type=int, help="default: as they are")
    options.add_argument(
        "--clusters", type=int, nargs="+", default=[1, 2, 5, 10, 50, 100]
    )
    options.add_argument("--results", metavar="DIR", type=Path, default=RESULTS)
    args = options.parse_args(argv)
    set_threads(args.threads)
    runs = Runs(args.results / "side_by_side.jsonl")
    for row in args.rows:
        size = N_ROWS, N_FEATURES[row]
        X = np.random.RandomState(0).randn(*size).astype(np.float32)
        seconds(MODELS[row], 1, X)  # the first fit of a process takes longer
        data = f"{row}, threads: {torch.get_num_threads()}"
        for repeat in range(args.repeats):
            for n_clusters in args.clusters:
                setting = f"K = {n_clusters}"
                if not runs.done(data, setting, repeat):
                    found = seconds(MODELS[row], n_clusters, X)
                    runs.record(data, setting, repeat, seconds=found)


if __name__ == "__main__":
    main()
