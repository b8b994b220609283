import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from sklearn.metrics import adjusted_rand_score

from skdeepmix.metrics import label_agreement


@given(st.integers(0, 1000), st.integers(2, 5))
def test_agreement_equals_a_naive_loop(seed, n_clusterings):
    labels = np.random.RandomState(seed).randint(3, size=(n_clusterings, 12))
    expected = [
        np.mean(
            [
                adjusted_rand_score(labels[i], labels[j])
                for j in range(n_clusterings)
                if j != i
            ]
        )
        for i in range(n_clusterings)
    ]
    assert_allclose(label_agreement(list(labels)), expected, atol=1e-12)


def test_two_clusterings_agree_with_each_other_alike():
    first, second = label_agreement([[0, 0, 1, 1, 2], [0, 1, 1, 1, 2]])
    assert first == second


def test_names_of_clusters_do_not_matter():
    assert_allclose(label_agreement([[0, 0, 1], ["b", "b", "a"]]), 1)


def test_a_single_clustering_agrees_with_nobody():
    message = (
        "Expected at least 2 clusterings but got 1. Pass a list of labels, one array "
        "for every fit."
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        label_agreement([[0, 1]])


def test_clusterings_of_different_rows_are_not_compared():
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        label_agreement([[0, 1], [0, 1, 1]])
