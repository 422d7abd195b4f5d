"""Progress: plain lines without a terminal, time known inside a cell, and no effect on numbers."""

import dataclasses
import re
import threading

import numpy as np
import pytest

import pgcore
from conftest import GRADIENTS as SMALL
from conftest import ROOT
from pgcore.base import progress
from pgcore.base.progress import Progress, count_pairs, counted
from pgcore.studies.catalog import STUDIES
from pgcore.studies.engine import cells
from pgcore.studies.engine.cells import run_plan


class Clock:
    """A clock that stands where it is put."""

    def __init__(self):
        self.now = 0.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


def test_without_a_terminal_there_are_a_few_plain_lines(clock, capsys):
    with Progress("work", 1000, 100, unit="iterations") as bar:
        for i in range(899):
            clock.now += 1.0
            bar.update(1, f"return {i}.0")
    lines = capsys.readouterr().err.splitlines()
    assert (
        lines[0] == "work: 101 of 1000 iterations (10.1 %), 00:01 elapsed, 14:59 left, return 0.0"
    )
    assert (
        lines[1] == "work: 131 of 1000 iterations (13.1 %), 00:31 elapsed, 14:29 left, return 30.0"
    )
    assert lines[-1].startswith("work: 999 of 1000 iterations (99.9 %), 14:59 elapsed, 00:01 left")
    assert len(lines) == 31 and "\r" not in "".join(lines)


def test_all_progress_is_told_in_one_place():
    """Whatever else drew a bar would draw it into a log, too."""
    package = ROOT / "python" / "pgcore"
    drawing = [p for p in package.rglob("*.py") if "tqdm" in p.read_text()]
    assert drawing == [package / "base" / "progress.py"]


def test_a_terminal_has_a_bar(monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with Progress("work", 10, unit="pairs") as bar:
        bar.update(10)
        bar.write("a line")
    text = capsys.readouterr().err
    assert "\r" in text and "100%" in text and "a line\n" in text


def test_native_calls_tell_of_their_pairs_while_they_run():
    task = pgcore.make_task("Hopper-v2")
    policy = pgcore.GaussianPolicy(task.obs_dim, task.act_dim, (8,), 2)
    told = []
    with counted(told.append):
        batch = pgcore.collect(task, policy, 100, streams=3)
        assert sum(told) == batch.rewards.size
        told.clear()
        scores = pgcore.evaluate(task, policy, 20_000, num_threads=1)
        assert sum(told) == scores.lengths.sum() and len(told) > 1
        told.clear()
        at = np.array([3, 5])
        one = pgcore.GaussianPolicy(task.obs_dim, task.act_dim, (8,))
        pgcore.monte_carlo_values(task, one, at, 2, tail=4)
        assert at.sum() < sum(told) <= at.sum() + 2 * 2 * 4
    count_pairs(1)  # nobody listens
    assert sum(told) < 1000


def test_the_time_left_is_known_before_the_first_cell_is_finished(runs, tmp_path, monkeypatch):
    """And whatever a cell counts, it is worth its cost in the end."""
    shown = []

    class Told(Progress):
        def update(self, units=1, note=None):
            super().update(units, note)
            shown.append((self.done, self.text()))

    monkeypatch.setattr(cells, "Progress", Told)
    plan = STUDIES["gradient"].plan(runs, tmp_path, None, SMALL)[1]["true.zarr"]
    first = []

    def function(at, threads):
        values = plan.function(at, threads)
        first.append(len(shown))
        count_pairs(10**9)  # more than it costs
        return values

    run_plan(dataclasses.replace(plan, function=function), tmp_path / "true.zarr", num_threads=1)
    assert first[0] > 0 and re.search(r"[0-9]+:[0-9]{2} left", shown[0][1])
    total = sum(plan.cost(at) for at in plan.cells().values())
    done = [done for done, _ in shown]
    assert done == sorted(done) and done[-1] == total


def test_threads_count_each_for_its_own_cell():
    told = {"a": 0, "b": 0}

    def work(name):
        with counted(lambda pairs: told.__setitem__(name, told[name] + pairs)):
            for _ in range(100):
                count_pairs(1)

    threads = [threading.Thread(target=work, args=(name,)) for name in told]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told == {"a": 100, "b": 100}


def test_a_pipe_that_nobody_reads_stops_no_work(tmp_path, monkeypatch):
    """Neither the bar nor the simulation that counts its pairs."""

    class Closed:
        encoding = "utf-8"

        def isatty(self):
            return False

        def write(self, text):
            raise BrokenPipeError(32, "Broken pipe")

        def flush(self):
            raise BrokenPipeError(32, "Broken pipe")

    task = pgcore.make_task("Hopper-v4")
    policy = pgcore.GaussianPolicy(task.obs_dim, task.act_dim, hidden=(8,))
    whole = pgcore.collect(task, policy, 500, 4, seed=0)
    monkeypatch.setattr("sys.stderr", Closed())
    with Progress("work", 2000, unit="pair") as bar, counted(bar.update):
        bar.write("a line")
        batch = pgcore.collect(task, policy, 500, 4, seed=0)
    assert bar.done == 2000
    np.testing.assert_array_equal(batch.rewards, whole.rewards)
