"""Native tasks behind the vector environments of Stable-Baselines3, which takes no others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from pgcore.base.arrays import F32, F64, Bool
from pgcore.base.errors import check_flag, check_seed
from pgcore.rollout.vector import NativeVectorEnv, vector_env
from pgcore.tasks.task import Task, TaskSpec

try:
    from stable_baselines3.common.vec_env import VecEnv, VecMonitor
except ImportError as error:
    raise ImportError(
        "sb3_vec_env needs Stable-Baselines3, which is not installed: pip install stable-baselines3"
    ) from error


def sb3_vec_env(
    task: Task | TaskSpec | str,
    num_envs: int,
    *,
    seed: int | None = None,
    monitor: bool = True,
    actions: str | None = None,
    num_threads: int | None = None,
    observation_dtype: str = "float64",
) -> VecEnv:
    """N environments of a native task as a ``VecEnv`` of Stable-Baselines3.

    A trajectory that ends begins anew in the same step. ``infos[i]`` then has
    ``terminal_observation`` and ``TimeLimit.truncated``, by which SB3 bootstraps, and
    ``diverged`` where the simulation has blown up.

    Args:
        task, num_envs, actions, num_threads, observation_dtype: see :func:`pgcore.vector_env`.
        seed: of the first reset; None: SB3 gives one (``PPO(..., seed=0)``), else the operating
            system does.
        monitor: wrap it in SB3's ``VecMonitor``, so that training logs ``rollout/ep_rew_mean``.

    Raises:
        ImportError: Stable-Baselines3 is not installed.
        TypeError, ValueError: as :func:`pgcore.vector_env`.
    """
    check_flag("monitor", monitor)
    if seed is not None:
        check_seed("seed", seed)
    env = NativeVecEnv(
        vector_env(
            task,
            num_envs,
            autoreset_mode=AutoresetMode.SAME_STEP,
            actions=actions,
            num_threads=num_threads,
            observation_dtype=observation_dtype,
        )
    )
    if seed is not None:
        env.seed(seed)
    return VecMonitor(env) if monitor else env


class NativeVecEnv(VecEnv):
    """The adapter; made by :func:`sb3_vec_env`.

    Attributes:
        vector: the environments that it steps.
    """

    def __init__(self, vector: NativeVectorEnv) -> None:
        self.vector = vector
        self._next_seed: int | None = None
        self._actions: NDArray[Any] | None = None
        super().__init__(
            vector.num_envs, vector.single_observation_space, vector.single_action_space
        )

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        """The seed of the next reset: environment i is stream i of it. None: as before."""
        self._next_seed = None if seed is None else check_seed("seed", seed)
        return [seed] * self.num_envs

    def reset(self) -> NDArray[Any]:
        """Begin a trajectory in every environment; observations [N, O]."""
        obs, _ = self.vector.reset(seed=self._next_seed)
        self._next_seed = None
        self.reset_infos = [{} for _ in range(self.num_envs)]
        return obs

    def step_async(self, actions: NDArray[Any]) -> None:
        """Take the actions [N, A] of the next step."""
        self._actions = actions

    def step_wait(self) -> tuple[NDArray[Any], F32, Bool, list[dict[str, Any]]]:
        """Make it: observations [N, O], rewards [N], whether it ended a trajectory [N], infos."""
        if self._actions is None:
            raise ValueError("step_wait: expected step_async(actions) ahead of it")
        obs, rewards, terminated, truncated, info = self.vector.step(self._actions)
        self._actions = None
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        ended = terminated | truncated
        for i in np.flatnonzero(ended):
            infos[i] = {
                "terminal_observation": info["final_obs"][i],
                "TimeLimit.truncated": bool(truncated[i] and not terminated[i]),
            }
            if info["diverged"][i]:
                infos[i]["diverged"] = True
        return obs, rewards.astype(np.float32), ended, infos

    def states(self) -> F64:
        """See :meth:`NativeVectorEnv.states`."""
        return self.vector.states()

    def close(self) -> None:
        """Give the simulations back."""
        self.vector.close()

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """An attribute of the vector environment, once per environment that is asked about."""
        value = getattr(self.vector, attr_name)
        return [value for _ in self._chosen(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Refused: the environments are native and have no attributes of their own."""
        raise AttributeError(f"native environments have no attribute {attr_name!r} to set")

    def env_method(
        self, method_name: str, *method_args: Any, indices: Any = None, **method_kwargs: Any
    ) -> list[Any]:
        """Refused: the environments are native and have no methods of their own."""
        raise AttributeError(f"native environments have no method {method_name!r}")

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        """False of every environment: nothing wraps one alone."""
        return [False for _ in self._chosen(indices)]

    def _chosen(self, indices: Any) -> Iterable[int]:
        chosen: Iterable[int] = self._get_indices(indices)
        return chosen
