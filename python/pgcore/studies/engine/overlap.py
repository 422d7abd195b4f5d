"""Cells that overlap on a machine of many cores: one begins while another has its last streams.

Every cell has parts that use one core (planning, an update, storing) or few (its longest streams).
On 64 cores these are much of its time, so other cells run meanwhile. Each may use every thread; the
operating system shares the cores. Which cells run together changes no bit: they are pure functions.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from functools import partial
from typing import Any

import torch

from pgcore.base.progress import Count, counted
from pgcore.base.threads import stoppable

THREADS_PER_CELL = 2
MOST_CELLS = 8  # one holds up to 0.4 GB of transitions, with a step's pairs or a fit up to 0.9 GB
Keep = Callable[[Any, Any], None]  # a cell, and its values or its error


def overlapping_cells(threads: int) -> int:
    """How many cells run at a time; one at a time on one to three threads."""
    return max(1, min(MOST_CELLS, threads // THREADS_PER_CELL))


def outcome(
    function: Callable[[dict[str, Any], int], Any],
    coordinates: dict[str, Any],
    threads: int,
    count: Count | None = None,
) -> Any:
    """A cell's values, or its error: whatever that is, it must not end the study."""
    try:
        with counted(count):
            return function(coordinates, threads)
    except Exception as error:
        return error


def run_overlapping(
    function: Callable[[dict[str, Any], int], Any],
    work: Sequence[tuple[Any, dict[str, Any]]],
    threads: int,
    keep: Keep,
    count: Callable[[Any, int], None] | None = None,
) -> None:
    """Compute cells, several at a time, and give each to ``keep`` when it is ready.

    Args:
        function: (coordinates of a cell, threads) to its values.
        work: cells and their coordinates, begun in this order.
        threads: that every cell may use.
        keep: called for one cell after the other, from the threads that computed them.
        count: gets the cell and the pairs that it has simulated meanwhile, from any thread.

    Raises:
        KeyboardInterrupt: on Ctrl-C. The cells in work stop at their next call of the simulator, or
            are finished and kept, as every finished one was.
    """
    lock, stopped = threading.Lock(), threading.Event()

    def compute(cell: Any, coordinates: dict[str, Any]) -> None:
        if stopped.is_set():
            return
        with stoppable(stopped):
            own = None if count is None else partial(count, cell)
            values = outcome(function, coordinates, threads, own)
        with lock:
            keep(cell, values)

    # a thread that runs a cell uses one for tensors, since there are others
    with ThreadPoolExecutor(
        overlapping_cells(threads), initializer=torch.set_num_threads, initargs=(1,)
    ) as pool:
        pending: set[Future[None]] = {pool.submit(compute, *item) for item in work}
        try:
            while pending:
                # not for ever: a signal that reached another thread does not end a wait
                ready, pending = wait(pending, timeout=0.1, return_when=FIRST_COMPLETED)
                for future in ready:
                    future.result()  # raises if the cell could not be kept
        except BaseException:
            stopped.set()
            raise
