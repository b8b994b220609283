"""The contract of a module: every model keeps it, and every breach is found."""

import ast
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import make_blobs
from sklearn.metrics import adjusted_rand_score
from torch import nn

from skdeepmix import GaussianMixtureVAE
from skdeepmix.base import MixtureModule, VariationalModule
from skdeepmix.networks import MLP, ConvNet
from skdeepmix.networks._layers import initialized_linear
from skdeepmix.utils import estimator_checks
from skdeepmix.utils.discovery import all_estimators
from skdeepmix.utils.estimator_checks import check_mixture_module, module_factory

CLUSTERERS = dict(all_estimators("cluster"))
SPECS = {
    "linear": MLP(()),
    "MLP": MLP((16,)),
    "MLP, batch": MLP((16,), normalization="batch"),
    "ConvNet": ConvNet((1, 8, 8), channels=(4,), n_hidden=16),
}
# Models whose encoders are K networks on a tensor axis, and the specs for these.
STACKED = {"MixtureOfVAEs"}
STACKABLE = {"linear", "MLP"}
# Rows of 8 x 8 pixels in [0, 1], in three clusters.
X = np.random.RandomState(0).uniform(size=(40, 64)) ** (1 + np.arange(40) % 3)[:, None]


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("likelihood", ["gaussian", "bernoulli"])
@pytest.mark.parametrize("name", CLUSTERERS)
def test_every_module_keeps_the_contract(name, likelihood, spec):
    if name in STACKED and spec not in STACKABLE:
        pytest.skip("Its networks cannot be built side by side.")
    estimator = CLUSTERERS[name](encoder=SPECS[spec], n_latent=3, likelihood=likelihood)
    if "learn_weights" not in estimator.get_params():
        check_mixture_module(module_factory(estimator, X), X)
        return
    for learn_weights in (False, True):
        variant = clone(estimator).set_params(learn_weights=learn_weights)
        check_mixture_module(module_factory(variant, X), X)


@pytest.mark.parametrize(
    "parameters",
    [
        {"n_monte_carlo": 3},
        {"n_latent_prior": 1},
        {"n_latent": 80},
        {"decoder": MLP((8,))},
        {"n_importance": 1},
    ],
    ids=str,
)
def test_variants_of_the_gaussian_mixture_vae_keep_the_contract(parameters):
    estimator = GaussianMixtureVAE(encoder=MLP((16,)), learn_weights=True)
    check_mixture_module(module_factory(estimator.set_params(**parameters), X), X)


VARIATIONAL = [
    name
    for name, cls in CLUSTERERS.items()
    if issubclass(cls._module_class, VariationalModule)
]


def guided_moves(module, x):
    """Two moves of a batch, the weights moved in between, with half the guidance."""
    module.generator = torch.Generator().manual_seed(0)
    targets = torch.eye(module.n_clusters)[torch.arange(len(x)) % module.n_clusters]
    moves = (move for _ in range(2) for move in module.losses(x))
    for terms, *_ in module.guided(moves, x, targets.to(x.dtype), progress=0.2):
        sum(terms.values()).backward()
        yield {name: term.item() for name, term in terms.items()}
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.mul_(0.9)


@pytest.mark.parametrize("name", VARIATIONAL)
def test_guidance_shares_the_passes_of_the_losses(name):
    x = torch.from_numpy(X)
    make = module_factory(CLUSTERERS[name](encoder=MLP((16,)), n_latent=3), X)
    shared, apart = (make(64, 3, seed=0).double() for _ in range(2))
    # Every pass of its own.
    apart.output_of = lambda network, x: network(x)
    passes = []
    for part, module in shared.named_children():
        module.register_forward_hook(lambda *_, part=part: passes.append(part))
    for found, expected in zip(
        guided_moves(shared, x), guided_moves(apart, x), strict=True
    ):
        assert "guidance" in found
        assert found == pytest.approx(expected, rel=1e-12)
        encoders = [part for part in passes if part.startswith("encoder")]
        assert len(encoders) == 1
        passes.clear()
    for found, expected in zip(shared.parameters(), apart.parameters(), strict=True):
        torch.testing.assert_close(found.grad, expected.grad, rtol=1e-9, atol=1e-12)
    # Nothing is kept beyond the step.
    assert shared.embed(x).grad_fn is not shared.embed(x).grad_fn
    assert len([part for part in passes if part.startswith("encoder")]) == 2


class Toy(MixtureModule):
    """A linear autoencoder with K narrow Gaussians in its codes: nothing is missing."""

    def __init__(
        self, n_features, n_clusters, *, n_latent=2, generator, **ignored_parameters
    ):
        super().__init__()
        self.n_clusters, self.n_latent = n_clusters, n_latent
        self.encoder = initialized_linear(n_features, n_latent, generator)
        self.decoder = initialized_linear(n_latent, n_features, generator)
        self.means = nn.Parameter(
            torch.randn(n_clusters, n_latent, generator=generator)
        )
        self.register_buffer("logits", torch.zeros(n_clusters))

    @property
    def log_weights(self):
        return self.logits.log_softmax(0)

    def log_joint(self, z):
        squares = (z.unsqueeze(1) - self.means).square().sum(-1)
        return self.log_weights - 5 * squares

    def initialize(self, data):
        z = torch.cat([self.embed(data[rows]) for rows in data.ordered()])
        self.means.copy_(data.targets.T @ z / data.targets.sum(0).unsqueeze(1))

    def losses(self, x):
        z = self.embed(x)
        yield (
            {
                "reconstruction": (self.decode(z) - x).square().sum(1).mean(),
                "mixture": -self.log_joint(z).logsumexp(1).mean(),
            },
        )

    def log_resp(self, x):
        return self.log_joint(self.embed(x)).log_softmax(1)

    def embed(self, x):
        return self.encoder(x)

    def decode(self, z):
        return self.decoder(z)

    def centers(self):
        return self.decode(self.means)

    def log_prob(self, x):
        return self.log_joint(self.embed(x)).logsumexp(1)

    def sample(self, cluster, generator):
        noise = torch.randn(
            len(cluster), self.n_latent, dtype=self.means.dtype, generator=generator
        )
        return self.decode(self.means[cluster] + noise)


class ToyGame(Toy):
    """Two players: a critic that moves twice and is clamped, then all the others."""

    def __init__(self, n_features, n_clusters, *, generator, **parameters):
        super().__init__(n_features, n_clusters, generator=generator, **parameters)
        self.critic = initialized_linear(n_features, 1, generator)

    def optimizers(self, learning_rate):
        mine = list(self.critic.parameters())
        others = [p for n, p in self.named_parameters() if not n.startswith("critic")]
        return {
            "critic": torch.optim.SGD(mine, learning_rate),
            "generator": torch.optim.Adam(others, learning_rate),
        }

    def losses(self, x):
        for _ in range(2):
            verdict = self.critic(self.draw(len(x))).mean() - self.critic(x).mean()
            penalty = self.critic.bias.square().sum() + self.critic.bias.sum()
            yield {"critic": verdict + penalty}, "critic"
            with torch.no_grad():
                self.critic.weight.clamp_(-0.1, 0.1)
        terms = dict(next(super().losses(x))[0])
        terms["generator"] = -self.critic(self.draw(len(x))).mean()
        yield terms, "generator"

    def draw(self, n):
        cluster = torch.arange(n) % self.n_clusters
        return self.decode(self.means[cluster] + self.noise(n, self.n_latent))


class ToyEM(Toy):
    """An E-step over all rows, weights in closed form, then gradient steps."""

    def epoch(self, data, progress):
        with torch.no_grad():
            log_resp = torch.cat([self.log_resp(data[r]) for r in data.ordered()])
        resp = log_resp.exp()
        for rows in data.shuffled():
            z = self.embed(data[rows])
            expected = -(resp[rows] * self.log_joint(z)).sum(1).mean()
            error = (self.decode(z) - data[rows]).square().sum(1).mean()
            yield ({"expected": expected, "reconstruction": 10 * error},)
        self.logits.copy_(resp.mean(0).clamp(min=1e-3).log())

    def losses(self, x):
        raise NotImplementedError("This model has epochs of its own.")


def factory(cls):
    def make_module(n_features, n_clusters, seed):
        generator = torch.Generator().manual_seed(seed)
        return cls(n_features, n_clusters, generator=generator)

    return make_module


@pytest.mark.parametrize("cls", [Toy, ToyGame, ToyEM])
def test_well_behaved_toys_are_accepted(cls):
    check_mixture_module(factory(cls), X)


def fit_behind_estimator(module_class, X, **parameters):
    """Put a module behind the estimator, whose own module is another."""

    class Estimator(GaussianMixtureVAE):
        _module_class = module_class

        def _module_parameters(self):
            return {}

    defaults = {"n_clusters": 3, "n_latent": 2, "learning_rate": 0.01, "max_iter": 40}
    return Estimator(**defaults | parameters, random_state=0).fit(X)


@pytest.fixture
def blobs():
    return make_blobs(90, n_features=4, cluster_std=0.3, centers=3, random_state=0)


@pytest.mark.parametrize("module_class", [Toy, ToyGame, ToyEM])
def test_base_and_loop_carry_a_module_of_any_kind(module_class, blobs):
    X, y = blobs
    model = fit_behind_estimator(module_class, X)
    assert adjusted_rand_score(y, model.labels_) == 1
    assert model.n_iter_ == len(model.loss_curve_) <= 40
    np.testing.assert_array_equal(model.labels_, model.predict(X))
    rows, labels = model.sample(cluster=[2, 0, 1])
    np.testing.assert_array_equal(labels, [2, 0, 1])
    assert rows.shape == (3, 4)


@pytest.mark.filterwarnings("ignore:Number of distinct clusters")
@pytest.mark.parametrize("module_class", [Toy, ToyGame, ToyEM])
def test_a_module_of_any_kind_starts_at_random_too(module_class, blobs):
    X, _ = blobs
    model = fit_behind_estimator(module_class, X, init="random", max_iter=5)
    assert model.start_labels_ is None
    assert np.isfinite(model.loss_curve_).all()
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1)


# Modules that break the contract, each in one point, under the sentence that says so.
BREACHES = {}


def breaks(sentence):
    def register(cls):
        BREACHES[cls.__name__] = (cls, sentence)
        return cls

    return register


@breaks("Every parameter needs an optimizer. orphans = ['orphan']")
class OrphanParameter(Toy):
    def __init__(self, *args, **parameters):
        super().__init__(*args, **parameters)
        self.orphan = nn.Parameter(torch.zeros(3))

    def optimizers(self, learning_rate):
        owned = [p for name, p in self.named_parameters() if name != "orphan"]
        return {"all": torch.optim.Adam(owned, learning_rate)}


@breaks(
    "Every parameter must get a non-zero gradient in pre-training or a few epochs. "
    "unchanged = ['means']"
)
class DetachedParameter(Toy):
    def log_joint(self, z):
        squares = (z.unsqueeze(1) - self.means.detach()).square().sum(-1)
        return self.log_weights - 5 * squares


@breaks(
    "Between moves only parameters of the last players may change. "
    "changed = ['decoder.bias', 'decoder.weight']"
)
class MovesAnotherPlayerInPlace(ToyGame):
    def losses(self, x):
        for move in super().losses(x):
            with torch.no_grad():
                for parameter in self.decoder.parameters():
                    parameter.add_(0.1)
            yield move


@breaks(
    "A step must change the parameters of its players alone. "
    "players = ['critic'], changed = ['means']"
)
class StepWithASideEffect(ToyGame):
    def optimizers(self, learning_rate):
        players = super().optimizers(learning_rate)
        players["critic"].register_step_post_hook(self.shrink)
        return players

    @torch.no_grad()
    def shrink(self, *step):
        self.means.mul_(0.9)


@breaks("Every player of a move must be moved by it. idle = ['critic']")
class IdlePlayer(ToyGame):
    def losses(self, x):
        for terms, *_ in Toy.losses(self, x):
            yield terms, "generator", "critic"


@breaks("Players must be optimizers. unknown = ['referee']")
class UnknownPlayer(Toy):
    def losses(self, x):
        for terms, *_ in super().losses(x):
            yield terms, "referee"


@breaks("Terms must be finite. bad = ['mixture']")
class InfiniteTerm(Toy):
    def losses(self, x):
        for terms, *_ in super().losses(x):
            yield ({**terms, "mixture": (terms["mixture"] - 1e9).sqrt()},)


@breaks("log_resp must have the shape (n, n_clusters). shape = (3, 40)")
class TransposedLogResp(Toy):
    def log_resp(self, x):
        return self.log_joint(self.embed(x)).T.log_softmax(0)


@breaks("The rows of exp(log_resp) must sum to 1. largest = ")
class UnnormalizedLogResp(Toy):
    def log_resp(self, x):
        return self.log_joint(self.embed(x))


@breaks("log_resp must be repeatable.")
class SampledLogResp(Toy):
    def log_resp(self, x):
        z = self.embed(x)
        return self.log_joint(z + self.noise(*z.shape)).log_softmax(1)


@breaks("log_resp must not depend on the order of the rows.")
class OrderedLogResp(Toy):
    def log_resp(self, x):
        position = torch.linspace(0, 1, len(x), dtype=x.dtype).unsqueeze(1)
        return self.log_joint(self.embed(x) + position).log_softmax(1)


@breaks("log_resp must not depend on the other rows of the batch.")
class BatchDependentLogResp(Toy):
    def log_resp(self, x):
        z = self.embed(x)
        return self.log_joint(z - z.mean(0)).log_softmax(1)


@breaks("With n_clusters = 1, log_resp must be 0. least = ")
class OneClusterLeaks(Toy):
    def log_joint(self, z):
        return super().log_joint(z) - torch.eye(self.n_clusters, dtype=z.dtype)[0]

    def log_resp(self, x):
        log_resp = super().log_resp(x)
        return log_resp if self.n_clusters > 1 else log_resp - 1


@breaks("log_prob must have the shape (40,). shape = (40, 3)")
class LogProbPerCluster(Toy):
    def log_prob(self, x):
        return self.log_joint(self.embed(x))


@breaks("centers must be finite.")
class InfiniteCenters(Toy):
    def centers(self):
        return super().centers() / 0


@breaks("torch's global random state must not be touched.")
class GlobalRandomness(Toy):
    def noise(self, *shape):
        return torch.randn(shape)

    def losses(self, x):
        for terms, *players in super().losses(x + 0.1 * self.noise(*x.shape)):
            yield terms, *players


@breaks("torch's global random state must not be touched.")
class GlobalInitialWeights(Toy):
    def __init__(self, n_features, n_clusters, **parameters):
        super().__init__(n_features, n_clusters, **parameters)
        self.encoder = nn.Linear(n_features, self.n_latent)


@breaks("The same generator seed must give the same samples.")
class IgnoresTheGenerator(Toy):
    def sample(self, cluster, generator):
        return super().sample(cluster, self.generator)


@breaks("Another generator seed must give other samples.")
class AlwaysTheSameSample(Toy):
    def sample(self, cluster, generator):
        return self.centers()[cluster]


@breaks("The same seeds must give the same fit. differing = ")
class NumpyRandomness(Toy):
    def losses(self, x):
        x = x * np.random.uniform(0.5, 1.5)  # noqa: NPY002
        yield from super().losses(x)


@breaks("log_resp must survive a round trip through state_dict.")
class StateOutsideOfStateDict(Toy):
    temperature = 1.0

    def losses(self, x):
        self.temperature *= 0.9
        yield from super().losses(x)

    def log_resp(self, x):
        return (self.log_joint(self.embed(x)) / self.temperature).log_softmax(1)


@pytest.mark.parametrize("name", BREACHES)
def test_breach_is_rejected_with_its_sentence(name):
    cls, sentence = BREACHES[name]
    state = np.random.get_state()  # noqa: NPY002
    with (
        torch.random.fork_rng(),
        pytest.raises(AssertionError, match=f"^{re.escape(sentence)}"),
    ):
        check_mixture_module(factory(cls), X)
    np.random.set_state(state)  # noqa: NPY002


def sentences_of_the_contract():
    """Read what the checks say, as patterns; values that are put in may be any."""
    tree = ast.parse(Path(estimator_checks.__file__).read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "_require":
            sentence = node.args[1]
            parts = getattr(sentence, "values", [sentence])
            yield "".join(
                re.escape(part.value) if isinstance(part, ast.Constant) else ".+"
                for part in parts
            )


def test_every_sentence_of_the_contract_has_a_breach():
    said = [sentence for _, sentence in BREACHES.values()]
    patterns = list(sentences_of_the_contract())
    assert patterns
    assert [p for p in patterns if not any(re.match(p, s) for s in said)] == []
