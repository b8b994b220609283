"""Figure of the mixture of networks: faces of Extended Yale B, four clusters.

    python benchmarks/papers/mixture_of_networks_faces.py --data-home DIR

writes ``doc/benchmarks/images/networks_yaleb.png``: a row of ten generated faces for
each cluster.
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from skdeepmix import MixtureOfNetworks
from skdeepmix.datasets import fetch_yaleb

ROOT = Path(__file__).resolve().parents[2]
FIGURE = ROOT / "doc" / "benchmarks" / "images" / "networks_yaleb.png"
N_CLUSTERS, N_FACES = 4, 10


def main(argv=None):
    """Fit, generate and save.

    Parameters
    ----------
    argv : list of str or None, default=None
        Arguments; None takes those of the process.
    """
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--data-home", metavar="DIR", help="folder with the data")
    args = options.parse_args(argv)
    X = fetch_yaleb(data_home=args.data_home).data.astype(np.float32) / 255
    model = MixtureOfNetworks(
        N_CLUSTERS, n_latent=32, likelihood="bernoulli", max_iter=60, random_state=0
    ).fit(X)
    clusters = np.repeat(np.arange(N_CLUSTERS), N_FACES)
    faces, _ = model.sample(cluster=clusters, random_state=0)
    figure, axes = plt.subplots(N_CLUSTERS, N_FACES, figsize=(N_FACES, N_CLUSTERS))
    for axis, face in zip(axes.flat, faces, strict=True):
        axis.imshow(face.reshape(32, 32), cmap="gray", vmin=0, vmax=1)
        axis.axis("off")
    figure.tight_layout(pad=0.2)
    FIGURE.parent.mkdir(exist_ok=True)
    figure.savefig(FIGURE, dpi=80)


if __name__ == "__main__":
    main()
