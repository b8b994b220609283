"""Speed beside ClustPy and the machine's own, in alternating repeats.

    python benchmarks/speed.py --data-home DIR [--rows predict] [--device cuda]

appends to ``benchmarks/results/speed.jsonl``, where repeats are numbered on from those
that are there: every run is measured as a whole. ``python benchmarks/tables.py`` makes
the table of the documentation, with rows for every commit. ClustPy comes with
``pip install -e ".[bench]"`` and is left out if it is not there. Everything runs on
one device. Networks have 784-500-500-2000-10 units, and the rows of an epoch are
random: their values do not change the time of a step. Labels are those of MNIST. Set
``TORCHINDUCTOR_FORCE_DISABLE_CACHES=1`` to have what torch compiles compiled in every
repeat.
"""

import os
import sys
from functools import partial
from itertools import pairwise
from pathlib import Path
from time import perf_counter
from unittest import mock

import numpy as np
import torch
from sklearn.callback import FitCallback
from sklearn.datasets import load_digits

sys.path.insert(0, str(Path(__file__).resolve().parent))

from _runs import Runs, choices, device_name, set_threads, timed, timing_parser
from peers import (
    LAYERS,
    N_LATENT,
    Row,
    Task,
    clustpy,
    cross_entropy,
    installed,
)
from peers import (
    ROWS as DATA,
)

from skdeepmix import GaussianMixtureVAE, _cuda_graphs
from skdeepmix._gaussian_mixture_vae import GaussianMixtureVAEModule
from skdeepmix._training import resolve_device
from skdeepmix.metrics import clustering_accuracy
from skdeepmix.networks import MLP

N_FEATURES = 784
ENCODER = N_FEATURES, *LAYERS, 2 * N_LATENT
N_CLUSTERS = 10
N_ROWS = 256 * 40
# Epochs that are timed, after one that is not.
N_EPOCHS = 3
# Side of the square matrices whose product is the machine's peak, products that are
# timed together, and repeats.
PEAK_SIDE = {"cpu": 2048, "cuda": 8192}
N_TOGETHER = {"cpu": 1, "cuda": 20}
N_PEAKS = 5
# How often the 10,000 test images are labelled in one call.
N_COPIES = 10


class EpochClock(FitCallback):
    """Callback that notes when epochs end.

    Attributes
    ----------
    begin : float
        When the fit began, in seconds.
    stamps : list of float
        In seconds, one per epoch.
    """

    def __init__(self):
        self.begin = 0.0
        self.stamps = []

    def setup(self, estimator, context):
        """Note when the fit begins."""
        self.begin = perf_counter()

    def on_fit_task_end(self, estimator, context, **fitted):
        """Note the time if the task is an epoch."""
        if context.task_name == "epoch":
            self.stamps.append(perf_counter())

    def seconds(self):
        """Mean time of the last epochs.

        Returns
        -------
        seconds : float
            Per epoch.
        """
        return (self.stamps[-1] - self.stamps[-1 - N_EPOCHS]) / N_EPOCHS


class StepClock(EpochClock):
    """Loss that notes when it is called, once a step.

    Parameters
    ----------
    n_steps : int
        Number of steps of an epoch.
    """

    def __init__(self, n_steps):
        super().__init__()
        self.n_steps = n_steps

    def __call__(self, rows, target):
        """Cross-entropy, and a note of the time."""
        self.stamps.append(perf_counter())
        return cross_entropy(rows, target)

    def seconds(self):
        """Mean time of the last epochs.

        Returns
        -------
        seconds : float
            Per epoch, from one step to the same step some epochs later.
        """
        first = self.stamps[-1 - N_EPOCHS * self.n_steps]
        return (self.stamps[-1] - first) / N_EPOCHS


class CompiledModule(GaussianMixtureVAEModule):
    """Our module with networks that torch compiles at their first call."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        torch.compiler.reset()  # each fit compiles anew, as in a new process
        self.encoder.compile()
        self.decoder.compile()


class CompiledVAE(GaussianMixtureVAE):
    """Our model with compiled networks."""

    _module_class = CompiledModule


class ReplayedVAE(GaussianMixtureVAE):
    """Our model with steps that are replayed as a CUDA graph."""

    def fit(self, X, y=None):
        """Fit with the switch of the environment on."""
        with mock.patch.dict(os.environ, {_cuda_graphs.SWITCH: "1"}):
            return super().fit(X, y)


def ours(precision, model_class, device, batch_size):
    """Our model of the family of VaDE.

    Parameters
    ----------
    precision : str
        Of the training.
    model_class : type
        Of the model.
    device : str
        Where to train.
    batch_size : int
        Number of rows per step.

    Returns
    -------
    model : GaussianMixtureVAE
        Not fitted.
    clock : EpochClock
        Of its fit.
    """
    model = model_class(
        N_CLUSTERS,
        n_latent=N_LATENT,
        encoder=MLP(LAYERS),
        likelihood="bernoulli",
        init="random",
        batch_size=batch_size,
        max_iter=1 + N_EPOCHS,
        precision=precision,
        device=device,
        random_state=0,
    )
    clock = EpochClock()
    return model.set_callbacks(clock), clock


def theirs(model, batch_size):
    """The VaDE of ClustPy.

    Parameters
    ----------
    model : clustpy.deep.VaDE
        With the networks.
    batch_size : int
        Number of rows per step.

    Returns
    -------
    model : clustpy.deep.VaDE
        Not fitted.
    clock : StepClock
        Of its fit.
    """
    clock = StepClock(-(-N_ROWS // batch_size))
    model.set_params(
        batch_size=batch_size,
        pretrain_epochs=1,
        clustering_epochs=1 + N_EPOCHS,
        ssl_loss_fn=clock,
    )
    return model, clock


def contestants(device):
    """Makers of models by the name of their setting.

    Parameters
    ----------
    device : str
        Where to train.

    Returns
    -------
    makers : dict of str to callable
        From the number of rows per step to a model and its clock.
    """
    task = Task(Row(None, N_CLUSTERS, "bernoulli"), 0, N_FEATURES, device)
    makers = {
        f"ClustPy {name}": partial(theirs, model)
        for name, model in clustpy(task)
        if name == "VaDE"
    }
    for precision in ("float32", "auto"):
        maker = partial(ours, precision, GaussianMixtureVAE, device)
        makers[f"ours, {precision}"] = maker
    return makers


def variants(device):
    """Makers of our models that are trained in other ways, as :func:`contestants`.

    Parameters
    ----------
    device : str
        Where to train.

    Returns
    -------
    makers : dict of str to callable
        From the number of rows per step to a model and its clock.
    """
    makers = {"ours, auto, compiled": partial(ours, "auto", CompiledVAE, device)}
    if device != "cpu":
        makers["ours, auto, replayed"] = partial(ours, "auto", ReplayedVAE, device)
    return makers


def peak(dtype, device):
    """Operations per second of a product of square matrices.

    Parameters
    ----------
    dtype : torch.dtype
        Of the matrices.
    device : str
        Where they lie.

    Returns
    -------
    peak : float
        Multiplications and additions, of the fastest of several products.
    """
    kind = torch.device(device).type
    side, n_products = PEAK_SIDE[kind], N_TOGETHER[kind]
    a, b = torch.rand(2, side, side).to(device, dtype)

    def multiply():
        for _ in range(n_products):
            torch.mm(a, b)
        if kind == "cuda":
            torch.cuda.synchronize(device)

    multiply()
    seconds = min(timed(multiply) for _ in range(N_PEAKS)) / n_products
    return 2 * side**3 / seconds


def operations(n_rows):
    """Operations of the matrix products of an epoch of a VAE.

    Parameters
    ----------
    n_rows : int
        Number of rows.

    Returns
    -------
    operations : int
        Forward, and twice as many backward but for the gradient of the rows. What
        models have beside such a VAE, 2 % for ours, is not counted.
    """
    decoder = _products(N_LATENT, *reversed(LAYERS), N_FEATURES)
    products = 3 * (_products(*ENCODER) + decoder)
    return 2 * n_rows * (products - N_FEATURES * LAYERS[0])


def label_operations(n_rows):
    """Operations of the matrix products of labels.

    Parameters
    ----------
    n_rows : int
        Number of rows.

    Returns
    -------
    operations : int
        Of the encoder.
    """
    return 2 * n_rows * _products(*ENCODER)


def _products(*sizes):
    return sum(n_in * n_out for n_in, n_out in pairwise(sizes))


def measure_epochs(batch_size, data, device, repeat, runs):
    """Time an epoch of every contestant, and the machine's products.

    Parameters
    ----------
    batch_size : int
        Number of rows per step.
    data : str
        Name in the lines.
    device : str
        Where to train.
    repeat : int
        Which repeat.
    runs : Runs
        Where to.
    """
    X = np.random.RandomState(0).rand(N_ROWS, N_FEATURES).astype(np.float32)
    peaks = {
        f"peak_{name}": peak(dtype, device) / 1e9
        for name, dtype in {"float32": torch.float32, "bf16": torch.bfloat16}.items()
    }
    for setting, make in (contestants(device) | variants(device)).items():
        model, clock = make(batch_size)
        model.fit(X)
        seconds = clock.seconds()
        rate = operations(N_ROWS) / seconds / 1e9
        shares = {
            name.replace("peak", "share"): rate / value for name, value in peaks.items()
        }
        # Until the first epoch has ended, with what is compiled on the way.
        first = clock.stamps[0] - clock.begin if clock.begin else None
        runs.record(
            data,
            setting,
            repeat,
            seconds=seconds,
            device=device_name(model),
            first=first,
            steps_per_second=-(-N_ROWS // batch_size) / seconds,
            packages=installed(),
            **peaks,
            **shares,
        )


def measure_predict(data_home, data, device, repeat, runs):
    """Time the labels of many images.

    Parameters
    ----------
    data_home : str or None
        Folder with the images.
    data : str
        Name in the lines.
    device : str
        Where to train.
    repeat : int
        Which repeat.
    runs : Runs
        Where to.
    """
    X, _, _ = DATA["mnist10k"].load(data_home)
    more = np.tile(X, (N_COPIES, 1))
    peak_float32 = peak(torch.float32, device) / 1e9
    for setting, make in contestants(device).items():
        model, _ = make(256)
        is_ours = isinstance(model, GaussianMixtureVAE)
        if is_ours:
            model.set_params(init="k-means++")  # clusters that are told apart
        model.fit(X)
        seconds = timed(model.predict, more)
        rate = label_operations(len(more)) / seconds / 1e9
        results = {}
        if is_ours:
            labels = model.predict(X)
            results["equal"] = (labels == model.predict(X.astype(np.float64))).mean()
            results["n_live"] = len(np.unique(labels))
        runs.record(
            data,
            setting,
            repeat,
            seconds=seconds,
            device=device_name(model),
            rows_per_second=len(more) / seconds,
            peak_float32=peak_float32,
            share_float32=rate / peak_float32,
            packages=installed(),
            **results,
        )


def measure_digits(data, device, repeat, runs):
    """Time the default fit to the digits of scikit-learn.

    Parameters
    ----------
    data : str
        Name in the lines.
    device : str
        Where to train.
    repeat : int
        Which repeat, and the `random_state`.
    runs : Runs
        Where to.
    """
    X, y = load_digits(return_X_y=True)
    # The first fit of a process takes longer.
    GaussianMixtureVAE(N_CLUSTERS, device=device, max_iter=1).fit(X)
    for precision in ("float32", "auto"):
        model = GaussianMixtureVAE(
            N_CLUSTERS, precision=precision, device=device, random_state=repeat
        )
        seconds = timed(model.fit, X)
        runs.record(
            data,
            f"ours, {precision}",
            repeat,
            seconds=seconds,
            device=device_name(model),
            acc=clustering_accuracy(y, model.labels_),
        )


def rows(data_home=None):
    """What is measured, by name.

    Parameters
    ----------
    data_home : str or None, default=None
        Folder with the images.

    Returns
    -------
    rows : dict of str to callable
        From the name in the lines, device, repeat and :class:`Runs`.
    """
    return {
        "epoch256": partial(measure_epochs, 256),
        "epoch1024": partial(measure_epochs, 1024),
        "predict": partial(measure_predict, data_home),
        "digits": measure_digits,
    }


def main(argv=None):
    """Run the rows that the command line names.

    Parameters
    ----------
    argv : list of str or None, default=None
        Arguments; None takes those of the process.
    """
    options = timing_parser(__doc__.splitlines()[0], repeats=5)
    options.add_argument("--data-home", metavar="DIR", help="folder with mnist.npz")
    options.add_argument("--rows", type=choices(tuple(rows())), default=list(rows()))
    options.add_argument("--device", default="cpu")
    args = options.parse_args(argv)
    set_threads(args.threads)
    device = str(resolve_device(args.device))
    runs = Runs(args.results / "speed.jsonl")
    for row in args.rows:
        data = row if device == "cpu" else f"{row}, {device}"
        repeats = [line["seed"] for line in runs.lines() if line["data"] == data]
        first = 1 + max(repeats, default=-1)
        for repeat in range(first, first + args.repeats):
            rows(args.data_home)[row](data, device, repeat, runs)


if __name__ == "__main__":
    main()
