"""
Samples, reconstructions and walks
==================================

:class:`~skdeepmix.MPCC` generates rows of every cluster from its own part of the prior.
The figures show samples, rows beside what comes back of their latents, and walks
between two latents of one cluster, after Figures 2 to 4 of Astorga et al. (2020).
"""

# %%
# Fit
# ---
# Handwritten digits, without their classes.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from skdeepmix import MPCC
from skdeepmix.metrics import clustering_accuracy

X, y = load_digits(return_X_y=True)
model = MPCC(n_clusters=10, max_iter=200, random_state=0).fit(X)
print(f"accuracy {clustering_accuracy(y, model.labels_):.3f}")


def show(rows, title):
    """Draw a grid of images."""
    fig, axes = plt.subplots(
        len(rows), len(rows[0]), figsize=(6, 0.6 * len(rows)), layout="constrained"
    )
    for of_row, images in zip(axes, rows, strict=True):
        for ax, image in zip(of_row, images, strict=True):
            ax.imshow(image.reshape(8, 8), cmap="gray_r", vmin=0, vmax=16)
            ax.axis("off")
    fig.suptitle(title)


# %%
# Samples
# -------
# A column for every cluster.

samples = [model.sample(8, cluster=k, random_state=0)[0] for k in range(10)]
show(np.swapaxes(samples, 0, 1), "samples, a column per cluster")

# %%
# Reconstructions
# ---------------
# One image of every cluster, and what the generator makes of its latents.

rng = np.random.RandomState(0)
first, last = (
    np.array([rng.choice(np.flatnonzero(model.labels_ == k)) for k in range(10)])
    for _ in range(2)
)
rebuilt = model.inverse_transform(model.transform(X[first]))
show([X[first], rebuilt], "images and their reconstructions")

# %%
# Walks
# -----
# From the latents of one image to those of another of the same cluster.

ends = model.transform(X[first]), model.transform(X[last])
walk = [
    model.inverse_transform((1 - t) * ends[0] + t * ends[1])
    for t in np.linspace(0, 1, 8)
]
show(walk, "walks between two latents of a cluster")
plt.show()
