"""Blocks of a run on threads: each goes on without waiting for the others."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from threading import Semaphore

import torch

from pgcore.training.block import Block, Outcome

LEAD = 1  # iterations that a block may be ahead of the slowest
FEW = 4  # threads below which updates take turns


def outcomes(
    blocks: Sequence[Block], iterations: range, workers: int, native_threads: int
) -> Generator[list[Outcome], None, None]:
    """What all blocks did, iteration by iteration; which thread runs what changes no result.

    Simulation runs beside anything, but two updates contend for Python's lock (measured: half as
    slow again each). So on few threads they take turns, and since a block may be ahead, one soon
    simulates while another updates. A block that is ahead has left the iteration last given out
    by up to ``LEAD`` more: its state there is in the outcome.
    """
    turns = Semaphore(1 if workers < FEW else workers)
    finished: list[deque[Outcome]] = [deque() for _ in blocks]
    following = [iterations.start] * len(blocks)  # what each block runs next
    running: dict[Future[Outcome], int] = {}
    pool = ThreadPoolExecutor(workers, initializer=_one_thread)
    try:
        for current in iterations:
            while True:
                for b in sorted(set(range(len(blocks))) - set(running.values())):
                    if following[b] < min(current + LEAD + 1, iterations.stop):
                        task = pool.submit(blocks[b].iterate, following[b], native_threads, turns)
                        running[task] = b
                if all(finished):
                    break
                for task in wait(running, return_when=FIRST_COMPLETED).done:
                    b = running.pop(task)
                    finished[b].append(task.result())
                    following[b] += 1
            yield [outcome.popleft() for outcome in finished]
    finally:
        pool.shutdown(cancel_futures=True)


def _one_thread() -> None:
    torch.set_num_threads(1)  # so that sums have one order on any machine
