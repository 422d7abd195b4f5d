"""Continuations of states in groups that share their first action, reward by reward.

A pair (state, action) is what such a group shares, so that its returns differ by the rest of the
trajectory alone; groups of one state differ by their actions, too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pgcore import _core
from pgcore.base.arrays import F32, F64, I64, Bool
from pgcore.base.errors import SimulationError, check_count, check_seed
from pgcore.base.memory import check_memory
from pgcore.base.seeds import derive_seed
from pgcore.policies.gaussian import GaussianPolicy
from pgcore.policies.normalize import Normalizer
from pgcore.rollout.call import check_call, check_policy
from pgcore.rollout.collect import check_task, native_arguments
from pgcore.tasks.actions import chosen_actions
from pgcore.tasks.gymnasium import AnyTask, GymnasiumTask


@dataclass(frozen=True)
class Continuations:
    """What followed B states: J first actions each, and K times the rest after each of them.

    Attributes:
        inputs: [B, O] float32, the states as the network saw them.
        actions: [B, J, A] float32, as sampled.
        rewards: [B, J, K, T] raw, 0 after the end. The first is the same for all K.
        lengths: [B, J, K], steps until the end.
        diverged: [B, J, K], the simulation blew up and ended the continuation without a reward.
    """

    inputs: F32
    actions: F32
    rewards: F64
    lengths: I64
    diverged: Bool


def grouped_continuations(
    task: AnyTask,
    policy: GaussianPolicy,
    at: I64,
    stream_ids: I64,
    first_actions: int,
    rests: int,
    tail: int,
    seed: int = 0,
    num_threads: int | None = None,
    normalizer: Normalizer | None = None,
    *,
    actions: str | None = None,
) -> Continuations:
    """Continue from states of a policy's own streams until their trajectory ends.

    That is a termination, the task's time limit, or ``tail`` steps, whichever comes first.

    Args:
        task, seed, num_threads, normalizer, actions: see :func:`pgcore.collect`; the normaliser is
            frozen.
        policy: a stack of one member.
        at: int64 [B], the step of stream b at which its state is taken.
        stream_ids: int64 [B], each once: states of one stream would share their noise.
        first_actions, rests: J and K.
        tail: T, most steps of a continuation.

    Raises:
        ValueError, TypeError: a bad argument, before any work.
        SimulationError: MuJoCo raised an error on the way to some state or after it.
    """
    if isinstance(task, GymnasiumTask):
        raise ValueError(
            f"grouped_continuations: needs to restore a simulator's state, which {task.id} cannot"
        )
    check_task(task, None)
    check_policy(policy)
    if policy.members != 1:
        raise ValueError(f"policy: expected a stack of one member, got {policy.members} members")
    J, K = check_count("first_actions", first_actions), check_count("rests", rests)
    T, seed, B = check_count("tail", tail), check_seed("seed", seed), len(at)
    if at.dtype != np.int64 or at.ndim != 1 or (at < 0).any():
        raise ValueError("at: expected an int64 array [B] of steps >= 0")
    if len(np.unique(stream_ids)) != B:
        raise ValueError(f"stream_ids: expected {B} different ids, one for each state")
    check_memory("rests", K, 8.0 * B * J * K * T, "ask for fewer, or for fewer states at a time")
    members = np.zeros(B, dtype=np.int64)
    call = check_call(policy, members, stream_ids, seed, num_threads, normalizer, False)
    first = np.array([derive_seed(seed, "first action", j) for j in range(J)], dtype=np.uint64)
    rest = np.array([derive_seed(seed, "rest", i) for i in range(J * K)], dtype=np.uint64)
    raw = _core.branch(
        **native_arguments(task, policy, call, False, False, chosen_actions(task, actions)),
        at=np.ascontiguousarray(at),
        seeds=rest,
        first=np.repeat(first, K),
        tail=T,
        gamma=1.0,
        limited=True,
        keep_rewards=True,
    )
    found = Continuations(
        inputs=raw["inputs"],
        actions=raw["actions"].reshape(B, J, K, -1)[:, :, 0],
        rewards=raw["rewards"].reshape(B, J, K, T),
        lengths=raw["lengths"].reshape(B, J, K),
        diverged=raw["diverged"].reshape(B, J, K),
    )
    if raw["errors"]:
        streams, messages = zip(*raw["errors"], strict=True)
        raise SimulationError(streams, messages, found)
    return found
