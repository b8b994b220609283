"""Make the tables of ``doc/benchmarks`` from the results on file.

    python benchmarks/tables.py           writes doc/benchmarks/tables/*.inc
    python benchmarks/tables.py --check   exits 1 with a diff if they would change

A page of ``doc/benchmarks`` is written by hand and includes its tables. To add a
table, describe it in `TABLES`.
"""

import argparse
import difflib
import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import studies
from _runs import RESULTS, ROOT, read_lines
from studies import MISSING, spread

TABLES_DIR = ROOT / "doc" / "benchmarks" / "tables"
# Options of commands that choose lines, say where these lie, or stand below a table.
TOLD = (
    "--models",
    "--repeats",
    "--results",
    "--rows",
    "--seeds",
    "--sets",
    "--settings",
    "--starts",
    "--threads",
)


def extreme(choose, values, digits):
    """Smallest or largest of the values of all seeds.

    Parameters
    ----------
    choose : callable
        ``min`` or ``max``.
    values : list of float
        One per seed.
    digits : int
        After the point.

    Returns
    -------
    cell : str
        One number.
    """
    return f"{choose(values):.{digits}f}"


smallest = partial(extreme, min)
largest = partial(extreme, max)


@dataclass(frozen=True)
class Column:
    """One quantity of the lines.

    Attributes
    ----------
    title : str
        Head of the column.
    key : str
        Name in the lines.
    digits : int
        After the point.
    summary : callable
        From the values of all seeds and `digits` to a cell.
    """

    title: str
    key: str
    digits: int = 3
    summary: Callable = spread


@dataclass(frozen=True)
class Table:
    """One table: a data set of a file, a row per setting.

    Attributes
    ----------
    name : str
        Of the file that the page includes.
    title : str
        Of the table.
    results : str
        Name of the file of results.
    data : str
        Lines that belong to it.
    columns : tuple of Column
        Between the setting and the number of seeds.
    settings : tuple of str
        Rows in this order, also those without results. All other settings on file
        follow: what has been run is shown.
    references : tuple of (str, dict)
        Rows from elsewhere: a name, and cells by the key of their column.
    """

    name: str
    title: str
    results: str
    data: str
    columns: tuple
    settings: tuple = ()
    references: tuple = ()

    def select(self, lines):
        """Lines that belong to the table."""
        return [line for line in lines if line["data"] == self.data]

    def rows(self, lines):
        """Cells of the table, head first."""
        by_setting = {setting: [] for setting in self.settings}
        for line in lines:
            by_setting.setdefault(line["setting"], []).append(line)
        titles = [column.title for column in self.columns]
        body = [
            [setting, *(_cell(column, runs) for column in self.columns), str(len(runs))]
            for setting, runs in by_setting.items()
        ]
        body += [
            [
                name,
                *(cells.get(column.key, MISSING) for column in self.columns),
                MISSING,
            ]
            for name, cells in self.references
        ]
        return [["Setting", *titles, "Seeds"], *body]


@dataclass(frozen=True)
class Study:
    """One table that summarises a file as a whole.

    Attributes
    ----------
    name : str
        Of the file that the page includes.
    title : str
        Of the table.
    results : str
        Name of the file of results.
    summarize : callable
        From lines to rows of cells, head first.
    """

    name: str
    title: str
    results: str
    summarize: Callable

    def select(self, lines):
        """All lines."""
        return lines

    def rows(self, lines):
        """Cells of the table, head first; only a head without lines."""
        return self.summarize(lines) if lines else [["Setting"]]


ACC = Column("ACC", "acc")
START = Column("of the start", "acc_start")
GUIDED = Column("guidance ends", "acc_guided")
NMI = Column("NMI", "nmi")
ARI = Column("ARI", "ari")
PURITY = Column("Purity", "purity")
MAKHZANI = Column("Makhzani", "makhzani")
SCORE = Column("Log-likelihood", "score", 2)
HELD_OUT = Column("held out", "score_val", 3)
SECONDS = Column("Seconds", "seconds", 1)
ROUNDS = Column("Rounds", "rounds", 0)
NETWORKS = "Banijamali et al. (2017)"
PARZEN_COLUMNS = (
    Column("Purity, test", "purity_test"),
    Column("Parzen, samples", "parzen", 1),
    Column("images", "parzen_images", 1),
    Column("centroids", "parzen_centroids", 1),
)
PEERS_COLUMNS = (
    ACC,
    NMI,
    ARI,
    PURITY,
    HELD_OUT,
    SECONDS,
    Column("an epoch", "seconds_per_epoch", 2),
    Column("MB", "peak_mb", 0),
)
NETWORKS_SETTINGS = ("k-means", "defaults")
NETWORKS_COLUMNS = (
    Column("Purity of the start", "purity_start"),
    Column("after step 1", "purity_guided"),
    Column("after step 2", "purity"),
    ACC,
    NMI,
    SECONDS,
)
GMVAE = "Dilokthanakul et al. (2016)"


def networks_table(data, title, paper):
    """Table of the mixture of networks on one data set.

    Parameters
    ----------
    data : str
        Name in the lines.
    title : str
        Of the table.
    paper : tuple of str or None
        Purity of k-means and of the model in the paper.

    Returns
    -------
    table : Table
        With the settings of the script.
    """
    settings, columns, references = NETWORKS_SETTINGS, NETWORKS_COLUMNS, ()
    if paper is None:
        settings = (*settings, "spectral clustering")
        columns = (START, GUIDED, ACC, Column("worst", "acc", summary=smallest))
        columns = (*columns, SECONDS)
    else:
        cells = dict(zip(("purity_start", "purity"), paper, strict=True))
        references = ((NETWORKS, cells),)
    if data == "mnist":
        columns = (*columns[:-1], *PARZEN_COLUMNS, SECONDS)
    name = f"networks_{data.replace('-', '_')}"
    return Table(
        name, title, "mixture_of_networks", data, columns, settings, references
    )


GUMBEL = "Arias Figueroa and Ramirez Rivera (2017)"
GUMBEL_SETTINGS = ("defaults", "random", "random, beta = 1", "Xavier, random")
GUMBEL_COLUMNS = (START, ACC, NMI, ARI, Column("Information", "information", 2))
VAES = "Ye and Bors (2020)"
MPCC = "Astorga et al. (2020)"


def vaes_table(data, title):
    """Table of the clusters of the mixture of VAEs on one data set.

    Parameters
    ----------
    data : str
        Name in the lines.
    title : str
        Of the table.

    Returns
    -------
    table : Table
        With the settings of the script.
    """
    columns = (START, ACC, NMI, ARI, Column("Entropy", "entropy", 2))
    columns = (*columns, Column("dHSIC", "dhsic", 4), SECONDS)
    settings = ("defaults", "random", "no entropies, start", "no entropies, random")
    return Table(f"vaes_{data}", title, "mixture_of_vaes", data, columns, settings)


PEERS_TITLES = {
    "coil20": "COIL-20, 1,296 of 1,440 images, K = 20",
    "usps": "USPS, 8,368 of 9,298 images, K = 10",
    "mnist10k": "Test images of MNIST, 9,000 of 10,000, K = 10",
    "pendigits": "Pen digits, 9,892 of 10,992, K = 10",
    "reuters": "Reuters R8, 6,906 of 7,674 articles, K = 8",
    "mnist": "MNIST, 63,000 of 70,000 images, K = 10, 12 epochs",
}


def peers_table(data):
    """Table of our models and their peers on one data set.

    Parameters
    ----------
    data : str
        Name in the lines.

    Returns
    -------
    table : Table
        With a row for every model on file.
    """
    return Table(f"peers_{data}", PEERS_TITLES[data], "peers", data, PEERS_COLUMNS)


TABLES = (
    Table(
        "gumbel_mnist",
        "MNIST, 60,000 images fitted, K = 10",
        "gumbel_softmax_vae",
        "mnist",
        (
            *GUMBEL_COLUMNS,
            Column("ACC, test", "acc_test"),
            Column("NMI, test", "nmi_test"),
            Column("3-NN error", "knn_3", 4),
            Column("5-NN", "knn_5", 4),
            Column("10-NN", "knn_10", 4),
            SECONDS,
        ),
        GUMBEL_SETTINGS,
        (
            (
                GUMBEL,
                {
                    "acc_test": "0.858 ± 0.08",
                    "nmi_test": "0.821 ± 0.05",
                    "knn_3": "0.0346",
                    "knn_5": "0.0330",
                    "knn_10": "0.0344",
                },
            ),
        ),
    ),
    Table(
        "gumbel_usps",
        "USPS, 9,298 images, K = 10",
        "gumbel_softmax_vae",
        "usps",
        (*GUMBEL_COLUMNS, SECONDS),
        GUMBEL_SETTINGS,
        ((GUMBEL, {"acc": "0.726 ± 0.03", "nmi": "0.655 ± 0.01"}),),
    ),
    Table(
        "gumbel_reuters",
        "Reuters R8, 7,674 texts, K = 8",
        "gumbel_softmax_vae",
        "reuters",
        (*GUMBEL_COLUMNS, PURITY, SECONDS),
        GUMBEL_SETTINGS,
        ((f"{GUMBEL}, Reuters-10K", {"acc": "0.767 ± 0.06", "nmi": "0.524 ± 0.05"}),),
    ),
    Study(
        "gumbel_everywhere",
        "Default parameters on every data set",
        "gumbel_softmax_vae",
        studies.default_fits,
    ),
    Table(
        "vaes_reconstruction",
        "Squared error of a test image of MNIST, 20 epochs",
        "mixture_of_vaes",
        "mnist-reconstruction",
        (
            Column("drawn weights", "error", 2),
            Column("expected weights", "error_expected", 2),
            Column("means of all", "error_mean", 2),
            SECONDS,
        ),
        ("K = 1", "K = 10", "K = 10, fixed sum"),
        (
            (f"{VAES}, VAE", {"error": "13.44"}),
            (f"{VAES}, K = 10", {"error": "9.17"}),
        ),
    ),
    Table(
        "vaes_features",
        "Accuracy of classifiers on the latents, test images of MNIST, 20 epochs",
        "mixture_of_vaes",
        "mnist-features",
        (
            Column("MLP", "mlp", 4),
            Column("linear SVM", "svm", 4),
            Column("5-NN", "knn", 4),
            Column("Squared error", "error", 2),
            SECONDS,
        ),
        ("K = 1", "K = 4", "K = 4, fixed sum"),
        (
            (f"{VAES}, VAE", {"mlp": "0.9535", "svm": "0.9023", "knn": "0.9634"}),
            (f"{VAES}, K = 4", {"mlp": "0.9659", "svm": "0.9337", "knn": "0.9717"}),
        ),
    ),
    Table(
        "vaes_digits",
        "Weight of the dependence, digits of scikit-learn, K = 10",
        "mixture_of_vaes",
        "digits",
        (
            ACC,
            Column("dHSIC of all", "dhsic", 5),
            Column("HSIC of pairs", "hsic_pairs", 5),
            Column("Entropy", "entropy", 2),
            SCORE,
            SECONDS,
        ),
        ("beta = 0", "beta = 1", "beta = 10", "beta = 100"),
    ),
    vaes_table("usps", "USPS, 9,298 images, K = 10"),
    vaes_table("mnist10k", "The 10,000 test images of MNIST, K = 10"),
    Table(
        "mpcc_ring",
        "Ring of eight Gaussians, 10,000 points, K = 8",
        "mpcc",
        "ring",
        (
            ACC,
            Column("worst", "acc", summary=smallest),
            Column("Least share of samples", "share_min", summary=smallest),
            Column("largest", "share_max", summary=largest),
            SECONDS,
        ),
        ("random", "random, 2 latents"),
    ),
    Table(
        "mpcc_arcs",
        "Five arcs, 10,000 points, K = 5",
        "mpcc",
        "arcs",
        (ACC, Column("worst", "acc", summary=smallest), SECONDS),
        ("random", "random, 2 latents"),
    ),
    Table(
        "mpcc_digits",
        "Digits of scikit-learn, 1,797 images of 8 x 8 pixels, K = 10",
        "mpcc",
        "digits",
        (START, PURITY, ACC, NMI, ROUNDS, SECONDS),
        (
            "defaults",
            "random",
            "random, 2,400 epochs",
            "floor added, random",
            "Algorithm 1, random",
        ),
    ),
    Table(
        "mpcc_usps",
        "USPS, 9,298 images, K = 10",
        "mpcc",
        "usps",
        (START, PURITY, ACC, NMI, ROUNDS, SECONDS),
        ("defaults",),
    ),
    Table(
        "mpcc_mnist",
        "MNIST, 60,000 images fitted, K = 10",
        "mpcc",
        "mnist",
        (START, PURITY, ACC, NMI, Column("ACC, test", "acc_test"), ROUNDS, SECONDS),
        ("defaults", "random"),
        ((f"{MPCC}, all 70,000 images, 125,000 rounds", {"purity": "0.985 ± 0.005"}),),
    ),
    Table(
        "mpcc_mnist14",
        "MNIST at half its height and width, 60,000 images fitted, K = 10",
        "mpcc",
        "mnist14",
        (PURITY, ACC, NMI, Column("ACC, test", "acc_test"), ROUNDS, SECONDS),
        (
            "random",
            "one layer shared, 60 epochs",
            "one layer shared, 300 epochs",
            "latent conditions, 60 epochs",
        ),
    ),
    Table(
        "mpcc_omniglot",
        "2,000 drawings of 100 characters of Omniglot, K = 100",
        "mpcc",
        "omniglot",
        (START, PURITY, ACC, NMI, ROUNDS, SECONDS),
        ("defaults", "random"),
        ((f"{MPCC}, with 20 transformed copies of each", {"purity": "0.659 ± 0.015"}),),
    ),
    Table(
        "mpcc_samples",
        "10,000 generated images of MNIST against the test images",
        "mpcc",
        "mnist",
        (
            Column("Fréchet", "frechet"),
            Column("of the start", "frechet_start"),
            Column("of a Gaussian mixture", "frechet_mixture"),
            Column("of training images", "frechet_train"),
            Column("Squared MMD", "mmd", 4),
            Column("of the start", "mmd_start", 4),
            Column("of a Gaussian mixture", "mmd_mixture", 4),
            Column("of training images", "mmd_train", 4),
        ),
        ("defaults", "random"),
    ),
    networks_table("two-moon", "Two moons, 4,000 points", None),
    networks_table("moon-circle", "Moon and circle, 4,000 points", None),
    networks_table("two-circle", "Two circles, 4,500 points", None),
    networks_table("usps", "USPS, 9,298 images, K = 10", ("0.649", "0.783")),
    networks_table("coil20", "COIL-20, 1,440 images, K = 20", ("0.623", "0.776")),
    networks_table("isolet", "Isolet, 1,560 letters, K = 26", ("0.637", "0.713")),
    networks_table("reuters", "Reuters R8, 7,674 texts, K = 8", ("0.531", "0.631")),
    networks_table("mnist", "MNIST, 55,000 images fitted, K = 10", ("0.592", "0.803")),
    Table(
        "gmvae_mnist",
        "MNIST, 70,000 images, K = 10",
        "gmvae",
        "mnist",
        (START, GUIDED, ACC, NMI, ARI, PURITY, MAKHZANI, SCORE, SECONDS),
        (
            "neighbors, 40 epochs",
            "k-means++, M = 1",
            "k-means++, M = 10, 40 epochs",
            "KMeans, M = 1",
            "random, 40 epochs",
        ),
        (
            (f"{GMVAE}, M = 1", {"makhzani": "0.778 ± 0.058"}),
            (f"{GMVAE}, M = 10", {"makhzani": "0.823 ± 0.038"}),
        ),
    ),
    Table(
        "gmvae_mnist_train",
        "MNIST, fitted to 60,000 images, scores of the other 10,000",
        "gmvae",
        "mnist-train",
        (
            Column("Makhzani, test", "makhzani_test"),
            Column("Purity, test", "purity_test"),
            Column("NMI, test", "nmi_test"),
            MAKHZANI,
            PURITY,
            SECONDS,
        ),
        ("neighbors, K = 16", "neighbors, K = 30"),
        (
            (f"{GMVAE}, K = 16, best average", {"makhzani_test": "0.878"}),
            (f"{GMVAE}, K = 30, best average", {"makhzani_test": "0.928"}),
        ),
    ),
    Table(
        "gmvae_digits",
        "Digits of scikit-learn, 1,797 images, K = 10",
        "gmvae",
        "digits",
        (START, GUIDED, ACC, NMI, ARI, PURITY, SECONDS),
        ("defaults",),
    ),
    Table(
        "gmvae_arcs",
        "Five arcs, 10,000 points, K = 5",
        "gmvae",
        "arcs",
        (
            ACC,
            Column("worst", "acc", summary=smallest),
            NMI,
            Column("Clusters in use", "n_live", 1),
            Column("Information", "information", 2),
            HELD_OUT,
            SECONDS,
        ),
        ("random, no constraint", "random, information constraint"),
    ),
    *map(peers_table, PEERS_TITLES),
    Study(
        "peers_accuracy",
        "ACC of all models on all data sets",
        "peers",
        studies.accuracies,
    ),
    Study(
        "peers_overtaken",
        "Seconds until our models reach the accuracy of a peer",
        "peers",
        studies.overtaken,
    ),
    Study(
        "peers_two_threads",
        "Seconds until the default model reaches the accuracy of N2D, two threads",
        "two_threads/peers",
        studies.overtaken,
    ),
    Study(
        "peers_amx",
        "Seconds until the default model reaches the accuracy of N2D, AMX",
        "amx/peers",
        studies.overtaken,
    ),
    Study(
        "speed",
        "An epoch of 10,240 rows, labels of 100,000, a fit to the digits",
        "speed",
        studies.speeds,
    ),
    Study(
        "speed_avx512",
        "An epoch of 10,240 rows without AMX",
        "avx512/speed",
        studies.speeds,
    ),
    Study(
        "side_by_side",
        "An epoch of K networks of 64 and 64 units, relative to one",
        "side_by_side",
        studies.side_by_side,
    ),
    Study(
        "parallel",
        "Default fits to the digits, and imports, in alternating repeats",
        "parallel",
        studies.gains,
    ),
    Study(
        "micro",
        "Parts of a step and the floor of each",
        "micro",
        studies.floors,
    ),
    Study(
        "growth",
        "784 features from a memory map, two epochs, 128 units",
        "growth",
        studies.growth,
    ),
    Study(
        "precision",
        "ACC of GaussianMixtureVAE with default parameters, by arithmetic",
        "precision",
        studies.precisions,
    ),
    Study(
        "starts_defaults",
        "ACC of default parameters on twelve data sets",
        "starts_defaults",
        studies.defaults,
    ),
    Study(
        "starts_seconds",
        "GaussianMixtureVAE with default parameters",
        "starts_defaults",
        studies.default_seconds,
    ),
    Table(
        "starts_random",
        "USPS from a random start",
        "starts_random",
        "usps",
        (ACC, Column("worst", "acc", summary=smallest), NMI, ARI, SECONDS),
        ("random, beta 1",),
    ),
    Study(
        "starts_candidates",
        "ACC of the start, by graph, start of the layout and criterion",
        "starts_candidates",
        studies.candidates,
    ),
    Study(
        "starts_seedings",
        "ACC of the start, and what 19 draws of 20 reach, by the number of seedings",
        "starts_seedings",
        studies.seedings,
    ),
    Study(
        "starts_kept",
        "Gain in ACC over the start, in points ± standard error (held-out bound)",
        "starts_kept",
        studies.kept,
    ),
    Study(
        "starts_restarts",
        "Rank correlation with ACC over restarts (ACC of the one that is chosen)",
        "starts_restarts",
        studies.restarts,
    ),
    Study(
        "starts_number",
        "Criteria for the number of clusters, the best in bold",
        "starts_number",
        studies.numbers,
    ),
    Study(
        "starts_pretraining",
        "ACC of the start, and the time until its first epoch has ended, by the length "
        "of the pre-training",
        "starts_pretraining",
        studies.pretrainings,
    ),
    Study(
        "starts_noise",
        "Own samples, held-out bound and ACC, by the least noise of the start",
        "starts_noise",
        studies.noises,
    ),
    *(
        Table(
            f"starts_layout_{data}",
            f"Layouts of principal components in 5 dimensions, {data}",
            "starts_layout",
            data,
            (ACC, Column("Trustworthiness", "trust"), SECONDS),
            ("skdeepmix", "umap-learn"),
        )
        for data in ("digits", "coil20", "usps", "pendigits", "mnist10k")
    ),
)


def render(table, lines):
    """Write a table as reStructuredText.

    Parameters
    ----------
    table : Table or Study
        Its description.
    lines : list of dict
        All lines of its file of results.

    Returns
    -------
    text : str
        A ``list-table`` and where its numbers come from.
    """
    selected = table.select(lines)
    rows = table.rows(selected)
    parts = [
        f".. From benchmarks/results/{table.results}.jsonl by benchmarks/tables.py.",
        f".. list-table:: {table.title}\n   :header-rows: 1",
        "\n".join(_row(cells) for cells in rows),
    ]
    if len(rows) == 1:  # docutils has no table without a body
        parts = [*parts[:1], table.title]
    return "\n\n".join([*parts, _sources(selected)]) + "\n"


def plain(table, lines):
    """Write a table for a terminal.

    Parameters
    ----------
    table : Table or Study
        Its description.
    lines : list of dict
        All lines of its file of results.

    Returns
    -------
    text : str
        Title, columns of cells, and where the numbers come from.
    """
    selected = table.select(lines)
    rows = table.rows(selected)
    widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
    aligned = ["  ".join(map(str.ljust, cells, widths)).rstrip() for cells in rows]
    return "\n".join([table.title, *aligned, _sources(selected)])


def _cell(column, runs):
    # A null on file was not finite; an absent name was not measured.
    values = [run[column.key] for run in runs if column.key in run]
    if not values:
        return MISSING
    if None in values:
        return "nan"
    cell = column.summary(values, column.digits)
    return cell if len(values) == len(runs) else f"{cell} (n = {len(values)})"


def _row(cells):
    first, *rest = cells
    return "\n".join([f"   * - {first}", *(f"     - {cell}" for cell in rest)])


def _sources(lines):
    if not lines:
        return "Not run yet."
    sources = {
        "Commit": [_commit(line) for line in lines],
        "Command": [f"``{_command(line)}``" for line in lines],
        "Versions": [_versions(line) for line in lines],
        "Machine": [_machine(line) for line in lines],
    }
    return "\n".join(
        f":{name}: {'; '.join(dict.fromkeys(texts))}" for name, texts in sources.items()
    )


def _commit(line):
    if line["commit"] is None:
        return "none"
    changed = " with uncommitted changes" if line["dirty"] else ""
    return f"``{line['commit'][:10]}``{changed}"


def _command(line):
    """The command without what the table itself tells: its lines, and the machine."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for option in TOLD:
        parser.add_argument(option)
    _, words = parser.parse_known_args(shlex.split(line["command"]))
    return shlex.join(words)


def _machine(line):
    instructions = line.get("bfloat16", []) if line["device"] == "cpu" else []
    if line.get("isa"):
        instructions = [f"at most {line['isa'].lower()}"]
    device = ", ".join([line["device"], *instructions])
    return f"{device}, threads: {line['threads']}"


def _versions(line):
    versions = line["versions"] | line.get("packages", {})
    return ", ".join(f"{name} {number}" for name, number in versions.items())


def generate(tables, results):
    """Make all tables.

    Parameters
    ----------
    tables : iterable of Table and Study
        Their descriptions.
    results : path-like
        Folder of the ``.jsonl`` files.

    Returns
    -------
    files : dict of str to str
        Text by name of file.
    """
    return {
        f"{table.name}.inc": render(
            table, read_lines(Path(results) / f"{table.results}.jsonl")
        )
        for table in tables
    }


def differences(files, folder):
    """Compare tables with what is on disk.

    Parameters
    ----------
    files : dict of str to str
        Text by name of file.
    folder : path-like
        Where they should be.

    Returns
    -------
    diff : list of str
        Lines of a unified diff from the disk to `files`, of missing files and of
        tables that nobody describes, too; empty if all agree.
    """
    on_disk = {
        path.name: path.read_text("utf-8") for path in Path(folder).glob("*.inc")
    }
    diff = []
    for name in sorted(files.keys() | on_disk.keys()):
        old, new = on_disk.get(name, ""), files.get(name, "")
        diff += difflib.unified_diff(
            old.splitlines(),
            new.splitlines(),
            f"{name} on disk" if name in on_disk else "no file",
            f"{name} from the results" if name in files else "not in TABLES",
            lineterm="",
        )
    return diff


def main(argv=None):
    """Write or check the tables.

    Parameters
    ----------
    argv : list of str or None, default=None
        Arguments; None takes those of the process.

    Returns
    -------
    status : int
        1 if `--check` found a difference, else 0.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--check", action="store_true", help="change nothing, exit 1 on a difference"
    )
    parser.add_argument("--results", metavar="DIR", type=Path, default=RESULTS)
    parser.add_argument("--out", metavar="DIR", type=Path, default=TABLES_DIR)
    args = parser.parse_args(argv)
    files = generate(TABLES, args.results)
    if args.check:
        diff = differences(files, args.out)
        if diff:
            print("\n".join(diff))
            print("Run 'python benchmarks/tables.py' and commit what it writes.")
        return int(bool(diff))
    args.out.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (args.out / name).write_text(text, "utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
