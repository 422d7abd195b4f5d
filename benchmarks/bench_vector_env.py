"""How fast are vector environments that a Python program steps? Gymnasium's own, and ours.

    python benchmarks/bench_vector_env.py

Random actions on 64 Hoppers beside Gymnasium's `SyncVectorEnv` and `AsyncVectorEnv` of its own
Hopper-v4, then PPO of Stable-Baselines3 with its default settings on 16 environments of its
`make_vec_env` and of ours.
"""

from __future__ import annotations

import gymnasium
import numpy as np
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.env_util import make_vec_env
from timing import header, interleaved, report

import pgcore

N, STEPS = 64, 200
AGENTS, ROLLOUT = 16, 2048


def stepping() -> None:
    """64 Hoppers, 200 steps with random actions."""
    header(f"{N} Hoppers, {STEPS} steps with random actions: microseconds per step of one")
    envs = {
        "pgcore": pgcore.vector_env("Hopper-v4", N),
        "SyncVectorEnv": gymnasium.make_vec("Hopper-v4", N, vectorization_mode="sync"),
        "AsyncVectorEnv": gymnasium.make_vec("Hopper-v4", N, vectorization_mode="async"),
    }
    actions = np.random.default_rng(0).uniform(-1, 1, (STEPS, N, 3)).astype(np.float32)

    def run(env: gymnasium.vector.VectorEnv) -> None:
        env.reset(seed=0)
        for action in actions:
            env.step(action)

    seconds = interleaved({n: (lambda e=e: run(e)) for n, e in envs.items()}, rounds=5)
    report("Hopper-v4", seconds, N * STEPS, "step")
    for env in envs.values():
        env.close()


def training() -> None:
    """One iteration of PPO with the default settings: 2048 steps of 16 environments."""
    header(f"PPO of Stable-Baselines3, {AGENTS} environments: microseconds per pair of training")
    torch.set_num_threads(1)
    agents = {
        "pgcore": PPO("MlpPolicy", pgcore.sb3_vec_env("Hopper-v4", AGENTS), seed=0),
        "make_vec_env": PPO("MlpPolicy", make_vec_env("Hopper-v4", AGENTS, seed=0), seed=0),
    }
    pairs = AGENTS * ROLLOUT
    seconds = interleaved(
        {n: (lambda a=a: a.learn(pairs, reset_num_timesteps=False)) for n, a in agents.items()},
        rounds=3,
    )
    report("Hopper-v4", seconds, pairs, "pair")


if __name__ == "__main__":
    stepping()
    training()
