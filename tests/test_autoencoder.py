"""The autoencoder: what it reconstructs, against PCA and closed forms."""

import re

import numpy as np
import pytest
import torch
from scipy.stats import norm
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits, make_blobs
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score
from sklearn.pipeline import make_pipeline

from skdeepmix import Autoencoder
from skdeepmix.networks import MLP, ConvNet


def correlated_rows(n_samples=300, n_features=6, n_factors=2, noise=0.1):
    rng = np.random.RandomState(0)
    mixing = rng.randn(n_factors, n_features)
    factors = rng.randn(n_samples, n_factors)
    return factors @ mixing + noise * rng.randn(n_samples, n_features) + 3


def make_model(**parameters):
    defaults = {
        "n_latent": 2,
        "encoder": MLP((32,)),
        "max_iter": 40,
        "batch_size": 20,
        "random_state": 0,
    }
    return Autoencoder(**defaults | parameters)


def mean_square(X, reconstructed):
    return np.mean((X - reconstructed) ** 2)


def test_linear_autoencoder_reconstructs_as_pca_does():
    X = correlated_rows()
    # Enough steps for the optimum, which is convex but for rotations.
    model = make_model(
        encoder=MLP(()), max_iter=200, learning_rate=0.01, n_iter_no_change=200
    ).fit(X)
    found = mean_square(X, model.inverse_transform(model.transform(X)))
    pca = PCA(2).fit(X)
    best = mean_square(X, pca.inverse_transform(pca.transform(X)))
    assert best <= found * (1 + 1e-6)
    assert found < 1.02 * best


def test_score_samples_is_the_gaussian_likelihood_in_data_units():
    X = 5 * correlated_rows()
    model = make_model().fit(X)
    reconstructed = model.inverse_transform(model.transform(X))
    scale = model.module_.likelihood.log_scale.exp().item() * model._scaling.scale
    expected = norm.logpdf(X, reconstructed, scale).sum(1)
    np.testing.assert_allclose(model.score_samples(X), expected, rtol=1e-4)
    assert model.score(X) == pytest.approx(expected.mean(), rel=1e-4)


def test_score_samples_is_the_cross_entropy_of_bits():
    X = (np.random.RandomState(0).uniform(size=(60, 8)) > 0.5).astype(float)
    model = make_model(likelihood="bernoulli", max_iter=5).fit(X)
    p = model.inverse_transform(model.transform(X))
    expected = (X * np.log(p) + (1 - X) * np.log1p(-p)).sum(1)
    np.testing.assert_allclose(model.score_samples(X), expected, rtol=1e-5)


@pytest.mark.parametrize("factor", [1e-3, 1e4])
def test_rescaled_rows_give_the_same_codes(factor):
    X = correlated_rows(100).astype(np.float32)
    codes = make_model(max_iter=3).fit_transform(X)
    rescaled = make_model(max_iter=3).fit_transform(factor * X)
    np.testing.assert_allclose(codes, rescaled, atol=2e-2)


def test_bounded_codes_lie_between_zero_and_one():
    X = correlated_rows()
    codes = make_model(bounded=True).fit_transform(X)
    assert 0 < codes.min() < codes.max() < 1


def test_training_on_noisy_rows_reconstructs_noisy_rows_better():
    X = load_digits().data[:400] / 16
    noisy = X + 0.5 * X.std() * np.random.RandomState(1).randn(*X.shape)
    errors = {}
    for denoising in (0.0, 0.5):
        model = make_model(n_latent=16, denoising=denoising, encoder=MLP((128,))).fit(X)
        restored = model.inverse_transform(model.transform(noisy))
        errors[denoising] = mean_square(X, restored)
    assert errors[0.5] < 0.9 * errors[0.0]


def test_noise_is_for_training_alone():
    X = correlated_rows(50)
    model = make_model(denoising=2.0, max_iter=2).fit(X)
    np.testing.assert_array_equal(model.transform(X), model.transform(X))


def test_longer_codes_reconstruct_better():
    X = load_digits().data[:400]
    scores = [make_model(n_latent=n).fit(X).score(X) for n in (1, 4, 16)]
    assert scores == sorted(scores)


def test_images_through_a_convolutional_network():
    X = load_digits().data[:200] / 16
    spec = ConvNet((1, 8, 8), channels=(8,), n_hidden=32)
    model = make_model(encoder=spec, likelihood="bernoulli", max_iter=60).fit(X)
    reconstructed = model.inverse_transform(model.transform(X))
    assert mean_square(X, reconstructed) < 0.8 * X.var(axis=0).mean()


def test_codes_in_a_pipeline_are_clustered():
    X, y = make_blobs(150, n_features=20, centers=3, random_state=0)
    pipeline = make_pipeline(make_model(), KMeans(3, random_state=0))
    assert adjusted_rand_score(y, pipeline.fit_predict(X)) == 1
    assert clone(pipeline).get_params()["autoencoder__n_latent"] == 2


def test_an_int_gives_the_same_networks_twice():
    X = correlated_rows(60)
    first, again = (make_model(max_iter=2, denoising=0.1).fit(X) for _ in range(2))
    for name, value in first.module_.state_dict().items():
        assert torch.equal(value, again.module_.state_dict()[name]), name


def test_names_of_the_codes():
    model = make_model(max_iter=1).fit(correlated_rows(30))
    assert list(model.get_feature_names_out()) == ["autoencoder0", "autoencoder1"]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (
            {"denoising": -1.0},
            "The 'denoising' parameter of Autoencoder must be a float in the range "
            "[0.0, inf). Got -1.0 instead.",
        ),
        (
            {"likelihood": "bernoulli"},
            "likelihood='bernoulli' needs X in [0, 1], but X ranges from ",
        ),
        (
            {"encoder": ConvNet((1, 4, 4))},
            "The 'image_shape' parameter of ConvNet has 16 elements, but its rows "
            "have 6 features.",
        ),
    ],
    ids=lambda value: "" if isinstance(value, str) else next(iter(value)),
)
def test_mistakes_are_named(parameters, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        make_model(**parameters).fit(correlated_rows(30))


@pytest.mark.parametrize(
    ("n_samples", "batch_size", "layers"),
    [
        (50, 50, (128, 128)),
        (999, 100, (128, 128)),
        (1000, 100, (500, 500)),
        (2800, 200, (500, 500)),
        (4999, 256, (500, 500)),
        (5000, 256, (500, 500, 2000)),
    ],
)
def test_defaults_grow_with_the_number_of_rows(n_samples, batch_size, layers):
    model = Autoencoder()
    assert model._batch_size(n_samples) == batch_size
    assert model._spec(model.encoder, n_samples).hidden_layer_sizes == layers
