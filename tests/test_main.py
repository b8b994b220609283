"""The demo, `python -m skdeepmix`, on small data."""

import re
import runpy
import sys
from functools import partial

import numpy as np
import pytest
from matplotlib.image import imread
from rich.progress import Progress
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits, make_blobs
from sklearn.metrics import normalized_mutual_info_score
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import train_test_split

import skdeepmix.__main__ as demo
from skdeepmix import GaussianMixtureVAE
from skdeepmix.metrics import clustering_accuracy
from skdeepmix.networks import MLP

MODEL = ["--model", "GaussianMixtureVAE"]
KINDS = {"exact", "bound", "estimate"}


@pytest.fixture
def fast(monkeypatch):
    """Our models, reduced to a small one that is fitted in no time."""
    make = partial(GaussianMixtureVAE, encoder=MLP((8,)), n_latent=2, max_iter=3)
    monkeypatch.setattr(demo, "OURS", {"Small": (make, "bound")})


@pytest.fixture
def blobs():
    X, y = make_blobs(60, n_features=5, centers=3, random_state=0)
    return X, np.array(["a", "b", "c"])[y]


@pytest.fixture
def run(tmp_path, capsys, monkeypatch):
    """Run the demo in a folder of its own; return the rows of the table and the rest.

    Rows are dicts of cells by title; what follows the table is one text.
    """
    monkeypatch.setenv("COLUMNS", "120")

    def run(*arguments):
        demo.main(["--out", str(tmp_path), *map(str, arguments)])
        out = capsys.readouterr().out
        rows = [re.split(r"\s*[│┃]\s*", line)[1:-1] for line in out.splitlines()]
        header, *rows = [row for row in rows if row]
        table = {row[0]: dict(zip(header, row, strict=True)) for row in rows}
        return table, " ".join(out.split("┘")[1].split())

    return run


def save(folder, X, y=None, name="rows.npz"):
    path = folder / name
    np.savez(path, X=X) if y is None else np.savez(path, X=X, y=y)
    return path


def is_drawn(panel):
    return panel[..., :3].std() > 0.01


# The table


def test_table_holds_recomputed_numbers(run, blobs, tmp_path):
    X, y = blobs
    table, _ = run("--data", save(tmp_path, X, y), *MODEL)
    X, X_test, y, _ = train_test_split(X, y, test_size=0.2, random_state=0)
    models = {
        "KMeans": KMeans(3, n_init=10, random_state=0),
        "GaussianMixture": GaussianMixture(
            3, covariance_type="diag", n_init=10, random_state=0
        ),
        "GaussianMixtureVAE": GaussianMixtureVAE(3, random_state=0),
    }
    assert list(table) == list(models)
    for name, model in models.items():
        labels = model.fit(X).predict(X)
        assert table[name]["ACC"] == f"{clustering_accuracy(y, labels):.3f}"
        assert table[name]["NMI"] == f"{normalized_mutual_info_score(y, labels):.3f}"
        if name != "KMeans":
            printed = float(table[name]["log-likelihood"])
            assert printed == pytest.approx(model.score(X_test), rel=1e-4)


def test_likelihoods_are_marked(run, blobs, tmp_path):
    table, _ = run("--data", save(tmp_path, *blobs), *MODEL)
    kinds = {name: row["kind"] for name, row in table.items()}
    assert kinds == {
        "KMeans": "-",
        "GaussianMixture": "exact",
        "GaussianMixtureVAE": "bound",
    }
    assert table["KMeans"]["log-likelihood"] == "-"


def test_every_model_says_what_its_score_is():
    assert {kind for _, kind in demo.OURS.values()} <= KINDS


@pytest.mark.usefixtures("fast")
def test_without_classes_there_is_no_accuracy(run, blobs, tmp_path):
    table, _ = run("--data", save(tmp_path, blobs[0]), "--n-clusters", 2)
    assert list(table["Small"]) == ["model", "log-likelihood", "kind", "seconds"]


@pytest.mark.usefixtures("fast")
def test_whole_numbers_get_noise_before_everything(run, tmp_path):
    X = np.random.default_rng(1).poisson(5, (80, 3)).astype(np.uint8)
    table, _ = run("--data", save(tmp_path, X), "--n-clusters", 2)
    X = X + np.random.default_rng(0).random(X.shape)
    X, X_test = train_test_split(X, test_size=0.2, random_state=0)
    model = GaussianMixture(2, covariance_type="diag", n_init=10, random_state=0)
    score = float(table["GaussianMixture"]["log-likelihood"])
    assert score == pytest.approx(model.fit(X).score(X_test), rel=1e-4)


@pytest.mark.usefixtures("fast")
def test_default_is_the_digits(run, monkeypatch, tmp_path):
    seen = {}
    split = demo._split
    monkeypatch.setattr(
        demo, "_split", lambda *args: seen.setdefault("data", split(*args))
    )
    table, _ = run()
    data = seen["data"]
    assert list(table) == ["KMeans", "GaussianMixture", "Small"]
    assert len(data.fitted) + len(data.held_out) == len(load_digits().data) == 1797
    assert data.n_clusters == 10
    assert (tmp_path / "skdeepmix-demo.png").exists()


@pytest.mark.parametrize(("y", "expected"), [(None, 10), (np.arange(40) % 3, 3)])
def test_default_number_of_clusters(y, expected):
    X = np.random.default_rng(0).random((40, 2))
    assert demo._split("rows", X, y, None).n_clusters == expected


@pytest.mark.usefixtures("fast")
def test_warnings_of_models_follow_the_table(run, tmp_path):
    X = np.repeat(np.random.default_rng(0).random((2, 3)), 10, axis=0)
    _, rest = run("--data", save(tmp_path, X), "--n-clusters", 4)
    assert "KMeans: Number of distinct clusters (2) found smaller than" in rest


def test_progress_counts_the_epochs_of_a_fit(blobs):
    bar = Progress(disable=True)
    counter = demo._EpochCounter(bar, bar.add_task("", total=None))
    model = GaussianMixtureVAE(3, max_iter=40, n_iter_no_change=1, random_state=0)
    model.set_callbacks(counter).fit(blobs[0])
    assert bar.tasks[0].completed == model.n_iter_
    assert bar.tasks[0].total == 40


# The picture


@pytest.mark.usefixtures("fast")
@pytest.mark.parametrize("n_features", [1, 2, 5, 64])
def test_picture_shows_generated_rows_and_members(run, tmp_path, n_features):
    X, _ = make_blobs(60, n_features=n_features, centers=3, random_state=0)
    _, rest = run("--data", save(tmp_path, X), "--n-clusters", 3)
    picture = imread(tmp_path / "skdeepmix-demo.png")
    # Titles and ticks left out.
    height, width = (n // 10 for n in picture.shape[:2])
    picture = picture[2 * height : -2 * height]
    assert is_drawn(picture[:, 2 * width : 4 * width])
    assert is_drawn(picture[:, -4 * width : -2 * width])
    assert rest.endswith("skdeepmix-demo.png")


@pytest.mark.usefixtures("fast")
@pytest.mark.parametrize("n_features", [2, 5, 64])
def test_many_clusters_and_one_without_members_are_drawn(run, tmp_path, n_features):
    X = np.repeat(np.random.default_rng(0).random((3, n_features)), 20, axis=0)
    run("--data", save(tmp_path, X), "--n-clusters", 25)
    picture = imread(tmp_path / "skdeepmix-demo.png")
    assert is_drawn(picture)
    assert picture.shape[0] < 3000


def test_tiles_put_each_image_in_the_row_of_its_cluster():
    first, second = np.arange(8.0).reshape(2, 4), np.arange(10.0, 14.0).reshape(1, 4)
    tiles = demo._tiles([first, second], 2)
    assert tiles.shape == (6, 6)
    np.testing.assert_array_equal(tiles[:2, :2], [[0, 1], [2, 3]])
    np.testing.assert_array_equal(tiles[:2, 3:5], [[4, 5], [6, 7]])
    np.testing.assert_array_equal(tiles[3:5, :2], [[10, 11], [12, 13]])
    assert np.isnan(tiles[3:5, 3:5]).all()
    assert np.isnan(tiles[2]).all()


@pytest.mark.parametrize(
    ("n_features", "expected"),
    [
        (1, "_lines"),
        (2, "_scatter"),
        (16, "_lines"),
        (63, "_lines"),
        (64, "_images"),
        (784, "_images"),
    ],
)
def test_rows_are_drawn_by_their_number_of_features(n_features, expected):
    assert demo._drawing(n_features)[0].__name__ == expected


def test_each_model_has_its_part_of_the_picture(run, tmp_path, monkeypatch, blobs):
    make = partial(GaussianMixtureVAE, max_iter=1)
    heights = []
    for n_models in (1, 3):
        ours = {f"Model {i}": (make, "bound") for i in range(n_models)}
        monkeypatch.setattr(demo, "OURS", ours)
        table, _ = run("--data", save(tmp_path, *blobs))
        assert list(table)[2:] == list(ours)
        heights.append(len(imread(tmp_path / "skdeepmix-demo.png")))
    assert heights[1] == pytest.approx(3 * heights[0], abs=3)


@pytest.mark.usefixtures("fast")
def test_folder_is_made(run, tmp_path, blobs):
    run("--data", save(tmp_path, *blobs), "--out", tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b" / "skdeepmix-demo.png").stat().st_size > 1000


# Files


@pytest.mark.parametrize(
    "text",
    [
        "1,2.5\n-3,4e2\n",
        "width,height\n1,2.5\n-3,4e2\n",
        "\ufeff1,2.5\r\n-3,4e2\r\n\r\n",
    ],
)
def test_csv_is_read_with_and_without_header(tmp_path, text):
    path = tmp_path / "rows.CSV"
    path.write_text(text, encoding="utf-8")
    name, X, y = demo._load(path)
    np.testing.assert_array_equal(X, [[1, 2.5], [-3, 400]])
    assert (name, y) == ("rows.CSV", None)


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.float32])
def test_npy_is_read(tmp_path, dtype):
    X = np.eye(3, dtype=dtype)
    np.save(tmp_path / "rows.npy", X)
    _, loaded, y = demo._load(tmp_path / "rows.npy")
    np.testing.assert_array_equal(loaded, np.eye(3))
    assert loaded.dtype == np.float64
    assert y is None


def test_npz_is_read_with_classes(tmp_path, blobs):
    _, X, y = demo._load(save(tmp_path, *blobs))
    np.testing.assert_array_equal(X, blobs[0])
    np.testing.assert_array_equal(y, blobs[1])


# What can be wrong


@pytest.fixture
def refused(capsys):
    """Run the demo; return the one line it ends with."""

    def refused(*arguments):
        with pytest.raises(SystemExit) as raised:
            demo.main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        assert (raised.value.code, out, err.count("\n")) == (2, "", 1)
        prefix = "python -m skdeepmix: error: "
        assert err.startswith(prefix)
        return err[len(prefix) : -1]

    return refused


ROWS = np.random.default_rng(0).random((20, 3))
BAD_ARRAYS = [
    (
        {"x_train": ROWS, "x_test": ROWS},
        "expected an array named X and, optionally, one named y; found x_train, x_test",
    ),
    ({"X": ROWS[0]}, r"expected rows of shape (n_samples, n_features), got shape (3,)"),
    (
        {"X": np.zeros((5, 2, 2))},
        "expected rows of shape (n_samples, n_features), got shape (5, 2, 2)",
    ),
    ({"X": np.full((20, 3), np.nan)}, "Input contains NaN."),
    (
        {"X": np.full((20, 3), np.inf)},
        "Input contains infinity or a value too large for dtype('float64').",
    ),
    ({"X": ROWS * 1j}, "Complex data not supported"),
    ({"X": np.full((20, 3), "a")}, "could not convert string to float: np.str_('a')"),
    (
        {"X": np.full((20, 3), None)},
        "Object arrays cannot be loaded when allow_pickle=False",
    ),
    (
        {"X": ROWS[:, :0]},
        "Found array with 0 feature(s) (shape=(20, 0)) while a minimum of 1 is "
        "required.",
    ),
    ({"X": ROWS, "y": np.arange(3)}, "expected y of shape (20,), got shape (3,)"),
    ({"X": ROWS, "y": ROWS[:, 0]}, "expected classes in y, got continuous values"),
]
BAD_TEXTS = [
    ("", "no rows of numbers"),
    ("a,b\n", "no rows of numbers"),
    ("1,2\n3,x\n", "could not convert string 'x' to float64 at row 1, column 2."),
    ("1,2\n3\n", "the number of columns changed from 2 to 1 at row 2"),
    ("1,2\n3,nan\n", "Input contains NaN."),
]


@pytest.mark.parametrize(("arrays", "reason"), BAD_ARRAYS)
def test_bad_arrays_are_refused(refused, tmp_path, arrays, reason):
    path = tmp_path / "rows.npz"
    np.savez(path, **arrays)
    assert refused("--data", path) == f"argument --data: {path}: {reason}"


@pytest.mark.parametrize(("text", "reason"), BAD_TEXTS)
def test_bad_text_is_refused(refused, tmp_path, text, reason):
    path = tmp_path / "rows.csv"
    path.write_text(text)
    line = refused("--data", path)
    assert line.startswith(f"argument --data: {path}: {reason}")


@pytest.mark.parametrize("suffix", demo.READERS)
@pytest.mark.parametrize("content", [b"", b"\x80\x04nonsense", b"PK\x03\x04 cut off"])
def test_broken_files_are_refused(refused, tmp_path, suffix, content):
    path = tmp_path / f"rows{suffix}"
    path.write_bytes(content)
    assert refused("--data", path).startswith(f"argument --data: {path}: ")


def test_missing_file_is_refused(refused, tmp_path):
    path = tmp_path / "rows.npy"
    expected = f"argument --data: {path}: No such file or directory"
    assert refused("--data", path) == expected


@pytest.mark.parametrize("name", ["rows.txt", "rows", ".npy", "."])
def test_other_kinds_of_files_are_refused(refused, tmp_path, name):
    path = tmp_path / name
    assert refused("--data", path) == (
        f"argument --data: {path}: expected a file name that ends in .npy, .npz, .csv"
    )


@pytest.mark.parametrize("k", ["0", "-3", "2.5", "ten", ""])
def test_number_of_clusters_is_a_positive_integer(refused, k):
    expected = f"argument --n-clusters: expected an integer >= 1, got '{k}'"
    assert refused(f"--n-clusters={k}") == expected


@pytest.mark.parametrize(("n_samples", "k", "n_fitted"), [(20, 17, 16), (2, 1, 1)])
def test_too_few_rows_are_refused(refused, tmp_path, n_samples, k, n_fitted):
    path = save(tmp_path, ROWS[:n_samples])
    assert refused("--data", path, "--n-clusters", k) == (
        f"Expected at least n_clusters = {k} and 2 rows to fit, but of {n_samples} "
        f"rows {n_fitted} are left after a fifth is held out. Use more rows or a "
        "smaller --n-clusters."
    )


def test_unknown_model_is_refused(refused):
    line = refused("--model", "GaussianMixturVAE")
    assert line.startswith(
        "argument --model: invalid choice: 'GaussianMixturVAE' (choose from "
    )
    assert all(name in line for name in demo.OURS)


def test_unknown_option_is_refused(refused):
    assert refused("--colour", "red") == "unrecognized arguments: --colour red"


def test_file_in_place_of_the_folder_is_refused(refused, tmp_path):
    path = save(tmp_path, ROWS)
    assert refused("--out", path) == f"argument --out: {path}: File exists"


def test_folder_that_cannot_be_written_is_refused(refused, tmp_path, monkeypatch):
    monkeypatch.setattr(demo.os, "access", lambda path, mode: False)
    expected = f"argument --out: {tmp_path}: cannot be written to"
    assert refused("--out", tmp_path) == expected


def test_data_that_a_model_cannot_fit_are_refused(refused, tmp_path, monkeypatch):
    class Refusing(GaussianMixtureVAE):
        def fit(self, X, y=None):
            raise ValueError("The loss became nan.\nIt did.")

    monkeypatch.setattr(demo, "OURS", {"Refusing": (Refusing, "bound")})
    path = save(tmp_path, ROWS)
    assert refused("--data", path, "--n-clusters", 2, "--out", tmp_path) == (
        "Refusing could not be fitted: The loss became nan. It did."
    )


def test_interruption_is_one_line(tmp_path, monkeypatch, capsys):
    def interrupt(options):
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "_demo", interrupt)
    with pytest.raises(SystemExit, match="130"):
        demo.main([])
    assert capsys.readouterr().err == "python -m skdeepmix: interrupted\n"


def test_interrupted_fit_ends_the_demo(tmp_path, monkeypatch, capsys):
    def interrupt(self, x):
        raise KeyboardInterrupt

    monkeypatch.setattr(GaussianMixtureVAE()._module_class, "losses", interrupt)
    path = save(tmp_path, ROWS)
    with pytest.raises(SystemExit, match="130"):
        demo.main(["--data", str(path), "--n-clusters", "2", "--out", str(tmp_path)])
    assert capsys.readouterr() == ("", "python -m skdeepmix: interrupted\n")


@pytest.mark.parametrize("missing", ["rich", "matplotlib"])
def test_missing_extras_are_named_with_the_command(missing, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, missing, None)
    monkeypatch.delitem(sys.modules, f"{missing}.figure", raising=False)
    monkeypatch.delitem(sys.modules, "skdeepmix.__main__")
    monkeypatch.setattr(sys, "argv", ["skdeepmix"])
    with pytest.raises(SystemExit, match="2"):
        runpy.run_module("skdeepmix", run_name="__main__")
    line = capsys.readouterr().err
    assert line.startswith("python -m skdeepmix: error: The demo needs matplotlib and ")
    assert missing in line[line.index("(") : line.index(")")]
    assert line.endswith("Install them with: python -m pip install matplotlib rich\n")


def test_help_names_every_option_and_model(capsys):
    with pytest.raises(SystemExit, match="0"):
        demo.main(["--help"])
    text = capsys.readouterr().out
    options = ["--data FILE", "--model NAME", "--n-clusters K", "--out DIR"]
    assert [option for option in options if option not in text] == []
    assert [name for name in demo.OURS if name not in text] == []
