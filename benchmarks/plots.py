"""Draw the figures of the documentation from the results on file.

    python benchmarks/plots.py

writes ``doc/developers/images/starts_kept_<data>.png``.
"""

import argparse
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))

from _runs import RESULTS, ROOT, read_lines
from studies import grouped

IMAGES = ROOT / "doc" / "developers" / "images"


def draw_kept(lines):
    """Draw ACC and the held-out bound over the epochs, from each start.

    Parameters
    ----------
    lines : list of dict
        Of ``starts_kept.jsonl``, of one data set.

    Returns
    -------
    figure : matplotlib.figure.Figure
        A column per start, a line per treatment: the mean over seeds; dotted is the
        ACC of the start.
    """
    starts = list(dict.fromkeys(line["setting"].split(", ", 1)[0] for line in lines))
    figure, axes = plt.subplots(
        2,
        len(starts),
        figsize=(3 * len(starts), 5),
        sharex=True,
        sharey="row",
        squeeze=False,
        layout="constrained",
    )
    for (setting,), runs in grouped(lines, "setting").items():
        start, treatment = setting.split(", ", 1)
        column = axes[:, starts.index(start)]
        for ax, key in zip(column, ("acc", "score"), strict=True):
            curves = [run["curve"][key] for run in runs]
            n_points = min(map(len, curves))  # some fits stop early
            mean = np.mean([curve[:n_points] for curve in curves], axis=0)
            ax.plot(runs[0]["curve"]["epoch"][:n_points], mean, label=treatment)
        before = np.mean([run["acc_start"] for run in runs])
        column[0].axhline(before, color="grey", linestyle=":", linewidth=1)
        column[0].set_title(start)
        column[1].set_xlabel("epoch")
    axes[0, 0].set_ylabel("ACC")
    axes[1, 0].set_ylabel("held-out bound, nats")
    axes[1, 0].legend(fontsize="small")
    figure.suptitle(lines[0]["data"])
    return figure


def main(argv=None):
    """Draw all figures.

    Parameters
    ----------
    argv : list of str or None, default=None
        Arguments; None takes those of the process.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", metavar="DIR", type=Path, default=RESULTS)
    parser.add_argument("--out", metavar="DIR", type=Path, default=IMAGES)
    args = parser.parse_args(argv)
    args.out.mkdir(parents=True, exist_ok=True)
    lines = read_lines(args.results / "starts_kept.jsonl")
    for (data,), runs in grouped(lines, "data").items():
        figure = draw_kept(runs)
        figure.savefig(args.out / f"starts_kept_{data}.png", dpi=80)
        plt.close(figure)


if __name__ == "__main__":
    main()
