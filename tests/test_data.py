"""Rows on demand: what is gathered, how it is scaled, and what stays on disk."""

import re
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from skdeepmix import GaussianMixtureVAE, _data, _neighbor_graph
from skdeepmix._data import Rows, Scaling
from skdeepmix.networks import MLP

DTYPES = [
    "float64", "float32", "float16", "longdouble", ">f4", "bool", "uint8", "int8",
    "uint16", "int32", "int64",
]  # fmt: skip
SPARSE_CONTAINERS = [sparse.csr_matrix, sparse.csr_array]

seeds = st.integers(0, 2**31)
sizes = st.integers(1, 40)


def draw(n_samples=30, n_features=5, seed=0, dtype="float64"):
    """Numbers that every dtype holds: small integers, or halves where it has them."""
    X = np.random.RandomState(seed).randint(0, 100, size=(n_samples, n_features))
    if dtype == "bool":
        return X > 50
    return (X / 2 if np.dtype(dtype).kind == "f" else X).astype(dtype)


def standardized(X):
    """What rows in model units are, in plain float64 numpy."""
    X = np.asarray(X, dtype=np.float64)
    return (X - X.mean(0)) / np.sqrt(X.var(0).mean())


def memory_map(path, X):
    """X in a file, mapped read-only."""
    np.save(path, X)
    return np.load(path, mmap_mode="r")


@pytest.fixture
def small_blocks(monkeypatch):
    """Stream in blocks of 10,000 elements."""
    monkeypatch.setattr(_data, "BLOCK_ELEMENTS", 10_000)
    monkeypatch.setattr(_neighbor_graph, "COMPONENT_ELEMENTS", 10_000)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("resident", [False, True])
def test_rows_of_any_dtype_are_standardized(dtype, resident):
    X = draw(dtype=dtype)
    rows = Rows(X, Scaling.fit(X), dtype=torch.float64)
    x = rows.reside()[slice(None)] if resident else rows[slice(None)]
    assert x.dtype == torch.float64
    np.testing.assert_allclose(x, standardized(X), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("container", SPARSE_CONTAINERS)
@pytest.mark.parametrize("dtype", ["float64", "float32", "uint8", "int64"])
def test_sparse_rows_equal_dense_rows(container, dtype):
    X = draw(dtype=dtype) * (draw(seed=1) > 30)
    S = container(X)
    found = Rows(S, Scaling.fit(S), dtype=torch.float64)[slice(None)]
    np.testing.assert_allclose(found, standardized(X), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_rows_have_the_dtype_that_was_asked_for(dtype):
    X = draw()
    assert Rows(X, Scaling(), dtype=dtype)[slice(0, 2)].dtype == dtype
    assert Rows(X, Scaling(), dtype=dtype).reside()[slice(0, 2)].dtype == dtype


@pytest.mark.parametrize("kind", ["resident", "dense", "sparse"])
def test_rows_are_gathered_in_the_order_of_the_index(kind):
    X = draw()
    rows = Rows(sparse.csr_matrix(X) if kind == "sparse" else X, Scaling())
    rows = rows.reside() if kind == "resident" else rows
    index = torch.tensor([7, 0, 29, 7])
    np.testing.assert_array_equal(rows[index], X[index.numpy()])
    np.testing.assert_array_equal(rows[slice(3, 9)], X[3:9])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rows_are_copies(dtype):
    X = draw().astype(dtype)
    Rows(X, Scaling(), dtype=getattr(torch, dtype))[slice(None)].zero_()
    Rows(X, Scaling(), dtype=getattr(torch, dtype)).reside()[slice(None)].zero_()
    np.testing.assert_array_equal(X, draw().astype(dtype))


def test_dense_rows_reside_if_they_fit(monkeypatch):
    X = draw()
    assert Rows(X, Scaling()).reside()._resident is not None
    monkeypatch.setattr(_data, "RESIDENT_BYTES", X.size * 4 - 1)
    assert Rows(X, Scaling()).reside()._resident is None


@given(sizes, st.integers(1, 50), seeds)
def test_batches_cover_every_row_once_and_differ_by_at_most_one(n, batch_size, seed):
    rows = Rows(draw(n), Scaling(), batch_size=batch_size, seed=seed)
    batches = list(rows.shuffled())
    lengths = [len(batch) for batch in batches]
    assert sorted(torch.cat(batches).tolist()) == list(range(n))
    assert max(lengths) <= batch_size
    assert max(lengths) - min(lengths) <= 1
    assert len(batches) == -(-n // batch_size)


@given(sizes, st.integers(1, 50))
def test_ordered_batches_are_the_rows_in_their_order(n, batch_size):
    X = draw(n)
    rows = Rows(X, Scaling(), batch_size=batch_size, dtype=torch.float64)
    batches = [rows[block] for block in rows.ordered()]
    assert max(map(len, batches)) <= batch_size
    np.testing.assert_array_equal(torch.cat(batches), X)


def test_order_follows_the_seed_and_changes_from_epoch_to_epoch():
    first, again, other = (
        Rows(draw(), Scaling(), batch_size=30, seed=seed) for seed in (0, 0, 1)
    )
    epochs = [[next(rows.shuffled()) for _ in range(2)] for rows in (first, again)]
    assert torch.equal(epochs[0][0], epochs[1][0])
    assert torch.equal(epochs[0][1], epochs[1][1])
    assert not torch.equal(*epochs[0])
    assert not torch.equal(epochs[0][0], next(other.shuffled()))


@pytest.mark.parametrize("container", [np.asarray, *SPARSE_CONTAINERS])
@given(
    seed=seeds,
    n=st.integers(2, 300),
    offset=st.floats(-1e3, 1e3),
    exponent=st.integers(-20, 20),
)
def test_scaling_equals_numpy(container, seed, n, offset, exponent):
    X = np.random.RandomState(seed).randn(n, 4) * [1, 2, 0.5, 3]
    X = (X + offset) * 2.0**exponent
    scaling = Scaling.fit(container(X))
    np.testing.assert_allclose(scaling.center, X.mean(0), rtol=1e-9, atol=1e-9)
    assert scaling.scale == pytest.approx(np.sqrt(X.var(0).mean()), rel=1e-9)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_matrix])
def test_scaling_streamed_in_blocks_equals_numpy(container):
    X = draw(9999, 7)
    scaling = Scaling.fit(container(X))
    np.testing.assert_allclose(scaling.center, X.mean(0), rtol=1e-12)
    assert scaling.scale == pytest.approx(np.sqrt(X.var(0).mean()), rel=1e-12)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_matrix])
def test_scaling_sees_a_tiny_spread_around_a_large_offset(container):
    spread = np.random.RandomState(0).randn(20_000, 3)
    X = 1e8 + 1e-2 * spread
    scaling = Scaling.fit(container(X))
    # 1e8 has a spacing of 1.5e-8 in float64: six digits of the spread are there.
    assert scaling.scale == pytest.approx(
        1e-2 * np.sqrt(spread.var(0).mean()), rel=1e-4
    )
    np.testing.assert_allclose(
        scaling.to_model(X), standardized(1e-2 * spread), atol=1e-4
    )


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_matrix])
@pytest.mark.parametrize("value", [0.0, 0.1, 1 / 3, -1e8 / 3])
def test_scale_of_equal_rows_is_one(container, value):
    X = np.full((10_001, 3), value)  # in blocks whose means differ by rounding
    scaling = Scaling.fit(container(X))
    assert scaling.scale == 1
    np.testing.assert_allclose(scaling.center, value, rtol=1e-12)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_matrix])
def test_rounding_of_huge_equal_rows_is_below_the_scale(container):
    X = np.full((10_001, 3), 1e30)
    scaling = Scaling.fit(container(X))
    assert np.abs(scaling.to_model(X)).max() < 1


def test_constant_features_count_in_the_mean_variance():
    X = np.column_stack([np.full(500, 0.1), np.random.RandomState(0).randn(500)])
    assert Scaling.fit(X).scale == pytest.approx(np.sqrt(X[:, 1].var() / 2))


def test_constant_features_do_not_hide_a_small_spread():
    X = np.column_stack([np.full(500, 1e6), 1e-6 * np.random.RandomState(0).randn(500)])
    assert Scaling.fit(X).scale == pytest.approx(np.sqrt(X[:, 1].var() / 2))


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_matrix])
@given(seed=seeds, exponent=st.integers(-40, 40))
def test_powers_of_two_scale_exactly(container, seed, exponent):
    X = 5 + np.random.RandomState(seed).randn(50, 3)
    factor = 2.0**exponent
    scaling, scaled = Scaling.fit(container(X)), Scaling.fit(container(factor * X))
    assert scaled.scale == factor * scaling.scale
    np.testing.assert_array_equal(scaled.center, factor * scaling.center)
    np.testing.assert_array_equal(scaled.to_model(factor * X), scaling.to_model(X))


@pytest.mark.parametrize("value", [1e-30, 1e30, 1e150])
def test_scaling_takes_tiny_and_huge_values(value):
    X = value * np.random.RandomState(0).randn(50, 3)
    x = Scaling.fit(X).to_model(X)
    np.testing.assert_allclose(x, standardized(X / value), rtol=1e-9, atol=1e-12)


def test_variance_beyond_float64_is_an_error():
    message = (
        "The variance of X exceeds the range of float64: the largest feature mean is "
        "2e+200. Divide X by a constant."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Scaling.fit(np.array([[1e200, 1.0], [3e200, 2.0]]))


@pytest.mark.parametrize("value", [1e160, 1e300, 1.7e308])
@pytest.mark.parametrize("other", [-1, 0, 0.5, 1])
def test_scale_is_finite_or_an_error(value, other):
    X = np.array([[value, 1.0], [other * value, 2.0]])
    if other == 1 and value < 1e308:
        assert Scaling.fit(X).scale == np.sqrt(0.125)
    else:
        with pytest.raises(ValueError, match="exceeds the range of float64"):
            Scaling.fit(X)


@given(
    seed=seeds,
    offset=st.floats(-1e3, 1e3),
    exponent=st.integers(-20, 20),
    dtype=st.sampled_from(["float64", "float32"]),
)
def test_data_units_come_back(seed, offset, exponent, dtype):
    X = (np.random.RandomState(seed).randn(20, 3) + offset) * 2.0**exponent
    X = X.astype(dtype)
    scaling = Scaling.fit(X)
    found = scaling.to_data(scaling.to_model(X).astype(dtype))
    assert found.dtype == dtype
    tolerance = 10 * np.finfo(dtype).eps * (np.abs(X).max() + scaling.scale)
    np.testing.assert_allclose(found, X, rtol=0, atol=tolerance)


@pytest.fixture
def densified(monkeypatch):
    """Number of rows of every sparse matrix that is made dense."""
    n_rows = []

    def watch(cls):
        toarray = cls.toarray

        def watched(self, *args, **kwargs):
            n_rows.append(self.shape[0])
            return toarray(self, *args, **kwargs)

        monkeypatch.setattr(cls, "toarray", watched)

    for cls in SPARSE_CONTAINERS:
        watch(cls)
    return n_rows


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("container", SPARSE_CONTAINERS)
def test_sparse_rows_are_never_dense_as_a_whole(container, densified):
    X = container(draw(400, 100) * (draw(400, 100, seed=1) > 40))
    model = GaussianMixtureVAE(
        2, n_latent=2, encoder=MLP((4,)), batch_size=50, max_iter=2, random_state=0
    )
    model.fit(X)
    model.predict_proba(X)
    model.score_samples(X)
    model.transform(X)
    assert max(densified) == 100  # 10,000 elements of 100 features
    densified.clear()
    model.fit(X[:40])
    assert max(densified) <= 40


@pytest.mark.parametrize("view", [np.asarray, lambda X: X[::2], lambda X: X.T.T])
def test_memory_maps_and_their_views_stay_on_disk(tmp_path, view):
    X = view(memory_map(tmp_path / "X.npy", draw(dtype="uint8")))
    rows = Rows(X, Scaling.fit(X)).reside()
    assert rows._resident is None
    np.testing.assert_allclose(rows[slice(None)], standardized(X), rtol=1e-5, atol=1e-5)


PREDICT_A_MAP = """
import re, sys, warnings
from pathlib import Path

import numpy as np

from skdeepmix import GaussianMixtureVAE
from skdeepmix.networks import MLP


def anonymous_bytes():
    status = Path("/proc/self/status").read_text()
    return 1024 * int(re.search(r"RssAnon:\\s+(\\d+)", status)[1])


X = np.load(sys.argv[1], mmap_mode="r")
model = GaussianMixtureVAE(2, encoder=MLP((4,)), init="random", max_iter=1)
with warnings.catch_warnings(action="ignore"):
    model.fit(np.random.RandomState(0).rand(20, X.shape[1]))
model.predict(X[:10_000])
before = anonymous_bytes()
model.predict(X)
print((anonymous_bytes() - before) / X.nbytes)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux tells.")
def test_results_of_batches_do_not_keep_the_memory_of_rows(tmp_path):
    # A sparse file: zeros take no room on the disk.
    np.lib.format.open_memmap(
        tmp_path / "X.npy", "w+", dtype=np.float32, shape=(100_000, 800)
    ).flush()
    found = subprocess.run(
        [sys.executable, "-c", PREDICT_A_MAP, tmp_path / "X.npy"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert float(found.stdout) < 0.2


@pytest.mark.filterwarnings("ignore:The clusters collapsed")
@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_a_read_only_memory_map_is_fitted_without_a_copy(tmp_path, dtype):
    X = memory_map(tmp_path / "X.npy", draw(3000, 1000, dtype=dtype))
    model = GaussianMixtureVAE(
        2,
        n_latent=2,
        encoder=MLP((4,)),
        init=np.arange(len(X)) % 2,
        batch_size=20,
        max_iter=1,
        n_importance=1,
        random_state=0,
    )
    torch.optim.Adam([torch.zeros(1)])  # the first one imports much of torch
    tracemalloc.start()
    try:
        model.fit(X)
        model.predict_proba(X)
        model.score_samples(X)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # Posteriors, labels and float64 blocks are all that is ever allocated.
    assert peak < X.nbytes / 2


@pytest.mark.parametrize(("kept", "fits"), [(0, False), (500, True)])
def test_memory_that_torch_keeps_of_earlier_fits_counts_as_free(
    monkeypatch, kept, fits
):
    of_device = {
        "mem_get_info": (1000, 4000),
        "memory_reserved": 700 + kept,
        "memory_allocated": 700,
    }
    for name, value in of_device.items():
        monkeypatch.setattr(torch.cuda, name, lambda device, value=value: value)
    rows = Rows(np.zeros((50, 3), np.float32), Scaling(), device="cuda")
    assert rows._fits() == fits  # 600 bytes, in no more than half of what is free
