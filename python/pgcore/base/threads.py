"""How many threads this process may use, and torch kept from taking more than its share."""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from pgcore.base.errors import check_count

MOST_THREADS = 4096  # more change no result, and no machine has them


def _cgroup_cpus(root: Path = Path("/sys/fs/cgroup")) -> float:
    """CPUs that the cgroup's quota allows; infinity without one."""
    try:  # cgroup v2
        quota, period = (root / "cpu.max").read_text(encoding="utf-8").split()
        return math.inf if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError):
        pass
    try:  # cgroup v1
        quota_us = int((root / "cpu/cpu.cfs_quota_us").read_text(encoding="utf-8"))
        period_us = int((root / "cpu/cpu.cfs_period_us").read_text(encoding="utf-8"))
        return quota_us / period_us if quota_us > 0 else math.inf
    except (OSError, ValueError):
        return math.inf


def thread_limits() -> dict[str, float]:
    """Every limit on the number of threads that was found, by its name; infinity where none."""
    slurm = os.environ.get("SLURM_CPUS_PER_TASK", "")
    return {
        "CPU affinity": float(len(os.sched_getaffinity(0))),
        "cgroup quota": _cgroup_cpus(),
        "SLURM_CPUS_PER_TASK": float(slurm) if slurm.isdigit() and int(slurm) > 0 else math.inf,
    }


def default_threads() -> int:
    """The smallest of the limits, at least 1."""
    return max(1, math.floor(min(thread_limits().values())))


def chosen_threads(num_threads: int | None) -> int:
    """``num_threads``, checked, or :func:`default_threads` for None."""
    if num_threads is None:
        return default_threads()
    return min(check_count("num_threads", num_threads), MOST_THREADS)


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Run torch operations of this thread on one thread inside the block.

    The number of threads changes the order of sums and so the bits of a result; parallel work is
    cut into fixed blocks instead, each of which runs in a block like this one.
    """
    import torch  # here, so that counting threads does not load it

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


_stopped: ContextVar[threading.Event | None] = ContextVar("stopped", default=None)


@contextmanager
def stoppable(stopped: threading.Event) -> Iterator[None]:
    """Let native calls of this thread end with KeyboardInterrupt once ``stopped`` is set.

    Ctrl-C reaches the main thread alone, which stops the others so.
    """
    token = _stopped.set(stopped)
    try:
        yield
    finally:
        _stopped.reset(token)


def check_stopped() -> None:
    """KeyboardInterrupt if this thread was stopped; long native calls look here."""
    stopped = _stopped.get()
    if stopped is not None and stopped.is_set():
        raise KeyboardInterrupt
