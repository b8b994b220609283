"""Adversarial model with a Gaussian-mixture prior."""

import copy
import math
from numbers import Integral, Real

import torch
from sklearn.base import clone
from torch import nn

from skdeepmix._sklearn_compat import Interval
from skdeepmix.base import BaseDeepMixture, ParzenModule
from skdeepmix.distributions import LIKELIHOODS, standard_normal
from skdeepmix.initialization import GUIDANCE_ENDS, GUIDANCE_WEIGHT
from skdeepmix.losses import (
    categorical_cross_entropy,
    gaussian_entropy,
    gaussian_log_prob,
    hinge_critic_loss,
    median_distance,
)
from skdeepmix.losses._gaussian import LOG_VAR_RANGE
from skdeepmix.networks import NetworkSpec
from skdeepmix.networks._layers import spectrally_normalized

# Exponential decay rates of Adam for the players of the game, as in the authors' code.
BETAS = (0.0, 0.999)
# Log-scales of the prior at the start: half of a log-variance of 1.
FIRST_LOG_SCALE = 0.5
# Step size of the prior from a random start, relative to that of the networks.
RANDOM_PRIOR_SPEED = 8.0
# Step size of the pre-training, relative to that of the game.
PRETRAINING_SPEED = 5.0
# Standard deviation of the noise on codes in the pre-training.
CODE_NOISE = 0.5
# Rows that are generated for a step at least; they cost less than a step on too few.
LEAST_DRAWS = 16
# Part of its distance to the last critic loss that its record goes.
RECORD_RATE = 0.01
# Rows whose likelihood chooses the window of the score.
WINDOW_ROWS = 1000
# Rows that are generated at once for the score.
DRAWN_AT_ONCE = 256
# Log-scales within which numbers stay finite, and the least scale of a start.
LOG_SCALE_RANGE = (-7.0, 7.0)
FIRST_LEAST_SCALE = 0.05
# What a fit that went well does not come to: scales of the prior relative to the
# distance of its means, scales as such, and hinge losses of the critic.
LARGEST_SCALE = 10.0
LEAST_SCALE = 1e-2
LEAST_CRITIC_LOSS = 0.02


class MPCCModule(ParzenModule):
    """Networks, game and sampling of :class:`MPCC`."""

    keeps_last = True
    # From a random start the step size stays as it is, as in the paper.
    schedule_end = 1.0

    def __init__(
        self,
        n_features,
        n_clusters,
        *,
        n_latent,
        encoder,
        decoder,
        critic,
        likelihood,
        prior_learning_rate,
        n_critic_steps,
        n_encoder_steps,
        n_shared,
        latent_conditions,
        learn_weights,
        min_scale,
        entropy_weight,
        average_decay,
        n_draws,
        generator,
    ):
        super().__init__()
        self.n_clusters = n_clusters
        self.n_latent = n_latent
        self.n_features = n_features
        self.prior_learning_rate = prior_learning_rate
        self.n_critic_steps = n_critic_steps
        self.n_encoder_steps = n_encoder_steps
        self.latent_conditions = latent_conditions
        self.learn_weights = learn_weights
        self.min_scale = min_scale
        self.entropy_weight = entropy_weight
        self.average_decay = average_decay
        n_conditions = n_clusters + (n_latent if latent_conditions else 0)
        self.network = decoder.build_decoder(
            n_latent, n_features, generator, n_conditions
        )
        self.critic = spectrally_normalized(
            critic.build_encoder(n_features, 1, generator), generator
        )
        self.encoder = encoder.build_encoder(n_features, 2 * n_latent, generator)
        for layer in self.encoder[:-1]:  # codes may have any scale
            spectrally_normalized(layer, generator)
        self._share(n_shared)
        self.likelihood = LIKELIHOODS[likelihood]()
        self._make_prior(generator)
        # A moving average of the network, from which rows are generated after the fit.
        self.average = without_parameters(self.network)
        self.register_buffer("n_steps", torch.tensor(0.0))
        self.register_buffer("critic_loss", torch.tensor(2.0))
        # Drawn once and shared by all clusters: the score is a function of the row.
        noise = torch.randn(n_draws, n_latent, generator=generator)
        self.register_buffer("score_noise", noise)
        self.register_buffer("row_bandwidth", torch.tensor(1.0))

    def _make_prior(self, generator):
        means = torch.empty(self.n_clusters, self.n_latent)
        self.means = nn.Parameter(nn.init.orthogonal_(means, generator=generator))
        self.log_scales = nn.Parameter(torch.full_like(means, FIRST_LOG_SCALE))
        log_weights = torch.full((self.n_clusters,), -math.log(self.n_clusters))
        self.register_buffer("log_weights", log_weights)
        # Units of the encoder, in which the clusters of a start have unit scale.
        self.register_buffer("code_center", torch.zeros(self.n_latent))
        self.register_buffer("code_scale", torch.tensor(1.0))

    def _share(self, n_shared):
        if n_shared == 0:
            return
        n_layers = min(len(self.critic), len(self.encoder)) - 1
        if n_shared > n_layers:
            raise ValueError(
                f"n_shared = {n_shared}, but encoder and critic have {n_layers} layers "
                "to share. Use a smaller 'n_shared'."
            )
        for i in range(n_shared):
            if str(self.encoder[i]) != str(self.critic[i]):
                raise ValueError(
                    f"n_shared = {n_shared}, but layer {i + 1} of 'encoder' is not "
                    "like that of 'critic'. Use a smaller 'n_shared' or equal layers."
                )
            self.encoder[i] = self.critic[i]

    # Prior

    @property
    def scales(self):
        """Standard deviations of the prior, (n_clusters, n_latent)."""
        return self.log_scales.exp()

    def width(self, n_features):
        """Units of the widest layer, or differences of a latent to all means."""
        return max(super().width(n_features), self.means.numel())

    def log_membership(self, z):
        """log q(y | z) of latents, (n, n_clusters), Eq. 9 of the paper."""
        return self._log_membership(z, self.means, self.scales)

    def _log_membership(self, z, means, scales):
        log_prob = gaussian_log_prob(z.unsqueeze(1), means, 2 * scales.log())
        return (log_prob + self.log_weights).log_softmax(1)

    def latents(self, cluster, noise):
        """Latents of given clusters, reparametrised."""
        return self.means[cluster] + self.scales[cluster] * noise

    def _draw(self, n):
        """Draw clusters and latents from the prior."""
        weights = self.log_weights.exp()
        cluster = torch.multinomial(weights, n, True, generator=self.generator)
        return cluster, self.latents(cluster, self.noise(n, self.n_latent))

    # Networks

    def generate(self, network, z, condition):
        """Output of a network for latents and memberships, short of the mean."""
        code = self.code_center + self.code_scale * z
        if self.latent_conditions:
            condition = torch.cat([condition, code], 1)
        return network(code, condition).to(z.dtype)

    def rows(self, z, cluster):
        """Rows of the network that is trained, for latents of given clusters."""
        condition = self.one_hot(z)[cluster]
        return self.likelihood.mean(self.generate(self.network, z, condition))

    def verdict(self, x):
        """Output of the critic, (n, 1): the higher, the more it takes rows for data."""
        return self.critic(x).to(x.dtype)

    def posterior(self, x):
        """Mean and log-variance of q(z | x), (n, n_latent) each."""
        mean, log_var = self.encoder(x).to(x.dtype).chunk(2, 1)
        mean = (mean - self.code_center) / self.code_scale
        return mean, log_var.clamp(*LOG_VAR_RANGE)

    # Game

    def optimizers(self, learning_rate):
        """Make the four players; the prior has a step size of its own."""

        def adam(parameters, learning_rate):
            return torch.optim.Adam(parameters, learning_rate, BETAS, fused=True)

        network = [*self.network.parameters(), *self.likelihood.parameters()]
        return {
            "critic": adam(self.critic.parameters(), learning_rate),
            "generator": adam(network, learning_rate),
            "encoder": adam(self.encoder.parameters(), learning_rate),
            "prior": adam([self.means, self.log_scales], self.prior_learning_rate),
        }

    def epoch(self, data, progress):
        """Yield the rounds of an epoch; weights are learned once clusters stand."""
        yield from super().epoch(data, progress)
        if self.learn_weights and progress >= GUIDANCE_ENDS:
            self._match_weights(data)

    def losses(self, x):
        """Yield the moves of Algorithm 1 of the paper."""
        # At least two rows a step, for normalisations of batches.
        reals = x.tensor_split(max(1, min(self.n_critic_steps, len(x) // 2)))
        n_fake = max(LEAST_DRAWS, len(reals[0]))
        for real in reals:
            with torch.no_grad():
                cluster, z = self._draw(n_fake)
                fake = self.rows(z, cluster)
            loss = hinge_critic_loss(self.verdict(real), self.verdict(fake))
            # Closer to the latest loss at first, so that the start is forgotten.
            rate = (1 / (1 + self.n_steps)).clamp(min=RECORD_RATE)
            self.critic_loss.lerp_(loss.detach(), rate)
            yield {"critic": loss}, "critic"
        cluster, z = self._draw(n_fake)
        loss = -self.verdict(self.rows(z, cluster)).mean()
        yield {"generator": loss}, "generator", "prior"
        self._update_average()
        self._limit_scales()
        for step in range(self.n_encoder_steps):
            cluster, z = self._draw(n_fake)
            with torch.no_grad():
                fake = self.rows(z, cluster)
            terms = {"latent": self.latent_loss(z, fake) / self.n_features}
            if step > 0:
                yield terms, "encoder"
                continue
            log_resp = self.log_membership(z).gather(1, cluster.unsqueeze(1))
            terms["cluster"] = -log_resp.mean()  # Eq. 8
            terms["prior"] = self.entropy_weight * self.prior_loss()
            yield terms, "encoder", "prior"
            self._limit_scales()

    @torch.no_grad()
    def _limit_scales(self):
        """Project the scales on what is allowed, where they keep their gradients."""
        low = math.log(self.min_scale) if self.min_scale > 0 else -math.inf
        lowest, highest = LOG_SCALE_RANGE
        self.log_scales.clamp_(max(low, lowest), highest)

    def latent_loss(self, z, x):
        """Eq. 7; its gradient reaches the prior by z, as in the authors' code."""
        return -gaussian_log_prob(z, *self.posterior(x)).mean()

    def prior_loss(self):
        """Eq. 10 of the paper, its second term divided by the number of latents."""
        weights = self.log_weights.exp()
        entropy = gaussian_entropy(2 * self.scales.log()) / self.n_latent
        return (weights * (self.log_weights - entropy)).sum()

    @torch.no_grad()
    def _update_average(self):
        """Follow the network: quickly at first, so that its start is forgotten."""
        self.n_steps += 1
        decay = ((1 + self.n_steps) / (10 + self.n_steps)).clamp(max=self.average_decay)
        state = self.network.state_dict()
        for name, average in self.average.state_dict().items():
            if average.is_floating_point():
                average.lerp_(state[name], 1 - decay)
            else:
                average.copy_(state[name])

    @torch.no_grad()
    def _match_weights(self, data):
        """Set p(y) to the clusters of the data, where the last term of Eq. 3 is 0."""
        self.encoder.eval()
        log_resp = [self.log_resp(data[rows]) for rows in data.ordered()]
        self.encoder.train()
        weights = torch.cat(log_resp).exp().mean(0)
        if weights.isfinite().all():  # a loss that diverged is reported by the loop
            self.set_weights(weights)

    # Starts

    def pretraining_optimizers(self, learning_rate):
        """Make one Adam without the caution that a game needs."""
        networks = self.network, self.encoder, self.likelihood
        parameters = [p for network in networks for p in network.parameters()]
        learning_rate *= PRETRAINING_SPEED
        return {"autoencoder": torch.optim.Adam(parameters, learning_rate, fused=True)}

    def reconstruction(self, x):
        """Negative log-likelihood of rows given noisy codes, all clusters alike.

        The noise makes codes fill the range that the norms of the encoder leave them.
        """
        z, _ = self.posterior(x)
        z = z + CODE_NOISE * self.noise(*z.shape)
        condition = self.log_weights.exp().expand(len(x), -1)
        out = self.generate(self.network, z, condition)
        return -self.likelihood.log_prob(x, out)

    def initialize(self, data):
        """Start from the means and the scales of the clusters, in their own unit."""
        resp = data.targets
        z = torch.cat([self.embed(data[rows]) for rows in data.ordered()])
        center = z.mean(0)
        z = z - center
        sizes = resp.sum(0).unsqueeze(1)
        mass = sizes.clamp(min=1e-3)
        means = resp.T @ z / mass  # 0 for a cluster without rows
        variances = resp.T @ z.square() / mass - means.square()
        pooled = (sizes * variances).sum(0) / mass.sum()
        variances = torch.where(sizes > 0, variances, pooled).clamp(min=0)
        scale = pooled.mean().clamp(min=0).sqrt()
        scale = torch.where(scale > 0, scale, 1.0)
        self.code_center.copy_(center)
        self.code_scale.copy_(scale)
        self.means.copy_(means / scale)
        scales = variances.sqrt() / scale
        self.log_scales.copy_(scales.clamp(min=FIRST_LEAST_SCALE).log())
        self._limit_scales()
        if self.learn_weights:
            self.set_weights(resp.mean(0))
        self.average.load_state_dict(self.network.state_dict())
        self.schedule_end = 0.0

    def least_guidance(self, players):
        """Keep all of it for the encoder, which learns from generated rows.

        Nothing else ties those of the data to their clusters.
        """
        return GUIDANCE_WEIGHT if "encoder" in players else 0.0

    def guidance(self, x, targets, players):
        """Cross-entropy for the encoder, squared error of rows for the generator."""
        if "encoder" in players:
            # The prior is left to the game.
            fixed = self.means.detach(), self.scales.detach()
            log_resp = self._log_membership(self.embed(x), *fixed)
            return categorical_cross_entropy(log_resp, targets)
        if "generator" not in players:
            return None
        with torch.no_grad():
            z = self.embed(x)
        rows = self.likelihood.mean(self.generate(self.network, z, targets))
        error = (rows - x).square().mean(1)
        return (targets.sum(1) * error).sum() / targets.sum().clamp(min=1)

    def epoch_loss(self, terms):
        """Loss of the encoder: the conditionals and the prior in the latent space."""
        return terms["latent"] + terms["cluster"] + terms["prior"]

    # After the fit

    def log_resp(self, x):
        """Membership of the mean of q(z | x)."""
        return self.log_membership(self.embed(x))

    def embed(self, x):
        """Mean of q(z | x)."""
        return self.posterior(x)[0]

    def decode(self, z):
        """Row of every latent, with its own memberships."""
        resp = self.log_membership(z).exp()
        return self.likelihood.mean(self.generate(self.average, z, resp))

    def centers(self):
        """Rows of the means of the prior."""
        clusters = torch.arange(self.n_clusters, device=self.means.device)
        return self._averaged_rows(self.means, clusters)

    def sample(self, cluster, generator):
        """Draw latents of the given clusters and generate."""
        size = (len(cluster), self.n_latent)
        noise = standard_normal(size, self.means, generator)
        return self._averaged_rows(self.latents(cluster, noise), cluster)

    def drawn_rows(self):
        """Generate from the same noise for every cluster."""
        for k in range(self.n_clusters):
            rows = []
            for noise in self.score_noise.split(DRAWN_AT_ONCE):
                cluster = torch.full((len(noise),), k, device=noise.device)
                rows.append(self._averaged_rows(self.latents(cluster, noise), cluster))
            yield torch.cat(rows)

    def _averaged_rows(self, z, cluster):
        condition = self.one_hot(z)[cluster]
        return self.likelihood.mean(self.generate(self.average, z, condition))

    def finalize(self, data):
        """Choose the window of the score by random rows of the fit."""
        rows = torch.randperm(len(data), generator=self.generator, device=data.device)
        self.set_row_bandwidth(data[rows[:WINDOW_ROWS]])

    def complaints(self):
        """Tell of scales that explode or vanish, and of a critic that has won."""
        scales, distance = self.scales.detach(), median_distance(self.means)
        # Equal rows have equal means, and scales of about 1.
        if scales.max() > LARGEST_SCALE * max(distance, 1.0):
            yield (
                f"The largest standard deviation of the prior is {scales.max():.3g}, "
                f"where its means are {distance:.3g} apart: clusters lose each other. "
                "Use a smaller 'entropy_weight' or 'prior_learning_rate'."
            )
        if scales.min() < LEAST_SCALE:
            yield (
                f"The smallest standard deviation of the prior is {scales.min():.3g}: "
                "the rows of a cluster become one. Use a larger 'min_scale' or "
                "'entropy_weight'."
            )
        if self.critic_loss < LEAST_CRITIC_LOSS:
            yield (
                f"The hinge loss of the critic is {self.critic_loss:.3g}: it knows all "
                "generated rows, and the generator learns little from it. Use fewer "
                "'n_critic_steps', a smaller 'critic' or a smaller 'learning_rate'."
            )


def without_parameters(network):
    """Copy a network with all its parameters as buffers, which no optimizer moves."""
    network = copy.deepcopy(network)
    for module in network.modules():
        for name, parameter in list(module.named_parameters(recurse=False)):
            delattr(module, name)
            module.register_buffer(name, parameter.detach().clone())
    return network


class MPCC(BaseDeepMixture):
    r"""Matching priors and conditionals for clustering: a GAN with clusters.

    A generator turns draws from a learned Gaussian mixture into rows, a critic tells
    them from the data, and an encoder finds the latents back [1]_:

    .. math::
        y \sim \pi, \quad z | y \sim N(\mu_y, \operatorname{diag} \sigma_y^2), \quad
        x = G(z, y).

    The cluster of a row is the component of the mixture that the encoder's mean of it
    belongs to (Eq. 9 of [1]_). Read more in the :ref:`User Guide <mpcc>`.

    Parameters
    ----------
    n_clusters : int, default=4
        Number K of clusters.
    n_latent : int, default=16
        Number of latent dimensions.
    encoder : NetworkSpec or None, default=None
        Network from rows to the mean and the log-variance of the latents, with spectral
        normalisation of all layers but the last; None is ``MLP((500, 500))``, for fewer
        than 5,000 rows ``MLP((256, 256))``, than 1,000 ``MLP((128, 128))``.
    decoder : NetworkSpec or None, default=None
        The generator, described from the data side: its normalisations depend on the
        cluster. None is as the encoder, with ``normalization="batch"``.
    critic : NetworkSpec or None, default=None
        Network from rows to a verdict, with spectral normalisation; None is as the
        encoder.
    init : str, array-like or clusterer, default="neighbors"
        Where clusters come from. ``"neighbors"`` is a Gaussian mixture on a layout of
        the neighbour graph of rows and codes; ``"k-means++"`` is, as in
        :class:`~sklearn.mixture.GaussianMixture`, a mixture seeded by k-means++ on the
        codes themselves. They and any scikit-learn clusterer or pipeline are fitted on
        the codes of a short pre-training of encoder and generator as an autoencoder. An
        array holds labels of shape (n_samples,), negative where unknown, or
        responsibilities of shape (n_samples, n_clusters). Encoder and generator are
        guided towards the start beside the game, the generator over the first epochs
        and the encoder to the end. ``"random"`` has neither pre-training nor guidance,
        as in the paper.
    n_init : int, default=1
        Number of fits. Of those with most clusters in use the one is kept that ranks
        best by the mutual information of rows and clusters and by the agreement of its
        labels with the other fits.
    n_jobs : int or None, default=None
        Number of processes for the `n_init` fits; None is 1, or what
        :func:`joblib.parallel_config` says; -1 is all cores. Fits side by side share
        the threads, which changes results by rounding alone; an interrupt keeps those
        that have finished.
    max_iter : int, default=100
        Number of epochs, all of which are played: the losses of a game do not tell when
        to stop. Pre-training comes on top with a quarter as many. ``init="random"``
        takes tens of thousands of rounds, that is batches.
    batch_size : int or "auto", default="auto"
        Number of rows per round, parted among the steps of the critic; ``"auto"`` is
        n_samples / 14, from 100 to 256.
    learning_rate : float, default=2e-4
        Step size of Adam for generator, critic and encoder. From a start it falls
        linearly to zero over the last 60 % of the epochs, like that of the prior, which
        keeps clusters in their places; from a random one it stays, as in the paper.
    prior_learning_rate : float or None, default=None
        Step size of Adam for the prior. None is 8 times `learning_rate` from a random
        start, as in the paper: clusters have to part before the generator is good.
        Clusters of another start stand already, and None is `learning_rate`.
    likelihood : {"gaussian", "bernoulli"}, default="gaussian"
        ``"gaussian"`` takes any real X, which is scaled; ``"bernoulli"`` takes X in
        [0, 1], as it is, and generated rows stay in there. The pre-training minimises
        it; the game has no likelihood.
    n_critic_steps : int, default=4
        Number of steps of the critic per round.
    n_encoder_steps : int, default=4
        Number of steps of the encoder per round.
    n_shared : int, default=0
        Number of first layers of the critic that the encoder shares. They learn from
        both.
    latent_conditions : bool, default=False
        Whether the normalisations of the generator depend on the latents beside the
        cluster, as in the authors' code for FashionMNIST.
    learn_weights : bool, default=False
        Whether the mixing weights follow the shares of the clusters in the data, for
        clusters of unequal size; they are equal in the paper.
    min_scale : float, default=0.5
        Least standard deviation of the prior.
    entropy_weight : float, default=0.01
        Weight :math:`\lambda_p` of the entropy of the prior, which widens its
        components.
    average_decay : float, default=0.999
        Decay per round of the moving average of the generator, from which rows are
        generated after the fit; 0 takes the last one.
    n_draws : int, default=1000
        Number of rows of every cluster around which `score_samples` puts its windows.
    precision : {"auto", "float32", "bfloat16"}, default="float32"
        Arithmetic of the networks in training; ``"auto"`` is bfloat16 where the device
        multiplies it natively, else float32.
    device : str or torch.device, default="auto"
        Where to train; ``"auto"`` is a CUDA device if there is one, else the CPU.
    verbose : int, default=0
        Whether to show progress.
    random_state : int, RandomState instance or None, default=None
        Source of all randomness.

    Attributes
    ----------
    labels_ : ndarray of shape (n_samples,)
        Cluster of every training row; live clusters are numbered first.
    weights_ : ndarray of shape (n_clusters,)
        Mixing weights.
    cluster_centers_ : ndarray of shape (n_clusters, n_features)
        Rows that are generated from the means of the prior, in data units.
    loss_curve_ : list of float
        Loss of encoder and prior in every epoch, without guidance: Eqs. 7, 8 and 10 of
        [1]_, weighted as there.
    n_iter_ : int
        Number of epochs.
    n_iter_guided_ : int
        Number of epochs under guidance towards the start.
    start_labels_ : ndarray of shape (n_samples,) or None
        Labels of the start, -1 where it has none; None if random.
    module_ : MixtureModule
        The networks.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features, if X had them.

    See Also
    --------
    GaussianMixtureVAE : A Gaussian-mixture prior with a likelihood instead of a critic.

    Notes
    -----
    `score_samples` is an estimate: the log-density of a mixture of Parzen windows
    around `n_draws` generated rows of every cluster, with the window that is likeliest
    for the training rows. Its time grows with K times `n_draws`.

    References
    ----------
    .. [1] N. Astorga, P. Huijse, P. Protopapas and P. Estevez. "MPCC: Matching Priors
           and Conditionals for Clustering". ECCV 2020, arXiv:2008.09641.

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from skdeepmix import MPCC
    >>> X, y = make_blobs(200, n_features=5, centers=3, random_state=0)
    >>> model = MPCC(n_clusters=3, n_latent=4, random_state=0).fit(X)
    >>> rows, labels = model.sample(4, cluster=1)
    >>> rows.shape
    (4, 5)
    """

    _module_class = MPCCModule
    _score_kind = "estimate"
    _default_layers = {1000: (128, 128), 5000: (256, 256), math.inf: (500, 500)}

    _parameter_constraints: dict = {
        **{
            name: constraint
            for name, constraint in BaseDeepMixture._parameter_constraints.items()
            if name not in ("tol", "n_iter_no_change")
        },
        "critic": [NetworkSpec, None],
        "prior_learning_rate": [Interval(Real, 0, None, closed="neither"), None],
        "n_critic_steps": [Interval(Integral, 1, None, closed="left")],
        "n_encoder_steps": [Interval(Integral, 1, None, closed="left")],
        "n_shared": [Interval(Integral, 0, None, closed="left")],
        "latent_conditions": ["boolean"],
        "learn_weights": ["boolean"],
        "min_scale": [Interval(Real, 0, None, closed="left")],
        "entropy_weight": [Interval(Real, 0, None, closed="left")],
        "average_decay": [Interval(Real, 0, 1, closed="left")],
        "n_draws": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        n_clusters=4,
        *,
        n_latent=16,
        encoder=None,
        decoder=None,
        critic=None,
        init="neighbors",
        n_init=1,
        n_jobs=None,
        max_iter=100,
        batch_size="auto",
        learning_rate=2e-4,
        prior_learning_rate=None,
        likelihood="gaussian",
        n_critic_steps=4,
        n_encoder_steps=4,
        n_shared=0,
        latent_conditions=False,
        learn_weights=False,
        min_scale=0.5,
        entropy_weight=0.01,
        average_decay=0.999,
        n_draws=1000,
        precision="float32",
        device="auto",
        verbose=0,
        random_state=None,
    ):
        self.n_clusters = n_clusters
        self.n_latent = n_latent
        self.encoder = encoder
        self.decoder = decoder
        self.critic = critic
        self.init = init
        self.n_init = n_init
        self.n_jobs = n_jobs
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.prior_learning_rate = prior_learning_rate
        self.likelihood = likelihood
        self.n_critic_steps = n_critic_steps
        self.n_encoder_steps = n_encoder_steps
        self.n_shared = n_shared
        self.latent_conditions = latent_conditions
        self.learn_weights = learn_weights
        self.min_scale = min_scale
        self.entropy_weight = entropy_weight
        self.average_decay = average_decay
        self.n_draws = n_draws
        self.precision = precision
        self.device = device
        self.verbose = verbose
        self.random_state = random_state

    def _freeze(self, X):
        super()._freeze(X)
        encoder = self._frozen["encoder"]
        if self.decoder is None and "normalization" in encoder.get_params():
            decoder = clone(encoder).set_params(normalization="batch")
            self._frozen["decoder"] = decoder
        self._frozen["critic"] = encoder if self.critic is None else clone(self.critic)

    def _prior_learning_rate(self):
        if self.prior_learning_rate is not None:
            return self.prior_learning_rate
        random = isinstance(self.init, str) and self.init == "random"
        return self.learning_rate * (RANDOM_PRIOR_SPEED if random else 1.0)

    def _module_parameters(self):
        return {
            "prior_learning_rate": self._prior_learning_rate(),
            "n_critic_steps": self.n_critic_steps,
            "n_encoder_steps": self.n_encoder_steps,
            "n_shared": self.n_shared,
            "latent_conditions": self.latent_conditions,
            "learn_weights": self.learn_weights,
            "min_scale": self.min_scale,
            "entropy_weight": self.entropy_weight,
            "average_decay": self.average_decay,
            "n_draws": self.n_draws,
        }
