"""How much faster than Gymnasium and torch, step by step, is the native path on one thread?"""

from __future__ import annotations

import numpy as np
from timing import check, header, interleaved, report

import pgcore

STEPS = 2000


def main() -> None:
    header(__doc__)
    for name in ("Hopper-v4", "HalfCheetah-v4", "Walker2d-v4", "Humanoid-v4"):
        task = pgcore.make_task(name)
        policy = pgcore.GaussianPolicy(task.obs_dim, task.act_dim)

        def run(backend, task=task, policy=policy):
            return pgcore.collect(task, policy, STEPS, num_threads=1, backend=backend)

        mine, other = run("native"), run("python")
        check(np.allclose(mine.obs[0, :20], other.obs[0, :20], atol=1e-3), name)
        seconds = interleaved(
            {"native": lambda run=run: run("native"), "python": lambda run=run: run("python")}, 5
        )
        report(f"{name}, 1 thread", seconds, STEPS, "pair")


if __name__ == "__main__":
    main()
