"""Make the tables of ``doc/benchmarks`` from the results on file.

    python benchmarks/tables.py           writes doc/benchmarks/tables/*.inc
    python benchmarks/tables.py --check   exits 1 with a diff if they would change

A page of ``doc/benchmarks`` is written by hand and includes its tables. To add a
table, describe it in `TABLES`.
"""

import argparse
import difflib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev

sys.path.insert(0, str(Path(__file__).resolve().parent))

from _runs import RESULTS, ROOT, read_lines

TABLES_DIR = ROOT / "doc" / "benchmarks" / "tables"
MISSING = "\N{EN DASH}"


def mean(values, digits):
    """Mean and, of several seeds, their standard deviation.

    Parameters
    ----------
    values : list of float
        One per seed.
    digits : int
        After the point.

    Returns
    -------
    cell : str
        Such as ``"0.812 ± 0.013"``; the deviation is that of a sample, n - 1.
    """
    cell = f"{fmean(values):.{digits}f}"
    return f"{cell} ± {stdev(values):.{digits}f}" if len(values) > 1 else cell


def smallest(values, digits):
    """Value of the worst seed.

    Parameters
    ----------
    values : list of float
        One per seed.
    digits : int
        After the point.

    Returns
    -------
    cell : str
        One number.
    """
    return f"{min(values):.{digits}f}"


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
    summary: Callable = mean


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
GMVAE = "Dilokthanakul et al. (2016)"

TABLES = (
    Table(
        "gmvae_mnist",
        "MNIST, 70,000 images, K = 10",
        "gmvae",
        "mnist",
        (START, GUIDED, ACC, NMI, ARI, PURITY, MAKHZANI, SCORE, SECONDS),
        (
            "k-means++, M = 1",
            "k-means++, M = 10, 40 epochs",
            "neighbors, M = 1",
            "KMeans, M = 1",
        ),
        (
            (f"{GMVAE}, M = 1", {"makhzani": "0.778 ± 0.058"}),
            (f"{GMVAE}, M = 10", {"makhzani": "0.823 ± 0.038"}),
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
)


def render(table, lines):
    """Write a table as reStructuredText.

    Parameters
    ----------
    table : Table
        Its description.
    lines : list of dict
        All lines of its file of results.

    Returns
    -------
    text : str
        A ``list-table`` and where its numbers come from.
    """
    by_setting = {setting: [] for setting in table.settings}
    for line in lines:
        if line["data"] == table.data:
            by_setting.setdefault(line["setting"], []).append(line)
    head = ["Setting", *(column.title for column in table.columns), "Seeds"]
    body = [
        [setting, *(_cell(column, runs) for column in table.columns), str(len(runs))]
        for setting, runs in by_setting.items()
    ]
    body += [
        [name, *(cells.get(column.key, MISSING) for column in table.columns), MISSING]
        for name, cells in table.references
    ]
    parts = [
        f".. From benchmarks/results/{table.results}.jsonl by benchmarks/tables.py.",
        f".. list-table:: {table.title}\n   :header-rows: 1",
        "\n".join(_row(cells) for cells in [head, *body]),
        _sources([line for runs in by_setting.values() for line in runs]),
    ]
    return "\n\n".join(parts) + "\n"


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
        "Command": [f"``{line['command']}``" for line in lines],
        "Versions": [_versions(line) for line in lines],
        "Machine": [f"{line['device']}, threads: {line['threads']}" for line in lines],
    }
    return "\n".join(
        f":{name}: {'; '.join(dict.fromkeys(texts))}" for name, texts in sources.items()
    )


def _commit(line):
    if line["commit"] is None:
        return "none"
    changed = " with uncommitted changes" if line["dirty"] else ""
    return f"``{line['commit'][:10]}``{changed}"


def _versions(line):
    return ", ".join(f"{name} {number}" for name, number in line["versions"].items())


def generate(tables, results):
    """Make all tables.

    Parameters
    ----------
    tables : iterable of Table
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
