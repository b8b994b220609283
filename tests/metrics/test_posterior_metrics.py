import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.special import softmax
from scipy.stats import entropy
from sklearn.metrics import mutual_info_score

from skdeepmix.metrics import posterior_entropy, posterior_mutual_information

SCORES = [posterior_entropy, posterior_mutual_information]


@st.composite
def posteriors(draw):
    """Normalised rows, from almost even ones to certain ones with exact zeros."""
    shape = draw(st.integers(1, 30)), draw(st.integers(1, 6))
    scale = draw(st.sampled_from([0.01, 1.0, 30.0, 3000.0]))
    rng = np.random.RandomState(draw(st.integers(0, 2**16)))
    return softmax(rng.normal(scale=scale, size=shape), axis=1)


@given(posteriors())
def test_entropy_is_the_mean_of_scipys(proba):
    expected = np.mean([entropy(row) for row in proba])
    assert_allclose(posterior_entropy(proba), expected, atol=1e-12)


@given(posteriors())
def test_mutual_information_is_the_mean_divergence_from_the_marginal(proba):
    marginal = proba.mean(axis=0)
    expected = np.mean([entropy(row, marginal) for row in proba])
    assert_allclose(posterior_mutual_information(proba), expected, atol=1e-12)


def test_certain_posteriors_give_the_information_of_hard_labels():
    labels = np.array([0, 0, 2, 1, 2, 2, 1])
    # A row and its cluster: H(labels), as no row is uncertain.
    expected = mutual_info_score(np.arange(len(labels)), labels)
    assert_allclose(posterior_mutual_information(np.eye(3)[labels]), expected)


@pytest.mark.parametrize("score", SCORES)
@given(proba=posteriors())
def test_bounds(score, proba):
    assert 0 <= score(proba) <= np.log(proba.shape[1])


@pytest.mark.parametrize("score", SCORES)
@given(proba=posteriors(), data=st.data())
def test_order_of_rows_and_clusters_does_not_matter(score, proba, data):
    rows = data.draw(st.permutations(range(proba.shape[0])))
    clusters = data.draw(st.permutations(range(proba.shape[1])))
    assert_allclose(score(proba[rows][:, clusters]), score(proba), atol=1e-12)


@given(posteriors())
def test_the_two_add_up_to_the_entropy_of_the_marginal(proba):
    total = posterior_entropy(proba) + posterior_mutual_information(proba)
    assert_allclose(total, entropy(proba.mean(axis=0)), atol=1e-12)


@pytest.mark.parametrize("n_clusters", [2, 3, 10])
def test_balanced_certain_posteriors_reach_log_k(n_clusters):
    proba = np.tile(np.eye(n_clusters), (4, 1))
    assert_allclose(posterior_mutual_information(proba), np.log(n_clusters))
    assert posterior_entropy(proba) == 0


def test_collapse_to_one_cluster_has_no_information():
    proba = np.tile([0.0, 1.0, 0.0], (5, 1))
    assert posterior_mutual_information(proba) == 0
    assert posterior_entropy(proba) == 0


def test_even_posteriors_have_entropy_log_k_and_no_information():
    proba = np.full((5, 4), 0.25)
    assert_allclose(posterior_entropy(proba), np.log(4))
    assert posterior_mutual_information(proba) == 0


@pytest.mark.parametrize("score", SCORES)
def test_one_cluster_gives_0(score):
    assert score(np.ones((3, 1))) == 0


@pytest.mark.parametrize("score", SCORES)
def test_float32_posteriors_agree_with_float64(score):
    proba = np.random.RandomState(0).dirichlet(np.full(1000, 0.1), size=50)
    assert_allclose(score(proba.astype(np.float32)), score(proba), rtol=1e-6)


@pytest.mark.parametrize("score", SCORES)
def test_a_python_float_comes_out(score):
    assert type(score(np.eye(2))) is float


BAD_PROBA = [
    (
        np.log([[0.5, 0.5]]),
        r"^Expected proba >= 0 but got a smallest entry of -0\.693\. Pass the output "
        r"of predict_proba, not its logarithm\.$",
    ),
    (
        [[0.5, 0.5], [0.5, 0.25]],
        r"^Expected each row of proba to sum to 1 but row 1 sums to 0\.75\. Pass the "
        r"output of predict_proba\.$",
    ),
    ([[np.nan, 1.0]], "^Input proba contains NaN"),
    ([0.5, 0.5], "^Expected 2D array, got 1D array instead"),
    (np.empty((0, 2)), "^Found array with 0 sample"),
]


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize(("proba", "message"), BAD_PROBA)
def test_bad_posteriors(score, proba, message):
    with pytest.raises(ValueError, match=message):
        score(proba)
