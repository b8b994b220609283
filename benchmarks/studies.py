"""Summaries of lines of results that are no plain mean of a group, head first."""

from statistics import fmean, stdev

import numpy as np
from scipy.stats import rankdata, spearmanr

from skdeepmix.metrics import label_agreement

MISSING = "\N{EN DASH}"
# Rows of the table of restarts. Names of two criteria stand for the sum of their ranks.
CRITERIA = {
    "score_val": "Held-out bound",
    "information": "Mutual information",
    "entropy": "Posterior entropy",
    "stability": "Agreement",
    "compression": "Compression",
    "modularity": "Modularity",
    "compression_codes": "Compression, codes",
    "modularity_codes": "Modularity, codes",
    "compression_score_val": "Ranks: compression and bound",
    "compression_stability": "Ranks: compression and agreement",
    "information_stability": "Ranks: information and agreement",
    "entropy_stability": "Ranks: entropy and agreement",
    "compression_entropy": "Ranks: compression and entropy",
}
LOWER_IS_BETTER = ("entropy",)
NUMBER_CRITERIA = {
    "modularity": "Modularity",
    "compression": "Compression",
    "stability": "Agreement",
    "score_val": "Held-out bound",
    "n_live": "Clusters in use",
}


def grouped(lines, *names):
    """Lines by the values of some names, in the order of the file.

    Parameters
    ----------
    lines : list of dict
        Results.
    *names : str
        What to group by.

    Returns
    -------
    groups : dict of tuple to list of dict
        Lines by key.
    """
    groups = {}
    for line in lines:
        groups.setdefault(tuple(line[name] for name in names), []).append(line)
    return groups


def spread(values, digits=3):
    """Mean and standard deviation of the values that are finite.

    Parameters
    ----------
    values : list of float or None
        None where a fit failed.
    digits : int, default=3
        After the point.

    Returns
    -------
    cell : str
        Such as ``"0.812 ± 0.013"``.
    """
    found = [value for value in values if value is not None]
    if not found:
        return "failed"
    cell = f"{fmean(found):.{digits}f}"
    if len(found) > 1:
        cell += f" ± {stdev(found):.{digits}f}"
    return cell if len(found) == len(values) else f"{cell} (n = {len(found)})"


def ranks(means):
    """Mean ranks of methods over data sets; 1 is best, failures are last.

    Parameters
    ----------
    means : array-like of shape (n_data, n_methods)
        Scores, higher is better, NaN where a method failed.

    Returns
    -------
    ranks : ndarray of shape (n_methods,)
        Mean over data sets of the rank, ties shared.

    Examples
    --------
    >>> ranks([[0.9, 0.8, 0.8], [0.5, 0.7, float("nan")]]).tolist()
    [1.5, 1.75, 2.75]
    """
    means = np.nan_to_num(np.asarray(means, dtype=float), nan=-np.inf)
    return np.mean([rankdata(-row) for row in means], axis=0)


def defaults(lines):
    """ACC of every method on every data set, and mean ranks of ACC and ARI.

    Parameters
    ----------
    lines : list of dict
        Of ``starts_defaults.jsonl``.

    Returns
    -------
    rows : list of list of str
        Head first.
    """
    methods = list(dict.fromkeys(line["setting"] for line in lines))
    data = list(dict.fromkeys(line["data"] for line in lines))
    groups = grouped(lines, "data", "setting")
    rows = [["Data", *methods]]
    for name in data:
        runs = [groups.get((name, method), []) for method in methods]
        rows.append([name, *(_cell(found, "acc") for found in runs)])
    for score in ("acc", "ari"):
        means = [
            [_mean(groups.get((name, method), []), score) for method in methods]
            for name in data
        ]
        cells = [f"{rank:.2f}" for rank in ranks(means)] if means else []
        rows.append([f"Mean rank, {score.upper()}", *cells])
    return rows


def _cell(runs, score):
    return spread([run[score] for run in runs]) if runs else MISSING


def _mean(runs, score):
    found = [run[score] for run in runs if run[score] is not None]
    return fmean(found) if found else np.nan


def candidates(lines):
    """ACC of the clusters that a criterion chooses, by graph and start of the layout.

    Parameters
    ----------
    lines : list of dict
        Of ``starts_candidates.jsonl``.

    Returns
    -------
    rows : list of list of str
        Head first; means over seeds, then over data sets.
    """
    data = list(dict.fromkeys(line["data"] for line in lines))
    groups = grouped(lines, "setting", "data")
    rows = [["Graph, start: chosen by", *data, "Mean"]]
    for setting in dict.fromkeys(line["setting"] for line in lines):
        keys = {"acc_compression": "compression"}
        if setting == "rows and codes, all":
            keys |= {
                "acc_modularity": "modularity",
                "acc_likelihood": "BIC",
                "acc": "mean of all",
                "acc_best": "best of all",
            }
        for key, title in keys.items():
            means = [_mean(groups.get((setting, name), []), key) for name in data]
            cells = [MISSING if np.isnan(mean) else f"{mean:.3f}" for mean in means]
            rows.append([f"{setting}: {title}", *cells, f"{np.mean(means):.3f}"])
    return rows


def default_seconds(lines):
    """The default model on every data set: its start, its end, and seconds.

    Parameters
    ----------
    lines : list of dict
        Of ``starts_defaults.jsonl``.

    Returns
    -------
    rows : list of list of str
        Head first.
    """
    rows = [["Data", "ACC of the start", "ACC", "NMI", "ARI", "Seconds", "Seeds"]]
    for (name, setting), runs in grouped(lines, "data", "setting").items():
        if setting == "default":
            cells = [_cell(runs, key) for key in ("acc_start", "acc", "nmi", "ari")]
            seconds = spread([run["seconds"] for run in runs], 1)
            rows.append([name, *cells, seconds, str(len(runs))])
    return rows


def default_fits(lines):
    """What default parameters find, one row per data set.

    Parameters
    ----------
    lines : list of dict
        Of a script of a paper.

    Returns
    -------
    rows : list of list of str
        ACC of the start and of the fit; clusters in use; information of the clusters
        about the rows, as a part of what so many can have; seeds.
    """
    head = ["Data", "ACC of the start", "ACC", "Clusters in use", "Information"]
    rows = [[*head, "Seeds"]]
    chosen = [line for line in lines if line["setting"] == "defaults"]
    for (data,), runs in grouped(chosen, "data").items():
        live = dict.fromkeys(str(run["n_live"]) for run in runs)
        shares = [run["information"] / np.log(run["n_live"]) for run in runs]
        cells = [_cell(runs, score) for score in ("acc_start", "acc")]
        rows.append([data, *cells, ", ".join(live), spread(shares), str(len(runs))])
    return rows


def precisions(lines):
    """ACC of the default fit by the arithmetic of its networks.

    Parameters
    ----------
    lines : list of dict
        Of ``precision.jsonl``.

    Returns
    -------
    rows : list of list of str
        Head first; the difference of the mean ACC from float32 to bfloat16 with the
        standard error of the difference of means, in points, and the ratio of the
        seconds of all fits.
    """
    head = ["Data", "float32", "bfloat16", "Difference in points"]
    rows = [[*head, "Seconds, bfloat16 / float32", "Seeds"]]
    for (data,), runs in grouped(lines, "data").items():
        by_setting = grouped(runs, "setting")
        pair = [by_setting.get((name,), []) for name in ("float32", "bfloat16")]
        if not all(len(found) > 1 for found in pair):
            continue
        acc = [[100 * run["acc"] for run in found] for found in pair]
        error = sum(stdev(found) ** 2 / len(found) for found in acc) ** 0.5
        before, after = ([run["seconds"] for run in found] for found in pair)
        rows.append(
            [
                data,
                *(_cell(found, "acc") for found in pair),
                f"{fmean(acc[1]) - fmean(acc[0]):+.2f} ± {error:.2f}",
                f"{fmean(after) / fmean(before):.2f}",
                str(min(map(len, pair))),
            ]
        )
    return rows


def speeds(lines):
    """Times of alternating repeats, relative to those of ClustPy.

    Parameters
    ----------
    lines : list of dict
        Of ``speed.jsonl``.

    Returns
    -------
    rows : list of list of str
        Head first, of every commit; seconds of an epoch, of labels or of a fit, and
        until the first epoch has ended; how many times less than ClustPy in the same
        repeat; shares of the operations per second of a bare matrix product; and the
        share of labels that are those of float64.
    """
    columns = {
        "Share of bfloat16 peak": ("share_bf16", 2),
        "of float32 peak": ("share_float32", 2),
        "Steps a second": ("steps_per_second", 0),
        "Labels as in float64": ("equal", 4),
    }
    head = ["Measure, commit", "Setting", "Seconds", "First epoch", "ClustPy / this"]
    rows = [[*head, *columns, "Repeats"]]
    groups = grouped(lines, "data", "setting", "commit")
    for (data, setting, commit), runs in groups.items():
        theirs = groups.get((data, "ClustPy VaDE", commit), [])
        theirs = {run["seed"]: run for run in theirs}
        ratios = [
            theirs[run["seed"]]["seconds"] / run["seconds"]
            for run in runs
            if run["seed"] in theirs
        ]
        cells = [
            _found(runs, "seconds", 2),
            _found(runs, "first", 1),
            spread(ratios, 2) if ratios else MISSING,
            *(_found(runs, *column) for column in columns.values()),
        ]
        rows.append([f"{data}, {str(commit)[:4]}", setting, *cells, str(len(runs))])
    return rows


def _found(runs, name, digits):
    """Mean and spread of what runs have, or a dash."""
    values = [run[name] for run in runs if run.get(name) is not None]
    return spread(values, digits) if values else MISSING


def side_by_side(lines):
    """Times of an epoch of K networks, relative to one.

    Parameters
    ----------
    lines : list of dict
        Of ``side_by_side.jsonl``.

    Returns
    -------
    rows : list of list of str
        Head first; milliseconds of both, and their ratio in the same repeat.
    """
    rows = [["Networks", "One, ms", "K, ms", "Ratio", "Repeats"]]
    for (data, setting), runs in grouped(lines, "data", "setting").items():
        one, many = (
            spread([1e3 * run[name] for run in runs], 0)
            for name in ("beside", "seconds")
        )
        ratio = spread([run["seconds"] / run["beside"] for run in runs], 2)
        rows.append([f"{setting}, {data}", one, many, ratio, str(len(runs))])
    return rows


def gains(lines):
    """Times of two calls in turns.

    Parameters
    ----------
    lines : list of dict
        Of ``parallel.jsonl``.

    Returns
    -------
    rows : list of list of str
        Head first; seconds of both, and the first relative to the second in the same
        repeat.
    """
    rows = [["Calls", "First, s", "Second, s", "First / second", "Repeats"]]
    for (setting,), runs in grouped(lines, "setting").items():
        seconds = [_found(runs, name, 2) for name in ("beside", "seconds")]
        ratio = spread([run["beside"] / run["seconds"] for run in runs], 2)
        rows.append([setting, *seconds, ratio, str(len(runs))])
    return rows


def floors(lines):
    """Times of parts of a step beside what operations and memory take at least.

    Parameters
    ----------
    lines : list of dict
        Of ``micro.jsonl``.

    Returns
    -------
    rows : list of list of str
        Head first; operations of products and bytes that must move in millions, times
        in milliseconds.
    """
    head = ["Call", "MFLOP", "MB", "ms", "Floor, ms", "Ratio"]
    return [head] + [
        [
            f"{line['setting']}, {line['data']}",
            f"{line['operations'] / 1e6:.1f}",
            f"{line['moved'] / 1e6:.3f}",
            f"{1e3 * line['seconds']:.3g}",
            f"{1e3 * line['floor']:.3g}",
            f"{line['seconds'] / line['floor']:.3g}",
        ]
        for line in lines
    ]


def growth(lines):
    """Time per row and memory of fit and predict.

    Parameters
    ----------
    lines : list of dict
        Of ``growth.jsonl``.

    Returns
    -------
    rows : list of list of str
        Head first; microseconds per row, and anonymous memory beyond that before the
        fit, in units of 2**20 bytes.
    """
    head = ["Rows, clusters, start", "Fit, µs a row", "Fit, MB"]
    head += ["Predict, µs a row", "Predict, MB"]
    return [head] + [
        [
            line["setting"],
            f"{1e6 * line['seconds'] / line['n_rows']:.0f}",
            f"{line['fit_mb']:.0f}",
            f"{1e6 * line['predict_seconds'] / line['n_rows']:.1f}",
            f"{line['predict_mb']:.0f}",
        ]
        for line in lines
    ]


def pretrainings(lines):
    """ACC of the start and the time until it, by the length of the pre-training.

    Parameters
    ----------
    lines : list of dict
        Of ``starts_pretraining.jsonl``.

    Returns
    -------
    rows : list of list of str
        Head first; a row per data set.
    """
    settings = list(dict.fromkeys(line["setting"] for line in lines))
    rows = [["Data", *settings]]
    for (data,), runs in grouped(lines, "data").items():
        by_setting = grouped(runs, "setting")
        cells = [
            f"{spread([run['acc'] for run in found])}, "
            f"{fmean(run['seconds'] for run in found):.0f} s"
            if (found := by_setting.get((setting,)))
            else MISSING
            for setting in settings
        ]
        rows.append([data, *cells])
    return rows


def noises(lines):
    """Samples, held-out bound and ACC of each model, by the least noise of its start.

    Parameters
    ----------
    lines : list of dict
        Of ``starts_noise.jsonl``.

    Returns
    -------
    rows : list of list of str
        Head first; a row per data set and model.
    """
    groups = grouped(lines, "data", "setting")
    deep = [(data, *setting.split(", ")) for data, setting in groups if ", " in setting]
    floors = dict.fromkeys(floor for *_, floor in deep)
    rows = [["Data, model", *floors, "GaussianMixture", "Seeds"]]
    for data, model in dict.fromkeys(key[:2] for key in deep):
        by_floor = [groups.get((data, f"{model}, {floor}")) for floor in floors]
        mixtures = groups.get((data, "GaussianMixture"))
        cells = [_noise(runs, "own", "score_val", "acc") for runs in by_floor]
        n_seeds = max(len(runs) for runs in by_floor if runs)
        reference = _noise(mixtures, "score_val", "acc")
        rows.append([f"{data}, {model}", *cells, reference, str(n_seeds)])
    return rows


def _noise(runs, *names):
    if not runs:
        return MISSING
    digits = {"own": 2, "score_val": 1, "acc": 3}
    return ", ".join(
        spread([run[name] for run in runs], digits[name]) for name in names
    )


def seedings(lines):
    """ACC of the start by the number of its seedings.

    Parameters
    ----------
    lines : list of dict
        Of ``starts_seedings.jsonl``.

    Returns
    -------
    rows : list of list of str
        Head first; means over the seeds of the mean over draws and, in parentheses, of
        what nineteen draws of twenty reach; last the mean over data sets, and the time
        relative to that of the first setting.
    """
    data = list(dict.fromkeys(line["data"] for line in lines))
    groups = grouped(lines, "setting", "data")
    settings = list(dict.fromkeys(line["setting"] for line in lines))

    def means(setting, key):
        return np.array([_mean(groups.get((setting, name), []), key) for name in data])

    rows = [["Spherical and full", *data, "Mean", "Time of the mixtures"]]
    for setting in settings:
        acc, low = means(setting, "acc"), means(setting, "acc_low")
        time = means(setting, "seconds") / means(settings[0], "seconds")
        cells = [f"{a:.3f} ({b:.3f})" for a, b in zip(acc, low, strict=True)]
        rows.append([setting, *cells, f"{acc.mean():.3f}", f"{time.mean():.2f}"])
    return rows


def accuracies(lines):
    """ACC of every model on every data set.

    Parameters
    ----------
    lines : list of dict
        Of ``peers.jsonl``.

    Returns
    -------
    rows : list of list of str
        Head first; the mean over the seeds and its spread, a dash where a model was
        not fitted. Models with the largest mean over most data sets come first.
    """
    groups = grouped(lines, "data", "setting")
    data = list(dict.fromkeys(line["data"] for line in lines))
    settings = list(dict.fromkeys(line["setting"] for line in lines))
    runs = {name: [groups.get((rows, name), []) for rows in data] for name in settings}

    def order(name):
        means = [fmean(run["acc"] for run in found) for found in runs[name] if found]
        return -len(means), -fmean(means)

    body = [
        [name, *(_cell(found, "acc") for found in runs[name])]
        for name in sorted(settings, key=order)
    ]
    return [["Model", *data], *body]


def overtaken(lines):
    """Seconds until our models reach the accuracy of each peer.

    Parameters
    ----------
    lines : list of dict
        Of ``peers.jsonl``; those with a curve are ours.

    Returns
    -------
    rows : list of list of str
        Head first; for each pair the mean over the seeds of the seconds until an epoch
        of ours has the mean final ACC of the peer, and of those of the peer's fit. A
        dash where a seed does not reach it. Data that none of ours was fitted to are
        left out.
    """
    ours = list(dict.fromkeys(line["setting"] for line in lines if "curve" in line))
    theirs = [line for line in lines if "curve" not in line]
    peers = list(dict.fromkeys(line["setting"] for line in theirs))
    groups = grouped(lines, "data", "setting")
    rows = [["Data, peer", *ours]]
    for data in dict.fromkeys(line["data"] for line in lines if "curve" in line):
        for peer in peers:
            runs = groups.get((data, peer))
            if not runs:
                continue
            goal = fmean(run["acc"] for run in runs)
            seconds = fmean(run["seconds"] for run in runs)
            firsts = [
                [_first(run["curve"], goal) for run in groups.get((data, name), [])]
                for name in ours
            ]
            cells = [
                f"{fmean(found):.1f}" if found and None not in found else MISSING
                for found in firsts
            ]
            rows.append([f"{data}, {peer}: {goal:.3f} in {seconds:.1f} s", *cells])
    return rows


def _first(curve, goal):
    pairs = zip(curve["seconds"], curve["acc"], strict=True)
    return next((seconds for seconds, acc in pairs if acc >= goal), None)


def kept(lines):
    """What the fit adds to its start, by treatment.

    Parameters
    ----------
    lines : list of dict
        Of ``starts_kept.jsonl``.

    Returns
    -------
    rows : list of list of str
        Head first; differences of ACC with their standard errors, in points, and the
        held-out bound; last the number of seeds. All treatments of a seed have the same
        start.
    """
    treatments = list(
        dict.fromkeys(line["setting"].split(", ", 1)[1] for line in lines)
    )
    rows = [["Data, start", "ACC of the start", *treatments, "Seeds"]]
    groups = grouped(lines, "data", "setting")
    starts = dict.fromkeys(
        (line["data"], line["setting"].split(", ", 1)[0]) for line in lines
    )
    for data, start in starts:
        cells, before = [], {}
        for treatment in treatments:
            runs = groups.get((data, f"{start}, {treatment}"), [])
            before |= {run["seed"]: run["acc_start"] for run in runs}
            cells.append(_gain(runs))
        rows.append(
            [f"{data}, {start}", spread(before.values()), *cells, str(len(before))]
        )
    return rows


def _gain(runs):
    if not runs:
        return MISSING
    gains = [100 * (run["acc"] - run["acc_start"]) for run in runs]
    cell = f"{fmean(gains):+.2f}"
    if len(gains) > 1:
        cell += f" ± {stdev(gains) / len(gains) ** 0.5:.2f}"
    return f"{cell} ({fmean(run['score_val'] for run in runs):.1f} nats)"


def agreement(runs):
    """Agreement of every run with the others.

    Parameters
    ----------
    runs : list of dict
        With `labels`, a string with one symbol per row.

    Returns
    -------
    agreement : ndarray of shape (n_runs,)
        NaN for a single run.
    """
    if len(runs) == 1:
        return np.array([np.nan])
    return label_agreement([list(run["labels"]) for run in runs])


def criteria(runs):
    """All criteria of restarts, higher is better.

    Parameters
    ----------
    runs : list of dict
        Fits of one model to one data set.

    Returns
    -------
    criteria : dict of str to ndarray of shape (n_runs,)
        Values by the names of `CRITERIA`.
    """
    values = {
        name: np.array([run[name] for run in runs])
        for name in CRITERIA
        if name in runs[0]
    }
    for name in LOWER_IS_BETTER:
        values[name] = -values[name]
    values["stability"] = agreement(runs)
    for name in CRITERIA:
        if name not in values:  # two of the others by the sum of their ranks
            first, second = name.split("_", 1)
            values[name] = rankdata(values[first]) + rankdata(values[second])
    return values


def restarts(lines):
    """Rank correlation of criteria with ACC, and the ACC of what they choose.

    Parameters
    ----------
    lines : list of dict
        Of ``starts_restarts.jsonl``.

    Returns
    -------
    rows : list of list of str
        Head first.
    """
    # Two runs always agree with each other in some order.
    groups = {k: runs for k, runs in grouped(lines, "data").items() if len(runs) > 2}
    data = [name for (name,) in groups]
    rows = [["Criterion", *data, "Mean"]]
    measured = {name: ([run["acc"] for run in runs], criteria(runs))
                for (name,), runs in groups.items()}  # fmt: skip
    for key, title in CRITERIA.items():
        correlations, chosen = [], []
        for acc, values in measured.values():
            correlations.append(spearmanr(values[key], acc).statistic)
            chosen.append(acc[int(np.argmax(values[key]))])
        cells = [
            f"{rho:+.2f} ({acc:.3f})"
            for rho, acc in zip(correlations, chosen, strict=True)
        ]
        rows.append([title, *cells, f"{np.mean(correlations):+.2f} "
                                    f"({np.mean(chosen):.3f})"])  # fmt: skip
    means = [fmean(acc) for acc, _ in measured.values()]
    best = [max(acc) for acc, _ in measured.values()]
    for title, cells in {"Mean of all": means, "Best of all": best}.items():
        rows.append([title, *(f"({c:.3f})" for c in cells), f"({fmean(cells):.3f})"])
    return rows


def numbers(lines):
    """Criteria for the number of clusters, the best of each in bold.

    Parameters
    ----------
    lines : list of dict
        Of ``starts_number.jsonl``.

    Returns
    -------
    rows : list of list of str
        Head first.
    """
    rows = [["Data", "K", "ACC", *NUMBER_CRITERIA.values()]]
    for (data,), runs in grouped(lines, "data").items():
        by_k = grouped(runs, "setting")
        columns = {
            name: [
                fmean(agreement(group) if name == "stability" else
                      [run[name] for run in group])
                for group in by_k.values()
            ]
            for name in NUMBER_CRITERIA
        }  # fmt: skip
        for i, ((setting,), group) in enumerate(by_k.items()):
            cells = [
                _emphasized(
                    f"{values[i]:.3f}", name != "n_live" and i == np.argmax(values)
                )
                for name, values in columns.items()
            ]
            number = setting.removeprefix("K = ")
            rows.append([data, number, spread([run["acc"] for run in group]), *cells])
    return rows


def _emphasized(text, yes):
    return f"**{text}**" if yes else text
