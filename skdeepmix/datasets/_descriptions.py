"""What the loaders know of each data set: one entry a set, no code."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Description:
    """One data set.

    Attributes
    ----------
    title : str
        Its name in messages and the first line of `DESCR`.
    file : str
        Name of the file that is looked for in `data_home`.
    about : str
        The paragraph of `DESCR`.
    url : str
        The original source.
    n_features : int
        Number of columns of `data`.
    dtype : str
        Type of the raw values.
    value_range : tuple of (low, high)
        Least and largest value that can be.
    n_classes : int
        Number of classes, which are numbered from 0.
    image_shape : tuple of (channels, height, width) or None, default=None
        Shape of one row that is an image.
    sparse : bool, default=False
        Whether the file holds the parts of a CSR matrix instead of `X`.
    openml_id : int or None, default=None
        Number of the set on OpenML; None where it is not fetched from there.
    openml_range : tuple of (low, high) or None, default=None
        Range of OpenML's values that is mapped to [0, 1]; None leaves them as they
        are.
    openml_first_label : int, default=0
        OpenML's name of class 0.
    train_counts : tuple of int or None, default=None
        Rows per class of the published training part. OpenML joins the two parts
        without a mark; these numbers tell whether the training part comes first.
    """

    title: str
    file: str
    about: str
    url: str
    n_features: int
    dtype: str
    value_range: tuple
    n_classes: int
    image_shape: tuple | None = None
    sparse: bool = False
    openml_id: int | None = None
    openml_range: tuple | None = None
    openml_first_label: int = 0
    train_counts: tuple | None = None


DESCRIPTIONS = {
    "mnist": Description(
        title="MNIST handwritten digits",
        file="mnist.npz",
        about=(
            "60,000 training and 10,000 test images of handwritten digits, 28 x 28 "
            "pixels in 0..255, bright strokes on black, 10 classes."
        ),
        url="http://yann.lecun.com/exdb/mnist",
        n_features=784,
        dtype="uint8",
        value_range=(0, 255),
        n_classes=10,
        image_shape=(1, 28, 28),
        openml_id=554,
        train_counts=(5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949),
    ),
    "usps": Description(
        title="USPS handwritten digits",
        file="usps.npz",
        about=(
            "7,291 training and 2,007 test images of digits on envelopes of the US "
            "Postal Service, 16 x 16 pixels in [0, 1], bright strokes on black, 10 "
            "classes. OpenML and LIBSVM store the pixels in [-1, 1] and the digits as "
            "1..10; both are mapped here."
        ),
        url="https://www.csie.ntu.edu.tw/~cjlin/libsvmtools/datasets/multiclass.html",
        n_features=256,
        dtype="float32",
        value_range=(0, 1),
        n_classes=10,
        image_shape=(1, 16, 16),
        openml_id=41082,
        openml_range=(-1.0, 1.0),
        openml_first_label=1,
        train_counts=(1194, 1005, 731, 658, 652, 556, 664, 645, 542, 644),
    ),
    "coil20": Description(
        title="COIL-20",
        file="coil20.npz",
        about=(
            "Columbia object image library: 20 objects on a turntable, 72 views "
            "each, 1,440 grey images reduced to 32 x 32 pixels in 0..255."
        ),
        url="https://www.cs.columbia.edu/CAVE/software/softlib/coil-20.php",
        n_features=1024,
        dtype="uint8",
        value_range=(0, 255),
        n_classes=20,
        image_shape=(1, 32, 32),
    ),
    "yaleb": Description(
        title="Extended Yale B",
        file="yaleb32.npz",
        about=(
            "Cropped frontal faces of 38 people under about 64 lights each, 2,414 "
            "grey images reduced to 32 x 32 pixels in 0..255."
        ),
        url="http://vision.ucsd.edu/~leekc/ExtYaleDatabase/ExtYaleB.html",
        n_features=1024,
        dtype="uint8",
        value_range=(0, 255),
        n_classes=38,
        image_shape=(1, 32, 32),
    ),
    "isolet": Description(
        title="ISOLET spoken letters",
        file="isolet1.npz",
        about=(
            "Spoken names of the 26 letters, 617 acoustic features in [-1, 1]. The "
            "whole set has 7,797 rows of 150 speakers, its first part (isolet1) 1,560 "
            "rows of 30 speakers."
        ),
        url="https://archive.ics.uci.edu/dataset/54/isolet",
        n_features=617,
        dtype="float32",
        value_range=(-1, 1),
        n_classes=26,
        openml_id=300,
        openml_first_label=1,
    ),
    "reuters_r8": Description(
        title="Reuters-21578 R8",
        file="reuters21578_r8.npz",
        about=(
            "Newswire stories with exactly one of 8 topics: 5,485 training and 2,189 "
            "test documents of the ModApte split, as tf-idf weights of 2,000 words, "
            "rows of unit Euclidean norm."
        ),
        url="http://www.daviddlewis.com/resources/testcollections/reuters21578",
        n_features=2000,
        dtype="float32",
        value_range=(0, 1),
        n_classes=8,
        sparse=True,
    ),
    "pendigits": Description(
        title="Pen-based handwritten digits",
        file="pendigits.npz",
        about=(
            "Digits written on a tablet, each as 8 pen positions (x, y) in 0..100: "
            "7,494 training rows of 30 writers and 3,498 test rows of 14 others, 10 "
            "classes."
        ),
        url=(
            "https://archive.ics.uci.edu/dataset/81/"
            "pen+based+recognition+of+handwritten+digits"
        ),
        n_features=16,
        dtype="uint8",
        value_range=(0, 100),
        n_classes=10,
        openml_id=32,
        train_counts=(780, 779, 780, 719, 780, 720, 720, 778, 719, 719),
    ),
    "optdigits": Description(
        title="Optical handwritten digits",
        file="optdigits.npz",
        about=(
            "Scanned digits, 8 x 8 counts in 0..16 of ink pixels in blocks of 4 x 4: "
            "3,823 training images of 30 writers and 1,797 test images of 13 others, "
            "10 classes. The test part is scikit-learn's load_digits."
        ),
        url=(
            "https://archive.ics.uci.edu/dataset/80/"
            "optical+recognition+of+handwritten+digits"
        ),
        n_features=64,
        dtype="uint8",
        value_range=(0, 16),
        n_classes=10,
        image_shape=(1, 8, 8),
        openml_id=28,
        train_counts=(376, 389, 380, 389, 387, 376, 377, 387, 380, 382),
    ),
    "omniglot": Description(
        title="Omniglot handwritten characters",
        file="omniglot28.npz",
        about=(
            "1,623 characters of 50 alphabets, each drawn by 20 people: 19,280 images "
            "of the 30 background alphabets (training) and 13,180 of the 20 "
            "evaluation alphabets (test), averaged down to 28 x 28 pixels in 0..255. "
            "The two parts share no class."
        ),
        url="https://github.com/brendenlake/omniglot",
        n_features=784,
        dtype="uint8",
        value_range=(0, 255),
        n_classes=1623,
        image_shape=(1, 28, 28),
    ),
}
