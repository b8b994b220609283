"""Scores by the graph of nearest neighbours, and scorers without classes."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits, make_blobs
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV

from skdeepmix.metrics import (
    clustering_accuracy,
    compression_score,
    compression_scorer,
    entropy_scorer,
    modularity_score,
    modularity_scorer,
    mutual_information_scorer,
    posterior_entropy,
    posterior_mutual_information,
)

SCORES = [compression_score, modularity_score]
SCORERS = {compression_scorer: compression_score, modularity_scorer: modularity_score}


@pytest.fixture(scope="module")
def blobs():
    return make_blobs(120, centers=30 * np.eye(4), random_state=0)


@pytest.mark.parametrize("score", SCORES)
def test_apart_clusters_score_best(score, blobs):
    X, y = blobs
    shuffled = np.random.RandomState(0).permutation(y)
    merged = np.minimum(y, 2)
    assert score(X, y) > score(X, merged) > score(X, shuffled)
    assert score(X, np.zeros(120)) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("score", SCORES)
@given(data=st.data())
def test_names_of_clusters_do_not_matter(score, blobs, data):
    X, y = blobs
    names = np.array(data.draw(st.permutations(["a", "b", "c", "d"])))
    assert score(X, names[y]) == pytest.approx(score(X, y))


@pytest.mark.parametrize("score", SCORES)
def test_order_of_rows_and_units_do_not_matter(score, blobs):
    X, y = blobs
    order = np.random.RandomState(0).permutation(len(X))
    expected = score(X, y)
    assert score(X[order], y[order]) == pytest.approx(expected, rel=1e-6)
    assert score(1000 * X - 1e8, y) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("score", SCORES)
def test_sparse_rows_score_as_dense_ones(score, blobs):
    X, y = blobs
    X = np.where(np.abs(X) > 1, X, 0)
    assert score(sparse.csr_array(X), y) == pytest.approx(score(X, y), rel=1e-6)


@pytest.mark.parametrize("score", SCORES)
def test_as_many_labels_as_rows_are_asked_for(score, blobs):
    X, y = blobs
    message = "Found input variables with inconsistent numbers of samples: [120, 119]"
    with pytest.raises(ValueError, match=re.escape(message)):
        score(X, y[:-1])


@pytest.mark.parametrize("score", SCORES)
def test_labels_that_are_nan(score, blobs):
    X, _ = blobs
    with pytest.raises(ValueError, match=re.escape("Input labels contains NaN")):
        score(X, np.full(len(X), np.nan))


@pytest.mark.parametrize("score", SCORES)
def test_a_row_needs_a_neighbor(score, blobs):
    with pytest.raises(ValueError, match="^n_neighbors == 0, must be >= 1"):
        score(*blobs, n_neighbors=0)
    with pytest.raises(TypeError, match="^n_neighbors must be an instance of int"):
        score(*blobs, n_neighbors="15")


@pytest.mark.parametrize("score", SCORES)
def test_two_rows_have_no_graph(score):
    with pytest.raises(ValueError, match="Found array with 2 sample"):
        score([[0.0], [1.0]], [0, 1])


def test_better_clusters_of_digits_score_better():
    X, y = load_digits(return_X_y=True)
    fits = [KMeans(10, max_iter=n, random_state=n).fit_predict(X) for n in (1, 3, 50)]
    labels = [y, *fits, np.random.RandomState(0).randint(10, size=len(y))]
    truth = np.argsort([clustering_accuracy(y, found) for found in labels])
    assert truth[0] == 4
    for score in SCORES:
        order = np.argsort([score(X, found) for found in labels])
        assert order[0] == 4
        assert order[-1] == 0


@pytest.mark.parametrize("scorer", SCORERS)
def test_scorers_score_what_is_predicted(scorer, blobs):
    X, _ = blobs
    kmeans = KMeans(4, n_init=10, random_state=0).fit(X)
    assert scorer(kmeans, X) == SCORERS[scorer](X, kmeans.labels_)


def test_scorers_of_posteriors(blobs):
    X, _ = blobs
    mixture = GaussianMixture(4, random_state=0).fit(X)
    proba = mixture.predict_proba(X)
    assert mutual_information_scorer(mixture, X) == posterior_mutual_information(proba)
    assert entropy_scorer(mixture, X) == -posterior_entropy(proba)


def test_modularity_chooses_the_number_of_clusters(blobs):
    X, _ = blobs
    search = GridSearchCV(
        KMeans(n_init=10, random_state=0),
        {"n_clusters": [2, 3, 4, 5, 8]},
        scoring=modularity_scorer,
        cv=2,
    ).fit(X)
    assert search.best_params_ == {"n_clusters": 4}
