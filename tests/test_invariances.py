"""What must not matter, for every clusterer: order, batches, units and numbering."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.datasets import make_blobs
from sklearn.metrics import adjusted_rand_score
from torch.utils._python_dispatch import TorchDispatchMode

from skdeepmix import Autoencoder, _data
from skdeepmix.networks import MLP, ConvNet, ResNet
from skdeepmix.utils.discovery import all_estimators

CLUSTERERS = dict(all_estimators("cluster"))
X, y = make_blobs(90, centers=8 * np.eye(3, 4), cluster_std=0.7, random_state=0)

every_clusterer = pytest.mark.parametrize("cls", CLUSTERERS.values(), ids=CLUSTERERS)


def make_model(cls, **parameters):
    defaults = {
        "n_clusters": 3,
        "n_latent": 4,
        "encoder": MLP((16,)),
        # Half of them leave a row of some GumbelSoftmaxVAE undecided.
        "max_iter": 60,
        "batch_size": 20,
        "learning_rate": 1e-2,
        "random_state": 0,
    }
    return cls(**defaults | parameters)


@pytest.fixture(scope="module", params=CLUSTERERS.values(), ids=CLUSTERERS)
def model(request):
    return make_model(request.param).fit(X)


def test_separated_blobs_are_found(model):
    assert adjusted_rand_score(y, model.labels_) == 1


@given(seed=st.integers(0, 2**31))
def test_order_of_rows_does_not_matter_at_predict(model, seed):
    order = np.random.RandomState(seed).permutation(len(X))
    np.testing.assert_array_equal(model.predict(X[order]), model.labels_[order])
    for method in ("predict_proba", "score_samples", "transform"):
        np.testing.assert_allclose(
            getattr(model, method)(X[order]),
            getattr(model, method)(X)[order],
            rtol=1e-7,
            atol=1e-10,
        )


@given(n_rows=st.integers(1, 100))
def test_batch_size_does_not_matter_at_predict(model, n_rows):
    names = ("predict_proba", "score_samples", "transform")
    expected = [getattr(model, name)(X) for name in names]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_data, "BLOCK_ROWS", n_rows)
        found = [getattr(model, name)(X) for name in names]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-7, atol=1e-10)


def test_a_layer_never_holds_more_than_a_block(model, monkeypatch):
    module_class, sizes = type(model.module_), []
    log_resp = module_class.log_resp

    def noted(module, x):
        sizes.append(len(x) * module.width(X.shape[1]))
        return log_resp(module, x)

    monkeypatch.setattr(module_class, "log_resp", noted)
    monkeypatch.setattr(_data, "BLOCK_ELEMENTS", 500)
    np.testing.assert_array_equal(model.predict(X), model.labels_)
    assert len(sizes) > 2
    assert max(sizes) <= 500


class LargestResult(TorchDispatchMode):
    """Notes the number of elements of the largest result of an operation."""

    n_elements = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **kwargs or {})
        if isinstance(result, torch.Tensor):
            self.n_elements = max(self.n_elements, result.numel())
        return result


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@every_clusterer
def test_nothing_is_wider_than_the_width(cls):
    fitted = make_model(cls, n_clusters=30, max_iter=1, init="random").fit(X)
    module = fitted.module_
    rows = torch.zeros(4000, X.shape[1])  # too many for weights to matter
    with torch.inference_mode(), LargestResult() as largest:
        module.log_resp(rows)
        module.embed(rows)
    tile = 1024**2  # of kernel values, whatever the number of rows
    assert (
        len(rows)
        < largest.n_elements
        <= max(module.width(X.shape[1]) * len(rows), tile)
    )


@pytest.mark.parametrize("kind", [ConvNet, ResNet])
def test_images_are_as_wide_as_their_channels(kind):
    images = torch.rand(500, 64, generator=torch.Generator().manual_seed(0))
    encoder = kind((1, 8, 8), (8, 16))
    module = Autoencoder(encoder=encoder, max_iter=1).fit(images.numpy()).module_
    with torch.inference_mode(), LargestResult() as largest:
        module.decode(module.embed(images))
    bound = module.width(64) * len(images)
    assert bound / 8 <= largest.n_elements <= bound


@every_clusterer
@settings(max_examples=4)
@given(exponent=st.floats(-20, 20), offset=st.floats(-1e6, 1e6))
def test_scale_and_shift_leave_the_clusters(cls, exponent, offset):
    fitted = make_model(cls).fit(2.0**exponent * (X + offset))
    assert adjusted_rand_score(y, fitted.labels_) >= 0.99


@every_clusterer
@pytest.mark.parametrize("factor", [2.0**-20, 2.0**10])
def test_a_power_of_two_changes_units_and_nothing_else(cls, factor):
    plain, scaled = (
        make_model(cls, init=y, max_iter=5).fit(unit * X) for unit in (1, factor)
    )
    np.testing.assert_array_equal(scaled.labels_, plain.labels_)
    np.testing.assert_array_equal(
        scaled.predict_proba(factor * X), plain.predict_proba(X)
    )
    np.testing.assert_array_equal(scaled.transform(factor * X), plain.transform(X))
    np.testing.assert_array_equal(
        scaled.cluster_centers_, factor * plain.cluster_centers_
    )
    assert scaled.loss_curve_ == plain.loss_curve_
    for noise in (False, True):
        drawn, other = (
            model.sample(9, observation_noise=noise, random_state=1)[0]
            for model in (plain, scaled)
        )
        np.testing.assert_array_equal(other, factor * drawn)
    np.testing.assert_allclose(
        scaled.score_samples(factor * X), plain.score_samples(X) - 4 * np.log(factor)
    )


# One that is its own inverse, and one that could be taken for its inverse.
@pytest.mark.parametrize("permutation", [(1, 0, 2), (1, 2, 0)])
@every_clusterer
def test_permuted_labels_of_the_start_permute_the_clusters(cls, permutation):
    labels = np.array(permutation)[y]
    fitted = make_model(cls, init=labels).fit(X)
    assert (fitted.labels_ == labels).mean() > 0.97
    np.testing.assert_array_equal(fitted.predict(fitted.cluster_centers_), range(3))


@every_clusterer
def test_sparse_rows_give_the_fit_of_dense_rows(cls):
    rows = np.where(X > 1, X, 0)
    dense, of_sparse = (
        make_model(cls, init=y).fit(kind(rows))
        for kind in (np.asarray, sparse.csr_array)
    )
    np.testing.assert_array_equal(of_sparse.labels_, dense.labels_)
    for method in ("predict_proba", "score_samples"):
        np.testing.assert_allclose(
            getattr(dense, method)(sparse.csr_array(rows)), getattr(dense, method)(rows)
        )


@every_clusterer
def test_more_latents_than_features_leave_samples_in_their_clusters(cls):
    rows, classes = make_blobs(300, centers=8 * np.eye(3, 2), random_state=0)
    parameters = {"encoder": MLP((64, 64)), "n_latent": 6, "batch_size": 50}
    parameters |= {"learning_rate": 3e-3, "max_iter": 40, "init": classes}
    fitted = make_model(cls, **parameters).fit(rows)
    drawn, labels = fitted.sample(300, random_state=1)
    assert (fitted.predict(drawn) == labels).mean() > 0.95
    np.testing.assert_array_equal(fitted.predict(fitted.cluster_centers_), range(3))
