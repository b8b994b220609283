"""Mixture of generative networks, fitted by expectation maximisation."""

import math
from dataclasses import dataclass
from functools import wraps
from numbers import Integral, Real
from statistics import median

import torch
from sklearn.base import clone
from torch.nn.utils.rnn import pad_sequence

from skdeepmix._autoencoder import AutoencoderModule
from skdeepmix._sklearn_compat import Interval
from skdeepmix._stacked_adam import StackedAdam
from skdeepmix.base import BaseDeepMixture, ParzenModule
from skdeepmix.distributions import (
    LIKELIHOODS,
    parzen_bandwidths,
    parzen_log_prob,
)
from skdeepmix.initialization import STARTS, random_rows_start
from skdeepmix.losses import median_distance, squared_mmd
from skdeepmix.networks import MLP, NetworkSpec
from skdeepmix.networks._layers import spread_rows

# Hidden layers of every network, from the side of the codes: those of the paper for
# real data and, for fewer rows, for the toy sets.
DEFAULT_NETWORK = (512, 256, 256, 64)
SMALL_NETWORK = (32, 128, 32)
FEW_ROWS = 1000
# Batches that belong to a network with less than this probability are skipped.
LEAST_MEMBERSHIP = 1e-3
# A network that is the likeliest of no more than this part of n_samples / K is dead.
LEAST_SHARE = 0.05
# Variances of the kernels of the MMD, relative to the median squared distance within
# clusters.
KERNEL_VARIANCES = (0.125, 0.25, 0.5, 1.0, 2.0)
# Rows that a network generates for every row of a batch.
DRAWS_PER_ROW = 2
# More rows than this are not held out: they are enough for a bandwidth, and for means
# and distances.
HELD_OUT_ROWS = 1000
# Gap in log-likelihood, in nats, that makes a row's membership certain, and puts an
# epoch with an empty cluster behind those without.
SURE = 100.0
# In step 2 the bandwidth of the likelihood falls from this one to the likeliest over
# this fraction of the epochs: a narrow one freezes the clusters of the start. It is
# relative to the median distance per root of the dimension, since windows as wide as
# the whole, not as a coordinate, would let a few networks take all rows.
FIRST_BANDWIDTH = 0.55
BANDWIDTH_FALLS = 0.7
# A start with whose labels step 1 agrees on more than this part of the rows has no cuts
# to mend and is spared that: a wide bandwidth mixes clusters that lie in each other.
CLEAN_START = 0.995
# Least number of batches that a network learns from in an epoch, on average: fewer are
# gone through several times.
LEAST_STEPS = 10
# Rows of an expectation step that are gathered at a time.
BLOCK_ROWS = 4096
# Rows of which a network has at least one if it is not to count as dead in the loss.
LIVE_ROWS = 4096


@dataclass
class _Known:
    """What is known of the rows of a fit once the autoencoder is trained.

    `codes` of all rows, or None without an autoencoder; `train` and `held_out`, indices
    of rows; `members`, those of every cluster of the start in `train`; the median
    distance of codes, and the bandwidths to choose from.
    """

    codes: torch.Tensor | None
    train: torch.Tensor
    held_out: torch.Tensor
    members: list
    batch_size: int = 2
    n_passes: int = 1
    distance: float = 1.0
    bandwidths: torch.Tensor | None = None
    clean: bool | None = None


def full_precision(method):
    """Run a method of a module outside of autocast: distances do not bear bfloat16."""

    @wraps(method)
    def wrapped(self, *args):
        with torch.autocast(self.code_range.device.type, enabled=False):
            return method(self, *args)

    return wrapped


class MixtureOfNetworksModule(ParzenModule):
    """Networks, expectation maximisation and sampling of :class:`MixtureOfNetworks`."""

    def __init__(
        self,
        n_features,
        n_clusters,
        *,
        n_latent,
        encoder,
        decoder,
        likelihood,
        networks,
        n_noise,
        n_draws,
        hard_fraction,
        validation_fraction,
        weight_decay,
        generator,
    ):
        super().__init__()
        self.n_clusters = n_clusters
        self.n_latent = n_features if n_latent is None else n_latent
        self.n_noise = n_noise
        self.hard_fraction = hard_fraction
        self.schedule_end = hard_fraction + BANDWIDTH_FALLS * (1 - hard_fraction)
        self.validation_fraction = validation_fraction
        self.weight_decay = weight_decay
        self.autoencoder = None
        if n_latent is not None:
            self.autoencoder = AutoencoderModule(
                n_features,
                n_latent=n_latent,
                encoder=encoder,
                decoder=decoder,
                likelihood=likelihood,
                generator=generator,
            )
        self.networks = networks.build_stacked_decoders(
            n_clusters, n_noise, self.n_latent, generator
        )
        # From codes to the unit cube.
        self.register_buffer("code_center", torch.full((self.n_latent,), 0.5))
        self.register_buffer("code_range", torch.tensor(1.0))
        log_weights = torch.full((n_clusters,), -math.log(n_clusters))
        self.register_buffer("log_weights", log_weights)
        # What the densities are estimated from: drawn once and kept, so that they are
        # functions of the row alone.
        noise = self._draw_noise(n_clusters, n_draws, generator=generator)
        with torch.no_grad():
            self.register_buffer("draws", self.generate(noise))
        self.register_buffer("bandwidth", torch.tensor(1.0))
        self.register_buffer("row_bandwidth", torch.tensor(1.0))
        kernel_scales = torch.tensor(KERNEL_VARIANCES).sqrt()
        self.register_buffer("kernel_scales", kernel_scales)
        # Factor on the next step of every network.
        self.register_buffer("step_factors", torch.ones(n_clusters))
        # How often a dead network was given rows, in epochs that are not kept too.
        self.n_revived = 0
        self.held_out_loss = math.inf

    # Rows, codes and the unit cube

    def embed(self, x):
        """Code of every row, in the unit cube; without an autoencoder the row itself.

        Rows beyond those of the fit may leave the cube.
        """
        return self._to_cube(
            x if self.autoencoder is None else self.autoencoder.embed(x)
        )

    def decode(self, z):
        """Mean of the rows of given codes."""
        z = (z - 0.5) * self.code_range + self.code_center
        return z if self.autoencoder is None else self.autoencoder.decode(z)

    # Generators

    def generate(self, noise):
        """Codes of every network.

        Parameters
        ----------
        noise : torch.Tensor of shape (n_clusters, n, n_noise)
            Uniform noise in [-1, 1].

        Returns
        -------
        codes : torch.Tensor of shape (n_clusters, n, n_latent)
            In the unit cube.
        """
        return self.networks(noise).sigmoid()

    def _draw_noise(self, *shape, generator):
        like = self.code_center
        noise = torch.rand(
            *shape,
            self.n_noise,
            dtype=like.dtype,
            device=like.device,
            generator=generator,
        )
        return 2 * noise - 1

    def sample(self, cluster, generator):
        """Draw noise, generate with the networks of the given clusters, and decode."""
        noise = self._draw_noise(len(cluster), generator=generator)
        spread, place = spread_rows(noise, cluster, self.n_clusters)
        return self.decode(self.generate(spread)[cluster, place])

    def centers(self):
        """Decoded mean of the codes of every network."""
        return self.decode(self.draws.mean(1))

    # Densities

    def log_likelihood(self, codes):
        """Parzen estimate of the log-density of codes under every network (Eq. 4)."""
        return parzen_log_prob(codes, self.draws, self.bandwidth)

    def log_resp(self, x):
        """Membership of every row (Eq. 5)."""
        log_joint = self.log_likelihood(self.embed(x)) + self.log_weights
        return log_joint.log_softmax(1)

    def drawn_rows(self):
        """Decode the draws of every network."""
        return map(self.decode, self.draws)

    # Training

    def optimizers(self, learning_rate):
        """Make one Adam for the autoencoder and one for every network."""
        networks = StackedAdam(
            self.networks.parameters(),
            learning_rate,
            self.step_factors,
            weight_decay=self.weight_decay,
        )
        return self.pretraining_optimizers(learning_rate) | {"networks": networks}

    def pretraining_optimizers(self, learning_rate):
        """Make the player of the autoencoder, if there is one."""
        if self.autoencoder is None:
            return {}
        return {"autoencoder": self.autoencoder.optimizers(learning_rate)["all"]}

    def pretraining_epoch(self, data):
        """Moves of one epoch of the autoencoder, which alone has a pre-training."""
        return self.autoencoder.pretraining_epoch(data)

    def initialize(self, data):
        """Start from the sizes and the means of the clusters."""
        known = self._known(data)
        self.set_weights(data.targets.mean(0))
        means = [
            self._codes(data, rows[:HELD_OUT_ROWS]).mean(0) for rows in known.members
        ]
        last = self.networks[-1]
        last.bias.copy_(torch.stack(means).clamp(0.02, 0.98).logit().unsqueeze(1))
        self._redraw(data, known)

    def epoch(self, data, progress):
        """Yield the moves of step 1 of the paper, or later of step 2.

        The networks do not depend on each other once the memberships are known: a move
        is a step of each one that has a batch left.
        """
        known = self._known(data)
        hard = progress < self.hard_fraction
        queues = (
            self._hard_batches(known)
            if hard
            else self._soft_batches(data, known, progress)
        )
        for rows, factors in zip(*map(pad_sequence, queues), strict=True):
            self.step_factors.copy_(factors)
            for terms, player in self.losses(self._codes(data, rows)):
                yield ({"guidance": terms["mmd"]} if hard else terms), player
        self._redraw(data, known)

    def losses(self, x):
        """Yield a step of the networks whose factor is not 0 on their batches of codes.

        Parameters
        ----------
        x : torch.Tensor of shape (n_clusters, n, n_latent)
            One batch for every network, in the unit cube.

        Yields
        ------
        move : tuple
            Sum of their squared MMDs to fresh draws (Eq. 9), divided by K: a network
            must not notice how many others step.
        """
        steps = self.step_factors > 0
        yield {"mmd": (self._mmd(x) * steps).mean()}, "networks"

    def epoch_loss(self, terms):
        """Negative log-likelihood of held-out codes; empty clusters come last."""
        return self.held_out_loss

    def complaints(self):
        """Tell of networks that died on the way."""
        if self.n_revived > 0:
            yield (
                "Number of times that a network without rows was started anew: "
                f"{self.n_revived}. A smaller 'n_clusters' may suit the rows better."
            )

    def finalize(self, data):
        """Choose the window around decoded draws by the held-out rows."""
        self.set_row_bandwidth(data[self._known(data).held_out])

    def _known(self, data):
        if data.memo is None:
            data.memo = self._calibrate(data)
        return data.memo

    @full_precision
    @torch.no_grad()
    def _calibrate(self, data):
        """Encode all rows, map the codes to the unit cube, and hold rows out."""
        codes = self._map_to_cube(data)
        order = torch.randperm(len(data), generator=self.generator, device=data.device)
        n_held_out = min(int(self.validation_fraction * len(data)), HELD_OUT_ROWS)
        # Too few to hold any out, as a single row has no scale: rows are both.
        if n_held_out == 1:
            n_held_out = 0
        held_out, train = order[: n_held_out or HELD_OUT_ROWS], order[n_held_out:]
        members = self._members(data, train)
        data.memo = known = _Known(codes, train, held_out, members)
        fair_share = len(train) // self.n_clusters
        # The unbiased MMD needs two rows.
        known.batch_size = max(2, min(data.batch_size, fair_share // 2))
        known.n_passes = -(-LEAST_STEPS // max(1, fair_share // known.batch_size))
        within = [
            median_distance(self._codes(data, rows[:HELD_OUT_ROWS])) for rows in members
        ]
        scale = median(within) or 1.0
        variances = self.kernel_scales.new_tensor(KERNEL_VARIANCES)
        self.kernel_scales.copy_(scale * variances.sqrt())
        few = self._codes(data, train[:HELD_OUT_ROWS])
        known.distance = median_distance(few) or 1.0
        known.bandwidths = parzen_bandwidths(few)
        return known

    def _map_to_cube(self, data):
        """Centre and range of the codes; the codes themselves, if they are encoded."""
        if self.autoencoder is not None:
            self.autoencoder.eval()  # codes must not depend on the batch
        low, high, encoded = math.inf, -math.inf, []
        for rows in data.ordered():
            z = self.embed(data[rows])
            low, high = z.amin(0).clamp(max=low), z.amax(0).clamp(min=high)
            if self.autoencoder is not None:
                encoded.append(z)
        self.code_center.copy_((low + high) / 2)
        extent = (high - low).max()
        self.code_range.copy_(torch.where(extent > 0, extent, 1.0))
        return self._to_cube(torch.cat(encoded)) if encoded else None

    def _to_cube(self, z):
        return (z - self.code_center) / self.code_range + 0.5

    def _members(self, data, train):
        """Rows of every cluster of the start; all for a cluster that has none."""
        if data.targets is None:
            return [train] * self.n_clusters
        targets = data.targets[train]
        labels = torch.where(targets.any(1), targets.argmax(1), -1)
        members = [train[labels == k] for k in range(self.n_clusters)]
        return [rows if len(rows) else train for rows in members]

    def _codes(self, data, rows):
        """Codes of rows, whose indices may have any shape."""
        if data.memo.codes is None:
            codes = self.embed(data[rows.flatten()])
        else:
            codes = data.memo.codes.index_select(0, rows.flatten())
        return codes.unflatten(0, rows.shape)

    def _hard_batches(self, known):
        """Step 1: batches of every network's own cluster, and factors of 1."""
        queues = []
        for rows in known.members:
            n_batches = known.n_passes * max(1, len(rows) // known.batch_size)
            size = n_batches * known.batch_size
            # A cluster of less than a batch repeats its rows.
            rows = rows.repeat(-(-size // len(rows)))
            queues.append(rows[self._permutation(rows)[:size]].view(n_batches, -1))
        return queues, [torch.ones_like(q[:, 0], dtype=torch.float) for q in queues]

    @full_precision
    @torch.no_grad()
    def _soft_batches(self, data, known, progress):
        """Step 2: batches of neighbouring rows, and their memberships as factors."""
        if known.clean is None:
            known.clean = self._is_clean(data, known)
        done = (progress - self.hard_fraction) / (1 - self.hard_fraction)
        left = 0 if known.clean else max(0, 1 - done / BANDWIDTH_FALLS)
        widest = FIRST_BANDWIDTH * known.distance / math.sqrt(self.n_latent)
        first = self.bandwidth.clamp(min=widest)
        # Apart from the buffer: an interrupt must not leave the wide window there.
        bandwidth = self.bandwidth * (first / self.bandwidth) ** left
        log_lik = torch.cat(
            [
                parzen_log_prob(self._codes(data, rows), self.draws, bandwidth)
                for rows in known.train.split(BLOCK_ROWS)
            ]
        )
        self.set_weights((log_lik + self.log_weights).softmax(1).mean(0))  # Eq. 5
        self._revive(log_lik, known.batch_size)
        cuts = range(known.n_passes)
        rows = torch.cat([self._neighbors(log_lik, known.batch_size) for _ in cuts])
        # Eq. 6: the weight counts once, not once for every row.
        membership = (self.log_weights + log_lik[rows].sum(1)).softmax(1)
        queues, factors = [], []
        for of_network in membership.unbind(1):
            active = (of_network > LEAST_MEMBERSHIP).nonzero()[:, 0]
            active = active[self._permutation(active)]
            queues.append(known.train[rows[active]])
            factors.append(of_network[active])
        return queues, factors

    def _is_clean(self, data, known):
        """Whether step 1 already tells the clusters of the start apart."""
        if data.targets is None:
            return False
        rows = known.train[:HELD_OUT_ROWS]
        log_joint = self.log_likelihood(self._codes(data, rows)) + self.log_weights
        # Rows that the start leaves out keep nothing.
        kept = data.targets[rows].gather(1, log_joint.argmax(1, keepdim=True)) > 0.5
        return kept.float().mean().item() > CLEAN_START

    def _neighbors(self, log_lik, batch_size):
        """Group rows by their likeliest network, and cut them in that order."""
        order = self._permutation(log_lik)
        order = order[log_lik[order].argmax(1).argsort(stable=True)]
        n_batches, n_left = divmod(len(order), batch_size)
        first = self._permutation(order[: n_left + 1])[0]
        order = order[first : first + n_batches * batch_size]
        return order.view(n_batches, batch_size)

    def _revive(self, log_lik, batch_size):
        """Give networks with hardly a member the rows that are explained worst."""
        log_joint = log_lik + self.log_weights
        owned = log_joint.argmax(1).bincount(minlength=self.n_clusters)
        least = LEAST_SHARE * len(log_lik) / self.n_clusters
        dead = (owned <= least).nonzero()[:, 0].tolist()
        self.n_revived += len(dead)
        size = max(batch_size, len(log_lik) // (2 * self.n_clusters))
        worst = log_joint.logsumexp(1).argsort()
        for i, network in enumerate(dead):
            rows = worst[i : size * len(dead) : len(dead)]
            log_lik[rows, network] = log_lik[rows].amax(1) + SURE

    @full_precision
    def _mmd(self, codes):
        n_clusters, n_rows, _ = codes.shape
        noise = self._draw_noise(
            n_clusters, DRAWS_PER_ROW * n_rows, generator=self.generator
        )
        return squared_mmd(codes, self.generate(noise), self.kernel_scales)

    @full_precision
    @torch.no_grad()
    def _redraw(self, data, known):
        """Draw anew, and choose the bandwidth by the held-out rows."""
        noise = self._draw_noise(*self.draws.shape[:2], generator=self.generator)
        self.draws.copy_(self.generate(noise))
        codes = self._codes(data, known.held_out)
        log_probs = parzen_log_prob(codes, self.draws, known.bandwidths)
        bandwidth, log_likelihood = self.likeliest(log_probs, known.bandwidths)
        self.bandwidth.copy_(bandwidth)
        found = self.log_likelihood(self._codes(data, known.train[:LIVE_ROWS]))
        n_live = len((found + self.log_weights).argmax(1).unique())
        n_dead = self.n_clusters - n_live
        self.held_out_loss = -float(log_likelihood) + SURE * n_dead

    def _permutation(self, rows):
        return torch.randperm(len(rows), generator=self.generator, device=rows.device)


class MixtureOfNetworks(BaseDeepMixture):
    r"""Mixture of generative networks, trained by maximum mean discrepancy.

    K networks, each of which turns uniform noise into rows of its own cluster, fitted
    by expectation maximisation [1]_:

    .. math::
        k \sim \pi, \quad u \sim U[-1, 1]^q, \quad z = g_k(u), \quad x = f(z)

    with the decoder f of an autoencoder, trained before. Networks have no density: that
    of a row under network k is estimated by Parzen windows around draws from it (Eq. 4
    of [1]_). Read more in the :ref:`User Guide <mixture_of_networks>`.

    Parameters
    ----------
    n_clusters : int, default=4
        Number K of clusters.
    n_latent : int or None, default=10
        Dimension of the codes, the columns of `transform`. None is a mixture in the
        space of the rows, without an autoencoder, for data of few dimensions.
    encoder : NetworkSpec or None, default=None
        Network of the autoencoder from rows to codes; None is
        ``MLP((500, 500, 2000))``, for fewer than 5,000 rows ``MLP((500, 500))``, than
        1,000 ``MLP((128, 128))``.
    decoder : NetworkSpec or None, default=None
        Network from codes to rows, described from the data side; None is as the
        encoder.
    networks : NetworkSpec or None, default=None
        Each of the K networks from noise to codes, described from the side of the
        codes; None is ``MLP((512, 256, 256, 64))``, for fewer than 1,000 rows
        ``MLP((32, 128, 32))``.
    n_noise : int, default=10
        Dimension q of the noise.
    n_draws : int, default=1000
        Number S of draws from each network that the densities are estimated from.
    hard_fraction : float, default=0.15
        Fraction of the epochs in which every network learns from its own cluster of the
        start alone (step 1 of [1]_), before memberships are estimated (step 2).
    validation_fraction : float, default=0.1
        Fraction of the rows, at most 1,000, by whose log-likelihood bandwidths and the
        best epoch are chosen, and which the networks do not learn from. If that is less
        than two rows, all are used for both.
    weight_decay : float, default=0.0
        Decoupled weight decay of the networks.
    init : str, array-like or clusterer, default="neighbors"
        Where clusters come from. ``"neighbors"`` is a Gaussian mixture on a layout of
        the neighbour graph of rows and codes; ``"k-means++"`` is, as in
        :class:`~sklearn.mixture.GaussianMixture`, a mixture seeded by k-means++ on the
        codes themselves; ``"random"`` puts rows to the nearest of K random ones. Any
        scikit-learn clusterer or pipeline is fitted on the codes; the paper has
        ``KMeans(n_clusters)``. An array holds labels of shape (n_samples,), negative
        where unknown, or responsibilities of shape (n_samples, n_clusters).
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
        Number of epochs; those of the autoencoder come on top with a quarter as many.
    batch_size : int or "auto", default="auto"
        Number of rows per step of each network, at most half of
        n_samples / n_clusters; ``"auto"`` is n_samples / 14, from 100 to 256.
    learning_rate : float, default=0.001
        Step size of Adam, which falls linearly to zero over the last quarter of the
        epochs, once the windows of the likelihood have narrowed. In step 2 it is
        multiplied by the membership of the batch.
    tol : float, default=1e-4
        Smallest decrease of the loss that counts, relative to its size.
    n_iter_no_change : int, default=10
        Number of epochs without such a decrease after which the fit stops, counted
        once the windows have narrowed, after three quarters of the epochs. The weights
        of the best of these are kept.
    likelihood : {"gaussian", "bernoulli"}, default="gaussian"
        Of the rows given their codes, in the autoencoder. ``"gaussian"`` has one
        learned noise scale and takes any real X; ``"bernoulli"`` takes X in [0, 1],
        unscaled, and needs the autoencoder.
    precision : {"auto", "float32", "bfloat16"}, default="float32"
        Arithmetic of the autoencoder in training; ``"auto"`` is bfloat16 where the
        device multiplies it natively, else float32.
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
        Decoded means of the codes that each network generates, in data units.
    loss_curve_ : list of float
        Negative log-likelihood of the codes of held-out rows after every epoch, in nats
        per row, in the unit cube; plus 100 for every cluster without one of 4,096 rows.
    n_iter_ : int
        Number of epochs.
    n_iter_guided_ : int
        Number of epochs of step 1.
    start_labels_ : ndarray of shape (n_samples,) or None
        Labels of the start, -1 where it has none.
    module_ : MixtureModule
        The networks.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features, if X had them.

    See Also
    --------
    GaussianMixtureVAE : A mixture with one decoder and a likelihood.
    Autoencoder : What gives the codes.

    Notes
    -----
    `score_samples` is the log of a mixture of Parzen windows around decoded draws, of
    the width that held-out rows choose; an estimate, usually too low.

    An expectation step costs n_samples x K x S kernels.

    References
    ----------
    .. [1] Banijamali, Ghodsi, Poupart, "Generative mixture of networks", IJCNN 2017,
       arXiv:1702.03307.

    Examples
    --------
    >>> from skdeepmix import MixtureOfNetworks
    >>> from skdeepmix.datasets import make_two_moons
    >>> X, y = make_two_moons(400, random_state=0)
    >>> model = MixtureOfNetworks(2, n_latent=None, max_iter=20, random_state=0).fit(X)
    >>> model.predict_proba(X).shape
    (400, 2)
    >>> rows, labels = model.sample(16, cluster=1)
    >>> rows.shape
    (16, 2)
    """

    _module_class = MixtureOfNetworksModule
    _score_kind = "estimate"
    _starts = STARTS | {"random": random_rows_start}

    _parameter_constraints: dict = {
        **BaseDeepMixture._parameter_constraints,
        "n_latent": [Interval(Integral, 1, None, closed="left"), None],
        "networks": [NetworkSpec, None],
        "n_noise": [Interval(Integral, 1, None, closed="left")],
        "n_draws": [Interval(Integral, 1, None, closed="left")],
        "hard_fraction": [Interval(Real, 0, 1, closed="both")],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        n_clusters=4,
        *,
        n_latent=10,
        encoder=None,
        decoder=None,
        networks=None,
        n_noise=10,
        n_draws=1000,
        hard_fraction=0.15,
        validation_fraction=0.1,
        weight_decay=0.0,
        init="neighbors",
        n_init=1,
        n_jobs=None,
        max_iter=100,
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
        self.encoder = encoder
        self.decoder = decoder
        self.networks = networks
        self.n_noise = n_noise
        self.n_draws = n_draws
        self.hard_fraction = hard_fraction
        self.validation_fraction = validation_fraction
        self.weight_decay = weight_decay
        self.init = init
        self.n_init = n_init
        self.n_jobs = n_jobs
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

    def _freeze(self, X):
        super()._freeze(X)
        few = X.shape[0] < FEW_ROWS
        default = MLP(SMALL_NETWORK if few else DEFAULT_NETWORK)
        networks = default if self.networks is None else clone(self.networks)
        self._frozen["networks"] = networks

    def _module_parameters(self):
        if self.n_latent is None and not LIKELIHOODS[self.likelihood].rescales:
            raise ValueError(
                f"likelihood='{self.likelihood}' is that of the autoencoder, which "
                "n_latent = None leaves out. Use likelihood='gaussian' or give "
                "'n_latent'."
            )
        return {
            "n_noise": self.n_noise,
            "n_draws": self.n_draws,
            "hard_fraction": self.hard_fraction,
            "validation_fraction": self.validation_fraction,
            "weight_decay": self.weight_decay,
        }
