"""A study's store on disk: a damaged one is named, and every one opens without a warning."""

import json
import shutil
import warnings

import numpy as np
import pytest
import xarray as xr

import pgcore
from conftest import GRADIENTS as SMALL
from conftest import assert_same_dataset
from pgcore.studies.catalog import STUDIES
from pgcore.studies.engine.cells import run_plan
from pgcore.studies.engine.store import Store
from pgcore.studies.engine.told import told_more


def _without(folder):
    shutil.rmtree(folder / "dataset.zarr" / "gram")


def _emptied(folder):
    (folder / "dataset.zarr" / "zarr.json").write_text("{")


def _removed(folder):
    (folder / "dataset.zarr" / "zarr.json").unlink()


def _cut(folder, name="dataset.zarr/gram"):
    chunk = next(p for p in (folder / name / "c").rglob("*") if p.is_file())
    chunk.write_bytes(chunk.read_bytes()[:9])


@pytest.mark.parametrize("damage", [_without, _emptied, _removed, _cut])
def test_a_damaged_store_is_named(gradients, tmp_path, damage):
    folder = tmp_path / "study"
    shutil.copytree(gradients, folder)
    damage(folder)
    for use in (pgcore.open, lambda study: pgcore.report(study, tmp_path / "report")):
        with pytest.raises(ValueError, match=r"study: .*study.* is damaged \(.*\); restore it, or"):
            use(folder)


def _cut_marks(folder):
    _cut(folder, "true.zarr/finished")


def _cut_head(folder):
    (folder / "true.zarr" / "zarr.json").write_text("{")


@pytest.mark.parametrize("damage", [_emptied, _cut_head, _cut_marks])
def test_a_study_that_goes_on_with_a_damaged_store_names_it(gradients, runs, tmp_path, damage):
    folder = tmp_path / "study"
    shutil.copytree(gradients, folder)
    damage(folder)
    with pytest.raises(ValueError, match=r"study: .*zarr is damaged \(.*\); restore it, or remove"):
        pgcore.studies.gradient_quality(runs, folder, **SMALL)


def opened_without_warning(store):
    """What xarray makes of a store, with every warning an error, and as its chunks say."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = xr.open_zarr(store).load()
    plain = xr.open_zarr(store, consolidated=False).load()
    assert data.attrs == plain.attrs
    assert_same_dataset(data, plain)
    return data


@pytest.mark.parametrize("name", [n for n, s in STUDIES.items() if not s.trains])
def test_planned_stores_open_without_a_warning(runs, tmp_path, name):
    """Of every kind of study, before a cell is finished."""
    _, plans = STUDIES[name].plan(runs, tmp_path, None, {"iterations": (2,)})
    for store, plan in plans.items():
        Store(tmp_path / store, plan.schema, plan.attributes)
        data = opened_without_warning(tmp_path / store)
        assert np.isnan(data["finished"].values).all()


def test_finished_and_grown_stores_open_without_a_warning(runs, gradients, tmp_path):
    out = shutil.copytree(gradients, tmp_path / "study")
    for settings in SMALL, SMALL | {"iterations": (0, 2, 4)}:
        pgcore.studies.gradient_quality(runs, out, **settings)
        for store in sorted(out.glob("*.zarr")):
            data = opened_without_warning(store)
            assert (data["finished"] == 1).any() and data.attrs["wall_seconds"] > 0
            assert data.sizes["iteration"] == len(settings["iterations"])


def test_a_store_of_an_older_pgcore_is_consolidated_when_it_goes_on(runs, gradients, tmp_path):
    plan = STUDIES["gradient"].plan(runs, tmp_path, None, SMALL)[1]["true.zarr"]
    whole = run_plan(plan, shutil.copytree(gradients / "true.zarr", tmp_path / "true.zarr"))
    file = tmp_path / "true.zarr" / "zarr.json"
    header = json.loads(file.read_text())
    assert header.pop("consolidated_metadata")
    file.write_text(json.dumps(header))
    assert_same_dataset(whole, run_plan(plan, tmp_path / "true.zarr"))
    opened_without_warning(tmp_path / "true.zarr")


def test_a_folder_is_of_one_study(gradients, runs, tmp_path):
    """A second one would hide the first from `pgcore.open`, exports and reports."""
    folder = shutil.copytree(gradients, tmp_path / "study")
    small = {"iterations": (2,), "trials": 1, "returns": "cut", "variance_iterations": ()}
    with pytest.raises(ValueError, match="holds a gradient_quality study; choose another folder"):
        pgcore.studies.value_prediction(runs[0], folder, held_out_pairs=300, **small)
    with pytest.raises(ValueError, match="holds a gradient_quality study; choose another folder"):
        STUDIES["value"].describe(runs[0], folder, held_out_pairs=300, **small)
    assert {p.name for p in folder.glob("*.zarr")} == {p.name for p in gradients.glob("*.zarr")}


def test_what_is_told_of_agents_that_come_later():
    """Nothing that is known gets lost, and nothing is said twice."""
    known = {"seeds": {"a/0": [0, [0]]}, "warm_up": "a at 0: frozen", "version_mujoco": "3.17.0"}
    more = {
        "seeds": {"b/0": [1, [0]]},
        "warm_up": "a at 0: frozen; b at 0: frozen",
        "imported": "b: no proof",
        "version_mujoco": "4.0.0",
        "trials_left_out": "b: trial 1",
    }
    assert told_more(known, more) == {
        "seeds": {**known["seeds"], **more["seeds"]},
        "warm_up": more["warm_up"],
        "imported": "b: no proof",
        "version_mujoco": "3.17.0 and 4.0.0",
        "trials_left_out": "b: trial 1",
    }
    assert told_more({**known, **more}, {"warm_up": "b at 0: frozen"}) == {}
