"""
What the components of a mixture see
====================================

:class:`~skdeepmix.MixtureOfVAEs` has an autoencoder for every cluster. Each can
reconstruct a row alone, after Figure 2 of Ye and Bors (2020).
"""

# %%
# Fit
# ---
# Handwritten digits, without their classes.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from skdeepmix import MixtureOfVAEs
from skdeepmix.metrics import clustering_accuracy

X, y = load_digits(return_X_y=True)
model = MixtureOfVAEs(n_clusters=10, random_state=0).fit(X)
print(f"accuracy {clustering_accuracy(y, model.labels_):.3f}")

# %%
# Reconstruct
# -----------
# One image of each cluster, its reconstruction by the mixture, by every component
# alone, and samples of the component. The frame is around the likeliest component.

rng = np.random.RandomState(0)
rows = X[[rng.choice(np.flatnonzero(model.labels_ == k)) for k in range(10)]]
alone = [model.reconstruct(rows, component=k) for k in range(10)]
samples, _ = model.sample(cluster=np.repeat(range(10), 3), random_state=0)

fig, axes = plt.subplots(10, 15, figsize=(9, 6), layout="constrained")
for k in range(10):
    images = [rows[k], model.reconstruct(rows)[k], *(images[k] for images in alone)]
    images += [*samples[3 * k : 3 * k + 3]]
    for j, (ax, image) in enumerate(zip(axes[k], images, strict=True)):
        ax.imshow(image.reshape(8, 8), cmap="gray_r", vmin=0, vmax=16)
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(j == k + 2)
        ax.spines[:].set_color("tab:red")
for ax, title in zip(axes[0], ["image", "mixture", *range(10)], strict=False):
    ax.set_title(title, fontsize="small")
axes[0, 13].set_title("samples", fontsize="small")
plt.show()
