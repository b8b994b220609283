"""A model from scratch: a variational autoencoder with a Gaussian mixture as its prior.

    python doc/developers/latent_mixture.py

checks its modules and fits it. The page "Adding a model" goes through it.
"""

from numbers import Real

import torch
from sklearn.datasets import make_blobs
from sklearn.metrics import adjusted_rand_score
from torch import nn

from skdeepmix.base import BaseDeepMixture, MixtureModule
from skdeepmix.distributions import LIKELIHOODS, standard_normal
from skdeepmix.losses import gaussian_log_prob
from skdeepmix.utils.estimator_checks import check_mixture_module, module_factory


class LatentMixtureModule(MixtureModule):
    """Networks, bound and sampling of :class:`LatentMixtureVAE`."""

    def __init__(
        self,
        n_features,
        n_clusters,
        *,
        n_latent,
        encoder,
        decoder,
        likelihood,
        prior_scale,
        generator,
    ):
        super().__init__()
        self.n_clusters, self.n_latent = n_clusters, n_latent
        self.encoder = encoder.build_encoder(n_features, 2 * n_latent, generator)
        self.decoder = decoder.build_decoder(n_latent, n_features, generator)
        self.likelihood = LIKELIHOODS[likelihood]()
        means = prior_scale * torch.randn(n_clusters, n_latent, generator=generator)
        self.means = nn.Parameter(means)
        self.log_vars = nn.Parameter(torch.zeros(n_clusters, n_latent))
        self.register_buffer("logits", torch.zeros(n_clusters))
        # Drawn once and shared by all rows: log_prob is a function of the row alone.
        noise = torch.randn(n_latent, generator=generator)
        self.register_buffer("score_noise", noise)

    @property
    def log_weights(self):
        """Logarithms of the mixing weights, (K,)."""
        return self.logits.log_softmax(0)

    def posterior(self, x):
        """Mean and log-variance of q(z | x), each (n, L)."""
        return self.encoder(x).to(x.dtype).chunk(2, 1)

    def log_joint(self, z):
        """log p(k) p(z | k), (n, K)."""
        log_prob = gaussian_log_prob(z.unsqueeze(1), self.means, self.log_vars)
        return self.log_weights + log_prob

    def bound(self, x, noise):
        """Both sides of the evidence lower bound of every row, for given noise."""
        mean, log_var = self.posterior(x)
        z = mean + (0.5 * log_var).exp() * noise
        log_lik = self.likelihood.log_prob(x, self.decoder(z).to(x.dtype))
        kl = gaussian_log_prob(z, mean, log_var) - self.log_joint(z).logsumexp(1)
        return log_lik, kl

    def losses(self, x):
        """One move: two terms, all parameters."""
        log_lik, kl = self.bound(x, self.noise(len(x), self.n_latent))
        yield ({"reconstruction": -log_lik.mean(), "prior": kl.mean()},)

    def log_resp(self, x):
        """log p(k | z) at the posterior mean."""
        return self.log_joint(self.embed(x)).log_softmax(1)

    def log_prob(self, x):
        """Lower bound with the noise that was drawn once."""
        log_lik, kl = self.bound(x, self.score_noise)
        return log_lik - kl

    def embed(self, x):
        """Mean of q(z | x)."""
        return self.posterior(x)[0]

    def decode(self, z):
        """Mean of p(x | z)."""
        return self.likelihood.mean(self.decoder(z).to(z.dtype))

    def centers(self):
        """Decoded means of the components."""
        return self.decode(self.means)

    def sample(self, cluster, generator):
        """Draw z of the given clusters and decode."""
        noise = standard_normal((len(cluster), self.n_latent), self.means, generator)
        scales = (0.5 * self.log_vars[cluster]).exp()
        return self.decode(self.means[cluster] + scales * noise)

    def add_noise(self, x, generator):
        """Draw from the likelihood."""
        return self.likelihood.sample(x, generator)

    def initialize(self, data):
        """Put every component on the codes of its cluster."""
        z = torch.cat([self.embed(data[rows]) for rows in data.ordered()])
        resp = data.targets / data.targets.sum(0).clamp(min=1)
        self.means.copy_(resp.T @ z)
        spread = resp.T @ z.square() - self.means.square()
        self.log_vars.copy_(spread.clamp(min=1e-4).log())


class LatentMixtureVAE(BaseDeepMixture):
    """Variational autoencoder with a Gaussian mixture as its prior.

    Parameters
    ----------
    n_clusters : int, default=4
        Number K of clusters.
    prior_scale : float, default=1.0
        Scale of the means of the components before training.

    The other parameters are those of :class:`~skdeepmix.GaussianMixtureVAE`.
    """

    _module_class = LatentMixtureModule

    _parameter_constraints = {
        **BaseDeepMixture._parameter_constraints,
        "prior_scale": [Real],
    }

    def __init__(
        self,
        n_clusters=4,
        *,
        n_latent=10,
        prior_scale=1.0,
        encoder=None,
        decoder=None,
        init="k-means++",
        n_init=1,
        max_iter=80,
        batch_size="auto",
        learning_rate=1e-3,
        tol=1e-4,
        n_iter_no_change=10,
        likelihood="gaussian",
        precision="float32",
        device="auto",
        verbose=0,
        random_state=None,
    ):
        self.n_clusters = n_clusters
        self.n_latent = n_latent
        self.prior_scale = prior_scale
        self.encoder = encoder
        self.decoder = decoder
        self.init = init
        self.n_init = n_init
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.likelihood = likelihood
        self.precision = precision
        self.device = device
        self.verbose = verbose
        self.random_state = random_state

    def _module_parameters(self):
        return {"prior_scale": self.prior_scale}


class AdversarialModule(LatentMixtureModule):
    """The same networks trained by a game: a critic, a generator and an encoder."""

    keeps_last = True

    def __init__(self, n_features, n_clusters, *, encoder, generator, **parameters):
        super().__init__(
            n_features, n_clusters, encoder=encoder, generator=generator, **parameters
        )
        self.critic = encoder.build_encoder(n_features, 1, generator)

    def optimizers(self, learning_rate):
        """Three players; every parameter has one."""
        players = {
            "critic": [*self.critic.parameters()],
            "generator": [*self.decoder.parameters(), self.means, self.log_vars],
            "encoder": [*self.encoder.parameters(), *self.likelihood.parameters()],
        }
        return {
            name: torch.optim.Adam(parameters, learning_rate)
            for name, parameters in players.items()
        }

    def losses(self, x):
        """Two moves of the critic, one of the generator, one of the encoder."""
        for _ in range(2):
            fake, _ = self.generate(len(x))
            real_loss = (1 - self.critic(x)).relu().mean()
            fake_loss = (1 + self.critic(fake)).relu().mean()
            yield {"real": real_loss, "fake": fake_loss}, "critic"
        fake, _ = self.generate(len(x))
        yield {"generator": -self.critic(fake).mean()}, "generator"
        fake, z = self.generate(len(x))
        code = -gaussian_log_prob(z, *self.posterior(fake)).mean()
        error = self.reconstruction(x).mean()
        yield {"code": code, "reconstruction": error}, "encoder"

    def generate(self, n):
        """Draw n latents of random clusters, and decode them."""
        cluster = torch.multinomial(
            self.logits.softmax(0), n, replacement=True, generator=self.generator
        )
        scales = (0.5 * self.log_vars[cluster]).exp()
        z = self.means[cluster] + scales * self.noise(n, self.n_latent)
        return self.decode(z), z

    def reconstruction(self, x):
        """Negative log-likelihood of a row when its embedding is decoded."""
        return -self.likelihood.log_prob(x, self.decoder(self.embed(x)))


class EMModule(LatentMixtureModule):
    """The same networks; the weights of the mixture follow from an E-step."""

    def epoch(self, data, progress):
        """Train for an epoch, then take the mean responsibilities as weights."""
        yield from super().epoch(data, progress)
        with torch.no_grad():
            resp = [self.log_resp(data[rows]).exp() for rows in data.ordered()]
            self.logits.copy_(torch.cat(resp).mean(0).clamp(min=1e-3).log())


class LatentMixtureGAN(LatentMixtureVAE):
    """The estimator of the game."""

    _module_class = AdversarialModule


class LatentMixtureEM(LatentMixtureVAE):
    """The estimator with an E-step."""

    _module_class = EMModule


if __name__ == "__main__":
    X, y = make_blobs(150, n_features=5, centers=3, random_state=0)
    for cls in [LatentMixtureVAE, LatentMixtureGAN, LatentMixtureEM]:
        check_mixture_module(module_factory(cls(n_latent=2), X), X)
        model = cls(n_clusters=3, n_latent=2, random_state=0).fit(X)
        print(f"{cls.__name__}: ARI {adjusted_rand_score(y, model.labels_):.2f}")
