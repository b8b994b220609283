"""
Five arcs: what the information constraint is for
=================================================

A Gaussian mixture variational autoencoder bends its clusters to the shape of the data:
five arcs of circles become five Gaussians in its latent space. Trained from random
weights by the plain lower bound, however, it may merge them all. This example shows
both, after Figures 2 and 3 of the paper [1]_, with a Gaussian mixture beside it.
"""

# %%
# The data
# --------
# Ten thousand points on five arcs. No arc is near a Gaussian.

import matplotlib.pyplot as plt
import numpy as np
import torch
from scipy.special import rel_entr
from sklearn.base import clone
from sklearn.mixture import GaussianMixture

from skdeepmix import GaussianMixtureVAE
from skdeepmix.datasets import make_arcs
from skdeepmix.metrics import clustering_accuracy, posterior_mutual_information
from skdeepmix.networks import MLP

X, y = make_arcs(10000, random_state=0)

# %%
# Two fits
# --------
# The networks are those of the paper: two hidden layers of 120 units and two latent
# dimensions. ``init="random"`` is the method as printed, with neither pre-training nor
# a start. Nothing but `min_information` sets the two fits apart.
#
# A callback of scikit-learn looks at the model after every epoch. It notes the
# divergence of the responsibilities from the mixing weights, the z-prior term of the
# bound at the posterior means (Eq. 6 of [1]_, there with the opposite sign), and keeps
# the model as it is after the tenth.


class Recorder:
    """Record the z-prior term of every epoch, and keep an early model."""

    def __init__(self, early):
        self.early = early
        self.z_prior = []

    def setup(self, estimator, context):
        """Do nothing before the fit."""

    def on_fit_task_begin(self, estimator, context):
        """Do nothing before an epoch."""

    def on_fit_task_end(self, estimator, context, *, X, fitted_estimator):
        """Look at the model as it is after an epoch."""
        if context.task_name == "epoch":
            resp = fitted_estimator.predict_proba(X)
            self.z_prior.append(rel_entr(resp, 1 / resp.shape[1]).sum(axis=1).mean())
            if len(self.z_prior) == self.early:
                self.early_model = fitted_estimator

    def teardown(self, estimator, context):
        """Do nothing after the fit."""


constrained = GaussianMixtureVAE(
    n_clusters=5,
    n_latent=2,
    n_latent_prior=2,
    encoder=MLP((120, 120)),
    init="random",
    beta=1.0,
    max_iter=100,
    batch_size=200,
    n_iter_no_change=100,
    min_information=1.0,
    random_state=0,
)
plain = clone(constrained).set_params(min_information=0.0)
models = {"without constraint": plain, "with constraint": constrained}
recorders = {name: Recorder(early=10) for name in models}

for name, model in models.items():
    model.set_callbacks(recorders[name]).fit(X)
    print(
        f"{name}: accuracy {clustering_accuracy(y, model.labels_):.3f}, information "
        f"{posterior_mutual_information(model.predict_proba(X)):.3f} nats"
    )

# %%
# Without the constraint the responsibilities of all rows are equal: their information
# is zero, and the largest of five nearly equal numbers is no cluster, even though by
# such labels some arcs seem to be found.

# %%
# Samples
# -------
# The mixture density in the space of the data. `observation_noise` adds the noise of
# the likelihood to what the decoder returns. A mixture of five Gaussians with full
# covariances has to cover each arc by an ellipse.

gmm = GaussianMixture(n_components=5, n_init=5, random_state=0).fit(X)
panels = {
    "Data": (X, y),
    "GaussianMixtureVAE": constrained.sample(5000, observation_noise=True),
    "GaussianMixture": gmm.sample(5000),
}

fig, axes = plt.subplots(
    1, 3, figsize=(10, 3.6), sharex=True, sharey=True, layout="constrained"
)
for ax, (title, (points, clusters)) in zip(axes, panels.items(), strict=True):
    ax.scatter(*points.T, c=clusters, cmap="tab10", vmax=9, s=2, linewidths=0)
    ax.set(title=title, aspect="equal", xticks=[], yticks=[])
plt.show()

# %%
# Latent space
# ------------
# Codes, coloured by the true arc, and the components of the prior at w = 0: ellipses
# at two standard deviations. Without the constraint the five components lie on top of
# one another, so that no cluster can be read off the posterior. With it they are left
# alone until they are apart, and then each takes an arc, which the networks have
# straightened.


def plot_latent_space(ax, model):
    """Draw codes and components."""
    ax.scatter(*model.transform(X).T, c=y, cmap="tab10", vmax=9, s=2, linewidths=0)
    with torch.inference_mode():
        means, log_vars = model.module_.mixture(torch.zeros(2))
    angle = np.linspace(0, 2 * np.pi, 100)
    circle = np.stack([np.cos(angle), np.sin(angle)])
    scales = (0.5 * log_vars).exp().numpy()
    for mean, scale in zip(means.numpy(), scales, strict=True):
        ax.plot(*(mean[:, None] + 2 * scale[:, None] * circle), "k", linewidth=1.2)


panels = {
    "without constraint": plain,
    "with constraint, epoch 10": recorders["with constraint"].early_model,
    "with constraint, at the end": constrained,
}
fig, axes = plt.subplots(1, 3, figsize=(10, 3.6), layout="constrained")
for ax, (title, model) in zip(axes, panels.items(), strict=True):
    plot_latent_space(ax, model)
    ax.set(title=title, xticks=[], yticks=[])
plt.show()

# %%
# The z-prior term
# ----------------
# Over-regularisation by Eq. 6: the plain bound pays for every nat that the
# responsibilities are away from equal ones, so early in the fit, when the clusters do
# not yet help the reconstruction, it is cheapest to merge them; the term falls to zero
# and stays there. With the constraint, ``max(min_information, term)`` of Eq. 7, there
# is nothing to gain below the dotted line.

fig, ax = plt.subplots(figsize=(7, 3.4), layout="constrained")
for name, recorder in recorders.items():
    epochs = np.arange(1, len(recorder.z_prior) + 1)
    ax.plot(epochs, recorder.z_prior, label=name)
ax.axhline(
    constrained.min_information, color="grey", linestyle=":", label="min_information"
)
ax.axhline(np.log(5), color="grey", linewidth=0.8, label="log K: certain, even")
ax.set(xlabel="epoch", ylabel="z-prior term (nats)")
ax.legend(loc="center right")
plt.show()

# %%
# .. rubric:: References
#
# .. [1] Dilokthanakul, Mediano, Garnelo, Lee, Salimbeni, Arulkumaran, Shanahan, "Deep
#    unsupervised clustering with Gaussian mixture variational autoencoders",
#    arXiv:1611.02648, 2016.
