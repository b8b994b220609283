"""Every estimator passes every check of scikit-learn on its default parameters.

Those that are not of what a fit finds take few epochs.
"""

import importlib
import os

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone, is_clusterer
from sklearn.utils import estimator_checks, get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks

from skdeepmix.networks import MLP
from skdeepmix.utils.discovery import all_estimators

ESTIMATORS = [cls() for _, cls in all_estimators()]
CLUSTERERS = [cls() for _, cls in all_estimators("cluster")]

# Some checks ask for four clusters of rows that have two or three.
pytestmark = pytest.mark.filterwarnings("ignore:(Number of|The clusters)")

# What sklearn/tests/test_common.py runs for scikit-learn's own estimators, and
# check_estimator leaves out.
LEFT_OUT_CHECKS = [
    estimator_checks.check_dataframe_column_names_consistency,
    estimator_checks.check_get_feature_names_out_error,
    estimator_checks.check_global_output_transform_pandas,
    estimator_checks.check_global_set_output_transform_polars,
    estimator_checks.check_inplace_ensure_writeable,
    estimator_checks.check_param_validation,
    estimator_checks.check_set_output_transform,
    estimator_checks.check_set_output_transform_pandas,
    estimator_checks.check_set_output_transform_polars,
    estimator_checks.check_transformer_get_feature_names_out,
    estimator_checks.check_transformer_get_feature_names_out_pandas,
]

# These look at what a fit finds, and at results that grow apart with its length: they
# take all epochs, but not again in a memory map. The others are of names, types,
# attributes and containers. Where they compare equal fits, those of other containers
# say, more epochs would show more, but test_neighbor_graph has what parted them; some
# of them fit a dozen times.
CHECKS_OF_FITS = [
    estimator_checks.check_clusterer_compute_labels_predict,
    estimator_checks.check_clustering,
    estimator_checks.check_fit2d_1feature,
    estimator_checks.check_fit2d_1sample,
    estimator_checks.check_fit_idempotent,
    estimator_checks.check_methods_sample_order_invariance,
    estimator_checks.check_methods_subset_invariance,
    estimator_checks.check_pipeline_consistency,
    estimator_checks.check_transformer_general,
    estimator_checks.check_transformer_n_iter,
]


def name_of(value):
    return getattr(value, "__name__", type(value).__name__)


def prepared(estimator, check, readonly_memmap=False, **_):
    """Take the defaults, but few epochs for a check that is not of the fit.

    Nor is a second run of one, on the same rows in a memory map.
    """
    of_fits = check in CHECKS_OF_FITS and not readonly_memmap
    few = {} if of_fits else {"max_iter": 5}
    return clone(estimator).set_params(**few)


@pytest.fixture
def no_skip(monkeypatch):
    """Turn a skip inside of a check, as for a package that is not installed, to red."""
    monkeypatch.setattr(estimator_checks, "SkipTest", AssertionError)


@parametrize_with_checks(ESTIMATORS)
def test_check_estimator(estimator, check):
    check(prepared(estimator, check.func, **check.keywords))


# Four of the checks fit on a frame and transform an array, and the other way round.
@pytest.mark.filterwarnings("ignore:X (has|does not have valid) feature names")
@pytest.mark.usefixtures("no_skip")
@pytest.mark.parametrize("check", LEFT_OUT_CHECKS, ids=name_of)
@pytest.mark.parametrize("estimator", ESTIMATORS, ids=name_of)
def test_check_that_check_estimator_leaves_out(estimator, check):
    check(type(estimator).__name__, prepared(estimator, check))


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=name_of)
def test_early_stopping_does_not_disturb_feature_names(estimator):
    # scikit-learn runs this check once more on estimators that predict during fit.
    if "n_iter_no_change" not in estimator.get_params():
        pytest.skip("It does not stop early.")
    impatient = clone(estimator).set_params(n_iter_no_change=1)
    estimator_checks.check_dataframe_column_names_consistency(
        type(estimator).__name__, impatient
    )


def test_nothing_that_checks_skip_without_is_missing():
    assert os.environ["SCIPY_ARRAY_API"] == "1"
    importlib.import_module("pandas")
    importlib.import_module("polars")


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=name_of)
def test_sparse_input_is_declared(estimator):
    assert get_tags(estimator).input_tags.sparse


@pytest.mark.parametrize("estimator", CLUSTERERS, ids=name_of)
def test_is_a_clusterer_with_four_clusters(estimator):
    assert is_clusterer(estimator)
    assert get_tags(estimator).estimator_type == "clusterer"
    assert estimator.n_clusters == 4


# Our own copy of check_estimator_sparse_array and check_estimator_sparse_matrix: theirs
# never sets n_clusters and wants exactly 4 columns.
@pytest.mark.parametrize("container", [sparse.csr_array, sparse.csr_matrix])
@pytest.mark.parametrize("estimator", CLUSTERERS, ids=name_of)
def test_sparse_containers_with_three_clusters(estimator, container):
    rng = np.random.RandomState(0)
    X = rng.uniform(size=(40, 3))
    X[X < 0.6] = 0
    model = clone(estimator).set_params(
        n_clusters=3, encoder=MLP((16,)), max_iter=5, random_state=0
    )
    dense = clone(model).fit(X)
    for name, rows in estimator_checks._generate_sparse_data(container(X)):
        model.fit(rows)
        assert model.predict(rows).shape == (40,), name
        proba = model.predict_proba(rows)
        assert proba.shape == (40, 3), name
        np.testing.assert_allclose(proba, dense.predict_proba(X), atol=1e-5)
        np.testing.assert_array_equal(model.labels_, model.predict(X))


@pytest.mark.parametrize("estimator", CLUSTERERS, ids=name_of)
def test_html_repr_of_a_fitted_model(estimator, capfd):
    X = np.random.RandomState(0).randn(20, 3)
    model = clone(estimator).set_params(encoder=MLP((8,)), max_iter=5, random_state=0)
    assert type(model).__name__ in model.fit(X)._repr_html_()
    assert capfd.readouterr() == ("", "")
