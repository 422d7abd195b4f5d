"""Gradient studies: pairs that are simulated once, trials that are not swept, halves, the table."""

import dataclasses
import re
import shutil

import numpy as np
import pytest
import xarray as xr
import zarr

import pgcore
from conftest import ROOT, assert_same_dataset
from pgcore.studies import figures
from pgcore.studies.catalog import STUDIES
from pgcore.studies.engine.cells import run_plan
from pgcore.studies.engine.sources import Agents
from pgcore.studies.engine.store import Store, missing_cells
from pgcore.studies.gradient.cells import ESTIMATE_IDS
from pgcore.studies.gradient.opening import gradient_quantities
from pgcore.studies.gradient.study import GradientStudy
from pgcore.studies.measures.differences import few_trials
from pgcore.studies.pairs import sampling as pairs_sampling
from pgcore.studies.pairs.estimates import sum_gradients
from pgcore.studies.pairs.sampling import Sampling, block_streams
from pgcore.studies.pairs.steps import StepPairs, step_data
from pgcore.training.checkpoint import load_checkpoint
from pgcore.training.run import checkpoint_path
from report_reading import reported

SWEPT = {
    "iterations": (2,),
    "pairs": (64, 500),
    "estimates": 3,
    "true_pairs": 512,
    "true_step_pairs": 256,
    "sampling": Sampling(stream_steps=200),
}


@pytest.fixture(scope="module")
def swept(runs, tmp_path_factory):
    """A study of two trials, one of which is swept, and its folder."""
    out = tmp_path_factory.mktemp("swept")
    return out, pgcore.studies.gradient_quality(runs, out, sweep_trials=1, **SWEPT)


@pytest.fixture(scope="module")
def whole(runs, tmp_path_factory):
    """The same where both trials are swept."""
    return pgcore.studies.gradient_quality(runs, tmp_path_factory.mktemp("whole"), **SWEPT)


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of 3 streams of 40 steps, so that estimates of 7 streams begin and end inside some."""
    monkeypatch.setattr(pairs_sampling, "_BLOCK_BYTES", 3 * 40 * (12 * 11 + 4 * 3 + 30))


@pytest.mark.parametrize("run", [0, 1])
def test_the_pairs_of_steps_are_those_of_the_gradients_to_the_bit(runs, small_blocks, run):
    """Handed on from the blocks of all estimates, and simulated for each estimate alone."""
    agent = load_checkpoint(checkpoint_path(runs[run], 2)).agent().select(1)
    sampling, K, n = Sampling(stream_steps=40), 5, 270
    assert (block_streams(agent, 39), sampling.streams(n)) == (3, (7, 39))
    firsts, got = np.arange(K) * 1000, []
    with_steps = sum_gradients(
        agent, n, firsts, 7, sampling, 2, StepPairs(agent, n, sampling, got.append).add
    )
    without = sum_gradients(agent, n, firsts, 7, sampling, 2)
    np.testing.assert_array_equal(with_steps.gradients, without.gradients)
    assert len(got) == K
    for first, data in zip(firsts, got, strict=True):
        alone = step_data(agent, n, [int(first) + i for i in range(7)], 7, sampling, 1)
        for field in dataclasses.fields(alone):
            same = (getattr(x, field.name).numpy() for x in (data, alone))
            np.testing.assert_array_equal(*same, err_msg=field.name)


def test_a_cell_simulates_its_pairs_once(runs, small_blocks, monkeypatch, tmp_path):
    """And its steps are the updates from each estimate's pairs."""
    study = GradientStudy(**{**SWEPT, "pairs": (270,), "sampling": Sampling(stream_steps=40)})
    agents = Agents.of(runs[0], (2,), 1)
    plans = study.plans(agents, tmp_path)
    run_plan(plans["true.zarr"], tmp_path / "true.zarr")
    simulated = []
    collect = pairs_sampling.collect

    def counted(*arguments, **options):
        simulated.extend(options["stream_ids"].tolist())
        return collect(*arguments, **options)

    monkeypatch.setattr(pairs_sampling, "collect", counted)
    at = {"agent": "ppo", "iteration": 2, "trial": 0, "n": 270}
    values = plans["dataset.zarr"].function(at, 1)
    assert len(simulated) == len(set(simulated)) == 3 * 7
    agent, seed = agents.agent(at), agents.seed(at, 0, "estimates", 270)
    moves = []
    for k in range(3):
        ids = [k * ESTIMATE_IDS + i for i in range(7)]
        moves.append(agent.updated(step_data(agent, 270, ids, seed, study.sampling, 1), seed, k))
    steps = np.stack(moves)
    np.testing.assert_array_equal(values["step_gram"], steps @ steps.T)
    assert plans["dataset.zarr"].cost(at) == 3 * 270


def test_trials_that_are_not_swept_get_the_own_n_alone(runs, swept, whole):
    """No true gradient is asked for them, and what they have is what they would have had."""
    _, data = swept
    known = data["gram"].notnull().all(["estimate", "other", "agent", "iteration"])
    np.testing.assert_array_equal(known.sel(n=500), [True, True])
    np.testing.assert_array_equal(known.sel(n=64), [True, False])
    one = data.sel(trial=1, n=500)
    for name in ("dot_true", "cosine_to_true", "step_cosine_to_true", "true_noise_scale", "|g|"):
        assert np.isnan(one[name.replace("|g|", "true_norm")].values).all(), name
    for name in ("gram", "step_gram", "trajectories", "pairwise_cosine", "noise_scale"):
        np.testing.assert_array_equal(one[name], whole[name].sel(trial=1, n=500), err_msg=name)
    assert np.isfinite(one["step_norm"].values).all()
    both = data["pairwise_cosine_over_trials_low"].notnull()
    assert bool(both.sel(n=500).all()) and not bool(both.sel(n=64).any())


def test_cells_without_a_true_gradient_need_no_store_of_them(runs, tmp_path):
    study = GradientStudy(**SWEPT, sweep_trials=1)
    plan = study.plans(Agents.of(runs[0], (2,)), tmp_path / "nothing")["dataset.zarr"]
    values = plan.function({"agent": "ppo", "iteration": 2, "trial": 1, "n": 500}, 1)
    assert np.isfinite(values["gram"]).all() and np.isnan(values["dot_true"]).all()
    with pytest.raises(ValueError, match=r"true\.zarr"):
        plan.function({"agent": "ppo", "iteration": 2, "trial": 0, "n": 500}, 1)


def test_more_swept_trials_compute_the_rest_to_the_same_bits(runs, swept, whole, tmp_path):
    """The other n, true gradients, and again the own n that had been compared with none."""
    out = tmp_path / "grown"
    shutil.copytree(swept[0], out)
    plans = STUDIES["gradient"].plan(runs, out, None, SWEPT)[1]
    missing = {name: missing_cells(out / name, plan.schema) for name, plan in plans.items()}
    assert missing == {
        "true.zarr": [(0, 0, 1), (1, 0, 1)],
        "dataset.zarr": [(0, 0, 1, 0), (0, 0, 1, 1), (1, 0, 1, 0), (1, 0, 1, 1)],
    }
    text = STUDIES["gradient"].describe(runs, out, **SWEPT)
    assert "2 of 4 cells to compute, 1.54e+03" in text  # 2 x (512 + 256)
    assert "4 of 8 cells to compute, 3.38e+03" in text  # 2 x 3 x (64 + 500)
    grown = pgcore.studies.gradient_quality(runs, out, **SWEPT)
    assert_same_dataset(grown, whole)
    again = STUDIES["gradient"].describe(runs, out, **SWEPT, sweep_trials=1)
    assert "0 of 2 cells to compute" in again and "0 of 6 cells to compute" in again


def test_a_cell_that_is_written_anew_is_unfinished_until_it_is_whole(runs, swept, tmp_path):
    """A kill amid the second writing leaves no cell of both that counts as finished."""
    study = GradientStudy(**SWEPT)
    plan = study.plans(Agents.of(runs[0], (2,), 1), tmp_path)["dataset.zarr"]
    store, cell = Store(tmp_path / "dataset.zarr", plan.schema, {}), (0, 0, 0, 0)
    values = {name: np.ones([3] * len(dims)) for name, (dims, *_) in plan.schema.variables.items()}
    store.write(cell, values)
    assert store.is_finished(cell)
    with pytest.raises(ValueError, match="no number"):
        store.write(cell, {**values, "step_dot_true": "no number"})
    assert not store.is_finished(cell)


def test_the_true_step_is_the_mean_of_two_halves(runs, swept, tmp_path):
    """Of disjoint pairs; their cosine is what the halves in the store have."""
    out, data = swept
    true = xr.open_zarr(out / "true.zarr", consolidated=False)
    where = {"agent": "trpo", "iteration": 2, "trial": 0}
    halves = true["step"].sel(where).values
    agents = Agents.of(runs, (2,))
    agent, seed = agents.agent(where), agents.seed(where, 0, "true")
    for half in range(2):
        ids = [(2 + half) * ESTIMATE_IDS]
        pairs = step_data(agent, 128, ids, seed, SWEPT["sampling"], 1)
        np.testing.assert_array_equal(halves[half], agent.updated(pairs, seed, half))
    own = data.sel(where)
    cosine = halves[0] @ halves[1] / np.linalg.norm(halves[0]) / np.linalg.norm(halves[1])
    assert float(own["step_split_half_cosine"]) == pytest.approx(cosine, rel=1e-12)
    assert float(own["step_square"]) == pytest.approx(np.square(halves.mean(0)).sum(), rel=1e-12)
    steps = np.sqrt(np.diagonal(own["step_gram"].sel(n=64).values))
    assert float(own["step_norm"].sel(n=64)) == pytest.approx(steps.mean())


def test_a_true_step_of_an_older_pgcore_opens(swept, tmp_path):
    """It was one vector, and has no halves."""
    out, data = swept
    shutil.copytree(out, tmp_path / "old")
    true = xr.open_zarr(out / "true.zarr", consolidated=False).load()
    mean = true["step"].mean("half", skipna=False)
    for variable in true.variables.values():
        variable.encoding = {}
    shutil.rmtree(tmp_path / "old" / "true.zarr")
    true.assign(step=mean).to_zarr(tmp_path / "old" / "true.zarr", consolidated=False)
    older = pgcore.open(tmp_path / "old")
    assert "step_split_half_cosine" in data and "step_split_half_cosine" not in older
    same = (d["step_cosine_to_true"] for d in (older, data))
    np.testing.assert_allclose(*same, rtol=1e-12)  # the mean of two, computed before or after
    line = figures.gradient_table(older).split("\nsteps ")[1].splitlines()[1]
    assert re.search(r"\]\s+-\s+\d", line)  # a dash where the split of the true step is


def kept(task):
    """A kept study, with what follows from it."""
    path = ROOT / "experiments" / "results" / f"{task}-gradient.zarr.zip"
    with zarr.storage.ZipStore(path, mode="r") as store:
        return gradient_quantities(xr.open_zarr(store, consolidated=False).load())


@pytest.mark.parametrize(
    ("task", "trials", "lines"),
    [
        (
            "hopper",
            3,
            [r"ppo +0 +all +0.79 \[0.72, 0.87\] ", "ppo +300 .* inf \\[0, inf\\] 2 unseen "],
        ),
        ("humanoid", 2, ["trpo +0 +all .* inf \\[0, inf\\] 2 unseen "]),  # in no trial
    ],
)
def test_kept_studies_open_and_make_their_tables(task, trials, lines):
    data = kept(task)
    table = figures.gradient_table(data)
    for line in lines:
        assert re.search(f"^{line}", table.split("\nsteps ")[0], re.MULTILINE), line
    assert "median" not in table and few_trials(trials)[0] in table
    own = data.sel(agent="ppo", iteration=0)
    assert (own["true_norm"] > 0).all() and (own["true_norm"] < np.sqrt(own["true_square"])).all()
    expected = np.exp(np.log(own["true_norm"].values).mean())
    assert float(own["true_norm_over_trials"]) == pytest.approx(expected)
    assert own["true_norm_over_trials_low"] < expected < own["true_norm_over_trials_high"]


def test_the_table_says_of_how_many_trials_it_speaks(swept, whole):
    few, all_ = figures.gradient_table(swept[1]), figures.gradient_table(whole)
    assert "2 trials, of which 1 have a true gradient and what is compared with it" in few
    assert f"true gradient: {few_trials(1)[0]}" in few and few_trials(2)[0] in few
    assert "of which" not in all_ and all_.count(few_trials(2)[0]) == 1
    row = next(line for line in few.splitlines() if line.startswith("trpo - ppo"))
    assert "2 paired" in row and row.count(" of 1") == 2  # to the true gradient, and step


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"sweep_trials": 0}, "sweep_trials: expected an integer >= 1, got 0"),
        ({"true_step_pairs": 127}, "true_step_pairs: expected an integer >= 128, got 127"),
    ],
)
def test_bad_settings_say_their_name(change, text):
    with pytest.raises(ValueError, match=text):
        GradientStudy(**change)


@pytest.mark.parametrize("case", ["no algorithm", "few pairs"])
def test_a_study_without_steps_has_its_table_and_report(hopper, runs, tmp_path, case):
    few = {"estimates": 3, "true_pairs": 128, "true_step_pairs": 128, "trials": 1}
    if case == "few pairs":
        pgcore.studies.gradient_quality(runs, tmp_path / "s", pairs=(32,), iterations=(2,), **few)
    else:
        assert hopper.algorithm is None
        few["sampling"] = Sampling(baseline="zero")
        pgcore.studies.gradient_quality(hopper, tmp_path / "s", pairs=(64,), **few)
    STUDIES["gradient"].report(pgcore.open(tmp_path / "s"), tmp_path / "s")
    assert "steps: none was computed" in (tmp_path / "s" / "summary.txt").read_text()
    names = {p.name for p in (tmp_path / "s").glob("*.png")}
    assert names == {"gradient_quality.png"}
    assert "gradient: How concentrated" in reported(tmp_path / "s", tmp_path / "report")
