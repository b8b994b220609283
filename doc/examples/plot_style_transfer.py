"""
Style transfer between clusters
===============================

:class:`~skdeepmix.GumbelSoftmaxVAE` keeps the style of a row apart from its cluster.
Each row of the figure is the style of one image, read off it and drawn in all ten
clusters, after Figure 4(a) of Arias Figueroa and Ramírez Rivera (2017).
"""

# %%
# Fit
# ---
# Handwritten digits, without their classes.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from skdeepmix import GumbelSoftmaxVAE
from skdeepmix.metrics import clustering_accuracy

X, y = load_digits(return_X_y=True)
model = GumbelSoftmaxVAE(n_clusters=10, random_state=0).fit(X)
print(f"accuracy {clustering_accuracy(y, model.labels_):.3f}")

# %%
# Transfer
# --------
# On the left one image of each cluster, on the right the same style in every cluster;
# the frame is around the image's own.

rng = np.random.RandomState(1)
chosen = [rng.choice(np.flatnonzero(model.labels_ == k)) for k in range(10)]
transferred = model.style(X[chosen])

fig, axes = plt.subplots(10, 11, figsize=(6.6, 6), layout="constrained")
for k, (image, images) in enumerate(zip(X[chosen], transferred, strict=True)):
    for j, (ax, drawn) in enumerate(zip(axes[k], [image, *images], strict=True)):
        ax.imshow(drawn.reshape(8, 8), cmap="gray_r", vmin=0, vmax=16)
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(j == k + 1)
        ax.spines[:].set_color("tab:red")
axes[0, 0].set_title("image")
for k in range(10):
    axes[0, k + 1].set_title(f"{k}")
plt.show()
