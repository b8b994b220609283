"""The benchmark scripts: results on file, resuming, tables that follow from them."""

import importlib
import json
import mmap
import re
import signal
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array
from sklearn.base import BaseEstimator
from sklearn.callback import CallbackSupportMixin, with_callbacks
from sklearn.cluster import KMeans
from sklearn.datasets import make_blobs
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import adjusted_rand_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from torch.utils.flop_counter import FlopCounterMode

from skdeepmix import Autoencoder, GaussianMixtureVAE, initialization
from skdeepmix.base import _mixture
from skdeepmix.distributions import GaussianLikelihood
from skdeepmix.networks import MLP

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.fixture(autouse=True)
def path(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    monkeypatch.syspath_prepend(BENCHMARKS / "papers")


@pytest.fixture
def module(path):
    return importlib.import_module("_runs")


@pytest.fixture
def tables(path):
    return importlib.import_module("tables")


@pytest.fixture
def gmvae(path):
    return importlib.import_module("gmvae")


@pytest.fixture
def papers(path):
    return importlib.import_module("_papers")


@pytest.fixture
def studies(path):
    return importlib.import_module("studies")


@pytest.fixture
def starts(path):
    return importlib.import_module("starts")


@pytest.fixture
def runs(module, tmp_path):
    return module.Runs(tmp_path / "example.jsonl")


class Stepper(CallbackSupportMixin, BaseEstimator):
    """Label the rows by a threshold on the first feature that rises each epoch."""

    def __init__(self, n_clusters=2, max_iter=4, random_state=None, interrupt=False):
        self.n_clusters = n_clusters
        self.max_iter = max_iter
        self.random_state = random_state
        self.interrupt = interrupt

    n_latent = 1

    @with_callbacks
    def fit(self, X, y=None):
        assert y is None, "a fit must not see the classes"
        context = self._init_callback_context(max_subtasks=1)
        context.call_on_fit_task_begin(estimator=self, X=X, y=y)
        init = context.subcontext("init", max_subtasks=self.max_iter)
        init.call_on_fit_task_begin(estimator=self, X=X, y=y)
        for epoch in range(self.max_iter):
            task = init.subcontext("epoch")
            task.call_on_fit_task_begin(estimator=self, X=X, y=y)
            self.threshold_ = epoch
            task.call_on_fit_task_end(
                estimator=self,
                X=X,
                y=y,
                reconstruction_attributes=self._attributes,
            )
        try:
            if self.interrupt:
                signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            pass
        init.call_on_fit_task_end(estimator=self, X=X, y=y)
        context.call_on_fit_task_end(estimator=self, X=X, y=y)
        self.labels_ = self.predict(X)
        self.start_labels_ = np.zeros(len(X), dtype=int)
        self.n_iter_, self.n_iter_guided_ = self.max_iter, 2
        return self

    def _attributes(self):
        return {"threshold_": self.threshold_}

    def predict(self, X):
        return self.predict_proba(X).argmax(axis=1)

    def predict_proba(self, X):
        above = X[:, 0] > self.threshold_
        return np.column_stack([~above, above]).astype(float)

    def transform(self, X):
        return X[:, :1]

    def score_samples(self, X):
        return X[:, 0] - self.threshold_

    def score(self, X, y=None):
        return self.score_samples(X).mean()


@pytest.fixture
def rows():
    """Ten rows; the threshold of the fourth and last epoch is right."""
    X = np.arange(10.0)[:, np.newaxis]
    return X, (X[:, 0] > 3).astype(int)


# Results on file


def test_runs_resume(runs, module):
    runs.record("iris", "KMeans", 0, seconds=1.0, acc=0.9)
    again = module.Runs(runs.path)
    assert again.done("iris", "KMeans", 0)
    assert not again.done("iris", "KMeans", 1)
    assert not again.done("wine", "KMeans", 0)


def test_runs_append_one_line_each(runs):
    for seed in range(3):
        runs.record("iris", "KMeans", seed, seconds=1.0)
    texts = runs.path.read_text().splitlines()
    assert [json.loads(text)["seed"] for text in texts] == [0, 1, 2]


def test_runs_refuse_a_duplicate(runs):
    runs.record("iris", "KMeans", 0, seconds=1.0)
    before = runs.path.read_bytes()
    with pytest.raises(
        ValueError,
        match=re.escape(
            f"{runs.path} has a line for ('iris', 'KMeans', 0) already. Delete it to "
            "run this again."
        ),
    ):
        runs.record("iris", "KMeans", 0, seconds=2.0)
    assert runs.path.read_bytes() == before


@pytest.mark.parametrize(
    "broken",
    [
        '{"data": "iris", "setting": "KMe',
        '{"data": "iris", "setting": "KMeans", "seed": 1}',  # no line break
        '["iris", "KMeans", 1]\n',
        '{"data": "iris"}\n',
        "\n",
    ],
)
def test_runs_report_a_broken_last_line(runs, broken):
    runs.record("iris", "KMeans", 0, seconds=1.0)
    with open(runs.path, "a") as file:
        file.write(broken)
    message = (
        f"{runs.path}, line 2 is broken: expected a JSON object with data, setting, "
        f"seed and a line break, got {broken!r}. Delete the line and run the script "
        "again."
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        runs.done("iris", "KMeans", 0)
    with pytest.raises(ValueError, match=re.escape(message)):
        runs.record("iris", "KMeans", 1, seconds=1.0)


def test_runs_report_a_key_that_occurs_twice(runs):
    runs.record("iris", "KMeans", 0, seconds=1.0)
    runs.path.write_bytes(2 * runs.path.read_bytes())
    with pytest.raises(
        ValueError,
        match=re.escape(
            f"{runs.path}, lines 1 and 2 both hold ('iris', 'KMeans', 0). Delete one "
            "of them."
        ),
    ):
        runs.lines()


def test_record_says_where_a_result_comes_from(runs):
    line = runs.record("iris", "KMeans", 0, seconds=1.5, device="cpu")
    assert line == runs.lines()[0]
    assert line["seconds"] == 1.5
    assert {
        "commit", "dirty", "command", "threads", "date", "device", "cores", "bfloat16"
    } <= set(line)  # fmt: skip
    assert set(line["versions"]) == {
        "python",
        "torch",
        "scikit-learn",
        "numpy",
        "skdeepmix",
    }


def test_record_takes_numpy_and_non_finite_numbers(runs):
    line = runs.record(
        "iris",
        "KMeans",
        np.int64(3),
        seconds=np.float32(1),
        acc=np.float64(2) / 3,
        score=np.nan,
        curve={"epoch": np.arange(2), "acc": [np.inf, 1]},
    )
    assert line["seed"] == 3
    assert line["acc"] == 0.666667
    assert line["score"] is None
    assert line["curve"] == {"epoch": [0, 1], "acc": [None, 1]}
    assert runs.done("iris", "KMeans", 3)


def test_command_line_names_no_folder_of_this_machine(module):
    script = str(BENCHMARKS / "papers" / "gmvae.py")
    argv = [script, "--data-home", "/home/me/data", "--results=/tmp/x", "--seeds=0,1"]
    assert module.command_line(argv) == (
        "python benchmarks/papers/gmvae.py --data-home DIR --results=DIR --seeds=0,1"
    )


# Fits


def test_scores_of_a_known_clustering(module):
    y, proba = [0, 0, 1, 1], [[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.0, 1.0]]
    scores = module.scores(y, [0, 1, 1, 1], proba)
    assert scores["acc"] == scores["purity"] == scores["makhzani"] == 0.75
    assert scores["n_live"] == 2
    assert "makhzani" not in module.scores(y, y)
    assert module.scores(y, y)["ari"] == module.scores(y, y)["nmi"] == 1.0


def test_baselines_leave_out_full_covariances_in_many_dimensions(module):
    names = [name for name, _ in module.baselines(np.empty((100, 5)), 3, 0)]
    assert names == ["KMeans", "GaussianMixture, diag", "GaussianMixture, full"]
    wide = np.empty((70000, 784), dtype=bool)
    assert len(list(module.baselines(wide, 10, 0))) == 2


def test_curve_records_accuracy_and_score_and_leaves_the_fit_alone(module, rows):
    X, y = rows
    curve = module.Curve(X, y, every=2, X_val=X)
    model = Stepper().set_callbacks(*curve.callbacks).fit(X)
    np.testing.assert_array_equal(model.labels_, Stepper().fit(X).labels_)
    columns = curve.columns()
    seconds = columns.pop("seconds")
    assert 0 <= seconds[0] < seconds[1] < seconds[2]
    assert columns == {
        "init": [0, 0, 0],
        "epoch": [1, 2, 4],
        "acc": [0.7, 0.8, 1.0],
        "purity": [0.7, 0.8, 1.0],
        "score": [4.5, 3.5, 1.5],
    }
    assert curve.score_at(3, "acc") == 0.8
    assert curve.score_at(0, "acc") is None
    assert curve.seconds > 0


def test_estimators_that_a_curve_looks_at_are_no_time_of_the_fit(module, rows):
    X, y = rows
    pause = 0.05

    class SlowToShow(Stepper):
        def _attributes(self):
            time.sleep(pause)
            return super()._attributes()

    curve = module.Curve(X, y, every=2)
    SlowToShow(max_iter=4).set_callbacks(*curve.callbacks).fit(X)
    assert curve.seconds >= 4 * pause
    assert curve.columns()["seconds"][-1] < curve.seconds


def test_curve_does_not_guess_which_restart_was_kept(module, rows):
    curve = module.Curve(*rows)
    curve.points = [{"init": i, "epoch": 1, "acc": 1.0} for i in range(2)]
    assert curve.score_at(1, "acc") is None


def test_fit_and_record(module, runs, rows):
    X, y = rows
    module.fit_and_record(
        runs,
        Stepper(max_iter=4, random_state=7),
        X,
        y,
        data="rows",
        setting="stepper",
        seed=7,
        every=1,
        score_on={"score": X, "score_val": X + 1},
    )
    (line,) = runs.lines()
    expected = {"acc_start": 0.6, "acc_guided": 0.8, "acc": 1.0}
    assert {name: line[name] for name in expected} == expected
    assert (line["score"], line["score_val"]) == (1.5, 2.5)
    assert line["n_iter"] == 4
    assert line["curve"]["score"] == [5.5, 4.5, 3.5, 2.5]
    assert line["estimator"] == "Stepper(random_state=7)"
    assert line["device"] == "cpu"


def test_fit_and_record_without_callbacks_or_posterior(module, runs, rows):
    key = {"data": "rows", "setting": "KMeans", "seed": 0}
    model = KMeans(2, random_state=0)
    module.fit_and_record(runs, model, *rows, **key, every=1, score_on={"score": 0})
    (line,) = runs.lines()
    assert not {"score", "curve", "makhzani", "acc_start", "acc_guided"} & set(line)


def test_an_interrupted_fit_is_no_result(module, runs, rows):
    with pytest.raises(KeyboardInterrupt):
        module.fit_and_record(
            runs, Stepper(interrupt=True), *rows, data="rows", setting="s", seed=0
        )
    assert runs.lines() == []


# The script of a paper


@pytest.fixture
def row(papers, module, rows):
    codes = module.baselines
    return papers.Row(
        load=lambda data_home: (*rows, {"score": rows[0]}),
        settings=(papers.Setting("stepper", {"n_clusters": 2}, (0, 1), codes=codes),),
        inputs=(papers.Inputs("raw", papers.as_is),),
        baseline_seeds=(0, 1),
    )


def test_a_row_has_models_and_baselines_of_all_seeds(papers, row, runs):
    papers.run_row("rows", row, runs, build=Stepper)
    keys = {(line["setting"], line["seed"]) for line in runs.lines()}
    baselines = ["KMeans", "GaussianMixture, diag", "GaussianMixture, full"]
    settings = ["stepper"] + [
        f"{name}, {inputs}"
        for name in baselines
        for inputs in ("raw", "codes of stepper")
    ]
    assert keys == {(setting, seed) for setting in settings for seed in (0, 1)}


def test_codes_may_have_baselines_of_their_own(papers, module, row, runs):
    setting = replace(row.settings[0], codes=module.baselines_and_spectral)
    row = replace(row, settings=(setting,))
    papers.run_row("rows", row, runs, build=Stepper, seeds=[0])
    settings = [line["setting"] for line in runs.lines()]
    assert "SpectralClustering, codes of stepper" in settings
    assert "SpectralClustering, raw" not in settings


def test_a_row_fits_nothing_that_is_on_file(papers, row, runs):
    papers.run_row("rows", row, runs, build=Stepper)
    before = runs.path.read_bytes()

    class Fails(Stepper):
        def fit(self, X, y=None):
            raise AssertionError("a result on file was fitted again")

    papers.run_row("rows", row, runs, build=Fails)
    assert runs.path.read_bytes() == before


def test_a_row_completes_the_baselines_on_codes(papers, row, runs):
    papers.run_row("rows", row, runs, build=Stepper)
    texts = runs.path.read_text().splitlines(keepends=True)
    runs.path.write_text("".join(text for text in texts if "KMeans, codes" not in text))
    papers.run_row("rows", row, runs, build=Stepper)
    assert len(runs.lines()) == len(texts)


@pytest.mark.parametrize(
    "name",
    ["gmvae", "gumbel_softmax_vae", "mixture_of_networks", "mixture_of_vaes", "mpcc"],
)
def test_settings_of_the_table_are_settings_of_the_script(name, path, tables):
    script = importlib.import_module(name)
    described = {
        t.data: t.settings
        for t in tables.TABLES
        if t.results == script.NAME and isinstance(t, tables.Table)
    }
    found = {
        name: tuple(setting.name for setting in row.settings)
        for name, row in script.ROWS.items()
    }
    assert {name: found[name] for name in described} == described
    assert {found[name] for name in found.keys() - described} <= {("defaults",)}


def test_an_unknown_row_gets_one_clear_line(gmvae, capsys):
    with pytest.raises(SystemExit) as caught:
        gmvae.main(["--rows", "mnist,cifar"])
    assert caught.value.code == 2
    assert "mnist, mnist-train, digits, arcs, got cifar" in capsys.readouterr().err


def test_rows_of_a_test_set_are_scored_and_not_fitted(papers, row, runs):
    row = replace(row, n_train=3, inputs=(), settings=row.settings[:1])
    sizes, seen = [], []

    class Counts(Stepper):
        def fit(self, X, y=None):
            sizes.append(len(X))
            return super().fit(X)

        def predict_proba(self, X):
            seen.append(len(X))
            return super().predict_proba(X)

    papers.run_row("rows", row, runs, build=Counts, prefix="stepper", seeds=[0])
    line = runs.lines()[0]
    assert set(sizes) == {3}
    assert 7 in seen
    assert 0 <= line["acc_test"] <= 1


# The study of starts


@pytest.fixture
def tiny(starts, monkeypatch):
    """Run studies on forty points with networks that are trained for two epochs."""
    X, y = make_blobs(40, centers=[[0, 0, 9], [9, 0, 0]], random_state=0)
    monkeypatch.setattr(starts, "STUDY_EPOCHS", 2)
    monkeypatch.setattr(starts, "N_POOL", 2)
    monkeypatch.setitem(starts.NUMBER_DATA, "tiny", (2, 3))
    return lambda: (X, y)


def test_the_split_parts_all_rows(starts):
    fitted, held_out = starts.split(57)
    assert len(held_out) == 5
    np.testing.assert_array_equal(np.sort([*fitted, *held_out]), np.arange(57))


@pytest.mark.filterwarnings("ignore:Number of distinct clusters")
@pytest.mark.filterwarnings("ignore:Graph is not fully connected")
@pytest.mark.parametrize(
    ("study", "n_lines"),
    [
        ("defaults", 7),
        ("random", 1),
        ("candidates", 12),
        ("seedings", 5),
        ("restarts", 1),
        ("number", 2),
        ("pretraining", 5),
    ],
)
def test_studies_are_run_once(starts, runs, tiny, study, n_lines):
    run, _ = starts.ROWS[study]
    run(runs, tiny, "tiny", [0])
    before = runs.lines()
    assert len(before) == n_lines
    assert all(0 <= line["acc"] <= 1 for line in before)
    run(runs, tiny, "tiny", [0])
    assert runs.lines() == before


def test_full_seedings_are_drawn_on_the_places_with_the_best_spherical_ones(starts):
    # Scores, ACC and seconds; the third place has the best full seeding of all.
    pools = [
        {"spherical": [((2, 0.5), 0.1, 1)] * 2, "full": [((2, 0.9), 0.8, 10)] * 3},
        {"spherical": [((2, 0.6), 0.2, 1)] * 2, "full": [((2, 0.8), 0.9, 10)] * 3},
        {"spherical": [((1, 0.9), 0.3, 1)] * 2, "full": [((2, 1.0), 1.0, 10)] * 3},
        {"spherical": [((2, 0.7), 0.4, 1)] * 2},
    ]
    random_state = np.random.RandomState(0)
    assert starts.draw(pools, 1, 2, 2, random_state) == (0.9, 4 + 20)
    assert starts.draw(pools, 2, 2, 3, random_state) == (0.8, 8 + 40)
    assert starts.draw(pools, 1, 9, 4, random_state) == (1.0, 4 + 270)


def test_seedings_are_those_of_a_start(starts, monkeypatch):
    X, y = make_blobs(120, centers=3, random_state=0)
    graph, layouts = starts.layouts_of_start(X, 3, 0)
    seen = []
    monkeypatch.setattr(
        initialization,
        "_most_compressing",
        lambda graph, layouts, *rest: seen.extend([graph, *layouts]) or np.eye(3)[y],
    )
    GaussianMixtureVAE(3, max_iter=80, random_state=0).set_callbacks(
        starts.StopAfterFirstEpoch()
    ).fit(X)
    np.testing.assert_array_equal(graph.toarray(), seen[0].toarray())
    for first, second in zip(layouts, seen[1:], strict=True):
        np.testing.assert_array_equal(first, second)
    monkeypatch.setattr(starts, "N_POOL", 2)
    pools = starts.seedings(graph, layouts, 3, 0, y)
    for pool, layout in zip(pools, layouts, strict=True):
        enough = len(layout) > 15 * layout.shape[1]
        assert {kind: len(fits) for kind, fits in pool.items()} == (
            {"spherical": 2, "full": 2} if enough else {"spherical": 2}
        )


def test_the_time_of_seedings_is_relative_to_the_first_setting(studies):
    lines = [
        {"setting": setting, "data": data, "acc": acc, "acc_low": acc / 2, "seconds": s}
        for setting, data, acc, s in (
            ("few", "a", 0.5, 2),
            ("few", "b", 0.7, 10),
            ("many", "a", 0.6, 6),
            ("many", "b", 0.8, 10),
        )
    ]
    assert studies.seedings(lines) == [
        ["Spherical and full", "a", "b", "Mean", "Time of the mixtures"],
        ["few", "0.500 (0.250)", "0.700 (0.350)", "0.600", "1.00"],
        ["many", "0.600 (0.300)", "0.800 (0.400)", "0.700", "2.00"],
    ]


@pytest.mark.filterwarnings("ignore:Number of distinct clusters")
def test_starts_are_fitted_with_every_treatment(starts, runs, tiny, monkeypatch):
    kmeans = {"k-means": KMeans(2, n_init=1)}
    monkeypatch.setattr(starts, "starts", lambda n_clusters: kmeans)
    weight = initialization.GUIDANCE_WEIGHT
    starts.run_kept(runs, tiny, "tiny", [0])
    guided = {line["setting"]: "acc_guided" in line for line in runs.lines()}
    assert set(guided) == {f"k-means, {name}" for name in starts.TREATMENTS}
    assert {line["estimator"].count("beta=1.0") for line in runs.lines()} == {0, 1}
    assert weight == initialization.GUIDANCE_WEIGHT


def test_starts_of_several_treatments_count_once(studies):
    lines = [
        {
            "data": "toys",
            "setting": f"k-means, {treatment}",
            "seed": seed,
            "acc_start": start,
            "acc": start + 0.1,
            "score_val": -2.0,
        }
        for seed, start in enumerate((0.5, 0.7))
        for treatment in ("not guided", "guided")
    ]
    _, row = studies.kept(lines)
    deviation = np.std([0.5, 0.7], ddof=1)
    gain = "+10.00 ± 0.00 (-2.0 nats)"
    assert row == ["toys, k-means", f"0.600 ± {deviation:.3f}", gain, gain, "2"]


def test_pre_training_is_as_long_as_it_says(starts, monkeypatch):
    seen = []
    module = starts.GaussianMixtureVAE._module_class
    epoch = module.pretraining_epoch

    def seen_epoch(module, data):
        seen.append(data)
        return epoch(module, data)

    monkeypatch.setattr(module, "pretraining_epoch", seen_epoch)
    model = GaussianMixtureVAE(1, encoder=MLP((2,)), max_iter=16)
    for fraction, n_epochs in {0.0625: 1, 0.125: 2, 0.25: 4}.items():
        with mock.patch.object(_mixture, "PRETRAINING", fraction):
            starts.AutoencoderClusters(model).fit(np.eye(4))
        assert len(seen) == n_epochs
        seen.clear()


def test_the_length_of_the_pre_training_is_a_column(studies):
    lines = [
        {"data": data, "setting": "0.25", "seed": seed, "acc": 0.5, "seconds": 2.0}
        for data, seed in (("a", 0), ("a", 1), ("b", 0))
    ]
    lines[-1]["setting"] = "0.125"
    rows = studies.pretrainings(lines)
    assert rows[1:] == [["a", "0.500 ± 0.000, 2 s", "–"], ["b", "–", "0.500, 2 s"]]


@pytest.mark.filterwarnings("ignore:Number of distinct clusters")
def test_noise_starts_where_a_study_wants_it(starts, runs, tiny, monkeypatch):
    def small(n_clusters, random_state):
        return GaussianMixtureVAE(
            n_clusters, encoder=MLP((4,)), max_iter=2, random_state=random_state
        )

    likelihood = GaussianLikelihood()
    for least in starts.FLOORS.values():
        with torch.no_grad(), starts.noise_from(least):
            likelihood.calibrate(torch.tensor(1e-4), least=7.0)
        expected = max(least, np.log(1e-2))
        assert likelihood.log_scale.item() == pytest.approx(expected, rel=1e-5)
    monkeypatch.setattr(starts, "NOISY_MODELS", (small,))
    starts.run_noise(runs, tiny, "tiny", [0])
    before = runs.lines()
    floors = [f"small, {name}" for name in starts.FLOORS]
    assert [line["setting"] for line in before] == ["GaussianMixture", *floors]
    assert all(0 <= line["own"] <= 1 for line in before)
    starts.run_noise(runs, tiny, "tiny", [0])
    assert runs.lines() == before


def test_the_least_noise_of_a_start_is_a_column(studies):
    shared = {"data": "a", "own": 0.5, "acc": 0.75}
    lines = [
        shared | {"setting": setting, "seed": seed, "score_val": score}
        for setting, seed, score in (
            ("GaussianMixture", 0, -1),
            ("VAE, none", 0, -2),
            ("VAE, none", 1, -4),
            ("VAE, some", 0, -3),
            ("other, some", 0, -5),
        )
    ]
    assert studies.noises(lines) == [
        ["Data, model", "none", "some", "GaussianMixture", "Seeds"],
        [
            "a, VAE",
            "0.50 ± 0.00, -3.0 ± 1.4, 0.750 ± 0.000",
            "0.50, -3.0, 0.750",
            "-1.0, 0.750",
            "2",
        ],
        ["a, other", "–", "0.50, -5.0, 0.750", "-1.0, 0.750", "1"],
    ]


def test_failures_rank_last_and_ties_are_shared(studies):
    ranks = studies.ranks([[3, 1, 2], [1, 1, np.nan]])
    np.testing.assert_allclose(ranks, [1.25, 2.25, 2.5])


def test_agreement_is_the_mean_of_the_others(studies):
    runs = [{"labels": labels} for labels in ("0011", "1100", "0101")]
    odd = adjusted_rand_score([0, 0, 1, 1], [0, 1, 0, 1])
    expected = [(1 + odd) / 2, (1 + odd) / 2, odd]
    np.testing.assert_allclose(studies.agreement(runs), expected)


def test_criteria_are_compared_by_their_ranks(studies):
    names = [name for name in studies.CRITERIA if "_stab" not in name]
    runs = [
        {
            "data": "a",
            "labels": "01" * 3 + str(i) * 2,
            "acc": acc,
            **dict.fromkeys(names, acc),
        }
        for i, acc in enumerate([0.1, 0.9, 0.5])
    ]
    head, *rows = studies.restarts(runs)
    assert head == ["Criterion", "a", "Mean"]
    cells = {row[0]: row[1] for row in rows}
    assert cells["Compression"] == "+1.00 (0.900)"
    assert cells["Posterior entropy"] == "-1.00 (0.100)"  # lower counts as better
    assert (cells["Mean of all"], cells["Best of all"]) == ("(0.500)", "(0.900)")


# Tables


@pytest.fixture
def results(module, tmp_path):
    """Results of the digits: two seeds of ours, one of another setting."""
    runs = module.Runs(tmp_path / "gmvae.jsonl")
    runs.provenance |= {"commit": "0123456789abcdef", "dirty": False}
    runs.provenance["bfloat16"] = ["avx512_bf16"]
    runs.record("digits", "defaults", 0, seconds=1, acc=0.8, nmi=0.5, acc_start=0.7)
    runs.record("digits", "defaults", 1, seconds=3, acc=0.9, nmi=np.nan)
    runs.record("digits", "KMeans, pixels", 0, seconds=1, acc=0.75, nmi=0.7)
    return runs


def test_tables_summarise_the_seeds(tables, results):
    text = tables.generate(tables.TABLES, results.path.parent)["gmvae_digits.inc"]
    (ours,) = re.findall(r"   \* - defaults\n((?:     - .*\n)+)", text)
    cells = re.findall("- (.*)", ours)
    # Start, guided, ACC, NMI, ARI, purity, seconds, seeds.
    assert cells == [
        "0.700 (n = 1)",
        tables.MISSING,
        "0.850 ± 0.071",
        "nan",
        tables.MISSING,
        tables.MISSING,
        "2.0 ± 1.4",
        "2",
    ]
    assert ":Commit: ``0123456789``\n" in text
    assert re.search(r":Machine: cpu, avx512_bf16, threads: \d+$", text, re.M)


def test_tables_show_what_they_do_not_describe(tables, results):
    text = tables.generate(tables.TABLES, results.path.parent)["gmvae_digits.inc"]
    assert text.index("defaults") < text.index("KMeans, pixels")


def test_tables_say_that_sources_were_changed(tables, module, tmp_path):
    runs = module.Runs(tmp_path / "gmvae.jsonl")
    runs.provenance |= {"commit": "0123456789abcdef", "dirty": True}
    runs.record("arcs", "KMeans, points", 0, seconds=1)
    text = tables.generate(tables.TABLES, tmp_path)["gmvae_arcs.inc"]
    assert "``0123456789`` with uncommitted changes" in text


def test_commands_below_tables_are_without_what_the_table_tells(
    tables, module, tmp_path
):
    runs = module.Runs(tmp_path / "gmvae.jsonl")
    chosen = "python a.py --data-home DIR --rows=arcs --settings 'b, c' --threads 1"
    for seed, command in enumerate([f"{chosen} --seeds 0", f"{chosen} --seeds 1,2"]):
        runs.provenance |= {"command": command}
        runs.record("arcs", "KMeans, points", seed, seconds=1)
    text = tables.generate(tables.TABLES, tmp_path)["gmvae_arcs.inc"]
    assert ":Command: ``python a.py --data-home DIR``\n" in text


def test_worst_is_the_smallest(tables):
    assert tables.smallest([0.5, 0.25], 2) == "0.25"


@pytest.fixture
def generated(tables, results, tmp_path):
    out = tmp_path / "tables"
    options = ["--results", str(results.path.parent), "--out", str(out)]
    assert tables.main(options) == 0
    return out, options


def test_check_accepts_what_was_written(tables, generated, capsys):
    _, options = generated
    assert tables.main([*options, "--check"]) == 0
    assert capsys.readouterr().out == ""


def test_check_detects_a_new_result(tables, generated, results, capsys):
    out, options = generated
    before = (out / "gmvae_digits.inc").read_bytes()
    results.record("digits", "KMeans, pixels", 1, seconds=1, acc=0.5)
    assert tables.main([*options, "--check"]) == 1
    printed = capsys.readouterr().out
    assert "\n-     - 0.750\n" in printed
    assert "\n+     - 0.625 ± 0.177\n" in printed
    assert "Run 'python benchmarks/tables.py' and commit what it writes." in printed
    assert (out / "gmvae_digits.inc").read_bytes() == before


def test_check_detects_an_edited_table(tables, generated):
    out, options = generated
    table = out / "gmvae_digits.inc"
    table.write_text(table.read_text("utf-8").replace("0.850", "0.950"), "utf-8")
    assert tables.main([*options, "--check"]) == 1


def test_check_detects_missing_and_forgotten_tables(tables, generated, capsys):
    out, options = generated
    (out / "gmvae_arcs.inc").rename(out / "forgotten.inc")
    assert tables.main([*options, "--check"]) == 1
    printed = capsys.readouterr().out
    assert "--- no file\n+++ gmvae_arcs.inc from the results" in printed
    assert "--- forgotten.inc on disk\n+++ not in TABLES" in printed


@pytest.fixture
def peers(path):
    return importlib.import_module("peers")


def test_time_until_a_peer_is_overtaken(studies):
    def ours(seed, acc):
        curve = {"seconds": [1.0, 2.0, 4.0], "acc": acc}
        return {**key("ours", seed), "acc": acc[-1], "curve": curve}

    def key(setting, seed):
        return {"data": "rows", "setting": setting, "seed": seed, "seconds": 30.0}

    lines = [
        ours(0, [0.3, 0.6, 0.5]),
        ours(1, [0.3, 0.5, 0.9]),
        {**key("slow", 0), "acc": 0.5},
        {**key("slow", 1), "acc": 0.7},
        {**key("good", 0), "acc": 0.8},
    ]
    assert studies.overtaken(lines) == [
        ["Data, peer", "ours"],
        ["rows, slow: 0.600 in 30.0 s", "3.0"],
        ["rows, good: 0.800 in 30.0 s", "–"],
    ]


def test_models_on_most_data_with_the_largest_accuracy_come_first(studies):
    def line(data, setting, acc):
        return {"data": data, "setting": setting, "acc": acc}

    lines = [
        line("one", "once", 1.0),
        line("one", "poor", 0.5),
        line("two", "poor", 0.5),
        line("one", "good", 0.6),
        line("one", "good", 0.8),
        line("two", "good", 0.4),
    ]
    assert studies.accuracies(lines) == [
        ["Model", "one", "two"],
        ["good", "0.700 ± 0.141", "0.400"],
        ["poor", "0.500", "0.500"],
        ["once", "1.000", "–"],
    ]


def test_every_peer_is_a_point_with_its_name(path):
    pytest.importorskip("matplotlib").use("agg")
    plots = importlib.import_module("plots")
    names = ("ours", "ours", "theirs")
    lines = [
        {"data": "rows", "setting": name, "seconds": i + 1.0, "acc": 0.5 + i / 10}
        for i, name in enumerate(names)
    ]
    lines[0]["curve"] = lines[1]["curve"] = {}
    (ax,) = plots.draw_peers(lines).axes
    (legend,) = ax.figure.legends
    assert [text.get_text() for text in legend.texts] == ["theirs", "ours"]
    assert [line.get_marker() for line in ax.lines] == ["$1$", "$2$"]
    points = [tuple(float(v[0]) for v in line.get_data()) for line in ax.lines]
    assert points == [pytest.approx((3.0, 0.7)), pytest.approx((1.5, 0.55))]
    assert ax.lines[0].get_color() != ax.lines[1].get_color()
    plots.plt.close("all")


def test_growth_is_drawn_against_rows_and_clusters(path):
    pytest.importorskip("matplotlib").use("agg")
    plots = importlib.import_module("plots")
    lines = [
        {"n_rows": n, "n_clusters": k, "seconds": cost * n * k, "fit_mb": 7.0}
        | {"predict_seconds": 1e-6 * n, "predict_mb": 3.0, "setting": f"{n}, {start}"}
        for start, cost in {"random": 2e-6, "neighbors": 5e-6}.items()
        for n, k in ((100, 10), (1000, 10), (100, 50))
    ]
    axes = plots.draw_growth(lines).axes
    drawn = [[line.get_xydata().tolist() for line in ax.lines] for ax in axes]
    assert drawn[0][0] == pytest.approx(np.array([[100, 20], [1000, 20]]))
    assert drawn[0][1] == pytest.approx(np.array([[100, 1], [1000, 1]]))
    assert drawn[0][2] == pytest.approx(np.array([[100, 50], [1000, 50]]))
    assert len(drawn[0]) == 4
    assert drawn[1][0] == pytest.approx(np.array([[10, 20], [50, 100]]))
    assert drawn[3][1] == pytest.approx(np.array([[10, 3], [50, 3]]))
    plots.plt.close("all")


def test_growth_is_told_by_row(studies):
    line = {"setting": "1000 rows", "seconds": 2.0, "n_rows": 1000, "fit_mb": 10.2}
    line |= {"predict_seconds": 0.5, "predict_mb": 3.0}
    _, row = studies.growth([line])
    assert row == ["1000 rows", "2000", "10", "500.0", "3"]


def test_a_table_for_a_terminal_has_aligned_columns(tables):
    table = tables.Study(
        "name", "Title", "none", lambda lines: [["A", "B"], ["cd", "e"]]
    )
    source = {"commit": None, "command": "python x.py", "versions": {"a": "1"}}
    source |= {"device": "cpu", "threads": 1, "packages": {"b": "2"}}
    title, head, row, *rest = tables.plain(table, [source]).splitlines()
    assert (title, head, row) == ("Title", "A   B", "cd  e")
    assert ":Versions: a 1, b 2" in rest


def test_a_table_without_lines_has_no_empty_body(tables):
    table = tables.Study("name", "Title", "none", lambda lines: [["Head"]])
    text = tables.render(table, [])
    assert "list-table" not in text
    assert "Title\n\nNot run yet." in text


def test_operations_of_an_epoch_are_those_that_torch_counts(path):
    speed = importlib.import_module("speed")
    generator = torch.Generator().manual_seed(0)
    spec = MLP((500, 500, 2000))
    encoder = spec.build_encoder(784, 20, generator)
    decoder = spec.build_decoder(10, 784, generator)
    with FlopCounterMode(display=False) as counter:
        decoder(encoder(torch.zeros(7, 784))[:, :10]).sum().backward()
    assert speed.operations(7) == counter.get_total_flops()
    with FlopCounterMode(display=False) as counter:
        encoder(torch.zeros(7, 784))
    assert speed.label_operations(7) == counter.get_total_flops()


def test_clocks_tell_the_time_of_an_epoch(path):
    speed = importlib.import_module("speed")
    clock = speed.EpochClock()
    clock.stamps = [0.0, 10.0, 12.0, 14.0, 16.0]
    assert clock.seconds() == 2.0
    clock = speed.StepClock(2)
    clock.stamps = [0.0, 9.0, 10.0, 11.0, 12.0, 13.0, 14.0, 15.0]
    assert clock.seconds() == 2.0


# Of umap-learn, where it is installed.
@pytest.mark.filterwarnings("ignore:Tensorflow not installed:ImportWarning")
def test_our_epochs_are_noted(path):
    speed = importlib.import_module("speed")
    model, clock = speed.contestants("cpu")["ours, float32"](256)
    X = np.random.RandomState(0).rand(20, 5)
    with pytest.warns(ConvergenceWarning, match="collapsed"):
        model.set_params(encoder=MLP((4,))).fit(X)
    assert len(clock.stamps) == 1 + speed.N_EPOCHS
    assert clock.seconds() > 0


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
def test_networks_of_a_contestant_are_to_be_compiled(path):
    speed = importlib.import_module("speed")
    model, _ = speed.variants("cpu")["ours, auto, compiled"](256)
    module = model._module_class(
        4,
        2,
        n_latent=2,
        n_latent_prior=2,
        encoder=MLP((3,)),
        decoder=MLP((3,)),
        likelihood="gaussian",
        n_monte_carlo=1,
        beta=1.0,
        min_information=0.0,
        learn_weights=False,
        n_importance=1,
        generator=torch.Generator(),
    )
    for network in (module.encoder, module.decoder):
        assert network._compiled_call_impl is not None
    assert module.prior._compiled_call_impl is None


linux_tells = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="Linux tells what a process holds."
)


@linux_tells
def test_growth_writes_what_a_fit_took(path, tmp_path):
    growth = importlib.import_module("growth")
    growth.write_rows(tmp_path / "rows.npy", 300)
    results = tmp_path / "growth.jsonl"
    data = "rows", "300 rows", 300, 3, "random"
    growth.fit_one(results, tmp_path / "rows.npy", *data, None, "cpu")
    (line,) = [json.loads(text) for text in results.read_text().splitlines()]
    assert line["n_rows"] == 300
    assert line["seconds"] > 0
    assert np.isfinite(line["fit_mb"])


@linux_tells
def test_memory_is_watched(path):
    growth = importlib.import_module("growth")
    before = growth.process_memory("RssAnon")

    def use():
        # New pages, which an array would not need where freed ones are at hand.
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
        kept = mmap.mmap(-1, 2**27, flags=flags)
        np.frombuffer(kept, np.uint8)[:] = 1
        time.sleep(0.2)
        return kept

    _, peak = growth.watched(use)
    assert 120 < peak - before < 200


def test_precision_is_measured_on_three_sets_with_five_seeds(path):
    precision = importlib.import_module("precision")
    assert len(precision.ROWS) == 3
    for row in precision.ROWS.values():
        assert [setting.name for setting in row.settings] == ["float32", "bfloat16"]
        assert all(len(setting.seeds) == 5 for setting in row.settings)


def test_parts_of_a_step_have_their_lines(path, module, tmp_path, monkeypatch):
    micro = importlib.import_module("micro")
    monkeypatch.setattr(micro, "set_threads", lambda n_threads: None)
    monkeypatch.setattr(micro, "peak", lambda dtype, device: 1e9)
    monkeypatch.setattr(micro, "bandwidth", lambda: 1e8)
    micro.main(["--repeats", "1", "--results", str(tmp_path)])
    lines = module.read_lines(tmp_path / "micro.jsonl")
    assert [line["setting"] for line in lines] == [name for name, *_ in micro.cases()]
    for line in lines:
        assert line["seconds"] > 0
        floor = max(line["operations"] / 1e9, line["moved"] / 1e8)
        assert line["floor"] == pytest.approx(floor, rel=1e-4)


def test_each_number_of_networks_is_timed_beside_one(
    path, module, tmp_path, monkeypatch
):
    script = importlib.import_module("side_by_side")
    times, timed = iter(range(1, 99)), []
    monkeypatch.setattr(script, "seconds", lambda k, X: timed.append(k) or next(times))
    arguments = ["--repeats", "2", "--clusters", "3", "5", "--results", str(tmp_path)]
    script.main(arguments)
    assert timed == [1, 1, 3, 1, 3, 1, 5, 1, 5]  # one of them before what counts
    lines = module.read_lines(tmp_path / "side_by_side.jsonl")
    assert [line["setting"] for line in lines] == 2 * ["K = 3"] + 2 * ["K = 5"]
    assert [line["seconds"] for line in lines] == [3, 5, 7, 9]
    assert [line["beside"] for line in lines] == [2, 4, 6, 8]
    script.main(arguments)
    assert timed[9:] == [1]


def test_an_epoch_is_timed_without_what_a_fit_costs_once(path, monkeypatch):
    script = importlib.import_module("side_by_side")
    cost_of_epochs = 3.0

    def timed(fit, X):
        return 100.0 + cost_of_epochs * fit.__self__.max_iter

    monkeypatch.setattr(script, "timed", timed)
    assert script.seconds(5, None) == pytest.approx(cost_of_epochs)


def test_calls_are_timed_in_turns(path, module, tmp_path, monkeypatch):
    script = importlib.import_module("parallel")
    called = []
    for name in ("restarts", "grid_search_beside_limited_blas"):
        monkeypatch.setattr(script, name, lambda X, n_jobs: called.append(n_jobs))
    monkeypatch.setattr(
        script, "grid_search", lambda backend, X, n_jobs: called.append(n_jobs)
    )
    monkeypatch.setattr(script, "start_python", called.append)
    arguments = ["--repeats", "2", "--results", str(tmp_path)]
    script.main(arguments)
    assert called[:6] == 3 * [1, 2]  # once before what is timed
    assert called[-2:] == list(script.IMPORTS)
    lines = module.read_lines(tmp_path / "parallel.jsonl")
    assert [line["seed"] for line in lines] == 5 * [0, 1]
    n_called = len(called)
    script.main(arguments)
    assert len(called) == n_called


def test_labels_of_clusters_are_compared_with_float64(path, runs, monkeypatch):
    speed = importlib.import_module("speed")
    X = make_blobs(60, n_features=784, random_state=0)[0]
    X = MinMaxScaler().fit_transform(X).astype(np.float32)
    row = replace(speed.DATA["mnist10k"], load=lambda data_home: (X, None, {}))
    monkeypatch.setitem(speed.DATA, "mnist10k", row)
    model = GaussianMixtureVAE(3, encoder=MLP((4,)), max_iter=4, random_state=0)
    monkeypatch.setattr(
        speed, "contestants", lambda device: {"ours": lambda batch: (model, None)}
    )
    monkeypatch.setattr(speed, "peak", lambda dtype, device: 1e9)
    speed.rows()["predict"]("predict", "cpu", 0, runs)
    (line,) = runs.lines()
    assert (line["equal"], line["n_live"]) == (1.0, 3)
    assert line["rows_per_second"] == pytest.approx(600 / line["seconds"], rel=1e-3)


def test_times_beside_others_are_relative_within_a_repeat(studies):
    lines = [
        {"data": "threads: 1", "setting": "K = 5", "seconds": 3.0, "beside": 1.0},
        {"data": "threads: 1", "setting": "K = 5", "seconds": 4.0, "beside": 2.0},
    ]
    assert studies.side_by_side(lines)[1] == [
        "K = 5, threads: 1",
        "1500 ± 707",
        "3500 ± 707",
        "2.50 ± 0.71",
        "2",
    ]
    _, first, second, ratio, repeats = studies.gains(lines)[1]
    assert (first, second) == ("1.50 ± 0.71", "3.50 ± 0.71")
    assert (ratio, repeats) == ("0.42 ± 0.12", "2")


def test_parts_of_a_step_stand_beside_their_floor(studies):
    line = {"setting": "product", "operations": 2e6, "moved": 5000, "seconds": 0.71}
    rows = studies.floors([line | {"floor": 2e-3, "data": "threads: 1"}])
    assert rows[1] == ["product, threads: 1", "2.0", "0.005", "710", "2", "355"]


def test_speeds_are_relative_to_the_same_repeat(studies):
    seconds = {"ClustPy VaDE": (6.0, 3.0), "ours": (2.0, 1.5)}
    lines = [
        {"data": "epoch", "setting": name, "seed": i, "seconds": s, "share_bf16": 0.5}
        for name, pair in seconds.items()
        for i, s in enumerate(pair)
    ]
    lines[-1]["first"] = 7.0
    lines.append({"data": "labels", "setting": "ours", "seed": 0, "seconds": 2.0})
    lines[-1]["equal"] = 0.9995
    lines = [line | {"commit": "abcdef"} for line in lines]
    lines.append(lines[-2] | {"seed": 2, "commit": None})
    _, theirs, ours, labels, other = studies.speeds(lines)
    assert other[:2] == ["epoch, None", "ours"]
    assert theirs[:2] == ["epoch, abcd", "ClustPy VaDE"]
    assert theirs[3:5] == ["–", "1.00 ± 0.00"]
    assert ours[2:6] == ["1.75 ± 0.35", "7.0", "2.50 ± 0.71", "0.50 ± 0.00"]
    assert labels[2:] == ["2.00", *4 * ["–"], "–", "0.9995", "1"]


def test_precisions_are_compared_by_means_and_their_errors(studies):
    acc = {"float32": (0.8, 0.9), "bfloat16": (0.85, 0.89)}
    seconds = {"float32": 4.0, "bfloat16": 1.0}
    lines = [
        {"data": "rows", "setting": name, "seed": i, "acc": a, "seconds": seconds[name]}
        for name, pair in acc.items()
        for i, a in enumerate(pair)
    ]
    _, row = studies.precisions(lines)
    assert row[3:] == ["+2.00 ± 5.39", "0.25", "2"]


def test_every_row_of_peers_has_a_table(peers, tables):
    assert tables.PEERS_TITLES.keys() == peers.ROWS.keys()


# Of umap-learn, where it is installed.
@pytest.mark.filterwarnings("ignore:Tensorflow not installed:ImportWarning")
def test_models_have_the_sizes_of_every_row(peers):
    for row in peers.ROWS.values():
        task = peers.Task(row, 0, 16)
        models = dict(peers.ours(task)) | dict(peers.classical(task))
        for model in models.values():
            last = model[-1] if hasattr(model, "steps") else model
            found = {
                getattr(last, name, None) for name in ("n_clusters", "n_components")
            }
            assert found - {None} == {row.n_clusters}
        for name in ("GaussianMixtureVAE", "GumbelSoftmaxVAE", "MPCC"):
            assert models[name].encoder.hidden_layer_sizes == peers.LAYERS
            assert models[name].batch_size == peers.BATCH_SIZE
        assert models["PCA + GaussianMixture"][0].n_components == 16
        assert models["MPCC"].max_iter == models["GumbelSoftmaxVAE"].max_iter
        codes = models["Autoencoder + KMeans"][0]
        assert codes.max_iter == (1 + _mixture.PRETRAINING) * models["MPCC"].max_iter
        as_it_is = models["GaussianMixtureVAE defaults"]
        assert as_it_is.encoder is None
        assert as_it_is.max_iter == GaussianMixtureVAE().max_iter


@pytest.mark.parametrize("container", [np.asarray, csr_array])
def test_peers_write_a_line_for_each_fit(peers, tmp_path, monkeypatch, container):
    X, y = make_blobs(60, n_features=3, centers=3, random_state=0)
    X = container(X)
    row = peers.Row(lambda data_home: (X, y, {}), n_clusters=3)
    monkeypatch.setitem(peers.ROWS, "blobs", row)
    path = tmp_path / "peers.jsonl"
    for setting in ("KMeans", "PCA + GaussianMixture"):
        peers.fit_one(path, "blobs", setting, 0, None, None, "cpu")
    lines = [json.loads(text) for text in path.read_text().splitlines()]
    assert [line["acc"] for line in lines] == [1, 1]
    assert all(line["peak_mb"] is None or line["peak_mb"] > 10 for line in lines)


def test_a_row_that_is_not_in_0_1_is_scaled_for_all(peers, tmp_path, monkeypatch):
    X, y = make_blobs(60, n_features=3, centers=3, random_state=0)
    seen = []
    monkeypatch.setattr(
        peers, "fit_and_record", lambda runs, model, X, y, **_: seen.append(X)
    )
    for factor in (1.0, 100.0):
        row = peers.Row(lambda data_home, f=factor: (f * X, y, {}), n_clusters=3)
        monkeypatch.setitem(peers.ROWS, "blobs", row)
        peers.fit_one(tmp_path / "x", "blobs", "KMeans", 0, None, None, "cpu")
    np.testing.assert_allclose(seen[1], seen[0])
    assert np.mean(seen[0].var(axis=0)) == pytest.approx(1, rel=0.2)


def test_a_peer_has_labels_of_its_own(peers):
    model = SimpleNamespace(labels_=[0, 1], dec_labels_=[0, 0])
    assert peers.own_labels(model, [0, 1]) == {"acc_own": 0.5}
    assert peers.own_labels(KMeans(), [0, 1]) == {}


def test_epochs_of_a_peer_include_its_pretraining(peers):
    class Peer(SimpleNamespace):
        def get_params(self, deep):
            return vars(self)

    assert peers.epochs(Peer(pretrain_epochs=3, clustering_epochs=4)) == {"n_epochs": 7}
    assert peers.epochs(Peer(pretrain_epochs=3)) == {"n_epochs": 3}
    assert peers.epochs(KMeans()) == {}
    X, _ = make_blobs(60, n_features=3, centers=3, random_state=0)
    codes = make_pipeline(Autoencoder(2, encoder=MLP((4,)), max_iter=3), KMeans(3))
    assert peers.epochs(codes.fit(X)) == {"n_epochs": 3}
    model = GaussianMixtureVAE(3, encoder=MLP((4,)), max_iter=8, random_state=0)
    assert peers.epochs(model.fit(X)) == {"n_epochs": 10}


def test_seconds_of_an_epoch_are_those_of_the_fit_over_all_epochs(module, runs):
    X, y = make_blobs(60, n_features=3, centers=3, random_state=0)
    how = {"data": "blobs", "setting": "KMeans", "seed": 0}
    module.fit_and_record(runs, KMeans(3), X, y, **how, extra=lambda _: {"n_epochs": 5})
    (line,) = runs.lines()
    assert line["seconds_per_epoch"] == pytest.approx(line["seconds"] / 5, rel=1e-4)
