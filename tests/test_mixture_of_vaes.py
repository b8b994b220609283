"""The mixture of VAEs against its equations, written out in numpy."""

import re

import numpy as np
import pytest
import torch
from scipy.special import digamma, expit, gammaln, logsumexp, xlog1py, xlogy
from scipy.stats import entropy, norm
from sklearn.datasets import make_blobs
from sklearn.exceptions import ConvergenceWarning
from torch.distributions import Normal, kl_divergence

from skdeepmix import MixtureOfVAEs
from skdeepmix._data import Rows, Scaling
from skdeepmix._mixture_of_vaes import LEAST_CONCENTRATION, log_softplus
from skdeepmix.distributions import dirichlet_log_sample
from skdeepmix.losses import dhsic
from skdeepmix.metrics import posterior_entropy
from skdeepmix.networks import MLP, ConvNet
from skdeepmix.utils.estimator_checks import module_factory

CENTERS = 8 * np.eye(3, 4)


def make_model(**parameters):
    return MixtureOfVAEs(
        **{
            "n_clusters": 3,
            "n_latent": 2,
            "encoder": MLP((8,)),
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


def test_dependence_is_that_of_the_first_128_rows():
    module = make_module(beta=2.0)
    x, noise = draw(200, 3), draw(3, 200, 2, seed=1)
    module.noise = lambda *shape: noise
    means, log_vars, _ = module.posterior(x)
    z = means + (0.5 * log_vars).exp() * noise
    ((terms,),) = module.losses(x)
    expected = 2 * dhsic(z[:, :128])
    torch.testing.assert_close(terms["dependence"], expected)


@pytest.fixture(scope="module")
def blobs():
    return make_blobs(90, centers=CENTERS, cluster_std=0.7, random_state=0)


@pytest.fixture(scope="module")
def model(blobs):
    return make_model().fit(blobs[0])


class NaiveModel:
    """The equations for one row and one component at a time."""

    def __init__(self, module, likelihood="gaussian"):
        arrays = module.state_dict().items()
        self.arrays = {name: array.double().numpy() for name, array in arrays}
        self.n_clusters = module.n_clusters
        self.likelihood = likelihood

    def layer(self, name, k, x):
        weight, bias = (self.arrays[f"{name}.{part}"][k] for part in ("weight", "bias"))
        return x @ weight + bias[0]

    def network(self, name, k, x):
        # Linear, ReLU, linear.
        return self.layer(f"{name}.2", k, np.maximum(self.layer(f"{name}.0", k, x), 0))

    def posterior(self, x):
        """Means and scales of each component, and its concentration."""
        outs = [self.network("encoders", k, x) for k in range(self.n_clusters)]
        raw = np.array([out[0] for out in outs])
        latents = [np.split(out[1:], 2) for out in outs]
        means = np.array([mean for mean, _ in latents])
        scales = np.exp(0.5 * np.array([log_var for _, log_var in latents]))
        return means, scales, np.log1p(np.exp(raw)) + 1e-2

    def outputs(self, z):
        return np.array(
            [self.network("decoders", k, z[k]) for k in range(self.n_clusters)]
        )

    def mean(self, out):
        return expit(out) if self.likelihood == "bernoulli" else out

    def log_likelihood(self, x, mean):
        if self.likelihood == "bernoulli":
            return (xlogy(x, mean) + xlog1py(1 - x, -mean)).sum()
        scale = np.exp(-6 + np.log1p(np.exp(self.arrays["likelihood.raw_scale"])))
        return norm(mean, scale).logpdf(x).sum()


def naive_dirichlet_kl(a, b):
    return (
        gammaln(a.sum())
        - gammaln(a).sum()
        - gammaln(b.sum())
        + gammaln(b).sum()
        + ((a - b) * (digamma(a) - digamma(a.sum()))).sum()
    )


# The equations


@pytest.mark.parametrize("concentration", [None, 1.0, 4.0])
@pytest.mark.parametrize("mixing", ["means", "likelihoods"])
@pytest.mark.parametrize("likelihood", ["gaussian", "bernoulli"])
def test_terms_equal_a_naive_loop(likelihood, mixing, concentration):
    module = make_module(
        likelihood=likelihood,
        mixing=mixing,
        concentration=concentration,
        beta=3.0,
        entropy_weight=0.5,
    )
    x = draw(6, 3, seed=1).sigmoid()
    module.generator = torch.Generator().manual_seed(7)
    (terms,) = next(module.losses(x))
    naive = NaiveModel(module, likelihood)
    posteriors = [naive.posterior(row) for row in x.numpy()]
    a = np.array([concentrations for _, _, concentrations in posteriors])
    if concentration is not None:
        a = a - 1e-2
        a = concentration * a / a.sum(1, keepdims=True) + 1e-2
    twin = torch.Generator().manual_seed(7)
    noise = torch.randn(3, 6, 2, dtype=torch.float64, generator=twin).numpy()
    weights = dirichlet_log_sample(torch.from_numpy(a), twin).exp().numpy()
    loss, z_prior, weights_prior, latents = [], [], [], []
    for i, row in enumerate(x.numpy()):
        means, scales, _ = posteriors[i]
        z = means + scales * noise[:, i]
        rows = naive.mean(naive.outputs(z))
        if mixing == "means":
            loss.append(-naive.log_likelihood(row, weights[i] @ rows))
        else:
            log_p = [naive.log_likelihood(row, mean) for mean in rows]
            loss.append(-logsumexp(log_p, b=weights[i]))
        kl = 0.5 * (means**2 + scales**2 - 1 - 2 * np.log(scales)).sum(1)
        z_prior.append(a[i] @ kl / a[i].sum())
        weights_prior.append(naive_dirichlet_kl(a[i], np.full(3, 1 / 3)))
        latents.append(z)
    shares = a / a.sum(1, keepdims=True)
    expected = {
        "reconstruction": np.mean(loss),
        "z_prior": np.mean(z_prior),
        "weights_prior": np.mean(weights_prior),
        "dependence": 3 * dhsic(torch.from_numpy(np.stack(latents, 1))).item(),
        "entropy": 0.5 * 3 * entropy(shares, axis=1).mean(),
        "balance": 0.5 * 3 * entropy(shares.mean(0), np.full(3, 1 / 3)),
    }
    found = {name: term.item() for name, term in terms.items()}
    assert found == pytest.approx(expected, rel=1e-5)


def test_one_component_is_a_vae():
    module = make_module(n_clusters=1)
    x = draw(5, 3)
    module.generator = torch.Generator().manual_seed(7)
    (terms,) = next(module.losses(x))
    means, log_vars, _ = module.posterior(x)
    q = Normal(means[0], (0.5 * log_vars[0]).exp())
    twin = torch.Generator().manual_seed(7)
    z = means + q.scale * torch.randn(means.shape, dtype=x.dtype, generator=twin)
    p = Normal(module.outputs(z)[0], module.likelihood.log_scale.exp())
    assert terms["reconstruction"].item() == pytest.approx(
        -p.log_prob(x).sum(1).mean().item()
    )
    assert terms["z_prior"].item() == pytest.approx(
        kl_divergence(q, Normal(0.0, 1.0)).sum(1).mean().item()
    )
    assert terms["weights_prior"].item() == 0
    assert terms["dependence"].item() == 0
    assert terms["entropy"].item() == terms["balance"].item() == 0
    torch.testing.assert_close(module.log_resp(x), torch.zeros(5, 1).double())


def test_components_do_not_depend_on_each_other():
    x, module = draw(5, 3), make_module()
    before = module.outputs(module.posterior(x)[0])
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.ndim == 3:
                parameter[0] += 1
    after = module.outputs(module.posterior(x)[0])
    torch.testing.assert_close(after[1:], before[1:], rtol=0, atol=0)
    assert not torch.allclose(after[0], before[0])


@pytest.mark.parametrize("least", [-200.0, -30.0, -5.0])
@pytest.mark.parametrize("concentration", [None, 1.0, 1e-20])
def test_small_concentrations_keep_gradients_finite(least, concentration):
    module = make_module(concentration=concentration).float()
    with torch.no_grad():
        module.encoders[-1].bias[1:, 0, 0] = least
        module.encoders[-1].bias[0, 0, 0] = 50.0
    (terms,) = next(module.losses(draw(50, 3).float()))
    sum(terms.values()).backward()
    assert all(p.grad.isfinite().all() for p in module.parameters())


# The score


def test_score_rises_from_a_bound_to_the_exact_log_likelihood():
    module = make_module(n_latent=1, n_importance=2000)
    x = draw(4, 3, seed=3)
    with torch.no_grad():  # posteriors as wide as the prior
        module.encoders[-1].weight.zero_()
        module.encoders[-1].bias.zero_()
        module.log_weights.copy_(torch.tensor([0.5, 0.3, 0.2]).log())
        noise, scores = module.score_noise, {}
        for size in (1, 10, 2000):
            draws = []
            for part in noise[: 50 * size].split(size):
                module.score_noise = part
                draws.append(module.log_prob(x))
            scores[size] = torch.stack(draws).mean(0).numpy()
    naive, grid = NaiveModel(module), np.linspace(-7, 7, 1001)
    exact = []
    for row in x.numpy():
        log_joint = [
            np.log(weight)
            + norm.logpdf(z)
            + naive.log_likelihood(row, naive.network("decoders", k, np.array([z])))
            for k, weight in enumerate([0.5, 0.3, 0.2])
            for z in grid
        ]
        exact.append(logsumexp(log_joint) + np.log(grid[1] - grid[0]))
    assert (scores[1] < scores[10]).all()
    assert (scores[10] < exact).all()
    np.testing.assert_allclose(scores[2000], exact, rtol=0.02)


# Fitted models


def test_weights_are_the_mean_of_the_expected_mixing_weights(model, blobs):
    X, _ = blobs
    np.testing.assert_allclose(
        model.weights_, model.predict_proba(X).mean(0), rtol=1e-5
    )


def test_transform_holds_the_latents_of_the_components_side_by_side(model, blobs):
    X, _ = blobs
    Z, by_component = model.transform(X[:5]), model.transform_components(X[:5])
    assert Z.shape == (5, 6)
    np.testing.assert_array_equal(
        by_component, Z.reshape(5, 3, 2)[:, model._order], strict=True
    )


def test_inverse_transform_weighs_the_components(model, blobs):
    X, _ = blobs
    Z = model.transform(X[:5])
    naive, scaled = NaiveModel(model.module_), model._scaling
    rows = [naive.outputs(z.reshape(3, 2)) for z in Z]
    expected = np.einsum("nkd,k->nd", rows, model.weights_[np.argsort(model._order)])
    np.testing.assert_allclose(
        model.inverse_transform(Z),
        expected * scaled.scale + scaled.center,
        rtol=1e-4,
        atol=1e-4,
    )


def test_reconstructions_are_the_components_and_their_mean(model, blobs):
    X, _ = blobs
    alone = np.stack([model.reconstruct(X, component=k) for k in range(3)], 1)
    mixed = np.einsum("nkd,nk->nd", alone, model.predict_proba(X))
    np.testing.assert_allclose(model.reconstruct(X), mixed, rtol=1e-4, atol=1e-4)


def test_order_of_components_is_that_of_the_labels(blobs):
    X, y = blobs
    with pytest.warns(ConvergenceWarning, match="Number of distinct clusters"):
        model = make_model(n_clusters=5, init=y + 2).fit(X)
    np.testing.assert_array_equal(model.labels_, y)
    assert model._order[:3].tolist() == [2, 3, 4]
    naive, scaled = NaiveModel(model.module_), model._scaling
    latents = model.transform_components(X[:5])
    for k, component in enumerate(model._order):
        expected = naive.network("decoders", component, latents[:, k])
        np.testing.assert_allclose(
            model.reconstruct(X[:5], component=k),
            expected * scaled.scale + scaled.center,
            rtol=1e-4,
            atol=1e-4,
        )


def test_samples_come_from_the_decoder_of_their_cluster(model):
    labels = np.array([2, 0, 2, 1, 0, 2])
    rows, _ = model.sample(cluster=labels, random_state=3)
    naive, scaled = NaiveModel(model.module_), model._scaling
    seed = np.random.RandomState(3).randint(np.iinfo(np.int32).max)
    generator = torch.Generator().manual_seed(int(seed))
    z = torch.randn(6, 2, dtype=torch.float64, generator=generator).numpy()
    expected = [
        naive.network("decoders", model._order[k], of_row)
        for k, of_row in zip(labels, z, strict=True)
    ]
    np.testing.assert_allclose(
        rows, np.array(expected) * scaled.scale + scaled.center, rtol=1e-4, atol=1e-4
    )


def test_beta_makes_components_less_dependent(blobs):
    X, y = blobs
    found = []
    for beta in (0.0, 1000.0):
        fitted = make_model(init=y, beta=beta, max_iter=60).fit(X)
        Z = torch.from_numpy(fitted.transform_components(X)).transpose(0, 1)
        found.append(dhsic(Z).item())
    assert found[1] < 0.5 * found[0]


@pytest.mark.filterwarnings("ignore:The clusters collapsed")
def test_certain_pixels_stay_finite_in_half_precision():
    X = (np.random.RandomState(0).uniform(size=(90, 20)) > 0.5).astype(np.float32)
    fitted = make_model(
        likelihood="bernoulli", precision="bfloat16", init="random", max_iter=60
    ).fit(X)
    assert np.isfinite(fitted.loss_curve_).all()
    assert np.isfinite(fitted.score_samples(X)).all()


# Mistakes


@pytest.mark.parametrize("component", [-1, 3, "mixture", 0.5, 1.0, True])
def test_unknown_component(model, blobs, component):
    message = (
        f"Expected 'component' to be None or an integer from 0 to 2, got {component!r}."
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        model.reconstruct(blobs[0], component=component)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            ConvNet((1, 2, 2), channels=(2,)),
            "ConvNet cannot be built 3 times side by side. Use MLP.",
        ),
        (
            MLP((8,), normalization="batch"),
            "normalization='batch' is not available for networks side by side. Use "
            "normalization='none'.",
        ),
    ],
)
def test_networks_that_cannot_be_stacked(blobs, spec, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        make_model(encoder=spec).fit(blobs[0])


def test_entropies_make_components_specialists(blobs):
    sure, unsure = (
        make_model(init="random", entropy_weight=weight).fit(blobs[0])
        for weight in (2.0, 0.0)
    )
    entropies = [
        posterior_entropy(model.predict_proba(blobs[0])) for model in (sure, unsure)
    ]
    assert entropies[0] < 0.5 * entropies[1]
    assert sure.weights_.min() > 0.1  # and none dies out


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    ("init", "evenness"),
    [
        ("random", 1.0),
        ("k-means++", 0.0),
        (np.repeat([0, 1, -1], 30), 1.0),
        (np.repeat([0, 1, 2], 30), 0.0),
    ],
    ids=["random", "start", "a cluster is unknown", "labels"],
)
def test_components_are_kept_even_unless_a_start_knows_all(blobs, init, evenness):
    """Clusters of a start may have any sizes."""
    model = make_model(init=init, max_iter=2).fit(blobs[0])
    assert model.module_.evenness == evenness


@pytest.mark.parametrize(
    ("progress", "sureness"), [(0.0, 0.0), (0.3, 0.15), (0.5, 0.3)]
)
def test_entropies_come_as_guidance_goes(progress, sureness):
    module, X = make_module(), draw(20, 3).numpy()
    targets = torch.eye(3, dtype=torch.float64)[torch.arange(20) % 3]
    for given, expected in ((targets, sureness), (None, 1.0)):
        module.sureness.fill_(1.0)
        data = Rows(X, Scaling(), dtype=torch.float64, targets=given)
        next(module.epoch(data, progress))
        assert module.sureness.item() == pytest.approx(expected)


@pytest.mark.parametrize(("n_features", "factor"), [(3, 1), (200, 4)])
def test_guidance_grows_with_the_likelihood(n_features, factor):
    module, x = make_module(n_features), draw(6, n_features)
    targets = torch.eye(3, dtype=x.dtype)[[0, 1, 2, 0, 1, 2]]
    with torch.no_grad():
        concentrations = module.posterior(x)[2].numpy() - LEAST_CONCENTRATION
    shares = concentrations / concentrations.sum(1, keepdims=True)
    expected = -factor * np.log(shares[range(6), [0, 1, 2, 0, 1, 2]]).mean()
    assert module.guidance(x, targets, ["all"]).item() == pytest.approx(expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_log_softplus_is_the_logarithm_of_softplus(dtype):
    x = torch.linspace(-40, 40, 161, dtype=dtype, requires_grad=True)
    found = log_softplus(x)
    found.sum().backward()
    exact = x.detach().double().numpy()
    expected = np.log(np.log1p(np.exp(exact)))
    np.testing.assert_allclose(found.detach(), expected, rtol=1e-5, atol=1e-6)
    slope = expit(exact) / np.log1p(np.exp(exact))
    np.testing.assert_allclose(x.grad, slope, rtol=1e-5)


def test_log_softplus_is_finite_where_softplus_underflows():
    x = torch.tensor([-1e4, 1e4], requires_grad=True)
    found = log_softplus(x)
    found.sum().backward()
    assert found[0] == -1e4
    assert x.grad[0] == 1
    assert x.grad[1] == pytest.approx(1e-4)


@pytest.mark.parametrize("lost", [-1e3, -30.0])
def test_guidance_reaches_clusters_that_have_lost_their_rows(lost):
    module = make_module(n_features=4)
    last = module.encoders[-1]
    with torch.no_grad():
        last.weight[:, :, 0] = 0
        last.bias[:, :, 0] = lost
        last.bias[0, :, 0] = 10.0  # has them all
    targets = torch.eye(3, dtype=torch.float64)[[1, 2, 1, 2]]
    module.guidance(draw(4, 4), targets, []).backward()
    slope = last.bias.grad[:, 0, 0]
    assert slope[0] > 0.01
    assert (slope[1:] < -0.1).all()
