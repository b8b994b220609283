"""Replayed steps do what played steps do.

A stand-in records the operations of a step on the CPU with their tensors, as a CUDA
graph does with kernels and addresses, and runs them again: what a step reads from
Python is then as it was when the step was recorded.
"""

import copy
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import make_blobs
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from skdeepmix import (
    MPCC,
    Autoencoder,
    GaussianMixtureVAE,
    GumbelSoftmaxVAE,
    MixtureOfVAEs,
    _cuda_graphs,
)
from skdeepmix._training import take_moves
from skdeepmix.networks import MLP

# What cannot be recorded: copies from the host, and results that the host waits for.
OF_THE_HOST = (
    "aten::_local_scalar_dense",
    "aten::lift_fresh",
    "aten::masked_select",
    "aten::nonzero",
)


class Tape(TorchDispatchMode):
    """Operations with their arguments and results."""

    def __init__(self):
        super().__init__()
        self.operations = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        assert function.name() not in OF_THE_HOST, function
        if function.name().startswith("aten::index"):
            chosen = [i for i in tree_leaves(args[1:]) if isinstance(i, torch.Tensor)]
            assert all(i.dtype != torch.bool for i in chosen), "a mask"
        result = function(*args, **(kwargs or {}))
        self.operations.append((function, args, kwargs or {}, result))
        return result


class TapedGraph:
    """Stand-in for `CudaGraph`: its recording is the first replay."""

    n_replays = 0

    def __init__(self, generator):
        self._tape = Tape()
        self._fresh = True

    @contextmanager
    def recording(self):
        """Note operations, which run."""
        with self._tape:
            yield

    @torch.no_grad()
    def replay(self):
        """Run the operations again, with results where they were."""
        if self._fresh:
            self._fresh = False
            return
        TapedGraph.n_replays += 1
        for function, args, kwargs, before in self._tape.operations:
            after = function(*args, **kwargs)
            for old, new in zip(tree_leaves(before), tree_leaves(after), strict=True):
                if isinstance(old, torch.Tensor) and old.data_ptr() != new.data_ptr():
                    old.copy_(new)


@pytest.fixture
def taped(monkeypatch):
    """Record and replay on the CPU."""
    monkeypatch.setattr(_cuda_graphs, "CudaGraph", TapedGraph)
    monkeypatch.setattr(_cuda_graphs, "wanted", lambda data: data.resident)
    monkeypatch.setattr(TapedGraph, "n_replays", 0)


@pytest.fixture
def switched_on(monkeypatch):
    """Have fits on a CUDA device record and replay."""
    monkeypatch.setenv(_cuda_graphs.SWITCH, "1")


MODELS = {
    "autoencoder": Autoencoder(2),
    "gmvae": GaussianMixtureVAE(3, n_latent=2, learn_weights=True),
    "gmvae, bfloat16": GaussianMixtureVAE(3, n_latent=2, precision="bfloat16"),
    "gumbel": GumbelSoftmaxVAE(3, n_latent=2),
    "vaes": MixtureOfVAEs(3, n_latent=2),
    "mpcc": MPCC(3, n_latent=2),
    "mpcc, layers shared": MPCC(3, n_latent=2, n_shared=1, learn_weights=True),
    "mpcc, random": MPCC(3, n_latent=2, init="random", latent_conditions=True),
}
SIZES = {"encoder": MLP((8,)), "max_iter": 5, "batch_size": 20, "random_state": 0}


def make_rows():
    # Batches of 20 and of 19 rows.
    return make_blobs(99, n_features=5, centers=3, random_state=0)[0]


def compare(model, switch):
    """Fit without replays, and with them once the switch is thrown."""
    model.set_params(**SIZES)
    played = copy.deepcopy(model.fit(make_rows()))
    switch()
    model.fit(make_rows())
    state = model.module_.state_dict()
    for key, value in played.module_.state_dict().items():
        np.testing.assert_allclose(
            state[key].cpu(), value.cpu(), rtol=1e-4, atol=1e-5, err_msg=key
        )
    np.testing.assert_allclose(model.loss_curve_, played.loss_curve_, rtol=1e-4)


@pytest.mark.filterwarnings("ignore:.*:sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", MODELS)
def test_replayed_steps_train_the_same_model(name, request):
    compare(clone(MODELS[name]), lambda: request.getfixturevalue("taped"))
    assert TapedGraph.n_replays > 5


@pytest.mark.skipif(not torch.cuda.is_available(), reason="There is no CUDA device.")
@pytest.mark.filterwarnings("ignore:.*:sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", MODELS)
def test_cuda_graphs_train_the_same_model(name, request):
    model = clone(MODELS[name]).set_params(device="cuda")
    compare(model, lambda: request.getfixturevalue("switched_on"))


def test_a_recording_ends_where_a_step_fails(taped):
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizers = {"all": torch.optim.SGD([parameter], 0.1)}
    replays = _cuda_graphs.Replays(torch.Generator())

    def moves_of(rows):
        # There is no gradient to take.
        yield ({"loss": torch.zeros(())},)

    assert list(replays.play(moves_of, [])) == []
    with pytest.raises(RuntimeError, match="does not require grad"):
        take_moves(replays.play(moves_of, [torch.arange(2)]), optimizers)
    assert torch.utils._python_dispatch._get_current_dispatch_mode() is None


def test_steps_are_replayed_where_that_is_asked_for(switched_on, monkeypatch):
    data = SimpleNamespace(device=torch.device("cuda"), resident=True)
    assert _cuda_graphs.wanted(data)
    assert not _cuda_graphs.wanted(SimpleNamespace(**vars(data) | {"resident": False}))
    on_cpu = SimpleNamespace(device=torch.device("cpu"), resident=True)
    assert not _cuda_graphs.wanted(on_cpu)
    with ThreadPoolExecutor() as threads:
        assert not threads.submit(_cuda_graphs.wanted, data).result()
    monkeypatch.delenv(_cuda_graphs.SWITCH)
    assert not _cuda_graphs.wanted(data)


def test_optimizers_are_told_of_replays(taped):
    module = SimpleNamespace(generator=torch.Generator())
    parameters = [torch.nn.Parameter(torch.zeros(2))]
    optimizers = {
        "adam": torch.optim.Adam(parameters, fused=True),
        "sgd": torch.optim.SGD(parameters),
    }
    _cuda_graphs.set_up(module, SimpleNamespace(resident=False), optimizers)
    assert module.replays is None
    assert not optimizers["adam"].param_groups[0]["capturable"]
    _cuda_graphs.set_up(module, SimpleNamespace(resident=True), optimizers)
    assert isinstance(module.replays, _cuda_graphs.Replays)
    assert optimizers["adam"].param_groups[0]["capturable"]
    assert "capturable" not in optimizers["sgd"].param_groups[0]
