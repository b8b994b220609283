"""Rows of X on demand, centred, scaled and cast batch by batch."""

import mmap
from dataclasses import dataclass

import numpy as np
import torch
from scipy import sparse
from sklearn.preprocessing import StandardScaler
from sklearn.utils import gen_batches

# Rows are streamed in blocks of about this many elements.
BLOCK_ELEMENTS = 2**22
# And of no more rows: hidden layers are wider than rows of few features.
BLOCK_ROWS = 2**12
# A float32 copy of X up to this size is kept in memory for fast gathers.
RESIDENT_BYTES = 2**30


@dataclass(frozen=True)
class Scaling:
    """Centre of every feature and one global scale.

    Parameters
    ----------
    center : ndarray of shape (n_features,) or float
        What is subtracted, in data units.
    scale : float
        What is divided by, in data units; positive.
    """

    center: np.ndarray | float = 0.0
    scale: float = 1.0

    @classmethod
    def fit(cls, X):
        """Measure means and the root of the mean variance in one float64 pass.

        Parameters
        ----------
        X : {ndarray, CSR matrix} of shape (n_samples, n_features)
            Rows in data units.

        Returns
        -------
        scaling : Scaling
            A scale of 0 (all rows equal) becomes 1, or what rounding may leave of the
            rows if that is more.

        Raises
        ------
        ValueError
            If the variance exceeds the range of float64.
        """
        scaler = StandardScaler(with_mean=not sparse.issparse(X))
        with np.errstate(over="ignore", invalid="ignore"):
            for block in row_blocks(*X.shape):
                scaler.partial_fit(X[block].astype(np.float64))
            mean, variance = scaler.mean_, scaler.var_
            # What rounding leaves of the spread of a constant feature; not squared,
            # that would overflow with the variance and hide it.
            noise = X.shape[0] * np.finfo(np.float64).eps * np.abs(mean)
            constant = np.sqrt(variance) <= noise
            scale = float(np.sqrt(np.where(constant, 0, variance).mean()))
        if not (np.isfinite(scale) and np.isfinite(mean).all()):
            raise ValueError(
                "The variance of X exceeds the range of float64: the largest feature "
                f"mean is {np.abs(mean).max():.3g}. Divide X by a constant."
            )
        return cls(mean, scale or max(1.0, float(noise.max())))

    @property
    def is_identity(self):
        """Whether model units are data units."""
        return np.ndim(self.center) == 0 and (self.center, self.scale) == (0.0, 1.0)

    def to_model(self, block):
        """Turn dense rows in data units into a copy in model units.

        It is float64, or float32 where rows are float32 and units do not change.
        """
        if self.is_identity and block.dtype == np.float32:
            return block.copy()
        block = block.astype(np.float64)
        # In place: memory that is new costs more than the arithmetic.
        block -= self.center
        block /= self.scale
        return block

    def to_data(self, block):
        """Turn rows in model units into rows in data units of the same dtype."""
        return (block * self.scale + self.center).astype(block.dtype)


class Rows:
    """Rows of X as tensors in model units, gathered and cast on demand.

    Dense rows lie on the device when they fit. A CSR matrix is made dense batch by
    batch, never as a whole. A memory map is read batch by batch too, unless a GPU has
    room for it.

    Parameters
    ----------
    X : {ndarray, CSR matrix} of shape (n_samples, n_features)
        Rows in data units, of any real dtype.
    scaling : Scaling
        Centre and scale.
    dtype : torch.dtype, default=torch.float32
        Type of the tensors.
    device : torch.device or str, default="cpu"
        Where the tensors lie.
    batch_size : int or None, default=None
        Largest number of rows in a batch; None is about 4 million elements, at most
        4,096 rows.
    seed : int, default=0
        Seed of the row order.
    targets : torch.Tensor of shape (n_samples, n_clusters) or None, default=None
        Responsibilities of a start, rows of zeros where it has no opinion.

    Attributes
    ----------
    memo : object
        What a module notes about the rows for the time of a fit.
    """

    def __init__(
        self,
        X,
        scaling,
        *,
        dtype=torch.float32,
        device="cpu",
        batch_size=None,
        seed=0,
        targets=None,
    ):
        self.X = X
        self.scaling = scaling
        self.dtype = dtype
        self.device = torch.device(device)
        self.batch_size = batch_size or block_rows(X.shape[1])
        self.targets = targets
        self.memo = None
        self._generator = torch.Generator().manual_seed(seed)
        self._resident = None

    def __len__(self):
        """Return the number of rows."""
        return self.X.shape[0]

    @property
    def n_features(self):
        """Number of columns."""
        return self.X.shape[1]

    @property
    def resident(self):
        """Whether all rows lie on the device."""
        return self._resident is not None

    def reside(self):
        """Keep all rows on the device, if they are dense and fit there.

        Returns
        -------
        rows : Rows
            Itself.
        """
        if self._fits():
            size = (len(self), self.n_features)
            resident = torch.empty(size, dtype=self.dtype, device=self.device)
            for block in row_blocks(*size):
                resident[block] = self._load(block)
            self._resident = resident
        return self

    def __getitem__(self, rows):
        """Gather a batch.

        Parameters
        ----------
        rows : slice or torch.Tensor of shape (n,)
            Which rows.

        Returns
        -------
        x : torch.Tensor of shape (n, n_features)
            The rows, in model units, on the device.
        """
        return _gather(self._resident, rows) if self.resident else self._load(rows)

    def targets_of(self, rows):
        """Gather the responsibilities of a batch, if there are any.

        Parameters
        ----------
        rows : slice or torch.Tensor of shape (n,)
            Which rows.

        Returns
        -------
        targets : torch.Tensor of shape (n, n_clusters) or None
            Their responsibilities.
        """
        return None if self.targets is None else _gather(self.targets, rows)

    def shuffled(self):
        """Run over all rows once in random order.

        Yields
        ------
        rows : torch.Tensor of shape (n,)
            Indices of a batch, on the device. Sizes differ by at most one row.
        """
        order = torch.randperm(len(self), generator=self._generator, device="cpu")
        order = order.to(self.device)
        yield from order.tensor_split(-(-len(self) // self.batch_size))

    def ordered(self):
        """Run over all rows once in their order.

        Yields
        ------
        rows : slice
            Indices of a batch.
        """
        yield from gen_batches(len(self), self.batch_size)

    def known(self):
        """Run once over the rows that the start has an opinion on, in their order.

        Yields
        ------
        rows : torch.Tensor of shape (n,)
            Indices of a batch, on the device.
        """
        known = self.targets.any(1).nonzero()[:, 0]
        yield from known.split(self.batch_size) if len(known) else ()

    def _load(self, rows):
        index = rows.cpu().numpy() if isinstance(rows, torch.Tensor) else rows
        block = self.X[index]
        if sparse.issparse(block):
            block = block.toarray()
        block = torch.from_numpy(self.scaling.to_model(block))
        return block.to(self.device, self.dtype)

    def _fits(self):
        n_bytes = len(self) * self.n_features * self.dtype.itemsize
        if sparse.issparse(self.X):
            return False
        if self.device.type == "cuda":
            # What torch keeps of earlier fits is as good as free.
            kept = torch.cuda.memory_reserved(self.device)
            kept -= torch.cuda.memory_allocated(self.device)
            return n_bytes <= (torch.cuda.mem_get_info(self.device)[0] + kept) // 2
        return n_bytes <= RESIDENT_BYTES and not _is_memory_map(self.X)


def canonical(X):
    """Rows whose duplicate entries, of a sparse matrix, are summed."""
    if sparse.issparse(X) and not X.has_canonical_format:
        X = X.copy()  # SciPy would do it in place, in the matrix of the user
        X.sum_duplicates()
    return X


def row_blocks(n_samples, n_elements):
    """Cut rows of so many elements into slices of at most about 4 million."""
    return gen_batches(n_samples, block_rows(n_elements))


def block_rows(n_elements):
    """Number of rows of so many elements that are taken at a time."""
    return max(1, min(BLOCK_ROWS, BLOCK_ELEMENTS // n_elements))


def _is_memory_map(X):
    """Tell whether an array, or what it is a view of, is mapped from a file."""
    while X is not None and not isinstance(X, mmap.mmap):
        X = getattr(X, "base", None)
    return X is not None


def _gather(tensor, rows):
    """Rows of a tensor by a slice, or a copy of them by a tensor of indices."""
    return tensor[rows] if isinstance(rows, slice) else tensor.index_select(0, rows)
