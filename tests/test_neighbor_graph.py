import math

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import sparse
from scipy.stats import entropy
from sklearn import config_context
from sklearn.datasets import load_digits, make_blobs, make_circles
from sklearn.decomposition import PCA
from sklearn.manifold import trustworthiness
from sklearn.metrics import adjusted_rand_score

from skdeepmix import _neighbor_graph, initialization
from skdeepmix._data import Rows, Scaling
from skdeepmix._neighbor_graph import (
    CURVE_A,
    CURVE_B,
    compression,
    fuzzy_graph,
    graph_layout,
    modularity,
    principal_components,
    spectral_start,
)
from skdeepmix.initialization import neighbors_start


def naive_directed_weights(X, n_neighbors):
    """Weights of the neighbours of every row, one bisection at a time."""
    found = []
    for i, row in enumerate(X):
        distances = np.linalg.norm(X - row, axis=1)
        distances[i] = np.inf
        neighbors = np.argsort(distances)[:n_neighbors]
        found.append((neighbors, distances[neighbors] - distances[neighbors].min()))
    # Neighbours that are all but equally near would have no scale at all.
    least = 1e-3 * np.mean([excess for _, excess in found])
    weights = np.zeros((len(X), len(X)))
    for i, (neighbors, excess) in enumerate(found):
        low, high = 1e-9, 1e9
        for _ in range(200):
            scale = math.sqrt(low * high)
            if np.exp(-excess / scale).sum() > math.log2(n_neighbors):
                high = scale
            else:
                low = scale
        weights[i, neighbors] = np.exp(-excess / max(scale, least))
    return weights


@example(seed=255, n_neighbors=3)
@given(seed=st.integers(0, 1000), n_neighbors=st.integers(3, 8))
def test_graph_equals_a_naive_loop(seed, n_neighbors):
    X = np.random.RandomState(seed).randn(20, 3)
    directed = naive_directed_weights(X, n_neighbors)
    expected = directed + directed.T - directed * directed.T
    graph = fuzzy_graph(X, n_neighbors).toarray()
    np.testing.assert_allclose(graph, expected, atol=1e-6)


@given(exponent=st.integers(-10, 10), shift=st.floats(-5, 5))
def test_graph_does_not_depend_on_units(exponent, shift):
    X = np.random.RandomState(0).randn(30, 2)
    scaled = 2.0**exponent * (X + shift)
    np.testing.assert_allclose(
        fuzzy_graph(scaled, 5).toarray(), fuzzy_graph(X, 5).toarray(), atol=1e-6
    )


@pytest.mark.parametrize(
    "X",
    [
        np.zeros((30, 2)),
        np.repeat(np.random.RandomState(0).randn(3, 2), 10, axis=0),
        np.concatenate([np.random.RandomState(0).randn(20, 2), np.ones((20, 2))]),
    ],
    ids=["all equal", "three points", "half equal"],
)
def test_duplicates_give_finite_weights_and_layouts(X):
    graph = fuzzy_graph(X, 5)
    assert graph.data.min() > 0
    assert graph.data.max() <= 1
    assert np.isfinite(graph_layout(graph, X, seed=0)).all()


def one_step(gap, monkeypatch, negatives):
    """Where a pair of rows at the given distance is moved to, for a tiny step."""
    monkeypatch.setattr(_neighbor_graph, "N_NEGATIVES", negatives)
    layout = torch.tensor([[0.0, 0.0], gap], dtype=torch.float64)
    before = layout.clone()
    head, tail = torch.tensor([0]), torch.tensor([1])
    draws = (torch.Generator().manual_seed(seed) for seed in range(50))
    seed = next(i for i, g in enumerate(draws) if torch.randint(2, (1, 1), generator=g))
    generator = torch.Generator().manual_seed(seed)  # its first negative is row 1
    _neighbor_graph._move(layout, head, tail, 1e-6, generator)
    return (layout - before) / 1e-6


def probability(gap):
    return 1 / (1 + CURVE_A * gap.square().sum() ** CURVE_B)


@pytest.mark.parametrize("gap", [[0.5, 0.2], [1.0, -1.0], [3.0, 2.0]])
def test_attraction_is_the_gradient_of_the_log_probability(gap, monkeypatch):
    moved = one_step(gap, monkeypatch, negatives=0)
    point = torch.tensor(gap, dtype=torch.float64, requires_grad=True)
    probability(point).log().backward()
    torch.testing.assert_close(moved[1], point.grad, rtol=1e-6, atol=1e-9)
    torch.testing.assert_close(moved[0], -point.grad, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("gap", [[1.0, -1.0], [3.0, 2.0]])
def test_repulsion_is_the_gradient_of_the_log_of_its_complement(gap, monkeypatch):
    pulled = one_step(gap, monkeypatch, negatives=0)[0]
    moved = one_step(gap, monkeypatch, negatives=1)[0]
    point = torch.tensor(gap, dtype=torch.float64, requires_grad=True)
    (1 - probability(point)).log().backward()
    # 0.001 in the denominator keeps close pairs finite.
    torch.testing.assert_close(moved - pulled, -point.grad, rtol=2e-3, atol=1e-6)


def test_layout_keeps_neighbours():
    X, _ = load_digits(return_X_y=True)
    X = X[:500]
    start = np.random.RandomState(0).randn(500, 5)
    layout = graph_layout(fuzzy_graph(X, 15), start, seed=0)
    assert trustworthiness(X, start, n_neighbors=10) < 0.6
    assert trustworthiness(X, layout, n_neighbors=10) > 0.93


def test_layout_repeats_with_its_seed():
    X = np.random.RandomState(0).randn(60, 3)
    graph = fuzzy_graph(X, 5)
    first, same, other = (graph_layout(graph, X, seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, same)
    assert not np.array_equal(first, other)


def test_several_layouts_are_those_that_each_start_has_alone():
    X = np.random.RandomState(0).randn(60, 3)
    graph = fuzzy_graph(X, 5)
    flat = X * [1, 1, 0]
    both = graph_layout(graph, np.stack([X, flat], axis=1), seed=0, n_epochs=3)
    assert not np.array_equal(both[:, 0], X.astype(np.float32))
    for i, start in enumerate((X, flat)):
        alone = graph_layout(graph, start, seed=0, n_epochs=3)
        np.testing.assert_allclose(both[:, i], alone, rtol=1e-4, atol=1e-4)
    narrow = graph_layout(graph, flat[:, :2], seed=0, n_epochs=3)
    np.testing.assert_allclose(both[:, 1, :2], narrow, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(both[:, 1, 2], 0)


def test_disconnected_parts_stay_apart():
    X, y = make_blobs(90, centers=[[0, 0], [50, 0], [0, 50]], random_state=0)
    resp = neighbors_start(X, 3, np.random.RandomState(0))
    assert adjusted_rand_score(y, resp.argmax(axis=1)) == 1


@pytest.mark.parametrize("n_samples", [1, 2, 3, 5])
def test_tiny_data_get_a_start(n_samples):
    X = np.random.RandomState(0).randn(n_samples, 2)
    resp = neighbors_start(X, 1, np.random.RandomState(0))
    np.testing.assert_allclose(resp, np.ones((n_samples, 1)))


def test_rows_beyond_the_limit_are_left_to_the_encoder(monkeypatch):
    monkeypatch.setattr(initialization, "LAYOUT_ROWS", 60)
    X, _ = make_blobs(100, centers=3, random_state=0)
    resp = neighbors_start(X, 3, np.random.RandomState(0))
    known = resp.any(axis=1)
    assert known.sum() == 60
    np.testing.assert_allclose(resp[known].sum(axis=1), 1)


# Starts of the layout


def rows_of(X):
    return Rows(X, Scaling())


def test_principal_components_are_those_of_scikit_learn():
    X = np.random.RandomState(0).randn(80, 6) * [6, 5, 4, 3, 2, 1]
    rows = np.arange(10, 70)
    components = principal_components(rows_of(X), rows, np.random.RandomState(0))
    expected = PCA(6).fit_transform(X[rows])
    np.testing.assert_allclose(components, expected, atol=1e-5)


@pytest.mark.parametrize("container", ["pandas", "polars"])
def test_principal_components_are_arrays_whatever_the_container(container):
    # Those of polars lie column by column, and sums over such a layout of rows differ
    # in their last bits, which a fit amplifies.
    rows = rows_of(np.random.RandomState(0).randn(80, 6))
    arguments = rows, np.arange(80)
    expected = principal_components(*arguments, np.random.RandomState(0))
    with config_context(transform_output=container):
        components = principal_components(*arguments, np.random.RandomState(0))
    np.testing.assert_array_equal(components, expected)
    assert components.strides == expected.strides


def test_principal_components_of_many_rows_are_those_of_some(monkeypatch):
    monkeypatch.setattr(_neighbor_graph, "COMPONENT_ELEMENTS", 400)
    monkeypatch.setattr(_neighbor_graph, "N_COMPONENTS", 2)
    X = np.random.RandomState(0).randn(1000, 4) * [9, 5, 0.1, 0.1]
    components = principal_components(
        rows_of(X), np.arange(1000), np.random.RandomState(0)
    )
    expected = PCA(2).fit_transform(X)
    overlap = np.abs(np.corrcoef(components.T, expected.T)[:2, 2:])
    np.testing.assert_allclose(overlap, np.eye(2), atol=0.2)


def test_spectral_start_spans_the_leading_eigenvectors(monkeypatch):
    monkeypatch.setattr(_neighbor_graph, "SPECTRAL_NOISE", 0.0)
    graph = fuzzy_graph(np.random.RandomState(0).randn(60, 2), 8)
    start = spectral_start(graph, 3, np.random.RandomState(0))
    root = np.sqrt(graph.sum(axis=1))
    walk = graph.toarray() / root / root[:, np.newaxis]
    expected = np.linalg.eigh(walk)[1][:, -4:-1] / root[:, np.newaxis]
    assert np.abs(start).max() == pytest.approx(10)
    residual = start - expected @ np.linalg.lstsq(expected, start, rcond=None)[0]
    assert np.abs(residual).max() < 0.01


@pytest.mark.parametrize("seed", range(10))
def test_spectral_start_parts_what_does_not_hang_together(seed):
    X, y = make_blobs(60, centers=[[0, 0], [99, 0]], random_state=seed)
    start = spectral_start(fuzzy_graph(X, 8), 3, np.random.RandomState(seed))
    gap = start[y == 0].mean(axis=0) - start[y == 1].mean(axis=0)
    assert np.linalg.norm(gap) > 3


def test_more_parts_than_coordinates_get_a_spectral_start():
    graph = sparse.csr_array(sparse.block_diag(20 * [np.ones((5, 5)) - np.eye(5)]))
    start = spectral_start(graph, 3, np.random.RandomState(0))
    assert np.isfinite(start).all()
    assert start.shape[0] == 100


@pytest.mark.parametrize("seed", range(3))
def test_start_follows_concentric_rings(seed):
    X, y = make_circles(300, factor=0.4, noise=0.03, random_state=seed)
    resp = neighbors_start(X, 2, np.random.RandomState(seed), rows_of(X))
    assert adjusted_rand_score(y, resp.argmax(axis=1)) == 1


def test_start_looks_at_rows_as_well_as_at_codes():
    X, y = make_blobs(120, centers=3 * 20 * np.eye(3), random_state=0)
    codes = np.random.RandomState(0).randn(120, 10)
    blind = neighbors_start(codes, 3, np.random.RandomState(0))
    seeing = neighbors_start(codes, 3, np.random.RandomState(0), rows_of(X))
    assert adjusted_rand_score(y, blind.argmax(axis=1)) < 0.2
    assert adjusted_rand_score(y, seeing.argmax(axis=1)) > 0.9


@pytest.mark.parametrize(("n_samples", "n_clusters"), [(3, 2), (4, 3), (6, 6), (40, 9)])
@pytest.mark.parametrize("equal", [False, True])
def test_few_rows_for_many_clusters_get_a_start(n_samples, n_clusters, equal):
    X = np.random.RandomState(0).randn(n_samples, 3) * (not equal)
    resp = neighbors_start(X, n_clusters, np.random.RandomState(0), rows_of(X))
    np.testing.assert_allclose(resp.sum(axis=1), 1)


@pytest.mark.parametrize("X", [np.random.RandomState(0).randn(50, 3), np.eye(50)])
def test_start_repeats_with_its_seed(X):
    first, same = (
        neighbors_start(X, 3, np.random.RandomState(7), rows_of(X)) for _ in range(2)
    )
    np.testing.assert_array_equal(first, same)


# How well clusters fit a graph


@st.composite
def labelled_graphs(draw):
    random = np.random.RandomState(draw(st.integers(0, 2**16)))
    n_samples, n_clusters = draw(st.integers(4, 15)), draw(st.integers(1, 4))
    weights = random.rand(n_samples, n_samples)
    weights = np.triu(weights * (weights > draw(st.floats(0, 0.8))), 1)
    weights[0, 1:] += 0.01  # connected
    labels = random.randint(n_clusters, size=n_samples)
    return sparse.csr_array(weights + weights.T), labels


@given(labelled_graphs())
def test_compression_is_what_a_code_book_per_cluster_saves(graph_and_labels):
    graph, labels = graph_and_labels
    share = graph.toarray() / graph.sum()
    visits = share.sum(axis=1)
    clusters = [labels == label for label in np.unique(labels)]
    exits = np.array([share[np.ix_(c, ~c)].sum() for c in clusters])
    index_book = exits.sum() * entropy(exits) if exits.sum() > 0 else 0.0
    books = [
        (leaving + visits[cluster].sum()) * entropy([leaving, *visits[cluster]])
        for leaving, cluster in zip(exits, clusters, strict=True)
    ]
    expected = entropy(visits) - (index_book + sum(books))
    assert compression(graph, labels) == pytest.approx(expected, abs=1e-9)


@given(labelled_graphs())
def test_modularity_equals_a_naive_loop(graph_and_labels):
    graph, labels = graph_and_labels
    weights = graph.toarray()
    total, degree = weights.sum(), weights.sum(axis=1)
    expected = sum(
        weights[i, j] / total - degree[i] * degree[j] / total**2
        for i in range(len(labels))
        for j in range(len(labels))
        if labels[i] == labels[j]
    )
    assert modularity(graph, labels) == pytest.approx(expected, abs=1e-12)


@given(labelled_graphs())
def test_a_single_cluster_scores_zero(graph_and_labels):
    graph, labels = graph_and_labels
    one = np.zeros_like(labels)
    assert compression(graph, one) == pytest.approx(0, abs=1e-9)
    assert modularity(graph, one) == pytest.approx(0, abs=1e-12)


def test_separate_cliques_score_as_much_as_is_possible():
    graph = sparse.csr_array(sparse.block_diag(4 * [np.ones((6, 6)) - np.eye(6)]))
    labels = np.repeat(range(4), 6)
    assert compression(graph, labels) == pytest.approx(math.log(4))
    assert modularity(graph, labels) == pytest.approx(1 - 1 / 4)
