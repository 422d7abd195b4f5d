"""The pure-Python twin of the native rollouts: Gymnasium and torch, one step at a time.

It is the baseline that the native path is measured against, and the plain reading of what worker
processes do with other Gymnasium environments.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pgcore import _core
from pgcore.base.arrays import F32, F64, I64
from pgcore.base.threads import one_torch_thread
from pgcore.policies.gaussian import GaussianPolicy
from pgcore.policies.normalize import Normalizer
from pgcore.rollout import reference
from pgcore.rollout.batch import RolloutBatch
from pgcore.rollout.call import Call
from pgcore.rollout.engine_watch import EngineWatch, is_finite_input
from pgcore.rollout.environments import Controls, Head, Stream, Streams
from pgcore.rollout.loops import Part, collect_streams
from pgcore.rollout.parallel import batch_of, controls_of
from pgcore.rollout.reference_resets import reset_state
from pgcore.tasks.actions import action_bounds
from pgcore.tasks.gymnasium import AnyTask, GymnasiumTask
from pgcore.tasks.gymnasium_suite.families import ENVIRONMENTS, define
from pgcore.tasks.task import Task, TaskSpec
from pgcore.tasks.term import Term

_NOISE_BLOCK = 256  # steps whose action noise is drawn together


def make_env(task: AnyTask) -> Any:
    """The Gymnasium environment of a task.

    Raises:
        ValueError: there is none, or the task's definition has been changed since.
    """
    if isinstance(task, GymnasiumTask):
        return task.make()
    spec = task.spec
    if spec.gymnasium_id is None:
        raise ValueError(f"task: {task.id} has no gymnasium_id, which backend='python' needs")
    _check_unchanged(spec)
    limit = -1 if spec.time_limit is None else spec.time_limit
    env = _quiet_make(
        spec.gymnasium_id, **{**dict(spec.gymnasium_options), "max_episode_steps": limit}
    )
    if spec.contact_margins == "max":
        _use_larger_margin(env.unwrapped.model)
    for term in spec.reward:
        if _is_impact_cost(term, spec):
            values = dict(term.parameters)
            env = _impact_cost(env, float(values["weight"]), float(values["max"]))
    return env


def _check_unchanged(spec: TaskSpec) -> None:
    """ValueError where a definition says what the Gymnasium environment it names does not do.

    Time limit, contact margins and resets follow the definition, as do Humanoid-v2's impact cost
    and zeros at the end of an observation. What an id of the user's own does is the user's word.
    """
    if spec.gymnasium_id not in ENVIRONMENTS:
        return
    options = dict(spec.gymnasium_options)
    options.pop("max_episode_steps", None)
    known = define(spec.gymnasium_id, **options)
    zeros = spec.observation[-1].kind == "zeros"
    cut = slice(None, -1 if zeros else None)
    same = {
        "xml": spec.xml_path().resolve() == known.xml_path().resolve(),
        "frame_skip": spec.frame_skip == known.frame_skip,
        "observation": spec.observation[cut] == known.observation[cut],
        "reward": tuple(t for t in spec.reward if not _is_impact_cost(t, spec)) == known.reward,
        "termination": spec.termination == known.termination,
    }
    if differing := [name for name, equal in same.items() if not equal]:
        raise ValueError(
            f"task: {spec.id} differs from {spec.gymnasium_id}, which backend='python' would run, "
            f"in {', '.join(differing)}; use the native backend, or give the definition the "
            "gymnasium_id of an environment of your own"
        )


def _is_impact_cost(term: Term, spec: TaskSpec) -> bool:
    """Whether a reward term is the one that Humanoid-v2 has and v4 lacks."""
    return term.kind == "contact_cost" and spec.gymnasium_id == "Humanoid-v4"


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


class _TwinStream(Stream):
    """A stream whose random numbers come from NumPy; of a task, it starts where native ones do."""

    def __init__(self, task: AnyTask, seed: int, stream_id: int) -> None:
        env = make_env(task)  # here, so that what it refuses is no error of a simulation
        super().__init__(lambda: env, seed, stream_id, task.act_dim)
        self.task = task if isinstance(task, Task) else None
        self.zeros = _trailing_zeros(task) if isinstance(task, Task) else 0
        self.drawn = np.zeros((0, task.act_dim))
        self.watch = EngineWatch(env) if isinstance(task, Task) else None

    def reset(self) -> Any:
        """Begin the next trajectory; its first observation."""
        self.diverged = False
        if self.watch is not None:
            self.watch.keep()
        obs = super().reset()
        if self.task is None or self.watch is None:
            return obs
        inner = self.env.unwrapped
        address = (self.seed, self.stream_id, self.trajectory)
        start = inner.init_qpos, inner.init_qvel
        inner.set_state(*reset_state(self.task.spec.reset, *start, *address, model=inner.model))
        obs = inner._get_obs()
        return self.observation(obs if self.watch.is_sound() else np.full_like(obs, np.nan))

    def advance(self, control: NDArray[Any]) -> tuple[Any, float, bool, bool]:
        """One step: observation, reward, terminated, truncated."""
        if self.watch is None:
            return super().advance(control)
        if self.lost:
            self.step += 1
            return None, *self.diverge(), False
        listed = self.watch.listed()
        obs, reward, terminated, truncated = super().advance(control)
        self.diverged = self.watch.has_diverged(listed)
        if self.diverged:
            self.lost = False
            return None, 0.0, True, truncated
        return obs, reward, terminated, truncated

    def diverge(self) -> tuple[float, bool]:
        """Reward and terminated where the engine itself has said nothing yet."""
        if self.watch is not None:
            self.watch.erased += 1
        return super().diverge()

    def warnings(self) -> int:
        """Events that MuJoCo has warned of, and those that it had no occasion to."""
        return 0 if self.watch is None else self.watch.erased + self.watch.listed()

    def observation(self, obs: Any) -> Any:
        """An observation as the task has it; zeros where that of a native task is not finite."""
        if self.watch is None:
            return obs
        values = np.array(obs, dtype=np.float64)
        values[len(values) - self.zeros :] = 0.0
        self.lost = not is_finite_input(values)
        return np.zeros_like(values) if self.lost else values

    def noise(self) -> F64:
        """The noise [A] of the next action."""
        offset = self.step % _NOISE_BLOCK
        if offset == 0:
            steps = np.arange(self.step, self.step + _NOISE_BLOCK)
            address = (self.seed, self.stream_id, self.trajectory)
            self.drawn = reference.normal(*address, steps, reference.ACTION, self.act_dim)
        noise: F64 = self.drawn[offset]
        return noise


def collect(
    task: AnyTask,
    policy: GaussianPolicy,
    call: Call,
    steps: int,
    actions: str,
    deterministic: bool,
) -> RolloutBatch:
    """See :func:`pgcore.collect`; the arguments are checked there."""
    pieces = [np.array([s]) for s in range(len(call.member))]
    with one_torch_thread(), torch.no_grad():
        parts = [_run(task, policy, call, s, steps, actions, deterministic) for s in pieces]
    return batch_of(call, pieces, parts)


def _run(
    task: AnyTask,
    policy: GaussianPolicy,
    call: Call,
    s: I64,
    steps: int,
    actions: str,
    deterministic: bool,
) -> Part:
    """One stream ``s`` [1] from its beginning to its end."""
    m = call.member[s]
    own = [t[torch.from_numpy(m)] for t in policy.tensors]

    def outputs(inputs: F32, rows: I64) -> tuple[F32, F64]:
        mean, std = policy.moments(torch.from_numpy(inputs)[None], own)
        return mean[0], std[0]

    stream = _TwinStream(task, call.seed, int(call.stream_ids[s[0]]))
    # float64 actions for a native task's environment, so that control costs are not rounded
    controls = (
        Controls(np.float64, actions, *action_bounds(task))
        if isinstance(task, Task)
        else controls_of(task, actions)
    )
    streams = Streams(
        [stream],
        Head(outputs, deterministic),
        controls,
        policy.obs_dim,
        None if call.normalizer is None else call.normalizer.select(m),
        call.live,
        Normalizer.create(policy.obs_dim) if call.watched else None,
    )
    _core.keep_quiet(True)  # MuJoCo's warnings are counted
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            arrays = collect_streams(streams, steps, policy.act_dim)
    finally:
        _core.keep_quiet(False)
        stream.close()
    return Part(arrays, streams.errors, streams.normalizer, streams.seen)
