"""How a fit behaves: interrupts, stopping, callbacks, silence, randomness, state."""

import importlib.metadata
import io
import os
import pickle
import pickletools
import random
import re
import runpy
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from types import SimpleNamespace

import joblib
import numpy as np
import pytest
import rich
import torch
from sklearn.base import clone
from sklearn.callback import FitCallback, ProgressBar, ScoringMonitor
from sklearn.cluster import KMeans
from sklearn.datasets import make_blobs
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import GridSearchCV
from sklearn.utils.validation import check_is_fitted
from skops import io as skops_io
from threadpoolctl import threadpool_limits

from skdeepmix import GaussianMixtureVAE, _progress
from skdeepmix._gaussian_mixture_vae import GaussianMixtureVAEModule
from skdeepmix.initialization import GUIDANCE_ENDS
from skdeepmix.networks import MLP, ConvNet
from skdeepmix.utils.discovery import all_estimators

CLUSTERERS = dict(all_estimators("cluster"))
METHODS = ["predict", "predict_proba", "transform", "score_samples", "score"]
X, y = make_blobs(60, n_features=3, centers=4, random_state=0)

every_clusterer = pytest.mark.parametrize("cls", CLUSTERERS.values(), ids=CLUSTERERS)


def small(cls=GaussianMixtureVAE, **parameters):
    """Make a model that is fitted in a few hundredths of a second."""
    defaults = {"encoder": MLP((16,)), "n_latent": 2, "max_iter": 10, "random_state": 0}
    return cls(**defaults | parameters)


def warns(message):
    return pytest.warns(ConvergenceWarning, match=f"^{re.escape(message)}$")


def weights_of(model):
    """Read the weights of the networks, as they are pickled."""
    return model.__getstate__()["module_"]


def assert_equal_fits(one, other):
    """Compare two fits bit for bit."""
    expected = weights_of(other)
    assert weights_of(one).keys() == expected.keys()
    for name, value in weights_of(one).items():
        np.testing.assert_array_equal(value, expected[name], err_msg=name)
    np.testing.assert_array_equal(one.labels_, other.labels_)
    np.testing.assert_array_equal(one.cluster_centers_, other.cluster_centers_)
    assert one.loss_curve_ == other.loss_curve_


@contextmanager
def one_thread():
    """Limit torch and BLAS to the thread that a parallel worker has."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(before)


def assert_usable(model, n_clusters=4):
    np.testing.assert_array_equal(model.labels_, model.predict(X))
    for method in METHODS:
        assert np.isfinite(getattr(model, method)(X)).all(), method
    assert np.isfinite(model.sample(3)[0]).all()
    assert model.weights_.shape == (n_clusters,)
    assert model.cluster_centers_.shape == (n_clusters, 3)


class AtEpoch(FitCallback):
    """Act at the end of one epoch, and count what was begun."""

    def __init__(self, epoch, action):
        self.epoch = epoch
        self.action = action
        self.n_begun = {"fit": 0, "init": 0, "epoch": 0}
        self.n_torn_down = 0

    def teardown(self, estimator, context):
        self.n_torn_down += 1

    def on_fit_task_begin(self, estimator, context):
        self.n_begun[context.task_name] += 1

    def on_fit_task_end(self, estimator, context):
        if (context.task_name, context.task_id) == ("epoch", self.epoch - 1):
            return self.action()
        return False


def interrupt(*args, **kwargs):
    raise KeyboardInterrupt


# Ctrl-C.


@every_clusterer
def test_interrupt_during_training_leaves_a_usable_model(cls):
    model = small(cls).set_callbacks(AtEpoch(3, interrupt))
    message = (
        "The fit was interrupted after 3 of 10 epochs. The model is usable as it is."
    )
    with warns(message):
        model.fit(X)
    assert model.n_iter_ == len(model.loss_curve_) == 3
    assert_usable(model)


@pytest.mark.filterwarnings("ignore:(Number of|The clusters)")
def test_interrupt_in_the_first_epoch_leaves_the_start(monkeypatch):
    monkeypatch.setattr(GaussianMixtureVAEModule, "losses", interrupt)
    with warns(
        "The fit was interrupted after 0 of 10 epochs. The model is usable as it is."
    ):
        model = small().fit(X)
    assert model.n_iter_ == 0
    assert model.loss_curve_ == []
    assert_usable(model)


def test_no_restart_follows_an_interrupt():
    callback = AtEpoch(2, interrupt)
    with warns(
        "The fit was interrupted after 2 of 10 epochs. The model is usable as it is."
    ):
        model = small(n_init=3).set_callbacks(callback).fit(X)
    assert callback.n_begun == {"fit": 1, "init": 1, "epoch": 2}
    assert callback.n_torn_down == 1
    assert_usable(model)


def test_parallel_restarts_equal_sequential_ones():
    with one_thread():
        one = small(n_init=3).fit(X)
    with joblib.parallel_config("loky", inner_max_num_threads=1):
        two = small(n_init=3, n_jobs=2).fit(X)
    assert_equal_fits(one, two)


def test_callbacks_see_parallel_restarts():
    monitor = ScoringMonitor(scoring="adjusted_rand_score")
    small(n_init=2, n_jobs=2, max_iter=4).set_callbacks(monitor).fit(X, y)
    logs = monitor.get_logs().data
    assert sum(row["task_name"] == "epoch" for row in logs) == 2 * 4


class EnoughAfterOne(FitCallback):
    """End the fit after its first run, and count tasks and what came too late."""

    def __init__(self):
        self.n_begun = self.n_late = 0
        self.is_over = False

    def teardown(self, estimator, context):
        self.is_over = True

    def on_fit_task_begin(self, estimator, context):
        self.n_begun += context.task_name == "init"
        self.n_late += self.is_over

    def on_fit_task_end(self, estimator, context):
        self.n_late += self.is_over
        return context.task_name == "init"


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_no_run_begins_after_a_callback_has_had_enough(n_jobs):
    callback = EnoughAfterOne()
    model = small(n_init=8, n_jobs=n_jobs).set_callbacks(callback)
    with joblib.parallel_config("threading"):
        model.fit(X)
    time.sleep(0.2)
    assert callback.n_late == 0
    # Each thread may have taken a second one before the first result was seen.
    assert callback.n_begun <= (1 if n_jobs == 1 else 4)
    assert_usable(model)


def test_an_interrupt_between_parallel_restarts_keeps_the_finished_ones():
    def runs():
        yield SimpleNamespace(interrupted=False, stopped=False)
        raise KeyboardInterrupt

    finished = []
    assert GaussianMixtureVAE._gather(runs(), finished)
    assert [run.interrupted for run in finished] == [False]


def test_an_interrupt_between_restarts_says_how_many_have_finished(monkeypatch):
    starts = iter([lambda *args: y, interrupt])
    monkeypatch.setattr(KMeans, "fit_predict", lambda *args: next(starts)(*args))
    with warns(
        "The fit was interrupted, and the best of 1 of 2 runs is kept. The model is "
        "usable as it is."
    ):
        model = small(init=KMeans(), n_init=2).fit(X)
    assert model.n_iter_ == 10
    assert_usable(model)


class InterruptedClusterer(KMeans):
    fit_predict = interrupt


def test_interrupt_of_the_clusterer_of_the_start_is_raised_again():
    model = small(init=InterruptedClusterer())
    with pytest.raises(KeyboardInterrupt):
        model.fit(X)
    with pytest.raises(NotFittedError):
        check_is_fitted(model)


def test_interrupt_of_the_pretraining_is_raised_again(monkeypatch):
    monkeypatch.setattr(GaussianMixtureVAEModule, "pretraining_epoch", interrupt)
    with pytest.raises(KeyboardInterrupt):
        small().fit(X)


def test_loss_of_an_epoch_is_finite_as_its_terms_are(monkeypatch):
    losses = iter([1.0, np.nan])
    monkeypatch.setattr(
        GaussianMixtureVAEModule, "epoch_loss", lambda self, terms: next(losses)
    )
    with pytest.raises(ValueError, match=r"became nan at epoch 2\. Use a smaller"):
        small().fit(X)


def test_a_single_run_needs_nothing_of_the_backend():
    expected = small(max_iter=1).fit(X)
    with joblib.parallel_config("multiprocessing"):
        model = small(max_iter=1).fit(X)
    np.testing.assert_array_equal(model.labels_, expected.labels_)


def test_runs_side_by_side_need_a_backend_that_gives_results_one_by_one():
    with joblib.parallel_config("multiprocessing"):
        message = r"n_jobs = 2 .* got MultiprocessingBackend\. Use .*'loky'"
        with pytest.raises(ValueError, match=message):
            small(n_init=3, n_jobs=2).fit(X)


def test_failed_refit_leaves_no_mixture_of_two_fits():
    model = small().fit(X)
    with pytest.raises(ValueError, match="became nan"):
        model.set_params(learning_rate=1e30).fit(1000 * X[:, :2])
    with pytest.raises(NotFittedError):
        model.predict(X[:, :2])
    assert_equal_fits(model.set_params(learning_rate=1e-3).fit(X), small().fit(X))


def test_refit_that_fails_before_any_work_leaves_no_mixture_of_two_fits():
    model = small().fit(X)
    with pytest.raises(ValueError, match="n_samples = 1"):
        model.fit(np.ones((1, 5)))
    with pytest.raises(NotFittedError):
        model.predict(X)


# Modes of torch that the caller is in.


@pytest.mark.parametrize(
    "mode",
    [
        torch.no_grad,
        torch.inference_mode,
        partial(torch.autocast, "cpu", torch.bfloat16),
    ],
)
def test_modes_of_the_caller_change_nothing(mode):
    rows = X.astype(np.float32)
    one = small().fit(rows)
    with mode():
        other = small().fit(rows)
        results = [getattr(other, method)(rows) for method in METHODS]
        drawn, _ = other.sample(5, random_state=0)
        inside = torch.is_grad_enabled(), torch.is_autocast_enabled("cpu")
    assert_equal_fits(one, other)
    for method, result in zip(METHODS, results, strict=True):
        np.testing.assert_array_equal(result, getattr(one, method)(rows))
    np.testing.assert_array_equal(drawn, one.sample(5, random_state=0)[0])
    with mode():
        assert inside == (torch.is_grad_enabled(), torch.is_autocast_enabled("cpu"))


def test_a_single_run_stays_in_its_process():
    pids = []
    callback = AtEpoch(1, lambda *args: pids.append(os.getpid()))
    with joblib.parallel_config("loky", n_jobs=2):
        small(max_iter=2).set_callbacks(callback).fit(X)
    small(max_iter=2, n_jobs=2).set_callbacks(callback).fit(X)
    assert pids == [os.getpid()] * 2


# Early stopping.


def test_no_early_stop_before_the_guidance_has_ended():
    # Nothing counts as an improvement, so the fit stops as early as it may: one epoch
    # to compare with and one without improvement.
    model = small(tol=1e9, n_iter_no_change=1, max_iter=20).fit(X)
    assert model.n_iter_ == round(GUIDANCE_ENDS * 20) + 2


@pytest.mark.filterwarnings("ignore:The clusters collapsed")
def test_early_stop_at_once_without_guidance():
    assert small(tol=1e9, n_iter_no_change=1, init="random").fit(X).n_iter_ == 2


def test_no_early_stop_before_the_schedules_have_ended(monkeypatch):
    monkeypatch.setattr(GaussianMixtureVAEModule, "schedule_end", 0.75)
    model = small(tol=1e9, n_iter_no_change=1, max_iter=20).fit(X)
    assert model.n_iter_ == 15 + 2


@pytest.mark.filterwarnings("ignore:(Number of|The clusters)")
def test_patience_is_counted_from_the_last_improvement():
    parameters = {"learning_rate": 0.05, "init": "random", "max_iter": 200}
    model = small(n_iter_no_change=5, tol=0.0, **parameters).fit(X)
    best = int(np.argmin(model.loss_curve_))
    assert model.n_iter_ == best + 1 + 5 < 200


class Recorder(FitCallback):
    """Keep the weights after every epoch."""

    def __init__(self):
        self.states = []

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        if context.task_name == "epoch":
            self.states.append(weights_of(fitted_estimator))


@every_clusterer
@pytest.mark.filterwarnings("ignore:(Number of|The clusters)")
@pytest.mark.parametrize("init", ["k-means++", "random"])
def test_weights_of_the_best_free_epoch_are_kept(monkeypatch, cls, init):
    if "n_iter_no_change" not in cls().get_params():
        pytest.skip("Its last epoch is kept.")
    # The lowest loss of all is under guidance or annealing, then that of epoch 26.
    losses = iter([0.0, *(1.0 + abs(epoch - 26) for epoch in range(1, 30))])
    monkeypatch.setattr(cls._module_class, "epoch_loss", lambda *args: next(losses))
    recorder = Recorder()
    model = small(cls, init=init, max_iter=30, n_iter_no_change=30)
    if init == "random":
        monkeypatch.setattr(cls._module_class, "schedule_end", 0.4)
    model.set_callbacks(recorder).fit(X)
    assert model.n_iter_ == 30
    for name, value in weights_of(model).items():
        np.testing.assert_array_equal(value, recorder.states[26][name])


class Scores(FitCallback):
    """Keep what depends on the end of a fit, after every epoch."""

    def __init__(self):
        self.seen = []

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        if context.task_name == "epoch":
            self.seen.append((fitted_estimator.score(X), fitted_estimator.weights_))


@every_clusterer
@pytest.mark.filterwarnings("ignore:(Number of|The clusters|Of the networks)")
def test_callbacks_see_the_model_as_it_would_be_after_the_fit(cls):
    scores = Scores()
    model = small(cls, max_iter=1).set_callbacks(scores).fit(X)
    ((score, weights),) = scores.seen
    assert score == model.score(X)
    np.testing.assert_array_equal(np.sort(weights), np.sort(model.weights_))
    assert_equal_fits(model, small(cls, max_iter=1).fit(X))


class Last(FitCallback):
    """Keep what a callback is given at the end of the fit."""

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        if context.task_name == "fit":
            self.model = fitted_estimator


@pytest.mark.filterwarnings("ignore:Number of")
def test_callbacks_see_the_clusters_in_their_final_order():
    last = Last()
    init = np.where(y == 0, 2, 4)
    model = small(n_clusters=5, init=init).set_callbacks(last).fit(X)
    np.testing.assert_array_equal(last.model.labels_, model.labels_)
    np.testing.assert_array_equal(last.model.predict(X), model.predict(X))


class Attributes(FitCallback):
    """Keep the names of the fitted attributes after every epoch."""

    def __init__(self):
        self.seen = []

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        if context.task_name == "epoch":
            self.seen.append(
                {name for name in vars(fitted_estimator) if name[-1] == "_"}
            )


def test_a_refit_forgets_what_the_first_one_found():
    first, second = Attributes(), Attributes()
    model = small(max_iter=1).set_callbacks(first).fit(X)
    model.set_callbacks(second).fit(X[:40])
    assert first.seen == second.seen
    assert "labels_" not in second.seen[0]


def test_failed_refit_leaves_no_attributes_of_the_first_fit():
    model = small().fit(X)
    with pytest.raises(ValueError, match="became nan"):
        model.set_params(learning_rate=1e30).fit(1000 * X)
    assert [name for name in vars(model) if name.endswith("_")] == ["n_features_in_"]


class StepSizes(GaussianMixtureVAEModule):
    """Notes the step size of every epoch."""

    def optimizers(self, learning_rate):
        """Keep the optimizers for a look at them."""
        self.players = super().optimizers(learning_rate)
        self.seen = []
        return self.players

    def epoch(self, data, progress):
        """Look at the step size, then go on."""
        self.seen.append(self.players["all"].param_groups[0]["lr"])
        yield from super().epoch(data, progress)


@pytest.mark.filterwarnings("ignore:(Number of|The clusters)")
@pytest.mark.parametrize(("schedule_end", "falls"), [(0.0, 4), (0.7, 7), (1.0, 10)])
def test_step_size_falls_to_zero_once_schedules_have_ended(
    monkeypatch, schedule_end, falls
):
    module = type("Module", (StepSizes,), {"schedule_end": schedule_end})
    monkeypatch.setattr(GaussianMixtureVAE, "_module_class", module)
    model = small(init="random", learning_rate=0.01, n_iter_no_change=10).fit(X)
    left = np.minimum(1, (10 - np.arange(10)) / max(10 - falls, 1))
    np.testing.assert_allclose(model.module_.seen, 0.01 * left)


# Dead clusters.


class TwoDeadModule(GaussianMixtureVAEModule):
    """Clusters 0 and 2 never win a row; cluster k lies and samples at k / 10."""

    @property
    def log_weights(self):
        return torch.tensor([0.1, 0.2, 0.3, 0.15, 0.25]).log()

    def log_resp(self, x):
        pull = x @ torch.eye(x.shape[1], 5, dtype=x.dtype)
        dead = torch.tensor([0.0, -9, 0, -9, -9], dtype=x.dtype)
        return (5 * pull - 9 - dead).log_softmax(1)

    def centers(self):
        return self.sample(torch.arange(5), None)

    def sample(self, cluster, generator):
        return cluster.float().unsqueeze(1).expand(-1, 5) / 10


class TwoDead(GaussianMixtureVAE):
    _module_class = TwoDeadModule


@pytest.fixture
def two_dead():
    rows = np.eye(5)[[1, 3, 4, 1, 3, 4]]
    model = TwoDead(
        5, likelihood="bernoulli", init="random", max_iter=1, random_state=0
    )
    message = (
        "Number of distinct clusters (3) found smaller than n_clusters (5). Try "
        "another 'init', more rows or a smaller 'n_clusters'."
    )
    with warns(message):
        return model.fit(rows), rows


def test_live_clusters_come_first_and_dead_ones_stay(two_dead):
    model, rows = two_dead
    np.testing.assert_array_equal(model.labels_, [0, 1, 2, 0, 1, 2])
    np.testing.assert_array_equal(model.predict(rows), model.labels_)
    np.testing.assert_allclose(model.weights_, [0.2, 0.15, 0.25, 0.1, 0.3])
    expected = np.repeat([[0.1], [0.3], [0.4], [0.0], [0.2]], 5, axis=1)
    np.testing.assert_allclose(model.cluster_centers_, expected)
    assert (model.predict_proba(rows)[:, 3:] < 1e-3).all()


def test_samples_of_a_cluster_follow_the_new_numbers(two_dead):
    model, _ = two_dead
    drawn, labels = model.sample(cluster=[4, 0, 3, 2, 1])
    np.testing.assert_array_equal(labels, [4, 0, 3, 2, 1])
    np.testing.assert_allclose(drawn[:, 0], [0.2, 0.1, 0.0, 0.4, 0.3])


@every_clusterer
@pytest.mark.filterwarnings("ignore:Number of times")
def test_equal_rows_leave_one_live_cluster(cls):
    message = (
        "Number of distinct clusters (1) found smaller than n_clusters (5). Try "
        "another 'init', more rows or a smaller 'n_clusters'."
    )
    with warns(message):
        model = small(cls, n_clusters=5, init="random").fit(np.ones((20, 3)))
    np.testing.assert_array_equal(model.labels_, np.zeros(20))
    assert model.weights_.shape == (5,)
    np.testing.assert_allclose(model.weights_.sum(), 1, rtol=1e-6)
    assert np.isfinite(model.cluster_centers_).all()
    assert model.cluster_centers_.shape == (5, 3)


@pytest.mark.filterwarnings("ignore:(Number of|The clusters)")
def test_start_of_two_labels_among_five_gives_contiguous_labels():
    model = small(n_clusters=5, init=np.where(y % 2, 3, 1)).fit(X)
    n_live = len(np.unique(model.labels_))
    np.testing.assert_array_equal(np.unique(model.labels_), np.arange(n_live))
    assert_usable(model, n_clusters=5)


# Callbacks.


def test_callbacks_see_the_tree_of_tasks():
    callback = AtEpoch(99, interrupt)
    small(n_init=2, max_iter=4).set_callbacks(callback).fit(X)
    assert callback.n_begun == {"fit": 1, "init": 2, "epoch": 8}
    assert callback.n_torn_down == 1


@every_clusterer
def test_callback_stops_the_fit(cls):
    model = small(cls).set_callbacks(AtEpoch(6, lambda: True)).fit(X)
    assert model.n_iter_ == 6
    assert_usable(model)


def test_callback_stops_the_restarts():
    class EnoughRestarts(AtEpoch):
        def on_fit_task_end(self, estimator, context):
            return context.task_name == "init" and context.task_id == 1

    callback = EnoughRestarts(99, interrupt)
    small(n_init=4, max_iter=3).set_callbacks(callback).fit(X)
    assert callback.n_begun["init"] == 2


@every_clusterer
def test_scoring_monitor_logs_every_epoch(cls):
    monitor = ScoringMonitor(scoring="adjusted_rand_score")
    model = small(cls).set_callbacks(monitor).fit(X, y)
    logs = monitor.get_logs().data
    scores = [row["adjusted_rand_score"] for row in logs if row["task_name"] == "epoch"]
    assert len(scores) == model.n_iter_ == 10
    final = [row for row in logs if row["task_name"] == "fit"]
    assert final[0]["adjusted_rand_score"] == adjusted_rand_score(y, model.labels_)


@every_clusterer
def test_monitored_fit_equals_one_that_is_not(cls):
    monitor = ScoringMonitor(scoring="adjusted_rand_score")
    monitored = small(cls).set_callbacks(monitor).fit(X, y)
    assert_equal_fits(monitored, small(cls).fit(X))


def test_scoring_monitor_on_a_refit_with_other_sizes():
    monitor = ScoringMonitor(scoring="adjusted_rand_score")
    model = small().set_callbacks(monitor).fit(X, y)
    model.set_params(n_clusters=3, max_iter=4).fit(X[:, :2], y)
    logs = monitor.get_logs(select="most_recent").data
    assert sum(row["task_name"] == "epoch" for row in logs) == 4


def test_scoring_monitor_through_grid_search():
    monitor = ScoringMonitor(scoring="adjusted_rand_score")
    search = GridSearchCV(
        small(max_iter=4).set_callbacks(monitor), {"n_clusters": [3, 4]}, cv=2
    )
    search.fit(X, y)
    logs = monitor.get_logs(select="most_recent").data
    assert sum(row["task_name"] == "epoch" for row in logs) == (2 * 2 + 1) * 4


def test_early_stop_callback_through_grid_search():
    callback = AtEpoch(2, lambda: True)
    search = GridSearchCV(small().set_callbacks(callback), {"n_clusters": [3, 4]}, cv=2)
    assert search.fit(X).best_estimator_.n_iter_ == 2


@pytest.fixture
def wide_terminal():
    rich.reconfigure(width=200)
    yield
    rich.reconfigure()


@pytest.mark.usefixtures("wide_terminal")
def test_progress_bar_shows_the_restarts(capsys):
    small(n_init=2).set_callbacks(ProgressBar()).fit(X)
    shown = capsys.readouterr().out
    assert "GaussianMixtureVAE - fit" in shown
    assert "GaussianMixtureVAE - init #1" in shown
    assert shown.count("100%") == 3


@pytest.mark.usefixtures("wide_terminal")
def test_progress_bar_through_grid_search_in_parallel(capsys):
    search = GridSearchCV(small(max_iter=4), {"n_clusters": [3, 4]}, cv=2, n_jobs=2)
    search.set_callbacks(ProgressBar()).fit(X)
    shown = capsys.readouterr().out
    assert shown.count("GaussianMixtureVAE - fit") == 5
    assert shown.count("GaussianMixtureVAE - init #0") == 5
    assert shown.count("100%") == 2 + 5 + 5


# What is shown.


@every_clusterer
def test_silent_by_default(cls, capfd):
    model = small(cls, n_init=2).fit(X)
    model.predict(X)
    model.sample(3)
    assert capfd.readouterr() == ("", "")


@pytest.mark.usefixtures("wide_terminal")
@every_clusterer
def test_verbose_shows_pretraining_epochs_and_loss_terms(cls, capsys):
    small(cls, verbose=1).fit(X)
    shown = capsys.readouterr().out
    assert re.search(
        rf"{cls.__name__}, autoencoder .* 2/2 .*\n +reconstruction \d", shown
    )
    assert re.search(rf"{cls.__name__} .* 10/10 \d+:\d+:\d+\n +\w+ -?\d", shown)


def test_verbose_names_every_term_of_the_bound_without_rich(capsys, monkeypatch):
    monkeypatch.setattr(_progress, "rich", None)
    small(verbose=1, max_iter=4).fit(X)
    first, *lines = capsys.readouterr().out.splitlines()
    number = r"-?\d[\d.e+-]*"
    assert re.fullmatch(
        rf"GaussianMixtureVAE, autoencoder: epoch 1/1, reconstruction {number}", first
    )
    terms = ["reconstruction", "conditional_prior", "w_prior", "z_prior"]
    for i, line in enumerate(lines):
        names = terms + (["guidance"] if i / 4 < GUIDANCE_ENDS else [])
        shown = ", ".join(f"{name} {number}" for name in names)
        assert re.fullmatch(f"GaussianMixtureVAE: epoch {i + 1}/4, {shown}", line)
    assert len(lines) == 4


@pytest.mark.parametrize(("found", "is_used"), [("13.9.4", False), ("14.1.0", True)])
def test_rich_that_shows_one_display_at_a_time_is_not_used(found, is_used, monkeypatch):
    monkeypatch.setattr(importlib.metadata, "version", lambda name: found)
    names = runpy.run_path(_progress.__file__)
    assert (names["rich"] is not None) is is_used


def test_verbose_changes_no_result(capsys):
    assert_equal_fits(small(verbose=1).fit(X), small().fit(X))


# Randomness and global state.


@every_clusterer
def test_global_state_is_left_as_found(cls):
    def state():
        kind, keys, *rest = np.random.get_state()  # noqa: NPY002
        return (
            (kind, keys.tobytes(), *rest),
            random.getstate(),
            torch.get_rng_state().numpy().tobytes(),
            torch.get_num_threads(),
            torch.get_num_interop_threads(),
            torch.get_default_dtype(),
            torch.is_grad_enabled(),
            torch.is_inference_mode_enabled(),
            # Torch notes a folder of its own at the first step of a process.
            {k: v for k, v in os.environ.items() if not k.startswith("TORCH")},
        )

    before = state()
    model = small(cls, n_init=2).fit(X)
    for method in METHODS:
        getattr(model, method)(X)
    model.inverse_transform(model.transform(X))
    model.sample(5, observation_noise=True)
    pickle.loads(pickle.dumps(model))
    assert state() == before


@every_clusterer
@pytest.mark.filterwarnings("ignore:(Number of|The clusters)")
@pytest.mark.parametrize("init", ["neighbors", "random"])
def test_defaults_of_torch_do_not_matter(cls, init):
    model = small(cls, init=init).fit(X)
    rows = model.sample(5, random_state=0)[0]
    with torch.device("meta"):  # where nothing can be read
        other = small(cls, init=init).fit(X)
        np.testing.assert_array_equal(other.sample(5, random_state=0)[0], rows)
        loaded = pickle.loads(pickle.dumps(model))
    assert_equal_fits(other, model)
    torch.set_default_dtype(torch.float64)
    try:
        assert_equal_fits(small(cls, init=init).fit(X), model)
        other = small(cls, init=init).fit(X.astype(np.float32))
        assert other.sample(5)[0].dtype == np.float32
        reloaded = pickle.loads(pickle.dumps(model))
    finally:
        torch.set_default_dtype(torch.float32)
    for copied in (loaded, reloaded):
        for method in METHODS:
            np.testing.assert_array_equal(
                getattr(copied, method)(X), getattr(model, method)(X)
            )


@every_clusterer
@pytest.mark.filterwarnings("ignore:(Number of|The clusters)")
def test_without_a_seed_numpy_global_state_decides(cls):
    state = np.random.get_state()  # noqa: NPY002
    fits = []
    for seed in (5, 5, 6):
        np.random.seed(seed)  # noqa: NPY002
        fits.append(small(cls, random_state=None).fit(X))
    np.random.set_state(state)  # noqa: NPY002
    assert_equal_fits(fits[0], fits[1])
    assert fits[0].loss_curve_ != fits[2].loss_curve_


@every_clusterer
@pytest.mark.filterwarnings("ignore:Number of times")
def test_a_seed_gives_the_same_model_twice_and_a_random_state_another(cls):
    assert_equal_fits(small(cls).fit(X), small(cls).fit(X))
    stream = np.random.RandomState(0)
    one, other = (small(cls, random_state=stream).fit(X) for _ in range(2))
    assert_equal_fits(one, small(cls, random_state=0).fit(X))
    assert one.loss_curve_ != other.loss_curve_


def test_a_seed_gives_the_same_samples_and_a_random_state_others():
    model = small().fit(X)
    np.testing.assert_array_equal(model.sample(5)[0], model.sample(5)[0])
    stream = np.random.RandomState(0)
    one, other = (model.sample(5, random_state=stream)[0] for _ in range(2))
    assert not np.array_equal(one, other)


@every_clusterer
@pytest.mark.filterwarnings("ignore:(Number of|The clusters)")
def test_two_threads_give_the_serial_fits_bit_for_bit(cls):
    # Casts of weights that threads shared would differ.
    models = [
        small(cls, random_state=seed, max_iter=20, precision="bfloat16")
        for seed in range(2)
    ]
    with one_thread(), ThreadPoolExecutor(2) as pool:
        serial = [clone(model).fit(X) for model in models]
        for _ in range(3):
            for fit, expected in zip(
                pool.map(lambda model: clone(model).fit(X), models), serial, strict=True
            ):
                assert_equal_fits(fit, expected)


def test_joblib_workers_give_the_serial_fit_bit_for_bit():
    models = [small(cls) for cls in CLUSTERERS.values() for _ in range(2)]
    with one_thread():
        serial = [clone(model).fit(X) for model in models]
    with joblib.parallel_config("loky", inner_max_num_threads=1):
        fits = joblib.Parallel(n_jobs=2)(joblib.delayed(m.fit)(X) for m in models)
    for fit, expected in zip(fits, serial, strict=True):
        assert_equal_fits(fit, expected)


@every_clusterer
@pytest.mark.parametrize(
    "changes",
    [
        {"n_clusters": 3, "n_latent": 5},
        {"encoder": MLP((8, 8), activation="tanh"), "batch_size": 7},
        {"encoder__hidden_layer_sizes": (3,), "init": "random"},
        {"decoder": MLP((8,)), "learning_rate": 0.01, "max_iter": 3},
        {"random_state": 1},
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore:(Number of|The clusters)")
def test_refit_after_set_params_equals_a_fresh_fit(cls, changes):
    refitted = small(cls, learning_rate=0.1).fit(5 * X[:50, ::-1])
    refitted.set_params(**{"learning_rate": 1e-3} | changes).fit(X)
    assert_equal_fits(refitted, clone(refitted).fit(X))


def test_fit_does_not_alter_the_specs_and_clusterers_that_were_passed():
    init, encoder = KMeans(4, n_init=1), MLP((16,))
    small(init=init, encoder=encoder).fit(X)
    assert vars(init) == vars(KMeans(4, n_init=1))
    assert vars(encoder) == vars(MLP((16,)))


# State on disk.


@pytest.fixture(params=CLUSTERERS.values(), ids=CLUSTERERS, scope="module")
def fitted(request):
    return small(request.param).fit(X)


def assert_same_answers(loaded, model):
    for method in METHODS:
        np.testing.assert_array_equal(
            getattr(loaded, method)(X), getattr(model, method)(X), err_msg=method
        )
    Z = model.transform(X)
    np.testing.assert_array_equal(
        loaded.inverse_transform(Z), model.inverse_transform(Z)
    )
    for noise in (False, True):
        for now, expected in zip(
            loaded.sample(9, observation_noise=noise),
            model.sample(9, observation_noise=noise),
            strict=True,
        ):
            np.testing.assert_array_equal(now, expected)


def contents(value, seen):
    """Walk over everything that a state holds."""
    if id(value) in seen:
        return
    seen.add(id(value))
    yield value
    if isinstance(value, dict):
        inner = [*value.keys(), *value.values()]
    elif isinstance(value, (list, tuple, set)):
        inner = list(value)
    else:
        inner = list(getattr(value, "__dict__", {}).values())
    for item in inner:
        yield from contents(item, seen)


def test_state_holds_numpy_arrays_and_plain_python_alone(fitted):
    types = {type(value) for value in contents(fitted.__getstate__(), set())}
    found = {held.__module__.split(".")[0] for held in types}
    assert found == {"builtins", "numpy", "skdeepmix"}


def test_pickle_names_nothing_of_torch(fitted):
    strings = [arg for _, arg, _ in pickletools.genops(pickle.dumps(fitted))]
    assert [s for s in strings if isinstance(s, str) and "torch" in s] == []


def test_pickle_round_trip(fitted):
    assert_same_answers(pickle.loads(pickle.dumps(fitted)), fitted)


def test_clone_of_a_fitted_model_is_not_fitted(fitted):
    with pytest.raises(NotFittedError):
        check_is_fitted(clone(fitted))


def test_loaded_model_is_rebuilt_from_what_the_fit_froze():
    model = small().fit(X)
    expected = model.predict_proba(X)
    model.set_params(encoder=ConvNet(), n_clusters=9, n_latent=7)
    loaded = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(loaded.predict_proba(X), expected)


LOAD = """
import pickle, sys
import numpy as np
with open(sys.argv[1], "rb") as file:
    model = pickle.load(file)
X = np.load(sys.argv[2])
rows, labels = model.sample(9)
np.savez(sys.argv[3], proba=model.predict_proba(X), scores=model.score_samples(X),
         rows=rows, labels=labels)
"""


def test_pickle_loads_on_a_machine_without_a_gpu(fitted, tmp_path):
    files = [tmp_path / name for name in ("model.pkl", "X.npy", "out.npz")]
    files[0].write_bytes(pickle.dumps(fitted))
    np.save(files[1], X)
    environment = {
        "CUDA_VISIBLE_DEVICES": "",
        "OMP_NUM_THREADS": str(torch.get_num_threads()),
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }
    subprocess.run(
        [sys.executable, "-W", "error", "-c", LOAD, *map(str, files)],
        check=True,
        env=os.environ | environment,
    )
    # Draws are those of the device, which is the CPU for what has been loaded.
    rows, labels = pickle.loads(pickle.dumps(fitted)).sample(9)
    on_cpu = next(fitted.module_.parameters()).device.type == "cpu"
    tol = 0 if on_cpu else 1e-5
    close = partial(np.testing.assert_allclose, rtol=tol, atol=tol)
    with np.load(files[2]) as out:
        close(out["proba"], fitted.predict_proba(X))
        close(out["scores"], fitted.score_samples(X))
        np.testing.assert_array_equal(out["rows"], rows)
        np.testing.assert_array_equal(out["labels"], labels)


def test_memory_mapped_model_predicts(fitted, tmp_path):
    joblib.dump(fitted, tmp_path / "model.joblib")
    loaded = joblib.load(tmp_path / "model.joblib", mmap_mode="r")
    assert isinstance(loaded.labels_, np.memmap)
    assert_same_answers(loaded, fitted)


def test_skops_round_trip(fitted):
    data = skops_io.dumps(fitted)
    trusted = skops_io.get_untrusted_types(data=data)
    assert {name.split(".")[0] for name in trusted} == {"skdeepmix"}
    assert_same_answers(skops_io.loads(data, trusted=trusted), fitted)


def test_loaded_model_is_fitted_again_like_a_fresh_one(fitted):
    loaded = pickle.loads(pickle.dumps(fitted))
    assert_equal_fits(loaded.fit(X), fitted)


def test_pickle_of_a_model_that_is_not_fitted():
    buffer = io.BytesIO()
    pickle.dump(small(), buffer)
    buffer.seek(0)
    assert_equal_fits(pickle.load(buffer).fit(X), small().fit(X))
