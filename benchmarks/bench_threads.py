"""Do two threads do twice the work of one?

The bound is what the machine gives: two independent single-thread processes, started together in
the same minute.
"""

from __future__ import annotations

import multiprocessing
import time

import numpy as np
from timing import check, header, interleaved, report

import pgcore

STREAMS, STEPS = 32, 400


def run(threads: int) -> pgcore.RolloutBatch:
    task = pgcore.make_task("Hopper-v4")
    policy = pgcore.GaussianPolicy(task.obs_dim, task.act_dim)
    return pgcore.collect(task, policy, STEPS, STREAMS, num_threads=threads)


def worker(start, end, rounds: int) -> None:
    run(1)
    for _ in range(rounds):
        start.wait()
        run(1)
        end.wait()


def main() -> None:
    header(__doc__.splitlines()[0])
    check(np.array_equal(run(1).obs, run(2).obs), "one and two threads")
    context = multiprocessing.get_context("spawn")
    rounds = 10
    start, end = context.Barrier(3), context.Barrier(3)
    workers = [context.Process(target=worker, args=(start, end, rounds)) for _ in range(2)]
    for process in workers:
        process.start()
    time.sleep(8)  # until they have imported everything

    def two_processes():
        start.wait()
        end.wait()

    seconds = interleaved(
        {"two threads": lambda: run(2), "one thread": lambda: run(1), "pair": two_processes}, 9
    )
    for process in workers:
        process.join()
    work = STREAMS * STEPS
    both = {k: seconds[k] for k in ("two threads", "one thread")}
    threads = report("Hopper-v4", both, work, "pair")
    processes = 2 * np.median(seconds["one thread"]) / np.median(seconds["pair"])
    print(
        f"two threads {threads:.2f} x one; two processes {processes:.2f} x one; "
        f"share of what the machine gives: {threads / processes:.2f}"
    )


if __name__ == "__main__":
    main()
