"""The scripts of docs/slurm on a stand-in for Slurm: cut short, they end with the same bits."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from campaigns import warm
from campaigns.folders import differences
from campaigns.targets import SMALL_RUN
from conftest import ROOT
from pgcore.cli import main

SCRIPTS = ROOT / "docs" / "slurm"
RUN = [*SMALL_RUN, "--iterations", "8", "--keep", "0", "4"]
STUDY = (
    "--iterations 0 4 --pairs 64 --estimates 4 --true-pairs 256 --true-step-pairs 128 "
    "--largest-step 64"
)

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    """A folder to work in, with the stand-in's commands on the path; runs a script to its end."""
    state, path = tmp_path / "state", tmp_path / "bin"
    state.mkdir()
    path.mkdir()
    stand_in = f"{sys.executable} {ROOT / 'tests' / 'slurm_stand_in.py'}"
    commands = {name: f"{stand_in} {name}" for name in ("sbatch", "srun", "scontrol")}
    commands |= {name: f"{sys.executable} -m {name}" for name in ("pgcore", "dask")}
    for name, command in commands.items():
        (path / name).write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        (path / name).chmod(0o755)
    monkeypatch.chdir(tmp_path)

    def sbatch(script, *options, limits=(), **variables):
        environment = {
            **os.environ,
            "PATH": f"{path}:{os.environ['PATH']}",
            "STAND_IN": str(state),
            "STAND_IN_LIMITS": ":".join(limits),
            **variables,
        }
        command = ["sbatch", "--wait", *options, str(SCRIPTS / script)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        logs = "".join(p.read_text() for p in tmp_path.glob("*.out"))
        return done.returncode, logs

    return sbatch


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run and a study of it that nobody interrupts."""
    folder = tmp_path_factory.mktemp("whole")
    main(["train", *RUN, "--out", str(folder / "ppo")])
    study = ["study", "gradient", str(folder / "ppo"), *STUDY.split()]
    main([*study, "--out", str(folder / "ppo-gradient")])
    return folder


def test_a_node_that_is_cut_short_in_training_and_in_the_study(cluster, whole, tmp_path):
    chunks = "ppo-gradient/true.zarr/finished"
    code, logs = cluster(
        "node.sh", "--cpus-per-task=2", limits=("ppo/metrics.csv", chunks),
        RUN="ppo", TRAIN=" ".join(RUN), OPTIONS=STUDY,
    )  # fmt: skip
    assert code == 0, logs
    # in training ahead of its first iteration as a study is, else behind the one that it is in
    stopped = logs.count("stopping after this iteration; SIGUSR1 again stops at once")
    assert stopped + logs.count("interrupted; what was finished is on disk") == 2, logs
    assert "Traceback" not in logs
    assert not differences(whole / "ppo", tmp_path / "ppo")
    assert not differences(whole / "ppo-gradient", tmp_path / "ppo-gradient")


def test_an_array_of_trials(cluster, tmp_path):
    """Each element is a run of its own; the first is cut short."""
    code, logs = cluster(
        "array.sh", "--array=0-1", "--cpus-per-task=1", limits=("ppo-0/metrics.csv",),
        RUNS="ppo", TRAIN=" ".join(RUN),
        TRIALS="2",
    )  # fmt: skip
    assert code == 0, logs
    stopped = logs.count("stopping after this iteration; SIGUSR1 again stops at once")
    assert stopped + logs.count("interrupted; what was finished is on disk") == 1, logs
    for first in ("0", "2"):
        main(["train", *RUN, "--first-trial", first, "--out", str(tmp_path / f"whole-{first}")])
        assert not differences(tmp_path / f"whole-{first}", tmp_path / f"ppo-{first}")


def test_workers_of_dask(cluster, whole, tmp_path):
    shutil.copytree(whole / "ppo", tmp_path / "ppo")
    code, logs = cluster(
        "dask.sh", "--ntasks=2", "--cpus-per-task=1",
        limits=("ppo-gradient/true.zarr/finished",),
        RUN="ppo", STUDY="gradient", OPTIONS=STUDY, INTERFACE="lo",
    )  # fmt: skip
    assert code == 0, logs
    assert logs.count("interrupted; what was finished is on disk") == 1, logs
    assert not differences(whole / "ppo-gradient", tmp_path / "ppo-gradient")
    assert not list(tmp_path.glob("scheduler-*"))


def test_an_error_is_not_tried_again(cluster):
    code, logs = cluster("node.sh", RUN="ppo", TRAIN="--trials 0")
    assert code == 2
    assert logs.count("trials: expected an integer >= 1, got 0") == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1, signal.SIGINT, signal.SIGHUP])
def test_a_study_takes_these_signals_as_ctrl_c(whole, tmp_path, number):
    long = "--iterations 4 --trials 1 --estimates 4000 --pairs 2000"
    study = warm.Pgcore(
        *("study", "gradient", whole / "ppo", *STUDY.split(), *long.split()),
        *("--out", tmp_path / "study"), log=tmp_path / "log",
    )  # fmt: skip
    study.wait_for((tmp_path / "study" / "dataset.zarr").exists)
    study.signal(number)
    status, said = study.end()
    assert status == 130
    assert "\nstopping\n" in said and "Traceback" not in said
    assert said.endswith("\n\ninterrupted; what was finished is on disk\n")


def test_every_script_is_on_the_page():
    text = (ROOT / "docs" / "cluster.md").read_text()
    assert all(f"(slurm/{path.name})" in text for path in Path(SCRIPTS).iterdir())
