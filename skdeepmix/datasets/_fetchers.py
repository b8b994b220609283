"""Loaders of the data sets of the papers, all through one table."""

from importlib.util import find_spec
from pathlib import Path
from zipfile import is_zipfile

import numpy as np
from scipy.sparse import csr_array
from sklearn.datasets import fetch_openml, get_data_home
from sklearn.utils import Bunch, check_consistent_length

from skdeepmix.datasets._descriptions import DESCRIPTIONS

SUBSETS = {"all": None, "train": 0, "test": 1}

# Keys a file may hold besides the data: values per row, which a subset is taken of,
# and names, by their key in the Bunch.
ROW_KEYS = ("split", "alphabet", "drawer")
NAME_KEYS = {
    "label_names": "target_names",
    "vocab": "feature_names",
    "alphabet_names": "alphabet_names",
}


def fetch_mnist(*, data_home=None, subset="all", return_X_y=False):
    """Load MNIST, 70,000 images of handwritten digits.

    10 classes, the digits; 60,000 training rows, then 10,000 test rows [1]_.

    Parameters
    ----------
    data_home : str or path-like or None, default=None
        Folder that is searched for ``mnist.npz``; without that file data set
        554 of OpenML is downloaded into the folder, once. None is
        :func:`sklearn.datasets.get_data_home`.
    subset : {'all', 'train', 'test'}, default='all'
        Part of the published split; 'all' keeps both.
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` instead of a Bunch.

    Returns
    -------
    mnist : :class:`~sklearn.utils.Bunch`
        `data`: uint8 of shape (n_samples, 784), pixels in [0, 255].
        `target`: int64 of shape (n_samples,), in [0, 9].
        `split`: int64 of shape (n_samples,), 0 for training and 1 for test rows.
        `image_shape`: (1, 28, 28), as (channels, height, width).
        `source` and `DESCR`: where the rows were read from, and what they are.
    (data, target) : tuple, if ``return_X_y=True``
        Only these two.

    Raises
    ------
    OSError
        If there is no such file and OpenML cannot be reached.
    ValueError
        If the file is no .npz file, lacks keys or has another number of features,
        dtype or range of values, or if `subset` is unknown or not marked in the source.

    References
    ----------
    .. [1] Y. LeCun, L. Bottou, Y. Bengio and P. Haffner. "Gradient-based Learning
           Applied to Document Recognition". Proceedings of the IEEE 86, 1998.

    Examples
    --------
    >>> from skdeepmix.datasets import fetch_mnist
    >>> X, y = fetch_mnist(return_X_y=True)  # doctest: +SKIP
    >>> X.shape  # doctest: +SKIP
    (70000, 784)
    """
    return _fetch("mnist", data_home, return_X_y, subset)


def fetch_usps(*, data_home=None, subset="all", return_X_y=False):
    """Load USPS, 9,298 images of handwritten digits.

    10 classes, the digits; 7,291 training rows, then 2,007 test rows [1]_. OpenML
    stores the pixels in [-1, 1] and the digits as 1..10; both are mapped.

    Parameters
    ----------
    data_home : str or path-like or None, default=None
        Folder that is searched for ``usps.npz``; without that file data set
        41082 of OpenML is downloaded into the folder, once. None is
        :func:`sklearn.datasets.get_data_home`.
    subset : {'all', 'train', 'test'}, default='all'
        Part of the published split; 'all' keeps both.
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` instead of a Bunch.

    Returns
    -------
    usps : :class:`~sklearn.utils.Bunch`
        `data`: float32 of shape (n_samples, 256), pixels in [0, 1].
        `target`: int64 of shape (n_samples,), in [0, 9].
        `split`: int64 of shape (n_samples,), 0 for training and 1 for test rows.
        `image_shape`: (1, 16, 16), as (channels, height, width).
        `source` and `DESCR`: where the rows were read from, and what they are.
    (data, target) : tuple, if ``return_X_y=True``
        Only these two.

    Raises
    ------
    OSError
        If there is no such file and OpenML cannot be reached.
    ValueError
        If the file is no .npz file, lacks keys or has another number of features,
        dtype or range of values, or if `subset` is unknown or not marked in the source.

    References
    ----------
    .. [1] J. J. Hull. "A Database for Handwritten Text Recognition Research". IEEE
           Transactions on Pattern Analysis and Machine Intelligence 16, 1994.

    Examples
    --------
    >>> from skdeepmix.datasets import fetch_usps
    >>> X, y = fetch_usps(return_X_y=True)  # doctest: +SKIP
    >>> X.shape  # doctest: +SKIP
    (9298, 256)
    """
    return _fetch("usps", data_home, return_X_y, subset)


def fetch_coil20(*, data_home=None, return_X_y=False):
    """Load COIL-20, 1,440 images of 20 objects.

    72 views of each object on a turntable [1]_, 32 x 32 pixels.

    Parameters
    ----------
    data_home : str or path-like or None, default=None
        Folder of the file ``coil20.npz``. None is
        :func:`sklearn.datasets.get_data_home`.
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` instead of a Bunch.

    Returns
    -------
    coil20 : :class:`~sklearn.utils.Bunch`
        `data`: uint8 of shape (n_samples, 1024), pixels in [0, 255].
        `target`: int64 of shape (n_samples,), in [0, 19].
        `image_shape`: (1, 32, 32), as (channels, height, width).
        `source` and `DESCR`: where the rows were read from, and what they are.
    (data, target) : tuple, if ``return_X_y=True``
        Only these two.

    Raises
    ------
    FileNotFoundError
        If there is no such file: this set is not fetched from OpenML. The message
        says what the file must hold, and where the data come from.
    ValueError
        If the file is no .npz file, lacks keys or has another number of features,
        dtype or range of values.

    References
    ----------
    .. [1] S. A. Nene, S. K. Nayar and H. Murase. "Columbia Object Image Library
           (COIL-20)". Technical Report CUCS-005-96, Columbia University, 1996.

    Examples
    --------
    >>> from skdeepmix.datasets import fetch_coil20
    >>> X, y = fetch_coil20(return_X_y=True)  # doctest: +SKIP
    >>> X.shape  # doctest: +SKIP
    (1440, 1024)
    """
    return _fetch("coil20", data_home, return_X_y)


def fetch_yaleb(*, data_home=None, return_X_y=False):
    """Load Extended Yale B, 2,414 images of 38 faces.

    Cropped frontal faces [1]_ under many lights [2]_, 32 x 32 pixels.

    Parameters
    ----------
    data_home : str or path-like or None, default=None
        Folder of the file ``yaleb32.npz``. None is
        :func:`sklearn.datasets.get_data_home`.
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` instead of a Bunch.

    Returns
    -------
    yaleb : :class:`~sklearn.utils.Bunch`
        `data`: uint8 of shape (n_samples, 1024), pixels in [0, 255].
        `target`: int64 of shape (n_samples,), in [0, 37].
        `image_shape`: (1, 32, 32), as (channels, height, width).
        `source` and `DESCR`: where the rows were read from, and what they are.
    (data, target) : tuple, if ``return_X_y=True``
        Only these two.

    Raises
    ------
    FileNotFoundError
        If there is no such file: this set is not fetched from OpenML. The message
        says what the file must hold, and where the data come from.
    ValueError
        If the file is no .npz file, lacks keys or has another number of features,
        dtype or range of values.

    References
    ----------
    .. [1] K.-C. Lee, J. Ho and D. J. Kriegman. "Acquiring Linear Subspaces for Face
           Recognition under Variable Lighting". IEEE Transactions on Pattern
           Analysis and Machine Intelligence 27, 2005.
    .. [2] A. S. Georghiades, P. N. Belhumeur and D. J. Kriegman. "From Few to Many:
           Illumination Cone Models for Face Recognition under Variable Lighting and
           Pose". IEEE Transactions on Pattern Analysis and Machine Intelligence 23,
           2001.

    Examples
    --------
    >>> from skdeepmix.datasets import fetch_yaleb
    >>> X, y = fetch_yaleb(return_X_y=True)  # doctest: +SKIP
    >>> X.shape  # doctest: +SKIP
    (2414, 1024)
    """
    return _fetch("yaleb", data_home, return_X_y)


def fetch_isolet(*, data_home=None, return_X_y=False):
    """Load ISOLET, acoustic features of 26 spoken letters.

    The file ``isolet1.npz`` is the first of the five parts [1]_, 1,560 rows of 30
    speakers; OpenML carries the whole set, 7,797 rows of 150 speakers, in one piece
    without a split. `source` tells which of the two it was: results on one cannot be
    compared with results on the other.

    Parameters
    ----------
    data_home : str or path-like or None, default=None
        Folder that is searched for ``isolet1.npz``; without that file data set
        300 of OpenML is downloaded into the folder, once. None is
        :func:`sklearn.datasets.get_data_home`.
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` instead of a Bunch.

    Returns
    -------
    isolet : :class:`~sklearn.utils.Bunch`
        `data`: float32 of shape (n_samples, 617), in [-1, 1].
        `target`: int64 of shape (n_samples,), in [0, 25].
        `source` and `DESCR`: where the rows were read from, and what they are.
    (data, target) : tuple, if ``return_X_y=True``
        Only these two.

    Raises
    ------
    OSError
        If there is no such file and OpenML cannot be reached.
    ValueError
        If the file is no .npz file, lacks keys or has another number of features,
        dtype or range of values.

    References
    ----------
    .. [1] M. Fanty and R. Cole. "Spoken Letter Recognition". NIPS 3, 1990.

    Examples
    --------
    >>> from skdeepmix.datasets import fetch_isolet
    >>> X, y = fetch_isolet(return_X_y=True)  # doctest: +SKIP
    >>> X.shape  # doctest: +SKIP
    (7797, 617)
    """
    return _fetch("isolet", data_home, return_X_y)


def fetch_reuters_r8(*, data_home=None, subset="all", return_X_y=False):
    """Load Reuters-21578 R8, 7,674 newswire stories on 8 topics.

    Stories with exactly one of the eight topics, 5,485 training and 2,189 test
    documents [1]_. Multiply `data` by ``sqrt(2000)`` for the scaling of the papers on
    deep embedded clustering, a mean square of 1 per row.

    Parameters
    ----------
    data_home : str or path-like or None, default=None
        Folder of the file ``reuters21578_r8.npz``. None is
        :func:`sklearn.datasets.get_data_home`.
    subset : {'all', 'train', 'test'}, default='all'
        Part of the published split; 'all' keeps both.
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` instead of a Bunch.

    Returns
    -------
    reuters_r8 : :class:`~sklearn.utils.Bunch`
        `data`: CSR array of shape (n_samples, 2000), float32 tf-idf weights in
        [0, 1], rows of unit Euclidean norm.
        `target`: int64 of shape (n_samples,), in [0, 7].
        `split`: int64 of shape (n_samples,), 0 for training and 1 for test rows.
        `target_names`, `feature_names`: the topics and the words, where the file
        holds them as 'label_names' and 'vocab'.
        `source` and `DESCR`: where the rows were read from, and what they are.
    (data, target) : tuple, if ``return_X_y=True``
        Only these two.

    Raises
    ------
    FileNotFoundError
        If there is no such file: this set is not fetched from OpenML. The message
        says what the file must hold, and where the data come from.
    ValueError
        If the file is no .npz file, lacks keys or has another number of features,
        dtype or range of values, or if `subset` is unknown or not marked in the source.

    References
    ----------
    .. [1] D. D. Lewis. "Reuters-21578 Text Categorization Test Collection,
           Distribution 1.0". 1997.

    Examples
    --------
    >>> from skdeepmix.datasets import fetch_reuters_r8
    >>> X, y = fetch_reuters_r8(return_X_y=True)  # doctest: +SKIP
    >>> X.shape  # doctest: +SKIP
    (7674, 2000)
    """
    return _fetch("reuters_r8", data_home, return_X_y, subset)


def fetch_pendigits(*, data_home=None, subset="all", return_X_y=False):
    """Load pendigits, 10,992 digits written with a pen on a tablet.

    10 classes, the digits; 7,494 training rows, then 3,498 test rows of other
    writers [1]_.

    Parameters
    ----------
    data_home : str or path-like or None, default=None
        Folder that is searched for ``pendigits.npz``; without that file data set
        32 of OpenML is downloaded into the folder, once. None is
        :func:`sklearn.datasets.get_data_home`.
    subset : {'all', 'train', 'test'}, default='all'
        Part of the published split; 'all' keeps both.
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` instead of a Bunch.

    Returns
    -------
    pendigits : :class:`~sklearn.utils.Bunch`
        `data`: uint8 of shape (n_samples, 16), eight positions (x, y) in [0, 100].
        `target`: int64 of shape (n_samples,), in [0, 9].
        `split`: int64 of shape (n_samples,), 0 for training and 1 for test rows.
        `source` and `DESCR`: where the rows were read from, and what they are.
    (data, target) : tuple, if ``return_X_y=True``
        Only these two.

    Raises
    ------
    OSError
        If there is no such file and OpenML cannot be reached.
    ValueError
        If the file is no .npz file, lacks keys or has another number of features,
        dtype or range of values, or if `subset` is unknown or not marked in the source.

    References
    ----------
    .. [1] E. Alpaydin and F. Alimoglu. "Pen-Based Recognition of Handwritten
           Digits". UCI Machine Learning Repository, 1996.

    Examples
    --------
    >>> from skdeepmix.datasets import fetch_pendigits
    >>> X, y = fetch_pendigits(return_X_y=True)  # doctest: +SKIP
    >>> X.shape  # doctest: +SKIP
    (10992, 16)
    """
    return _fetch("pendigits", data_home, return_X_y, subset)


def fetch_optdigits(*, data_home=None, subset="all", return_X_y=False):
    """Load optdigits, 5,620 scanned digits of 8 x 8 pixels.

    10 classes, the digits; 3,823 training rows, then 1,797 test rows of other
    writers [1]_, which are those of :func:`sklearn.datasets.load_digits`.

    Parameters
    ----------
    data_home : str or path-like or None, default=None
        Folder that is searched for ``optdigits.npz``; without that file data set
        28 of OpenML is downloaded into the folder, once. None is
        :func:`sklearn.datasets.get_data_home`.
    subset : {'all', 'train', 'test'}, default='all'
        Part of the published split; 'all' keeps both.
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` instead of a Bunch.

    Returns
    -------
    optdigits : :class:`~sklearn.utils.Bunch`
        `data`: uint8 of shape (n_samples, 64), counts of ink in [0, 16].
        `target`: int64 of shape (n_samples,), in [0, 9].
        `split`: int64 of shape (n_samples,), 0 for training and 1 for test rows.
        `image_shape`: (1, 8, 8), as (channels, height, width).
        `source` and `DESCR`: where the rows were read from, and what they are.
    (data, target) : tuple, if ``return_X_y=True``
        Only these two.

    Raises
    ------
    OSError
        If there is no such file and OpenML cannot be reached.
    ValueError
        If the file is no .npz file, lacks keys or has another number of features,
        dtype or range of values, or if `subset` is unknown or not marked in the source.

    References
    ----------
    .. [1] E. Alpaydin and C. Kaynak. "Optical Recognition of Handwritten Digits".
           UCI Machine Learning Repository, 1998.

    Examples
    --------
    >>> from skdeepmix.datasets import fetch_optdigits
    >>> X, y = fetch_optdigits(return_X_y=True)  # doctest: +SKIP
    >>> X.shape  # doctest: +SKIP
    (5620, 64)
    """
    return _fetch("optdigits", data_home, return_X_y, subset)


def fetch_omniglot(*, data_home=None, subset="all", return_X_y=False):
    """Load Omniglot, 32,460 drawings of 1,623 characters.

    20 drawings of each character of 50 alphabets [1]_, averaged down to 28 x 28
    pixels. The training rows are the 30 background alphabets, the test rows the 20
    evaluation alphabets: the two share no class.

    Parameters
    ----------
    data_home : str or path-like or None, default=None
        Folder of the file ``omniglot28.npz``. None is
        :func:`sklearn.datasets.get_data_home`.
    subset : {'all', 'train', 'test'}, default='all'
        Part of the published split; 'all' keeps both.
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` instead of a Bunch.

    Returns
    -------
    omniglot : :class:`~sklearn.utils.Bunch`
        `data`: uint8 of shape (n_samples, 784), pixels in [0, 255].
        `target`: int64 of shape (n_samples,), in [0, 1622].
        `split`: int64 of shape (n_samples,), 0 for training and 1 for test rows.
        `image_shape`: (1, 28, 28), as (channels, height, width).
        `alphabet`, `drawer`, `alphabet_names`: alphabet and drawer of each row and
        the names of the alphabets, where the file holds them.
        `source` and `DESCR`: where the rows were read from, and what they are.
    (data, target) : tuple, if ``return_X_y=True``
        Only these two.

    Raises
    ------
    FileNotFoundError
        If there is no such file: this set is not fetched from OpenML. The message
        says what the file must hold, and where the data come from.
    ValueError
        If the file is no .npz file, lacks keys or has another number of features,
        dtype or range of values, or if `subset` is unknown or not marked in the source.

    References
    ----------
    .. [1] B. M. Lake, R. Salakhutdinov and J. B. Tenenbaum. "Human-level Concept
           Learning through Probabilistic Program Induction". Science 350, 2015.

    Examples
    --------
    >>> from skdeepmix.datasets import fetch_omniglot
    >>> X, y = fetch_omniglot(return_X_y=True)  # doctest: +SKIP
    >>> X.shape  # doctest: +SKIP
    (32460, 784)
    """
    return _fetch("omniglot", data_home, return_X_y, subset)


def _fetch(name, data_home, return_X_y, subset="all"):
    """Find a data set, take the subset and wrap it up."""
    if subset not in SUBSETS:
        raise ValueError(f"Expected subset in {tuple(SUBSETS)} but got {subset!r}.")
    about = DESCRIPTIONS[name]
    home = Path(get_data_home() if data_home is None else data_home).expanduser()
    path = home / about.file
    bunch = _from_file(path, about) if path.is_file() else _from_openml(path, about)
    _check(bunch, about)
    _take_subset(bunch, subset)
    if return_X_y:
        return bunch.data, bunch.target
    if about.image_shape is not None:
        bunch.image_shape = about.image_shape
    bunch.DESCR = f"{about.title}\n\n{about.about}\n\nOriginal source: {about.url}"
    return bunch


def _from_file(path, about):
    if not is_zipfile(path):
        raise ValueError(
            f"{path} is no .npz file, or only a part of one. Remove it or make it "
            f"anew: it must hold {_contents(about)}."
        )
    with np.load(path, allow_pickle=False) as arrays:
        if not arrays.keys() >= set(_required_keys(about)):
            raise ValueError(
                f"Expected the keys {', '.join(_required_keys(about))} in {path} but "
                f"got {', '.join(arrays)}. The file must hold {_contents(about)}."
            )
        bunch = Bunch(data=_read_data(arrays, about.sparse), source=str(path))
        bunch.target = arrays["y"]
        bunch.update({key: arrays[key] for key in ROW_KEYS if key in arrays})
        found = NAME_KEYS.keys() & arrays.keys()
        bunch.update({NAME_KEYS[key]: arrays[key] for key in found})
    return bunch


def _read_data(arrays, sparse):
    if not sparse:
        X = arrays["X"]
        return X.reshape(len(X), -1)
    # Small index types save space on file, but SciPy computes with int32.
    indices, indptr = (arrays[key].astype(np.int32) for key in ("indices", "indptr"))
    return csr_array((arrays["data"], indices, indptr), shape=tuple(arrays["shape"]))


def _from_openml(path, about):
    if about.openml_id is None:
        raise FileNotFoundError(
            f"Expected the file {path}: {about.title} is not fetched from OpenML. "
            "Make it with numpy.savez_compressed from the original source, "
            f"{about.url}: it must hold {_contents(about)}."
        )
    # Both parsers read the same values; pandas is much faster but may be absent.
    parser = "pandas" if find_spec("pandas") else "liac-arff"
    try:
        raw = fetch_openml(
            data_id=about.openml_id,
            data_home=str(path.parent),
            as_frame=False,
            parser=parser,
        )
    except OSError as error:
        raise OSError(
            f"Found no file {path} and could not download data set "
            f"{about.openml_id} of OpenML: {error}. Try again with a network, or "
            f"make that file: it must hold {_contents(about)}."
        ) from error
    target = _numbers(raw.target) - about.openml_first_label
    bunch = Bunch(
        data=_rescale(raw.data, about.openml_range).astype(about.dtype),
        target=target,
        source=f"OpenML data set {about.openml_id}",
    )
    if about.train_counts is not None and _train_first(target, about.train_counts):
        bunch.split = np.arange(len(target)) >= sum(about.train_counts)
    return bunch


def _numbers(labels):
    """Integers from OpenML's names of classes, which some parsers leave quoted."""
    return np.char.strip(np.asarray(labels, dtype=str), "'\"").astype(np.int64)


def _rescale(data, value_range):
    if value_range is None:
        return np.asarray(data)
    low, high = value_range
    return (np.asarray(data, dtype=np.float64) - low) / (high - low)


def _train_first(target, train_counts):
    counts = np.bincount(target[: sum(train_counts)], minlength=len(train_counts))
    return np.array_equal(counts, train_counts)


def _check(bunch, about):
    n_features = bunch.data.shape[1]
    if n_features != about.n_features:
        raise ValueError(
            f"Expected {about.n_features} features of {about.title} in "
            f"{bunch.source} but got {n_features}."
        )
    bunch.data = _cast(bunch, "data", about.dtype, about.value_range, about)
    bunch.target = _cast(bunch, "target", "int64", (0, about.n_classes - 1), about)
    if "split" in bunch:
        bunch.split = _cast(bunch, "split", "int64", (0, 1), about)
    check_consistent_length(
        bunch.data, bunch.target, *(bunch[key] for key in ROW_KEYS if key in bunch)
    )


def _cast(bunch, key, dtype, value_range, about):
    """Values of a type, if they were of its kind and are within their range."""
    values = bunch[key]
    low, high = value_range
    expected = None
    if key != "data" and values.ndim != 1:
        expected, got = "shape (n_samples,)", values.shape
    elif not np.can_cast(values.dtype, dtype, "same_kind"):
        expected, got = f"dtype {dtype}", values.dtype
    elif values.size and not (low <= values.min() and values.max() <= high):
        expected = f"values in [{low}, {high}]"
        got = f"[{values.min()}, {values.max()}]"
    if expected is not None:
        raise ValueError(
            f"Expected {key} of {expected} in {bunch.source} but got {got}. It must "
            f"hold {_contents(about)}."
        )
    return values.astype(dtype, copy=False)


def _take_subset(bunch, subset):
    if subset == "all":
        return
    if "split" not in bunch:
        raise ValueError(
            f"subset={subset!r} was requested but {bunch.source} does not tell the "
            "training from the test rows. Use subset='all'."
        )
    rows = np.flatnonzero(bunch.split == SUBSETS[subset])
    for key in ("data", "target", *ROW_KEYS):
        if key in bunch:
            bunch[key] = bunch[key][rows]


def _required_keys(about):
    sparse_parts = ("data", "indices", "indptr", "shape")
    return (*sparse_parts, "y") if about.sparse else ("X", "y")


def _contents(about):
    """What a file must hold, in words."""
    low, high = about.value_range
    kind = f"{about.dtype} in [{low}, {high}]"
    X = f"'X' of shape (n_samples, {about.n_features}), {kind}"
    if about.sparse:
        X = (
            "'data', 'indices', 'indptr' and 'shape' (the parts of a CSR matrix with "
            f"{about.n_features} columns, {kind})"
        )
    elif about.image_shape is not None:
        _, height, width = about.image_shape
        X = f"'X' of shape (n_samples, {height}, {width}), {kind}"
    return (
        f"{X}, 'y' (class of each row, 0 to {about.n_classes - 1}) and, where the set "
        "has one, 'split' (0 for training rows, 1 for test rows)"
    )
