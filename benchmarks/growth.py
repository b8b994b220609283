"""Cost per row and memory of fit and predict against rows and clusters.

    python benchmarks/growth.py [--rows rows,clusters] [--starts neighbors,random]

appends to ``benchmarks/results/growth.jsonl`` and skips what is there;
``python benchmarks/tables.py`` makes the table of the documentation. Rows of 784
features in float32 lie in a memory map; every fit has a process of its own, whose
anonymous memory is watched: that which is not the map's, beyond that after imports.
"""

import sys
import tempfile
import threading
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))

from _runs import (
    Runs,
    alone,
    choices,
    device_name,
    process_memory,
    set_threads,
    timed,
    timing_parser,
)

from skdeepmix import GaussianMixtureVAE
from skdeepmix.networks import MLP

N_FEATURES = 784
BLOCK_ROWS = 10_000
N_CENTERS = 10
N_EPOCHS = 2
WATCH_SECONDS = 0.02
# Numbers of rows and of clusters, beside the first of the rows.
ROWS = {
    "rows": ((10_000, 10), (100_000, 10), (1_000_000, 10)),
    "clusters": ((10_000, 100), (10_000, 1000)),
}
STARTS = ("neighbors", "random")


class Watch(threading.Thread):
    """Watch the anonymous memory of this process."""

    def __init__(self):
        super().__init__(daemon=True)
        self.peak = 0.0
        self._stopped = threading.Event()

    def run(self):
        """Look until stopped."""
        while not self._stopped.wait(WATCH_SECONDS):
            self.peak = max(self.peak, process_memory("RssAnon"))

    def stop(self):
        """Look for a last time.

        Returns
        -------
        peak : float
            The largest that was seen, in units of 2**20 bytes.
        """
        self._stopped.set()
        self.join()
        return max(self.peak, process_memory("RssAnon"))


def watched(function, *args):
    """Time a call, and watch its memory.

    Parameters
    ----------
    function : callable
        What to call.
    *args : object
        With what.

    Returns
    -------
    seconds, peak : float
        Wall-clock time, and the largest anonymous memory in units of 2**20 bytes.
    """
    watch = Watch()
    watch.start()
    seconds = timed(function, *args)
    return seconds, watch.stop()


def write_rows(path, n_rows):
    """Write Gaussian blobs to a file, by blocks.

    Parameters
    ----------
    path : path-like
        A ``.npy`` file.
    n_rows : int
        Number of rows.
    """
    rng = np.random.default_rng(0)
    centers = rng.normal(size=(N_CENTERS, N_FEATURES)).astype(np.float32)
    shape = n_rows, N_FEATURES
    rows = np.lib.format.open_memmap(path, "w+", dtype=np.float32, shape=shape)
    for start in range(0, n_rows, BLOCK_ROWS):
        block = rows[start : start + BLOCK_ROWS]
        block[:] = rng.standard_normal(block.shape, dtype=np.float32)
        block += centers[rng.integers(N_CENTERS, size=len(block))]
    rows.flush()


def fit_one(results, path, data, setting, n_rows, n_clusters, start, threads, device):
    """Fit and predict in this process, and write the line.

    Parameters
    ----------
    results : path-like
        Of the lines.
    path : path-like
        Of the memory map.
    data, setting : str
        Names in the line.
    n_rows, n_clusters : int
        Rows of the map to take, and clusters to find.
    start : str
        The `init`.
    threads : int or None
        Number of threads.
    device : str
        Where to train.
    """
    set_threads(threads)
    X = np.load(path, mmap_mode="r")[:n_rows]
    model = GaussianMixtureVAE(
        n_clusters,
        encoder=MLP((128,)),
        init=start,
        max_iter=N_EPOCHS,
        batch_size=256,
        device=device,
        random_state=0,
    )
    before = process_memory("RssAnon")
    seconds, fit_mb = watched(model.fit, X)
    predict_seconds, predict_mb = watched(model.predict, X)
    Runs(results).record(
        data,
        setting,
        0,
        seconds=seconds,
        n_rows=n_rows,
        n_clusters=n_clusters,
        fit_mb=fit_mb - before,
        predict_seconds=predict_seconds,
        predict_mb=predict_mb - before,
        device=device_name(model),
    )


def main(argv=None):
    """Run the rows that the command line names.

    Parameters
    ----------
    argv : list of str or None, default=None
        Arguments; None takes those of the process.
    """
    options = timing_parser(__doc__.splitlines()[0])
    options.add_argument("--rows", type=choices(tuple(ROWS)), default=list(ROWS))
    options.add_argument("--starts", type=choices(STARTS), default=list(STARTS))
    options.add_argument("--device", default="auto")
    args = options.parse_args(argv)
    results = args.results / "growth.jsonl"
    runs = Runs(results)
    tasks = [
        (data, f"{n_rows} rows, K = {n_clusters}, {start}", n_rows, n_clusters, start)
        for data in args.rows
        for start in args.starts
        for n_rows, n_clusters in ROWS[data]
    ]
    tasks = [task for task in tasks if not runs.done(*task[:2], 0)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.npy"
        write_rows(path, max((task[2] for task in tasks), default=0))
        for task in tasks:
            alone(fit_one, results, path, *task, args.threads, args.device)


if __name__ == "__main__":
    main()
