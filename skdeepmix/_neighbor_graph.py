"""Fuzzy neighbour graphs, their layout, and how well clusters fit them.

The graph and its layout are those of McInnes, Healy, Melville, "UMAP: Uniform manifold
approximation and projection for dimension reduction", arXiv:1802.03426, 2018, in the
parts that a start needs, vectorised.
"""

import math

import numpy as np
import torch
from scipy import sparse
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh
from scipy.special import xlogy
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

from skdeepmix._training import draw_seed

# Of the curve 1 / (1 + a d^2b) that UMAP fits for a least distance of 0 and a spread
# of 1 between points of the layout.
CURVE_A, CURVE_B = 1.929, 0.7915
# Edges moved at a time, which do not see each other's steps: no more than there are
# rows, or rows would overshoot by many steps at once.
EDGE_BLOCK = 20_000
N_NEGATIVES = 5
MAX_STEP = 4.0
# Largest coordinate of a spectral start of the layout, as UMAP has it, and the noise
# on it, without which rows of one small component would never part.
SPECTRAL_EXTENT = 10.0
SPECTRAL_NOISE = 0.01
TIE_BREAK = 1e-6
# Principal components are those of as many rows as have this many elements.
N_COMPONENTS = 50
COMPONENT_ELEMENTS = 20_000_000


def principal_components(data, rows, random_state):
    """Project rows on their leading principal components.

    Parameters
    ----------
    data : Rows
        Rows, read batch by batch.
    rows : ndarray of shape (n_rows,)
        Which of them.
    random_state : numpy.random.RandomState
        Chooses the rows whose components are taken, where there are too many.

    Returns
    -------
    components : ndarray of shape (n_rows, n_components), float64
        At most 50 columns, ordered by their variance.
    """
    n_fitted = max(2 * N_COMPONENTS, COMPONENT_ELEMENTS // data.n_features)
    fitted = rows
    if len(rows) > n_fitted:
        fitted = random_state.choice(rows, n_fitted, replace=False)
    pca = PCA(
        min(N_COMPONENTS, len(fitted), data.n_features),
        random_state=draw_seed(random_state),
    ).set_output(transform="default")  # whatever scikit-learn is set to
    with np.errstate(invalid="ignore"):  # a share of no variance at all
        pca.fit(_gathered(data, fitted))
    n_blocks = -(-len(rows) // n_fitted)
    blocks = np.array_split(rows, n_blocks)
    return np.concatenate([pca.transform(_gathered(data, block)) for block in blocks])


def _gathered(data, rows):
    return data[torch.from_numpy(rows).to(data.device)].cpu().numpy().astype(np.float64)


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


def spectral_start(graph, n_dims, random_state):
    """Coordinates of a slow random walk on a graph, for its layout to start from.

    They part what hardly hangs together, whatever its shape: the leading eigenvectors
    of the transition matrix, after the constant one.

    Parameters
    ----------
    graph : scipy.sparse.csr_array of shape (n_samples, n_samples)
        Symmetric weights; every row has one that is above 0.
    n_dims : int
        Number of coordinates, below n_samples - 1.
    random_state : numpy.random.RandomState
        Source of the first vector and of a little noise.

    Returns
    -------
    start : ndarray of shape (n_samples, n_dims)
        Coordinates, of which the largest is about 10; 0 but for noise where eigenvalues
        lie too close together to be told apart.
    """
    root = np.sqrt(graph.sum(axis=1))
    constant = root / np.linalg.norm(root)
    # Equal eigenvalues, those of separate parts above all, would leave it to chance,
    # and not to `random_state`, which vectors are found.
    ties = TIE_BREAK * np.random.RandomState(0).uniform(size=len(root))
    walk = sparse.diags_array(1 / root) @ graph @ sparse.diags_array(1 / root)
    deflated = LinearOperator(
        walk.shape,
        matvec=lambda x: walk @ x + ties * x.ravel() - constant * (constant @ x),
        dtype=np.float64,
    )
    first = random_state.uniform(size=len(root))
    try:
        _, vectors = eigsh(deflated, n_dims, which="LA", v0=first, tol=1e-4)
    except ArpackNoConvergence as error:
        vectors = error.eigenvectors
    vectors = vectors[:, ::-1] / root[:, np.newaxis]
    start = random_state.normal(scale=SPECTRAL_NOISE, size=(len(root), n_dims))
    start[:, : vectors.shape[1]] += (
        vectors * SPECTRAL_EXTENT / np.abs(vectors).max(initial=1e-12)
    )
    return start


@torch.inference_mode()
def graph_layout(graph, start, seed, n_epochs=100):
    """Lay a graph out by attraction along edges and repulsion of random rows.

    Every edge is drawn in an epoch with its weight as probability; the step falls
    linearly from 1 to 0. The cost is linear in the number of edges. It always runs on
    the CPU: a GPU would sum the steps of a row in an order that does not repeat.

    Parameters
    ----------
    graph : scipy.sparse.csr_array of shape (n_samples, n_samples)
        Symmetric weights, of which the largest counts as 1.
    start : ndarray of shape (n_samples, n_dims) or (n_samples, n_layouts, n_dims)
        Where rows lie at first. Several layouts share the draws: of few rows they take
        hardly longer than one.
    seed : int
        Seed of the draws.
    n_epochs : int, default=100
        Number of epochs.

    Returns
    -------
    layout : ndarray of the shape of start, float32
        Where rows lie at last.
    """
    graph = graph.tocoo()
    generator = torch.Generator().manual_seed(seed)
    heads, tails = (torch.from_numpy(index.astype(np.int64)) for index in graph.coords)
    odds = torch.from_numpy(graph.data / graph.data.max()).float()
    layout = torch.from_numpy(start.astype(np.float32))
    for epoch in range(n_epochs):
        draws = torch.rand(
            len(odds), generator=generator, dtype=odds.dtype, device="cpu"
        )
        drawn = torch.nonzero(draws < odds).squeeze(1)
        order = torch.randperm(len(drawn), generator=generator, device="cpu")
        # Not by brackets, which are several times slower.
        drawn = drawn.index_select(0, order)
        blocks = (
            ends.index_select(0, drawn).split(min(EDGE_BLOCK, len(layout)))
            for ends in (heads, tails)
        )
        for block in zip(*blocks, strict=True):
            _move(layout, *block, 1 - epoch / n_epochs, generator)
    return layout.numpy()


def _move(layout, heads, tails, step, generator):
    """Take the steps of a block of edges, in place."""
    at = layout.index_select(0, heads)
    gap = at - layout.index_select(0, tails)
    square = _square_norm(gap).clamp_(min=1e-12)
    power = square**CURVE_B
    rate = power.mul(-2 * CURVE_A * CURVE_B)
    pull = rate.div_(power.mul_(CURVE_A).add_(1).mul_(square))
    pull = _limited(gap.mul_(pull), step)
    others = torch.randint(
        len(layout), (N_NEGATIVES, len(heads)), generator=generator, device="cpu"
    )
    negatives = layout.index_select(0, others.flatten())
    gap = at - negatives.view(N_NEGATIVES, *at.shape)
    square = _square_norm(gap)
    hold = (square**CURVE_B).mul_(CURVE_A).add_(1).mul_(square.add_(0.001))
    push = _limited(gap.mul_(hold.reciprocal_().mul_(2 * CURVE_B)), step).sum(0)
    layout.index_add_(0, heads, push.add_(pull))
    layout.index_add_(0, tails, pull, alpha=-1)


def _square_norm(gap):
    return gap.square().sum(-1, keepdim=True)


def _limited(move, step):
    """Scale a full step, none of whose coordinates may be too large, in place."""
    return move.clamp_(-MAX_STEP, MAX_STEP).mul_(step)


def compression(graph, labels):
    r"""Nats per step that clusters save in the description of a walk on a graph.

    The map equation of Rosvall, Axelsson and Bergstrom, "The map equation", Eur. Phys.
    J. Spec. Top. 178, 2009, Eq. 4, below what it is without clusters:

    .. math::
        C = -h(q) + 2 \sum_k h(q_k) - \sum_k h(q_k + p_k), \quad h(t) = t \log t

    with the share :math:`p_k` of a cluster in all weights, :math:`q_k` of the edges
    that leave it, and their sum q.

    Parameters
    ----------
    graph : scipy.sparse.csr_array of shape (n_samples, n_samples)
        Symmetric weights.
    labels : ndarray of shape (n_samples,)
        Clusters, from 0.

    Returns
    -------
    compression : float
        In nats per step, at most log(n_clusters); higher is better, 0 without
        clusters.
    """
    between, share = _flows(graph, labels)
    # Rounding may leave the difference a little below 0.
    leaving = np.maximum(share - between.diagonal(), 0)
    whole = leaving.sum()
    return float(
        2 * xlogy(leaving, leaving).sum()
        - xlogy(whole, whole)
        - xlogy(leaving + share, leaving + share).sum()
    )


def modularity(graph, labels):
    r"""Share of weights within clusters, above that of a random graph.

    .. math:: Q = \sum_k (w_{kk} - p_k^2)

    with the share :math:`w_{kk}` of weights between rows of cluster k and :math:`p_k`
    of all weights of its rows: Eq. 5 of Newman and Girvan, "Finding and evaluating
    community structure in networks", Phys. Rev. E 69, 2004.

    Parameters
    ----------
    graph : scipy.sparse.csr_array of shape (n_samples, n_samples)
        Symmetric weights.
    labels : ndarray of shape (n_samples,)
        Clusters, from 0.

    Returns
    -------
    modularity : float
        At most 1; higher is better.
    """
    between, share = _flows(graph, labels)
    return float(between.diagonal().sum() - (share**2).sum())


def _flows(graph, labels):
    """Shares of the weights between clusters, and of each cluster."""
    members = sparse.csr_array(
        (np.ones(len(labels)), (np.arange(len(labels)), labels)),
        shape=(len(labels), labels.max() + 1),
    )
    between = (members.T @ graph @ members).toarray()
    between /= between.sum()
    return between, between.sum(axis=1)
