"""The value study's settings, what it refuses, and the kept one."""

import re

import numpy as np
import pytest
import xarray as xr
import zarr

import pgcore
from conftest import ROOT, small_config
from pgcore.studies import figures
from pgcore.studies.catalog import STUDIES
from pgcore.studies.engine.sources import Agents
from pgcore.studies.pairs.sampling import Sampling
from pgcore.studies.value.errors import ValueErrors
from pgcore.studies.value.opening import STORES, value_dataset
from pgcore.studies.value.study import ValueStudy
from pgcore.training.run import Run
from test_value import SMALL


def test_held_out_pairs_are_cut_where_the_agent_s_are(tmp_path):
    """An agent of four streams of 64 steps: fresh pairs come in such streams, too."""
    config = small_config(trials=1, iterations=3, pairs=256, streams=4)
    with Run(tmp_path / "run", config) as run:
        list(run.iterations())
    checkpoints = Agents.of(tmp_path / "run", (2,), None)
    at = {"agent": "ppo", "iteration": 2, "trial": 0}
    long = ValueErrors(checkpoints, 256, "cut", 0, Sampling())(at, 1)
    same = ValueErrors(checkpoints, 256, "cut", 0, Sampling(stream_steps=64))(at, 1)
    np.testing.assert_array_equal(long["error"], same["error"])
    short = ValueErrors(checkpoints, 256, "cut", 0, Sampling(stream_steps=32))(at, 1)
    assert (long["error"][1] != short["error"][1]).all()


def test_another_agent_of_the_same_name_is_refused(runs, tmp_path):
    few = {"iterations": (2,), "trials": 1, "variance_iterations": (), "held_out_pairs": 64}
    few["returns"] = "cut"
    pgcore.studies.value_prediction({"agent": runs[0]}, tmp_path, **few)
    with pytest.raises(ValueError, match=r"errors.zarr holds another agent as agent/2"):
        pgcore.studies.value_prediction({"agent": runs[1]}, tmp_path, **few)


def test_a_true_value_without_known_returns_is_refused(runs, tmp_path):
    for change in ({"true_value_pairs": 400}, {"sampling": Sampling(gamma=0.999)}):
        with pytest.raises(ValueError, match=r"variance_iterations: with gamma .* which is never"):
            STUDIES["value"].plan(runs, tmp_path, None, (SMALL | change))[1]


def test_the_kept_study_opens_and_makes_its_table():
    stores = {}
    for name in STORES:
        path = ROOT / "experiments" / "results" / f"hopper-value-{name}.zarr.zip"
        with zarr.storage.ZipStore(path, mode="r") as store:
            stores[name] = xr.open_zarr(store, consolidated=False).load()
    table = figures.value_table(value_dataset(stores))
    assert "true value: less than the value net's in 7 of 12 checkpoints of 6 agents" in table
    line = re.search(r"^ppo +150 +1 +0.920 \[.*?\] = (\S+) \[.*?\] \+ (\S+) ", table, re.MULTILINE)
    assert float(line[1]) + float(line[2]) == pytest.approx(0.92, abs=0.002)
    assert float(line[1]) == pytest.approx(0.69, abs=0.01)  # a network that is off by a constant


def test_dry_run_and_bad_settings(runs, tmp_path):
    text = STUDIES["value"].describe(runs, tmp_path / "x", **SMALL)
    assert "value errors" in text and "true value" in text and "variance" in text
    for change, match in (
        ({"returns": "full"}, "returns: expected one of resolved, cut"),
        ({"estimates": 2}, "estimates: expected an integer from 3 to 4000, got 2"),
        ({"states": 2}, "states: expected an integer from 3 to 1000000, got 2"),
        ({"sampling": Sampling(baseline="zero")}, "baseline: expected value; this study compares"),
    ):
        with pytest.raises(ValueError, match=match):
            ValueStudy(**change)
    with pytest.raises(ValueError, match=r"value network of ppo was trained with 0.99, and would"):
        STUDIES["value"].plan(runs, tmp_path, None, SMALL | {"sampling": Sampling(gamma=0.98)})
    for gamma in (0.0, 1.0, float("nan")):
        with pytest.raises(ValueError, match="gamma: expected a number between 0 and 1"):
            Sampling(gamma=gamma)
