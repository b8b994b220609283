"""The model against the equations of the paper, written out in numpy and scipy."""

import copy
import itertools
import math

import numpy as np
import pytest
import torch
from scipy.special import expit, logsumexp, softmax, xlog1py, xlogy
from scipy.stats import entropy, multivariate_normal, norm
from sklearn.base import clone
from sklearn.datasets import make_blobs
from sklearn.metrics import adjusted_rand_score
from torch.distributions import Independent, Normal, kl_divergence

from skdeepmix import GaussianMixtureVAE
from skdeepmix._data import Rows, Scaling
from skdeepmix._gaussian_mixture_vae import GaussianMixtureVAEModule
from skdeepmix.networks import MLP, ConvNet


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def draw(*shape, seed=0):
    return torch.randn(shape, dtype=torch.float64, generator=generator(seed))


def make_module(n_features=3, n_clusters=3, *, seed=0, spec=None, **parameters):
    """A small module in float64 whose parameters, biases included, are all random."""
    parameters = {
        "n_latent": 2,
        "n_latent_prior": 2,
        "likelihood": "gaussian",
        "n_monte_carlo": 1,
        "beta": 1.0,
        "min_information": 0.0,
        "learn_weights": True,
        "n_importance": 1,
        "n_hidden_prior": 4,
    } | parameters
    spec = spec or MLP((5,))
    module = GaussianMixtureVAEModule(
        n_features,
        n_clusters,
        encoder=spec,
        decoder=spec,
        generator=generator(seed),
        **parameters,
    ).double()
    with torch.no_grad():
        for i, parameter in enumerate(module.parameters()):
            parameter.add_(0.5 * draw(*parameter.shape, seed=100 * seed + i))
    module.generator = generator(seed)
    return module


class NaiveModel:
    """The paper in numpy, one row and one component at a time.

    Made of the arrays of a module with one hidden layer in every network.
    """

    def __init__(self, module, likelihood="gaussian"):
        arrays = module.state_dict().items()
        self.arrays = {name: array.double().numpy() for name, array in arrays}
        self.n_clusters = module.n_clusters
        self.n_latent = module.n_latent
        self.likelihood = likelihood
        self.weights = softmax(self.arrays["logits"])

    def layer(self, name, x):
        return self.arrays[f"{name}.weight"] @ x + self.arrays[f"{name}.bias"]

    def posterior(self, x):
        """Means and standard deviations of z and of w."""
        out = self.layer("encoder.1", np.maximum(self.layer("encoder.0.0", x), 0))
        z, w = out[: 2 * self.n_latent], out[2 * self.n_latent :]
        (mean, log_var), (w_mean, w_log_var) = np.split(z, 2), np.split(w, 2)
        return mean, np.exp(0.5 * log_var), w_mean, np.exp(0.5 * w_log_var)

    def components(self, w):
        """Means and standard deviations of p(z | w, k)."""
        out = self.layer("prior.2", np.tanh(self.layer("prior.0", w)))
        means, log_vars = out.reshape(2, self.n_clusters, self.n_latent)
        return means, np.exp(0.5 * log_vars)

    def resp(self, z, w):
        """Eq. 3: Bayes' rule."""
        joint = np.empty(self.n_clusters)
        for k, (mean, scale) in enumerate(zip(*self.components(w), strict=True)):
            joint[k] = self.weights[k] * np.prod(norm(mean, scale).pdf(z))
        return joint / joint.sum()

    def decode(self, z):
        return self.layer("decoder.1", np.maximum(self.layer("decoder.0.0", z), 0))

    def log_likelihood(self, x, z):
        out = self.decode(z)
        if self.likelihood == "bernoulli":
            p = expit(out)
            return (xlogy(x, p) + xlog1py(1 - x, -p)).sum()
        scale = np.exp(-6 + np.log1p(np.exp(self.arrays["likelihood.raw_scale"])))
        return norm(out, scale).logpdf(x).sum()

    def terms(self, x, z_noise, w_noise):
        """Eq. 4 for one row and one draw of the noise, as costs."""
        mean, scale, w_mean, w_scale = self.posterior(x)
        z, w = mean + scale * z_noise, w_mean + w_scale * w_noise
        resp = self.resp(z, w)
        components = zip(*self.components(w), strict=True)
        kls = [naive_kl(mean, scale, m, s) for m, s in components]
        return {
            "reconstruction": -self.log_likelihood(x, z),
            "conditional_prior": sum(r * kl for r, kl in zip(resp, kls, strict=True)),
            "w_prior": naive_kl(w_mean, w_scale, 0 * w_mean, 0 * w_mean + 1),
            "z_prior": sum(
                r * math.log(r / p) for r, p in zip(resp, self.weights, strict=True)
            ),
        }


def naive_kl(mean, scale, prior_mean, prior_scale):
    total = 0.0
    for m, s, pm, ps in zip(mean, scale, prior_mean, prior_scale, strict=True):
        total += math.log(ps / s) + (s**2 + (m - pm) ** 2) / (2 * ps**2) - 0.5
    return total


def terms_of(module, x):
    """The one move of a batch, as numbers."""
    (terms,) = next(module.losses(x))
    return {name: float(term.detach()) for name, term in terms.items()}


def noise_of(module, seed, n):
    """The noise that `losses` draws from a generator with this seed."""
    module.generator = generator(seed)
    twin = generator(seed)
    shape = (module.n_monte_carlo, n)
    return [
        torch.randn(*shape, size, dtype=torch.float64, generator=twin).numpy()
        for size in (module.n_latent, module.n_latent_prior)
    ]


# The equations of the paper


@pytest.mark.parametrize("n_latent", [1, 2, 3])
def test_z_posterior_is_bayes_rule(n_latent):
    module = make_module(n_latent=n_latent)
    naive = NaiveModel(module)
    z, w = draw(6, n_latent, seed=1), draw(6, 2, seed=2)
    found = module.log_joint(z, *module.mixture(w)).softmax(-1).detach()
    expected = [naive.resp(*pair) for pair in zip(z.numpy(), w.numpy(), strict=True)]
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def grid(mean, scale, n_points=241):
    """Points and cell size of a grid over 10 standard deviations in every dimension."""
    axes = [
        np.linspace(m - 10 * s, m + 10 * s, n_points)
        for m, s in zip(mean, scale, strict=True)
    ]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, len(axes))
    return points, math.prod(axis[1] - axis[0] for axis in axes)


@pytest.mark.parametrize("n_latent", [1, 2])
def test_z_posterior_averages_to_the_weights_by_quadrature(n_latent):
    module = make_module(n_latent=n_latent)
    w = draw(1, 2, seed=1)
    means, scales = NaiveModel(module).components(w[0].numpy())
    z, cell = grid(means.mean(0), np.full(n_latent, np.abs(means).max() + scales.max()))
    with torch.no_grad():
        log_joint = module.log_joint(torch.from_numpy(z), *module.mixture(w))
    density = sum(
        weight * np.prod(norm(mean, scale).pdf(z), axis=1)
        for weight, mean, scale in zip(
            module.log_weights.exp().tolist(), means, scales, strict=True
        )
    )
    found = (density[:, None] * log_joint.softmax(-1).numpy()).sum(0) * cell
    np.testing.assert_allclose(found, module.log_weights.exp().detach(), rtol=1e-6)


def quadrature_kl(mean, scale, prior_mean, prior_scale):
    points, cell = grid(mean, scale)
    log_q = norm(mean, scale).logpdf(points).sum(1)
    log_p = norm(prior_mean, prior_scale).logpdf(points).sum(1)
    return (np.exp(log_q) * (log_q - log_p)).sum() * cell


@pytest.mark.parametrize("n_latent", [1, 2])
def test_priors_equal_quadrature(n_latent):
    module = make_module(n_latent=n_latent, n_latent_prior=n_latent)
    naive = NaiveModel(module)
    x = draw(1, 3, seed=1)
    z_noise, w_noise = noise_of(module, 5, 1)
    terms = terms_of(module, x)
    mean, scale, w_mean, w_scale = naive.posterior(x[0].numpy())
    z, w = mean + scale * z_noise[0, 0], w_mean + w_scale * w_noise[0, 0]
    resp = naive.resp(z, w)
    components = zip(*naive.components(w), strict=True)
    kls = [quadrature_kl(mean, scale, *component) for component in components]
    assert terms["conditional_prior"] == pytest.approx(resp @ kls, rel=1e-8)
    assert terms["w_prior"] == pytest.approx(quadrature_kl(w_mean, w_scale, 0, 1))
    assert terms["z_prior"] == pytest.approx(entropy(resp, naive.weights))


@pytest.mark.parametrize("likelihood", ["gaussian", "bernoulli"])
@pytest.mark.parametrize("n_monte_carlo", [1, 4])
@pytest.mark.parametrize("n_latent_prior", [2, 3])
def test_terms_equal_a_naive_loop(likelihood, n_monte_carlo, n_latent_prior):
    module = make_module(
        likelihood=likelihood,
        n_monte_carlo=n_monte_carlo,
        n_latent_prior=n_latent_prior,
    )
    naive = NaiveModel(module, likelihood)
    x = draw(5, 3, seed=1).sigmoid()
    z_noise, w_noise = noise_of(module, 5, 5)
    loops = [
        naive.terms(x[i].numpy(), z_noise[m, i], w_noise[m, i])
        for m, i in np.ndindex(n_monte_carlo, 5)
    ]
    found = terms_of(module, x)
    assert list(found) == list(loops[0])
    for name, value in found.items():
        assert value == pytest.approx(np.mean([terms[name] for terms in loops]))


def test_more_monte_carlo_samples_have_the_same_expectation():
    module, x = make_module(n_monte_carlo=1), draw(5, 3, seed=1)
    singles = [sum(terms_of(module, x).values()) for _ in range(2000)]
    module.n_monte_carlo = 5000
    error = np.std(singles) / math.sqrt(len(singles))
    assert abs(sum(terms_of(module, x).values()) - np.mean(singles)) < 5 * error


def exact_bound(module, x, z_noise, w_noise):
    """E_q[log p(x, z, w) - log q(z, w)], the cluster summed out, over given noise."""
    with torch.no_grad():
        mean, log_var, w_mean, w_log_var = (t.numpy() for t in module.posterior(x))
        scale, w_scale = np.exp(0.5 * log_var), np.exp(0.5 * w_log_var)
        z, w = mean + scale * z_noise, w_mean + w_scale * w_noise
        means, log_vars = (t.numpy() for t in module.mixture(torch.from_numpy(w)))
        out = module.decoder(torch.from_numpy(z).flatten(0, 1)).view(*z.shape[:2], -1)
        log_p = module.likelihood.log_prob(x, out).numpy()
        log_weights = module.log_weights.numpy()
    log_k = norm(means, np.exp(0.5 * log_vars)).logpdf(z[:, :, None]).sum(-1)
    log_p = log_p + logsumexp(log_weights + log_k, axis=-1)
    log_p = log_p + norm.logpdf(w).sum(-1)
    log_q = norm(mean, scale).logpdf(z).sum(-1) + norm(w_mean, w_scale).logpdf(w).sum(
        -1
    )
    return (log_p - log_q).mean()


def test_training_objective_is_below_the_exact_bound():
    # The closed form of Eq. 5 averages log N_k apart from r_k. As r_k rises with
    # log N_k, sum_k Cov(r_k, log N_k) >= 0 is what the exact bound has on top.
    gaps = []
    for seed in range(8):
        module = make_module(seed=seed, n_monte_carlo=2000)
        x = draw(3, 3, seed=1000 + seed)
        repeats = []
        for repeat in range(10):
            noise = noise_of(module, repeat, 3)
            objective = -sum(terms_of(module, x).values())
            repeats.append(exact_bound(module, x, *noise) - objective)
        error = np.std(repeats) / math.sqrt(len(repeats))
        assert np.mean(repeats) > -4 * error
        gaps.append(np.mean(repeats) / error)
    assert max(gaps) > 10  # and it is a strict bound where components overlap


# One cluster


def two_level_vae_loss(module, x, z_noise, w_noise):
    """p(w) p(z | w) p(x | z), with torch.distributions."""
    mean, log_var, w_mean, w_log_var = module.encoder(x).split([2, 2, 2, 2], 1)
    q_z = Normal(mean, (0.5 * log_var).exp())
    q_w = Normal(w_mean, (0.5 * w_log_var).exp())
    z, w = mean + q_z.scale * z_noise[0], w_mean + q_w.scale * w_noise[0]
    prior_mean, prior_log_var = module.prior(w).split(2, 1)
    p_z = Normal(prior_mean, (0.5 * prior_log_var).exp())
    p_x = Normal(module.decoder(z), module.likelihood.log_scale.exp())
    kl_z = kl_divergence(Independent(q_z, 1), Independent(p_z, 1))
    kl_w = kl_divergence(q_w, Normal(0.0, 1.0)).sum(1)
    return (kl_z + kl_w - p_x.log_prob(x).sum(1)).mean()


def test_one_cluster_is_a_two_level_vae():
    module, x = make_module(n_clusters=1), draw(6, 3, seed=1)
    noise = [torch.from_numpy(array) for array in noise_of(module, 5, 6)]
    (terms,) = next(module.losses(x))
    expected = two_level_vae_loss(module, x, *noise)
    torch.testing.assert_close(sum(terms.values()), expected)
    learned = [p for n, p in module.named_parameters() if n != "logits"]
    gradients = torch.autograd.grad(sum(terms.values()), learned)
    expected_gradients = torch.autograd.grad(expected, learned)
    for found, other in zip(gradients, expected_gradients, strict=True):
        torch.testing.assert_close(found, other)


def test_one_cluster_takes_every_row():
    module, x = make_module(n_clusters=1), draw(6, 3, seed=1)
    assert terms_of(module, x)["z_prior"] == 0
    assert not module.log_resp(x).any()


# The information constraint


def z_prior_gradients(min_information):
    module = make_module(min_information=min_information)
    (terms,) = next(module.losses(draw(20, 3, seed=1)))
    gradients = torch.autograd.grad(
        terms["z_prior"], list(module.parameters()), materialize_grads=True
    )
    return float(terms["z_prior"].detach()), gradients


def test_z_prior_below_the_constraint_gives_no_gradient():
    free, _ = z_prior_gradients(0.0)
    value, gradients = z_prior_gradients(1.5 * free)
    assert value == pytest.approx(1.5 * free)
    assert not any(gradient.any() for gradient in gradients)


def test_z_prior_above_the_constraint_gives_its_full_gradient():
    free, expected = z_prior_gradients(0.0)
    value, gradients = z_prior_gradients(0.5 * free)
    assert value == free
    assert any(gradient.any() for gradient in gradients)
    for found, other in zip(gradients, expected, strict=True):
        assert torch.equal(found, other)


def test_constraint_is_on_the_mean_of_the_batch():
    module, x = make_module(), draw(20, 3, seed=1)
    rows = []
    for i in range(20):
        noise_of(module, 5, 1)
        rows.append(terms_of(module, x[i : i + 1])["z_prior"])
    noise_of(module, 5, 20)
    mean = terms_of(module, x)["z_prior"]
    assert min(rows) < mean < max(rows)
    module.min_information = mean * 0.999
    noise_of(module, 5, 20)
    assert terms_of(module, x)["z_prior"] == mean


# Fitted models on separated blobs

CENTERS = 8 * np.eye(3, 4)


def make_model(**parameters):
    """A tiny model that separates the blobs in a quarter of a second."""
    return GaussianMixtureVAE(
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


@pytest.fixture(scope="module")
def blobs():
    return make_blobs(90, centers=CENTERS, cluster_std=0.7, random_state=0)


@pytest.fixture(scope="module")
def model(blobs):
    return make_model().fit(blobs[0])


@pytest.fixture(scope="module")
def quick(blobs):
    """Fitted for two epochs only: what it finds does not matter."""
    X, y = blobs
    return make_model(max_iter=2, init=y).fit(X)


def in_model_units(X):
    return (X - X.mean(0)) / np.sqrt(X.var(0).mean())


@pytest.mark.parametrize("learn_weights", [False, True])
def test_predict_proba_is_eq_3_at_the_posterior_means(blobs, learn_weights):
    X, y = blobs
    fitted = make_model(init=y, max_iter=6, learn_weights=learn_weights).fit(X)
    naive = NaiveModel(fitted.module_)
    expected = []
    for x in in_model_units(X):
        mean, _, w_mean, _ = naive.posterior(x)
        expected.append(naive.resp(mean, w_mean))
    expected = np.array(expected)[:, fitted._order]
    np.testing.assert_allclose(fitted.predict_proba(X), expected, rtol=1e-9, atol=1e-12)


def test_transform_is_the_posterior_mean(model, blobs):
    X, _ = blobs
    naive = NaiveModel(model.module_)
    expected = [naive.posterior(x)[0] for x in in_model_units(X)]
    np.testing.assert_allclose(model.transform(X), expected, rtol=1e-9, atol=1e-12)


def test_inverse_transform_decodes_into_data_units(model, blobs):
    X, _ = blobs
    naive = NaiveModel(model.module_)
    Z = draw(5, 2).numpy()
    scale = np.sqrt(X.var(0).mean())
    expected = [X.mean(0) + scale * naive.decode(z) for z in Z]
    np.testing.assert_allclose(model.inverse_transform(Z), expected, rtol=1e-9)


def test_centers_are_decoded_component_means_at_w_0(model, blobs):
    X, _ = blobs
    naive = NaiveModel(model.module_)
    means, _ = naive.components(np.zeros(2))
    scale = np.sqrt(X.var(0).mean())
    expected = np.array([X.mean(0) + scale * naive.decode(z) for z in means])
    np.testing.assert_allclose(
        model.cluster_centers_, expected[model._order], rtol=1e-9
    )


def test_score_samples_is_the_log_ratio_of_the_shared_noise(blobs):
    X, y = blobs
    fitted = make_model(init=y, max_iter=2, n_importance=3).fit(X)
    naive = NaiveModel(fitted.module_)
    scale = np.sqrt(X.var(0).mean())
    expected = []
    for x in in_model_units(X)[:10]:
        mean, spread, w_mean, w_spread = naive.posterior(x)
        log_ratios = []
        for noise in naive.arrays["score_noise"]:
            z, w = mean + spread * noise[:2], w_mean + w_spread * noise[2:]
            joint = [
                weight * np.prod(norm(m, s).pdf(z))
                for weight, m, s in zip(
                    naive.weights, *naive.components(w), strict=True
                )
            ]
            log_p = naive.log_likelihood(x, z) + np.log(sum(joint))
            log_p += norm.logpdf(w).sum()
            log_q = norm(mean, spread).logpdf(z).sum()
            log_ratios.append(log_p - log_q - norm(w_mean, w_spread).logpdf(w).sum())
        expected.append(np.log(np.mean(np.exp(log_ratios))) - 4 * np.log(scale))
    np.testing.assert_allclose(fitted.score_samples(X[:10]), expected, rtol=1e-9)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_outputs_have_the_dtype_of_x(model, blobs, dtype):
    X = blobs[0].astype(dtype)
    assert model.predict_proba(X).dtype == dtype
    assert model.score_samples(X).dtype == dtype
    assert model.transform(X).dtype == dtype
    assert model.inverse_transform(model.transform(X)).dtype == dtype


def test_transform_and_back_have_the_shapes_of_latents_and_rows(model, blobs):
    X, _ = blobs
    Z = model.transform(X)
    assert Z.shape == (90, 2)
    assert model.inverse_transform(Z).shape == X.shape


def test_identity_networks_give_x_back_in_its_units(blobs):
    X = 1000 + 50 * blobs[0]
    fitted = make_model(n_latent=4, encoder=MLP(()), init=blobs[1], max_iter=1).fit(X)
    with torch.no_grad():
        for network in (fitted.module_.encoder[0], fitted.module_.decoder[0]):
            network.weight.zero_()
            network.weight[:4, :4] = torch.eye(4)
            network.bias.zero_()
    Z = fitted.transform(X)
    np.testing.assert_allclose(Z, in_model_units(X), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(fitted.inverse_transform(Z), X, rtol=1e-12)


def test_initialize_puts_the_components_on_the_clusters_whatever_w_is(blobs):
    X, y = blobs
    module = make_module(n_features=4)
    data = Rows(X, Scaling.fit(X), dtype=torch.float64)
    data.targets = torch.eye(3, dtype=torch.float64)[torch.from_numpy(y)]
    with torch.no_grad():
        module.initialize(data)
        means, log_vars = module.mixture(draw(5, 2))
        codes = module.embed(data[slice(None)]).numpy()
    expected = [codes[y == k].mean(0) for k in range(3)]
    np.testing.assert_allclose(means, np.tile(expected, (5, 1, 1)), rtol=1e-9)
    assert torch.equal(log_vars[0], log_vars[-1])
    expected = np.stack([codes[y == k].var(0) for k in range(3)])
    pooled = expected.mean(0)
    np.testing.assert_allclose(log_vars[0].exp(), (30 * expected + 10 * pooled) / 40)


def test_learned_weights_begin_at_the_shares_of_the_start(blobs):
    X, y = blobs
    counts = np.array([30, 15, 5])
    rows = np.concatenate([np.flatnonzero(y == k)[:n] for k, n in enumerate(counts)])
    model = make_model(init=y[rows], max_iter=1, learn_weights=True).fit(X[rows])
    np.testing.assert_allclose(model.weights_, (counts + 1) / 53, rtol=0.1)


def test_learned_weights_raise_the_score_of_clusters_of_unequal_size():
    X, y = make_blobs([180, 20], 4, centers=CENTERS[:2], random_state=0)
    X_test, _ = make_blobs([900, 100], 4, centers=CENTERS[:2], random_state=1)
    free, fixed = (
        make_model(n_clusters=2, init=y, learn_weights=learn_weights).fit(X)
        for learn_weights in (True, False)
    )
    np.testing.assert_allclose(free.weights_, [0.9, 0.1], atol=0.03)
    # log 2 less an entropy of .33 nats, if nothing else differs.
    assert free.score(X_test) > fixed.score(X_test) + 0.2


def test_posterior_of_tight_clusters_begins_where_it_can_learn():
    X, y = make_blobs(90, centers=CENTERS, cluster_std=1e-3, random_state=0)
    module = make_module(n_features=4)
    data = Rows(X, Scaling.fit(X), dtype=torch.float64)
    data.targets = torch.eye(3, dtype=torch.float64)[torch.from_numpy(y)]
    with torch.no_grad():
        module.initialize(data)
    head = module.encoder[-1]
    _, log_var, _, _ = module.posterior(data[slice(None)])
    log_var.sum().backward()
    assert torch.all(head.bias.grad[2:4] == len(X))


@pytest.mark.parametrize("n_known", [0, 1, 3])
def test_few_known_rows_borrow_the_variance_of_all_codes(blobs, n_known):
    X, y = blobs
    module = make_module(n_features=4)
    data = Rows(X, Scaling.fit(X), dtype=torch.float64)
    known = np.concatenate([np.flatnonzero(y == k)[:n_known] for k in range(3)])
    data.targets = torch.zeros(len(X), 3, dtype=torch.float64)
    data.targets[known.astype(int), y[known.astype(int)]] = 1
    with torch.no_grad():
        module.initialize(data)
        _, log_vars = module.mixture(draw(1, 2))
        codes = module.embed(data[slice(None)]).numpy()
    within = np.zeros((3, 2))
    if n_known:
        within = np.stack([codes[known][y[known] == k].var(0) for k in range(3)])
    pooled = (3 * n_known * within.mean(0) + (30 - 3 * n_known) * codes.var(0)) / 30
    expected = (n_known * within + 10 * pooled) / (n_known + 10)
    # Clusters of which no row is known count a thousandth of one.
    rtol = 1e-9 if n_known else 1e-3
    np.testing.assert_allclose(log_vars[0].exp(), expected, rtol=rtol)


def test_clusters_without_a_row_are_apart(blobs):
    X, y = blobs
    labels = np.where(y == 2, -1, y)
    model = make_model(n_clusters=4, init=labels, max_iter=1).fit(X)
    with torch.no_grad():
        means, _ = model.module_.mixture(torch.zeros(2, dtype=torch.float32))
    gaps = torch.cdist(means, means)[np.triu_indices(4, 1)]
    assert gaps.min() > 0.01


@pytest.mark.parametrize("n_known", [1, 2])
def test_a_fit_from_few_labels_begins_near_the_data(blobs, n_known):
    X, y = blobs
    labels = np.full(len(y), -1)
    for k in range(3):
        labels[np.flatnonzero(y == k)[:n_known]] = k
    few, all_known = (
        make_model(init=init, max_iter=1).fit(X).loss_curve_[0] for init in (labels, y)
    )
    assert few < 3 * all_known


# A linear-Gaussian case, whose likelihood is known


@pytest.fixture
def linear_gaussian(blobs):
    """Make a fitted model by hand: x = A z + c + noise, z from Gaussians, w unused."""

    def make(n_clusters, n_importance=1):
        X, y = blobs
        fitted = make_model(
            n_clusters=n_clusters,
            encoder=MLP(()),
            init=y % n_clusters,
            max_iter=1,
            n_importance=n_importance,
        ).fit(3 * X + 10)
        module = fitted.module_.double()
        with torch.no_grad():
            module.prior[-1].weight.zero_()
            means = draw(n_clusters, 2, seed=1)
            log_vars = 0.5 * draw(n_clusters, 2, seed=2) - 1
            module.prior[-1].bias.copy_(torch.stack([means, log_vars]).flatten())
            # Orthogonal columns: the posterior of one component is diagonal.
            A, _ = torch.linalg.qr(draw(4, 2, seed=3))
            module.decoder[0].weight.copy_(A * torch.tensor([1.0, 0.5]))
            module.decoder[0].bias.copy_(draw(4, seed=4))
            module.likelihood.calibrate(torch.tensor(0.3**2))
            set_posterior(module, *exact_posterior(module, 0))
        return fitted

    return make


def exact_posterior(module, k):
    """Weight, bias and log-variance of p(z | x, k) in the linear-Gaussian case."""
    means, log_vars = module.mixture(torch.zeros(2, dtype=torch.float64))
    A, c = module.decoder[0].weight, module.decoder[0].bias
    noise = (2 * module.likelihood.log_scale).exp()
    variance = 1 / ((-log_vars[k]).exp() + A.square().sum(0) / noise)
    weight = variance[:, None] * A.T / noise
    bias = variance * means[k] * (-log_vars[k]).exp() - weight @ c
    return weight, bias, variance.log()


def set_posterior(module, weight, bias, log_var):
    """Let the encoder give q(z | x) = N(weight x + bias, ..) and q(w | x) = p(w)."""
    head = module.encoder[0]
    head.weight.zero_()
    head.bias.zero_()
    head.weight[:2], head.bias[:2], head.bias[2:4] = weight, bias, log_var


def exact_components(fitted):
    """Weight, mean and covariance of p(x | k) in data units."""
    module, scaling = fitted.module_, fitted._scaling
    with torch.no_grad():
        means, log_vars = module.mixture(torch.zeros(2, dtype=torch.float64))
        A, c = module.decoder[0].weight.numpy(), module.decoder[0].bias.numpy()
        variance = float((2 * module.likelihood.log_scale).exp())
        weights = module.log_weights.exp().tolist()
    for weight, mean, log_var in zip(
        weights, means.numpy(), log_vars.numpy(), strict=True
    ):
        covariance = A * np.exp(log_var) @ A.T + variance * np.eye(len(c))
        yield (
            weight,
            scaling.center + scaling.scale * (A @ mean + c),
            scaling.scale**2 * covariance,
        )


def exact_log_likelihood(fitted, X):
    parts = [
        np.log(weight) + multivariate_normal(mean, covariance).logpdf(X)
        for weight, mean, covariance in exact_components(fitted)
    ]
    return logsumexp(parts, axis=0)


@pytest.mark.parametrize("n_importance", [1, 7])
def test_score_is_exact_where_the_posterior_is(linear_gaussian, n_importance):
    fitted = linear_gaussian(1, n_importance)
    X, _ = fitted.sample(20, observation_noise=True, random_state=0)
    expected = exact_log_likelihood(fitted, X)
    np.testing.assert_allclose(fitted.score_samples(X), expected, rtol=1e-9)


def test_score_rises_to_the_exact_log_likelihood_with_importance_samples(
    linear_gaussian,
):
    fitted = linear_gaussian(2)
    with torch.no_grad():  # a posterior that fits neither component well
        weight, bias, log_var = exact_posterior(fitted.module_, 1)
        set_posterior(fitted.module_, 0.9 * weight, bias + 0.1, log_var + 0.7)
        fitted.module_.encoder[0].bias[4:6] = 0.3
    X, _ = fitted.sample(20, observation_noise=True, random_state=0)
    exact, noise = exact_log_likelihood(fitted, X).mean(), draw(1000, 4)
    means = []
    for n_importance in (1, 10, 100, 1000):
        scores = []
        for group in noise.split(n_importance):
            fitted.module_.score_noise = group
            scores.append(fitted.score(X))
        means.append(np.mean(scores))
        error = np.std(scores) / math.sqrt(len(scores))
        assert means[-1] < exact + 4 * error + 0.03 * (len(scores) == 1)
    # The same draws in larger groups: Jensen's inequality, without chance.
    assert all(low < high for low, high in itertools.pairwise(means))
    assert means[0] < exact - 0.3
    assert means[-1] == pytest.approx(exact, abs=0.03)


@pytest.mark.parametrize("cluster", [0, 1])
def test_samples_have_the_moments_of_their_component(linear_gaussian, cluster):
    fitted = linear_gaussian(2)
    _, mean, covariance = list(exact_components(fitted))[cluster]
    X, _ = fitted.sample(
        40_000, cluster=cluster, observation_noise=True, random_state=0
    )
    error = 5 * np.sqrt(np.diag(covariance) / len(X))
    assert (np.abs(X.mean(0) - mean) < error).all()
    np.testing.assert_allclose(
        np.cov(X.T), covariance, atol=0.03 * np.diag(covariance).max()
    )


def test_samples_without_noise_are_decoder_means(linear_gaussian):
    fitted = linear_gaussian(2)
    plain, _ = fitted.sample(50, cluster=0, random_state=0)
    noisy, _ = fitted.sample(50, cluster=0, observation_noise=True, random_state=0)
    tolerance = 1e-9 * np.abs(plain).max()
    assert np.linalg.matrix_rank(plain - plain.mean(0), tol=tolerance) == 2
    assert np.linalg.matrix_rank(noisy - noisy.mean(0), tol=tolerance) == 4


# Sampling


def test_observation_noise_adds_the_learned_scale(model, blobs):
    X, _ = blobs
    plain, _ = model.sample(20_000, cluster=1, random_state=0)
    noisy, _ = model.sample(20_000, cluster=1, observation_noise=True, random_state=0)
    learned = float(model.module_.likelihood.log_scale.detach().exp())
    expected = learned * np.sqrt(X.var(0).mean())
    noise = noisy - plain
    np.testing.assert_allclose(noise.std(0), expected, rtol=0.03)
    np.testing.assert_allclose(noise.mean(0), 0, atol=5 * expected / math.sqrt(20_000))
    np.testing.assert_allclose(noisy.var(0), plain.var(0) + expected**2, rtol=0.05)


@pytest.mark.parametrize("observation_noise", [False, True])
@pytest.mark.parametrize("cluster", [0, 1, 2])
def test_samples_of_a_cluster_are_classified_back_to_it(
    model, cluster, observation_noise
):
    X, labels = model.sample(
        200, cluster=cluster, observation_noise=observation_noise, random_state=0
    )
    assert (labels == cluster).all()
    assert np.mean(model.predict(X) == cluster) >= 0.99


def test_samples_are_grouped_by_cluster(model):
    X, labels = model.sample(50, random_state=0)
    assert X.shape == (50, 4)
    np.testing.assert_array_equal(labels, np.sort(labels))
    assert set(labels) == {0, 1, 2}
    assert np.mean(model.predict(X) == labels) >= 0.99


def test_clusters_are_drawn_by_their_weights(model):
    fitted = copy.deepcopy(model)
    fitted.weights_ = np.array([0.1, 0.2, 0.7])
    _, labels = fitted.sample(20_000, random_state=0)
    np.testing.assert_allclose(
        np.bincount(labels) / 20_000, fitted.weights_, atol=5 * 0.5 / math.sqrt(20_000)
    )


def test_an_array_of_clusters_keeps_its_order(model):
    cluster = np.array([2, 0, 1, 1, 0, 2, 2])
    X, labels = model.sample(cluster=cluster, random_state=0)
    np.testing.assert_array_equal(labels, cluster)
    np.testing.assert_array_equal(model.predict(X), cluster)


def test_an_int_repeats_draws_and_a_random_state_advances(model):
    random_state = np.random.RandomState(3)
    first, again, of_state, next_of_state = (
        model.sample(5, random_state=seed)[0]
        for seed in (3, 3, random_state, random_state)
    )
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(first, of_state)
    assert not np.array_equal(of_state, next_of_state)


def test_sample_follows_random_state_of_the_model_by_default(model):
    np.testing.assert_array_equal(
        model.sample(5)[0], model.sample(5, random_state=model.random_state)[0]
    )


# Invariances


def test_float32_and_float64_give_the_same_fit(blobs):
    X = blobs[0].astype(np.float32)
    single, double = (make_model().fit(X.astype(dtype)) for dtype in ("f4", "f8"))
    np.testing.assert_array_equal(single.labels_, double.labels_)
    assert single.loss_curve_ == double.loss_curve_
    np.testing.assert_allclose(
        single.predict_proba(X), double.predict_proba(X), atol=1e-4
    )


@pytest.mark.parametrize("encoder", [MLP((8,)), ConvNet((1, 5, 6), channels=(2,))])
def test_uint8_images_give_the_fit_of_floats(encoder):
    random = np.random.RandomState(0)
    X = np.concatenate(
        [random.randint(0, 90, size=(40, 30)), random.randint(160, 256, size=(40, 30))]
    ).astype(np.uint8)
    models = [
        make_model(n_clusters=2, encoder=encoder, max_iter=20).fit(X.astype(dtype))
        for dtype in ("uint8", "float32")
    ]
    assert models[0].loss_curve_ == models[1].loss_curve_
    np.testing.assert_array_equal(models[0].labels_, models[1].labels_)
    assert adjusted_rand_score(np.repeat([0, 1], 40), models[0].labels_) == 1


@pytest.mark.filterwarnings("ignore:Number of distinct clusters")
@pytest.mark.parametrize("encoder", [MLP((8,)), ConvNet((1, 2, 2), channels=(2,))])
def test_batch_normalization_takes_a_last_batch_of_one_row(blobs, encoder):
    X, _ = blobs
    encoder = clone(encoder).set_params(normalization="batch")
    fitted = make_model(encoder=encoder, batch_size=20).fit(X[:81])
    np.testing.assert_array_equal(
        fitted.labels_, np.concatenate([fitted.predict(x[None]) for x in X[:81]])
    )


@pytest.mark.parametrize("beta", [0.0, 0.5, 3.0])
def test_beta_weights_the_conditional_prior_alone(beta):
    x = torch.from_numpy(np.random.RandomState(0).randn(5, 3))
    terms = {}
    for weight in (1.0, beta):
        module = make_module(beta=weight)
        module.generator = torch.Generator().manual_seed(0)
        ((terms[weight],),) = module.losses(x)
    plain, weighted = terms[1.0], terms[beta]
    assert weighted.pop("conditional_prior").item() == pytest.approx(
        beta * plain.pop("conditional_prior").item()
    )
    assert weighted == plain


def test_beta_does_not_enter_the_score():
    x = torch.from_numpy(np.random.RandomState(0).randn(5, 3))
    scores = [make_module(beta=beta).log_prob(x) for beta in (1.0, 3.0)]
    torch.testing.assert_close(*scores, rtol=0, atol=0)


# Restarts and randomness


@pytest.mark.filterwarnings("ignore:The clusters collapsed")
@pytest.mark.filterwarnings("ignore:Number of distinct clusters")
@pytest.mark.parametrize("seed", range(3))
def test_n_init_keeps_an_informative_restart_that_agrees_with_the_others(
    blobs, monkeypatch, seed
):
    X, _ = blobs
    modules = []
    fit_once = GaussianMixtureVAE._fit_once

    def recorded(self, *args):
        restart = fit_once(self, *args)
        modules.append(restart.module)
        return restart

    monkeypatch.setattr(GaussianMixtureVAE, "_fit_once", recorded)
    fitted = make_model(n_init=4, init="random", max_iter=2, random_state=seed).fit(X)
    x = torch.from_numpy(in_model_units(X)).float()
    with torch.no_grad():
        probas = [module.log_resp(x).exp().numpy() for module in modules]
    labels = [proba.argmax(1) for proba in probas]
    n_live = [len(set(found)) for found in labels]
    alive = [i for i in range(4) if n_live[i] == max(n_live)]
    information = {
        i: np.mean([entropy(row, probas[i].mean(0)) for row in probas[i]])
        for i in alive
    }
    agreement = {
        i: sum(adjusted_rand_score(labels[i], labels[j]) for j in alive if j != i)
        for i in alive
    }
    ranks = {
        i: sum(score[i] > score[j] for score in (information, agreement) for j in alive)
        + sum(agreement[i] == agreement[j] for j in alive) / 2
        for i in alive
    }
    best = max(alive, key=lambda i: (ranks[i], information[i]))
    assert fitted.module_ is modules[best]


def test_collapsed_restarts_do_not_vote_for_each_other():
    n_rows = 30
    flat = np.full((n_rows, 3), [0.4, 0.3, 0.3])
    good = np.eye(3)[np.arange(n_rows) % 3]
    also_flat = np.add(flat, [1e-3, -1e-3, 0])
    fits = {"flat": flat, "also flat": also_flat, "good": good}
    model = make_model()
    model._training_proba = lambda restart, X: fits[restart]
    assert model._best(list(fits), None) == "good"
