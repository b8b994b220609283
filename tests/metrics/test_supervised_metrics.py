from itertools import permutations, product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from skdeepmix.metrics import clustering_accuracy, makhzani_accuracy, purity_score

CLASSES = ["cat", "cat", "cat", "dog", "dog", "owl"]
PARTITION_SCORES = [clustering_accuracy, purity_score]


@st.composite
def label_pairs(draw, max_label=3):
    """Classes and clusters of the same rows."""
    n_samples = draw(st.integers(1, 20))
    labels = st.lists(st.integers(0, max_label), min_size=n_samples, max_size=n_samples)
    return np.array(draw(labels)), np.array(draw(labels))


@st.composite
def posteriors(draw):
    """Classes and normalised posteriors of the same rows, without exact ties."""
    n_samples, n_clusters = draw(st.integers(1, 15)), draw(st.integers(2, 4))
    rng = np.random.RandomState(draw(st.integers(0, 2**16)))
    proba = rng.dirichlet(np.ones(n_clusters), size=n_samples)
    return rng.randint(3, size=n_samples), proba


def naive_accuracy(labels_true, labels_pred):
    """Best share of agreement over all one-to-one maps, by trying each."""
    n_labels = max(labels_true.max(), labels_pred.max()) + 1
    maps = (np.array(m) for m in permutations(range(n_labels)))
    return max(np.mean(m[labels_pred] == labels_true) for m in maps)


def naive_purity(labels_true, labels_pred):
    """Best share of agreement over all maps, by trying each."""
    n_clusters, n_classes = labels_pred.max() + 1, labels_true.max() + 1
    maps = (np.array(m) for m in product(range(n_classes), repeat=n_clusters))
    return max(np.mean(m[labels_pred] == labels_true) for m in maps)


def naive_makhzani(labels_true, proba):
    """The protocol, one cluster at a time."""
    n_right = 0
    for k in range(proba.shape[1]):
        surest = max(range(len(proba)), key=lambda i: proba[i, k])
        members = [i for i in range(len(proba)) if np.argmax(proba[i]) == k]
        n_right += sum(labels_true[i] == labels_true[surest] for i in members)
    return n_right / len(proba)


@given(label_pairs())
def test_clustering_accuracy_is_the_best_one_to_one_map(pair):
    assert_allclose(clustering_accuracy(*pair), naive_accuracy(*pair))


@given(label_pairs())
def test_purity_is_the_best_map(pair):
    assert_allclose(purity_score(*pair), naive_purity(*pair))


@given(posteriors())
def test_makhzani_accuracy_follows_the_protocol(case):
    assert_allclose(makhzani_accuracy(*case), naive_makhzani(*case))


@given(label_pairs())
def test_purity_is_not_below_clustering_accuracy(pair):
    assert purity_score(*pair) >= clustering_accuracy(*pair)


@given(posteriors())
def test_makhzani_accuracy_is_not_above_purity(case):
    labels_true, proba = case
    assert makhzani_accuracy(*case) <= purity_score(labels_true, proba.argmax(1))


@pytest.mark.parametrize("score", PARTITION_SCORES)
@given(pair=label_pairs(), order=st.permutations(range(4)))
def test_names_of_clusters_and_classes_do_not_matter(score, pair, order):
    labels_true, labels_pred = pair
    renamed_classes = np.array(["w", "x", "y", "z"])[labels_true]
    renamed_clusters = np.array(order)[labels_pred]
    assert score(renamed_classes, renamed_clusters) == score(labels_true, labels_pred)


@pytest.mark.parametrize("score", PARTITION_SCORES)
@given(pair=label_pairs(), data=st.data())
def test_order_of_rows_does_not_matter(score, pair, data):
    labels_true, labels_pred = pair
    rows = np.array(data.draw(st.permutations(range(len(labels_true)))))
    assert score(labels_true[rows], labels_pred[rows]) == score(*pair)


@given(case=posteriors(), data=st.data())
def test_makhzani_accuracy_ignores_the_order_of_rows_and_clusters(case, data):
    labels_true, proba = case
    rows = np.array(data.draw(st.permutations(range(proba.shape[0]))))
    clusters = np.array(data.draw(st.permutations(range(proba.shape[1]))))
    shuffled = makhzani_accuracy(labels_true[rows], proba[rows][:, clusters])
    assert shuffled == makhzani_accuracy(labels_true, proba)


@pytest.mark.parametrize("score", PARTITION_SCORES)
@given(pair=label_pairs())
def test_perfect_labels_give_1(score, pair):
    assert score(pair[0], 7 - pair[0]) == 1


def test_certain_perfect_posteriors_give_1():
    assert makhzani_accuracy([0, 1, 2, 1], np.eye(3)[[2, 0, 1, 0]]) == 1


@given(pair=label_pairs())
def test_purity_does_not_fall_when_clusters_are_split(pair):
    labels_true, labels_pred = pair
    split = 2 * labels_pred + np.arange(len(labels_pred)) % 2
    assert purity_score(labels_true, split) >= purity_score(labels_true, labels_pred)


def test_clusters_left_over_count_as_wrong():
    assert clustering_accuracy(CLASSES, [0, 0, 1, 2, 3, 4]) == pytest.approx(4 / 6)


def test_classes_left_over_count_as_wrong():
    assert clustering_accuracy(CLASSES, [0, 0, 0, 1, 1, 1]) == pytest.approx(5 / 6)


def test_one_row_names_a_cluster_in_the_makhzani_protocol():
    # The surest row is the odd one out: purity 2 / 3, Makhzani 1 / 3.
    proba = [[0.7, 0.3], [0.7, 0.3], [0.9, 0.1]]
    assert makhzani_accuracy(["a", "a", "b"], proba) == pytest.approx(1 / 3)


def test_ties_in_the_makhzani_protocol_go_to_the_first_row():
    proba = [[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]]
    assert makhzani_accuracy(["b", "a", "a"], proba) == pytest.approx(1 / 3)


@pytest.mark.parametrize("score", PARTITION_SCORES)
@pytest.mark.parametrize(
    "labels_true",
    [
        CLASSES,
        np.array(CLASSES, dtype=object),
        pd.Series(CLASSES, dtype="category"),
        [0.5, 0.5, 0.5, 1.5, 1.5, 2.5],
        np.array([[1], [1], [1], [-2], [-2], [9]]),
    ],
    ids=["strings", "objects", "categories", "floats", "column"],
)
def test_labels_of_any_type(score, labels_true):
    assert score(labels_true, [4, 4, 4, 7, 7, 7]) == pytest.approx(5 / 6)


def test_purity_takes_as_many_clusters_as_rows():
    # The dense table would take 80 GB.
    rows = np.arange(100_000)
    assert purity_score(rows, rows) == 1


@pytest.mark.parametrize("score", PARTITION_SCORES)
def test_a_python_float_comes_out(score):
    assert type(score(CLASSES, CLASSES)) is float
    assert type(makhzani_accuracy([0, 1], np.eye(2))) is float


BAD_PAIRS = [
    ([0, 1], [0], r"inconsistent numbers of samples: \[2, 1\]"),
    ([], [], "Found array with 0 sample"),
    ([[0, 1]], [0], r"1d array, got an array of shape \(1, 2\)"),
    ([0.0, np.nan], [0, 1], "Input labels_true contains NaN"),
    (["a", None], [0, 1], "Input labels_true has missing values"),
    (pd.Series(["a", None], dtype="string"), [0, 1], "labels_true has missing values"),
    (pd.Series([1, None], dtype="Int64"), [0, 1], "labels_true contains NaN"),
]


@pytest.mark.parametrize("score", PARTITION_SCORES)
@pytest.mark.parametrize(("labels_true", "labels_pred", "message"), BAD_PAIRS)
def test_bad_labels(score, labels_true, labels_pred, message):
    with pytest.raises(ValueError, match=message):
        score(labels_true, labels_pred)


def test_makhzani_accuracy_wants_as_many_labels_as_rows():
    message = r"inconsistent numbers of samples: \[3, 2\]"
    with pytest.raises(ValueError, match=message):
        makhzani_accuracy([0, 1, 1], np.eye(2))


def test_makhzani_accuracy_wants_probabilities():
    message = (
        r"^Expected each row of proba to sum to 1 but row 1 sums to 3\. "
        r"Pass the output of predict_proba\.$"
    )
    with pytest.raises(ValueError, match=message):
        makhzani_accuracy([0, 1], [[1, 0], [1, 2]])
