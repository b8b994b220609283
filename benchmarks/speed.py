"""Speed beside ClustPy and the machine's own, in alternating repeats.

    python benchmarks/speed.py [--rows epoch256,predict] [--repeats 5] [--threads 2]

appends to ``benchmarks/results/speed.jsonl`` and skips what is there;
``python benchmarks/tables.py`` makes the table of the documentation. ClustPy comes with
``pip install skdeepmix[bench]``. Networks have 784-500-500-2000-10 units, and rows are
random: their values do not change the time of a step.
"""

import sys
from functools import partial
from pathlib import Path
from time import perf_counter

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent))

from _runs import Runs, parser, set_threads
from peers import LAYERS, N_LATENT, Row, Task, clustpy

from skdeepmix import GaussianMixtureVAE
from skdeepmix.networks import MLP

N_FEATURES = 784
N_CLUSTERS = 10
N_ROWS = 256 * 40
# An epoch is what a fit of so many more takes longer.
N_EPOCHS = 3
# Side of the square matrices whose product is the machine's peak, and repeats of it.
PEAK_SIDE = 2048
N_PRODUCTS = 5
N_PREDICTED = 100_000


def ours(batch_size, precision, n_epochs):
    """Our model of the family of VaDE.

    Parameters
    ----------
    batch_size : int
        Number of rows per step.
    precision : str
        Of the training.
    n_epochs : int
        Number of epochs, without pre-training.

    Returns
    -------
    model : GaussianMixtureVAE
        Not fitted.
    """
    return GaussianMixtureVAE(
        N_CLUSTERS,
        n_latent=N_LATENT,
        encoder=MLP(LAYERS),
        likelihood="bernoulli",
        init="random",
        batch_size=batch_size,
        max_iter=n_epochs,
        precision=precision,
        device="cpu",
        random_state=0,
    )


def theirs(batch_size, n_epochs):
    """The VaDE of ClustPy.

    Parameters
    ----------
    batch_size : int
        Number of rows per step.
    n_epochs : int
        Number of epochs, after one of pre-training.

    Returns
    -------
    model : clustpy.deep.VaDE
        Not fitted.
    """
    task = Task(Row(None, N_CLUSTERS, "bernoulli"), 0, N_FEATURES, "cpu")
    model = dict(clustpy(task))["VaDE"]
    return model.set_params(
        batch_size=batch_size, pretrain_epochs=1, clustering_epochs=n_epochs
    )


def contestants(batch_size):
    """Makers of models by the name of their setting.

    Parameters
    ----------
    batch_size : int
        Number of rows per step.

    Returns
    -------
    makers : dict of str to callable
        From a number of epochs to a model.
    """
    return {
        "ClustPy VaDE": partial(theirs, batch_size),
        "ours, float32": partial(ours, batch_size, "float32"),
        "ours, auto": partial(ours, batch_size, "auto"),
    }


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


def epoch_seconds(make, X):
    """Time of an epoch: a fit of several less one of a single epoch.

    Parameters
    ----------
    make : callable
        From a number of epochs to a model.
    X : ndarray of shape (n_samples, n_features)
        Rows.

    Returns
    -------
    seconds : float
        Per epoch.
    """
    one, many = (timed(make(n).fit, X) for n in (1, 1 + N_EPOCHS))
    return (many - one) / N_EPOCHS


def peak(dtype):
    """Operations per second of a product of square matrices.

    Parameters
    ----------
    dtype : torch.dtype
        Of the matrices.

    Returns
    -------
    peak : float
        Multiplications and additions, of the fastest of several products.
    """
    a, b = torch.rand(2, PEAK_SIDE, PEAK_SIDE).to(dtype)
    torch.mm(a, b)
    return 2 * PEAK_SIDE**3 / min(timed(torch.mm, a, b) for _ in range(N_PRODUCTS))


def operations(n_rows):
    """Operations of the matrix products of an epoch.

    Parameters
    ----------
    n_rows : int
        Number of rows.

    Returns
    -------
    operations : int
        Forward, and twice as many backward but for the gradient of the rows.
    """
    encoder = N_FEATURES, *LAYERS, 2 * N_LATENT
    decoder = N_LATENT, *reversed(LAYERS), N_FEATURES
    weights = sum(
        n_in * n_out
        for sizes in (encoder, decoder)
        for n_in, n_out in zip(sizes, sizes[1:], strict=False)
    )
    return 2 * n_rows * (3 * weights - N_FEATURES * LAYERS[0])


def measure_epochs(batch_size, data, repeat, runs):
    """Time an epoch of every contestant, and the machine's products.

    Parameters
    ----------
    batch_size : int
        Number of rows per step.
    data : str
        Name in the lines.
    repeat : int
        Which repeat.
    runs : Runs
        Where to.
    """
    X = np.random.RandomState(0).rand(N_ROWS, N_FEATURES).astype(np.float32)
    peaks = {
        f"peak_{name}": peak(dtype) / 1e9
        for name, dtype in {"float32": torch.float32, "bf16": torch.bfloat16}.items()
    }
    for setting, make in contestants(batch_size).items():
        if not runs.done(data, setting, repeat):
            seconds = epoch_seconds(make, X)
            rate = operations(N_ROWS) / seconds / 1e9
            shares = {
                name.replace("peak", "share"): rate / value
                for name, value in peaks.items()
            }
            runs.record(data, setting, repeat, seconds=seconds, **peaks, **shares)


def measure_predict(data, repeat, runs):
    """Time the labels of many rows.

    Parameters
    ----------
    data : str
        Name in the lines.
    repeat : int
        Which repeat.
    runs : Runs
        Where to.
    """
    rng = np.random.RandomState(0)
    X = rng.rand(N_ROWS, N_FEATURES).astype(np.float32)
    more = rng.rand(N_PREDICTED, N_FEATURES).astype(np.float32)
    for setting, make in contestants(256).items():
        if runs.done(data, setting, repeat):
            continue
        model = make(1).fit(X)
        seconds = timed(model.predict, more)
        equal = {}
        if isinstance(model, GaussianMixtureVAE):
            some = more[:N_ROWS]
            same = model.predict(some) == model.predict(some.astype(np.float64))
            equal["equal"] = same.mean()
        runs.record(
            data, setting, repeat, seconds=seconds, rate=N_PREDICTED / seconds, **equal
        )


ROWS = {
    "epoch256": partial(measure_epochs, 256),
    "epoch1024": partial(measure_epochs, 1024),
    "predict": measure_predict,
}


def main(argv=None):
    """Run the rows that the command line names.

    Parameters
    ----------
    argv : list of str or None, default=None
        Arguments; None takes those of the process.
    """
    options = parser(__doc__.splitlines()[0], ROWS)
    options.add_argument("--repeats", type=int, default=5)
    args = options.parse_args(argv)
    set_threads(args.threads)
    runs = Runs(args.results / "speed.jsonl")
    for row in args.rows:
        for repeat in range(args.repeats):
            ROWS[row](row, repeat, runs)


if __name__ == "__main__":
    main()
