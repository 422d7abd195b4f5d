"""Cells that overlap: the same bits, failures and Ctrl-C as one after the other."""

import dataclasses
import os
import shutil
import signal
import threading
import time

import numpy as np
import pytest

import pgcore
from conftest import GRADIENTS as SMALL
from conftest import assert_same_dataset, make_policy
from pgcore.studies.catalog import STUDIES
from pgcore.studies.engine.cells import Plan, StudyError, run_plan
from pgcore.studies.engine.overlap import MOST_CELLS, overlapping_cells, run_overlapping
from pgcore.studies.engine.reading import open_study
from pgcore.studies.engine.store import Schema
from test_study_engine import Flaky

MANY = 32  # threads, on which as many cells overlap as ever do


def squares(function, cells=12):
    """A plan of small cells."""
    schema = Schema({"number": list(range(cells))}, {}, {"value": ((), "1", "anything")})
    return Plan("squares", schema, function, lambda at: 1, None, {})


def test_few_cores_have_one_cell_at_a_time():
    assert [overlapping_cells(n) for n in (1, 2, 3, 4, 8, 16)] == [1, 1, 1, 2, 4, 8]
    assert overlapping_cells(MANY) == overlapping_cells(1000) == MOST_CELLS


def test_overlap_changes_no_bit(runs, gradients, tmp_path):
    many = pgcore.studies.gradient_quality(runs, tmp_path / "g", num_threads=MANY, **SMALL)
    assert_same_dataset(pgcore.open(gradients), many)
    few = {"true_value_pairs": 500, "held_out_pairs": 300, "states": 4, "continuations": 2}
    values = [
        pgcore.studies.value_prediction(
            runs[:1], tmp_path / f"v{n}", num_threads=n, iterations=(0, 2), trials=1, pairs=(64,),
            variance_iterations=(2,), estimates=3, returns="cut", **few,
        )
        for n in (1, MANY)
    ]  # fmt: skip
    assert_same_dataset(*values)
    settings = {"iterations": (2,), "sources": (128,), "points": (2, 2), "pairs": (300,)}
    settings |= {"scout_pairs": 100}  # of 17 points
    adaptive = {"part_pairs": 100, "target_error": 1e-3}  # in stages
    maps = [
        pgcore.studies.landscape(
            runs[:1], tmp_path / f"l{n}", num_threads=n, **settings, **adaptive, trials=1
        )
        for n in (1, MANY)
    ]
    assert_same_dataset(*maps)
    assert (maps[0]["pairs_used"] > 200).any()  # later stages were computed


def test_cells_run_at_the_same_time(tmp_path):
    """Each waits until all have begun; one after the other they would wait forever."""
    together = threading.Barrier(MOST_CELLS, timeout=60)

    def function(at, threads):
        together.wait()
        return {"value": float(threads)}

    data = run_plan(squares(function, MOST_CELLS), tmp_path / "a", num_threads=MANY)
    assert (data["value"] == MANY).all()


def test_cells_are_kept_one_by_one():
    inside, kept = [], []

    def keep(cell, values):
        assert not inside
        inside.append(cell)
        time.sleep(0.002)
        inside.remove(cell)
        kept.append(cell)

    run_overlapping(lambda at, threads: at, [(i, {"i": i}) for i in range(20)], MANY, keep)
    assert sorted(kept) == list(range(20))


def test_a_failing_cell_stops_no_other(runs, gradients, tmp_path):
    plan = STUDIES["gradient"].plan(runs, tmp_path, None, SMALL)[1]["true.zarr"]
    flaky = dataclasses.replace(plan, function=Flaky(plan.function, fail=True))
    with pytest.raises(StudyError, match="2 of 8 cells failed"):
        run_plan(flaky, tmp_path / "a", num_threads=MANY)
    stored = open_study(tmp_path / "a")["gradient"].isel(half=0, parameter=0)
    assert int(np.isfinite(stored).sum()) == 6
    whole = run_plan(plan, shutil.copytree(gradients / "true.zarr", tmp_path / "b"))
    assert_same_dataset(run_plan(plan, tmp_path / "a", num_threads=MANY), whole)


def test_what_cannot_be_stored_stops_the_study(tmp_path):
    def function(at, threads):
        return {"another": 1.0}

    with pytest.raises(ValueError, match=r"cell: expected \['value'\], got \['another'\]"):
        run_plan(squares(function), tmp_path / "a", num_threads=MANY)


@pytest.mark.timeout(120)
def test_ctrl_c_keeps_what_is_finished_and_stops_the_rest(tmp_path):
    """Six cells are finished when it comes; the others are deep in native work of hours."""
    task = pgcore.make_task("Hopper-v2")
    policy = make_policy(task, members=1)
    computed = []

    def function(at, threads, endless=True):
        number = at["number"]
        if number >= 6 and endless:
            while int(np.isfinite(open_study(tmp_path / "a")["value"]).sum()) < 6:
                time.sleep(0.01)
            if number == 6:
                os.kill(os.getpid(), signal.SIGINT)
            pgcore.evaluate(task, policy, 10**9, num_threads=1)
        computed.append(number)
        return {"value": float(number**2)}

    with pytest.raises(KeyboardInterrupt):
        run_plan(squares(function), tmp_path / "a", num_threads=MANY)
    assert sorted(computed) == list(range(6))
    again = squares(lambda at, threads: function(at, threads, endless=False))
    data = run_plan(again, tmp_path / "a", num_threads=MANY)
    assert sorted(computed) == list(range(12))  # each once
    np.testing.assert_array_equal(data["value"], np.arange(12.0) ** 2)
