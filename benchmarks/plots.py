"""Draw the figures of the documentation from the results on file.

    python benchmarks/plots.py

writes ``doc/developers/images/starts_kept_<data>.png`` and, in
``doc/benchmarks/images``, ``vaes_loss.png``, ``peers_<data>.png`` and ``growth.png``.
"""

import argparse
import sys
from pathlib import Path
from statistics import fmean

import matplotlib.pyplot as plt
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))

from _runs import RESULTS, ROOT, read_lines
from studies import grouped

DOC = ROOT / "doc"


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


def draw_losses(lines):
    """Draw the loss of every epoch.

    Parameters
    ----------
    lines : list of dict
        With `loss_curve`, one per setting.

    Returns
    -------
    figure : matplotlib.figure.Figure
        A line per setting, without the first epoch.
    """
    figure, ax = plt.subplots(figsize=(5, 3.5), layout="constrained")
    for line in lines:
        losses = line["loss_curve"][1:]
        ax.plot(range(2, len(losses) + 2), losses, label=line["setting"])
    ax.set(xlabel="epoch", ylabel="loss, nats per image")
    ax.legend()
    return figure


def draw_peers(lines):
    """Draw ACC against the time of the fit.

    Parameters
    ----------
    lines : list of dict
        Of ``peers.jsonl``, of one data set; those with a curve are ours.

    Returns
    -------
    figure : matplotlib.figure.Figure
        A number per setting, ours in red, at the means over seeds; best first in the
        legend.
    """
    figure, ax = plt.subplots(figsize=(9, 5), layout="constrained")
    means = {
        setting: [fmean(run[key] for run in runs) for key in ("acc", "seconds")]
        for (setting,), runs in grouped(lines, "setting").items()
    }
    ours = {line["setting"] for line in lines if "curve" in line}
    best_first = sorted(means, key=lambda name: (-means[name][0], means[name][1]))
    for number, setting in enumerate(best_first, start=1):
        acc, seconds = means[setting]
        ax.plot(
            seconds,
            acc,
            linestyle="none",
            marker=f"${number}$",
            markersize=8 if number < 10 else 13,
            color="tab:red" if setting in ours else "tab:blue",
            label=setting,
        )
    ax.set(xscale="log", xlabel="seconds", ylabel="ACC")
    ax.margins(0.08)
    ax.grid(alpha=0.3)
    figure.legend(loc="outside right upper", fontsize=8)
    return figure


def draw_growth(lines):
    """Draw time per row and memory against rows and clusters.

    Parameters
    ----------
    lines : list of dict
        Of ``growth.jsonl``.

    Returns
    -------
    figure : matplotlib.figure.Figure
        A column for rows, with the fewest clusters, and one for clusters, with the
        fewest rows; a line for each call and start.
    """
    # A setting ends in the start.
    lines = [line | {"start": line["setting"].rpartition(", ")[2]} for line in lines]
    figure, axes = plt.subplots(
        2, 2, figsize=(7, 5), sharex="col", sharey="row", layout="constrained"
    )
    titles = {"n_rows": "rows", "n_clusters": "clusters"}
    for column, (name, other) in zip(axes.T, (titles, reversed(titles)), strict=True):
        least = min(line[other] for line in lines)
        shown = [line for line in lines if line[other] == least]
        shown.sort(key=lambda line: line[name])
        for (start,), runs in grouped(shown, "start").items():
            x = [line[name] for line in runs]
            for call, key in {"fit": "seconds", "predict": "predict_seconds"}.items():
                label = f"{call}, {start} start"
                times = [1e6 * line[key] / line["n_rows"] for line in runs]
                column[0].plot(x, times, "o-", label=label)
                column[1].plot(x, [line[f"{call}_mb"] for line in runs], "o-")
        for ax in column:
            ax.set(xscale="log", yscale="log")
            ax.grid(alpha=0.3)
        column[0].set_title(f"{titles[other]}: {least:,}")
        column[1].set_xlabel(titles[name])
    axes[0, 0].set_ylabel("µs a row")
    axes[1, 0].set_ylabel("anonymous memory, MB")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center")
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
    parser.add_argument("--out", metavar="DIR", type=Path, default=DOC)
    args = parser.parse_args(argv)
    studies, papers = (args.out / d / "images" for d in ("developers", "benchmarks"))
    for folder in (studies, papers):
        folder.mkdir(parents=True, exist_ok=True)
    lines = read_lines(args.results / "starts_kept.jsonl")
    for (data,), runs in grouped(lines, "data").items():
        figure = draw_kept(runs)
        figure.savefig(studies / f"starts_kept_{data}.png", dpi=80)
        plt.close(figure)
    lines = read_lines(args.results / "peers.jsonl")
    for (data,), runs in grouped(lines, "data").items():
        figure = draw_peers(runs)
        figure.savefig(papers / f"peers_{data}.png", dpi=80)
        plt.close(figure)
    lines = read_lines(args.results / "growth.jsonl")
    figure = draw_growth(lines)
    figure.savefig(papers / "growth.png", dpi=80)
    plt.close(figure)
    lines = read_lines(args.results / "mixture_of_vaes.jsonl")
    lines = [line for line in lines if line["data"] == "mnist-reconstruction"]
    figure = draw_losses(lines)
    figure.savefig(papers / "vaes_loss.png", dpi=80)
    plt.close(figure)


if __name__ == "__main__":
    main()
