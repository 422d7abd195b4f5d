"""Is `collect` faster than envpool in its synchronous mode, with a NumPy policy?

The same task, number of environments, steps and threads; every environment resets by itself. A
reset takes envpool a step in which nothing is simulated; these are not counted as its pairs.
"""

from __future__ import annotations

import envpool
import numpy as np
from timing import check, geometric_mean, header, interleaved, report

import pgcore
from pgcore.rollout.reference import mlp_mean

ENVIRONMENTS, STEPS = 32, 100


def main() -> None:
    header(__doc__.splitlines()[0])
    ratios = []
    for name in ("Hopper-v4", "Walker2d-v4", "HalfCheetah-v4", "Humanoid-v4"):
        task = pgcore.make_task(name)
        policy = pgcore.GaussianPolicy(task.obs_dim, task.act_dim)
        flat = policy.flat.numpy()[0]
        std = np.exp(policy.log_std.detach().numpy()[0])
        for threads in (1, 2):
            pool = envpool.make(
                name, env_type="gymnasium", num_envs=ENVIRONMENTS, num_threads=threads, seed=0
            )
            generator = np.random.default_rng(0)
            counted: list[int] = []

            def ours(task=task, policy=policy, threads=threads):
                return pgcore.collect(task, policy, STEPS, ENVIRONMENTS, num_threads=threads)

            def theirs():
                obs, _ = pool.reset()
                rewards, pairs = [], 0
                for _ in range(STEPS):
                    mean = mlp_mean(flat, policy.sizes, "tanh", obs.astype(np.float32))
                    noise = generator.standard_normal(mean.shape, dtype=np.float32)
                    obs, reward, *_, info = pool.step((mean + std * noise).astype(np.float64))
                    stepped = info["elapsed_step"] > 0
                    rewards.append(reward[stepped])
                    pairs += int(stepped.sum())
                counted.append(pairs)
                return np.concatenate(rewards)

            # their random numbers are others: the mean reward agrees within its noise
            mine, other = (np.concatenate([f().ravel() for _ in range(3)]) for f in (
                lambda ours=ours: ours().rewards, theirs
            ))  # fmt: skip
            noise = 6 * np.hypot(mine.std(), other.std()) / np.sqrt(ENVIRONMENTS * 3)
            check(abs(mine.mean() - other.mean()) < noise, "mean reward")
            seconds = interleaved({"pgcore": ours, "envpool": theirs})
            case = f"{name}, {threads} thread(s)"
            pairs = {"pgcore": float(ENVIRONMENTS * STEPS), "envpool": float(np.mean(counted))}
            ratios.append(report(case, seconds, pairs, "pair"))
            pool.close()
    print(f"geometric mean of the ratios: {geometric_mean(ratios):.2f}")


if __name__ == "__main__":
    main()
