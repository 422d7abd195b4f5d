"""The engine of studies: resume, failing cells, refusals, the same bits on any torch threads."""

import dataclasses
import os
import pickle
import re
import shutil
import signal
import time
from pathlib import Path

import numpy as np
import pytest

import pgcore
from campaigns import warm
from campaigns.folders import finished_work, repeated
from campaigns.targets import measure
from conftest import GRADIENTS as SMALL
from conftest import assert_same_dataset
from pgcore.studies.catalog import STUDIES
from pgcore.studies.engine.cells import StudyError, run_plan, run_plans
from pgcore.studies.engine.describing import describe_plans
from pgcore.studies.engine.sources import Agents
from pgcore.studies.engine.store import Schema, missing_cells
from pgcore.studies.gradient.study import GradientStudy
from pgcore.studies.landscape.study import LandscapeStudy
from pgcore.studies.value.study import ValueStudy


@pytest.mark.timeout(120)
def test_a_killed_study_resumes_with_the_same_bits(runs, gradients, tmp_path):
    for delay in (0.0, 0.05, 0.2):
        process = warm.start(measure, "gradient", SMALL, runs, tmp_path / "cut")
        chunks = tmp_path / "cut" / "true.zarr" / "gradient" / "c"
        while process.is_alive() and not chunks.exists():
            time.sleep(0.002)
        time.sleep(delay)
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL
    plans = STUDIES["gradient"].plan(runs, tmp_path / "cut", None, SMALL)[1]
    left = [missing_cells(tmp_path / "cut" / name, p.schema) for name, p in plans.items()]
    assert any(left), "it was killed before its end"
    cut = pgcore.studies.gradient_quality(runs, tmp_path / "cut", **SMALL)
    assert_same_dataset(pgcore.open(gradients), cut)


def test_a_finished_cell_is_not_computed_again(runs, gradients, tmp_path):
    plan = STUDIES["gradient"].plan(runs, tmp_path, None, SMALL)[1]["true.zarr"]
    shutil.copytree(gradients / "true.zarr", tmp_path / "true.zarr")

    def never(at, threads):
        raise AssertionError("computed twice")

    run_plan(dataclasses.replace(plan, function=never), tmp_path / "true.zarr")


@dataclasses.dataclass(frozen=True)
class Flaky:
    """A cell function that fails for one trial, if told to."""

    real: object
    fail: bool

    def __call__(self, at, threads):
        if self.fail and at["trial"] == 1 and at["iteration"] == 0:
            raise ArithmeticError("on purpose")
        return self.real(at, threads)


def test_a_failing_cell_is_named_and_the_rest_completes(runs, gradients, tmp_path):
    plan = STUDIES["gradient"].plan(runs, tmp_path, None, SMALL)[1]["true.zarr"]
    flaky = dataclasses.replace(plan, function=Flaky(plan.function, fail=True))
    with pytest.raises(StudyError, match="2 of 8 cells failed: agent=ppo, iteration=0") as info:
        run_plan(flaky, tmp_path / "a" / "true.zarr")
    assert str(info.value).count("ArithmeticError: on purpose") == 2
    assert "2 of 8 cells to compute" in describe_plans({"true.zarr": plan}, tmp_path / "a")
    whole = run_plan(plan, shutil.copytree(gradients / "true.zarr", tmp_path / "b"))
    assert_same_dataset(run_plan(plan, tmp_path / "a" / "true.zarr"), whole)


def test_a_failing_cell_stops_no_later_store(runs, gradients, tmp_path):
    """What needs the failed cell fails by name; the rest of both stores is there."""
    plans = STUDIES["gradient"].plan(runs, tmp_path, None, SMALL)[1]
    true = plans["true.zarr"]
    flaky = dataclasses.replace(true, function=Flaky(true.function, fail=True))
    with pytest.raises(StudyError, match="6 of 24 cells failed") as info:
        run_plans(plans | {"true.zarr": flaky}, tmp_path)
    assert "needs the cell of true.zarr at" in str(info.value)
    ended = pgcore.studies.gradient_quality(runs, tmp_path, **SMALL)
    assert_same_dataset(ended, pgcore.open(gradients))


def test_order_and_labels_change_no_bit(runs, gradients, tmp_path):
    """Cells are found by their coordinates, and their random numbers follow from the agents."""
    whole = pgcore.open(shutil.copytree(gradients, tmp_path / "a"))
    assert_same_dataset(pgcore.studies.gradient_quality(runs[::-1], tmp_path / "a", **SMALL), whole)
    named = {"second": runs[1], "first": runs[0]}
    other = pgcore.studies.gradient_quality(named, tmp_path / "b", **SMALL)
    for old, new in (("ppo", "first"), ("trpo", "second")):
        assert_same_dataset(
            whole.sel(agent=old).drop_vars("agent"), other.sel(agent=new).drop_vars("agent")
        )


def test_a_study_is_extended(runs, gradients, tmp_path):
    """More iterations, trials, agents and n: finished cells are not computed again."""
    whole = pgcore.open(gradients)
    out = tmp_path / "grown"
    few = SMALL | {"iterations": (2,), "trials": 1, "pairs": SMALL["pairs"][1:]}
    pgcore.studies.gradient_quality(runs[1:], out, **few)
    steps = (SMALL | {"pairs": few["pairs"]}, SMALL)
    for sources, settings in zip((runs[1:], runs), steps, strict=True):
        plans = STUDIES["gradient"].plan(sources, out, None, settings)[1]
        plan = plans["dataset.zarr"]
        missing = len(missing_cells(out / "dataset.zarr", plan.schema))
        assert 0 < missing < len(plan.cells())
        before = finished_work(out)
        pgcore.studies.gradient_quality(sources, out, **settings)
        assert before and not repeated(before, out)
    grown = pgcore.open(out)
    assert_same_dataset(whole, grown.sel(agent=whole["agent"]))
    with pytest.raises(ValueError, match="holds another agent as trpo/0"):
        pgcore.studies.gradient_quality({"trpo": runs[0]}, out, **SMALL)


def test_dry_run_says_what_it_would_cost(runs, tmp_path):
    text = STUDIES["gradient"].describe(runs, tmp_path / "x", **SMALL)
    assert "8 of 8 cells" in text and "16 of 16 cells" in text
    *parts, total = (float(x) for x in re.findall(r"about ([0-9.]+) min", text))
    assert len(parts) == 2 and total == pytest.approx(sum(parts), abs=0.11)
    assert len(set(re.findall(r"at (\S+) pairs/s", text))) == 1, "one agent has one speed"
    assert text.splitlines()[-1].startswith("together about")
    assert not (tmp_path / "x").exists()


def test_cells_find_their_files_from_any_folder(runs, tmp_path, monkeypatch):
    """A worker may run elsewhere; what it is sent must not depend on this process' folder."""
    monkeypatch.chdir(runs[0].parent)
    own, out = [Path(r.name) for r in runs], Path(os.path.relpath(tmp_path))
    settings = {"iterations": (2,), "trials": 1}
    studies = [
        GradientStudy(**settings, pairs=(64,), estimates=2, true_pairs=256, true_step_pairs=256),
        LandscapeStudy(**settings, sources=(128,), pairs=(100,), points=(2, 2), scout_pairs=100),
        ValueStudy(**settings, variance_iterations=(2,), pairs=(64,), estimates=3, states=3,
                   continuations=2, true_value_pairs=600, held_out_pairs=600),
    ]  # fmt: skip
    plans = {}
    for i, study in enumerate(studies):
        agents = Agents.of(own, study.iterations, study.trials)
        found = study.plans(agents, out / str(i))
        plans |= {out / str(i) / name: plan for name, plan in found.items()}
    for path, plan in plans.items():
        sent = pickle.dumps(plan.function)
        first, *_ = plan.cells().values()
        store = path.resolve()
        with monkeypatch.context() as elsewhere:
            elsewhere.chdir("/")
            function = pickle.loads(sent)
            assert function(first, 1)
            run_plan(dataclasses.replace(plan, function=function), store)


def test_another_study_is_not_overwritten(runs, gradients, tmp_path):
    with pytest.raises(ValueError, match="other settings of true_pairs"):
        pgcore.studies.gradient_quality(runs, gradients, **(SMALL | {"true_pairs": 600}))
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match="exists and is no study"):
        run_plan(
            STUDIES["gradient"].plan(runs, tmp_path, None, SMALL)[1]["true.zarr"], tmp_path / "b"
        )


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"pairs": (0,)}, "pairs: expected an integer >= 1, got 0"),
        ({"estimates": 1}, "estimates"),
        ({"iterations": (3,)}, r"has no checkpoint 3; it has \[0, 2, 4\]"),
        ({"trials": 5}, "trials: expected at most 2"),
    ],
)
def test_bad_studies_are_refused_before_any_work(runs, tmp_path, change, text):
    with pytest.raises(ValueError, match=text):
        pgcore.studies.gradient_quality(runs, tmp_path / "x", **(SMALL | change))
    assert not (tmp_path / "x").exists()


def test_the_dataset_says_what_made_it(gradients):
    data = pgcore.open(gradients)
    for name in (
        "spec",
        "version_pgcore",
        "version_mujoco",
        "version_torch",
        "model_sha256",
        "wall_seconds",
    ):
        assert name in data.attrs, name


def test_numbers_of_numpy_are_settings(gradients, runs, tmp_path):
    """And arrays: the same study, to the bit; it goes on in the same folder."""
    numpy = {n: np.array(v) if isinstance(v, tuple) else np.int64(v) for n, v in SMALL.items()}
    out = tmp_path / "study"
    shutil.copytree(gradients, out)
    before = {p: p.stat().st_mtime_ns for p in out.rglob("c/**/*") if p.is_file()}
    again = pgcore.studies.gradient_quality(runs, out, seed=np.uint8(0), **numpy)
    assert_same_dataset(pgcore.open(gradients), again)
    assert before == {p: p.stat().st_mtime_ns for p in out.rglob("c/**/*") if p.is_file()}


def test_what_is_no_label_is_refused(runs, tmp_path):
    for source, text in (
        ("=" + str(runs[0]), "expected a label of printable letters, got ''"),
        ({"a\nb": runs[0]}, r"expected a label of printable letters, got 'a\\nb'"),
        ("a=", "expected LABEL=PATH, got 'a='"),
    ):
        with pytest.raises(ValueError, match=text):
            pgcore.studies.gradient_quality(source, tmp_path / "x", **SMALL)
    with pytest.raises(TypeError, match="warm_up: expected True or False, got 'no'"):
        pgcore.studies.gradient_quality(runs, tmp_path / "x", warm_up="no", **SMALL)


def test_what_is_no_run_is_named_as_such(tmp_path):
    for path in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(ValueError, match=f"runs: expected a training run, got {path}, which"):
            Agents.of(path, [0], 1)


def test_a_coordinate_twice_is_refused_before_any_work():
    """The first of the two would never be written."""
    with pytest.raises(ValueError, match=r"strength: expected every coordinate once, got 0\.0 sev"):
        Schema({"strength": [0.0, 1.0, 0.0]}, {}, {})
    with pytest.raises(ValueError, match="half: expected every coordinate once, got 1 several"):
        Schema({}, {"half": [1, 1]}, {})


def test_all_stores_that_would_have_to_go_are_named_at_once(runs, gradients, tmp_path):
    """One after the other, each would have been removed for nothing."""
    shutil.copytree(gradients, tmp_path, dirs_exist_ok=True)
    advice = r"true\.zarr holds .* of true_pairs; choose another folder, or remove .*true\.zarr "
    with pytest.raises(ValueError, match=advice + r"and .*dataset\.zarr, and they are computed"):
        pgcore.studies.gradient_quality(runs, tmp_path, **SMALL | {"true_pairs": 300})
    with pytest.raises(ValueError, match=r"dataset\.zarr holds .* remove .*dataset\.zarr, and it"):
        pgcore.studies.gradient_quality(runs, tmp_path, **SMALL | {"largest_step": 32})
