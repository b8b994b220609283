"""Tables of the mixture of VAEs (Ye and Bors 2020), and of its clusters.

    python benchmarks/papers/mixture_of_vaes.py --data-home DIR [--rows usps,digits]

appends to ``benchmarks/results/mixture_of_vaes.jsonl`` and skips what is there;
``python benchmarks/tables.py`` makes the tables of the documentation.
"""

import sys
from functools import partial
from pathlib import Path

import numpy as np
import torch
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.svm import LinearSVC

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from _papers import (
    Inputs,
    Row,
    Setting,
    autoencoder_codes,
    load,
    load_embedded_digits,
    run_rows,
)
from _runs import baselines

from skdeepmix import MixtureOfVAEs
from skdeepmix.datasets import fetch_mnist, fetch_usps
from skdeepmix.distributions import dirichlet_log_sample, standard_normal
from skdeepmix.losses import dhsic, hsic
from skdeepmix.metrics import posterior_entropy
from skdeepmix.networks import MLP

NAME = "mixture_of_vaes"
SEEDS = (0, 1)
N_TRAIN = 55_000
# The last of the rows that were not fitted are the test images of MNIST.
N_TEST = 10_000
BFLOAT16 = {"precision": "bfloat16"}
# Sizes and batches of the paper; 20 epochs where it has 100, for a CPU.
PAPER = {
    **BFLOAT16,
    "likelihood": "bernoulli",
    "n_latent": 20,
    "encoder": MLP((500, 500)),
    "init": "random",
    "max_iter": 20,
    "batch_size": 128,
    "entropy_weight": 0.0,
}
# The code of the authors divides concentrations by their sum.
FIXED_SUM = {**PAPER, "concentration": 1.0}


def reconstruction_errors(model, train, test):
    """Squared errors per test image, summed over its pixels.

    Parameters
    ----------
    model : MixtureOfVAEs
        Fitted.
    train : tuple of (X, y)
        Not needed.
    test : tuple of (X, y)
        Images that were not fitted; the last of them are scored.

    Returns
    -------
    errors : dict of str to object
        `error` with drawn latents and weights, as in the paper; `error_expected` with
        drawn latents and the expected weights; `error_mean` with the means of both;
        and `loss_curve`.
    """
    X = test[0][-N_TEST:]
    device = next(model.module_.parameters()).device
    generator = torch.Generator(device).manual_seed(0)

    def drawn(module, x):
        means, log_vars, concentrations = module.posterior(x)
        noise = standard_normal(means.shape, means, generator)
        z = means + (0.5 * log_vars).exp() * noise
        rows = module.likelihood.mean(module.outputs(z))
        log_w = dirichlet_log_sample(concentrations, generator)
        expected = concentrations / concentrations.sum(1, keepdim=True)
        mixed = [
            torch.einsum("knd,nk->nd", rows, weights)
            for weights in (log_w.exp(), expected)
        ]
        return torch.stack([(row - x).square().sum(1) for row in mixed], 1)

    with torch.no_grad():
        errors = torch.cat(
            [
                drawn(model.module_, torch.from_numpy(block).to(device))
                for block in np.array_split(X, 20)
            ]
        )
    error, error_expected = errors.mean(0).tolist()
    error_mean = np.square(model.reconstruct(X) - X).sum(1).mean()
    return {
        "error": error,
        "error_expected": error_expected,
        "error_mean": float(error_mean),
        "loss_curve": model.loss_curve_,
    }


def probes(model, train, test):
    """Accuracies of three classifiers on the latents of all components.

    Parameters
    ----------
    model : MixtureOfVAEs
        Fitted, without classes.
    train : tuple of (X, y)
        Rows that were fitted, and the classes that the classifiers learn.
    test : tuple of (X, y)
        Rows that were not; the last of them are scored.

    Returns
    -------
    accuracies : dict of str to float
        `mlp`, `svm` and `knn`; and the errors of `reconstruction_errors`.
    """
    classifiers = {
        "mlp": MLPClassifier((100,), early_stopping=True, random_state=0),
        "svm": LinearSVC(C=1.0, random_state=0),
        "knn": KNeighborsClassifier(5),
    }
    Z, Z_test = model.transform(train[0]), model.transform(test[0][-N_TEST:])
    found = {
        name: classifier.fit(Z, train[1]).score(Z_test, test[1][-N_TEST:])
        for name, classifier in classifiers.items()
    }
    return found | reconstruction_errors(model, train, test)


def weights_and_dependence(model, train, test):
    """Entropy of the expected weights, and dependence of the components' latents.

    Parameters
    ----------
    model : MixtureOfVAEs
        Fitted.
    train : tuple of (X, y)
        Rows that were fitted.
    test : None
        There are no others.

    Returns
    -------
    results : dict of str to float
        `entropy` in nats per row; dHSIC of all components and the mean HSIC of their
        pairs, on the posterior means of up to 2,000 rows.
    """
    X = train[0]
    Z = torch.from_numpy(model.transform_components(X[:2000])).double().transpose(0, 1)
    pairs = [hsic(Z[i], Z[j]).item() for j in range(len(Z)) for i in range(j)]
    return {
        "entropy": float(posterior_entropy(model.predict_proba(X))),
        "dhsic": dhsic(Z).item(),
        "hsic_pairs": float(np.mean(pairs)),
    }


def load_mnist_10k(data_home):
    """The test images of MNIST.

    Parameters
    ----------
    data_home : str or None
        Folder with the data.

    Returns
    -------
    X : ndarray of shape (10000, 784), float32
        Pixels in [0, 1].
    y : ndarray of shape (10000,)
        Digits.
    score_on : dict
        Nothing to score.
    """
    X, y, score_on = load(fetch_mnist, data_home, scale=1 / 255)
    return X[-N_TEST:], y[-N_TEST:], score_on


def clustering(load):
    """Row of a clustering table.

    Parameters
    ----------
    load : callable
        Of the data.

    Returns
    -------
    row : Row
        With the default start and the random one, on whose codes k-means is fitted,
        both also without entropies, and with k-means on the codes of an autoencoder.
    """
    shared = {**BFLOAT16, "n_clusters": 10, "max_iter": 40}
    random = {**shared, "init": "random"}
    paper = {"entropy_weight": 0.0}
    codes = partial(autoencoder_codes, max_iter=20)
    return Row(
        load,
        (
            Setting("defaults", shared, SEEDS),
            Setting("random", random, SEEDS, codes=baselines),
            Setting("no entropies, start", {**shared, **paper}, SEEDS),
            Setting(
                "no entropies, random", {**random, **paper}, SEEDS, codes=baselines
            ),
        ),
        (Inputs("autoencoder codes", codes),),
        baseline_seeds=SEEDS,
        every=20,
        extra=weights_and_dependence,
    )


DEPENDENCE = {"n_clusters": 10, "entropy_weight": 0.0}
ROWS = {
    "mnist-reconstruction": Row(
        partial(load, fetch_mnist, scale=1 / 255),
        (
            Setting("K = 1", {**PAPER, "n_clusters": 1}, (0,)),
            Setting("K = 10", {**PAPER, "n_clusters": 10}, (0,)),
            Setting("K = 10, fixed sum", {**FIXED_SUM, "n_clusters": 10}, (0,)),
        ),
        (),
        every=20,
        n_train=N_TRAIN,
        extra=reconstruction_errors,
    ),
    "mnist-features": Row(
        partial(load, fetch_mnist, scale=1 / 255),
        (
            Setting("K = 1", {**PAPER, "n_clusters": 1}, (0,)),
            Setting("K = 4", {**PAPER, "n_clusters": 4}, (0,)),
            Setting("K = 4, fixed sum", {**FIXED_SUM, "n_clusters": 4}, (0,)),
        ),
        (),
        every=20,
        n_train=N_TRAIN,
        extra=probes,
    ),
    "usps": clustering(partial(load, fetch_usps)),
    "mnist10k": clustering(load_mnist_10k),
    "digits": Row(
        load_embedded_digits,
        tuple(
            Setting(f"beta = {beta}", {**DEPENDENCE, "beta": float(beta)}, SEEDS)
            for beta in (0, 1, 10, 100)
        ),
        (),
        every=20,
        extra=weights_and_dependence,
    ),
}


def main(argv=None):
    """Run the rows that the command line names.

    Parameters
    ----------
    argv : list of str or None, default=None
        Arguments; None takes those of the process.
    """
    run_rows(__doc__, NAME, ROWS, MixtureOfVAEs, argv)


if __name__ == "__main__":
    main()
