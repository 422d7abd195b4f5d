"""Rollouts: transitions of streams (`collect`) and scores of trajectories (`evaluate`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pgcore import _core
from pgcore.base.arrays import I64
from pgcore.base.errors import (
    SimulationError,
    check_choice,
    check_count,
    check_flag,
    check_number,
)
from pgcore.base.progress import count_pairs
from pgcore.policies.gaussian import GaussianPolicy
from pgcore.policies.normalize import Normalizer
from pgcore.rollout.batch import RolloutBatch, Scores, StreamStates, merge_seen
from pgcore.rollout.call import (
    Call,
    check_call,
    check_streams,
    check_transitions,
    kept_states,
)
from pgcore.rollout.open_streams import LiveStreams
from pgcore.tasks.actions import chosen_actions
from pgcore.tasks.gymnasium import PREFIX, AnyTask, GymnasiumSpec, GymnasiumTask
from pgcore.tasks.task import Task

BACKENDS = ("native", "python")


def native_arguments(
    task: Task, policy: GaussianPolicy, call: Call, live: bool, deterministic: bool, actions: str
) -> dict[str, Any]:
    """The keyword arguments that every native run of streams takes."""
    return {
        "task": task.native,
        "params": policy.flat.numpy(),
        "sizes": list(policy.sizes),
        "kind": policy.kind(),
        "member": call.member,
        "stream_ids": call.stream_ids,
        "seed": call.seed,
        "deterministic": deterministic,
        "action_map": actions,
        "num_threads": call.num_threads,
        "normalizer": None if call.normalizer is None else call.normalizer.native(live),
    }


def _native_batch(
    arguments: dict[str, Any],
    call: Call,
    steps: int,
    start: StreamStates | None,
    keep_end: bool,
    keep_states: bool,
) -> RolloutBatch:
    raw = _core.collect(
        **arguments,
        steps=steps,
        watch=call.watched,
        start=None if start is None else (start.simulator, start.trajectory, start.step),
        keep_end=keep_end,
        keep_states=keep_states,
    )
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
        end=StreamStates(*raw["end"]) if keep_end else None,
        **kept_states(arguments["task"], raw["states"] if keep_states else None),
        **{
            name: raw[name]
            for name in ("obs", "inputs", "actions", "log_probs", "rewards", "terminated")
            + ("truncated", "diverged", "warnings", "reward_fault")
        },
    )
    if call.watched and call.normalizer is not None:
        merge_seen(call.normalizer, call.member, Normalizer(*raw["seen"]))
    if errors:
        raise SimulationError([s for s, _ in errors], [text for _, text in errors], batch)
    return batch


def collect(
    task: AnyTask | str | Callable[[], Any],
    policy: GaussianPolicy,
    steps: int,
    streams: int | I64 = 1,
    seed: int = 0,
    num_threads: int | None = None,
    backend: str | None = None,
    normalizer: Normalizer | None = None,
    *,
    stream_ids: I64 | None = None,
    update_normalizer: bool = False,
    deterministic: bool = False,
    actions: str | None = None,
    start: StreamStates | LiveStreams | None = None,
    keep_end: bool = False,
    keep_states: bool = False,
) -> RolloutBatch:
    """Run a policy stack and keep every transition.

    Every stream starts from a fresh reset, or where ``start`` says, and runs for ``steps`` steps,
    with resets inside. The result depends on the arguments only, not on threads or on how streams
    are grouped into calls.

    Args:
        task: what :func:`pgcore.make_task` gives; with ``backend="python"`` also a Gymnasium id or
            a function that makes a Gymnasium environment.
        policy: a stack of M members.
        steps: T, steps per stream.
        streams: streams per member, or an int64 array [S] with the member of each stream.
        seed: 0 .. 2^64 - 1.
        num_threads: default: what affinity, cgroup and Slurm allow. Of a Gymnasium task that many
            processes run the streams, kept for later calls; 1: this one does.
        backend: default: "native" (C++) for a :class:`Task`, worker processes for a Gymnasium task.
            "python": the twin of both, Gymnasium and torch, one step at a time.
        normalizer: observation statistics [M, O]; None: the plain observation is the input.
        stream_ids: int64 array [S], the key of each stream's random numbers, 0 .. 2^32 - 1.
            Default 0 .. S-1. Equal ids give members common random numbers.
        update_normalizer: follow the observations: at every step where each member has one stream,
            else frozen during the call and merged after it. ``batch.normalizer`` has the result.
        deterministic: act by the mean.
        actions: what the task gets of a sampled action, which is recorded as it is: "none", the
            action itself (MuJoCo clamps it, but costs see it whole); "clip", clipped to the control
            range or action space; "scale", clipped to [-1, 1] and mapped to that range; "tanh", its
            tanh, mapped likewise. Costs see what the task gets. Default: "clip" for a Gymnasium
            task, "none" for a :class:`Task`.
        start: where the streams stand, ``batch.end`` of an earlier call of as many streams of this
            task; None: at a reset. With equal seeds the two calls give what one would.
        keep_end: whether ``batch.end`` is wanted. Of a Gymnasium task it is the environments, open
            in this process, which then runs them all; no file can hold that.
        keep_states: whether ``batch.states`` is wanted, the simulator's state at every observation.
            Of native runs only.

    Raises:
        ValueError, TypeError: a bad argument, before any work.
        SimulationError: the simulator raised an error in some streams, or their process died;
            ``.result`` has the batch.
    """
    if backend is not None:
        check_choice("backend", backend, BACKENDS)
    known = check_task(task, backend)
    control = chosen_actions(known, actions)
    steps = check_count("steps", steps)
    check_flag("deterministic", deterministic)
    call = check_call(policy, streams, stream_ids, seed, num_threads, normalizer, update_normalizer)
    if check_flag("keep_states", keep_states) and (
        backend == "python" or not isinstance(known, Task)
    ):
        raise ValueError(
            "keep_states: expected a native run, got one in Python; leave it out, or take a native "
            "task without backend='python'"
        )
    check_transitions(known, len(call.member), steps, keep_states)
    if backend != "python" and isinstance(known, Task):
        arguments = native_arguments(known, policy, call, call.live, deterministic, control)
        _check_course(known, backend, start, keep_end)
        states = start if isinstance(start, StreamStates) else None
        return _native_batch(arguments, call, steps, states, keep_end, keep_states)
    _check_course(known, backend, start, keep_end)
    from pgcore.rollout import live, parallel, twin

    check_streams(known, policy, call)
    if (start is not None or keep_end) and isinstance(known, GymnasiumTask):
        open_streams = start if isinstance(start, LiveStreams) else None
        return live.collect(known, policy, call, steps, control, deterministic, open_streams)
    if backend == "python" or isinstance(known, Task):
        return twin.collect(known, policy, call, steps, control, deterministic)
    batch = parallel.collect(known, policy, call, steps, control, deterministic)
    count_pairs(batch.rewards.size)
    return batch


def _check_course(task: AnyTask, backend: str | None, start: Any, keep_end: bool) -> None:
    """Whether a rollout can go on, and where it does."""
    check_flag("keep_end", keep_end)
    if (start is not None or keep_end) and backend == "python":
        name = "start" if start is not None else "keep_end"
        raise ValueError(f"{name}: not with backend='python'; leave the backend out")
    kind = StreamStates if isinstance(task, Task) else LiveStreams
    if start is not None and not isinstance(start, kind):
        got = type(start).__name__
        raise TypeError(f"start: expected batch.end of {task.id} ({kind.__name__}), got {got}")


def check_task(task: Any, backend: str | None) -> AnyTask:
    """The task, which the Python twin also takes as what Gymnasium makes it of."""
    if isinstance(task, GymnasiumTask) and backend == "native":
        raise ValueError(f"backend: {task.id} runs in Python; leave it out, or choose python")
    if isinstance(task, Task | GymnasiumTask):
        return task
    if backend == "python" and (isinstance(task, str) or callable(task)):
        made_by = GymnasiumSpec.parse(task) if isinstance(task, str) else task
        return GymnasiumTask(made_by)
    raise TypeError(
        f"task: expected pgcore.make_task(...), got {type(task).__name__}; Gymnasium "
        f'environments are tasks too: make_task("{PREFIX}Pendulum-v1")'
    )


def default_streams(task: AnyTask, pairs: int) -> int:
    """Streams per member of an evaluation: enough to share the work, few to overshoot ``pairs``."""
    return max(1, min(64, pairs // (task.time_limit or 1000)))


def _share(pairs: int, call: Call) -> int:
    """The pairs of each stream, of those of a member."""
    return -(-pairs // int(np.bincount(call.member).max()))


def evaluate(
    task: AnyTask,
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
    actions: str | None = None,
) -> Scores:
    """Run a policy stack and keep each trajectory's return and length only.

    Each stream runs until its share of ``pairs`` is reached, and then to the end of that
    trajectory, so that every trajectory is complete. How many there are depends on their lengths:
    the mean of all returns is a ratio of sums, with a bias of order 1 / trajectories.

    Args:
        task, policy, seed, num_threads, normalizer, stream_ids, deterministic, actions: see
            :func:`collect`.
        pairs: state-action pairs per member, shared evenly by its streams; where members have
            unequal numbers of streams, of the member with the most: others have fewer pairs.
        streams: streams per member, or an int64 array [S] with the member of each stream. Default:
            one per ``time_limit`` pairs, at most 64; it never depends on the number of threads.
        gamma: discount of the returns.

    Raises:
        ValueError, TypeError: a bad argument, before any work.
        SimulationError: see :func:`collect`; ``.result`` has the scores.
    """
    task = check_task(task, None)
    control = chosen_actions(task, actions)
    pairs = check_count("pairs", pairs)
    if task.time_limit is None:
        raise ValueError("task: expected a time_limit, so that every trajectory ends")
    gamma = check_number("gamma", gamma, 0, 1)
    check_flag("deterministic", deterministic)
    chosen = default_streams(task, pairs) if streams is None else streams
    call = check_call(policy, chosen, stream_ids, seed, num_threads, normalizer, False)
    if isinstance(task, GymnasiumTask):
        from pgcore.rollout import parallel

        check_streams(task, policy, call)
        share = _share(pairs, call)
        found = parallel.evaluate(task, policy, call, share, gamma, control, deterministic)
        count_pairs(int(found.lengths.sum()))
        return found
    raw = _core.evaluate(
        **native_arguments(task, policy, call, False, deterministic, control),
        pairs=_share(pairs, call),
        gamma=gamma,
    )
    scores = Scores(
        returns=raw["returns"],
        totals=raw["totals"],
        lengths=raw["lengths"],
        member=call.member[raw["stream"]],
        stream=raw["stream"],
        diverged=raw["diverged"],
        warnings=raw["warnings"],
    )
    if raw["errors"]:
        raise SimulationError(
            [s for s, _ in raw["errors"]], [text for _, text in raw["errors"]], scores
        )
    return scores
