"""The Gumbel-Softmax VAE against the equations of the paper, written out in numpy."""

import math
import re

import numpy as np
import pytest
import torch
from scipy.special import expit, log_softmax, logsumexp, softmax, xlog1py, xlogy
from scipy.stats import entropy, norm
from sklearn.datasets import make_blobs
from sklearn.exceptions import ConvergenceWarning
from torch.distributions import Normal, kl_divergence

from skdeepmix import GumbelSoftmaxVAE
from skdeepmix._data import Rows, Scaling
from skdeepmix.networks import MLP
from skdeepmix.utils.estimator_checks import module_factory

CENTERS = 8 * np.eye(3, 4)


def make_model(**parameters):
    return GumbelSoftmaxVAE(
        **{
            "n_clusters": 3,
            "n_latent": 16,
            "n_style": 2,
            "encoder": MLP((8,)),
            "classifier": MLP((8,)),
            "max_iter": 30,
            "batch_size": 20,
            "learning_rate": 1e-2,
            "random_state": 0,
        }
        | parameters
    )


def draw(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, dtype=torch.float64, generator=generator)


def make_module(n_features=3, n_clusters=3, seed=0, **parameters):
    """A small module in float64 whose parameters, biases included, are all random."""
    model = make_model(**parameters)
    module = module_factory(model, np.zeros((9, n_features)))(
        n_features, n_clusters, seed
    ).double()
    with torch.no_grad():
        for i, parameter in enumerate(module.parameters()):
            parameter.add_(0.5 * draw(*parameter.shape, seed=100 * seed + i))
    module.generator = torch.Generator().manual_seed(seed)
    return module


@pytest.fixture(scope="module")
def blobs():
    return make_blobs(90, centers=CENTERS, cluster_std=0.7, random_state=0)


@pytest.fixture(scope="module")
def model(blobs):
    return make_model().fit(blobs[0])


class NaiveModel:
    """The paper in numpy, one row at a time, from the arrays of a module."""

    def __init__(self, module, likelihood):
        arrays = module.state_dict().items()
        self.arrays = {name: array.double().numpy() for name, array in arrays}
        self.likelihood = likelihood

    def layer(self, name, x):
        return self.arrays[f"{name}.weight"] @ x + self.arrays[f"{name}.bias"]

    def network(self, name, x):
        # Linear, no normalisation, ReLU, linear.
        return self.layer(f"{name}.1", np.maximum(self.layer(f"{name}.0.0", x), 0))

    def posterior(self, x):
        """Mean and scale of the style, and log-probabilities of the clusters."""
        features = self.network("encoder", x)
        mean, log_var = np.split(self.layer("style_head", features), 2)
        logits = self.network("classifier", features)
        return mean, np.exp(0.5 * log_var), log_softmax(logits)

    def output(self, z, c):
        hidden = self.layer("style_embedding", z) + self.layer("cluster_embedding", c)
        return self.network("decoder", hidden)

    def log_likelihood(self, x, z, c):
        out = self.output(z, c)
        if self.likelihood == "bernoulli":
            p = expit(out)
            return (xlogy(x, p) + xlog1py(1 - x, -p)).sum()
        scale = np.exp(-6 + np.log1p(np.exp(self.arrays["likelihood.raw_scale"])))
        return norm(out, scale).logpdf(x).sum()


def weights_for(n_clusters):
    return np.arange(1, n_clusters + 1) / (n_clusters * (n_clusters + 1) / 2)


# The equations of the paper


@pytest.mark.parametrize("temperature", [0.5, 1.0])
@pytest.mark.parametrize("likelihood", ["gaussian", "bernoulli"])
def test_terms_equal_a_naive_loop(likelihood, temperature):
    weights = weights_for(3)
    module = make_module(likelihood=likelihood, beta=4.0, balance=2.0, weights=weights)
    module.temperature.fill_(temperature)
    x = draw(6, 3, seed=1).sigmoid()
    module.generator = torch.Generator().manual_seed(7)
    (terms,) = next(module.losses(x))
    twin = torch.Generator().manual_seed(7)
    noise = torch.randn(6, 2, dtype=torch.float64, generator=twin).numpy()
    gumbel = torch.empty(6, 3, dtype=torch.float64).exponential_(generator=twin)
    gumbel = -np.log(gumbel.numpy())
    naive = NaiveModel(module, likelihood)
    loss, z_kl, c_kl, probs = [], [], [], []
    for row, e, g in zip(x.numpy(), noise, gumbel, strict=True):
        mean, scale, log_resp = naive.posterior(row)
        c = softmax((log_resp + g) / temperature)
        loss.append(-naive.log_likelihood(row, mean + scale * e, c))
        z_kl.append(0.5 * (mean**2 + scale**2 - 1 - 2 * np.log(scale)).sum())
        c_kl.append(entropy(np.exp(log_resp), weights))
        probs.append(np.exp(log_resp))
    expected = {
        "reconstruction": np.mean(loss),
        "z_prior": 4 * np.mean(z_kl),
        "c_prior": np.mean(c_kl),
        "balance": 2 * entropy(np.mean(probs, axis=0), weights),
    }
    assert {name: float(term.detach()) for name, term in terms.items()} == (
        pytest.approx(expected)
    )


@pytest.mark.parametrize("n_clusters", [2, 5, 10])
def test_certain_clusters_cost_log_k(n_clusters):
    module = make_module(n_clusters=n_clusters)
    with torch.no_grad():
        module.classifier[-1].weight.zero_()
        module.classifier[-1].bias.copy_(100.0 * torch.eye(n_clusters)[0])
    (terms,) = next(module.losses(draw(4, 3)))
    assert terms["c_prior"].item() == pytest.approx(math.log(n_clusters))


def test_temperature_falls_by_equal_factors_over_a_third_of_the_fit():
    module, X = make_module(min_temperature=0.25), draw(20, 3).numpy()
    found = []
    for progress in (0.0, 1 / 6, 1 / 3, 0.9):
        next(module.epoch(Rows(X, Scaling(), dtype=torch.float64), progress))
        found.append(float(module.temperature))
    assert found == pytest.approx([1.0, 0.5, 0.25, 0.25])


def test_one_cluster_is_a_beta_vae():
    module, x = make_module(n_clusters=1, beta=4.0), draw(5, 3)
    module.generator = torch.Generator().manual_seed(7)
    (terms,) = next(module.losses(x))
    mean, log_var, _ = module.posterior(module.embed(x))
    q = Normal(mean, (0.5 * log_var).exp())
    twin = torch.Generator().manual_seed(7)
    z = mean + q.scale * torch.randn(5, 2, dtype=x.dtype, generator=twin)
    out = module.output(z, torch.ones(5, 1, dtype=x.dtype))
    p = Normal(out, module.likelihood.log_scale.exp())
    assert terms["reconstruction"].item() == pytest.approx(
        -p.log_prob(x).sum(1).mean().item()
    )
    assert terms["z_prior"].item() == pytest.approx(
        4 * kl_divergence(q, Normal(0.0, 1.0)).sum(1).mean().item()
    )
    assert terms["c_prior"].item() == 0
    assert terms["balance"].item() == 0


# The score


def log_density(module, x, n_points=401):
    """log sum_c pi_c integral N(z) p(x | z, c) dz by quadrature over one style."""
    naive = NaiveModel(module, "gaussian")
    grid = np.linspace(-7, 7, n_points)
    log_joint = [
        [
            np.log(1 / 3) + norm.logpdf(z) + naive.log_likelihood(x, np.array([z]), c)
            for z in grid
        ]
        for c in np.eye(3)
    ]
    return logsumexp(log_joint) + np.log(grid[1] - grid[0])


def test_score_rises_from_a_bound_to_the_exact_log_likelihood():
    x = draw(4, 3, seed=3)
    module = make_module(n_style=1, n_importance=2000)
    with torch.no_grad():  # a posterior as wide as the prior
        module.style_head.weight.zero_()
        module.style_head.bias.zero_()
        noise, scores = module.score_noise, {}
        for size in (1, 10, 2000):
            draws = []
            for part in noise[: 50 * size].split(size):
                module.score_noise = part
                draws.append(module.log_prob(x))
            scores[size] = torch.stack(draws).mean(0).numpy()
    exact = np.array([log_density(module, row) for row in x.numpy()])
    assert (scores[1] < scores[10]).all()
    assert (scores[10] < exact).all()
    np.testing.assert_allclose(scores[2000], exact, rtol=0.02)


def test_beta_and_balance_do_not_enter_the_score():
    x = draw(5, 3)
    scores = [
        make_module(beta=beta, balance=balance).log_prob(x)
        for beta, balance in ((1.0, 0.0), (7.0, 3.0))
    ]
    torch.testing.assert_close(*scores, rtol=0, atol=0)


# Fitted models


def test_style_keeps_the_style_and_changes_the_cluster(model, blobs):
    X, _ = blobs
    rows = model.style(X[:7])
    assert rows.shape == (7, 3, 4)
    naive = NaiveModel(model.module_, "gaussian")
    scaled = model._scaling
    for i, x in enumerate((X[:7] - scaled.center) / scaled.scale):
        mean, _, _ = naive.posterior(x)
        for j, c in enumerate(np.eye(3)[model._order]):
            expected = naive.output(mean, c) * scaled.scale + scaled.center
            np.testing.assert_allclose(rows[i, j], expected, rtol=1e-4, atol=1e-4)


def test_style_in_the_own_cluster_is_near_the_row(model, blobs):
    X, _ = blobs
    rows = model.style(X)
    distances = np.linalg.norm(rows - X[:, None], axis=2)
    np.testing.assert_array_equal(distances.argmin(1), model.labels_)


def test_style_of_clusters_in_the_order_of_the_labels(blobs):
    X, y = blobs
    with pytest.warns(ConvergenceWarning, match="Number of distinct clusters"):
        model = make_model(n_clusters=5, init=y + 2).fit(X)
    np.testing.assert_array_equal(model.labels_, y)
    np.testing.assert_array_equal(
        np.linalg.norm(model.style(X) - X[:, None], axis=2).argmin(1), y
    )


def test_samples_belong_to_their_cluster(model):
    for cluster in range(3):
        rows, _ = model.sample(50, cluster=cluster, random_state=0)
        assert (model.predict(rows) == cluster).mean() > 0.95


def test_transform_is_the_encoder_and_inverse_transform_decodes_its_posterior(
    model, blobs
):
    X, _ = blobs
    Z = model.transform(X[:5])
    naive = NaiveModel(model.module_, "gaussian")
    scaled = model._scaling
    rows = (X[:5] - scaled.center) / scaled.scale
    np.testing.assert_allclose(
        Z, [naive.network("encoder", x) for x in rows], rtol=1e-4, atol=1e-5
    )
    decoded = [
        naive.output(mean, np.exp(log_resp))
        for mean, _, log_resp in map(naive.posterior, rows)
    ]
    np.testing.assert_allclose(
        model.inverse_transform(Z),
        np.array(decoded) * scaled.scale + scaled.center,
        rtol=1e-4,
        atol=1e-4,
    )


# The prior of the clusters


def test_larger_weights_go_to_the_larger_clusters():
    X, y = make_blobs([20, 70, 40], centers=CENTERS, cluster_std=0.7, random_state=0)
    model = make_model(init=y, weights=[0.5, 0.2, 0.3]).fit(X)
    np.testing.assert_array_equal(model.labels_, y)
    np.testing.assert_allclose(model.weights_, [0.2, 0.5, 0.3], rtol=1e-6)


@pytest.mark.filterwarnings("ignore:Number of distinct clusters")
def test_balance_keeps_the_share_of_clusters_near_the_weights(blobs):
    X, _ = blobs
    shares = []
    for balance in (0.0, 100.0):
        model = make_model(
            init="random", weights=[0.6, 0.3, 0.1], balance=balance, max_iter=15
        ).fit(X)
        share = model.predict_proba(X).mean(0)
        shares.append(entropy(share, model.weights_))
    assert shares[1] < 0.01 < shares[0]


@pytest.mark.filterwarnings("ignore:Number of distinct clusters")
def test_weights_below_the_range_of_float32(blobs):
    model = make_model(weights=[1 - 1e-50, 5e-51, 5e-51], max_iter=1).fit(blobs[0])
    assert np.isfinite(model.loss_curve_).all()


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (
            [0.5, 0.5],
            "Expected 'weights' to hold 3 positive numbers with sum 1, got the shape "
            "(2,).",
        ),
        (
            [0.5, 0.5, 0.5],
            "Expected 'weights' to hold 3 positive numbers with sum 1, got "
            "[0.5, 0.5, 0.5] with sum 1.5.",
        ),
        (
            [1.0, 0.5, -0.5],
            "Expected 'weights' to hold 3 positive numbers with sum 1, got "
            "[1.0, 0.5, -0.5] with sum 1.",
        ),
    ],
)
def test_mistaken_weights_are_named(blobs, weights, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        make_model(weights=weights).fit(blobs[0])


def test_a_free_style_leaves_the_clusters_unused_and_that_is_reported(blobs):
    X, _ = blobs
    model = make_model(init="random", beta=0.0, balance=0.0, max_iter=60)
    message = "clusters collapsed: all rows have"
    with pytest.warns(ConvergenceWarning, match=message) as record:
        model.fit(X)
    assert record[0].filename == __file__


def test_a_rare_cluster_is_no_collapse():
    X, y = make_blobs([1195, 5], centers=CENTERS[:2], cluster_std=0.5, random_state=0)
    model = make_model(n_clusters=2, init=y, max_iter=10).fit(X)
    np.testing.assert_array_equal(model.labels_, y)
