"""What the author of a model writes: networks, losses, posterior and sampling."""

import math
from abc import ABC, abstractmethod

import torch
from torch import nn

from skdeepmix.distributions import (
    parzen_bandwidths,
    parzen_log_prob,
    standard_normal,
)
from skdeepmix.initialization import guidance_weight
from skdeepmix.losses import categorical_cross_entropy

# The logarithm of the smallest mixing weight is taken of this.
LEAST_WEIGHT = 1e-6


class LatentModule(nn.Module, ABC):
    """Networks between rows and latents, and how they are trained.

    Everything is in model units: rows centred and divided by one scale, or as they are
    for a Bernoulli likelihood. Randomness comes from `generator` alone.

    Attributes
    ----------
    n_latent : int
        Number L of latent dimensions, the columns of `embed`.
    generator : torch.Generator or None
        Source of noise while the module is trained.
    replays : Replays or None
        What replays steps while the module is trained, if anything does.
    schedule_end : float
        Fraction of the fit at which the module's own schedules have ended. The step
        size stays as it is until then, and over the first two fifths in any case.
    keeps_last : bool
        Whether the last epoch is kept instead of the best, and the fit never stops
        early: the losses of a game do not tell epochs apart.
    """

    n_latent: int
    generator = None
    replays = None
    schedule_end = 0.0
    keeps_last = False

    @abstractmethod
    def epoch(self, data, progress):
        """Yield the moves of one epoch.

        When the generator resumes, the step has been taken.

        Parameters
        ----------
        data : Rows
            Rows.
        progress : float
            Fraction of the fit that is done, in [0, 1).

        Yields
        ------
        terms : dict of str to torch.Tensor of shape ()
            Named losses, whose sum is minimised.
        *players : str
            Names of the optimizers that step; none means all.
        """

    @abstractmethod
    def embed(self, x):
        """Latent representation: the posterior mean.

        Parameters
        ----------
        x : torch.Tensor of shape (n, n_features)
            Rows.

        Returns
        -------
        z : torch.Tensor of shape (n, n_latent)
            Latents.
        """

    @abstractmethod
    def decode(self, z):
        """Expected rows of given latents.

        Parameters
        ----------
        z : torch.Tensor of shape (n, n_latent)
            Latents.

        Returns
        -------
        x : torch.Tensor of shape (n, n_features)
            Rows.
        """

    @abstractmethod
    def log_prob(self, x):
        """Log-likelihood of rows, or a bound or an estimate, deterministic.

        Parameters
        ----------
        x : torch.Tensor of shape (n, n_features)
            Rows.

        Returns
        -------
        log_prob : torch.Tensor of shape (n,)
            In nats.
        """

    def width(self, n_features):
        """Elements that a row has at most on its way through the networks.

        Parameters
        ----------
        n_features : int
            Number of features.

        Returns
        -------
        width : int
            Units of the widest layer, of all clusters together where each has its own,
            and as many for every pixel where layers are convolutions. The wider, the
            fewer rows are taken at a time.
        """
        width = n_features
        for layer in self.modules():
            bias = getattr(layer, "bias", None)
            if bias is not None:
                convolves = isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d))
                width = max(width, bias.numel() * (n_features if convolves else 1))
        return width

    def score_width(self, n_features):
        """Elements that a row has at most on its way to `log_prob`; default: `width`.

        Parameters
        ----------
        n_features : int
            Number of features.

        Returns
        -------
        width : int
            The wider, the fewer rows are taken at a time.
        """
        return self.width(n_features)

    def pretraining_epoch(self, data):
        """Moves of one epoch as a deterministic autoencoder.

        Parameters
        ----------
        data : Rows
            Rows.

        Returns
        -------
        moves : generator of tuple
            The reconstruction loss of every batch.
        """

        def moves_of(rows):
            yield ({"reconstruction": self.reconstruction(data[rows]).mean()},)

        return self.played(moves_of, data.shuffled())

    def played(self, moves_of, batches):
        """Play batches one after the other, or replay their steps.

        Parameters
        ----------
        moves_of : callable
            From the indices of a batch to its moves.
        batches : iterable of torch.Tensor
            Indices of the batches.

        Yields
        ------
        move : tuple
            Those of all batches.
        """
        if self.replays is not None:
            yield from self.replays.play(moves_of, batches)
        else:
            for rows in batches:
                yield from moves_of(rows)

    def reconstruction(self, x):
        """Loss of the pre-training; default: the squared error of a row.

        Parameters
        ----------
        x : torch.Tensor of shape (n, n_features)
            Rows.

        Returns
        -------
        loss : torch.Tensor of shape (n,)
            Loss of every row when its embedding is decoded.
        """
        return (self.decode(self.embed(x)) - x).square().sum(1)

    def optimizers(self, learning_rate):
        """Make the players.

        Parameters
        ----------
        learning_rate : float
            Step size.

        Returns
        -------
        optimizers : dict of str to torch.optim.Optimizer
            Every parameter belongs to at least one. Default: one Adam over all.
        """
        return {"all": torch.optim.Adam(self.parameters(), learning_rate, fused=True)}

    def pretraining_optimizers(self, learning_rate):
        """Make the players of the pre-training; default: those of the fit.

        Without a player there is no pre-training.

        Parameters
        ----------
        learning_rate : float
            Step size.

        Returns
        -------
        optimizers : dict of str to torch.optim.Optimizer
            As in `optimizers`.
        """
        return self.optimizers(learning_rate)

    def epoch_loss(self, terms):
        """Loss by which epochs are compared; default: the sum of the terms.

        Parameters
        ----------
        terms : dict of str to float
            Mean of every term over the moves of an epoch, without guidance.

        Returns
        -------
        loss : float
            The weights of the epoch with the lowest are kept.
        """
        return sum(terms.values())

    def finalize(self, data):
        """Set what follows from the final weights, without gradients; default: nothing.

        Parameters
        ----------
        data : Rows
            Rows.
        """

    def mean_square_error(self, data):
        """Mean squared error of the decoded embeddings of all rows.

        Parameters
        ----------
        data : Rows
            Rows.

        Returns
        -------
        error : torch.Tensor of shape ()
            In squared model units.
        """
        error = 0
        for rows in data.ordered():
            x = data[rows]
            error = error + (self.decode(self.embed(x)) - x).square().sum()
        return error / (len(data) * data.n_features)

    def noise(self, *shape):
        """Draw standard normal noise from `generator`.

        Parameters
        ----------
        *shape : int
            Shape.

        Returns
        -------
        noise : torch.Tensor
            Noise of the type and on the device of the parameters.
        """
        return standard_normal(shape, next(self.parameters()), self.generator)


class MixtureModule(LatentModule):
    """A latent module with clusters, each of which can be sampled.

    Attributes
    ----------
    n_clusters : int
        Number K of mixture components.
    log_weights : torch.Tensor of shape (n_clusters,)
        Logarithms of the mixing weights.

    Notes
    -----
    The attributes of :class:`LatentModule` are there as well.
    """

    n_clusters: int
    log_weights: torch.Tensor

    @abstractmethod
    def losses(self, x):
        """Yield the moves of one batch.

        When the generator resumes, the step has been taken.

        Parameters
        ----------
        x : torch.Tensor of shape (n, n_features)
            A batch.

        Yields
        ------
        terms : dict of str to torch.Tensor of shape ()
            Named losses, whose sum is minimised.
        *players : str
            Names of the optimizers that step; none means all.
        """

    def one_hot(self, like):
        """Certain memberships, one row per cluster.

        Parameters
        ----------
        like : torch.Tensor
            Of the type and on the device that is wanted.

        Returns
        -------
        resp : torch.Tensor of shape (n_clusters, n_clusters)
            Identity matrix.
        """
        return torch.eye(self.n_clusters, dtype=like.dtype, device=like.device)

    @abstractmethod
    def log_resp(self, x):
        """Log-probabilities of the clusters, deterministic.

        Parameters
        ----------
        x : torch.Tensor of shape (n, n_features)
            Rows.

        Returns
        -------
        log_resp : torch.Tensor of shape (n, n_clusters)
            Normalised log p(k | x), in nats.
        """

    @abstractmethod
    def sample(self, cluster, generator):
        """Draw one conditional mean for each given cluster.

        Parameters
        ----------
        cluster : torch.Tensor of shape (n,)
            Indices of clusters.
        generator : torch.Generator
            Source of randomness.

        Returns
        -------
        x : torch.Tensor of shape (n, n_features)
            Expected rows given freshly drawn latents.
        """

    @abstractmethod
    def centers(self):
        """Decoded centre of every cluster.

        Returns
        -------
        centers : torch.Tensor of shape (n_clusters, n_features)
            One row per cluster.
        """

    def add_noise(self, x, generator):
        """Draw observations around conditional means; default: the means.

        Parameters
        ----------
        x : torch.Tensor of shape (n, n_features)
            Expected rows.
        generator : torch.Generator
            Source of randomness.

        Returns
        -------
        x : torch.Tensor of shape (n, n_features)
            Rows.
        """
        return x

    def initialize(self, data):
        """Set parameters from a start, after pre-training; default: nothing.

        Parameters
        ----------
        data : Rows
            Rows with the responsibilities of the start in `targets`.
        """

    def complaints(self):
        """Tell what went wrong in training; default: nothing.

        Yields
        ------
        complaint : str
            What a user should know, with a remedy; the estimator warns of it.
        """
        yield from ()

    def epoch(self, data, progress):
        """Moves of one epoch: random batches through `losses`.

        Parameters
        ----------
        data : Rows
            Rows, with responsibilities to be guided by in `targets` or None.
        progress : float
            Fraction of the fit that is done, in [0, 1).

        Returns
        -------
        moves : generator of tuple
            As in `losses`, with the guidance towards the start added.
        """

        def moves_of(rows):
            x = data[rows]
            return self.guided(self.losses(x), x, data.targets_of(rows), progress)

        return self.played(moves_of, data.shuffled())

    def guided(self, moves, x, targets, progress):
        """Add the guidance towards the start to every move of a batch.

        Parameters
        ----------
        moves : iterator of tuple
            Terms and players, as `losses` yields them.
        x : torch.Tensor of shape (n, n_features)
            The batch.
        targets : torch.Tensor of shape (n, n_clusters) or None
            Responsibilities of the start, if there is one.
        progress : float
            Fraction of the fit that is done, in [0, 1).

        Yields
        ------
        move : tuple
            The moves, with the weighted `guidance` as one more term while it has weight
            and something to teach the players.
        """
        falling = guidance_weight(progress)
        for terms, *players in moves:
            weight = max(falling, self.least_guidance(players))
            if targets is not None and weight > 0:
                guidance = self.guidance(x, targets, players)
                if guidance is not None:
                    terms = terms | {"guidance": weight * guidance}
            yield terms, *players

    def least_guidance(self, players):
        """Weight of the guidance once it has fallen; default: none.

        Parameters
        ----------
        players : list of str
            Who steps.

        Returns
        -------
        weight : float
            At least 0.
        """
        return 0.0

    def guidance(self, x, targets, players):
        """Distance of the clusters to a start; default: that of `log_resp`.

        Parameters
        ----------
        x : torch.Tensor of shape (n, n_features)
            A batch.
        targets : torch.Tensor of shape (n, n_clusters)
            Its responsibilities in the start, rows of zeros where that has no opinion.
        players : list of str
            Names of the optimizers that step; none means all.

        Returns
        -------
        guidance : torch.Tensor of shape () or None
            Cross-entropy in nats, mean over the rows that have a target; None, whatever
            the batch, where the start has nothing to teach these players.
        """
        return categorical_cross_entropy(self.log_resp(x), targets)


class VariationalModule(MixtureModule):
    """A mixture with a posterior of its latents, samples of which bound its likelihood.

    Attributes
    ----------
    likelihood : torch.nn.Module
        Of rows given what latents are decoded to.
    score_noise : torch.Tensor of shape (n_importance, n_noise)
        Standard normal, a buffer: one row for each importance sample of `log_prob`.
    """

    likelihood: nn.Module
    score_noise: torch.Tensor
    # The batch of a step, and what networks have made of it.
    _batch: torch.Tensor | None = None
    _outputs: dict | None = None

    def guided(self, moves, x, targets, progress):
        """Add the guidance, which shares outputs of networks with the losses.

        Parameters
        ----------
        moves : iterator of tuple
            Terms and players, as `losses` yields them.
        x : torch.Tensor of shape (n, n_features)
            The batch.
        targets : torch.Tensor of shape (n, n_clusters) or None
            Responsibilities of the start, if there is one.
        progress : float
            Fraction of the fit that is done, in [0, 1).

        Yields
        ------
        move : tuple
            The moves.
        """
        self._batch, self._outputs = x, {}
        try:
            for move in super().guided(moves, x, targets, progress):
                yield move
                self._outputs.clear()  # the step has changed the networks
        finally:
            self._batch = self._outputs = None

    def output_of(self, network, x):
        """Output of a network, computed once for a step on a batch.

        Parameters
        ----------
        network : torch.nn.Module
            A network of rows.
        x : torch.Tensor of shape (n, n_features)
            Rows.

        Returns
        -------
        out : torch.Tensor
            Of the type of `x`, not that of autocast.
        """
        if x is not self._batch:
            return network(x).to(x.dtype)
        if network not in self._outputs:
            self._outputs[network] = network(x).to(x.dtype)
        return self._outputs[network]

    def draw_score_noise(self, n_importance, n_noise, generator):
        """Draw the noise of the importance samples, once and for all rows.

        So `log_prob` is a function of the row alone.

        Parameters
        ----------
        n_importance : int
            Number of samples.
        n_noise : int
            Number of latent dimensions of a sample.
        generator : torch.Generator
            Source of randomness.
        """
        noise = torch.randn(n_importance, n_noise, generator=generator)
        self.register_buffer("score_noise", noise)

    @abstractmethod
    def log_ratios(self, x):
        """Compare the model with its posterior at every importance sample.

        Parameters
        ----------
        x : torch.Tensor of shape (n, n_features)
            Rows.

        Yields
        ------
        log_ratio : torch.Tensor of shape (n,)
            log p(x, z) - log q(z | x) with the latents z of the next row of
            `score_noise` and the clusters summed out, in nats.
        """

    def log_prob(self, x):
        """Importance-weighted lower bound on the log-likelihood.

        With one sample it is the evidence lower bound, up to that sample.

        Parameters
        ----------
        x : torch.Tensor of shape (n, n_features)
            Rows.

        Returns
        -------
        log_prob : torch.Tensor of shape (n,)
            In nats.
        """
        log_ratios = torch.stack(list(self.log_ratios(x)))
        return log_ratios.logsumexp(0) - math.log(len(log_ratios))

    def add_noise(self, x, generator):
        """Draw from the likelihood.

        Parameters
        ----------
        x : torch.Tensor of shape (n, n_features)
            Expected rows.
        generator : torch.Generator
            Source of randomness.

        Returns
        -------
        x : torch.Tensor of shape (n, n_features)
            Rows.
        """
        return self.likelihood.sample(x, generator)


class ParzenModule(MixtureModule):
    """A mixture without a density of its own: Parzen windows around draws estimate it.

    Attributes
    ----------
    log_weights : torch.Tensor of shape (n_clusters,)
        Logarithms of the mixing weights, a buffer: no gradient reaches them.
    row_bandwidth : torch.Tensor of shape ()
        Standard deviation of the windows, in model units.
    """

    row_bandwidth: torch.Tensor

    def set_weights(self, weights):
        """Set the mixing weights.

        Parameters
        ----------
        weights : torch.Tensor of shape (n_clusters,)
            Weights, at least 0; they are raised to 1e-6 and divided by their sum.
        """
        weights = weights.clamp(min=LEAST_WEIGHT)
        self.log_weights.copy_((weights / weights.sum()).log())

    @abstractmethod
    def drawn_rows(self):
        """Rows of every cluster, always the same.

        Yields
        ------
        x : torch.Tensor of shape (n_draws, n_features)
            Rows of the next cluster.
        """

    def score_width(self, n_features):
        """Features alone: only draws pass the networks, anew for every batch.

        Parameters
        ----------
        n_features : int
            Number of features.

        Returns
        -------
        width : int
            `n_features`.
        """
        return n_features

    def log_prob(self, x):
        """Log-density of the mixture of Parzen windows around drawn rows.

        Parameters
        ----------
        x : torch.Tensor of shape (n, n_features)
            Rows.

        Returns
        -------
        log_prob : torch.Tensor of shape (n,)
            In nats.
        """
        log_probs = self._log_probs_of_rows(x, self.row_bandwidth)
        return (log_probs + self.log_weights).logsumexp(1)

    def add_noise(self, x, generator):
        """Draw from the windows around drawn rows.

        Parameters
        ----------
        x : torch.Tensor of shape (n, n_features)
            Drawn rows.
        generator : torch.Generator
            Source of randomness.

        Returns
        -------
        x : torch.Tensor of shape (n, n_features)
            Rows.
        """
        return x + self.row_bandwidth * standard_normal(x.shape, x, generator)

    def set_row_bandwidth(self, x):
        """Choose the window by the likelihood of rows.

        Parameters
        ----------
        x : torch.Tensor of shape (n, n_features)
            Rows.

        Notes
        -----
        If the smallest bandwidth of :func:`~skdeepmix.distributions.parzen_bandwidths`
        is the likeliest, as in tight clusters far apart, whose own scale is not that of
        their distances, as many below it are compared, down to a thousandth of the
        median distance.
        """
        bandwidths = parzen_bandwidths(x)
        bandwidth = self._likeliest_row_bandwidth(x, bandwidths)
        if bandwidth == bandwidths[0]:
            below = bandwidths * (bandwidths[0] / bandwidths[-1])
            bandwidth = self._likeliest_row_bandwidth(x, below)
        self.row_bandwidth.copy_(bandwidth)

    def _likeliest_row_bandwidth(self, x, bandwidths):
        return self.likeliest(self._log_probs_of_rows(x, bandwidths), bandwidths)[0]

    def likeliest(self, log_probs, bandwidths):
        """Bandwidth with the largest mean log-likelihood, and that.

        Parameters
        ----------
        log_probs : torch.Tensor of shape (n, n_clusters, n_bandwidths)
            Log-densities of rows in every cluster, in nats.
        bandwidths : torch.Tensor of shape (n_bandwidths,)
            The bandwidths.

        Returns
        -------
        bandwidth, log_likelihood : torch.Tensor of shape ()
            The best.
        """
        log_mixture = (log_probs + self.log_weights.unsqueeze(1)).logsumexp(1)
        best = log_mixture.mean(0).max(0)
        return bandwidths[best.indices], best.values

    def _log_probs_of_rows(self, x, bandwidth):
        # One cluster at a time: its rows may be large.
        log_probs = [
            parzen_log_prob(x, draws, bandwidth) for draws in self.drawn_rows()
        ]
        return torch.stack(log_probs, 1)
