"""Fuzzy neighbour graphs and their layout, vectorised.

McInnes, Healy, Melville, "UMAP: Uniform manifold approximation and projection for
dimension reduction", arXiv:1802.03426, 2018, in the parts that a start needs.
"""

import math

import numpy as np
import torch
from scipy import sparse
from sklearn.neighbors import NearestNeighbors

# Of the curve 1 / (1 + a d^2b) that UMAP fits for a least distance of 0 and a spread
# of 1 between points of the layout.
CURVE_A, CURVE_B = 1.929, 0.7915
# Edges moved at a time, which do not see each other's steps: no more than there are
# rows, or rows would overshoot by many steps at once.
EDGE_BLOCK = 20_000
N_NEGATIVES = 5
MAX_STEP = 4.0


def fuzzy_graph(X, n_neighbors):
    r"""Weighted graph of nearest neighbours, the fuzzy union of local ones.

    Weights are :math:`\exp(-\max(0, d_{ij} - \rho_i) / \sigma_i)`, with the distance
    :math:`\rho_i` to the nearest other row and :math:`\sigma_i` such that the weights
    of a row sum to log2(n_neighbors); then symmetrised as probabilities of a union.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Rows.
    n_neighbors : int
        Number of neighbours of a row, below n_samples.

    Returns
    -------
    graph : scipy.sparse.csr_array of shape (n_samples, n_samples)
        Symmetric weights in (0, 1].
    """
    distances, indices = NearestNeighbors(n_neighbors=n_neighbors).fit(X).kneighbors()
    nearest = np.where(distances > 0, distances, np.inf).min(axis=1, keepdims=True)
    excess = np.maximum(distances - np.where(np.isinf(nearest), 0, nearest), 0)
    weights = np.exp(-excess / _local_scale(excess, math.log2(n_neighbors)))
    rows = np.repeat(np.arange(len(X)), n_neighbors)
    graph = sparse.csr_array(
        (weights.ravel(), (rows, indices.ravel())), shape=(len(X), len(X))
    )
    return (graph + graph.T - graph * graph.T).tocsr()


def _local_scale(excess, total, n_halvings=40):
    """Find the scale of every row at which its weights have the given sum."""
    low = np.zeros((len(excess), 1))
    high = np.full((len(excess), 1), np.inf)
    scale = np.ones((len(excess), 1)) * (excess.mean() or 1.0)
    for _ in range(n_halvings):
        above = np.exp(-excess / scale).sum(axis=1, keepdims=True) > total
        high, low = np.where(above, scale, high), np.where(above, low, scale)
        scale = np.where(np.isinf(high), 2 * low, (low + high) / 2)
    # Rows among duplicates cannot reach the sum: their scale would be 0.
    return np.maximum(scale, 1e-3 * (excess.mean() or 1.0))


def graph_layout(graph, start, seed, n_epochs=100, device="cpu"):
    """Lay a graph out by attraction along edges and repulsion of random rows.

    Every edge is drawn in an epoch with its weight as probability; the step falls
    linearly from 1 to 0. The cost is linear in the number of edges.

    Parameters
    ----------
    graph : scipy.sparse.csr_array of shape (n_samples, n_samples)
        Symmetric weights, of which the largest counts as 1.
    start : ndarray of shape (n_samples, n_dims)
        Where rows lie at first.
    seed : int
        Seed of the draws.
    n_epochs : int, default=100
        Number of epochs.
    device : torch.device or str, default="cpu"
        Where to compute.

    Returns
    -------
    layout : ndarray of shape (n_samples, n_dims), float32
        Where rows lie at last.
    """
    graph = graph.tocoo()
    generator = torch.Generator(device).manual_seed(seed)
    heads, tails = (
        torch.from_numpy(index.astype(np.int64)).to(device) for index in graph.coords
    )
    odds = torch.from_numpy(graph.data / graph.data.max()).to(device, torch.float32)
    layout = torch.from_numpy(start.astype(np.float32)).to(device)
    for epoch in range(n_epochs):
        draws = torch.rand(len(odds), device=device, generator=generator)
        drawn = torch.nonzero(draws < odds).squeeze(1)
        order = torch.randperm(len(drawn), device=device, generator=generator)
        for block in drawn[order].split(min(EDGE_BLOCK, len(layout))):
            _move(layout, heads[block], tails[block], 1 - epoch / n_epochs, generator)
    return layout.cpu().numpy()


def _move(layout, heads, tails, step, generator):
    """Take the steps of a block of edges, in place."""
    gap = layout[heads] - layout[tails]
    square = gap.square().sum(1, keepdim=True).clamp(min=1e-12)
    power = square**CURVE_B
    pull = -2 * CURVE_A * CURVE_B * power / (square * (1 + CURVE_A * power))
    pull = step * (pull * gap).clamp(-MAX_STEP, MAX_STEP)
    others = torch.randint(
        len(layout),
        (len(heads), N_NEGATIVES),
        device=layout.device,
        generator=generator,
    )
    gap = layout[heads].unsqueeze(1) - layout[others]
    square = gap.square().sum(2, keepdim=True)
    push = 2 * CURVE_B / ((0.001 + square) * (1 + CURVE_A * square**CURVE_B))
    push = step * (push * gap).clamp(-MAX_STEP, MAX_STEP).sum(1)
    layout.index_add_(0, heads, pull + push)
    layout.index_add_(0, tails, -pull)
