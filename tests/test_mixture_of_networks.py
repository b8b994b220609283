"""The mixture of networks: memberships, steps and samples against what must hold."""

import copy
import math
import re

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from scipy.special import logsumexp
from sklearn.datasets import make_blobs
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture
from torch import nn

from skdeepmix import MixtureOfNetworks
from skdeepmix._data import Rows, Scaling
from skdeepmix._training import take_move
from skdeepmix.datasets import make_moon_circle, make_two_circles, make_two_moons
from skdeepmix.distributions import _parzen
from skdeepmix.metrics import clustering_accuracy, parzen_log_likelihood
from skdeepmix.networks import MLP, ConvNet
from skdeepmix.utils.estimator_checks import module_factory

SMALL = {"encoder": MLP((32,)), "networks": MLP((16, 16)), "n_draws": 200}


def make_model(n_clusters=3, **parameters):
    defaults = {"n_latent": 2, "max_iter": 30, "random_state": 0}
    return MixtureOfNetworks(n_clusters, **SMALL | defaults | parameters)


def make_module(X, n_clusters=3, seed=0, **parameters):
    estimator = make_model(**{"n_latent": None} | parameters)
    module = module_factory(estimator, X)(X.shape[1], n_clusters, seed)
    module.generator = torch.Generator().manual_seed(seed)
    return module


@pytest.fixture(scope="module")
def blobs():
    return make_blobs(300, n_features=5, centers=3, random_state=0)


class KnownGaussians(nn.Module):
    """Generators frozen to Gaussians: standard noise through a scale and a mean."""

    def __init__(self, means, scale, noise):
        super().__init__()
        self.means, self.scale, self.fixed = means, scale, noise

    def forward(self, noise):
        # `generate` applies a sigmoid to what comes from here.
        drawn = self.means.unsqueeze(1) + self.scale * self.fixed
        return drawn.clamp(1e-6, 1 - 1e-6).logit()


# Eqs. 4 and 5


def test_likelihood_is_the_mean_of_windows_around_draws():
    rng = np.random.RandomState(0)
    module = make_module(rng.uniform(size=(20, 4))).double()
    codes = torch.from_numpy(rng.uniform(size=(7, 4)))
    h = module.bandwidth.fill_(0.2).item()
    expected = np.stack(
        [
            logsumexp(-(cdist(codes, draws) ** 2) / (2 * h**2), axis=1)
            - math.log(len(draws))
            - 2 * math.log(2 * math.pi * h**2)
            for draws in module.draws.numpy()
        ],
        axis=1,
    )
    np.testing.assert_allclose(module.log_likelihood(codes), expected, rtol=1e-10)


def test_memberships_of_known_gaussians_are_those_of_a_gaussian_mixture():
    # A window of width h around draws of scale s: a Gaussian of variance s^2 + h^2.
    rng = np.random.RandomState(0)
    means, scale, h = np.array([[0.4, 0.45], [0.55, 0.6], [0.6, 0.4]]), 0.04, 0.05
    weights = np.array([0.5, 0.3, 0.2])
    owner = rng.choice(3, size=200, p=weights)
    x = means[owner] + math.hypot(scale, h) * rng.randn(200, 2)
    module = make_module(x, n_draws=20_000).double()
    module.networks = KnownGaussians(
        torch.from_numpy(means), scale, torch.from_numpy(rng.randn(3, 20_000, 2))
    )
    module.draws.copy_(module.generate(None))
    module.bandwidth.fill_(h)
    module.log_weights.copy_(torch.from_numpy(weights).log())
    mixture = GaussianMixture(3, covariance_type="spherical")
    mixture.means_, mixture.weights_ = means, weights
    mixture.covariances_ = np.full(3, scale**2 + h**2)
    mixture.precisions_cholesky_ = mixture.covariances_**-0.5
    resp = module.log_resp(torch.from_numpy(x)).exp().numpy()
    np.testing.assert_allclose(resp, mixture.predict_proba(x), atol=0.02)


# Eq. 6 and the steps


def soft_batches(module, data, known):
    queues, factors = module._soft_batches(data, known, 1.0)
    return [
        list(zip(queue.tolist(), factor, strict=True))
        for queue, factor in zip(queues, factors, strict=True)
    ]


def test_batch_memberships_equal_exact_products():
    X, _ = make_blobs(90, n_features=2, centers=3, cluster_std=3.0, random_state=0)
    X = (X - X.min()) / (X.max() - X.min())
    module = make_module(X)
    data = Rows(X, Scaling(), batch_size=3)
    known = module._known(data)
    known.n_passes = 1
    module.bandwidth.fill_(1.0)  # so that products stay in range
    queues = soft_batches(module, data, known)
    weights = module.log_weights.exp().double()
    for k, queue in enumerate(queues):
        for rows, factor in queue:
            codes = module._codes(data, torch.tensor(rows)).double()
            joint = weights * module.double().log_likelihood(codes).exp().prod(0)
            module.float()
            assert factor.item() == pytest.approx((joint / joint.sum())[k].item(), 1e-3)


def test_batches_hold_rows_of_neighbouring_networks_once_each():
    X, _ = make_blobs(200, n_features=2, centers=3, random_state=0)
    module = make_module(X)
    data = Rows(X, Scaling.fit(X), batch_size=10)
    known = module._known(data)
    log_lik = module.log_likelihood(module._codes(data, known.train))
    batches = module._neighbors(log_lik, known.batch_size)
    assert batches.shape[1] == known.batch_size
    assert len(batches.unique()) == batches.numel() > len(known.train) - 10
    owners = log_lik.argmax(1)[batches.flatten()]
    assert (owners.diff() >= 0).all()


def test_networks_side_by_side_equal_networks_one_after_the_other():
    X, y = make_blobs(120, n_features=2, centers=3, random_state=0)
    together, alone = (make_module(X) for _ in range(2))
    alone.load_state_dict(together.state_dict())
    codes = torch.rand(4, 3, 8, 2, generator=torch.Generator().manual_seed(1))
    noise = torch.rand(4, 3, 16, 10, generator=torch.Generator().manual_seed(2))
    # Network 2 has two batches, the others four.
    factors = torch.tensor([[1.0, 0.5, 1.0], [1, 1, 0], [0.3, 1, 1], [1, 1, 0]])

    def play(module, step, factor):
        module._draw_noise = lambda *shape, generator: noise[step]
        module.step_factors.copy_(factor)
        for terms, player in module.losses(codes[step]):
            take_move(terms, [module.players[player]])

    for module in (together, alone):
        module.players = module.optimizers(1e-2)
    for step in range(4):
        play(together, step, factors[step])
    for network in range(3):
        for step in range(4):
            if factors[step, network] > 0:
                play(alone, step, factors[step] * (torch.arange(3) == network))
    for one, other in zip(together.parameters(), alone.parameters(), strict=True):
        torch.testing.assert_close(one, other)


def test_draws_know_the_start_before_the_first_step():
    X, y = make_blobs(200, n_features=2, centers=3, cluster_std=0.3, random_state=0)
    module = make_module(X)
    data = Rows(X, Scaling.fit(X), targets=torch.eye(3)[y])
    with torch.no_grad():
        module.initialize(data)
    labels = module.log_resp(data[torch.arange(200)]).argmax(1)
    np.testing.assert_array_equal(labels, y)


def test_a_step_that_is_cut_short_leaves_no_wide_window():
    X, _ = make_blobs(200, n_features=2, centers=3, cluster_std=3.0, random_state=0)
    module = make_module(X, hard_fraction=0.0)
    module.bandwidth.fill_(0.02)
    moves = module.epoch(Rows(X, Scaling.fit(X), batch_size=20), 0.1)
    next(moves)
    assert module.bandwidth.item() == pytest.approx(0.02)
    moves.close()
    assert module.bandwidth.item() == pytest.approx(0.02)


def test_rows_in_the_unit_interval_need_an_autoencoder(blobs):
    X = np.clip(blobs[0], 0, 1)
    with pytest.raises(ValueError, match="likelihood='bernoulli' is that of the autoe"):
        make_model(n_latent=None, likelihood="bernoulli").fit(X)


def test_first_step_trains_every_network_on_its_own_cluster():
    X, y = make_blobs(200, n_features=2, centers=3, cluster_std=0.3, random_state=0)
    model = make_model(
        n_latent=None, init=y, hard_fraction=1.0, max_iter=60, random_state=0
    ).fit(X)
    assert model.n_iter_guided_ == model.n_iter_
    for k, found in enumerate(model.cluster_centers_):
        mean = X[model.labels_ == k].mean(0)
        assert np.linalg.norm(found - mean) < 0.5
    np.testing.assert_array_equal(model.labels_, y)


def test_second_step_mends_a_start_that_cuts_a_cluster():
    X, y = make_two_moons(1500, random_state=0)
    start = np.where(X[:, 0] < 0.16, 1, y)  # the tip of the upper moon
    assert 0.8 < clustering_accuracy(y, start) < 0.9
    model = make_model(
        2, n_latent=None, networks=MLP((32, 128, 32)), init=start, max_iter=80
    ).fit(X)
    assert clustering_accuracy(y, model.labels_) > 0.99


@pytest.mark.parametrize("make", [make_two_moons, make_moon_circle])
def test_default_start_finds_curved_clusters_and_is_kept(make):
    X, y = make(1000, random_state=0)
    model = make_model(
        2, n_latent=None, networks=MLP((32, 128, 32)), n_draws=1000, max_iter=60
    ).fit(X)
    assert clustering_accuracy(y, model.labels_) > 0.99


def test_start_of_clusters_in_each_other_is_not_blurred():
    X, y = make_two_circles(2000, random_state=0)
    model = make_model(
        2,
        n_latent=None,
        networks=MLP((32, 128, 32)),
        init=y,
        batch_size=100,
        n_draws=1000,
        max_iter=100,
    ).fit(X)
    assert clustering_accuracy(y, model.labels_) > 0.99


# Dead networks


def test_dead_networks_get_the_rows_that_are_explained_worst():
    X, _ = make_blobs(100, n_features=2, random_state=0)
    module = make_module(X)
    log_lik = torch.zeros(100, 3)
    log_lik[::2, 1] = 1
    log_lik[:, 2] = -1e4
    log_lik[40:50] -= 1e3
    module.log_weights.copy_(torch.tensor([0.5, 0.499, 0.001]).log())
    best = copy.deepcopy(module.state_dict())
    module._revive(log_lik, 10)
    revived = (log_lik.argmax(1) == 2).nonzero()[:, 0]
    assert len(revived) == 16
    assert set(range(40, 50)) <= set(revived.tolist())
    # What is told of it does not depend on the epoch that is kept.
    module.load_state_dict(best)
    (complaint,) = module.complaints()
    assert "started anew: 1." in complaint


def test_a_network_without_a_cluster_comes_back_to_life():
    X, y = make_blobs(300, n_features=2, centers=3, cluster_std=0.2, random_state=0)
    model = make_model(
        n_latent=None, init=np.minimum(y, 1), max_iter=80, n_iter_no_change=80
    )
    with pytest.warns(ConvergenceWarning, match=r"^Number of times that a .* anew: \d"):
        model.fit(X)
    assert len(np.unique(model.labels_)) == 3


@pytest.mark.filterwarnings("ignore:Number of times")
def test_networks_that_stay_dead_are_reported():
    X = np.zeros((40, 2))
    message = "Number of distinct clusters (1) found smaller than n_clusters (3)."
    with pytest.warns(ConvergenceWarning, match=f"^{re.escape(message)}"):
        make_model(n_latent=None, max_iter=5).fit(X)


def test_without_an_autoencoder_there_is_no_pre_training(monkeypatch):
    def epoch(module, data):
        raise AssertionError("There is nothing to pre-train.")

    monkeypatch.setattr(MixtureOfNetworks._module_class, "pretraining_epoch", epoch)
    X, y = make_blobs([60, 60, 60], n_features=2, cluster_std=0.2, random_state=0)
    make_model(n_latent=None, init=y, max_iter=2).fit(X)


def test_clusters_of_fewer_rows_than_a_batch():
    X, y = make_blobs([60, 60, 4], n_features=2, cluster_std=0.2, random_state=0)
    model = make_model(n_latent=None, init=y).fit(X)
    assert adjusted_rand_score(y, model.labels_) > 0.9


# Bandwidths and scores


def test_bandwidth_has_the_largest_held_out_likelihood(blobs):
    X, _ = blobs
    module = make_module(X)
    data = Rows(X, Scaling.fit(X), batch_size=50)
    known = module._known(data)
    module._redraw(data, known)
    codes = module._codes(data, known.held_out).double()

    def held_out(h):
        log_prob = [
            logsumexp(-(cdist(codes, d) ** 2) / (2 * h**2), axis=1)
            - math.log(len(d))
            - codes.shape[1] / 2 * math.log(2 * math.pi * h**2)
            for d in module.draws.double().numpy()
        ]
        return (logsumexp(log_prob, axis=0) - math.log(3)).mean()

    grid = known.distance * np.array(_parzen.BANDWIDTHS)
    scores = [held_out(h) for h in grid]
    assert module.bandwidth.item() == pytest.approx(grid[np.argmax(scores)], rel=1e-5)
    assert module.held_out_loss == pytest.approx(-max(scores), rel=1e-4)


def test_held_out_rows_are_capped_where_none_is_held_out():
    X = np.random.RandomState(0).normal(size=(1100, 2))
    module = make_module(X, validation_fraction=1e-5)
    known = module._known(Rows(X, Scaling.fit(X), batch_size=50))
    assert len(known.held_out) == 1000
    assert len(known.train) == 1100


def test_a_single_row_is_not_held_out():
    X = np.random.RandomState(0).normal(size=(19, 2))
    known = make_module(X)._known(Rows(X, Scaling.fit(X), batch_size=5))
    assert len(known.held_out) == len(known.train) == 19


@pytest.mark.parametrize("distance", [10, 30, 100, 300])
def test_the_window_of_the_score_has_the_scale_of_tight_clusters(distance, monkeypatch):
    # Draws of the true density, whatever the networks: only the window may be wrong.
    def draw(n):
        return torch.from_numpy(centers[:, None] + rng.normal(size=(3, n, 10)))

    rng = np.random.RandomState(0)
    centers = distance * np.eye(10)[:3] / np.sqrt(2)
    rows, draws = draw(200).flatten(0, 1), draw(1000)
    module = make_module(rows.numpy()).double()
    monkeypatch.setattr(module, "drawn_rows", lambda: draws)
    module.set_row_bandwidth(rows)
    best = parzen_log_likelihood(
        draws.flatten(0, 1), rows, X_validation=rows, bandwidths=np.geomspace(0.1, 9)
    )
    assert module.row_bandwidth.item() == pytest.approx(best.bandwidth, rel=0.15)
    assert module.log_prob(rows).mean().item() == pytest.approx(best.mean, abs=0.1)


def test_score_samples_is_a_density_of_windows_in_data_units():
    X, _ = make_two_moons(600, random_state=0)
    X = 7 * X + 3
    model = make_model(2, n_latent=None, max_iter=20).fit(X)
    draws = [model.inverse_transform(d) for d in model.module_.draws.numpy()]
    weights = model.module_.log_weights.exp().numpy()
    h = model.module_.row_bandwidth.item() * model._scaling.scale
    expected = logsumexp(
        [
            logsumexp(-(cdist(X[:50], d) ** 2) / (2 * h**2), axis=1) - math.log(len(d))
            for d in draws
        ],
        axis=0,
        b=weights[:, None],
    ) - math.log(2 * math.pi * h**2)
    np.testing.assert_allclose(model.score_samples(X[:50]), expected, rtol=1e-3)


def test_score_is_about_that_of_the_parzen_metric(blobs):
    X, _ = blobs
    model = make_model(max_iter=40).fit(X)
    samples, _ = model.sample(3000, random_state=0)
    found = parzen_log_likelihood(samples, X, X_validation=X[::2])
    assert model.score(X) == pytest.approx(found.mean, abs=0.5)


def test_observation_noise_has_the_width_of_the_window(blobs):
    X, _ = blobs
    model = make_model(max_iter=5).fit(X)
    clean, _ = model.sample(4000, cluster=1, random_state=0)
    noisy, _ = model.sample(4000, cluster=1, random_state=0, observation_noise=True)
    width = model.module_.row_bandwidth.item() * model._scaling.scale
    spread = np.sqrt(noisy.var(axis=0) - clean.var(axis=0))
    np.testing.assert_allclose(spread, width, rtol=0.2)


# Samples and codes


def test_samples_come_from_the_networks_of_their_clusters(blobs):
    X, _ = blobs
    module = make_module(X)
    cluster = torch.tensor([2, 0, 0, 1, 2, 2])
    sampled = module.sample(cluster, torch.Generator().manual_seed(0))
    noise = module._draw_noise(6, generator=torch.Generator().manual_seed(0))
    for row, k, u in zip(sampled, cluster, noise, strict=True):
        alone = module.decode(module.generate(u.expand(3, 1, -1))[k, 0])
        torch.testing.assert_close(row, alone)


def test_samples_are_predicted_as_their_clusters(blobs):
    X, _ = blobs
    model = make_model(max_iter=150).fit(X)
    rows, labels = model.sample(300, random_state=0)
    assert (model.predict(rows) == labels).mean() > 0.95


def test_codes_of_the_fit_lie_in_the_unit_cube_on_one_scale(blobs):
    X, _ = blobs
    codes = make_model(max_iter=2).fit_transform(X)
    spans = np.ptp(codes, axis=0)
    assert codes.min() >= -1e-6
    assert codes.max() <= 1 + 1e-6
    assert spans.max() == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose((codes.min(0) + codes.max(0)) / 2, 0.5, atol=1e-5)


def test_without_an_autoencoder_the_transform_is_an_affine_map():
    X, _ = make_two_moons(200, random_state=0)
    model = make_model(2, n_latent=None, max_iter=2).fit(X)
    codes = model.transform(X)
    np.testing.assert_allclose(model.inverse_transform(codes), X, atol=1e-6)
    ratio = (X[1:] - X[0]) / (codes[1:] - codes[0])
    np.testing.assert_allclose(ratio, np.ptp(X, axis=0).max(), rtol=1e-4)


@pytest.mark.parametrize("factor", [1e-3, 1e3])
def test_rescaled_rows_give_the_same_clusters(blobs, factor):
    X, _ = blobs
    first, other = (make_model(max_iter=10).fit(f * X) for f in (1.0, factor))
    np.testing.assert_array_equal(first.labels_, other.labels_)


def test_random_start_puts_rows_to_the_nearest_of_a_few(blobs):
    X, _ = blobs
    model = make_model(init="random", max_iter=5).fit(X)
    assert model.start_labels_.min() >= 0
    assert set(model.start_labels_) == {0, 1, 2}


def test_nothing_of_the_rows_stays_in_the_model(blobs):
    X, _ = blobs
    module = make_model(max_iter=2).fit(X).module_
    plain = (bool, int, float, dict, set, type(None))  # of torch, and settings
    for part in module.modules():
        held = {n: v for n, v in vars(part).items() if not isinstance(v, plain)}
        assert held == {}, part


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (
            {"networks": ConvNet((1, 1, 5))},
            "ConvNet cannot be built 3 times side by side. Use MLP.",
        ),
        (
            {"networks": MLP((8,), normalization="batch")},
            "normalization='batch' is not available for networks side by side. Use "
            "normalization='none'.",
        ),
        (
            {"hard_fraction": 1.5},
            "The 'hard_fraction' parameter of MixtureOfNetworks must be a float in the "
            "range [0.0, 1.0]. Got 1.5 instead.",
        ),
        (
            {"n_latent": 0},
            "The 'n_latent' parameter of MixtureOfNetworks must be an int in the range "
            "[1, inf) or None. Got 0 instead.",
        ),
    ],
    ids=str,
)
def test_mistakes_are_named(blobs, parameters, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        make_model(**parameters).fit(blobs[0])
