"""Folders of runs and studies: one process at a time, and nothing of others is written over."""

import dataclasses
import errno
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from functools import partial

import numpy as np
import pytest

import pgcore
from campaigns import warm
from campaigns.targets import measure_for_ever
from conftest import ball_spec, small_config
from pgcore.base.files import write_atomically
from pgcore.base.folders import LOCK_NAME, FolderInUseError, FolderLock
from pgcore.studies.gradient.study import TrueGradient
from pgcore.training.run import Run

HOLD = """
import sys, time
from pathlib import Path
from pgcore.base.folders import FolderLock
lock = FolderLock(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""


def held(folder):
    """A process that holds a folder."""
    command = [sys.executable, "-c", HOLD, str(folder)]
    owner = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert owner.stdout.readline() == "held\n"
    return owner


def killed(owner):
    owner.kill()
    owner.communicate()


def wait_for(path, seconds=60):
    end = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < end, f"{path} does not come"
        time.sleep(0.02)


def files_of(folder):
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}


def test_a_lock_names_its_owner_and_dies_with_it(tmp_path):
    owner = held(tmp_path)
    try:
        with pytest.raises(FolderInUseError, match=rf"in use by process {owner.pid} on \w+"):
            FolderLock(tmp_path)
    finally:
        killed(owner)
    with FolderLock(tmp_path), pytest.raises(FolderInUseError, match=str(os.getpid())):
        FolderLock(tmp_path)
    FolderLock(tmp_path).release()


def test_a_forked_child_does_not_keep_its_parents_lock(tmp_path):
    lock = FolderLock(tmp_path)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.read(reading, 1)
        os._exit(0)
    lock.release()
    FolderLock(tmp_path).release()
    os.write(writing, b"x")
    assert os.waitpid(child, 0)[1] == 0
    os.close(reading), os.close(writing)


def test_a_file_system_without_locks_is_named_once(tmp_path, monkeypatch, capsys):
    def no_locks(file, operation):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with Run(tmp_path / "run", small_config(trials=1, iterations=1)) as run:
        list(run.iterations())
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and "no locks on its file system (No locks available)" in lines[0]


@pytest.mark.timeout(200)
def test_a_second_process_is_refused_a_run_until_its_owner_is_killed(tmp_path):
    out = tmp_path / "run"
    few = ("--pairs", 128, "--minibatches", 4, "--policy-epochs", 1, "--value-epochs", 1)
    command = ("train", "--task", "Hopper-v4", *few, "--iterations", 100_000, "--save-every", 1)
    first = warm.Pgcore(*command, "--out", out, log=tmp_path / "first")
    first.wait_for((out / "checkpoints" / "latest.safetensors").exists)
    second = warm.Pgcore("train", "--resume", "--out", out, log=tmp_path / "second")
    status, said = second.end()
    assert status == 2
    assert said.count("\n") == 1 and f"in use by process {first.pid} on" in said, said
    first.signal(signal.SIGKILL)
    assert first.end()[0] == -signal.SIGKILL
    config = small_config(task="Hopper-v4")
    stored = json.loads((out / "config.json").read_text())
    config = dataclasses.replace(config.from_dict(stored), iterations=100_001)
    with Run(out, config, resume=True):
        pass


@pytest.mark.timeout(200)
def test_a_second_study_is_refused_until_its_owner_is_killed(runs, tmp_path):
    out = tmp_path / "study"
    few = {"iterations": (2,), "trials": 1, "pairs": (64,), "estimates": 2, "true_pairs": 64}
    few["true_step_pairs"] = 128
    first = warm.start(partial(measure_for_ever, **few), runs[:1], out, None)
    try:
        wait_for(out / "dataset.zarr")  # of its second store; the first is finished
        with pytest.raises(FolderInUseError, match=f"in use by process {first.pid} on"):
            pgcore.studies.gradient_quality(runs[0], out, **few)
    finally:
        first.kill()
        first.join()
    data = pgcore.studies.gradient_quality(runs[0], out, **few)
    assert np.isfinite(data["gram"].values).all()


def test_a_folder_of_other_files_is_left_alone(runs, tmp_path):
    config = small_config(trials=1, iterations=1)
    for name in ("metrics.csv", "config.json"):
        folder = tmp_path / name.partition(".")[0]
        folder.mkdir()
        (folder / name).write_text('{"model_type": "bert"}')
        before = files_of(folder)
        with pytest.raises(ValueError, match=rf"out: .* holds other files \({name}\)"):
            Run(folder, config)
        with pytest.raises(ValueError, match=rf"out: .* holds other files \({name}\)"):
            pgcore.studies.landscape(runs[:1], folder, iterations=(2,))
        assert files_of(folder) == before
    with pytest.raises(ValueError, match="which holds other files"):
        pgcore.studies.landscape(runs[:1], runs[0], iterations=(2,))
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / ".DS_Store").write_text("")
    with Run(empty, config) as run:
        list(run.iterations())


def test_a_failed_start_does_not_stand_in_the_way(tmp_path):
    """A simulator's error in the first iteration, a model that is missing: then it is mended."""
    out = tmp_path / "run"
    bad = ball_spec(tmp_path, memory="1500", drop=0.85)
    with pytest.raises(pgcore.SimulationError), Run(out, small_config(task=bad, seed=3)) as run:
        list(run.iterations())
    (tmp_path / "ball.xml").unlink()
    with pytest.raises(ValueError, match="xml: expected a readable MJCF file"):
        Run(out, small_config(task=bad))
    good = small_config(task=ball_spec(tmp_path), keep=(1,))
    with Run(out, good) as run:
        list(run.iterations())
    assert sorted(p.stem for p in (out / "checkpoints").glob("0*")) == ["000001", "000004"]
    with pytest.raises(ValueError, match="already holds a run"):
        Run(out, dataclasses.replace(good, seed=1))
    assert (out / LOCK_NAME).exists()


def test_a_full_disk_is_said_with_the_name_of_the_file(tmp_path, monkeypatch):
    """What was written before stays whole, and nothing torn is left."""
    out, config = tmp_path / "run", small_config(trials=1, iterations=2)

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    run = Run(out, config)
    before = (out / "checkpoints" / "latest.safetensors").read_bytes()
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"No space left on device: '.*/(metrics|timing)\.csv'"), run:
        list(run.iterations())
    assert (out / "checkpoints" / "latest.safetensors").read_bytes() == before
    with pytest.raises(OSError, match=r"No space left on device: '.*/agent'"):
        write_atomically(tmp_path / "agent", b"text")
    assert not list(tmp_path.glob(".agent*"))
    monkeypatch.undo()
    with Run(out, config, resume=True) as run:
        list(run.iterations())


def test_a_study_without_a_finished_cell_gives_way_to_the_corrected_command(
    runs, tmp_path, monkeypatch
):
    few = {"iterations": (2,), "trials": 1, "pairs": (64,), "estimates": 2, "true_pairs": 64}
    few["true_step_pairs"] = 128
    gradient = pgcore.studies.gradient_quality

    def broken(self, at, num_threads):
        raise ValueError("broken")

    with monkeypatch.context() as patch:
        patch.setattr(TrueGradient, "__call__", broken)
        with pytest.raises(pgcore.studies.StudyError):
            gradient(runs[0], tmp_path, seed=1, **few)
    gradient(runs[0], tmp_path, seed=2, **few)
    with pytest.raises(ValueError, match="holds a study with other settings of seed"):
        gradient(runs[0], tmp_path, seed=1, **few)
