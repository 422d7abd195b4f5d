"""Does a 31 x 31 map of 2000 pairs per point keep every core busy until the last point?

    python benchmarks/bench_landscape.py [RUN ITERATION]

Without a run: around an untrained policy of Hopper-v2, whose trajectories have some 20 steps. A
trained one's have up to 1000.
"""

from __future__ import annotations

import resource
import sys
import time

import numpy as np
from timing import check, header

import pgcore
from pgcore.agent import Agent
from pgcore.studies.engine.sources import Agents
from pgcore.studies.landscape.directions import random_direction
from pgcore.studies.landscape.surfaces import plane, reward_sums

POINTS, PAIRS, THREADS = 31, 2000, 2


def cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def chosen_agent() -> Agent:
    """The first trial of the run that was named, or an untrained agent."""
    if len(sys.argv) == 3:
        agents = Agents.of(sys.argv[1], [int(sys.argv[2])], 1)
        return agents.probe()
    task = pgcore.make_task("Hopper-v2")
    policy = pgcore.GaussianPolicy(task.obs_dim, task.act_dim)
    return Agent(task, policy, pgcore.ValueNet(task.obs_dim))


def main() -> None:
    header(__doc__.splitlines()[0])
    agent = chosen_agent()
    task, policy = agent.task, agent.policy
    axis = np.linspace(0, 3, POINTS)
    P = policy.flat.shape[1]
    policies = plane(agent, 0.1 * random_direction(P, 0), random_direction(P, 1), axis, axis)
    ratios, shares = [], []
    for _ in range(2):
        cpu, start = cpu_seconds(), time.perf_counter()
        sums = reward_sums(agent, policies, PAIRS, 0, False, None, THREADS)
        wall = time.perf_counter() - start
        shares.append((cpu_seconds() - cpu) / wall / THREADS)
        used = float(sums.steps.sum())
        check(bool((sums.steps >= PAIRS).all()), "pairs of every point")
        start = time.perf_counter()
        scores = pgcore.evaluate(
            task, policy, int(used), num_threads=THREADS, normalizer=agent.normalizer
        )
        one = (time.perf_counter() - start) / float(scores.lengths.sum())
        ratios.append(wall / used / one)
    print(
        f"{POINTS**2} points, {used:.3g} pairs: {np.median(ratios):.3f} x a bare evaluate of as "
        f"many pairs of one member; cores busy {100 * np.median(shares):.1f} %"
    )


if __name__ == "__main__":
    main()
