"""Does fitting the true value to many Humanoid-sized observations stay under 3 GiB?

    python benchmarks/bench_fit.py [pairs]     (default 5000000)

The observations are Hopper's, repeated to Humanoid's 376 numbers: memory depends on their size
only, and Hopper is four times faster to simulate.
"""

from __future__ import annotations

import dataclasses
import resource
import sys
import time

from timing import check, header

import pgcore
from pgcore.agent import Agent
from pgcore.studies.measures.value import MEASURES
from pgcore.studies.pairs.sampling import Sampling
from pgcore.studies.value.fit import fit_value

OBSERVATIONS, LIMIT_GIB = 376, 3.0


def wide_task() -> pgcore.Task:
    """Hopper with its positions and velocities observed again and again."""
    spec = pgcore.make_task("Hopper-v2").spec
    own = (pgcore.Term.of("qpos"), pgcore.Term.of("qvel"))  # 6 + 6 numbers
    rest = (pgcore.Term.of("qpos", start=2),)  # 4 numbers
    observation = own * (OBSERVATIONS // 12) + rest
    return pgcore.make_task(dataclasses.replace(spec, id="Wide", observation=observation))


def main() -> None:
    header(__doc__.splitlines()[0])
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 5_000_000
    task = wide_task()
    check(task.obs_dim == OBSERVATIONS, "the size of the observations")
    policy = pgcore.GaussianPolicy(task.obs_dim, task.act_dim)
    agent = Agent(task, policy, pgcore.ValueNet(task.obs_dim))
    start = time.perf_counter()
    _, errors, share = fit_value(agent, pairs, 0, Sampling(), 2)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    print(
        f"{pairs} pairs of {OBSERVATIONS} numbers: peak memory {peak:.2f} GiB, "
        f"{time.perf_counter() - start:.0f} s; {100 * share:.0f} % of the returns known, "
        f"explained variance {errors[MEASURES.index('explained_variance')]:.3f}"
    )
    check(peak < LIMIT_GIB, "peak memory")


if __name__ == "__main__":
    main()
