import inspect
from dataclasses import replace
from urllib.error import URLError

import numpy as np
import pytest
import sklearn.datasets
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array, issparse
from sklearn.utils import Bunch

from skdeepmix import datasets
from skdeepmix.datasets import _fetchers
from skdeepmix.datasets._descriptions import DESCRIPTIONS

FROM_OPENML = [name for name in DESCRIPTIONS if DESCRIPTIONS[name].openml_id]
FROM_FILE_ONLY = [name for name in DESCRIPTIONS if name not in FROM_OPENML]
IMAGES = [name for name in DESCRIPTIONS if DESCRIPTIONS[name].image_shape]

LABELS = np.array([0, 1, 2, 1], dtype=np.uint8)
SPLIT = np.array([0, 0, 1, 1], dtype=np.uint8)


def fetch(name, data_home, **kwargs):
    return getattr(datasets, f"fetch_{name}")(data_home=data_home, **kwargs)


def has_subsets(name):
    function = getattr(datasets, f"fetch_{name}")
    return "subset" in inspect.signature(function).parameters


def raw_rows(name, n_samples=4):
    """Dense rows of the right dtype, many zeros."""
    about = DESCRIPTIONS[name]
    rows = np.random.RandomState(0).randint(2, size=(n_samples, about.n_features))
    return rows.astype(about.dtype)


def file_arrays(name):
    """What the file of a data set holds."""
    about, rows = DESCRIPTIONS[name], raw_rows(name)
    if about.image_shape is not None:
        rows = rows.reshape(-1, *about.image_shape[1:])
    arrays = {"X": rows, "y": LABELS}
    if about.sparse:
        X = csr_array(rows)
        arrays = {
            "data": X.data,
            "indices": X.indices.astype(np.uint16),
            "indptr": X.indptr,
            "shape": X.shape,
            "y": LABELS,
        }
    return {**arrays, "split": SPLIT} if has_subsets(name) else arrays


def write(folder, name, **changes):
    arrays = {**file_arrays(name), **changes}
    kept = {key: value for key, value in arrays.items() if value is not None}
    np.savez(folder / DESCRIPTIONS[name].file, **kept)


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def refuse(**kwargs):
        raise URLError("no network in tests")

    monkeypatch.setattr(_fetchers, "fetch_openml", refuse)


@pytest.fixture
def openml(monkeypatch):
    """Put an answer in the place of OpenML's, and note what is asked for."""
    calls = []

    def answer(data, target):
        def fake(**kwargs):
            calls.append(kwargs)
            return Bunch(data=data, target=target)

        monkeypatch.setattr(_fetchers, "fetch_openml", fake)
        return calls

    return answer


@pytest.mark.parametrize("name", DESCRIPTIONS)
def test_rows_and_labels_of_the_file(name, tmp_path):
    write(tmp_path, name)
    bunch = fetch(name, tmp_path)
    data = bunch.data.toarray() if issparse(bunch.data) else bunch.data
    assert_array_equal(data, raw_rows(name))
    assert data.dtype == DESCRIPTIONS[name].dtype
    assert_array_equal(bunch.target, LABELS)
    assert bunch.target.dtype == np.int64


@pytest.mark.parametrize("name", DESCRIPTIONS)
def test_a_bunch_says_what_it_is_and_where_it_came_from(name, tmp_path):
    write(tmp_path, name)
    bunch = fetch(name, tmp_path)
    assert bunch.DESCR.startswith(DESCRIPTIONS[name].title)
    assert DESCRIPTIONS[name].url in bunch.DESCR
    assert bunch.source == str(tmp_path / DESCRIPTIONS[name].file)


@pytest.mark.parametrize("name", DESCRIPTIONS)
def test_images_have_their_shape_in_the_bunch(name, tmp_path):
    write(tmp_path, name)
    bunch = fetch(name, tmp_path)
    assert ("image_shape" in bunch) == (name in IMAGES)
    if name in IMAGES:
        assert np.prod(bunch.image_shape) == bunch.data.shape[1]
        assert bunch.image_shape[0] == 1


@pytest.mark.parametrize("name", DESCRIPTIONS)
def test_return_X_y(name, tmp_path):  # noqa: N802
    write(tmp_path, name)
    X, y = fetch(name, tmp_path, return_X_y=True)
    assert X.shape == (4, DESCRIPTIONS[name].n_features)
    assert_array_equal(y, LABELS)


@pytest.mark.parametrize("name", list(filter(has_subsets, DESCRIPTIONS)))
@pytest.mark.parametrize(("subset", "mark"), [("train", 0), ("test", 1)])
def test_a_subset_keeps_its_rows(name, subset, mark, tmp_path):
    write(tmp_path, name)
    bunch = fetch(name, tmp_path, subset=subset)
    data = bunch.data.toarray() if issparse(bunch.data) else bunch.data
    rows = np.flatnonzero(np.equal(SPLIT, mark))
    assert_array_equal(data, raw_rows(name)[rows])
    assert_array_equal(bunch.target, LABELS[rows])
    assert_array_equal(bunch.split, mark)


@pytest.mark.parametrize("name", DESCRIPTIONS)
def test_split_is_there_where_it_is_defined(name, tmp_path):
    write(tmp_path, name)
    bunch = fetch(name, tmp_path)
    assert ("split" in bunch) == has_subsets(name)
    if has_subsets(name):
        assert_array_equal(bunch.split, SPLIT)


def test_reuters_is_csr_with_names(tmp_path):
    topics, words = np.array(["acq", "crude", "earn"]), np.arange(2000).astype(str)
    write(tmp_path, "reuters_r8", label_names=topics, vocab=words)
    bunch = fetch("reuters_r8", tmp_path)
    assert bunch.data.format == "csr"
    assert bunch.data.indices.dtype == np.int32
    assert_array_equal(bunch.target_names, topics)
    assert_array_equal(bunch.feature_names, words)


def test_omniglot_keeps_alphabets_and_drawers_of_the_subset(tmp_path):
    rows = {"alphabet": np.array([5, 6, 7, 8]), "drawer": np.array([1, 2, 3, 4])}
    write(tmp_path, "omniglot", alphabet_names=np.array(["Greek"]), **rows)
    bunch = fetch("omniglot", tmp_path, subset="test")
    assert_array_equal(bunch.alphabet, [7, 8])
    assert_array_equal(bunch.drawer, [3, 4])
    assert_array_equal(bunch.alphabet_names, ["Greek"])


def test_flat_rows_in_the_file_do_as_well(tmp_path):
    write(tmp_path, "mnist", X=raw_rows("mnist"))
    assert_array_equal(fetch("mnist", tmp_path).data, raw_rows("mnist"))


def test_data_home_defaults_to_that_of_scikit_learn(tmp_path, monkeypatch):
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path))
    write(tmp_path, "coil20")
    home = sklearn.datasets.get_data_home()
    assert fetch("coil20", None).source == f"{home}/coil20.npz"


def test_a_tilde_in_data_home_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    write(tmp_path, "coil20")
    assert fetch("coil20", "~").source == str(tmp_path / "coil20.npz")


def test_the_file_goes_before_openml(tmp_path, openml):
    calls = openml(raw_rows("mnist"), ["0"] * 4)
    write(tmp_path, "mnist")
    fetch("mnist", tmp_path)
    assert calls == []


@pytest.mark.parametrize("name", FROM_OPENML)
def test_openml_is_asked_by_number_and_caches_in_data_home(name, tmp_path, openml):
    first = DESCRIPTIONS[name].openml_first_label
    calls = openml(raw_rows(name), [str(first + label) for label in LABELS])
    bunch = fetch(name, tmp_path)
    (call,) = calls
    assert call["data_id"] == DESCRIPTIONS[name].openml_id
    assert call["data_home"] == str(tmp_path)
    assert bunch.source == f"OpenML data set {DESCRIPTIONS[name].openml_id}"


@pytest.mark.parametrize("name", FROM_OPENML)
def test_openml_labels_become_integers_from_0(name, tmp_path, openml):
    first = DESCRIPTIONS[name].openml_first_label
    openml(raw_rows(name), np.array([str(first + k) for k in LABELS], dtype=object))
    bunch = fetch(name, tmp_path)
    assert_array_equal(bunch.target, LABELS)
    assert bunch.target.dtype == np.int64


def test_quoted_openml_labels(tmp_path, openml):
    openml(raw_rows("isolet"), np.array(["'1'", "'26'", "'2'", "'10'"]))
    assert_array_equal(fetch("isolet", tmp_path).target, [0, 25, 1, 9])


@pytest.mark.parametrize("name", sorted({*FROM_OPENML} - {"usps"}))
def test_openml_values_stay_raw(name, tmp_path, openml):
    labels = [str(DESCRIPTIONS[name].openml_first_label)] * 4
    openml(raw_rows(name).astype(np.float64), labels)
    data = fetch(name, tmp_path).data
    assert_array_equal(data, raw_rows(name))
    assert data.dtype == DESCRIPTIONS[name].dtype


def test_openml_usps_is_mapped_to_the_unit_interval(tmp_path, openml):
    openml(np.tile([-1.0, 0.0, 0.5, 1.0], (2, 64)), ["1", "10"])
    bunch = fetch("usps", tmp_path)
    assert_allclose(bunch.data, np.tile([0.0, 0.5, 0.75, 1.0], (2, 64)))
    assert bunch.data.dtype == np.float32
    assert_array_equal(bunch.target, [0, 9])


@pytest.fixture
def few_pendigits(monkeypatch):
    """Pretend that the training part of pendigits is one 0, one 1 and one 2."""
    few = replace(DESCRIPTIONS["pendigits"], train_counts=(1, 1, 1))
    monkeypatch.setitem(DESCRIPTIONS, "pendigits", few)


@pytest.mark.usefixtures("few_pendigits")
def test_openml_rows_in_the_published_order_are_split(tmp_path, openml):
    openml(raw_rows("pendigits", 5), ["2", "0", "1", "1", "2"])
    assert_array_equal(fetch("pendigits", tmp_path).split, [0, 0, 0, 1, 1])
    test = fetch("pendigits", tmp_path, subset="test")
    assert_array_equal(test.data, raw_rows("pendigits", 5)[3:])


@pytest.mark.usefixtures("few_pendigits")
def test_openml_rows_in_another_order_are_not_split(tmp_path, openml):
    openml(raw_rows("pendigits", 5), ["1", "1", "2", "2", "0"])
    assert "split" not in fetch("pendigits", tmp_path)
    message = (
        r"^subset='train' was requested but OpenML data set 32 does not tell the "
        r"training from the test rows\. Use subset='all'\.$"
    )
    with pytest.raises(ValueError, match=message):
        fetch("pendigits", tmp_path, subset="train")


@pytest.mark.parametrize("name", FROM_FILE_ONLY)
def test_a_missing_file_is_named_with_its_keys_and_source(name, tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        fetch(name, tmp_path)
    message, about = str(caught.value), DESCRIPTIONS[name]
    assert str(tmp_path / about.file) in message
    assert about.url in message
    assert all(f"'{key}'" in message for key in file_arrays(name))


def test_message_of_a_missing_file(tmp_path):
    message = (
        r"coil20\.npz: COIL-20 is not fetched from OpenML\. Make it with "
        r"numpy\.savez_compressed from the original source, https://www\.cs\.columbia"
        r"\.edu/CAVE/software/softlib/coil-20\.php: it must hold 'X' of shape "
        r"\(n_samples, 32, 32\), uint8 in \[0, 255\], 'y' \(class of each row, 0 to "
        r"19\) and, where the set has one, 'split' \(0 for training rows, 1 for test "
        r"rows\)\.$"
    )
    with pytest.raises(FileNotFoundError, match=message):
        fetch("coil20", tmp_path)


@pytest.mark.parametrize("name", FROM_FILE_ONLY)
def test_a_missing_file_leaves_no_folder_behind(name, tmp_path):
    with pytest.raises(FileNotFoundError):
        fetch(name, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_message_without_file_and_network(tmp_path):
    message = (
        r"^Found no file .*pendigits\.npz and could not download data set 32 of "
        r"OpenML: <urlopen error no network in tests>\. Try again with a network, or "
        r"make that file: it must hold 'X' of shape \(n_samples, 16\), uint8 in "
    )
    with pytest.raises(OSError, match=message):
        fetch("pendigits", tmp_path)


@pytest.mark.parametrize("content", [b"", b"garbage", b"PK"])
def test_a_broken_file_is_named(tmp_path, content):
    (tmp_path / "coil20.npz").write_bytes(content)
    message = (
        r"^.*coil20\.npz is no \.npz file, or only a part of one\. Remove it or make "
        r"it anew: it must hold 'X' of shape \(n_samples, 32, 32\), uint8 in "
    )
    with pytest.raises(ValueError, match=message):
        fetch("coil20", tmp_path)


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        (
            "coil20",
            {"y": None},
            r"^Expected the keys X, y in .*coil20\.npz but got X\. The file must hold "
            r"'X' of shape \(n_samples, 32, 32\), uint8 in ",
        ),
        (
            "reuters_r8",
            {"indptr": None},
            r"^Expected the keys data, indices, indptr, shape, y in .*r8\.npz but got "
            r"data, indices, shape, y, split\. ",
        ),
        (
            "coil20",
            {"X": np.zeros((4, 128, 128), dtype=np.uint8)},
            r"^Expected 1024 features of COIL-20 in .*coil20\.npz but got 16384\.$",
        ),
        (
            "mnist",
            {"X": np.zeros((4, 784))},
            r"^Expected data of dtype uint8 in .*mnist\.npz but got float64\. It must "
            r"hold 'X' of shape \(n_samples, 28, 28\), uint8 in \[0, 255\], 'y' \("
            r"class of each row, 0 to 9\) and, where the set has one, 'split' \(0 for ",
        ),
        (
            "usps",
            {"X": np.linspace(-1, 1, 1024).reshape(4, 256)},
            r"^Expected data of values in \[0, 1\] in .*usps\.npz but got \[-1\.0, 1",
        ),
        (
            "usps",
            {"X": np.full((4, 256), np.nan)},
            r"^Expected data of values in \[0, 1\] in .*usps\.npz but got \[nan, nan\]",
        ),
        (
            "mnist",
            {"X": np.full((4, 784), 256, dtype=np.uint16)},
            r"^Expected data of values in \[0, 255\] in .*mnist\.npz but got \[256, ",
        ),
        (
            "usps",
            {"y": np.array([1, 2, 10, 3])},
            r"^Expected target of values in \[0, 9\] in .*usps\.npz but got \[1, 10\]",
        ),
        (
            "usps",
            {"y": np.array([[1], [2], [9], [3]])},
            r"^Expected target of shape \(n_samples,\) in .*usps\.npz but got \(4, 1",
        ),
        (
            "usps",
            {"y": np.array([0.5, 1.0, 2.0, 3.0])},
            r"^Expected target of dtype int64 in .*usps\.npz but got float64\. It must",
        ),
        (
            "pendigits",
            {"split": np.array([1, 1, 2, 2])},
            r"^Expected split of values in \[0, 1\] in .*digits\.npz but got \[1, 2\]",
        ),
        (
            "mnist",
            {"split": SPLIT[:3]},
            r"inconsistent numbers of samples: \[4, 4, 3\]",
        ),
    ],
    ids=[
        "no labels",
        "no indptr",
        "other size",
        "scaled",
        "values below 0",
        "NaN",
        "values that would wrap",
        "labels from 1",
        "labels in a column",
        "labels with a fraction",
        "split from 1",
        "short split",
    ],
)
def test_a_file_that_does_not_fit(name, changes, message, tmp_path):
    write(tmp_path, name, **changes)
    with pytest.raises(ValueError, match=message):
        fetch(name, tmp_path)


def test_a_file_in_double_precision_is_read_in_single(tmp_path):
    write(tmp_path, "usps", X=raw_rows("usps").astype(np.float64))
    assert fetch("usps", tmp_path).data.dtype == np.float32


def test_a_file_without_split_has_no_subsets(tmp_path):
    write(tmp_path, "mnist", split=None)
    assert "split" not in fetch("mnist", tmp_path)
    message = r"^subset='test' was requested but .*mnist\.npz does not tell"
    with pytest.raises(ValueError, match=message):
        fetch("mnist", tmp_path, subset="test")


def test_an_unknown_subset(tmp_path):
    message = r"^Expected subset in \('all', 'train', 'test'\) but got 'valid'\.$"
    with pytest.raises(ValueError, match=message):
        fetch("mnist", tmp_path, subset="valid")


def test_every_description_has_its_loader_and_back():
    loaders = {name for name in datasets.__all__ if name.startswith("fetch_")}
    assert loaders == {f"fetch_{name}" for name in DESCRIPTIONS}
