"""Whether bfloat16 costs accuracy: the default fit with it and without.

    python benchmarks/precision.py --data-home DIR [--rows usps]

appends to ``benchmarks/results/precision.jsonl`` and skips what is there;
``python benchmarks/tables.py`` makes the table of the documentation.
"""

import sys
from functools import partial
from pathlib import Path

from sklearn.datasets import load_digits

sys.path.insert(0, str(Path(__file__).resolve().parent))

from _papers import Row, Setting, generated, load, run_rows

from skdeepmix import GaussianMixtureVAE
from skdeepmix.datasets import fetch_pendigits, fetch_usps

NAME = "precision"
SEEDS = (0, 1, 2, 3, 4)
LOADERS = {
    "digits": partial(generated, partial(load_digits, return_X_y=True)),
    "usps": partial(load, fetch_usps),
    "pendigits": partial(load, fetch_pendigits),
}
ROWS = {
    name: Row(
        loader,
        tuple(
            Setting(precision, {"n_clusters": 10, "precision": precision}, SEEDS)
            for precision in ("float32", "bfloat16")
        ),
        (),
        every=20,
    )
    for name, loader in LOADERS.items()
}


def main(argv=None):
    """Run the rows that the command line names.

    Parameters
    ----------
    argv : list of str or None, default=None
        Arguments; None takes those of the process.
    """
    run_rows(__doc__, NAME, ROWS, GaussianMixtureVAE, argv)


if __name__ == "__main__":
    main()
