"""What all estimators share on scikit-learn's side."""

import copy
import math
import warnings
from abc import ABC
from dataclasses import dataclass, field
from functools import partial
from itertools import starmap, takewhile
from numbers import Integral, Real

import numpy as np
import torch
from joblib import effective_n_jobs
from joblib.parallel import get_active_backend
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    clone,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_array, check_random_state
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_is_fitted, validate_data
from torch.nn.modules.batchnorm import _BatchNorm as BatchNorm

from skdeepmix import _cuda_graphs
from skdeepmix._data import Rows, Scaling, block_rows, canonical
from skdeepmix._progress import progress_bar
from skdeepmix._sklearn_compat import (
    CallbackSupportMixin,
    Interval,
    StrOptions,
    fit_context,
    with_callbacks,
)
from skdeepmix._threads import one_thread_in_workers
from skdeepmix._training import (
    PRECISIONS,
    BestState,
    Float32,
    Means,
    map_batches,
    own_modes,
    resolve_device,
    take_moves,
)
from skdeepmix.base._modules import LatentModule
from skdeepmix.distributions import LIKELIHOODS
from skdeepmix.initialization import GUIDANCE_ENDS
from skdeepmix.networks import MLP, NetworkSpec

# How far beyond [0, 1] rows of a likelihood on [0, 1] may lie.
ROUNDING = 1e-6
# Rows farther away than this many scales get float64 arithmetic.
FAR = 1e6
# Hidden layers of the default network for fewer rows than the given number: few rows
# have little to teach, and a large network would make small fits slow.
DEFAULT_LAYERS = {1000: (128, 128), 5000: (500, 500), math.inf: (500, 500, 2000)}


@dataclass
class FitRun:
    """One of `n_init` runs of a fit."""

    module: LatentModule
    start_labels: np.ndarray | None = None
    loss_curve: list = field(default_factory=list)
    n_iter_guided: int = 0
    interrupted: bool = False
    stopped: bool = False


class BaseDeepModel(
    CallbackSupportMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    BaseEstimator,
    ABC,
):
    """Base of all estimators: fitting, units, latents and scores of a module.

    A subclass names its `LatentModule` in ``_module_class`` and turns parameters of its
    own into arguments of that class in ``_module_parameters``.
    """

    _module_class: type[LatentModule]
    _default_layers = DEFAULT_LAYERS
    # Parameters of models whose fits depend on the start, or that can stop early.
    n_init = 1
    n_jobs = None
    tol = 0.0
    n_iter_no_change = math.inf

    _parameter_constraints: dict = {
        "n_latent": [Interval(Integral, 1, None, closed="left")],
        "encoder": [NetworkSpec, None],
        "decoder": [NetworkSpec, None],
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
    @own_modes()
    def fit(self, X, y=None):
        """Fit the model to the rows of X.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows, of any real dtype; CSR matrices are made dense batch by batch, and
            memory maps read batch by batch, or as a whole by a GPU that they fit on.
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
            If clusters died out or collapsed, if the module complains, of a game that
            went wrong for example, or if the fit was interrupted.
        """
        self._forget()
        X = self._validate_rows(X, reset=True)
        self._check_fit(X)
        n_jobs = self._n_parallel()
        seeds = check_random_state(self.random_state).randint(
            np.iinfo(np.int32).max, size=(self.n_init, 4)
        )
        device = resolve_device(self.device)
        self._freeze(X)
        context = self._init_callback_context(max_subtasks=self.n_init)
        context.call_on_fit_task_begin(estimator=self, X=X, y=y)
        # Made here, since workers cannot add to the tree of tasks.
        tasks = [context.subcontext("init", max_subtasks=self.max_iter) for _ in seeds]
        fit_once = partial(self._fit_once, X, y, device)
        finished = []
        # No run is dispatched once a callback has had enough; those under way end.
        wanted = takewhile(
            lambda _: not any(run.stopped for run in finished),
            zip(seeds, tasks, strict=True),
        )
        if n_jobs == 1:  # whatever the backend: some have no generators
            runs = starmap(fit_once, wanted)
        else:
            # Copies for the workers: a memory map would be read batch by batch.
            parallel = Parallel(
                n_jobs, return_as="generator", pre_dispatch="n_jobs", max_nbytes=None
            )
            runs = parallel(starmap(delayed(fit_once), wanted))
        interrupted = self._gather(runs, finished)
        best = self._best(finished, X)
        if interrupted:
            kept = (
                f" after {len(best.loss_curve)} of {self.max_iter} epochs"
                if best.interrupted
                else f", and the best of {len(finished)} of {self.n_init} runs is kept"
            )
            warnings.warn(
                f"The fit was interrupted{kept}. The model is usable as it is.",
                ConvergenceWarning,
                stacklevel=5,
            )
        self._keep(best, X)
        context.call_on_fit_task_end(
            estimator=self,
            X=X,
            y=y,
            reconstruction_attributes={},  # it is complete
        )
        return self

    @staticmethod
    def _gather(runs, finished):
        """Collect runs until one is interrupted; tell whether one was."""
        try:
            for run in runs:
                finished.append(run)
                if run.interrupted:
                    return True
        except KeyboardInterrupt:
            if not finished:
                raise
            return True
        return False

    def _check_fit(self, X):
        """Find what is wrong with parameters and rows before any work."""

    def _forget(self):
        """Drop what an earlier fit found: should this one fail, none is left."""
        for name in [name for name in vars(self) if name.endswith("_")]:
            delattr(self, name)

    def _freeze(self, X):
        """Fix what later calls need, whatever parameters are set after the fit."""
        self._dtype = inference_dtype(X)
        rescales = LIKELIHOODS[self.likelihood].rescales
        self._scaling = Scaling.fit(X) if rescales else Scaling()
        encoder = self._spec(self.encoder, X.shape[0])
        self._frozen = {
            "n_features": X.shape[1],
            "n_latent": self.n_latent,
            "encoder": encoder,
            "decoder": encoder if self.decoder is None else clone(self.decoder),
            "likelihood": self.likelihood,
            **self._module_parameters(),
        }

    def _spec(self, spec, n_samples):
        if spec is not None:
            return clone(spec)
        layers = self._default_layers.items()
        return MLP(next(sizes for limit, sizes in layers if n_samples < limit))

    @one_thread_in_workers()
    def _fit_once(self, X, y, device, seeds, task):
        task.call_on_fit_task_begin(estimator=self, X=X, y=y)
        module = self._new_module(seeds[0]).to(device)
        self._check_batches(module, X.shape[0])
        module.generator = torch.Generator(device).manual_seed(int(seeds[1]))
        data = Rows(
            X,
            self._scaling,
            device=device,
            batch_size=self._batch_size(X.shape[0]),
            seed=int(seeds[2]),
        ).reside()
        run = FitRun(module)
        self._begin(run, data, np.random.RandomState(seeds[3]))
        try:
            self._train(run, data, X, y, task)
        except KeyboardInterrupt:
            run.interrupted = True
        with torch.no_grad():
            module.finalize(data)
        module.generator = module.replays = None
        run.stopped = task.call_on_fit_task_end(
            estimator=self,
            X=X,
            y=y,
            reconstruction_attributes=self._snapshot(module),
        )
        return run

    def _begin(self, run, data, random_state):
        """Prepare the module of a run before it is trained."""

    def _new_module(self, seed):
        generator = torch.Generator().manual_seed(int(seed))
        # Whatever device and type torch makes tensors of by default.
        with torch.device("cpu"), Float32():
            return self._module_class(**self._frozen, generator=generator).float()

    def _batch_size(self, n_samples):
        if self.batch_size == "auto":
            return min(max(100, n_samples // 14), 256, n_samples)
        return min(int(self.batch_size), n_samples)

    def _check_batches(self, module, n_samples):
        """Find batches that batch normalisation cannot take."""
        size = self._batch_size(n_samples)
        normalizes = any(isinstance(m, BatchNorm) for m in module.modules())
        if normalizes and n_samples // -(-n_samples // size) < 2:
            raise ValueError(
                "Batch normalisation needs at least 2 rows per batch, but n_samples = "
                f"{n_samples} in batches of {size} leaves one with a single row. Use "
                "more rows, a larger 'batch_size' or another 'normalization'."
            )

    def _train(self, run, data, X, y, context):
        module, guided = run.module, data.targets is not None
        optimizers = module.optimizers(self.learning_rate)
        _cuda_graphs.set_up(module, data, optimizers)
        means = Means()
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
                    terms = take_moves(moves, optimizers, self.precision, means)
                    self._check_finite(terms, f"epoch {epoch + 1}")
                    show(terms)
                    run.n_iter_guided += "guidance" in terms
                    terms.pop("guidance", None)
                    loss = module.epoch_loss(terms)
                    self._check_finite({"": loss}, f"epoch {epoch + 1}")
                    run.loss_curve.append(loss)
                    stop = task.call_on_fit_task_end(
                        estimator=self,
                        X=X,
                        y=y,
                        reconstruction_attributes=self._snapshot(module, data),
                    )
                    if progress >= settled and not module.keeps_last:
                        stop |= best.update(run.loss_curve[-1])
                    if stop:
                        break
        finally:
            best.restore()
            module.eval()

    def _n_parallel(self):
        """Number of fits side by side, where their results can be had one by one."""
        n_jobs = min(self.n_init, effective_n_jobs(self.n_jobs))
        backend = get_active_backend()[0]
        if n_jobs > 1 and not backend.supports_return_generator:
            raise ValueError(
                f"n_jobs = {n_jobs} fits side by side need a backend of joblib that "
                f"returns one result after the other, got {type(backend).__name__}. "
                "Use the backend 'loky' or 'threading', or n_jobs=1."
            )
        return n_jobs

    def _check_finite(self, terms, when):
        for name, value in terms.items():
            if not np.isfinite(value):
                where = f", in the term '{name}'" if name else ""
                raise ValueError(
                    f"The loss of {type(self).__name__} became {value} at {when}"
                    f"{where}. Use a smaller 'learning_rate'."
                )

    def _best(self, runs, X):
        """Choose among the runs."""
        return runs[0]

    def _keep(self, run, X):
        # All at once: an interrupted fit leaves no model in parts.
        vars(self).update(self._results(run, X))

    def _results(self, run, X, **of_model):
        """Fitted attributes of a run."""
        return self._fitted_attributes(run.module, **of_model) | {
            "loss_curve_": run.loss_curve,
            "n_iter_": len(run.loss_curve),
        }

    def _fitted_attributes(self, module):
        """What follows from the module: all that the methods need."""
        return {"module_": module}

    def _snapshot(self, module, data=None):
        """Put off the attributes of a usable copy until a callback asks for them.

        With data the copy is finalised, which the module itself is after its fit.
        """

        def attributes():
            copied = copy.deepcopy(module).eval()
            if data is not None:
                with torch.no_grad():
                    copied.finalize(data)
            return self._fitted_attributes(copied)

        return attributes

    # Inference

    def transform(self, X):
        """Latent representation: the code of every row, or its posterior mean.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_features_out)
            Latents, dimensionless; the page of the model says what they are and how
            many.
        """
        check_is_fitted(self)
        X = self._validate_rows(X, reset=False)
        return self._map(lambda module, x: module.embed(x), X)

    def inverse_transform(self, Z):
        """Expected rows of given latents.

        Parameters
        ----------
        Z : array-like of shape (n_samples, n_features_out)
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
        width = self.module_.score_width(self.n_features_in_)
        with np.errstate(over="ignore"):  # float32 has -inf for what is below its range
            log_prob = self._map(lambda module, x: module.log_prob(x), X, width=width)
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

    def _map(self, function, X, module=None, scaling=None, width=None):
        """Apply a function of the module and a batch, in the arithmetic of X."""
        scaling = scaling or self._scaling
        dtype = inference_dtype(X)
        # Squares of rows this far away would leave the range of float32.
        center = np.asarray(scaling.center)
        far = max(X.max() - center.min(), center.max() - X.min()) > FAR * scaling.scale
        module = cast_module(module or self.module_, "float64" if far else dtype)
        like = next(module.parameters())
        rows = Rows(
            X,
            scaling,
            dtype=like.dtype,
            device=like.device,
            batch_size=block_rows(width or module.width(self.n_features_in_)),
        )
        results = map_batches(
            lambda x: function(module, x),
            (rows[block] for block in rows.ordered()),
            len(rows),
        )
        return results.astype(dtype, copy=False)

    # The rest of the contract

    def _validate_rows(self, X, *, reset):
        X = validate_data(self, X, accept_sparse="csr", dtype="numeric", reset=reset)
        X = canonical(X)
        likelihood = self.likelihood if reset else self._frozen["likelihood"]
        if not LIKELIHOODS[likelihood].rescales:
            low, high = X.min(), X.max()
            # MinMaxScaler may exceed 1 by a rounding.
            if not -ROUNDING <= low <= high <= 1 + ROUNDING:
                raise ValueError(
                    f"likelihood='{likelihood}' needs X in [0, 1], but X ranges from "
                    f"{low:.8g} to {high:.8g}. Rescale X, for example with "
                    "MinMaxScaler(clip=True), or use likelihood='gaussian'."
                )
        return X

    @property
    def _n_features_out(self):
        return self.module_.n_latent

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
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


def inference_dtype(X):
    """Name of the arithmetic for X: float32 where it is exact, else float64."""
    exact = np.result_type(X.dtype, np.float32) == np.float32
    return "float32" if exact else "float64"


def _falling(progress, module):
    """Relative step size: constant until schedules have ended, then down to zero."""
    falls = max(module.schedule_end, GUIDANCE_ENDS)
    return 1.0 if progress <= falls else (1 - progress) / (1 - falls)


def cast_module(module, dtype):
    """Return the module, or a copy of it in float64."""
    return copy.deepcopy(module).double() if dtype == "float64" else module
