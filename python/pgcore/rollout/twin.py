"""The pure-Python twin of the native rollouts: Gymnasium and torch, one step at a time.

It is the baseline that the native path is measured against, and it runs any Gymnasium environment
with a Box observation and a Box action, so the studies work on tasks that are not MuJoCo, too.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pgcore import _core
from pgcore.base.arrays import F32, F64, I64
from pgcore.base.threads import one_torch_thread
from pgcore.policies.gaussian import Actor, GaussianPolicy
from pgcore.policies.normalize import Normalizer
from pgcore.rollout import reference
from pgcore.rollout.batch import RolloutBatch, merge_observations
from pgcore.tasks.task import Task

_NOISE_BLOCK = 256  # steps whose action noise is drawn together


def make_env(task: Any) -> Any:
    """A Gymnasium environment for a task, a Gymnasium id or a callable that returns one.

    Raises:
        ValueError: no environment can be made, or it has other spaces than Box.
    """
    import gymnasium

    if isinstance(task, Task):
        if task.spec.gymnasium_id is None:
            raise ValueError(f"task: {task.id} has no gymnasium_id, which backend='python' needs")
        env = _quiet_make(task.spec.gymnasium_id, **dict(task.spec.gymnasium_options))
        if task.spec.contact_margins == "max":
            _use_larger_margin(env.unwrapped.model)
        for term in task.spec.reward:
            if term.kind == "contact_cost" and task.spec.gymnasium_id == "Humanoid-v4":
                values = dict(term.parameters)
                env = _impact_cost(env, float(values["weight"]), float(values["max"]))
        return env
    env = task() if isinstance(task, Callable) else gymnasium.make(task)  # type: ignore[arg-type]
    for name in ("observation_space", "action_space"):
        space = getattr(env, name, None)
        if not isinstance(space, gymnasium.spaces.Box):
            raise ValueError(f"task: expected a Box {name}, got {space}")
    return env


def _quiet_make(env_id: str, **options: Any) -> Any:
    """Make a built-in environment without the notes on its age that its users cannot act on."""
    import gymnasium

    _core.keep_quiet(True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            return gymnasium.make(env_id, disable_env_checker=True, **options)
    finally:
        _core.keep_quiet(False)


def _use_larger_margin(model: Any) -> None:
    """Let the larger of two margins count, as before MuJoCo 3.5: equal ones are halved."""
    collide = (model.geom_contype != 0) | (model.geom_conaffinity != 0)
    if len(np.unique(model.geom_margin[collide])) > 1:
        raise ValueError(
            "contact_margins: backend='python' knows 'max' for equal margins only; use native"
        )
    model.geom_margin /= 2


def _impact_cost(env: Any, weight: float, bound: float) -> Any:
    """Humanoid-v2's cost min(weight * sum(cfrc_ext^2), bound), which v4 lacks."""
    import gymnasium

    def cost() -> float:
        return min(weight * float(np.square(env.unwrapped.data.cfrc_ext).sum()), bound)

    return gymnasium.wrappers.TransformReward(env, lambda reward: float(reward) - cost())


def _trailing_zeros(task: Task) -> int:
    """How many entries at an observation's end stand for what the task does not compute."""
    counts = [dict(t.parameters)["count"] for t in task.spec.observation if t.kind == "zeros"]
    if (counts and task.spec.observation[-1].kind != "zeros") or len(counts) > 1:
        raise ValueError("observation: backend='python' knows zeros as the last term only")
    return int(counts[0]) if counts else 0


class _Stream:
    """One environment with the addresses of its random numbers."""

    def __init__(self, env: Any, task: Any, seed: int, stream_id: int, act_dim: int) -> None:
        self.env, self.task, self.seed, self.stream_id = env, task, seed, stream_id
        self.act_dim = act_dim
        self.zeros = _trailing_zeros(task) if isinstance(task, Task) else 0
        self.trajectory = -1
        self.step = 0
        self.noise = np.zeros((0, act_dim))

    def reset(self) -> F64:
        """Begin the next trajectory; built-in tasks start where the native path would."""
        self.trajectory += 1
        self.step = 0
        first = np.zeros(1, dtype=np.int64)
        words = reference.uniform(
            self.seed, self.stream_id, self.trajectory, first, reference.RESET_POSITION, 1
        )
        obs, _ = self.env.reset(seed=int(words[0, 0] * 2**31))
        if isinstance(self.task, Task):
            inner = self.env.unwrapped
            qpos, qvel = reference.reset_state(
                self.task.spec.reset,
                inner.init_qpos,
                inner.init_qvel,
                self.seed,
                self.stream_id,
                self.trajectory,
            )
            inner.set_state(qpos, qvel)
            obs = inner._get_obs()
        return self.observation(obs)

    def observation(self, obs: Any) -> F64:
        """An observation of the environment as the task has it."""
        values = np.array(obs, dtype=np.float64)
        values[len(values) - self.zeros :] = 0.0
        return values

    def next_noise(self) -> F64:
        """The noise of the next action [A]."""
        offset = self.step % _NOISE_BLOCK
        if offset == 0:
            steps = np.arange(self.step, self.step + _NOISE_BLOCK)
            self.noise = reference.normal(
                self.seed, self.stream_id, self.trajectory, steps, reference.ACTION, self.act_dim
            )
        self.step += 1
        noise: F64 = self.noise[offset]
        return noise


class _Recorder:
    """The growing arrays of a batch."""

    def __init__(self, streams: int, steps: int, obs_dim: int, act_dim: int) -> None:
        self.arrays: dict[str, NDArray[Any]] = {
            "obs": np.zeros((streams, steps, obs_dim)),
            "inputs": np.zeros((streams, steps, obs_dim), dtype=np.float32),
            "actions": np.zeros((streams, steps, act_dim), dtype=np.float32),
            "log_probs": np.zeros((streams, steps), dtype=np.float32),
            "rewards": np.zeros((streams, steps)),
            "terminated": np.zeros((streams, steps), dtype=np.bool_),
            "truncated": np.zeros((streams, steps), dtype=np.bool_),
        }
        self.bootstrap: list[tuple[F64, F32, tuple[int, int]]] = []

    def finish(self, obs_dim: int) -> dict[str, NDArray[Any]]:
        obs = [b[0] for b in self.bootstrap]
        inputs = [b[1] for b in self.bootstrap]
        index = [b[2] for b in self.bootstrap]
        self.arrays["bootstrap_obs"] = np.array(obs).reshape(-1, obs_dim)
        self.arrays["bootstrap_inputs"] = np.array(inputs, dtype=np.float32).reshape(-1, obs_dim)
        self.arrays["bootstrap_index"] = np.array(index, dtype=np.int64).reshape(-1, 2)
        return self.arrays


def collect(
    task: Any,
    policy: GaussianPolicy,
    steps: int,
    member: I64,
    stream_ids: I64,
    seed: int,
    normalizer: Normalizer | None,
    live: bool,
) -> RolloutBatch:
    """See :func:`pgcore.collect`; the arguments are checked there."""

    one_each = len(np.unique(member)) == len(member)
    recorder = _Recorder(len(member), steps, policy.obs_dim, policy.act_dim)
    env = make_env(task)
    try:
        with one_torch_thread(), torch.no_grad():
            for s in range(len(member)):
                stream = _Stream(env, task, seed, int(stream_ids[s]), policy.act_dim)
                m = int(member[s])
                _run_stream(recorder, s, stream, policy, m, steps, normalizer, live and one_each)
    finally:
        env.close()
    batch = RolloutBatch(
        **recorder.finish(policy.obs_dim),
        member=member,
        stream_ids=stream_ids,
        warnings=np.zeros(len(member), dtype=np.int64),
        normalizer=normalizer,
    )
    if live and not one_each:
        merge_observations(batch)
    return batch


def _network_input(obs: F64, normalizer: Normalizer | None, m: int, live: bool) -> F32:
    if normalizer is None:
        return obs.astype(np.float32)
    if live:
        normalizer.push(obs, m)
    return normalizer.inputs(obs, m)


def _run_stream(
    recorder: _Recorder,
    s: int,
    stream: _Stream,
    policy: GaussianPolicy,
    m: int,
    steps: int,
    normalizer: Normalizer | None,
    live: bool,
) -> None:
    out = recorder.arrays
    actor = Actor(policy, m)
    obs = stream.reset()
    x = _network_input(obs, normalizer, m, live)
    for t in range(steps):
        # observe, act
        out["obs"][s, t], out["inputs"][s, t] = obs, x
        action, log_prob = actor.act(x, stream.next_noise())
        out["actions"][s, t], out["log_probs"][s, t] = action, log_prob
        # step; float64 actions, so that control costs are not rounded to float32
        seen, reward, terminated, truncated, _ = stream.env.step(action.astype(np.float64))
        obs = stream.observation(seen)
        out["rewards"][s, t] = reward
        out["terminated"][s, t], out["truncated"][s, t] = terminated, truncated
        x = _network_input(obs, normalizer, m, live)
        # bootstrap and reset
        last = t + 1 == steps
        if not terminated and (truncated or last):
            recorder.bootstrap.append((obs, x, (s, t)))
        if (terminated or truncated) and not last:
            obs = stream.reset()
            x = _network_input(obs, normalizer, m, live)
