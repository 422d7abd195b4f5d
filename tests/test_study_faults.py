"""What a study must not take for something else, and what it must find before any work."""

import dataclasses
import json
import shutil

import numpy as np
import pandas as pd
import pytest
import zarr

import pgcore
from conftest import GRADIENTS, ball_spec, make_policy, small_config
from pgcore.studies.catalog import STUDIES
from pgcore.studies.engine.identities import MADE_AS, same_identity
from pgcore.studies.engine.reading import open_cell
from pgcore.studies.export.write import export
from pgcore.studies.landscape.scout import axis_of_maps
from pgcore.studies.update.study import UpdateStudy
from pgcore.training.run import Run

STEPS = {"iterations": (0,), "trials": 1, "steps": 2, "pairs": (64,), "reward_pairs": 100}


@pytest.fixture
def fast(tmp_path):
    """A run like ``runs[0]``, but for its learning rate: equal arrays before its first update."""
    config = small_config(algorithm="ppo", trials=2, normalize_advantages="batch", policy_lr=0.1)
    with Run(tmp_path / "fast", config) as run:
        next(run.iterations())
    return tmp_path / "fast"


def test_runs_of_one_seed_are_told_apart_before_their_first_update(runs, fast, tmp_path):
    pgcore.studies.update_steps({"ppo": runs[0]}, tmp_path / "study", **STEPS)
    with pytest.raises(ValueError, match="holds another agent as ppo/0"):
        pgcore.studies.update_steps({"ppo": fast}, tmp_path / "study", **STEPS)
    own = pgcore.studies.update_steps({"ppo": fast}, tmp_path / "own", **STEPS)
    slow = pgcore.open(tmp_path / "study")
    assert (own["norm"].sel(kind="step") > 2 * slow["norm"].sel(kind="step")).all()


def test_a_store_of_an_older_pgcore_goes_on(runs, tmp_path):
    """It knows the arrays of its agents alone."""
    pgcore.studies.update_steps({"ppo": runs[0]}, tmp_path / "study", **STEPS)
    group = zarr.open_group(tmp_path / "study" / "dataset.zarr")
    older = {name: own.partition(MADE_AS)[0] for name, own in group.attrs["moments"].items()}
    assert older != dict(group.attrs["moments"])
    group.attrs["moments"] = older
    grown = pgcore.studies.update_steps(
        {"ppo": runs[0]}, tmp_path / "study", **STEPS | {"pairs": (64, 128)}
    )
    assert grown.sizes["n"] == 2
    assert not same_identity(older["ppo/0"], "other" + MADE_AS + "x")


def test_a_start_without_a_map_says_nothing_of_the_axis(runs, tmp_path):
    """Its settings may have been corrected since."""
    few = {"iterations": (2,), "trials": 1, "sources": (128,), "pairs": (100,), "points": (2, 2)}
    plans = STUDIES["landscape"].plan(
        runs[0], tmp_path / "begun", None, {**few, "random_range": (0.0, 0.5)}
    )[1]
    from pgcore.studies.engine.store import Store

    Store(tmp_path / "begun" / "surrogate.zarr", plans["surrogate.zarr"].schema, {})
    assert axis_of_maps(tmp_path / "begun") is None
    few["scout_pairs"] = 100
    found = pgcore.studies.landscape(runs[0], tmp_path / "begun", **few)
    fresh = pgcore.studies.landscape(runs[0], tmp_path / "fresh", **few)
    np.testing.assert_array_equal(found["random_scale"], fresh["random_scale"])
    assert axis_of_maps(tmp_path / "begun") == axis_of_maps(tmp_path / "fresh") is not None


@pytest.fixture
def endless(tmp_path):
    """An agent whose trajectories need not end."""
    task = pgcore.make_task(ball_spec(tmp_path, time_limit=None))
    value = pgcore.ValueNet(task.obs_dim, (8,))
    return pgcore.Agent(task, make_policy(task, 1, (8,)), value, algorithm="ppo")


@pytest.mark.parametrize("name", ["step", "update", "landscape", "variance"])
def test_what_needs_whole_trajectories_says_so_before_any_work(endless, tmp_path, name):
    for call in (STUDIES[name].measure, STUDIES[name].describe):
        with pytest.raises(ValueError, match=f"^{name}: needs whole trajectories, and those of Ba"):
            call(endless, tmp_path / "study")
    assert not (tmp_path / "study").exists()


def test_a_regime_trains_nothing_where_trajectories_need_not_end(tmp_path):
    with pytest.raises(ValueError, match=r"^regime: needs whole trajectories"):
        pgcore.studies.sample_regime(ball_spec(tmp_path, time_limit=None), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_dry_run_knows_tasks_without_a_time_limit(endless, tmp_path):
    few = {n: v for n, v in GRADIENTS.items() if n != "iterations"}
    text = STUDIES["gradient"].describe(endless, tmp_path / "study", **few)
    assert "1 of 1 cells to compute" in text


def test_updates_have_streams_of_their_own():
    with pytest.raises(ValueError, match=r"^updates: expected .*4000, got 4001"):
        UpdateStudy(updates=4001)
    with pytest.raises(ValueError, match=r"^pairs: expected"):
        UpdateStudy(pairs=(3 * 10**12,))
    with pytest.raises(ValueError, match=r"^reward_pairs: expected"):
        UpdateStudy(reward_pairs=3 * 10**12)


@pytest.mark.parametrize("to", ["json", "parquet"])
def test_an_export_replaces_no_other_table(gradients, tmp_path, to):
    """Neither another program's JSON with a key of ours, nor any Parquet file."""
    path = tmp_path / f"mine.{to}"
    if to == "json":
        path.write_text(json.dumps([{"item": "bolt", "quantity": 3}], indent=2))
    else:
        pytest.importorskip("pyarrow")
        pd.DataFrame({"quantity": [1]}).to_parquet(path)
    held = path.read_bytes()
    with pytest.raises(ValueError, match=r"^out: .* is there and is no export"):
        export(gradients, to, path)
    assert path.read_bytes() == held
    path.unlink()
    export(gradients, to, path)
    export(gradients, to, path)  # its own is replaced


def test_a_cell_that_is_not_there_is_named(gradients):
    at = {"agent": "ppo", "iteration": 2, "trial": 0}
    found = open_cell(gradients / "true.zarr", at, ("gradient",))
    whole = zarr.open_group(gradients / "true.zarr", mode="r")
    held = list(whole["iteration"][...]).index(2)
    np.testing.assert_array_equal(found["gradient"], whole["gradient"][0, held, 0])
    with pytest.raises(ValueError, match=r"needs the cell of true\.zarr .*7.* is missing"):
        open_cell(gradients / "true.zarr", at | {"trial": 7}, ("gradient",))


def test_the_identity_knows_what_arrays_do_not(runs, fast):
    from pgcore.studies.engine.sources import Agents

    slow, quick = (Agents.of({"a": run}, (0,)).moments[0] for run in (runs[0], fast))
    assert slow.digest == quick.digest and slow.identity() != quick.identity()
    again = dataclasses.replace(slow, label="b")
    assert again.identity() == slow.identity()


def test_a_run_in_the_place_of_another_is_not_taken_for_it(tmp_path):
    """In one process, which remembers agents: equal arrays at iteration 0, another rate."""
    norms = []
    for rate in (1e-3, 0.1):
        shutil.rmtree(tmp_path / "run", ignore_errors=True)
        with Run(tmp_path / "run", small_config(trials=1, policy_lr=rate)) as run:
            next(run.iterations())
        data = pgcore.studies.update_steps(tmp_path / "run", tmp_path / f"study-{rate}", **STEPS)
        norms.append(data["norm"].sel(kind="step").max().item())
    assert norms[1] > 2 * norms[0]
