"""Worker processes for what Python can only do one at a time.

A worker is a fresh interpreter that takes one job after the other through a socket. It is started
by its command line, not by :mod:`multiprocessing`, so that the caller's script needs no
``if __name__ == "__main__"``. It ends when its socket closes, however the caller ended; and it has
a process group of its own, so that Ctrl-C reaches the caller alone, who then ends the workers.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from types import FrameType
from typing import Any

from pgcore.base.signals import STOP_SIGNALS
from pgcore.base.threads import default_threads

_CHECK_SECONDS = 1.0  # how often a worker that says nothing is looked after


class JobError(RuntimeError):
    """A job that gave no result: its process died, or the job could not be read there."""


class Worker:
    """One worker process."""

    def __init__(self) -> None:
        self.connection, theirs = Pipe()
        command = (
            f"import sys; sys.path[:] = {sys.path!r}; "
            f"from pgcore.rollout.processes import serve; serve({theirs.fileno()})"
        )
        self.process = subprocess.Popen(
            [sys.executable, "-c", command], pass_fds=[theirs.fileno()], process_group=0
        )
        theirs.close()  # so that the socket ends with the worker
        self.modules: dict[str, Any] = {}  # the caller's, by their specs, when it was last leased

    def send(self, around: bytes, job: bytes) -> None:
        """Give it a job, and what is around the caller (:func:`_surroundings`)."""
        with contextlib.suppress(OSError):  # it has died: its answer says so
            self.connection.send_bytes(around)
            self.connection.send_bytes(job)

    def current(self, specs: Mapping[str, Any]) -> bool:
        """Whether it runs, and the caller has reloaded nothing that it may have imported."""
        return self.alive() and all(specs.get(k, own) is own for k, own in self.modules.items())

    def alive(self) -> bool:
        """Whether the process runs."""
        return self.process.poll() is None

    def answer(self) -> Any:
        """The result of its job, or a :class:`JobError`; call it when there is one, or none will
        come."""
        try:
            if self.connection.poll():
                ok, value = pickle.loads(self.connection.recv_bytes())
                return value if ok else JobError(value)
        except (EOFError, OSError):
            pass
        return JobError(f"its worker process ended {_ending(self.end())}")

    def end(self) -> int:
        """End the process, whatever it does; its exit status."""
        self.connection.close()
        if self.process.poll() is None:
            # a process that closed its socket is about to end by itself, and says why
            with contextlib.suppress(subprocess.TimeoutExpired):
                return self.process.wait(0.2)
            self.process.kill()
        return self.process.wait()


def _ending(status: int) -> str:
    if status < 0:
        return f"by signal {signal.Signals(-status).name}"
    return f"with exit status {status}"


def _specs() -> dict[str, Any]:
    """The specs of all modules, which are made anew when one is reloaded."""
    modules = list(sys.modules.items())
    return {name: getattr(m, "__dict__", {}).get("__spec__") for name, m in modules}


def _surroundings() -> bytes:
    """What code finds around it: where modules are, the working folder, the environment."""
    folder: str | None = None
    with contextlib.suppress(FileNotFoundError):  # it was removed
        folder = os.getcwd()
    return pickle.dumps((sys.path, folder, dict(os.environ)))


def _surround(around: bytes) -> None:
    """In a worker: the surroundings of the caller."""
    path, folder, environment = pickle.loads(around)
    sys.path[:] = path
    if folder is not None:
        with contextlib.suppress(OSError):
            os.chdir(folder)
    if environment != dict(os.environ):
        os.environ.clear()
        os.environ.update(environment)


class _Workers:
    """The workers that nobody uses at the moment, kept for the next call."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.idle: list[Worker] = []

    def lease(self, count: int) -> list[Worker]:
        """``count`` workers, new ones if there are too few; those of older code end."""
        specs = _specs()
        with self.lock:
            kept = [w for w in self.idle if w.current(specs)]
            ended = [w for w in self.idle if w not in kept]
            self.idle = kept[count:]
        for worker in ended:
            worker.end()
        leased = kept[:count] + [Worker() for _ in range(count - len(kept))]
        for worker in leased:
            worker.modules = specs
        return leased

    def give_back(self, workers: list[Worker]) -> None:
        """Keep workers: as many as there are processors, or as the last call had."""
        with self.lock:
            kept = max(default_threads(), len(workers))
            self.idle = workers + self.idle
            surplus, self.idle = self.idle[kept:], self.idle[:kept]
        for worker in surplus:
            worker.end()

    def close(self) -> None:
        """End all of them."""
        for worker in self.idle:
            worker.connection.close()
        for worker in self.idle:
            worker.end()
        self.idle = []

    def forget(self) -> None:
        """In a forked copy of this process: the workers stay with the original."""
        self.__init__()  # type: ignore[misc]


_WORKERS = _Workers()  # a cache of processes, which no result depends on
atexit.register(_WORKERS.close)
os.register_at_fork(after_in_child=_WORKERS.forget)


def run_jobs(jobs: Sequence[bytes], processes: int) -> list[Any]:
    """Run pickled jobs (function, arguments) in worker processes.

    Args:
        jobs: each the pickle of a module's function and a tuple of its arguments.
        processes: how many run at a time.

    Returns:
        The result of each job, or a :class:`JobError` where a process died: the other jobs go on,
        in a new process if need be.
    """
    results: list[Any] = [None] * len(jobs)
    waiting = list(enumerate(jobs))[::-1]
    busy: dict[Connection[Any, Any], tuple[Worker, int]] = {}
    idle, around = _WORKERS.lease(min(processes, len(jobs))), _surroundings()
    try:
        while waiting or busy:
            while waiting and idle:
                worker, (number, job) = idle.pop(), waiting.pop()
                busy[worker.connection] = worker, number
                worker.send(around, job)
            ready = wait(list(busy), _CHECK_SECONDS)
            for connection, (worker, number) in list(busy.items()):
                if connection in ready or not worker.alive():
                    del busy[connection]
                    results[number] = worker.answer()
                    if worker.alive():
                        idle.append(worker)
                    elif waiting:
                        idle += _WORKERS.lease(1)
    except BaseException:  # Ctrl-C among them: nobody waits for these jobs any more
        for worker in [*idle, *(w for w, _ in busy.values())]:
            worker.process.kill()
            worker.end()
        raise
    _WORKERS.give_back(idle)
    return results


def serve(descriptor: int) -> None:
    """What a worker does: jobs from a socket, until it closes."""
    os.set_inheritable(descriptor, False)  # processes that an environment starts do not hold it
    for number in STOP_SIGNALS:  # a scheduler sends them to every process of a job
        signal.signal(number, _leave_to_caller)
    connection: Connection[Any, Any] = Connection(descriptor)
    told: queue.SimpleQueue[bytes] = queue.SimpleQueue()  # surroundings and a job, in turn

    def receive() -> None:
        while True:
            try:
                told.put(connection.recv_bytes())
            except (EOFError, OSError):  # also in the middle of a job: nobody waits for it
                os._exit(0)

    threading.Thread(target=receive, daemon=True).start()
    while True:
        _surround(told.get())
        result = _result(told.get())
        sys.stdout.flush()  # what environments print: the process ends without ceremony
        connection.send_bytes(result)


def _leave_to_caller(number: int, frame: FrameType | None) -> None:
    """The caller stops, and then this process ends; not SIG_IGN, which children would inherit."""


def _result(job: bytes) -> bytes:
    function: Callable[..., Any]
    try:
        function, arguments = pickle.loads(job)
        return pickle.dumps((True, function(*arguments)), protocol=5)
    except Exception as error:
        return pickle.dumps((False, f"{type(error).__name__}: {error}"), protocol=5)
