"""
Samples of a chosen cluster
===========================

A clusterer that can also draw: for each cluster that
:class:`~skdeepmix.GaussianMixtureVAE` finds in scikit-learn's handwritten digits,
images that it generates from this cluster alone, next to images of the data that it
assigns to the cluster.
"""

# %%
# Fit
# ---
# 1,797 images of 8 x 8 pixels; default parameters but for the number of clusters. No
# class is seen by the fit.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from skdeepmix import GaussianMixtureVAE
from skdeepmix.metrics import clustering_accuracy

X, y = load_digits(return_X_y=True)
model = GaussianMixtureVAE(n_clusters=10, random_state=0).fit(X)
print(f"accuracy {clustering_accuracy(y, model.labels_):.3f} in {model.n_iter_} epochs")

# %%
# Draw
# ----
# ``cluster=k`` draws from cluster k; an array of labels gives row i from
# ``cluster[i]``, here eight images of each. What comes back is the mean of the decoder
# for freshly drawn latents, in the units of the data. The centre is the decoded mean
# of the cluster, and members are chosen from its rows at random.

N_SHOWN = 8
rng = np.random.RandomState(0)
generated, _ = model.sample(cluster=np.repeat(range(10), N_SHOWN), random_state=0)
members = [
    X[rng.choice(np.flatnonzero(model.labels_ == k), N_SHOWN)] for k in range(10)
]


def strip(images):
    """Put images of 8 x 8 pixels side by side, with a margin."""
    images = np.pad(np.reshape(images, (-1, 8, 8)), [(0, 0), (1, 1), (1, 1)])
    return np.concatenate(images, axis=1)


fig, axes = plt.subplots(
    10, 3, figsize=(9, 5.6), width_ratios=[1, N_SHOWN, N_SHOWN], layout="constrained"
)
for k in range(10):
    drawn = generated[k * N_SHOWN : (k + 1) * N_SHOWN]
    rows = [model.cluster_centers_[k], drawn, members[k]]
    for ax, images in zip(axes[k], rows, strict=True):
        ax.imshow(strip(images), cmap="gray_r", vmin=0, vmax=16)
        ax.set(xticks=[], yticks=[], frame_on=False)
    axes[k, 0].set_ylabel(f"{k}", rotation=0, ha="right", va="center")
for ax, title in zip(axes[0], ["centre", "generated", "members"], strict=True):
    ax.set_title(title)
plt.show()
