"""Does streaming keep memory flat and the simulator busy when a gradient takes many pairs?

    python benchmarks/bench_gradient.py [pairs]     (default 1000000; ten times that is run, too)

Peak resident memory at n and at 10 n pairs, each in a process of its own, and wall time against a
bare `evaluate` of as many pairs.
"""

from __future__ import annotations

import multiprocessing
import resource
import sys
import time

import numpy as np
from timing import check, header

import pgcore
from pgcore.agent import Agent
from pgcore.studies.pairs.estimates import sum_gradients
from pgcore.studies.pairs.sampling import Sampling


def make_agent() -> Agent:
    task = pgcore.make_task("Hopper-v2")
    policy = pgcore.GaussianPolicy(task.obs_dim, task.act_dim)
    normalizer = pgcore.Normalizer.create(task.obs_dim, 1, 10.0)
    normalizer = pgcore.collect(
        task, policy, 2000, normalizer=normalizer, update_normalizer=True
    ).normalizer
    return Agent(task, policy, pgcore.ValueNet(task.obs_dim), normalizer)


def gradient(pairs: int, queue) -> None:
    agent = make_agent()
    start = time.perf_counter()
    sums = sum_gradients(agent, pairs, np.zeros(1, dtype=np.int64), 0, Sampling(), 2)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    queue.put(
        (seconds / (sums.streams * sums.steps), peak, bool(np.isfinite(sums.gradients).all()))
    )


def bare(pairs: int) -> float:
    """Seconds per pair of an evaluation."""
    agent = make_agent()
    start = time.perf_counter()
    scores = pgcore.evaluate(
        agent.task, agent.policy, pairs, num_threads=2, normalizer=agent.normalizer
    )
    return (time.perf_counter() - start) / float(scores.lengths.sum())


def main() -> None:
    header(__doc__.splitlines()[0])
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    context = multiprocessing.get_context("spawn")
    peaks = {}
    for n in (pairs, 10 * pairs):
        queue = context.Queue()
        process = context.Process(target=gradient, args=(n, queue))
        process.start()
        seconds, peaks[n], finite = queue.get()
        process.join()
        check(finite, "the gradient")
        simulation = bare(min(n, 1_000_000))
        print(
            f"{n:>10} pairs: {1e6 * seconds:.2f} us/pair, {seconds / simulation:.3f} x evaluate "
            f"({100 * simulation / seconds:.0f} % simulation); peak memory {peaks[n]:.0f} MiB",
            flush=True,
        )
    print(f"peak memory of ten times the pairs: {peaks[10 * pairs] / peaks[pairs]:.3f} x")


if __name__ == "__main__":
    main()
