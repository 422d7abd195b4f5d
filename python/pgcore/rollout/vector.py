"""Native tasks behind Gymnasium's interface of vector environments."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from pgcore import _core
from pgcore.base.arrays import F64, Bool
from pgcore.base.errors import SimulationError, check_choice, check_count, check_seed, check_type
from pgcore.base.memory import check_memory
from pgcore.base.threads import chosen_threads
from pgcore.tasks.actions import chosen_actions
from pgcore.tasks.gymnasium import GymnasiumTask
from pgcore.tasks.make import make_task
from pgcore.tasks.task import Task, TaskSpec

_LEAST_BYTES = 1e5  # of one simulation of a small model
Step = tuple[NDArray[Any], F64, Bool, Bool, dict[str, Any]]


def vector_env(
    task: Task | TaskSpec | str,
    num_envs: int,
    *,
    autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
    actions: str | None = None,
    num_threads: int | None = None,
    observation_dtype: str = "float64",
) -> NativeVectorEnv:
    """N environments of a native task as a :class:`gymnasium.vector.VectorEnv`.

    Args:
        task: an id such as ``"Hopper-v4"``, a task file, a definition, or what
            :func:`pgcore.make_task` gives of one.
        num_envs: N.
        autoreset_mode: what follows the end of a trajectory, as Gymnasium has it: "NextStep", the
            next step resets and ignores its action; "SameStep", the same one does, with the last
            observation in ``info["final_obs"]``; "Disabled", the caller resets by
            ``reset(options={"reset_mask": terminated | truncated})``.
        actions: what the task gets of an action: "none", the action itself (MuJoCo clamps it, but
            costs see it whole, as in Gymnasium), "clip", "scale" or "tanh", as :func:`collect` has
            them. Default: "none".
        num_threads: default: what affinity, cgroup and Slurm allow.
        observation_dtype: "float64", as in Gymnasium, or "float32".

    Raises:
        TypeError, ValueError: a bad argument, or a task that runs in Python.
    """
    known: Any = make_task(task) if isinstance(task, str | TaskSpec) else task
    if isinstance(known, GymnasiumTask):
        raise ValueError(
            f"task: expected a native task, got {known.id}, which runs in Python; use "
            "gymnasium.make_vec for it"
        )
    check_type("task", known, Task, "an id, a TaskSpec or what pgcore.make_task gives")
    if not isinstance(autoreset_mode, AutoresetMode):
        modes = [m.value for m in AutoresetMode]
        autoreset_mode = AutoresetMode(check_choice("autoreset_mode", autoreset_mode, modes))
    dtype = check_choice("observation_dtype", observation_dtype, ("float64", "float32"))
    action_map = chosen_actions(known, actions)
    count = check_count("num_envs", num_envs)
    check_memory("num_envs", count, _LEAST_BYTES * count, "ask for fewer")
    return NativeVectorEnv(
        known, count, autoreset_mode, action_map, chosen_threads(num_threads), dtype
    )


class NativeVectorEnv(VectorEnv[Any, Any, Any]):
    """N environments of a native task, stepped on threads with Python's lock released.

    Made by :func:`vector_env`. Trajectory k of environment i starts where that of stream i of
    ``pgcore.collect(..., seed=seed)`` does, and equal actions give equal bits, on any number of
    threads. Every array that is returned is the caller's own.

    Attributes:
        task: the task.
        num_threads: threads that step.
    """

    def __init__(
        self,
        task: Task,
        num_envs: int,
        autoreset_mode: AutoresetMode,
        action_map: str,
        num_threads: int,
        dtype: str,
    ) -> None:
        self.task, self.num_envs, self.num_threads = task, num_envs, num_threads
        self.metadata = {"autoreset_mode": autoreset_mode, "render_modes": []}
        self._same_step = autoreset_mode is AutoresetMode.SAME_STEP
        self._disabled = autoreset_mode is AutoresetMode.DISABLED
        self._action_map, self._dtype = action_map, dtype
        _, low, high = zip(*task.native.action_table(), strict=True)
        box = gymnasium.spaces.Box
        self.single_action_space = box(*np.array([low, high], dtype=np.float32), dtype=np.float32)
        self.single_observation_space = box(-np.inf, np.inf, (task.obs_dim,), np.dtype(dtype).type)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        if task.spec.gymnasium_id is not None and not task.spec.gymnasium_options:
            self.spec = gymnasium.envs.registration.registry.get(task.id)
        self._native = _core.Environments(task.native, num_envs)
        self._obs = np.zeros((num_envs, task.obs_dim))  # where each environment stands
        self._ended = np.ones(num_envs, dtype=np.bool_)  # waits for a reset
        self._begun = False

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[NDArray[Any], dict[str, Any]]:
        """Begin a trajectory in every environment.

        Args:
            seed: 0 .. 2^64 - 1: environment i goes through the trajectories of stream i of that
                seed; a list [N]: through those of stream 0 of its own; None: on to the next ones,
                at first those of a seed that the operating system draws (``np_random_seed``).
            options: None, or ``{"reset_mask": mask}`` with a bool array [N]: others stay.

        Returns:
            Observations [N, O] and an empty dict.

        Raises:
            SimulationError: MuJoCo raised an error; that environment begins anew with its next
                step.
        """
        self._check_open()
        mask = self._reset_mask(options)
        self._seed(seed, mask)
        errors = self._native.reset(mask=mask, obs=self._obs, num_threads=self.num_threads)
        self._ended[mask] = False
        self._begun = True
        obs = self._obs.astype(self._dtype)
        self._raise(errors, (obs, {}))
        return obs, {}

    def step(self, actions: NDArray[Any]) -> Step:
        """One step of every environment.

        Args:
            actions: [N, A], of any real dtype.

        Returns:
            Observations [N, O], rewards [N], terminated [N], truncated [N], and the info:
            ``diverged`` [N], whether the simulation blew up in this step, which is then terminated,
            without a reward, and observed as zeros; in mode "SameStep" where a trajectory ended,
            ``final_obs`` [N] of arrays [O] or None, ``final_info``, and their masks.

        Raises:
            ValueError: actions of another shape; no reset ahead of it.
            SimulationError: MuJoCo raised an error in some environments, whose rewards are NaN;
                ``.result`` has what would have been returned. They begin anew with the next step.
        """
        self._check_open()
        if not self._begun:
            raise ValueError("step: expected a reset() ahead of the first step")
        if self._disabled and self._ended.any():
            rows = np.flatnonzero(self._ended).tolist()
            raise ValueError(
                f"step: the trajectories of environments {rows} have ended; reset them by "
                'options={"reset_mask": terminated | truncated}'
            )
        controls = self._controls(actions)
        N = self.num_envs
        obs, rewards = np.zeros((N, self.task.obs_dim)), np.zeros(N)
        terminated, truncated, diverged = (np.zeros(N, dtype=np.bool_) for _ in range(3))
        final = np.zeros_like(obs) if self._same_step else None
        errors = self._native.step(
            actions=controls,
            action_map=self._action_map,
            obs=obs,
            rewards=rewards,
            terminated=terminated,
            truncated=truncated,
            diverged=diverged,
            final_obs=final,
            num_threads=self.num_threads,
        )
        self._obs, self._ended = obs, terminated | truncated
        rewards[[i for i, _ in errors]] = np.nan
        info = self._info(final, diverged)
        result = (obs.astype(self._dtype), rewards, terminated, truncated, info)
        self._raise(errors, result)
        return result

    def states(self) -> F64:
        """Where every environment stands: [N, D], MuJoCo's ``mjSTATE_INTEGRATION``."""
        self._check_open()
        return self._native.states()

    def close_extras(self, **_: Any) -> None:
        """Give the simulations back."""
        del self._native

    def _controls(self, actions: Any) -> F64:
        array = np.asarray(actions)
        expected = (self.num_envs, self.task.act_dim)
        if array.shape != expected or array.dtype.kind not in "fiu":
            got = f"{list(array.shape)} of {array.dtype}"
            raise ValueError(f"actions: expected numbers [N, A] = {list(expected)}, got {got}")
        return np.ascontiguousarray(array, dtype=np.float64)

    def _info(self, final: F64 | None, diverged: Bool) -> dict[str, Any]:
        """What blew up, and as Gymnasium says it what trajectories that ended here ended with."""
        ended, everyone = self._ended, np.ones(self.num_envs, dtype=np.bool_)
        info: dict[str, Any] = {"diverged": diverged, "_diverged": everyone}
        if final is None or not ended.any():
            return info
        last = np.full(self.num_envs, None, dtype=object)
        for i in np.flatnonzero(ended):
            last[i] = final[i].astype(self._dtype)
        own = {"diverged": diverged & ended, "_diverged": ended.copy()}
        return info | {
            "final_obs": last,
            "_final_obs": ended.copy(),
            "final_info": own,
            "_final_info": ended.copy(),
        }

    def _reset_mask(self, options: dict[str, Any] | None) -> Bool:
        everyone = np.ones(self.num_envs, dtype=np.bool_)
        if not options:
            return everyone
        unknown = sorted(set(options) - {"reset_mask"})
        if unknown:
            raise ValueError(f"options: expected 'reset_mask' alone, got {unknown[0]!r}")
        mask = options["reset_mask"]
        if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_:
            raise TypeError("options: reset_mask: expected a bool array [N]")
        if mask.shape != everyone.shape or not mask.any():
            got = f"{list(mask.shape)} with {int(mask.sum())} true"
            expected = f"[{self.num_envs}] with at least one true"
            raise ValueError(f"options: reset_mask: expected {expected}, got {got}")
        if not self._begun and not mask.all():
            raise ValueError("options: reset_mask: the first reset is of all environments")
        return np.ascontiguousarray(mask)

    def _seed(self, seed: Any, mask: Bool) -> None:
        """Let those of the mask that get a seed begin with its first trajectory."""
        if seed is None and not self._begun:
            seed = self._np_random_seed = secrets.randbits(64)
        if seed is None:
            return
        ids = np.arange(self.num_envs)
        if isinstance(seed, Sequence | np.ndarray):
            if len(seed) != self.num_envs:
                raise ValueError(f"seed: expected {self.num_envs} seeds, got {len(seed)}")
            fresh = np.array([s is not None for s in seed])
            if not self._begun and not fresh.all():
                raise ValueError("seed: expected a seed for every environment at first")
            seeds = [0 if s is None else check_seed("seed", s) for s in seed]
            ids, mask = np.zeros_like(ids), mask & fresh
        else:
            super().reset(seed=check_seed("seed", seed))
            seeds = [int(seed)] * self.num_envs
        self._native.seed(mask=mask, seeds=np.array(seeds, dtype=np.uint64), ids=ids)

    def _check_open(self) -> None:
        if self.closed:
            raise ValueError("this vector environment is closed; make a new one")

    def _raise(self, errors: list[tuple[int, str]], result: Any) -> None:
        if errors:
            raise SimulationError([i for i, _ in errors], [text for _, text in errors], result)
