"""MPCC against the equations and the algorithm of the paper."""

import itertools
import math
import re

import numpy as np
import pytest
import torch
from scipy.special import logsumexp
from scipy.stats import multivariate_normal, norm
from sklearn.datasets import make_blobs
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture

from skdeepmix import MPCC, GaussianMixtureVAE, _data
from skdeepmix._data import Rows, Scaling
from skdeepmix._mpcc import without_parameters
from skdeepmix._training import take_move
from skdeepmix.initialization import GUIDANCE_WEIGHT, guidance_weight
from skdeepmix.networks import MLP, ResNet
from skdeepmix.networks._layers import ConditionalNorm
from skdeepmix.utils.estimator_checks import module_factory

CENTERS = 8 * np.eye(3, 4)


def make_model(**parameters):
    return MPCC(
        **{
            "n_clusters": 3,
            "n_latent": 2,
            "encoder": MLP((8,)),
            "max_iter": 30,
            "batch_size": 20,
            "learning_rate": 1e-2,
            "n_draws": 50,
            "random_state": 0,
        }
        | parameters
    )


def make_module(n_features=4, n_clusters=3, seed=0, **parameters):
    """A small module in float64 whose means and scales are random."""
    model = make_model(**parameters)
    module = module_factory(model, np.zeros((9, n_features)))(
        n_features, n_clusters, seed
    ).double()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in (module.means, module.log_scales):
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
        module.critic[-1].layer.bias.fill_(0.3)
    module.generator = generator
    return module


def draw(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, dtype=torch.float64, generator=generator)


def play(module, x):
    """Take the moves of a round; list terms and players."""
    optimizers = module.optimizers(1e-3)
    moves = []
    for terms, *players in module.losses(x):
        moves.append(
            ({name: float(term.detach()) for name, term in terms.items()}, players)
        )
        take_move(terms, [optimizers[name] for name in players])
    return moves


@pytest.fixture(scope="module")
def blobs():
    return make_blobs(90, centers=CENTERS, cluster_std=0.7, random_state=0)


@pytest.fixture(scope="module")
def model(blobs):
    return make_model().fit(blobs[0])


# The equations


def test_membership_is_that_of_a_gaussian_mixture():
    module = make_module()
    module.set_weights(torch.tensor([0.2, 0.5, 0.3], dtype=torch.float64))
    mixture = GaussianMixture(3, covariance_type="diag")
    mixture.weights_ = module.log_weights.exp().numpy()
    mixture.means_ = module.means.detach().numpy()
    mixture.precisions_cholesky_ = 1 / module.scales.detach().numpy()
    z = 3 * draw(50, 2)
    found = module.log_membership(z).exp().detach()
    np.testing.assert_allclose(found, mixture.predict_proba(z.numpy()), atol=1e-10)


def test_terms_of_the_encoder_equal_their_equations():
    module = make_module(n_encoder_steps=1, entropy_weight=0.7)
    moves = module.losses(draw(20, 4, seed=1))
    optimizers = module.optimizers(1e-3)
    for _ in range(5):  # four of the critic, one of the generator
        terms, *players = next(moves)
        take_move(terms, [optimizers[name] for name in players])
    module.generator.set_state(torch.Generator().manual_seed(5).get_state())
    terms, *_ = next(moves)
    # Once more by hand.
    module.generator.set_state(torch.Generator().manual_seed(5).get_state())
    cluster, z = module._draw(16)
    rows = module.rows(z, cluster)
    mean, log_var = (t.detach().numpy() for t in module.posterior(rows))
    z, cluster = z.detach().numpy(), cluster.numpy()
    means, scales = (t.detach().numpy() for t in (module.means, module.scales))
    latent = -norm(mean, np.exp(0.5 * log_var)).logpdf(z).sum(1).mean() / 4
    log_prob = np.array(
        [
            multivariate_normal(m, np.diag(s**2)).logpdf(z)
            for m, s in zip(means, scales, strict=True)
        ]
    )
    log_resp = log_prob - logsumexp(log_prob, axis=0)
    in_cluster = -log_resp[cluster, np.arange(16)].mean()
    entropies = [
        multivariate_normal(m, np.diag(s**2)).entropy()
        for m, s in zip(means, scales, strict=True)
    ]
    prior = np.mean([-math.log(3) - h / 2 for h in entropies])
    assert terms["latent"].item() == pytest.approx(latent)
    assert terms["cluster"].item() == pytest.approx(in_cluster)
    assert terms["prior"].item() == pytest.approx(0.7 * prior)


def test_prior_loss_is_a_monte_carlo_mean_of_log_densities():
    # Eq. 10 with one latent, where its two scalings are 1.
    module = make_module(n_latent=1)
    with torch.no_grad():
        cluster, z = module._draw(200_000)
        log_prob = norm(
            module.means[cluster].numpy(), module.scales[cluster].numpy()
        ).logpdf(z.numpy())
    expected = (-math.log(3) + log_prob).mean()
    assert module.prior_loss().item() == pytest.approx(expected, abs=0.01)


def test_scales_have_a_floor_that_they_can_leave():
    module = make_module(min_scale=0.5)
    with torch.no_grad():
        module.log_scales.copy_(torch.tensor([[-20.0, -1.0], [-0.5, 0.0], [1.0, 2.0]]))
    before = module.log_scales.detach().exp().numpy()
    module._limit_scales()
    floored = module.scales.detach().numpy()
    np.testing.assert_allclose(floored, np.maximum(before, 0.5))
    module.prior_loss().backward()
    assert (module.log_scales.grad < 0).all()


# The game


def test_moves_are_those_of_algorithm_1():
    moves = play(make_module(n_critic_steps=3, n_encoder_steps=2), draw(18, 4))
    assert [players for _, players in moves] == [
        ["critic"],
        ["critic"],
        ["critic"],
        ["generator", "prior"],
        ["encoder", "prior"],
        ["encoder"],
    ]
    assert [set(terms) for terms, _ in moves] == [
        {"critic"},
        {"critic"},
        {"critic"},
        {"generator"},
        {"latent", "cluster", "prior"},
        {"latent"},
    ]


def test_critic_sees_every_row_of_the_batch_once():
    module = make_module(n_critic_steps=4)
    seen = []
    module.critic.register_forward_hook(lambda _, args, __: seen.append(args[0]))
    x = draw(22, 4, seed=3)
    play(module, x)
    torch.testing.assert_close(torch.cat(seen[0:8:2]), x)


def test_critic_loss_is_the_hinge_of_both_kinds_of_rows():
    module = make_module()
    module.critic.eval()
    terms, *_ = next(module.losses(x := draw(8, 4)))
    module.generator.manual_seed(0)
    twin = make_module()
    twin.critic.eval()
    fake = twin.rows(*reversed(twin._draw(16)))
    real = x.tensor_split(4)[0]
    expected = np.maximum(0, 1 - twin.critic(real).detach().numpy()).mean()
    expected += np.maximum(0, 1 + twin.critic(fake).detach().numpy()).mean()
    assert terms["critic"].item() == pytest.approx(expected)


def test_prior_learns_from_every_term_but_the_critic_s():
    module = make_module(n_encoder_steps=1)
    prior = [module.means, module.log_scales]
    learns = {}
    for terms, *players in module.losses(draw(20, 4)):
        for name, term in terms.items():
            gradients = torch.autograd.grad(
                term, prior, retain_graph=True, allow_unused=True
            )
            learns[name] = [g is not None and bool(g.any()) for g in gradients]
            assert ("prior" in players) == any(learns[name])
    assert learns == {
        "critic": [False, False],
        "generator": [True, True],
        "latent": [True, True],
        "cluster": [True, True],
        "prior": [False, True],
    }


@pytest.mark.parametrize("progress", [0.3, 0.9])
def test_the_guidance_of_the_encoder_stays(progress):
    module, x = make_module().eval(), draw(9, 4)
    targets = torch.eye(3, dtype=torch.float64)[torch.arange(9) % 3]

    def weights(progress, given=targets):
        found = {}
        for terms, *players in module.guided(module.losses(x), x, given, progress):
            if "guidance" in terms:
                alone = module.guidance(x, targets, players).item()
                found[players[0]] = terms["guidance"].item() / alone
        return found

    full, falling = GUIDANCE_WEIGHT, guidance_weight(progress)
    assert weights(0.0) == pytest.approx({"encoder": full, "generator": full})
    expected = {"encoder": full, "generator": falling}
    expected = {name: weight for name, weight in expected.items() if weight > 0}
    assert weights(progress) == pytest.approx(expected)
    assert weights(0.0, None) == {}


@pytest.mark.parametrize("n_shared", [0, 1, 2])
def test_encoder_shares_the_first_layers_of_the_critic(n_shared):
    module = make_module(encoder=MLP((8, 7)), n_shared=n_shared)
    optimizers = module.optimizers(1e-3)
    critic, encoder = (
        {id(p) for p in optimizers[name].param_groups[0]["params"]}
        for name in ("critic", "encoder")
    )
    # Weight and bias of every layer.
    assert len(critic & encoder) == 2 * n_shared
    before = [p.detach().clone() for p in module.critic.parameters()]
    shared = {id(p) for layer in module.critic[:n_shared] for p in layer.parameters()}
    for terms, *players in module.losses(draw(20, 4)):
        changed = [
            not torch.equal(old, new)
            for old, new in zip(before, module.critic.parameters(), strict=True)
        ]
        assert not any(changed)
        take_move(terms, [optimizers[name] for name in players])
        changed = {
            id(new)
            for old, new in zip(before, module.critic.parameters(), strict=True)
            if not torch.equal(old, new)
        }
        if "encoder" in players:
            assert changed == shared
        elif "critic" not in players:
            assert not changed
        before = [p.detach().clone() for p in module.critic.parameters()]


def test_critic_and_hidden_layers_of_the_encoder_are_lipschitz():
    module = make_module(encoder=MLP((8, 8)))
    for _ in range(30):  # power iterations
        module.critic(draw(2, 4))
        module.encoder(draw(2, 4))
    module.eval()
    x, y = 5 * draw(200, 4, seed=1), 5 * draw(200, 4, seed=2)
    for network in (module.critic, module.encoder[:-1]):
        ratios = (network(x) - network(y)).norm(dim=1) / (x - y).norm(dim=1)
        assert 0 < ratios.max() <= 1 + 1e-6


def test_average_follows_the_generator():
    module = make_module(average_decay=0.75)
    expected = {n: v.clone() for n, v in module.average.state_dict().items()}
    optimizers = module.optimizers(1e-2)
    for step, (terms, *players) in zip(
        itertools.count(1),
        (move for _ in range(40) for move in module.losses(draw(8, 4))),
        strict=False,
    ):
        take_move(terms, [optimizers[name] for name in players])
        if "generator" in players:
            n = (step - 1) // 9 + 1
            decay = min(0.75, (1 + n) / (10 + n))
            state = module.network.state_dict()
            for name in ("0.0.weight", "1.bias"):
                expected[name].lerp_(state[name], 1 - decay)
    state = module.average.state_dict()
    for name in ("0.0.weight", "1.bias"):
        torch.testing.assert_close(state[name], expected[name])


def test_copy_without_parameters_is_the_same_function():
    network = make_module().network.eval()
    copied = without_parameters(network)
    assert not list(copied.parameters())
    z, y = draw(5, 2), torch.eye(3, dtype=torch.float64)[[0, 1, 2, 0, 1]]
    torch.testing.assert_close(copied(z, y), network(z, y))


def test_weights_follow_the_shares_of_the_clusters():
    X = np.concatenate(
        [
            np.random.RandomState(k).randn(n, 4) + 8 * np.eye(4)[k]
            for k, n in enumerate((120, 40, 20))
        ]
    )
    model = make_model(learn_weights=True).fit(X)
    np.testing.assert_allclose(model.weights_.sum(), 1)
    np.testing.assert_allclose(sorted(model.weights_), [1 / 9, 2 / 9, 2 / 3], atol=0.03)


def test_weights_are_equal_by_default(model):
    np.testing.assert_allclose(model.weights_, 1 / 3)


# The start


def test_initialize_puts_the_prior_on_the_clusters_in_their_unit():
    module = make_module(min_scale=0.0).float().eval()
    X = np.random.RandomState(0).randn(60, 4)
    labels = np.arange(60) % 3
    data = Rows(X, Scaling(), targets=torch.eye(3)[labels])
    with torch.no_grad():
        module.initialize(data)
        z = module.embed(torch.from_numpy(X).float()).numpy()
    means = np.array([z[labels == k].mean(0) for k in range(3)])
    scales = np.array([z[labels == k].std(0) for k in range(3)])
    np.testing.assert_allclose(module.means.detach(), means, atol=1e-5)
    np.testing.assert_allclose(
        module.scales.detach(), np.maximum(scales, 0.05), atol=1e-4
    )
    assert np.mean(scales**2) == pytest.approx(1, abs=1e-4)


def test_initialize_takes_the_mean_of_a_cluster_of_less_than_one_row():
    module = make_module(min_scale=0.0).float().eval()
    X = np.random.RandomState(0).randn(60, 4)
    targets = torch.eye(3)[np.arange(60) % 2]
    targets[-1] = torch.tensor([0.0, 0.7, 0.3])
    data = Rows(X, Scaling(), targets=targets)
    with torch.no_grad():
        module.initialize(data)
        z = module.embed(torch.from_numpy(X[-1:]).float())
    torch.testing.assert_close(module.means[2:].detach(), z)


def test_guidance_teaches_the_encoder_clusters_and_the_generator_rows():
    module = make_module()
    x, targets = draw(12, 4), torch.eye(3, dtype=torch.float64)[[0, 1, 2] * 4]
    found = module.guidance(x, targets, ["encoder", "prior"])
    log_resp = module.log_resp(x).detach().numpy()
    assert found.item() == pytest.approx(-(targets.numpy() * log_resp).sum(1).mean())
    prior = [module.means, module.log_scales]
    gradients = torch.autograd.grad(found, prior, retain_graph=True, allow_unused=True)
    assert gradients == (None, None)
    found = module.guidance(x, targets, ["generator", "prior"])
    rows = module.generate(module.network, module.embed(x), targets)
    expected = ((rows - x) ** 2).mean()
    assert found.item() == pytest.approx(expected.item())
    assert module.guidance(x, targets, ["critic"]) is None


def test_default_start_is_kept(blobs):
    X, y = blobs
    found = make_model().fit(X)
    assert adjusted_rand_score(y, found.labels_) == 1
    assert adjusted_rand_score(y, found.start_labels_) == 1


# After the fit


def test_samples_lie_in_their_clusters(blobs):
    X, y = blobs
    model = make_model(max_iter=100, batch_size=90).fit(X)
    for k in range(3):
        rows, _ = model.sample(40, cluster=k, random_state=0)
        nearest = np.linalg.norm(rows[:, None] - X[model.labels_ == k].mean(0), axis=2)
        others = X[model.labels_ != k]
        far = np.linalg.norm(others - X[model.labels_ == k].mean(0), axis=1).min()
        assert np.mean(nearest < far) > 0.9


def test_score_samples_is_a_mixture_of_windows_in_data_units(model, blobs):
    X = blobs[0][:5]
    module = model.module_
    with torch.no_grad():
        draws = [model._scaling.to_data(x.numpy()) for x in module.drawn_rows()]
    bandwidth = float(module.row_bandwidth) * model._scaling.scale
    log_prob = [
        logsumexp(norm(rows, bandwidth).logpdf(x[None]).sum(1)) - math.log(50)
        for x, rows in itertools.product(X, draws)
    ]
    expected = logsumexp(
        np.reshape(log_prob, (5, 3)) + np.log(module.log_weights.exp().numpy()), axis=1
    )
    np.testing.assert_allclose(model.score_samples(X), expected, rtol=1e-4)


def test_wide_networks_do_not_repeat_the_draws_of_a_score(model, blobs, monkeypatch):
    drawn_rows, calls = type(model.module_).drawn_rows, []
    monkeypatch.setattr(_data, "BLOCK_ELEMENTS", blobs[0].size)
    monkeypatch.setattr(
        type(model.module_),
        "drawn_rows",
        lambda module: calls.append(module) or drawn_rows(module),
    )
    assert model.module_.width(blobs[0].shape[1]) > blobs[0].shape[1]
    model.score_samples(blobs[0])
    assert len(calls) == 1


def test_prediction_is_the_membership_of_the_mean(model, blobs):
    module, X = model.module_, blobs[0]
    mixture = GaussianMixture(3, covariance_type="diag")
    mixture.weights_ = module.log_weights.double().exp().numpy()
    mixture.means_ = module.means.detach().double().numpy()
    mixture.precisions_cholesky_ = 1 / module.scales.detach().double().numpy()
    expected = mixture.predict_proba(model.transform(X))[:, model._order]
    np.testing.assert_allclose(model.predict_proba(X), expected, atol=1e-4)


def test_centers_are_rows_of_the_means(model):
    module = model.module_
    with torch.no_grad():
        condition = torch.eye(3)
        rows = module.average(
            module.code_center + module.code_scale * module.means, condition
        )
    expected = model._scaling.to_data(rows.numpy())[model._order]
    np.testing.assert_allclose(model.cluster_centers_, expected, rtol=1e-4, atol=1e-4)


def test_bernoulli_rows_stay_between_0_and_1(blobs):
    X = (blobs[0] - blobs[0].min()) / np.ptp(blobs[0])
    model = make_model(likelihood="bernoulli", max_iter=5).fit(X)
    rows, _ = model.sample(50, random_state=0)
    assert rows.min() >= 0
    assert rows.max() <= 1


def test_last_epoch_is_kept_without_early_stopping(blobs):
    model = make_model(max_iter=7).fit(blobs[0])
    assert model.n_iter_ == 7
    # A buffer that counts rounds, five an epoch: it would go back with the weights.
    assert model.module_.n_steps == 35
    assert "tol" not in model.get_params()


@pytest.mark.parametrize("init", ["random", "k-means++"])
def test_step_size_falls_from_a_start_alone(monkeypatch, blobs, init):
    seen = []

    def epoch(module, data, progress):
        player = module.players["critic"]
        seen.append(player.param_groups[0]["lr"])
        return MPCC._module_class.__mro__[1].epoch(module, data, progress)

    def optimizers(module, learning_rate):
        module.players = made(module, learning_rate)
        return module.players

    made = MPCC._module_class.optimizers
    monkeypatch.setattr(MPCC._module_class, "epoch", epoch)
    monkeypatch.setattr(MPCC._module_class, "optimizers", optimizers)
    make_model(init=init, max_iter=10).fit(blobs[0])
    falling = [1.0] * 5 + [5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6]
    expected = np.array(falling) if init != "random" else np.ones(10)
    np.testing.assert_allclose(seen, 1e-2 * expected)


# Failures are reported


def test_dead_clusters_are_reported(blobs):
    # Two different rows cannot make three clusters.
    X = np.repeat(blobs[0][:2], 10, axis=0)
    message = (
        r"Number of distinct clusters \([12]\) found smaller than n_clusters \(3\)"
    )
    with pytest.warns(ConvergenceWarning, match=message):
        make_model(max_iter=2).fit(X)


@pytest.mark.filterwarnings("ignore:(Number of|The clusters)")
def test_exploding_scales_are_reported(blobs):
    message = r"The largest standard deviation of the prior is \d.*'entropy_weight'"
    with pytest.warns(ConvergenceWarning, match=message):
        make_model(entropy_weight=100.0, prior_learning_rate=0.5).fit(blobs[0])


@pytest.mark.filterwarnings("ignore:(Number of|The clusters)")
def test_vanishing_scales_are_reported(blobs):
    message = r"The smallest standard deviation of the prior is .*'min_scale'"
    with pytest.warns(ConvergenceWarning, match=message):
        make_model(
            init="random",
            min_scale=0.0,
            entropy_weight=0.0,
            prior_learning_rate=0.3,
            max_iter=100,
        ).fit(blobs[0])


def test_a_critic_that_has_won_is_reported():
    # The generator hardly learns, and the rows are far from anything that it makes.
    module = make_module().float()
    assert not list(module.complaints())
    optimizers = module.optimizers(1e-2)
    x = (1000 + draw(40, 4)).float()
    for _ in range(200):
        for terms, *players in module.losses(x):
            if players == ["critic"]:
                take_move(terms, [optimizers["critic"]])
    (complaint,) = module.complaints()
    assert re.match(r"The hinge loss of the critic is .*'n_critic_steps'", complaint)


# Networks


def test_conditions_change_the_generator_alone_where_it_is_normalised():
    decoder = MLP((6,), normalization="batch").build_decoder(
        2, 4, torch.Generator().manual_seed(0), n_conditions=3
    )
    (norm,) = (m for m in decoder.modules() if isinstance(m, ConditionalNorm))
    z, conditions = draw(5, 2).float(), torch.eye(3)[[0, 1, 2, 0, 1]]
    x = decoder[0][0](z)
    decoder.eval()
    plain = decoder(z, conditions)
    torch.testing.assert_close(plain, decoder(z, conditions.flip(0)))
    with torch.no_grad():
        norm.gain.copy_(draw(6, 3).float())
        norm.bias.copy_(draw(6, 3, seed=1).float())
    gain, bias = conditions @ norm.gain.T, conditions @ norm.bias.T
    torch.testing.assert_close(
        norm(x, conditions), (1 + gain) * norm.normalization(x) + bias
    )
    assert not torch.allclose(plain, decoder(z, conditions))


@pytest.mark.parametrize("latent", [False, True])
def test_normalisations_of_the_generator_depend_on_clusters_and_latents(latent):
    """Gain and bias are linear in the memberships, and in the latents if asked."""
    module = make_module(encoder=MLP((6,)), latent_conditions=latent).eval()
    module.code_center.fill_(0.2)
    module.code_scale.fill_(3.0)
    (norm,) = (m for m in module.network.modules() if isinstance(m, ConditionalNorm))
    seen = {}
    norm.register_forward_hook(
        lambda layer, inputs, out: seen.update(x=inputs[0], out=out.clone())
    )
    z, resp = draw(5, module.n_latent), draw(5, 3, seed=1).softmax(1)
    code = 0.2 + 3.0 * z
    conditions = torch.cat([resp, code], 1) if latent else resp
    assert norm.gain.shape == norm.bias.shape == (6, conditions.shape[1])
    with torch.no_grad():
        norm.gain.copy_(draw(*norm.gain.shape, seed=2))
        norm.bias.copy_(draw(*norm.bias.shape, seed=3))
        module.generate(module.network, z, resp)
        expected = (1 + conditions @ norm.gain.T) * norm.normalization(seen["x"])
    torch.testing.assert_close(seen["out"], expected + conditions @ norm.bias.T)


@pytest.mark.parametrize("cls", [GaussianMixtureVAE, MPCC])
def test_a_residual_network_fits_any_model(cls):
    X = np.random.RandomState(0).uniform(size=(40, 64)).astype(np.float32)
    spec = ResNet((1, 8, 8), channels=(4, 4), strides=(2, 1))
    model = cls(2, encoder=spec, n_latent=3, max_iter=2, random_state=0).fit(X)
    assert model.sample(3)[0].shape == (3, 64)
    assert model.inverse_transform(model.transform(X)).shape == X.shape


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (
            {"n_shared": 2},
            "n_shared = 2, but encoder and critic have 1 layers to share. Use a "
            "smaller 'n_shared'.",
        ),
        (
            {"n_shared": 1, "critic": MLP((9,))},
            "n_shared = 1, but layer 1 of 'encoder' is not like that of 'critic'. Use "
            "a smaller 'n_shared' or equal layers.",
        ),
        (
            {"batch_size": 1},
            "Batch normalisation needs at least 2 rows per batch, but n_samples = 90 "
            "in batches of 1 leaves one with a single row.",
        ),
    ],
)
def test_mistakes_are_named(blobs, parameters, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        make_model(**parameters).fit(blobs[0])


@pytest.mark.filterwarnings("ignore:Number of distinct clusters")
def test_few_rows_in_batches_of_one_need_another_normalization(blobs):
    decoder = MLP((8,), normalization="layer")
    model = make_model(decoder=decoder, batch_size=1, max_iter=2).fit(blobs[0][:6])
    assert np.isfinite(model.score_samples(blobs[0])).all()


def test_restarts_side_by_side_equal_restarts_in_turn(blobs):
    fits = [make_model(n_init=2, n_jobs=n, max_iter=5).fit(blobs[0]) for n in (1, 2)]
    np.testing.assert_array_equal(fits[0].labels_, fits[1].labels_)
    np.testing.assert_allclose(fits[0].loss_curve_, fits[1].loss_curve_, rtol=1e-4)


def test_prior_is_faster_from_a_random_start_alone():
    for parameters, expected in (
        ({}, 1e-2),
        ({"init": "random"}, 8e-2),
        ({"init": "random", "prior_learning_rate": 0.5}, 0.5),
    ):
        module = make_module(**parameters)
        groups = module.optimizers(1e-2)["prior"].param_groups
        assert groups[0]["lr"] == pytest.approx(expected)


def test_a_cluster_without_rows_starts_among_the_others():
    module = make_module().float().eval()
    X = 100 + np.random.RandomState(0).randn(40, 4)
    data = Rows(X, Scaling(), targets=torch.eye(3)[np.arange(40) % 2])
    with torch.no_grad():
        module.initialize(data)
    np.testing.assert_allclose(module.means[2].detach(), 0, atol=1e-6)
    assert module.scales.isfinite().all()
    assert (module.scales >= 0.5 - 1e-6).all()
