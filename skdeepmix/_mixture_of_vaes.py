"""Mixture of variational autoencoders."""

import math
from numbers import Integral, Real

import torch
from sklearn.utils.validation import check_is_fitted
from torch import nn
from torch.nn.functional import softplus

from skdeepmix._sklearn_compat import Interval, StrOptions
from skdeepmix.base import BaseDeepMixture, VariationalModule
from skdeepmix.distributions import (
    LIKELIHOODS,
    dirichlet_log_sample,
    gaussian_sample,
    standard_normal,
)
from skdeepmix.distributions._likelihoods import START_LOG_SCALE, mix
from skdeepmix.initialization import GUIDANCE_WEIGHT, guidance_weight
from skdeepmix.losses import (
    categorical_cross_entropy,
    categorical_kl,
    dhsic,
    dirichlet_kl,
    gaussian_kl,
    gaussian_log_prob,
)
from skdeepmix.losses._gaussian import LOG_VAR_RANGE
from skdeepmix.networks._layers import fit_readout, spread_rows

# Rows of a batch whose dependence is measured, at a cost that grows with their square:
# the batches of the paper.
DEPENDENCE_ROWS = 128
# Concentrations of other clusters and of a row's own at the start, before softplus.
START_RAW = (-2.0, 8.0)
# Part of the entropy of a row's weights that counts in the end of a fit with a start.
START_SURENESS = 0.3
# Below it divergences between Dirichlet distributions grow without bound.
LEAST_CONCENTRATION = 1e-2
# Below it log(softplus(x)) is x in the precision of float32.
LINEAR = -17.0


def log_prob_of_mean(likelihood, x, out, log_w):
    """log p(x | sum_k w_k f_k(z_k)), the likelihood of the mixed mean, (n,)."""
    return likelihood.log_prob_of_mixed_mean(x, out, log_w.exp())


def log_prob_of_mixture(likelihood, x, out, log_w):
    """log sum_k w_k p(x | f_k(z_k)), the mixture of likelihoods, (n,)."""
    return (log_w.T + likelihood.log_prob(x, out)).logsumexp(0)


#: Log-likelihoods by the value of `mixing`.
MIXINGS = {"means": log_prob_of_mean, "likelihoods": log_prob_of_mixture}


class MixtureOfVAEsModule(VariationalModule):
    """Networks, bound and sampling of :class:`MixtureOfVAEs`."""

    def __init__(
        self,
        n_features,
        n_clusters,
        *,
        n_latent,
        encoder,
        decoder,
        likelihood,
        mixing,
        concentration,
        beta,
        entropy_weight,
        n_importance,
        generator,
    ):
        super().__init__()
        self.n_clusters = n_clusters
        self.n_latent = n_clusters * n_latent
        self.mixing = MIXINGS[mixing]
        self.concentration = concentration
        self.beta = beta
        self.entropy_weight = entropy_weight
        self.encoders = encoder.build_stacked_encoders(
            n_clusters, n_features, 2 * n_latent + 1, generator
        )
        self.decoders = decoder.build_stacked_decoders(
            n_clusters, n_latent, n_features, generator
        )
        self.likelihood = LIKELIHOODS[likelihood]()
        self.register_buffer(
            "log_weights", torch.full((n_clusters,), -math.log(n_clusters))
        )
        # Parts of the entropies that count: of a row's weights, and of their mean.
        self.register_buffer("sureness", torch.tensor(1.0))
        self.register_buffer("evenness", torch.tensor(1.0))
        self.draw_score_noise(n_importance, n_latent, generator)

    def posterior(self, x):
        """Parameters of every q(z_k | x) and of q(w | x).

        Returns
        -------
        means, log_vars : torch.Tensor of shape (n_clusters, n, n_component)
            Of the latents of the components.
        concentrations : torch.Tensor of shape (n, n_clusters)
            Of the mixing weights.
        """
        raw, means, log_vars = self._encode(x)
        concentrations = softplus(raw)
        if self.concentration is not None:
            concentrations = self.concentration * _shares(concentrations)
        concentrations = concentrations + LEAST_CONCENTRATION
        return means, log_vars.clamp(*LOG_VAR_RANGE), concentrations

    def _encode(self, x):
        """Concentrations before softplus, means and log-variances of every encoder."""
        out = self.output_of(self.encoders, x)
        raw, latents = out.split([1, out.shape[2] - 1], 2)
        return raw[:, :, 0].T, *latents.chunk(2, 2)

    def outputs(self, z):
        """Outputs of the decoders, (n_clusters, n, n_features), each of its latents."""
        return self.decoders(z).to(z.dtype)

    def epoch(self, data, progress):
        """Yield the moves of random batches; entropies come as guidance goes."""
        if data.targets is not None:
            guidance = guidance_weight(progress) / GUIDANCE_WEIGHT
            self.sureness.fill_(START_SURENESS * (1 - guidance))
        yield from super().epoch(data, progress)

    def losses(self, x):
        """Yield the terms of Eq. 14 of the paper as costs in nats, and the entropies.

        Divergences of the latents are weighted by the expected mixing weights, where
        the paper has 1 / K.
        """
        means, log_vars, concentrations = self.posterior(x)
        z = gaussian_sample(means, log_vars, self.noise(*means.shape))
        log_w = dirichlet_log_sample(concentrations, self.generator)
        log_prob = self.mixing(self.likelihood, x, self.outputs(z), log_w)
        kl = gaussian_kl(means, log_vars).T
        prior = torch.full_like(concentrations[:1], 1 / self.n_clusters)
        shares = _shares(concentrations)
        log_shares, log_total = shares.log(), shares.mean(0).log()
        even = torch.full_like(log_total, -math.log(self.n_clusters))
        entropy = -(shares * log_shares).sum(1).mean()
        balance = categorical_kl(log_total, even)
        # The likelihood grows with the number of features.
        weight = self.entropy_weight * x.shape[1]
        yield (
            {
                "reconstruction": -log_prob.mean(),
                "z_prior": (shares * kl).sum(1).mean(),
                "weights_prior": dirichlet_kl(concentrations, prior).mean(),
                "dependence": self.beta * dhsic(z[:, :DEPENDENCE_ROWS]),
                "entropy": weight * self.sureness * entropy,
                "balance": weight * self.evenness * balance,
            },
        )

    def guidance(self, x, targets, players):
        """Cross-entropy, as large as the likelihood that pulls at the weights.

        Its full weight is the number of features, but no less than in other models. It
        is that of the shares without the least concentration, beside which clusters
        that have lost their rows would feel nothing. What all concentrations of a row
        have in common is not guided: to lift it costs wide networks clusters.
        """
        log_shares = log_softplus(self._encode(x)[0]).log_softmax(1)
        guidance = categorical_cross_entropy(log_shares, targets)
        return guidance * max(1.0, x.shape[1] / GUIDANCE_WEIGHT)

    def reconstruction(self, x):
        """Mean negative log-likelihood of rows given the latents of each component."""
        means, _, _ = self.posterior(x)
        return -self.likelihood.log_prob(x, self.outputs(means)).mean(0)

    def log_resp(self, x):
        """Logarithms of the expected mixing weights."""
        return _shares(self.posterior(x)[2]).log()

    def log_ratios(self, x):
        """log p(x, z) - log q(z | x), the components summed out."""
        means, log_vars, _ = self.posterior(x)
        zero = means.new_zeros(1)
        for noise in self.score_noise:
            z = gaussian_sample(means, log_vars, noise)
            log_p = self.likelihood.log_prob(x, self.outputs(z))
            log_p = log_p + gaussian_log_prob(z, zero, zero)
            log_ratio = log_p - gaussian_log_prob(z, means, log_vars)
            yield (self.log_weights.unsqueeze(1) + log_ratio).logsumexp(0)

    def embed(self, x):
        """Posterior means of all components, side by side."""
        means, _, _ = self.posterior(x)
        return means.transpose(0, 1).flatten(1)

    def decode(self, z):
        """Mean of p(x | z), the components weighted by their mixing weights."""
        z = z.unflatten(1, (self.n_clusters, -1)).transpose(0, 1)
        rows = self.likelihood.mean(self.outputs(z))
        return mix(rows, self.log_weights.exp())

    def reconstruct(self, x):
        """Rows by every component, (n_clusters, n, n_features), and their weights."""
        means, _, concentrations = self.posterior(x)
        return self.likelihood.mean(self.outputs(means)), _shares(concentrations)

    def centers(self):
        """Decoded mean of the prior of every component."""
        z = self.score_noise.new_zeros(self.n_clusters, 1, self.score_noise.shape[1])
        return self.likelihood.mean(self.outputs(z))[:, 0]

    def sample(self, cluster, generator):
        """Draw latents and decode them by the given components."""
        size = (len(cluster), self.score_noise.shape[1])
        z = standard_normal(size, self.score_noise, generator)
        spread, place = spread_rows(z, cluster, self.n_clusters)
        return self.likelihood.mean(self.outputs(spread)[cluster, place])

    def initialize(self, data):
        """Let the concentrations know the clusters, and the noise its error."""
        if data.targets.any(0).all():
            self.evenness.zero_()  # clusters of a start may have any sizes
        *hidden, last = self.encoders
        hidden = nn.Sequential(*hidden)
        low, high = START_RAW
        readout = fit_readout(
            (hidden(data[rows]), low + (high - low) * data.targets[rows].T.unsqueeze(2))
            for rows in data.known()
        )
        if readout is not None:
            last.weight[:, :, :1], last.bias[:, :, :1] = readout
        # No start sets the variances of the latents, which are about 1: beside draws of
        # that width less noise than a new likelihood has would cost hundreds of nats.
        self.likelihood.calibrate(self.mean_square_error(data), least=START_LOG_SCALE)

    def finalize(self, data):
        """Set the mixing weights to the mean of their expectations over the rows."""
        total = sum(self.log_resp(data[rows]).exp().sum(0) for rows in data.ordered())
        self.log_weights.copy_((total / len(data)).log())


def log_softplus(x):
    """log(log(1 + exp(x))), which is x from far below zero on."""
    # The linear part would have an infinite gradient where softplus underflows.
    return torch.where(x < LINEAR, x, softplus(x.clamp(min=LINEAR)).log())


def _shares(concentrations):
    """Expected mixing weights."""
    total = concentrations.sum(1, keepdim=True)
    return concentrations / total.clamp(min=torch.finfo(total.dtype).tiny)


class MixtureOfVAEs(BaseDeepMixture):
    r"""Mixture of variational autoencoders (M-VAE).

    K variational autoencoders side by side. Their encoders also give the
    concentrations of a Dirichlet distribution, from which the mixing weights of a row
    are drawn [1]_:

    .. math::
        w | x \sim \operatorname{Dir}(a(x)), \quad
        z_k | x \sim N(\mu_k(x), \sigma_k^2(x)), \quad
        E(x') = \sum_k w_k f_k(z_k)

    and a penalty is on the dependence of their latents, dHSIC (Eq. 13 of [1]_). Read
    more in the :ref:`User Guide <mixture_of_vaes>`.

    Parameters
    ----------
    n_clusters : int, default=4
        Number K of components, each of which is a cluster.
    n_latent : int, default=10
        Dimension of the latents of a component; `transform` has K times as many
        columns.
    encoder : NetworkSpec or None, default=None
        Network of each component from rows to the posterior; None is
        ``MLP((500, 500))``, for fewer than 5,000 rows ``MLP((128, 128))``. Only
        :class:`~skdeepmix.networks.MLP` without normalisation can be stacked.
    decoder : NetworkSpec or None, default=None
        Network of each component from latents to rows, described from the data side;
        None is as the encoder.
    init : str, array-like or clusterer, default="neighbors"
        Where clusters come from. ``"neighbors"`` is a Gaussian mixture on a layout of
        the neighbour graph of rows and latents; ``"k-means++"`` is, as in
        :class:`~sklearn.mixture.GaussianMixture`, a mixture seeded by k-means++ on the
        latents themselves. They and any scikit-learn clusterer or pipeline are fitted
        on the latents of a short autoencoder pre-training. An array holds labels of
        shape (n_samples,), negative where unknown, or responsibilities of shape
        (n_samples, n_clusters). The fit is guided towards the start over its first
        epochs and then free. ``"random"`` has neither pre-training nor guidance.
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
    mixing : {"means", "likelihoods"}, default="means"
        What the weights mix: ``"means"``, as in Eq. 5 of [1]_ and in the code of the
        authors, the decoded means, for one likelihood of the row; ``"likelihoods"``, as
        in Eq. 8, the likelihoods of the row under each component. Clusters are better
        with the former.
    concentration : float or None, default=None
        Sum of the concentrations of a row's Dirichlet distribution, up to 0.01 that
        each of them has anyway; None leaves it to the encoders, so that they can be
        sure of a component. 1, as in the code of the authors, is the sum of the prior,
        which is symmetric.
    beta : float, default=1.0
        Weight of the dependence of the components' latents (Eq. 14 of [1]_).
    entropy_weight : float, default=1.0
        Weight, times the number of features, of the entropy of a row's expected mixing
        weights, in nats, which keeps components from sharing every row; from a random
        start, or one that leaves clusters empty, also of what the entropy of their mean
        over a batch lacks of log K, which keeps components in use [2]_. With a start
        the former grows as guidance falls, to three tenths of that weight. 0 is the
        paper. Does not enter `score_samples`.
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
        Mixing weights, averaged over the training rows.
    cluster_centers_ : ndarray of shape (n_clusters, n_features)
        Decoded mean of the prior of each component, z = 0, in data units.
    loss_curve_ : list of float
        Loss of every epoch, without guidance: Eq. 14 of [1]_ with other weights of
        the latents' divergences, and the entropies, in nats per row, in model units.
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
    GaussianMixtureVAE : One autoencoder, with clusters in its prior.
    skdeepmix.losses.dhsic : The measure of dependence.

    Notes
    -----
    Networks run side by side on a tensor axis. Cost and memory of a step grow with K;
    the dependence costs :math:`O(K n^2)` for n rows, of which at most 128 of a batch
    are looked at.

    References
    ----------
    .. [1] Ye, Bors, "Mixtures of variational autoencoders", IPTA 2020.
    .. [2] Zhang, Sun, Eriksson, Balzano, "Deep unsupervised clustering using mixture of
           autoencoders", arXiv:1712.07788, 2017.

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from skdeepmix import MixtureOfVAEs
    >>> X, y = make_blobs(200, n_features=5, centers=3, random_state=0)
    >>> model = MixtureOfVAEs(n_clusters=3, n_latent=2, random_state=0).fit(X)
    >>> model.transform(X).shape
    (200, 6)
    >>> model.reconstruct(X, component=2).shape
    (200, 5)
    """

    _module_class = MixtureOfVAEsModule
    # K networks of this size cost about as much as one of the other models'.
    _default_layers = {5000: (128, 128), math.inf: (500, 500)}
    _score_kind = "bound"

    _parameter_constraints: dict = {
        **BaseDeepMixture._parameter_constraints,
        "mixing": [StrOptions(set(MIXINGS))],
        "concentration": [Interval(Real, 0, None, closed="neither"), None],
        "beta": [Interval(Real, 0, None, closed="left")],
        "entropy_weight": [Interval(Real, 0, None, closed="left")],
        "n_importance": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        n_clusters=4,
        *,
        n_latent=10,
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
        mixing="means",
        concentration=None,
        beta=1.0,
        entropy_weight=1.0,
        n_importance=10,
        precision="float32",
        device="auto",
        verbose=0,
        random_state=None,
    ):
        self.n_clusters = n_clusters
        self.n_latent = n_latent
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
        self.mixing = mixing
        self.concentration = concentration
        self.beta = beta
        self.entropy_weight = entropy_weight
        self.n_importance = n_importance
        self.precision = precision
        self.device = device
        self.verbose = verbose
        self.random_state = random_state

    def transform_components(self, X):
        """Posterior means of the latents of each component.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_clusters, n_latent)
            Latents by cluster. `transform` has them side by side, in another order
            where clusters died out.
        """
        check_is_fitted(self)
        X = self._validate_rows(X, reset=False)
        Z = self._map(lambda module, x: module.embed(x), X)
        return Z.reshape(len(Z), len(self.weights_), -1)[:, self._order]

    def reconstruct(self, X, component=None):
        """Encode and decode rows by the mixture or by one component alone.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        component : int or None, default=None
            Which component; None weighs all of them with the expected mixing weights
            of every row (Eq. 5 of the paper).

        Returns
        -------
        X : ndarray of shape (n_samples, n_features)
            Decoded posterior means, in data units.

        Raises
        ------
        ValueError
            If there is no such component.
        """
        check_is_fitted(self)
        is_index = isinstance(component, Integral) and not isinstance(component, bool)
        in_range = is_index and 0 <= component < len(self.weights_)
        if component is not None and not in_range:
            raise ValueError(
                "Expected 'component' to be None or an integer from 0 to "
                f"{len(self.weights_) - 1}, got {component!r}."
            )
        X = self._validate_rows(X, reset=False)

        def reconstruct(module, x):
            rows, shares = module.reconstruct(x)
            if component is not None:
                return rows[self._order[component]]
            return mix(rows, shares)

        return self._scaling.to_data(self._map(reconstruct, X))

    def _module_parameters(self):
        return {
            "mixing": self.mixing,
            "concentration": self.concentration,
            "beta": self.beta,
            "entropy_weight": self.entropy_weight,
            "n_importance": self.n_importance,
        }
