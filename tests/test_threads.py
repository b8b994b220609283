"""Threads of fits that run side by side in one process."""

import threading
from functools import partial

import joblib
import numpy as np
import pytest
import torch
from sklearn.callback import FitCallback
from sklearn.datasets import make_blobs
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV
from threadpoolctl import threadpool_info, threadpool_limits

from skdeepmix import GaussianMixtureVAE, initialization
from skdeepmix._threads import OWN_NUMBERS, one_thread_in_workers
from skdeepmix.initialization import start_responsibilities
from skdeepmix.networks import MLP

pytestmark = pytest.mark.filterwarnings("ignore:(Number of|The clusters)")
X = make_blobs(60, n_features=3, centers=4, random_state=0)[0].astype(np.float32)


def numbers_of_threads():
    own = [i["num_threads"] for i in threadpool_info() if i["prefix"] in OWN_NUMBERS]
    return {torch.get_num_threads(), *own}


def numbers_of_blas():
    return {i["num_threads"] for i in threadpool_info() if i["user_api"] == "blas"}


@pytest.fixture(autouse=True)
def _two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    with threadpool_limits(2):
        yield
        assert numbers_of_threads() == numbers_of_blas() == {2}
    torch.set_num_threads(before)


class Look(FitCallback):
    """Callback that notes the numbers of threads after every epoch."""

    def __init__(self):
        self.seen = set()

    def on_fit_task_end(self, estimator, context):
        if context.task_name == "epoch":
            self.seen |= numbers_of_threads()


def watched(**parameters):
    look = Look()
    parameters = {"encoder": MLP((4,)), "init": "random", "max_iter": 1} | parameters
    model = GaussianMixtureVAE(2, random_state=0, **parameters)
    return model.set_callbacks(look), look


def in_a_thread(function):
    thread = threading.Thread(target=function)
    thread.start()
    thread.join()


def test_a_fit_alone_has_all_threads():
    model, look = watched()
    model.fit(X)
    assert look.seen == {2}


def test_fits_in_threads_of_joblib_have_one_each():
    model, look = watched()
    joblib.Parallel(2, backend="threading")([joblib.delayed(model.fit)(X)])
    assert look.seen == {1}


def test_restarts_in_threads_of_joblib_have_one_each():
    model, look = watched(n_init=2)
    with joblib.parallel_config("threading", n_jobs=2):
        model.fit(X)
    assert look.seen == {1}


def test_grid_search_in_threads_of_joblib_has_one_for_each_fit():
    model, look = watched(init="k-means++")
    grid = {"n_latent": [1, 2]}
    with joblib.parallel_config("threading", n_jobs=2):
        search = GridSearchCV(model, grid, cv=2, refit=False).fit(X)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert look.seen == {1}


class LookOnFile(Look):
    """Callback of processes: what it sees is in a file."""

    def __init__(self, path):
        super().__init__()
        self.path = path

    def on_fit_task_end(self, estimator, context):
        super().on_fit_task_end(estimator, context)
        with open(self.path, "a") as file:
            file.writelines(f"{number}\n" for number in self.seen)


def test_grid_search_in_processes_has_the_threads_of_the_workers(tmp_path):
    model, _ = watched(init="k-means++")
    model.set_callbacks(LookOnFile(tmp_path / "seen"))
    grid = {"n_latent": [1, 2]}
    with joblib.parallel_config("loky", n_jobs=2, inner_max_num_threads=1):
        search = GridSearchCV(model, grid, cv=2, refit=False).fit(X)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert set((tmp_path / "seen").read_text().split()) == {"1"}


def test_one_job_is_no_worker():
    model, look = watched()
    parallel = joblib.Parallel(1, backend="threading")
    in_a_thread(lambda: parallel([joblib.delayed(model.fit)(X)]))
    # A new thread has other numbers in runtimes that torch does not set.
    assert 2 in look.seen


def test_a_thread_of_somebody_else_is_left_alone():
    model, look = watched()
    in_a_thread(lambda: model.fit(X))
    assert 2 in look.seen


def test_predictions_in_threads_of_joblib_have_one_each(monkeypatch):
    model, _ = watched()
    module, seen = model.fit(X).module_, set()
    log_resp = module.log_resp

    def looked(x):
        seen.update(numbers_of_threads())
        return log_resp(x)

    monkeypatch.setattr(module, "log_resp", looked)
    joblib.Parallel(2, backend="threading")([joblib.delayed(model.predict)(X)])
    assert seen == {1}
    model.predict(X)
    assert seen == {1, 2}


def test_workers_have_their_own_numbers_again_after_an_error():
    @one_thread_in_workers()
    def fail():
        assert numbers_of_threads() == {1}
        raise RuntimeError("of the fit")

    def task():
        with pytest.raises(RuntimeError, match="of the fit"):
            fail()
        return torch.get_num_threads()

    assert joblib.Parallel(2, backend="threading")([joblib.delayed(task)()]) == [2]


def test_mixtures_of_a_start_have_one_thread_of_blas(monkeypatch):
    seen = []

    def mixture(*args, **parameters):
        seen.append(numbers_of_blas())
        return GaussianMixture(*args, **parameters)

    monkeypatch.setattr(initialization, "GaussianMixture", mixture)
    for name in ("neighbors", "k-means++"):
        start_responsibilities(name, X, 2, np.random.RandomState(0))
        assert seen.pop() == {1}
        # Limits of other threads could overlap.
        in_a_thread(
            partial(start_responsibilities, name, X, 2, np.random.RandomState(0))
        )
        assert seen.pop() == {2}


def test_the_spectrum_of_a_start_has_one_thread_of_blas(monkeypatch):
    seen, spectrum = [], initialization.spectral_start

    def noted(*args):
        seen.append(numbers_of_blas())
        return spectrum(*args)

    monkeypatch.setattr(initialization, "spectral_start", noted)
    start_responsibilities("neighbors", X, 2, np.random.RandomState(0))
    assert seen == [{1}]


def test_blas_has_its_number_again_after_an_error(monkeypatch):
    def fail(*args, **parameters):
        assert numbers_of_blas() == {1}
        raise RuntimeError("of the mixture")

    monkeypatch.setattr(initialization, "GaussianMixture", fail)
    with pytest.raises(RuntimeError, match="of the mixture"):
        start_responsibilities("neighbors", X, 2, np.random.RandomState(0))
    assert numbers_of_blas() == {2}
