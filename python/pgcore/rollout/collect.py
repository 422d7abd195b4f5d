"""Rollouts: transitions of streams (`collect`) and scores of trajectories (`evaluate`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pgcore import _core
from pgcore.base.arrays import I64
from pgcore.base.errors import SimulationError, check_choice, check_count
from pgcore.base.threads import chosen_threads
from pgcore.policies.normalize import Normalizer
from pgcore.policies.stack import GaussianPolicy
from pgcore.rollout.batch import RolloutBatch, Scores, merge_observations
from pgcore.tasks.task import Task

BACKENDS = ("native", "python")


@dataclass(frozen=True)
class _Call:
    """The checked arguments that every backend takes."""

    member: I64
    stream_ids: I64
    seed: int
    num_threads: int
    normalizer: Normalizer | None
    live: bool


def check_call(
    policy: GaussianPolicy,
    streams: int | I64,
    stream_ids: I64 | None,
    seed: int,
    num_threads: int | None,
    normalizer: Normalizer | None,
    update_normalizer: bool,
) -> _Call:
    """The arguments that every run of streams takes, checked."""
    if isinstance(streams, np.ndarray):
        if streams.ndim != 1 or streams.dtype != np.int64:
            got_text = f"{list(streams.shape)} of {streams.dtype}"
            raise TypeError(f"streams: expected a count or an array [S] of int64, got {got_text}")
        member = np.ascontiguousarray(streams)
    else:
        member = np.repeat(np.arange(policy.members), check_count("streams", streams))
    if not 0 <= seed < 2**64:
        raise ValueError(f"seed: expected an integer from 0 to 2^64 - 1, got {seed}")
    if not bool(np.isfinite(policy.flat.numpy()).all()):
        raise ValueError("policy: expected finite parameters, got NaN or infinity")
    if normalizer is not None and normalizer.mean.shape != (policy.members, policy.obs_dim):
        expected = f"[{policy.members}, {policy.obs_dim}]"
        got = list(normalizer.mean.shape)
        raise ValueError(f"normalizer: expected mean [M, O] = {expected}, got {got}")
    return _Call(
        member=member,
        stream_ids=np.arange(len(member)) if stream_ids is None else stream_ids,
        seed=seed,
        num_threads=chosen_threads(num_threads),
        normalizer=normalizer.copy() if normalizer is not None else None,
        live=update_normalizer and normalizer is not None,
    )


def native_arguments(
    task: Task, policy: GaussianPolicy, call: _Call, live: bool, deterministic: bool
) -> dict[str, Any]:
    """The keyword arguments that every native run of streams takes."""
    return {
        "task": task.native,
        "params": policy.flat.numpy(),
        "sizes": list(policy.sizes),
        "activation": policy.activation,
        "member": call.member,
        "stream_ids": call.stream_ids,
        "seed": call.seed,
        "deterministic": deterministic,
        "num_threads": call.num_threads,
        "normalizer": None if call.normalizer is None else call.normalizer.native(live),
    }


def _native_batch(
    task: Task, policy: GaussianPolicy, call: _Call, steps: int, deterministic: bool
) -> RolloutBatch:
    one_each = len(np.unique(call.member)) == len(call.member)
    live = call.live and one_each
    arguments = native_arguments(task, policy, call, live, deterministic)
    raw = _core.collect(**arguments, steps=check_count("steps", steps))
    used = np.arange(raw["bootstrap_step"].shape[1]) < raw["bootstrap_count"][:, None]
    stream = np.nonzero(used)[0]
    errors = raw["errors"]
    for failed, _ in errors:
        raw["rewards"][failed] = np.nan
    batch = RolloutBatch(
        bootstrap_obs=raw["bootstrap_obs"][used],
        bootstrap_inputs=raw["bootstrap_inputs"][used],
        bootstrap_index=np.stack([stream, raw["bootstrap_step"][used]], axis=1),
        member=call.member,
        stream_ids=call.stream_ids,
        normalizer=call.normalizer,
        **{
            name: raw[name]
            for name in ("obs", "inputs", "actions", "log_probs", "rewards", "terminated")
            + ("truncated", "warnings")
        },
    )
    if call.live and not one_each:
        merge_observations(batch)
    if errors:
        raise SimulationError([s for s, _ in errors], [text for _, text in errors], batch)
    return batch


def collect(
    task: Task | str | Callable[[], Any],
    policy: GaussianPolicy,
    steps: int,
    streams: int | I64 = 1,
    seed: int = 0,
    num_threads: int | None = None,
    backend: str = "native",
    normalizer: Normalizer | None = None,
    *,
    stream_ids: I64 | None = None,
    update_normalizer: bool = False,
    deterministic: bool = False,
) -> RolloutBatch:
    """Run a policy stack and keep every transition.

    Every stream starts from a fresh reset and runs for ``steps`` steps, with resets inside. The
    result depends on the arguments only, not on threads or on how streams are grouped into calls.

    Args:
        task: a :class:`Task`; with ``backend="python"`` also a Gymnasium id or a callable that
            returns a Gymnasium environment.
        policy: a stack of M members.
        steps: T, steps per stream.
        streams: streams per member, or an int64 array [S] with the member of each stream.
        seed: 0 .. 2^64 - 1.
        num_threads: default: what affinity, cgroup and Slurm allow.
        backend: "native" (C++), or "python" (Gymnasium and torch, one step at a time).
        normalizer: observation statistics [M, O]; None: the plain observation is the input.
        stream_ids: int64 array [S], the key of each stream's random numbers, 0 .. 2^32 - 1.
            Default 0 .. S-1. Equal ids give members common random numbers.
        update_normalizer: follow the observations: at every step where each member has one stream,
            else frozen during the call and merged after it. ``batch.normalizer`` has the result.
        deterministic: act by the mean.

    Raises:
        ValueError, TypeError: a bad argument, before any work.
        SimulationError: MuJoCo raised an error in some streams; ``.result`` has the batch.
    """
    check_choice("backend", backend, BACKENDS)
    steps = check_count("steps", steps)
    call = check_call(policy, streams, stream_ids, seed, num_threads, normalizer, update_normalizer)
    if backend == "python":
        from pgcore.rollout import twin

        if deterministic:
            raise ValueError("deterministic: the python backend samples actions; use native")
        return twin.collect(
            task, policy, steps, call.member, call.stream_ids, seed, call.normalizer, call.live
        )
    return _native_batch(_check_task(task), policy, call, steps, deterministic)


def _check_task(task: Any) -> Task:
    if not isinstance(task, Task):
        raise TypeError(
            f"task: expected pgcore.make_task(...), got {type(task).__name__}; Gymnasium "
            'environments run with backend="python"'
        )
    return task


def default_streams(task: Task, pairs: int) -> int:
    """Streams per member of an evaluation: enough to share the work, few to overshoot ``pairs``."""
    return max(1, min(64, pairs // (task.time_limit or 1000)))


def evaluate(
    task: Task,
    policy: GaussianPolicy,
    pairs: int = 100_000,
    seed: int = 0,
    num_threads: int | None = None,
    normalizer: Normalizer | None = None,
    *,
    streams: int | I64 | None = None,
    stream_ids: I64 | None = None,
    gamma: float = 1.0,
    deterministic: bool = False,
) -> Scores:
    """Run a policy stack and keep each trajectory's return and length only.

    Each stream runs until its share of ``pairs`` is reached, and then to the end of that
    trajectory, so that every trajectory is complete. How many there are depends on their lengths:
    the mean of all returns is a ratio of sums, with a bias of order 1 / trajectories.

    Args:
        task, policy, seed, num_threads, normalizer, stream_ids, deterministic: see :func:`collect`.
        pairs: state-action pairs per member, shared evenly by its streams.
        streams: streams per member, or an int64 array [S] with the member of each stream. Default:
            one per ``time_limit`` pairs, at most 64; it never depends on the number of threads.
        gamma: discount of the returns.

    Raises:
        ValueError, TypeError: a bad argument, before any work.
        SimulationError: MuJoCo raised an error in some streams; ``.result`` has the scores.
    """
    task = _check_task(task)
    pairs = check_count("pairs", pairs)
    if task.time_limit is None:
        raise ValueError("task: expected a time_limit, so that every trajectory ends")
    chosen = default_streams(task, pairs) if streams is None else streams
    call = check_call(policy, chosen, stream_ids, seed, num_threads, normalizer, False)
    per_member = int(np.bincount(call.member).max())
    raw = _core.evaluate(
        **native_arguments(task, policy, call, False, deterministic),
        pairs=-(-pairs // per_member),
        gamma=gamma,
    )
    scores = Scores(
        returns=raw["returns"],
        totals=raw["totals"],
        lengths=raw["lengths"],
        member=call.member[raw["stream"]],
        stream=raw["stream"],
        warnings=raw["warnings"],
    )
    if raw["errors"]:
        raise SimulationError(
            [s for s, _ in raw["errors"]], [text for _, text in raw["errors"]], scores
        )
    return scores
