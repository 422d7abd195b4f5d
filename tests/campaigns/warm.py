"""Processes that have loaded pgcore already, so that one starts in hundredths of a second."""

from __future__ import annotations

import atexit
import multiprocessing
import os
import runpy
import signal
import sys
import time
from collections.abc import Callable
from multiprocessing import forkserver
from pathlib import Path
from typing import Any
from unittest import mock

from pgcore.cli import command
from pgcore.studies.style import figure_formats

TESTS = Path(__file__).parent.parent
_LOADED = (
    "campaigns.targets",
    "campaigns.warm",
    "distributed",
    "pgcore.training.run",
    "pgcore.training.command_line",
    "pgcore.studies.command_line",
    "dask.array",
    "pgcore.studies.figures",
    "matplotlib.backends.backend_agg",
    # what a run imports at its start, for the event files
    "tensorboard.summary.writer.record_writer",
    "tensorboard.compat.proto.event_pb2",
    "torch.utils.tensorboard.summary",
)
_CONTEXT = multiprocessing.get_context("forkserver")
_STARTED: list[Any] = []


@atexit.register  # ahead of multiprocessing's own, which would wait for those of a test that fails
def _kill_all() -> None:
    for process in _STARTED:
        process.kill()


def serve() -> None:
    """Have the process that all others are forked from; it has to find the tests' modules.

    Its hashes of strings are others than the caller's, as in any two processes.
    """
    _CONTEXT.set_forkserver_preload([*_LOADED])
    own = {"PYTHONPATH": str(TESTS), "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "7"}
    with mock.patch.dict(os.environ, own):
        forkserver.ensure_running()


def _child(function: Callable[..., Any], arguments: tuple[Any, ...], log: str, ready: Any) -> None:
    os.setsid()
    # a terminal that is opened so becomes that of the session
    output = os.open(log, os.O_RDWR | os.O_CREAT | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    ready.send(None)
    function(*arguments)


def start(function: Callable[..., Any], *arguments: Any, log: Path | str = os.devnull) -> Any:
    """A process that has just called a function of a module of the tests.

    Args:
        function: importable by name, at best of pgcore: a module of tests takes seconds to load.
        arguments: of it.
        log: file that what it prints is appended to.

    Returns:
        A `multiprocessing.Process`, the leader of a session of its own.
    """
    serve()
    mine, theirs = _CONTEXT.Pipe()
    process = _CONTEXT.Process(target=_child, args=(function, arguments, str(log), theirs))
    process.start()
    _STARTED.append(process)
    mine.recv()
    return process


def pgcore(arguments: list[str], folder: str) -> None:
    """The command, in a folder; its figures as PNG alone."""
    os.chdir(folder)
    sys.argv[:] = ["pgcore", *arguments]
    with figure_formats(".png"):
        command()


def script(arguments: list[str], folder: str) -> None:
    """A script of Python, in a folder; what it imports beside itself is there."""
    os.chdir(folder)
    sys.argv[:] = arguments
    sys.path.insert(0, folder)
    with figure_formats(".png"):
        # whole: processes that it starts read it, too, from wherever they are
        runpy.run_path(str(Path(folder, arguments[0])), run_name="__main__")


class Called:
    """A process of its own, as a user's shell runs it.

    Args:
        function: :func:`pgcore` or :func:`script`.
        arguments: of the command line.
        log: file of what it prints, to both of its outputs.
    """

    def __init__(
        self, function: Callable[[list[str], str], None], *arguments: Any, log: Path
    ) -> None:
        words = [str(a) for a in arguments]
        self.log = log
        self.process = start(function, words, os.getcwd(), log=log)
        self.pid: int = self.process.pid

    def running(self) -> bool:
        return self.process.exitcode is None

    def wait_for(self, condition: Callable[[], bool], seconds: float = 60.0) -> None:
        """Until it is so, or the process has ended."""
        end = time.monotonic() + seconds
        while self.running() and not condition():
            assert time.monotonic() < end, self.log.read_text()
            time.sleep(0.01)

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def end(self, seconds: float = 60.0) -> tuple[int, str]:
        """Wait for it; its exit status, and what it printed."""
        self.process.join(seconds)
        assert self.process.exitcode is not None, f"{self.log.read_text()}\nit hangs"
        return self.process.exitcode, self.log.read_text()


class Pgcore(Called):
    """The command `pgcore` with these arguments."""

    def __init__(self, *arguments: Any, log: Path) -> None:
        super().__init__(pgcore, *arguments, log=log)
