"""The two bases: what all estimators share, and what a model author writes."""

import copy
import math
import warnings
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from numbers import Integral, Real

import numpy as np
import torch
from scipy.stats import rankdata
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    ClusterMixin,
    TransformerMixin,
    clone,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_array, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import nn

from skdeepmix._data import Rows, Scaling, row_blocks
from skdeepmix._progress import progress_bar
from skdeepmix._sklearn_compat import (
    CallbackSupportMixin,
    ClassifierTags,
    HasMethods,
    Interval,
    StrOptions,
    fit_context,
    with_callbacks,
)
from skdeepmix._training import (
    PRECISIONS,
    BestState,
    draw_seed,
    map_batches,
    resolve_device,
    take_moves,
)
from skdeepmix.distributions import LIKELIHOODS, standard_normal
from skdeepmix.initialization import (
    GUIDANCE_ENDS,
    STARTS,
    guidance_weight,
    resolve_start,
    start_responsibilities,
)
from skdeepmix.metrics import label_agreement, posterior_mutual_information
from skdeepmix.networks import MLP, NetworkSpec

# Epochs of autoencoder pre-training before a start, as a fraction of `max_iter`.
PRETRAINING = 0.25
# Rows farther away than this many scales get float64 arithmetic.
FAR = 1e6
# Hidden layers of the default network for fewer rows than the given number: few rows
# have little to teach, and a large network would make small fits slow.
DEFAULT_LAYERS = {1000: (128, 128), 5000: (500, 500), math.inf: (500, 500, 2000)}


class MixtureModule(nn.Module, ABC):
    """What the author of a model writes: networks, losses, posterior and sampling.

    Everything is in model units: rows centred and divided by one scale, or as they are
    for a Bernoulli likelihood. Randomness comes from `generator` alone.

    Attributes
    ----------
    n_clusters : int
        Number K of mixture components.
    n_latent : int
        Number L of latent dimensions, the columns of `embed`.
    log_weights : torch.Tensor of shape (n_clusters,)
        Logarithms of the mixing weights.
    generator : torch.Generator or None
        Source of noise while the module is trained.
    schedule_end : float
        Fraction of the fit at which the module's own schedules have ended.
    """

    n_clusters: int
    n_latent: int
    log_weights: torch.Tensor
    generator = None
    schedule_end = 0.0

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
    def centers(self):
        """Decoded centre of every cluster.

        Returns
        -------
        centers : torch.Tensor of shape (n_clusters, n_features)
            One row per cluster.
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

    def epoch(self, data, progress):
        """Yield the moves of one epoch: random batches through `losses`.

        Parameters
        ----------
        data : Rows
            Rows, with responsibilities to be guided by in `targets` or None.
        progress : float
            Fraction of the fit that is done, in [0, 1).

        Yields
        ------
        move : tuple
            As in `losses`, with the guidance towards the start added.
        """
        for rows in data.shuffled():
            x = data[rows]
            yield from self.guided(self.losses(x), x, data.targets_of(rows), progress)

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
            The moves, with the weighted cross-entropy of `log_resp` against the
            responsibilities as one more term while it has weight.
        """
        weight = 0.0 if targets is None else guidance_weight(progress)
        for terms, *players in moves:
            if weight > 0:
                # Rows without a target do not dilute the others.
                known = targets.sum().clamp(min=1)
                guidance = -(targets * self.log_resp(x)).sum() / known
                terms = terms | {"guidance": weight * guidance}
            yield terms, *players

    def pretraining_epoch(self, data):
        """Yield the moves of one epoch as a deterministic autoencoder.

        Parameters
        ----------
        data : Rows
            Rows.

        Yields
        ------
        move : tuple
            The reconstruction loss of a batch.
        """
        for rows in data.shuffled():
            yield ({"reconstruction": self.reconstruction(data[rows]).mean()},)

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


@dataclass
class _Restart:
    """One of `n_init` fits."""

    module: MixtureModule
    start_labels: np.ndarray | None = None
    loss_curve: list = field(default_factory=list)
    n_iter_guided: int = 0
    interrupted: bool = False


class BaseDeepMixture(
    CallbackSupportMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    ClusterMixin,
    BaseEstimator,
):
    """Base of all deep mixture models: everything on scikit-learn's side.

    A subclass names its `MixtureModule` in ``_module_class``, turns parameters of its
    own into arguments of that class in ``_module_parameters``, and says in
    ``_score_kind`` what `score_samples` is: "exact", "bound" or "estimate".
    """

    _module_class: type[MixtureModule]
    _score_kind: str

    _parameter_constraints: dict = {
        "n_clusters": [Interval(Integral, 1, None, closed="left")],
        "n_latent": [Interval(Integral, 1, None, closed="left")],
        "encoder": [NetworkSpec, None],
        "decoder": [NetworkSpec, None],
        "init": [StrOptions(set(STARTS)), "array-like", HasMethods("fit_predict")],
        "n_init": [Interval(Integral, 1, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [
            Interval(Integral, 1, None, closed="left"),
            StrOptions({"auto"}),
        ],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "likelihood": [StrOptions(set(LIKELIHOODS))],
        "precision": [StrOptions(set(PRECISIONS))],
        "device": [str, torch.device],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
    }

    def _module_parameters(self):
        """Return arguments of the module class that are the subclass's own."""
        return {}

    # Fitting

    @with_callbacks
    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None):
        """Fit the model to the rows of X.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows, of any real dtype; CSR matrices are made dense batch by batch, memory
            maps read batch by batch.
        y : array-like of shape (n_samples,) or None, default=None
            Not used for fitting; passed on to callbacks.

        Returns
        -------
        self : object
            The fitted model.

        Raises
        ------
        ValueError
            If a parameter or X is invalid, or a loss becomes NaN.

        Warns
        -----
        ConvergenceWarning
            If clusters died out, or the fit was interrupted.
        """
        X = self._validate_rows(X, reset=True)
        if X.shape[0] < self.n_clusters:
            raise ValueError(
                "Expected n_samples >= n_clusters but got n_clusters = "
                f"{self.n_clusters}, n_samples = {X.shape[0]}."
            )
        start = resolve_start(self.init, X.shape[0], self.n_clusters)
        random_state = check_random_state(self.random_state)
        device = resolve_device(self.device)
        self._freeze(X)
        context = self._init_callback_context(max_subtasks=self.n_init)
        context.call_on_fit_task_begin(estimator=self, X=X, y=y)
        restarts = []
        for _ in range(self.n_init):
            subcontext = context.subcontext("init", max_subtasks=self.max_iter)
            subcontext.call_on_fit_task_begin(estimator=self, X=X, y=y)
            try:
                restart = self._fit_once(X, y, start, device, random_state, subcontext)
            except KeyboardInterrupt:
                if not restarts:
                    raise
                restarts[-1].interrupted = True
                break
            restarts.append(restart)
            stop = subcontext.call_on_fit_task_end(
                estimator=self,
                X=X,
                y=y,
                reconstruction_attributes=self._snapshot(restarts[-1].module),
            )
            if stop or restarts[-1].interrupted:
                break
        best = self._best(restarts, X)
        if restarts[-1].interrupted:
            warnings.warn(
                f"The fit was interrupted after {len(best.loss_curve)} of "
                f"{self.max_iter} epochs. The model is usable as it is.",
                ConvergenceWarning,
                stacklevel=4,
            )
        self._keep(best, X)
        context.call_on_fit_task_end(
            estimator=self,
            X=X,
            y=y,
            reconstruction_attributes=self._snapshot(self.module_),
        )
        return self

    def _freeze(self, X):
        """Fix what later calls need, whatever parameters are set after the fit."""
        # Networks of an earlier fit belong to what that one froze: should this fit
        # fail, the model is not fitted.
        vars(self).pop("module_", None)
        self._dtype = _inference_dtype(X)
        rescales = LIKELIHOODS[self.likelihood].rescales
        self._scaling = Scaling.fit(X) if rescales else Scaling()
        encoder = self._spec(self.encoder, X.shape[0])
        self._frozen = {
            "n_features": X.shape[1],
            "n_clusters": self.n_clusters,
            "n_latent": self.n_latent,
            "encoder": encoder,
            "decoder": encoder if self.decoder is None else clone(self.decoder),
            "likelihood": self.likelihood,
            **self._module_parameters(),
        }

    @staticmethod
    def _spec(spec, n_samples):
        if spec is not None:
            return clone(spec)
        return MLP(next(v for limit, v in DEFAULT_LAYERS.items() if n_samples < limit))

    def _fit_once(self, X, y, start, device, random_state, context):
        seeds = random_state.randint(np.iinfo(np.int32).max, size=4)
        module = self._new_module(seeds[0]).to(device)
        module.generator = torch.Generator(device).manual_seed(int(seeds[1]))
        data = Rows(
            X,
            self._scaling,
            device=device,
            batch_size=self._batch_size(X.shape[0]),
            seed=int(seeds[2]),
        ).reside()
        restart = _Restart(module)
        if start is not None:
            restart.start_labels = self._start(
                module, data, start, np.random.RandomState(seeds[3])
            )
        try:
            self._train(restart, data, X, y, context)
        except KeyboardInterrupt:
            restart.interrupted = True
        module.generator = None
        return restart

    def _new_module(self, seed):
        generator = torch.Generator().manual_seed(int(seed))
        return self._module_class(**self._frozen, generator=generator)

    def _batch_size(self, n_samples):
        if self.batch_size == "auto":
            return min(max(100, n_samples // 14), 256, n_samples)
        return min(self.batch_size, n_samples)

    def _start(self, module, data, start, random_state):
        """Pre-train, cluster the codes, hand over to the module; return labels."""
        n_epochs = max(1, round(PRETRAINING * self.max_iter))
        optimizers = module.optimizers(self.learning_rate)
        title = f"{type(self).__name__}, autoencoder"
        with progress_bar(title, n_epochs, self.verbose) as update:
            for epoch in range(n_epochs):
                moves = module.pretraining_epoch(data)
                terms = take_moves(moves, optimizers, self.precision)
                self._check_finite(terms, f"epoch {epoch + 1} of the pre-training")
                update(terms)
        module.eval()  # normalisation of codes must not depend on the batch
        codes = map_batches(module.embed, (data[rows] for rows in data.ordered()))
        if not np.isfinite(codes).all():
            raise ValueError(
                f"The latent codes of {type(self).__name__} are not finite after the "
                "autoencoder pre-training. Use a smaller 'learning_rate'."
            )
        resp = start_responsibilities(start, codes, self.n_clusters, random_state, data)
        data.targets = torch.from_numpy(resp).to(data.device)
        with torch.no_grad():
            module.initialize(data)
        return np.where(resp.any(axis=1), resp.argmax(axis=1), -1)

    def _train(self, restart, data, X, y, context):
        module, guided = restart.module, data.targets is not None
        optimizers = module.optimizers(self.learning_rate)
        best = BestState(module, self.tol, self.n_iter_no_change)
        settled = max(module.schedule_end, GUIDANCE_ENDS if guided else 0.0)
        groups = [g for o in optimizers.values() for g in o.param_groups]
        step_sizes = [group["lr"] for group in groups]
        module.train()
        try:
            with progress_bar(type(self).__name__, self.max_iter, self.verbose) as show:
                for epoch in range(self.max_iter):
                    task = context.subcontext("epoch")
                    task.call_on_fit_task_begin(estimator=self, X=X, y=y)
                    progress = epoch / self.max_iter
                    for group, step_size in zip(groups, step_sizes, strict=True):
                        group["lr"] = step_size * _falling(progress, module)
                    moves = module.epoch(data, progress)
                    terms = take_moves(moves, optimizers, self.precision)
                    self._check_finite(terms, f"epoch {epoch + 1}")
                    show(terms)
                    restart.n_iter_guided += "guidance" in terms
                    terms.pop("guidance", None)
                    restart.loss_curve.append(sum(terms.values()))
                    stop = task.call_on_fit_task_end(
                        estimator=self,
                        X=X,
                        y=y,
                        reconstruction_attributes=self._snapshot(module),
                    )
                    if progress >= settled:
                        stop |= best.update(restart.loss_curve[-1])
                    if stop:
                        break
        finally:
            best.restore()
            module.eval()

    def _check_finite(self, terms, when):
        for name, value in terms.items():
            if not np.isfinite(value):
                raise ValueError(
                    f"The loss of {type(self).__name__} became {value} at {when}, "
                    f"in the term '{name}'. Use a smaller 'learning_rate'."
                )

    def _best(self, restarts, X):
        """Choose a restart: most clusters in use, then ranks of two criteria."""
        if len(restarts) == 1:
            return restarts[0]
        information, labels = [], []
        for restart in restarts:
            proba = self._training_proba(restart, X)
            information.append(posterior_mutual_information(proba))
            labels.append(proba.argmax(axis=1))
        # Fits that collapsed agree perfectly: they must not vote.
        n_live = np.array([len(np.unique(found)) for found in labels])
        alive = np.flatnonzero(n_live == n_live.max())
        information = np.array(information)[alive]
        ranks = rankdata(information)
        if len(alive) > 1:
            ranks += rankdata(label_agreement([labels[i] for i in alive]))
        # The more informative of those that share the best sum.
        return restarts[alive[np.lexsort([information, ranks])[-1]]]

    def _training_proba(self, restart, X):
        """Posterior of the training rows, checked for divergence."""
        proba = self._map(_posterior, X, restart.module)
        if not np.isfinite(proba).all():
            raise ValueError(
                f"The posterior of {type(self).__name__} is not finite after epoch "
                f"{len(restart.loss_curve)}. Use a smaller 'learning_rate'."
            )
        return proba

    def _keep(self, restart, X):
        proba = self._training_proba(restart, X)
        live = np.unique(proba.argmax(axis=1))
        if len(live) < self.n_clusters:
            warnings.warn(
                f"Number of distinct clusters ({len(live)}) found smaller than "
                f"n_clusters ({self.n_clusters}). Try another 'init', more rows or a "
                "smaller 'n_clusters'.",
                ConvergenceWarning,
                stacklevel=5,
            )
        dead = np.setdiff1d(np.arange(self.n_clusters), live)
        order = np.concatenate([live, dead])
        # All at once: an interrupted fit leaves no model in parts.
        vars(self).update(
            self._fitted_attributes(restart.module, order),
            labels_=proba[:, order].argmax(axis=1),
            loss_curve_=restart.loss_curve,
            n_iter_=len(restart.loss_curve),
            n_iter_guided_=restart.n_iter_guided,
            start_labels_=restart.start_labels,
        )

    def _fitted_attributes(self, module, order):
        """What follows from the module: all that the methods need."""
        working = _cast(module, self._dtype)
        with torch.inference_mode():
            centers = working.centers().cpu().numpy()
            weights = working.log_weights.exp().cpu().numpy()
        return {
            "module_": module,
            "_order": order,
            "weights_": weights[order],
            "cluster_centers_": self._scaling.to_data(centers)[order],
        }

    def _snapshot(self, module):
        """Put off the attributes of a usable copy until a callback asks for them."""
        return lambda: self._fitted_attributes(
            copy.deepcopy(module).eval(), np.arange(module.n_clusters)
        )

    # Inference

    def predict(self, X):
        """Most probable cluster of every row.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
            Cluster indices, int64.
        """
        return self.predict_proba(X).argmax(axis=1)

    def predict_proba(self, X):
        """Posterior probabilities of the clusters.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        proba : ndarray of shape (n_samples, n_clusters)
            Rows of p(k | x); they sum to 1.
        """
        check_is_fitted(self)
        X = self._validate_rows(X, reset=False)
        return self._proba(X)

    def transform(self, X):
        """Latent representation: the posterior mean.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_latent)
            Latents, dimensionless.
        """
        check_is_fitted(self)
        X = self._validate_rows(X, reset=False)
        return self._map(lambda module, x: module.embed(x), X)

    def inverse_transform(self, Z):
        """Expected rows of given latents.

        Parameters
        ----------
        Z : array-like of shape (n_samples, n_latent)
            Latents, as `transform` returns them.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features)
            Rows, in data units.

        Raises
        ------
        ValueError
            If Z has another number of columns.
        """
        check_is_fitted(self)
        Z = check_array(Z, input_name="Z")
        if Z.shape[1] != self.module_.n_latent:
            raise ValueError(
                f"Z has {Z.shape[1]} columns, but {type(self).__name__} has "
                f"{self.module_.n_latent} latent dimensions. Pass what 'transform' "
                "returns."
            )
        X = self._map(lambda module, z: module.decode(z), Z, scaling=Scaling())
        return self._scaling.to_data(X)

    def score_samples(self, X):
        """Log-likelihood of every row, or a bound on it.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        log_prob : ndarray of shape (n_samples,)
            In nats, of X in its own units; higher is better. The guide of the model
            says whether it is exact, a lower bound or an estimate.
        """
        check_is_fitted(self)
        X = self._validate_rows(X, reset=False)
        log_prob = self._map(lambda module, x: module.log_prob(x), X)
        # Change of units: d features, each divided by the scale.
        return log_prob - X.shape[1] * math.log(self._scaling.scale)

    def score(self, X, y=None):
        """Mean of `score_samples`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        y : object, default=None
            Ignored.

        Returns
        -------
        score : float
            In nats per row; higher is better.
        """
        return float(self.score_samples(X).mean())

    def sample(
        self, n_samples=1, cluster=None, *, observation_noise=False, random_state=None
    ):
        """Generate rows, of all clusters or of a chosen one.

        Parameters
        ----------
        n_samples : int, default=1
            Number of rows.
        cluster : int, array-like of shape (n_samples,) or None, default=None
            Cluster of all rows; or of every single row, `n_samples` is then the length
            of the array; None draws clusters by `weights_`.
        observation_noise : bool, default=False
            Whether to add the noise of the likelihood; else rows are the conditional
            means of freshly drawn latents, as in the figures of the papers.
        random_state : int, RandomState instance or None, default=None
            Source of the draws; None takes the parameter of the model.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features)
            Rows, in data units.
        labels : ndarray of shape (n_samples,)
            Their clusters, ascending if `cluster` is None.

        Raises
        ------
        ValueError
            If `n_samples` is below 1 or `cluster` out of range.
        """
        check_is_fitted(self)
        random_state = check_random_state(
            self.random_state if random_state is None else random_state
        )
        labels = self._sampled_labels(n_samples, cluster, random_state)
        module = _cast(self.module_, self._dtype)
        device = next(module.parameters()).device
        seed = draw_seed(random_state)
        generator = torch.Generator(device).manual_seed(seed)

        def draw(cluster):
            x = module.sample(cluster.to(device), generator)
            return module.add_noise(x, generator) if observation_noise else x

        drawn = torch.from_numpy(self._order[labels])
        blocks = row_blocks(len(labels), self.n_features_in_)
        X = map_batches(draw, (drawn[block] for block in blocks))
        return self._scaling.to_data(X), labels

    def _sampled_labels(self, n_samples, cluster, random_state):
        if not isinstance(n_samples, Integral) or n_samples < 1:
            raise ValueError(
                "Invalid value for 'n_samples': expected an int of at least 1, got "
                f"{n_samples!r}."
            )
        n_clusters = len(self.weights_)
        if cluster is None:
            weights = self.weights_.astype(np.float64)
            counts = random_state.multinomial(n_samples, weights / weights.sum())
            return np.repeat(np.arange(n_clusters), counts)
        labels = np.asarray(cluster)
        if labels.ndim == 0:
            labels = np.repeat(labels, n_samples)
        elif n_samples not in (1, len(labels)):
            raise ValueError(
                f"n_samples = {n_samples}, but 'cluster' has {len(labels)} labels. "
                "Leave 'n_samples' out to draw one row per label."
            )
        in_range = labels.dtype.kind in "iu" and (0 <= labels).all()
        in_range = in_range and labels.size > 0
        if labels.ndim != 1 or not in_range or (labels >= n_clusters).any():
            raise ValueError(
                f"Expected 'cluster' to hold integers from 0 to {n_clusters - 1}, got "
                f"{cluster!r}."
            )
        return labels.astype(np.int64)

    def _proba(self, X):
        return self._map(_posterior, X)[:, self._order]

    def _map(self, function, X, module=None, scaling=None):
        """Apply a function of the module and a batch, in the arithmetic of X."""
        scaling = scaling or self._scaling
        dtype = _inference_dtype(X)
        # Squares of rows this far away would leave the range of float32.
        far = max(float(X.max()), -float(X.min())) > FAR * scaling.scale
        module = _cast(module or self.module_, "float64" if far else dtype)
        like = next(module.parameters())
        rows = Rows(X, scaling, dtype=like.dtype, device=like.device)
        results = map_batches(
            lambda x: function(module, x), (rows[block] for block in rows.ordered())
        )
        return results.astype(dtype, copy=False)

    # The rest of the contract

    def _validate_rows(self, X, *, reset):
        X = validate_data(self, X, accept_sparse="csr", dtype="numeric", reset=reset)
        likelihood = self.likelihood if reset else self._frozen["likelihood"]
        if not LIKELIHOODS[likelihood].rescales and not 0 <= X.min() <= X.max() <= 1:
            raise ValueError(
                f"likelihood='{likelihood}' needs X in [0, 1], but X ranges from "
                f"{X.min():.4g} to {X.max():.4g}. Rescale X, for example with "
                "MinMaxScaler, or use likelihood='gaussian'."
            )
        return X

    @property
    def _n_features_out(self):
        return self.module_.n_latent

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        # scikit-learn's check of sparse input reads these tags of every estimator that
        # has predict_proba; is_clusterer is not affected.
        tags.classifier_tags = ClassifierTags()
        return tags

    def __sklearn_is_fitted__(self):
        """Tell whether the model has networks to predict with."""
        return hasattr(self, "module_")

    def __getstate__(self):
        """Return the state as numpy arrays and plain Python."""
        state = dict(super().__getstate__())
        if "module_" in state:
            tensors = state["module_"].state_dict()
            state["module_"] = {n: t.cpu().numpy() for n, t in tensors.items()}
        return state

    def __setstate__(self, state):
        """Rebuild the module from what the fit froze, on the CPU."""
        super().__setstate__(state)
        if "module_" in state:
            module = self._new_module(0)
            module.load_state_dict(
                # A copy: the arrays may be read-only memory maps.
                {n: torch.from_numpy(np.array(a)) for n, a in state["module_"].items()}
            )
            self.module_ = module.eval()


def _inference_dtype(X):
    """Name of the arithmetic for X: float32 where it is exact, else float64."""
    exact = np.result_type(X.dtype, np.float32) == np.float32
    return "float32" if exact else "float64"


def _falling(progress, module):
    """Relative step size: constant until schedules have ended, then down to zero."""
    falls = max(module.schedule_end, GUIDANCE_ENDS)
    return 1.0 if progress <= falls else (1 - progress) / (1 - falls)


def _posterior(module, x):
    """Posterior probabilities of the clusters, of shape (n, n_clusters)."""
    return module.log_resp(x).exp()


def _cast(module, dtype):
    """Return the module, or a copy of it in float64."""
    return copy.deepcopy(module).double() if dtype == "float64" else module
