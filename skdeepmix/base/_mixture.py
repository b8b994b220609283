"""What all mixture models share on scikit-learn's side."""

import warnings
from numbers import Integral

import numpy as np
import torch
from scipy.stats import rankdata
from sklearn.base import ClusterMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from skdeepmix import _cuda_graphs
from skdeepmix._data import row_blocks
from skdeepmix._progress import progress_bar
from skdeepmix._sklearn_compat import (
    ClassifierTags,
    HasMethods,
    Interval,
    StrOptions,
)
from skdeepmix._training import Means, draw_seed, map_batches, take_moves
from skdeepmix.base._model import BaseDeepModel, cast_module
from skdeepmix.base._modules import MixtureModule
from skdeepmix.initialization import STARTS, resolve_start, start_responsibilities
from skdeepmix.metrics import (
    label_agreement,
    posterior_entropy,
    posterior_mutual_information,
)

# Clusters that tell less of the rows, as a fraction of the entropy of their sizes, have
# collapsed.
LEAST_INFORMATION = 0.05
# Epochs of autoencoder pre-training before a start, as a fraction of `max_iter`.
PRETRAINING = 0.25


class BaseDeepMixture(ClusterMixin, BaseDeepModel):
    """Base of all deep mixture models: starts, restarts, clusters and samples.

    A subclass names its `MixtureModule` in ``_module_class``, turns parameters of its
    own into arguments of that class in ``_module_parameters``, and says in
    ``_score_kind`` what `score_samples` is: "exact", "bound" or "estimate".
    """

    _module_class: type[MixtureModule]
    _score_kind: str
    #: What the string values of `init` stand for.
    _starts = STARTS

    _parameter_constraints: dict = {
        **BaseDeepModel._parameter_constraints,
        "n_clusters": [Interval(Integral, 1, None, closed="left")],
        "init": [StrOptions(set(STARTS)), "array-like", HasMethods("fit_predict")],
        "n_init": [Interval(Integral, 1, None, closed="left")],
        "n_jobs": [Integral, None],
    }

    # Fitting

    def _check_fit(self, X):
        if X.shape[0] < self.n_clusters:
            raise ValueError(
                "Expected n_samples >= n_clusters but got n_clusters = "
                f"{self.n_clusters}, n_samples = {X.shape[0]}."
            )
        self._resolved_start(X.shape[0])

    def _freeze(self, X):
        super()._freeze(X)
        self._frozen["n_clusters"] = self.n_clusters

    def _resolved_start(self, n_samples):
        return resolve_start(self.init, n_samples, self.n_clusters, self._starts)

    def _begin(self, run, data, random_state):
        """Pre-train, cluster the codes, and hand over to the module."""
        start = self._resolved_start(len(data))
        if start is None:
            return
        module = run.module
        self._pretrain(module, data)
        module.eval()  # normalisation of codes must not depend on the batch
        batches = (data[rows] for rows in data.ordered())
        codes = map_batches(module.embed, batches, len(data))
        if not np.isfinite(codes).all():
            raise ValueError(
                f"The latent codes of {type(self).__name__} are not finite after the "
                "autoencoder pre-training. Use a smaller 'learning_rate'."
            )
        resp = start_responsibilities(start, codes, self.n_clusters, random_state, data)
        data.targets = torch.from_numpy(resp).to(data.device)
        with torch.no_grad():
            module.initialize(data)
        run.start_labels = np.where(resp.any(axis=1), resp.argmax(axis=1), -1)

    def _pretrain(self, module, data):
        n_epochs = max(1, round(PRETRAINING * self.max_iter))
        optimizers = module.pretraining_optimizers(self.learning_rate)
        if not optimizers:
            return
        _cuda_graphs.set_up(module, data, optimizers)
        means = Means()
        title = f"{type(self).__name__}, autoencoder"
        with progress_bar(title, n_epochs, self.verbose) as update:
            for epoch in range(n_epochs):
                moves = module.pretraining_epoch(data)
                terms = take_moves(moves, optimizers, self.precision, means)
                self._check_finite(terms, f"epoch {epoch + 1} of the pre-training")
                update(terms)

    def _best(self, runs, X):
        """Choose a run: most clusters in use, then ranks of two criteria."""
        if len(runs) == 1:
            return runs[0]
        information, labels = [], []
        for run in runs:
            proba = self._training_proba(run, X)
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
        return runs[alive[np.lexsort([information, ranks])[-1]]]

    def _training_proba(self, run, X):
        """Posterior of the training rows, checked for divergence."""
        proba = self._map(_posterior, X, run.module)
        if not np.isfinite(proba).all():
            raise ValueError(
                f"The posterior of {type(self).__name__} is not finite after epoch "
                f"{len(run.loss_curve)}. Use a smaller 'learning_rate'."
            )
        return proba

    def _results(self, run, X):
        proba = self._training_proba(run, X)
        live = np.unique(proba.argmax(axis=1))
        self._warn_of_collapse(proba, len(live))
        for complaint in run.module.complaints():
            warnings.warn(complaint, ConvergenceWarning, stacklevel=7)
        dead = np.setdiff1d(np.arange(self.n_clusters), live)
        order = np.concatenate([live, dead])
        return super()._results(run, X, order=order) | {
            "labels_": proba[:, order].argmax(axis=1),
            "n_iter_guided_": run.n_iter_guided,
            "start_labels_": run.start_labels,
        }

    def _warn_of_collapse(self, proba, n_live):
        information = posterior_mutual_information(proba)
        most = information + posterior_entropy(proba)
        if 1 < n_live and information < LEAST_INFORMATION * most:
            problem = (
                "The clusters collapsed: all rows have nearly the same probabilities, "
                f"with a mutual information of {information:.2g} nats where {most:.2g} "
                "are possible. Try another 'init' or more epochs."
            )
        elif n_live < self.n_clusters:
            problem = (
                f"Number of distinct clusters ({n_live}) found smaller than n_clusters "
                f"({self.n_clusters}). Try another 'init', more rows or a smaller "
                "'n_clusters'."
            )
        else:
            return
        warnings.warn(problem, ConvergenceWarning, stacklevel=8)

    def _fitted_attributes(self, module, order=None):
        """What follows from the module: all that the methods need."""
        order = np.arange(module.n_clusters) if order is None else order
        working = cast_module(module, self._dtype)
        with torch.inference_mode():
            centers = working.centers().cpu().numpy()
            weights = working.log_weights.exp().cpu().numpy()
        return super()._fitted_attributes(module) | {
            "_order": order,
            "weights_": weights[order],
            "cluster_centers_": self._scaling.to_data(centers)[order],
        }

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
            Whether to add the noise of the likelihood, or that of the windows of the
            score in models without one, with which rows may leave [0, 1]; else rows are
            the conditional means of freshly drawn latents, as in the figures of the
            papers.
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
        module = cast_module(self.module_, self._dtype)
        device = next(module.parameters()).device
        # Two, so that noise is added to the means that are drawn without it.
        generator, of_noise = (
            torch.Generator(device).manual_seed(draw_seed(random_state))
            for _ in range(2)
        )

        def draw(cluster):
            x = module.sample(cluster.to(device), generator)
            return module.add_noise(x, of_noise) if observation_noise else x

        drawn = torch.from_numpy(self._order[labels])
        blocks = row_blocks(len(labels), module.width(self.n_features_in_))
        X = map_batches(draw, (drawn[block] for block in blocks), len(labels))
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
        proba = self._map(_posterior, X)[:, self._order]
        finite = np.isfinite(proba).all(axis=1)
        if not finite.all():
            raise ValueError(
                f"The posterior of {type(self).__name__} is not finite for "
                f"{np.count_nonzero(~finite)} of {len(finite)} rows, the first of them "
                f"row {finite.argmin()}: they are too far away from those of the fit, "
                f"whose scale is {self._scaling.scale:.3g}. Clip or drop them."
            )
        return proba

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        # scikit-learn's check of sparse input reads these tags of every estimator that
        # has predict_proba; is_clusterer is not affected.
        tags.classifier_tags = ClassifierTags()
        return tags


def _posterior(module, x):
    """Posterior probabilities of the clusters, of shape (n, n_clusters)."""
    return module.log_resp(x).exp()
