"""Gaussian mixture variational autoencoder."""

import math
from numbers import Integral, Real

import torch
from torch import nn

from skdeepmix._sklearn_compat import Interval
from skdeepmix.base import BaseDeepMixture, VariationalModule
from skdeepmix.distributions import LIKELIHOODS, gaussian_sample, standard_normal
from skdeepmix.losses import categorical_kl, gaussian_kl, gaussian_log_prob
from skdeepmix.losses._gaussian import LOG_VAR_RANGE
from skdeepmix.networks._layers import initialized_linear

# Posterior variance at the start, relative to the variance within a cluster.
START_VARIANCE = 0.1
# Distance of the log-variances of the start to the least one.
LOG_VAR_MARGIN = 0.1
# Rows of a wider variance that count beside those of a cluster of the start.
BORROWED = 10


class GaussianMixtureVAEModule(VariationalModule):
    """Networks, bound and sampling of :class:`GaussianMixtureVAE`."""

    def __init__(
        self,
        n_features,
        n_clusters,
        *,
        n_latent,
        n_latent_prior,
        encoder,
        decoder,
        likelihood,
        n_monte_carlo,
        beta,
        min_information,
        learn_weights,
        n_importance,
        generator,
        n_hidden_prior=128,
    ):
        super().__init__()
        self.n_clusters = n_clusters
        self.n_latent = n_latent
        self.n_latent_prior = n_latent_prior
        self.n_monte_carlo = n_monte_carlo
        self.beta = beta
        self.min_information = min_information
        n_noise = n_latent + n_latent_prior
        self.encoder = encoder.build_encoder(n_features, 2 * n_noise, generator)
        self.decoder = decoder.build_decoder(n_latent, n_features, generator)
        self.prior = nn.Sequential(
            initialized_linear(n_latent_prior, n_hidden_prior, generator),
            nn.Tanh(),
            initialized_linear(n_hidden_prior, 2 * n_clusters * n_latent, generator),
        )
        self.likelihood = LIKELIHOODS[likelihood]()
        logits = torch.zeros(n_clusters)
        if learn_weights:
            self.logits = nn.Parameter(logits)
        else:
            self.register_buffer("logits", logits)
        self.draw_score_noise(n_importance, n_noise, generator)

    @property
    def log_weights(self):
        """Logarithms of the mixing weights."""
        return self.logits.log_softmax(0)

    def posterior(self, x):
        """Parameters of q(z | x) and q(w | x).

        Returns
        -------
        mean, log_var, w_mean, w_log_var : torch.Tensor
            Of shape (n, n_latent) for z, (n, n_latent_prior) for w.
        """
        sizes = 2 * [self.n_latent] + 2 * [self.n_latent_prior]
        parameters = self.output_of(self.encoder, x).split(sizes, 1)
        mean, log_var, w_mean, w_log_var = parameters
        return (
            mean,
            log_var.clamp(*LOG_VAR_RANGE),
            w_mean,
            w_log_var.clamp(*LOG_VAR_RANGE),
        )

    def mixture(self, w):
        """Means and log-variances of p(z | w, k).

        Parameters
        ----------
        w : torch.Tensor of shape (..., n_latent_prior)
            Input of the prior network.

        Returns
        -------
        means, log_vars : torch.Tensor of shape (..., n_clusters, n_latent)
            Parameters of the components.
        """
        out = self.prior(w).to(w.dtype)
        out = out.unflatten(-1, (2, self.n_clusters, self.n_latent))
        means, log_vars = out.unbind(-3)
        return means, log_vars.clamp(*LOG_VAR_RANGE)

    def log_joint(self, z, means, log_vars):
        """log p(k) p(z | w, k) of every component, of shape (..., n_clusters)."""
        return self.log_weights + gaussian_log_prob(z.unsqueeze(-2), means, log_vars)

    def losses(self, x):
        """Yield the four terms of Eq. 4 of the paper, each as a cost in nats.

        One of them is weighted by `beta`.
        """
        mean, log_var, w_mean, w_log_var = self.posterior(x)
        shape = (self.n_monte_carlo, len(x))
        z = gaussian_sample(mean, log_var, self.noise(*shape, self.n_latent))
        w = gaussian_sample(w_mean, w_log_var, self.noise(*shape, self.n_latent_prior))
        means, log_vars = self.mixture(w)
        log_resp = self.log_joint(z, means, log_vars).log_softmax(-1)  # Eq. 3
        kl = gaussian_kl(mean.unsqueeze(-2), log_var.unsqueeze(-2), means, log_vars)
        out = self.decoder(z.flatten(0, 1)).to(x.dtype).unflatten(0, shape)
        z_prior = categorical_kl(log_resp, self.log_weights).mean()
        yield (
            {
                "reconstruction": -self.likelihood.log_prob(x, out).mean(),
                # Eq. 5, with the weight of a beta-VAE.
                "conditional_prior": self.beta * (log_resp.exp() * kl).sum(-1).mean(),
                "w_prior": gaussian_kl(w_mean, w_log_var).mean(),
                "z_prior": z_prior.clamp(min=self.min_information),  # Eq. 7
            },
        )

    def reconstruction(self, x):
        """Negative log-likelihood of rows given their embedding."""
        return -self.likelihood.log_prob(x, self.decoder(self.embed(x)).to(x.dtype))

    def log_resp(self, x):
        """Eq. 3 at the posterior means of z and w."""
        mean, _, w_mean, _ = self.posterior(x)
        return self.log_joint(mean, *self.mixture(w_mean)).log_softmax(-1)

    def log_ratios(self, x):
        """log p(x, z, w) - log q(z, w | x), the cluster summed out."""
        mean, log_var, w_mean, w_log_var = self.posterior(x)
        zero = w_mean.new_zeros(1)
        for noise in self.score_noise:
            z_noise, w_noise = noise.split([self.n_latent, self.n_latent_prior])
            z = gaussian_sample(mean, log_var, z_noise)
            w = gaussian_sample(w_mean, w_log_var, w_noise)
            log_p = self.likelihood.log_prob(x, self.decoder(z))
            log_p = log_p + self.log_joint(z, *self.mixture(w)).logsumexp(-1)
            log_p = log_p + gaussian_log_prob(w, zero, zero)
            log_q = gaussian_log_prob(z, mean, log_var)
            yield log_p - log_q - gaussian_log_prob(w, w_mean, w_log_var)

    def embed(self, x):
        """Mean of q(z | x)."""
        return self.posterior(x)[0]

    def decode(self, z):
        """Mean of p(x | z)."""
        return self.likelihood.mean(self.decoder(z).to(z.dtype))

    def centers(self):
        """Decoded component means at w = 0, the mean of its prior."""
        means, _ = self.mixture(self.score_noise.new_zeros(self.n_latent_prior))
        return self.decode(means)

    def sample(self, cluster, generator):
        """Draw w, then z of the given clusters, and decode."""
        size = (len(cluster), self.n_latent_prior + self.n_latent)
        noise = standard_normal(size, self.score_noise, generator)
        w, z_noise = noise.split([self.n_latent_prior, self.n_latent], 1)
        means, log_vars = (
            t[torch.arange(len(cluster), device=cluster.device), cluster]
            for t in self.mixture(w)
        )
        return self.decode(gaussian_sample(means, log_vars, z_noise))

    def initialize(self, data):
        """Put the components on the clusters of the start, whatever w is."""
        total = square = 0
        for rows in data.ordered():
            z = self.embed(data[rows])
            # All rows are one group more, the last.
            groups = torch.cat([data.targets[rows], torch.ones_like(z[:, :1])], 1)
            total = total + groups.T @ z
            square = square + groups.T @ z.square()
        count = torch.cat([data.targets.sum(0), total.new_tensor([len(data)])])
        count = count.clamp(min=1e-3).unsqueeze(1)
        means = total / count
        spread = (square / count - means.square()).clamp(min=0)
        whole = spread[-1]
        means, center = means[:-1], means[-1]
        count, spread = count[:-1], spread[:-1]
        empty = ~data.targets.any(0)
        if empty.any():  # at the same place they would stay together
            noise = self.noise(self.n_clusters, self.n_latent)
            means[empty] = (center + whole.sqrt() * noise)[empty]
        # Clusters of few rows borrow from the pooled variance, and all of them, where
        # few rows are known, from that of all rows.
        lacking = (BORROWED * self.n_clusters - count.sum()).clamp(min=0)
        pooled = (spread * count).sum(0) + lacking * whole
        pooled = pooled / (count.sum() + lacking)
        log_vars = (spread * count + pooled * BORROWED) / (count + BORROWED)
        log_vars = log_vars.clamp(min=1e-4).log()
        self._set_output(self.prior[-1], torch.stack([means, log_vars]).flatten())
        head = self.encoder[-1]
        bias = head.bias.new_zeros(len(head.bias) - self.n_latent)
        # At the ends of the range and beyond there is no gradient.
        least = LOG_VAR_RANGE[0] + LOG_VAR_MARGIN
        bias[: self.n_latent] = (START_VARIANCE * pooled).log().clamp(min=least)
        self._set_output(head, bias, first=self.n_latent)
        if isinstance(self.logits, nn.Parameter):
            self.logits.copy_((data.targets.sum(0) + 1).log())
        self.likelihood.calibrate(self.mean_square_error(data))

    @staticmethod
    def _set_output(layer, bias, first=0):
        """Make outputs of a linear layer constant, from the given one on."""
        layer.weight[first:] = 0
        layer.bias[first:] = bias


class GaussianMixtureVAE(BaseDeepMixture):
    r"""Gaussian mixture variational autoencoder (GMVAE).

    A variational autoencoder whose prior is a mixture of Gaussians, placed by a second
    Gaussian variable through a network [1]_:

    .. math::
        w \sim N(0, I), \quad k \sim \pi, \quad
        z | w, k \sim N(\mu_k(w), \sigma_k^2(w)), \quad x | z \sim p(x; f(z)).

    The posterior of the cluster given z and w is exact (Eq. 3 of [1]_) and needs no
    network. Read more in the :ref:`User Guide <gaussian_mixture_vae>`.

    Parameters
    ----------
    n_clusters : int, default=4
        Number K of clusters.
    n_latent : int, default=10
        Dimension of z, the columns of `transform`.
    n_latent_prior : int or None, default=None
        Dimension of w; None is `n_latent`.
    encoder : NetworkSpec or None, default=None
        Network from rows to the posterior; None is ``MLP((500, 500, 2000))``, for
        fewer than 5,000 rows ``MLP((500, 500))``, than 1,000 ``MLP((128, 128))``.
    decoder : NetworkSpec or None, default=None
        Network from latents to rows, described from the data side; None is as the
        encoder.
    init : str, array-like or clusterer, default="neighbors"
        Where clusters come from. ``"neighbors"`` is a Gaussian mixture on a layout of
        the neighbour graph of rows and latent codes; ``"k-means++"`` is, as in
        :class:`~sklearn.mixture.GaussianMixture`, a mixture seeded by k-means++ on the
        codes themselves. They and any scikit-learn clusterer or pipeline are fitted on
        the codes of a short autoencoder pre-training. An array holds labels of shape
        (n_samples,), negative where unknown, or responsibilities of shape
        (n_samples, n_clusters). The fit is guided towards the start over its first
        epochs and then free. ``"random"`` has neither pre-training nor guidance; with
        ``beta=1`` its objective is that of the paper.
    n_init : int, default=1
        Number of fits. Of those with most clusters in use the one is kept that ranks
        best by the mutual information of rows and clusters and by the agreement of its
        labels with the other fits.
    n_jobs : int or None, default=None
        Number of processes for the `n_init` fits; None is 1, or what
        :func:`joblib.parallel_config` says; -1 is all cores. Fits side by side share
        the threads, which changes results by rounding alone; an interrupt keeps those
        that have finished.
    max_iter : int, default=80
        Number of epochs; pre-training comes on top with a quarter as many.
    batch_size : int or "auto", default="auto"
        Number of rows per step; ``"auto"`` is n_samples / 14, from 100 to 256.
    learning_rate : float, default=0.001
        Step size of Adam, which falls linearly to zero over the last 60 % of the
        epochs.
    tol : float, default=1e-4
        Smallest decrease of the loss that counts, relative to its size.
    n_iter_no_change : int, default=10
        Number of epochs without such a decrease after which the fit stops, counted
        once the guidance has ended. The weights of the best epoch are kept.
    likelihood : {"gaussian", "bernoulli"}, default="gaussian"
        ``"gaussian"`` has one learned noise scale and takes any real X; ``"bernoulli"``
        takes X in [0, 1], unscaled.
    n_monte_carlo : int, default=1
        Number M of samples of (z, w) per row and step (Eq. 5 of [1]_).
    beta : float, default=3.0
        Weight of the conditional-prior term, as in a beta-VAE [2]_: the larger, the
        closer rows stay to their clusters and the less of a row goes into z. 1 is the
        paper. Does not enter `score_samples`.
    min_information : float, default=0.0
        Information constraint: the z-prior term counts only where it exceeds this many
        nats (Eq. 7 of [1]_); it should be below log K. Keeps clusters apart with
        ``init="random"``.
    learn_weights : bool, default=False
        Whether the mixing weights are learned, from the shares of the start on; else
        they are 1 / K.
    n_importance : int, default=10
        Number of importance samples of `score_samples`: 1 is the evidence lower bound,
        more tighten it.
    precision : {"auto", "float32", "bfloat16"}, default="auto"
        Arithmetic of the networks in training; ``"auto"`` is bfloat16 where the device
        multiplies it natively, else float32. Use ``"float32"`` for the same
        arithmetic on all hardware; rounding still differs between machines.
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
        Decoded means of the clusters at w = 0, in data units.
    loss_curve_ : list of float
        Loss of every epoch, without guidance: the four terms of Eq. 4 of [1]_, one of
        them times `beta`, in nats per row, in model units.
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
    sklearn.mixture.GaussianMixture : The model without networks.

    Notes
    -----
    The cost of a step grows with K only in the mixture terms, of size
    (M, batch, K, n_latent).

    References
    ----------
    .. [1] Dilokthanakul, Mediano, Garnelo, Lee, Salimbeni, Arulkumaran, Shanahan,
       "Deep unsupervised clustering with Gaussian mixture variational autoencoders",
       arXiv:1611.02648, 2016.
    .. [2] Higgins, Matthey, Pal, Burgess, Glorot, Botvinick, Mohamed, Lerchner,
       "beta-VAE: Learning basic visual concepts with a constrained variational
       framework", ICLR 2017, Eq. 4.

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from skdeepmix import GaussianMixtureVAE
    >>> X, y = make_blobs(200, n_features=5, centers=3, random_state=0)
    >>> model = GaussianMixtureVAE(n_clusters=3, n_latent=2, random_state=0).fit(X)
    >>> model.predict_proba(X).shape
    (200, 3)
    >>> rows, labels = model.sample(16, cluster=2)
    >>> rows.shape
    (16, 5)
    """

    _module_class = GaussianMixtureVAEModule
    _score_kind = "bound"

    _parameter_constraints: dict = {
        **BaseDeepMixture._parameter_constraints,
        "n_latent_prior": [Interval(Integral, 1, None, closed="left"), None],
        "n_monte_carlo": [Interval(Integral, 1, None, closed="left")],
        "beta": [Interval(Real, 0, None, closed="left")],
        "min_information": [Interval(Real, 0, None, closed="left")],
        "learn_weights": ["boolean"],
        "n_importance": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        n_clusters=4,
        *,
        n_latent=10,
        n_latent_prior=None,
        encoder=None,
        decoder=None,
        init="neighbors",
        n_init=1,
        n_jobs=None,
        max_iter=80,
        batch_size="auto",
        learning_rate=1e-3,
        tol=1e-4,
        n_iter_no_change=10,
        likelihood="gaussian",
        n_monte_carlo=1,
        beta=3.0,
        min_information=0.0,
        learn_weights=False,
        n_importance=10,
        precision="auto",
        device="auto",
        verbose=0,
        random_state=None,
    ):
        self.n_clusters = n_clusters
        self.n_latent = n_latent
        self.n_latent_prior = n_latent_prior
        self.encoder = encoder
        self.decoder = decoder
        self.init = init
        self.n_init = n_init
        self.n_jobs = n_jobs
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.likelihood = likelihood
        self.n_monte_carlo = n_monte_carlo
        self.beta = beta
        self.min_information = min_information
        self.learn_weights = learn_weights
        self.n_importance = n_importance
        self.precision = precision
        self.device = device
        self.verbose = verbose
        self.random_state = random_state

    def _module_parameters(self):
        most = math.log(self.n_clusters)
        if 0 < most <= self.min_information:
            raise ValueError(
                f"min_information = {self.min_information:.4g} is not below "
                f"log(n_clusters) = {most:.4g}, the largest value of the z-prior term, "
                "which would never count. Use a smaller 'min_information'."
            )
        return {
            "n_latent_prior": self.n_latent_prior or self.n_latent,
            "n_monte_carlo": self.n_monte_carlo,
            "beta": self.beta,
            "min_information": self.min_information,
            "learn_weights": self.learn_weights,
            "n_importance": self.n_importance,
        }
