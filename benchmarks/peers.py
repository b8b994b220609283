"""Our models beside other packages on the same rows, networks, batches and epochs.

    python benchmarks/peers.py --data-home DIR [--rows usps] [--models DEC,KMeans]

appends to ``benchmarks/results/peers.jsonl``, skips what is there, and prints a table
of every data set; every fit has a process of its own, whose peak memory is recorded.
Peers come with ``pip install -e ".[bench]"``; those that are not installed are left
out. Everything but our defaults is in float32, on the same device. GemClus has one
hidden layer.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

import torch
from scipy import sparse
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.utils import get_tags

sys.path.insert(0, str(Path(__file__).resolve().parent))

import tables
from _papers import load
from _runs import (
    UMAP_LAYOUT,
    Runs,
    alone,
    choices,
    fit_and_record,
    parser,
    process_memory,
    set_threads,
)

from skdeepmix import (
    MPCC,
    Autoencoder,
    GaussianMixtureVAE,
    GumbelSoftmaxVAE,
    MixtureOfNetworks,
    MixtureOfVAEs,
)
from skdeepmix._data import Scaling
from skdeepmix._training import resolve_device
from skdeepmix.base import BaseDeepMixture
from skdeepmix.base._mixture import PRETRAINING
from skdeepmix.datasets import (
    fetch_coil20,
    fetch_mnist,
    fetch_pendigits,
    fetch_reuters_r8,
    fetch_usps,
)
from skdeepmix.metrics import clustering_accuracy
from skdeepmix.networks import MLP

LAYERS = (500, 500, 2000)
N_LATENT = 10
BATCH_SIZE = 256
HELD_OUT = 0.1
SEEDS = (0, 1, 2)
PACKAGES = ("clustpy", "gemclus", "umap-learn")
# Where ClustPy has the labels of the network itself, short of a last clusterer.
OWN_LABELS = ("dec_labels_", "vade_labels_", "dcn_labels_")


@dataclass(frozen=True)
class Row:
    """One data set.

    Attributes
    ----------
    load : callable
        From `data_home` to X, y and rows to score.
    n_clusters : int
        Number of classes.
    likelihood : str
        Of the models that have one: ``"bernoulli"`` for rows in [0, 1].
    n_epochs : int
        Of a fit, after a quarter as many of pre-training.
    """

    load: Callable
    n_clusters: int
    likelihood: str = "gaussian"
    n_epochs: int = 80

    @property
    def n_pretraining(self):
        """Epochs of pre-training, as our models have them."""
        return self.n_epochs // 4

    @property
    def n_epochs_in_all(self):
        """Epochs of what trains only once."""
        return self.n_pretraining + self.n_epochs


ROWS = {
    "mnist10k": Row(
        partial(load, partial(fetch_mnist, subset="test"), scale=1 / 255),
        10,
        "bernoulli",
    ),
    "usps": Row(partial(load, fetch_usps), 10, "bernoulli"),
    "pendigits": Row(partial(load, fetch_pendigits), 10),
    "coil20": Row(partial(load, fetch_coil20, scale=1 / 255), 20, "bernoulli"),
    "reuters": Row(partial(load, fetch_reuters_r8), 8),
    # Seven times the rows of the others: as many steps in a seventh of the epochs.
    "mnist": Row(
        partial(load, fetch_mnist, scale=1 / 255), 10, "bernoulli", n_epochs=12
    ),
}


@dataclass(frozen=True)
class Task:
    """What models are made for.

    Attributes
    ----------
    row : Row
        Data set.
    seed : int
        The `random_state`.
    n_features : int
        Number of features.
    device : str
        Where to train.
    """

    row: Row
    seed: int
    n_features: int
    device: str = "auto"


def ours(task):
    """The five models with the networks of the peers, and one as it is.

    Parameters
    ----------
    task : Task
        What is fitted, and how.

    Yields
    ------
    name : str
        Name of the setting; one that ends in " defaults" is as a user has it.
    model : estimator
        Not fitted.
    """
    shared = {
        "n_clusters": task.row.n_clusters,
        "n_latent": N_LATENT,
        "encoder": MLP(LAYERS),
        "likelihood": task.row.likelihood,
        "batch_size": BATCH_SIZE,
        "max_iter": task.row.n_epochs,
        "precision": "float32",
        "device": task.device,
        "random_state": task.seed,
    }
    models = (
        GaussianMixtureVAE,
        GumbelSoftmaxVAE,
        MixtureOfNetworks,
        MixtureOfVAEs,
        MPCC,
    )
    for model in models:
        yield model.__name__, model(**shared)
    yield (
        "GaussianMixtureVAE defaults",
        GaussianMixtureVAE(
            task.row.n_clusters, device=task.device, random_state=task.seed
        ),
    )


def autoencoder(task):
    """Codes for those that have no networks of their own.

    Parameters
    ----------
    task : Task
        What is fitted, and how.

    Returns
    -------
    codes : Autoencoder
        Not fitted.
    """
    return Autoencoder(
        N_LATENT,
        encoder=MLP(LAYERS),
        likelihood=task.row.likelihood,
        batch_size=BATCH_SIZE,
        max_iter=task.row.n_epochs_in_all,
        device=task.device,
        random_state=task.seed,
    )


def classical(task):
    """Clusterers of scikit-learn, alone and after a reduction of dimensions.

    Parameters
    ----------
    task : Task
        What is fitted, and how.

    Yields
    ------
    name : str
        Name of the setting.
    model : estimator
        Not fitted.
    """
    kmeans = KMeans(task.row.n_clusters, n_init=10, random_state=task.seed)
    mixture = GaussianMixture(task.row.n_clusters, n_init=5, random_state=task.seed)
    diagonal = GaussianMixture(
        task.row.n_clusters, covariance_type="diag", random_state=task.seed
    )
    codes = autoencoder(task)
    components = PCA(min(50, task.n_features), random_state=task.seed)
    yield "KMeans", kmeans
    yield "GaussianMixture", diagonal
    yield "PCA + GaussianMixture", make_pipeline(components, mixture)
    yield "Autoencoder + KMeans", make_pipeline(codes, kmeans)
    yield "Autoencoder + GaussianMixture", make_pipeline(codes, mixture)
    if find_spec("umap"):
        from umap import UMAP

        layout = UMAP(**UMAP_LAYOUT, random_state=task.seed)
        yield "UMAP + GaussianMixture", make_pipeline(layout, mixture)


def cross_entropy(rows, target):
    """Binary cross-entropy summed over features, mean over rows.

    Parameters
    ----------
    rows, target : torch.Tensor of shape (n, n_features)
        Decoded and true rows, in [0, 1].

    Returns
    -------
    loss : torch.Tensor of shape ()
        In nats.
    """
    loss = torch.nn.functional.binary_cross_entropy(rows, target, reduction="none")
    return loss.sum(1).mean()


def squared_error(rows, target):
    """Half the squared error summed over features, mean over rows.

    Parameters
    ----------
    rows, target : torch.Tensor of shape (n, n_features)
        Decoded and true rows.

    Returns
    -------
    loss : torch.Tensor of shape ()
        In nats, for a unit variance.
    """
    return 0.5 * (rows - target).square().sum(1).mean()


def clustpy(task):
    """The deep clusterings of ClustPy.

    Parameters
    ----------
    task : Task
        What is fitted, and how.

    Yields
    ------
    name : str
        Name of the setting; one that ends in " defaults" is as the package has it,
        but for what does not work.
    model : estimator
        Not fitted.
    """
    if not find_spec("clustpy"):
        return
    from clustpy.deep import DCN, DEC, IDEC, N2D, VaDE
    from clustpy.deep.neural_networks import (
        FeedforwardAutoencoder,
        VariationalAutoencoder,
    )

    layers = [task.n_features, *LAYERS, N_LATENT]
    least = {
        "n_clusters": task.row.n_clusters,
        "device": resolve_device(task.device),
        "random_state": task.seed,
    }
    shared = {
        "batch_size": BATCH_SIZE,
        "pretrain_epochs": task.row.n_pretraining,
        "embedding_size": N_LATENT,
        "neural_network": (FeedforwardAutoencoder, {"layers": layers}),
    }
    fit = {"clustering_epochs": task.row.n_epochs}
    images = task.row.likelihood == "bernoulli"
    sizes = {
        "layers": layers,  # its default as well
        "decoder_output_fn": torch.nn.Sigmoid if images else None,
    }
    variational = {
        # Its own default sums the loss over the batch, which its other terms do not.
        "ssl_loss_fn": cross_entropy if images else squared_error,
        "neural_network": (VariationalAutoencoder, sizes),
    }
    yield "VaDE", VaDE(**least, **fit, **shared | variational)
    yield "VaDE defaults", VaDE(**least, **variational)
    for model in (DEC, IDEC, DCN):
        yield model.__name__, model(**least, **fit, **shared)
        yield f"{model.__name__} defaults", model(**least)
    if find_spec("umap"):
        from umap import UMAP

        # As in its paper; its default, t-SNE, takes three dimensions at most, but is
        # given as many as there are clusters.
        least |= {"manifold_class": UMAP, "manifold_params": UMAP_LAYOUT}
        shared["pretrain_epochs"] = task.row.n_epochs_in_all
        yield "N2D", N2D(**least, **shared)
        yield "N2D defaults", N2D(**least)


def gemclus(task):
    """A discriminative clustering of GemClus, of rows and of codes.

    Parameters
    ----------
    task : Task
        What is fitted, and how.

    Yields
    ------
    name : str
        Name of the setting.
    model : estimator
        Not fitted.
    """
    if not find_spec("gemclus"):
        return
    from gemclus.mlp import MLPMMD

    model = MLPMMD(
        task.row.n_clusters,
        max_iter=task.row.n_epochs_in_all,
        n_hidden_dim=LAYERS[0],
        batch_size=BATCH_SIZE,
        random_state=task.seed,
    )
    yield "GemClus MLPMMD", model
    yield "Autoencoder + GemClus MLPMMD", make_pipeline(autoencoder(task), model)


def models(task):
    """All models of a data set, by the name of their setting.

    Parameters
    ----------
    task : Task
        What is fitted, and how.

    Yields
    ------
    name : str
        Name of the setting.
    model : estimator
        Not fitted. Packages are imported only on the way to their own models: a process
        holds no memory for others.
    """
    yield from ours(task)
    yield from classical(task)
    yield from clustpy(task)
    yield from gemclus(task)


def fit_one(path, name, setting, seed, data_home, threads, device):
    """Fit one model to one data set, and write its line.

    Rows that are not in [0, 1] are divided by their standard deviation, all features by
    the same: peers do not scale.

    Parameters
    ----------
    path : path-like
        Of the results.
    name : str
        Of the data set.
    setting : str
        Of the model.
    seed : int
        The `random_state`.
    data_home : str or None
        Folder with the data.
    threads : int or None
        Number of threads.
    device : str
        Where to train.
    """
    set_threads(threads)
    row = ROWS[name]
    X, y, _ = row.load(data_home)
    if row.likelihood == "gaussian":
        X = X / Scaling.fit(X).scale
    X, X_val, y, _ = train_test_split(X, y, test_size=HELD_OUT, random_state=0)
    every = models(Task(row, seed, X.shape[1], device))
    estimator = next(model for found, model in every if found == setting)
    if sparse.issparse(X) and not get_tags(estimator).input_tags.sparse:
        X, X_val = X.toarray(), X_val.toarray()
    # The likelihood of a pipeline is that of its codes.
    scored = not isinstance(estimator, Pipeline)
    fit_and_record(
        Runs(path),
        estimator,
        X,
        y,
        data=name,
        setting=setting,
        seed=seed,
        every=1,
        score_on={"score_val": X_val} if scored else None,
        extra=lambda fitted: {
            **own_labels(fitted, y),
            **epochs(fitted),
            # The maximum of getrusage would be that of the parent where it was larger.
            "peak_mb": process_memory("VmHWM"),
            "packages": installed(),
        },
    )


def own_labels(estimator, y):
    """Accuracy of the network's own labels, where the estimator has others as well.

    Parameters
    ----------
    estimator : estimator
        Fitted.
    y : array-like of shape (n_samples,)
        Classes.

    Returns
    -------
    scores : dict of str to float
        `acc_own`, or nothing.
    """
    for name in OWN_LABELS:
        if hasattr(estimator, name):
            return {"acc_own": clustering_accuracy(y, getattr(estimator, name))}
    return {}


def epochs(estimator):
    """Number of epochs of a fit, those of its pre-training included.

    Parameters
    ----------
    estimator : estimator
        Fitted; a pipeline has the epochs of its first step.

    Returns
    -------
    counts : dict of str to int
        `n_epochs`, or nothing where there are no epochs.
    """
    if isinstance(estimator, Pipeline):
        estimator = estimator[0]
    parameters = estimator.get_params(deep=False)
    if "pretrain_epochs" in parameters:
        names = "pretrain_epochs", "clustering_epochs"
        return {"n_epochs": sum(parameters.get(name, 0) for name in names)}
    if "batch_size" not in parameters:
        return {}
    n_epochs = estimator.n_iter_
    if isinstance(estimator, BaseDeepMixture):
        n_epochs += round(PRETRAINING * estimator.max_iter)
    return {"n_epochs": n_epochs}


def installed():
    """Versions of the peers.

    Returns
    -------
    versions : dict of str to str
        Of those that are installed.
    """
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def main(argv=None):
    """Run the rows that the command line names.

    Parameters
    ----------
    argv : list of str or None, default=None
        Arguments; None takes those of the process.
    """
    known = dict(models(Task(ROWS["usps"], 0, 256)))
    options = parser(__doc__.splitlines()[0], ROWS)
    options.add_argument(
        "--models",
        type=choices(tuple(known)),
        default=list(known),
        help="comma-separated; default: all that are installed",
    )
    args = options.parse_args(argv)
    path = args.results / "peers.jsonl"
    runs = Runs(path)
    tasks = [
        (name, setting, seed)
        for seed in args.seeds or SEEDS
        for name in args.rows
        for setting in args.models
        if not runs.done(name, setting, seed)
    ]
    for task in tasks:
        alone(fit_one, path, *task, args.data_home, args.threads, args.device)
    for name in args.rows:
        print(tables.plain(tables.peers_table(name), runs.lines()), end="\n\n")


if __name__ == "__main__":
    main()
