"""What asks a command to stop: at its start, and where its terminal is closed."""

import contextlib
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from campaigns import warm
from campaigns.targets import SMALL_RUN
from pgcore.base.signals import INTERRUPTED, STOPPED, left_by_terminal
from pgcore.training.checkpoint import load_checkpoint
from pgcore.training.records import read_metrics

# A module that, as compiled ones do, makes another error of what comes while it is loaded.
SLOW = """
import os, signal
try:
    os.kill(os.getpid(), signal.{name})
    while True:
        pass
except BaseException as error:
    raise ImportError("initialization failed") from error
"""
COMMAND = """
from pgcore.base.signals import stopped_like_ctrl_c
with stopped_like_ctrl_c():
    try:
        import slow
    except ImportError:
        print("gone on without it")
"""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_while_something_is_imported_ends_the_command(tmp_path, name):
    (tmp_path / "slow.py").write_text(SLOW.format(name=name))
    done = subprocess.run(
        [sys.executable, "-c", COMMAND], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == STOPPED and done.stdout == ""
    assert done.stderr == f"\nstopping\n\n{INTERRUPTED}\n"


def test_a_terminal_that_closes_loses_nothing(tmp_path):
    """The kernel sends SIGHUP, and from then on nothing can be written there."""
    ours, theirs = pty.openpty()
    out = tmp_path / "run"
    training = warm.Pgcore(
        "train", *SMALL_RUN, "--iterations", 100000, "--keep", 3, "--out", out,
        log=Path(os.ttyname(theirs)),
    )  # fmt: skip
    os.close(theirs)
    table, shown = out / "metrics.csv", []
    os.set_blocking(ours, False)

    def trained():
        with contextlib.suppress(BlockingIOError):
            shown.append(os.read(ours, 4096))
        return table.exists() and table.stat().st_size > 1000

    training.wait_for(trained)
    os.close(ours)
    training.process.join(60)
    assert training.process.exitcode == STOPPED
    assert b"settings: preset" in b"".join(shown)
    checkpoint = load_checkpoint(out / "checkpoints" / "latest.safetensors")
    assert checkpoint.iteration == len(read_metrics(out)["kl"]) > 0


def test_what_is_no_terminal_is_still_written_to(tmp_path, capfd):
    left_by_terminal(signal.SIGHUP)  # pytest's outputs are files
    os.write(1, b"heard")
    assert capfd.readouterr().out == "heard"
