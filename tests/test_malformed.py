"""Faults that campaigns have found, one of each kind: said in one line, or no fault any more."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from fractions import Fraction

import numpy as np
import psutil
import pytest

import pgcore
from campaigns.mutate import safetensors_file, safetensors_parts
from conftest import small_config
from pgcore.base.errors import check_choice, check_count, check_number, check_seed
from pgcore.base.folders import FolderLock
from pgcore.base.signals import STOP_SIGNALS
from pgcore.base.threads import MOST_THREADS, chosen_threads
from pgcore.studies.measures.statistics import mean_pairwise
from pgcore.training.config import TrainConfig
from pgcore.training.run import Run
from pgcore.training.start import stored_config

DEEP = "[" * 100_000 + "]" * 100_000


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: check_count("n", np.zeros(2)), "n: expected an integer >= 1, got array"),
        (lambda: check_count("n", np.zeros((30, 30))), "n: expected"),
        (lambda: check_count("n", 10**400), "n: expected an integer below 2^63, got 1000"),
        (lambda: check_count("n", 10**9999), "n: expected an integer below 2^63, got something"),
        (lambda: check_seed("seed", np.array([1.5])), "seed: expected an integer"),
        (lambda: check_number("x", 10**400), "x: expected a finite number, got 1000"),
        (lambda: check_number("x", Fraction(10**400)), "x: expected a finite number"),
        (lambda: check_choice("kind", np.array(["a", "b"]), ["a"]), "kind: expected one of a"),
        (lambda: pgcore.Term("qpos", 3), "parameters: expected a tuple of"),
        (lambda: pgcore.Term("qpos", ("x",)), "parameters: expected (name, value), got 'x'"),
        (lambda: TrainConfig(value_minibatches="x"), "value_minibatches: expected an integer"),
        (lambda: TrainConfig.from_dict([1]), "config: expected a table of settings, got list"),
        (lambda: TrainConfig.from_dict({"keep": ["x"]}), "keep: expected an integer"),
        (lambda: pgcore.TaskSpec.from_dict({"reset": 3}), "task: expected the field"),
        (lambda: pgcore.make_task("~nobody-here/arm.toml"), "the home of an unknown user"),
        (lambda: pgcore.load_agent("\0"), "path: expected a path, got"),
        (lambda: pgcore.load_agent(""), "path: expected a path, got ''"),
    ],
)
def test_arguments(call, text):
    with pytest.raises((ValueError, TypeError), match=re.escape(text)) as caught:
        call()
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300


def test_more_threads_than_any_machine_has():
    assert chosen_threads(2**62) == MOST_THREADS


def test_files_that_nest_too_deep_or_hold_something_else(tmp_path):
    (tmp_path / "deep.toml").write_text(f"xml = {DEEP}")
    with pytest.raises(ValueError, match="is no TOML file"):
        pgcore.make_task(str(tmp_path / "deep.toml"))
    for text in (DEEP, "[]", '{"iterations": "x"}', '{"hidden": {"a": 1}}'):
        (tmp_path / "config.json").write_text(text)
        with pytest.raises(pgcore.CheckpointError, match=r"config\.json is corrupt"):
            stored_config(tmp_path)


def test_checkpoints_and_agents_whose_parts_do_not_fit(runs, tmp_path):
    """Their digest is right: it covers the arrays alone."""
    task = pgcore.make_task("Hopper-v2")
    path = tmp_path / "agent.safetensors"
    pgcore.Agent(task, pgcore.GaussianPolicy(11, 3, (4,))).save(path)
    table, header, numbers = safetensors_parts(path.read_bytes())
    for change in ({"policy": 3}, {"policy": None}, {"judgement": [1]}, {"format": None}):
        path.write_bytes(safetensors_file(table, header | change, numbers))
        with pytest.raises(pgcore.CheckpointError, match=r"agent: .*agent\.safetensors: "):
            pgcore.load_agent(path)
    shutil.copytree(runs[0], tmp_path / "run")
    latest = tmp_path / "run" / "checkpoints" / "latest.safetensors"
    table, header, numbers = safetensors_parts(latest.read_bytes())
    header["config"]["hidden"] = [5, 5]
    latest.write_bytes(safetensors_file(table, header, numbers))
    with pytest.raises(pgcore.CheckpointError, match=r"checkpoint: .*latest\.safetensors: "):
        pgcore.load_checkpoint(latest).agent()
    config = json.loads((tmp_path / "run" / "config.json").read_text()) | {"hidden": [5, 5]}
    (tmp_path / "run" / "config.json").write_text(json.dumps(config))
    with pytest.raises(pgcore.CheckpointError, match=r"checkpoint: .*latest\.safetensors: "):
        Run(tmp_path / "run", TrainConfig.from_dict(config), resume=True)


def test_what_a_killed_process_left_is_removed(runs, tmp_path):
    shutil.copytree(runs[0], tmp_path / "run")
    torn = tmp_path / "run" / "checkpoints" / ".latest.safetensors.1234.tmp"
    torn.write_text("half")
    config = small_config(algorithm="ppo", trials=2, normalize_advantages="batch")
    with Run(tmp_path / "run", config, resume=True):
        assert not torn.exists()
    few = {"iterations": (2,), "trials": 1, "pairs": (64,), "estimates": 4, "true_pairs": 64}
    few["true_step_pairs"] = 128
    out = tmp_path / "study"
    pgcore.studies.gradient_quality(runs[0], out, **few)
    chunk = out / "true.zarr" / "gradient" / "c" / "0.1234.partial"
    chunk.write_text("half")
    with FolderLock(out), pytest.raises(RuntimeError, match="in use"):
        pgcore.studies.gradient_quality(runs[0], out, **few)
    assert chunk.exists()
    pgcore.studies.gradient_quality(runs[0], out, **few)
    assert not chunk.exists()


def test_one_estimate_has_no_pairs():
    assert np.isnan(mean_pairwise(np.ones((1, 1))))


def test_a_worker_outlives_a_signal_to_its_whole_job():
    """A scheduler signals every process; the caller stops, and ends its workers itself."""
    script = "from pgcore.rollout.processes import Worker; import time; w = Worker(); "
    script += "print(w.process.pid, flush=True); time.sleep(60)"
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as caller:
        worker = int(caller.stdout.readline())
        status = f"/proc/{worker}/status"
        caught = 0
        while not all(caught >> (number - 1) & 1 for number in STOP_SIGNALS):
            time.sleep(0.01)
            with open(status) as file:
                caught = int(next(x for x in file if x.startswith("SigCgt")).split()[1], 16)
        for number in STOP_SIGNALS:
            os.kill(worker, number)
        time.sleep(0.3)  # a handler that ends it needs milliseconds
        assert psutil.Process(worker).status() != psutil.STATUS_ZOMBIE
        caller.send_signal(signal.SIGKILL)
