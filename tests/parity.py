"""Steps of a Gymnasium environment, and the same steps natively."""

from __future__ import annotations

import numpy as np

from pgcore import _core


def replay_env(env, env_steps, actions, seed):
    """Steps of a Gymnasium environment as (start state, arrays) per trajectory."""
    pieces = []
    t = 0
    while t < env_steps:
        obs, _ = env.reset(seed=seed + t)
        inner = env.unwrapped
        piece = {
            "qpos0": inner.data.qpos.copy(),
            "qvel0": inner.data.qvel.copy(),
            "obs0": obs,
            "start": t,
        }
        rows = []
        ended = False
        while not ended and t < env_steps:
            obs, reward, terminated, truncated, _ = env.step(actions[t])
            rows.append(
                (obs, reward, terminated, truncated, inner.data.qpos.copy(), inner.data.qvel.copy())
            )
            ended = terminated or truncated
            t += 1
        names = ("obs", "rewards", "terminated", "truncated", "qpos", "qvel")
        piece |= {name: np.array([r[i] for r in rows]) for i, name in enumerate(names)}
        pieces.append(piece)
    return pieces


def assert_equal_pieces(task, pieces, actions):
    for piece in pieces:
        n = len(piece["rewards"])
        part = actions[None, piece["start"] : piece["start"] + n]
        native = _core.replay(
            task=task.native,
            qpos=piece["qpos0"][None],
            qvel=piece["qvel0"][None],
            actions=np.ascontiguousarray(part),
            num_threads=1,
        )
        np.testing.assert_array_equal(native["first_obs"][0], piece["obs0"])
        for name in ("obs", "qpos", "qvel", "terminated"):
            np.testing.assert_array_equal(native[name][0], piece[name], err_msg=name)
        np.testing.assert_allclose(native["rewards"][0], piece["rewards"], rtol=1e-12, atol=1e-12)
        truncated = np.arange(1, n + 1) >= task.time_limit
        np.testing.assert_array_equal(truncated, piece["truncated"])
