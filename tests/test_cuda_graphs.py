"""Replayed steps do what played steps do.

A stand-in records the operations of a step on the CPU with their tensors, as a CUDA
graph does with kernels and addresses, and runs them again: what a step reads from
Python is then as it was when the step was recorded.
"""

from contextlib import contextmanager

import numpy as np
import pytest
import torch
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


MODELS = {
    "autoencoder": Autoencoder(2, encoder=MLP((8,))),
    "gmvae": GaussianMixtureVAE(3, n_latent=2, learn_weights=True),
    "gumbel": GumbelSoftmaxVAE(3, n_latent=2),
    "vaes": MixtureOfVAEs(3, n_latent=2),
    "mpcc": MPCC(3, n_latent=2),
    "mpcc, layers shared": MPCC(3, n_latent=2, n_shared=1, learn_weights=True),
    "mpcc, random": MPCC(3, n_latent=2, init="random", latent_conditions=True),
}


@pytest.mark.filterwarnings("ignore:.*:sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", MODELS)
def test_replayed_steps_train_the_same_model(name, request):
    X, _ = make_blobs(99, n_features=5, centers=3, random_state=0)
    model = MODELS[name].set_params(
        encoder=MLP((8,)), max_iter=5, batch_size=20, random_state=0
    )
    states = []
    for replayed in (False, True):
        if replayed:
            request.getfixturevalue("taped")
        model.fit(X)
        states.append((model.module_.state_dict(), model.loss_curve_))
    assert TapedGraph.n_replays > 10
    (played, losses), (state, replayed_losses) = states
    for key, value in played.items():
        np.testing.assert_allclose(state[key], value, rtol=1e-4, atol=1e-5, err_msg=key)
    np.testing.assert_allclose(replayed_losses, losses, rtol=1e-4)
