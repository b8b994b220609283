"""Variational autoencoder with Gumbel-Softmax clusters."""

import math
from numbers import Integral, Real

import numpy as np
import torch
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted
from torch import nn

from skdeepmix._sklearn_compat import Interval
from skdeepmix.base import BaseDeepMixture, VariationalModule
from skdeepmix.distributions import (
    LIKELIHOODS,
    gaussian_sample,
    gumbel_softmax_sample,
    standard_normal,
)
from skdeepmix.losses import categorical_kl, gaussian_kl, gaussian_log_prob
from skdeepmix.losses._gaussian import LOG_VAR_RANGE
from skdeepmix.networks import MLP, NetworkSpec
from skdeepmix.networks._layers import fit_readout, initialized_linear

# Fraction of the fit over which the temperature falls, 100 of 300 epochs in the paper.
TEMPERATURE_FALLS = 1 / 3
# Logit of the cluster of a row at the start, against 0 for all others.
START_LOGIT = 8.0


class GumbelSoftmaxVAEModule(VariationalModule):
    """Networks, bound and sampling of :class:`GumbelSoftmaxVAE`."""

    schedule_end = TEMPERATURE_FALLS

    def __init__(
        self,
        n_features,
        n_clusters,
        *,
        n_latent,
        n_style,
        encoder,
        decoder,
        classifier,
        likelihood,
        weights,
        beta,
        balance,
        min_temperature,
        n_importance,
        generator,
    ):
        super().__init__()
        self.n_clusters = n_clusters
        self.n_latent = n_latent
        self.beta = beta
        self.balance = balance
        self.min_temperature = min_temperature
        self.encoder = encoder.build_encoder(n_features, n_latent, generator)
        self.style_head = initialized_linear(n_latent, 2 * n_style, generator)
        self.classifier = classifier.build_encoder(n_latent, n_clusters, generator)
        self.style_embedding = initialized_linear(n_style, n_latent, generator)
        self.cluster_embedding = initialized_linear(n_clusters, n_latent, generator)
        self.decoder = decoder.build_decoder(n_latent, n_features, generator)
        self.likelihood = LIKELIHOODS[likelihood]()
        self.register_buffer("temperature", torch.tensor(1.0))
        self.register_buffer("log_weights", torch.from_numpy(np.log(weights)).float())
        self.draw_score_noise(n_importance, n_style, generator)

    def posterior(self, features):
        """Parameters of q(z | x) and q(c | x), given the features of x.

        Returns
        -------
        mean, log_var : torch.Tensor of shape (n, n_style)
            Of the style z.
        log_resp : torch.Tensor of shape (n, n_clusters)
            Of the cluster c.
        """
        style = self.style_head(features).to(features.dtype)
        mean, log_var = style.chunk(2, 1)
        logits = self.classifier(features).to(features.dtype)
        return mean, log_var.clamp(*LOG_VAR_RANGE), logits.log_softmax(1)

    def output(self, z, c):
        """Output of the decoder for styles and (relaxed) one-hot clusters."""
        hidden = self.style_embedding(z) + self.cluster_embedding(c)
        return self.decoder(hidden).to(z.dtype)

    def epoch(self, data, progress):
        """Let the temperature fall from 1, and yield the moves of random batches."""
        left = max(0.0, 1 - progress / TEMPERATURE_FALLS)
        self.temperature.fill_(self.min_temperature ** (1 - left))
        yield from super().epoch(data, progress)

    def losses(self, x):
        """Yield the terms of Eq. 7 of the paper as costs in nats, and the balance."""
        mean, log_var, log_resp = self.posterior(self.embed(x))
        z = gaussian_sample(mean, log_var, self.noise(*mean.shape))
        c = gumbel_softmax_sample(log_resp, self.temperature, self.generator)
        share = log_resp.logsumexp(0) - math.log(len(x))
        yield (
            {
                "reconstruction": -self.likelihood.log_prob(
                    x, self.output(z, c)
                ).mean(),
                "z_prior": self.beta * gaussian_kl(mean, log_var).mean(),
                "c_prior": categorical_kl(log_resp, self.log_weights).mean(),
                "balance": self.balance * categorical_kl(share, self.log_weights),
            },
        )

    def reconstruction(self, x):
        """Negative log-likelihood of rows given their features."""
        return -self.likelihood.log_prob(x, self._output_of(self.embed(x)))

    def log_resp(self, x):
        """log q(c | x)."""
        return self.posterior(self.embed(x))[2]

    def log_ratios(self, x):
        """log p(x, z) - log q(z | x) of the style z, the clusters summed out."""
        mean, log_var, _ = self.posterior(self.embed(x))
        zero = mean.new_zeros(1)
        for noise in self.score_noise:
            z = gaussian_sample(mean, log_var, noise)
            log_joint = [
                log_weight
                + self.likelihood.log_prob(x, self.output(z, c.expand(len(x), -1)))
                for log_weight, c in zip(self.log_weights, self.one_hot(x), strict=True)
            ]
            log_p = torch.stack(log_joint).logsumexp(0)
            log_p = log_p + gaussian_log_prob(z, zero, zero)
            yield log_p - gaussian_log_prob(z, mean, log_var)

    def embed(self, x):
        """Features of every row, Eq. 1."""
        return self.output_of(self.encoder, x)

    def decode(self, z):
        """Expected rows of the mean style and the cluster probabilities of features."""
        return self.likelihood.mean(self._output_of(z))

    def _output_of(self, features):
        mean, _, log_resp = self.posterior(features)
        return self.output(mean, log_resp.exp())

    def centers(self):
        """Decoded clusters with the mean style, 0."""
        c = self.one_hot(self.score_noise)
        z = self.score_noise.new_zeros(len(c), self.score_noise.shape[1])
        return self.likelihood.mean(self.output(z, c))

    def sample(self, cluster, generator):
        """Draw styles and decode them in the given clusters."""
        size = (len(cluster), self.score_noise.shape[1])
        z = standard_normal(size, self.score_noise, generator)
        c = self.one_hot(self.score_noise)[cluster]
        return self.likelihood.mean(self.output(z, c))

    def style(self, x):
        """Rows with their own style in every cluster, (n, n_clusters, n_features)."""
        mean, _, _ = self.posterior(self.embed(x))
        rows = [
            self.likelihood.mean(self.output(mean, c.expand(len(x), -1)))
            for c in self.one_hot(x)
        ]
        return torch.stack(rows, 1)

    def initialize(self, data):
        """Let the classifier know the clusters of the start, and the noise its error.

        Large clusters get large weights.
        """
        order = data.targets.sum(0).argsort()
        self.log_weights[order] = self.log_weights.sort().values
        *hidden, last = self.classifier
        hidden = nn.Sequential(*hidden)
        readout = fit_readout(
            (hidden(self.embed(data[rows])), START_LOGIT * data.targets[rows])
            for rows in data.known()
        )
        if readout is not None:
            last.weight.copy_(readout[0].T)
            last.bias.copy_(readout[1][0])
        self.likelihood.calibrate(self.mean_square_error(data))


class GumbelSoftmaxVAE(BaseDeepMixture):
    r"""Variational autoencoder with Gumbel-Softmax clusters (M1+M2).

    The end-to-end form of the stacked model M1+M2 [1]_. Style and cluster are
    independent, and meet in the decoder:

    .. math::
        c \sim \operatorname{Cat}(\pi), \quad z \sim N(0, I), \quad
        x | z, c \sim p(x; f(W_z z + W_c c)).

    Both posteriors are networks on the same deterministic features of the row (Eq. 1
    of [1]_). In training c is a relaxed one-hot vector, whose temperature falls. Read
    more in the :ref:`User Guide <gumbel_softmax_vae>`.

    Parameters
    ----------
    n_clusters : int, default=4
        Number K of clusters.
    n_latent : int, default=32
        Number of features, the columns of `transform`. With fewer than about
        `n_clusters` + `n_style` the decoder cannot tell style and cluster apart.
    n_style : int, default=10
        Dimension of the style z.
    encoder : NetworkSpec or None, default=None
        Network from rows to features; None is ``MLP((500, 500, 2000))``, for fewer
        than 5,000 rows ``MLP((500, 500))``, than 1,000 ``MLP((128, 128))``.
    decoder : NetworkSpec or None, default=None
        Network from embedded style and cluster to rows, described from the data side;
        None is as the encoder.
    classifier : NetworkSpec or None, default=None
        Network from features to the logits of the clusters; None is
        ``MLP((100, 50))``.
    init : str, array-like or clusterer, default="neighbors"
        Where clusters come from. ``"neighbors"`` is a Gaussian mixture on a layout of
        the neighbour graph of rows and features; ``"k-means++"`` is, as in
        :class:`~sklearn.mixture.GaussianMixture`, a mixture seeded by k-means++ on the
        features themselves. They and any scikit-learn clusterer or pipeline are fitted
        on the features of a short autoencoder pre-training. An array holds labels of
        shape (n_samples,), negative where unknown, or responsibilities of shape
        (n_samples, n_clusters). The fit is guided towards the start over its first
        epochs and then free. ``"random"`` has neither pre-training nor guidance, as
        in the paper.
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
        once guidance and annealing have ended. The weights of the best epoch are kept.
    likelihood : {"gaussian", "bernoulli"}, default="gaussian"
        ``"gaussian"`` has one learned noise scale and takes any real X; ``"bernoulli"``
        takes X in [0, 1], unscaled.
    weights : array-like of shape (n_clusters,) or None, default=None
        Prior probabilities :math:`\pi` of the clusters, positive with sum 1; None is
        uniform. With a start the larger ones belong to the larger clusters.
    beta : float, default=5.0
        Weight :math:`w_G` of the divergence of the style from its prior: with 1, style
        has room for everything and the clusters are left unused. Does not enter
        `score_samples`.
    balance : float, default=1.0
        Weight of the divergence of the batch's mean cluster probabilities from
        `weights`, which keeps clusters from dying out. 0 is the paper. Does not enter
        `score_samples`.
    min_temperature : float, default=0.5
        Temperature of the relaxed one-hot vectors from a third of the fit on; it falls
        from 1, by the same factor in each epoch.
    n_importance : int, default=10
        Number of importance samples of `score_samples`: 1 is the evidence lower bound,
        more tighten it.
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
        Prior probabilities of the clusters.
    cluster_centers_ : ndarray of shape (n_clusters, n_features)
        Decoded clusters with the mean style, z = 0, in data units.
    loss_curve_ : list of float
        Loss of every epoch, without guidance: the weighted terms of Eq. 7 of [1]_ and
        the balance, in nats per row, in model units.
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
    GaussianMixtureVAE : Clusters in the prior of the latents.

    Notes
    -----
    A step costs the same for any K, up to the first layer of the decoder;
    `score_samples` decodes every row in every cluster.

    References
    ----------
    .. [1] Arias Figueroa, Ramirez Rivera, "Is simple better?: Revisiting simple
       generative models for unsupervised clustering", NIPS Workshop on Bayesian Deep
       Learning, 2017.

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from skdeepmix import GumbelSoftmaxVAE
    >>> X, y = make_blobs(200, n_features=5, centers=3, random_state=0)
    >>> model = GumbelSoftmaxVAE(n_clusters=3, n_latent=4, random_state=0).fit(X)
    >>> model.predict_proba(X).shape
    (200, 3)
    >>> model.style(X[:2]).shape
    (2, 3, 5)
    """

    _module_class = GumbelSoftmaxVAEModule
    _score_kind = "bound"

    _parameter_constraints: dict = {
        **BaseDeepMixture._parameter_constraints,
        "n_style": [Interval(Integral, 1, None, closed="left")],
        "classifier": [NetworkSpec, None],
        "weights": ["array-like", None],
        "beta": [Interval(Real, 0, None, closed="left")],
        "balance": [Interval(Real, 0, None, closed="left")],
        "min_temperature": [Interval(Real, 0, 1, closed="right")],
        "n_importance": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        n_clusters=4,
        *,
        n_latent=32,
        n_style=10,
        encoder=None,
        decoder=None,
        classifier=None,
        init="neighbors",
        n_init=1,
        n_jobs=None,
        max_iter=80,
        batch_size="auto",
        learning_rate=1e-3,
        tol=1e-4,
        n_iter_no_change=10,
        likelihood="gaussian",
        weights=None,
        beta=5.0,
        balance=1.0,
        min_temperature=0.5,
        n_importance=10,
        precision="float32",
        device="auto",
        verbose=0,
        random_state=None,
    ):
        self.n_clusters = n_clusters
        self.n_latent = n_latent
        self.n_style = n_style
        self.encoder = encoder
        self.decoder = decoder
        self.classifier = classifier
        self.init = init
        self.n_init = n_init
        self.n_jobs = n_jobs
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.likelihood = likelihood
        self.weights = weights
        self.beta = beta
        self.balance = balance
        self.min_temperature = min_temperature
        self.n_importance = n_importance
        self.precision = precision
        self.device = device
        self.verbose = verbose
        self.random_state = random_state

    def style(self, X):
        """Rows in their own style, in every cluster: style transfer.

        The style of a row is encoded and decoded with each cluster in turn (Section 3.2
        and Figure 4(a) of the paper).

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        rows : ndarray of shape (n_samples, n_clusters, n_features)
            Row i in cluster j, in data units.
        """
        check_is_fitted(self)
        X = self._validate_rows(X, reset=False)
        rows = self._map(lambda module, x: module.style(x), X)
        return self._scaling.to_data(rows)[:, self._order]

    def _module_parameters(self):
        return {
            "n_style": self.n_style,
            "classifier": MLP((100, 50))
            if self.classifier is None
            else clone(self.classifier),
            "weights": self._checked_weights(),
            "beta": self.beta,
            "balance": self.balance,
            "min_temperature": self.min_temperature,
            "n_importance": self.n_importance,
        }

    def _checked_weights(self):
        if self.weights is None:
            return np.full(self.n_clusters, 1 / self.n_clusters)
        weights = np.asarray(self.weights, dtype=np.float64)
        expected = f"{self.n_clusters} positive numbers with sum 1"
        if weights.shape != (self.n_clusters,):
            raise ValueError(
                f"Expected 'weights' to hold {expected}, got the shape {weights.shape}."
            )
        if not (weights > 0).all() or not np.isclose(weights.sum(), 1):
            raise ValueError(
                f"Expected 'weights' to hold {expected}, got {weights.tolist()} with "
                f"sum {weights.sum():.6g}."
            )
        return weights
