"""The arguments that every run of streams takes, checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pgcore import _core
from pgcore.base.arrays import F64, I64
from pgcore.base.errors import check_count, check_flag, check_seed, check_type
from pgcore.base.memory import check_memory
from pgcore.base.threads import chosen_threads
from pgcore.policies.gaussian import GaussianPolicy
from pgcore.policies.normalize import Normalizer
from pgcore.tasks.gymnasium import AnyTask
from pgcore.tasks.task import Task


@dataclass(frozen=True)
class Call:
    """The checked arguments that every backend takes.

    Attributes:
        member, stream_ids: [S], the policy of each stream and the key of its random numbers.
        seed, num_threads: see :func:`pgcore.collect`.
        normalizer: a copy of the caller's, or None.
        update_normalizer: whether it takes the observations of this call.
    """

    member: I64
    stream_ids: I64
    seed: int
    num_threads: int
    normalizer: Normalizer | None
    update_normalizer: bool

    @property
    def live(self) -> bool:
        """Whether the normaliser follows at every step; else it is updated after the call."""
        return self.update_normalizer and len(np.unique(self.member)) == len(self.member)

    @property
    def watched(self) -> bool:
        """Whether the observations of each stream are counted, for an update after the call."""
        return self.update_normalizer and not self.live


def check_call(
    policy: GaussianPolicy,
    streams: int | I64,
    stream_ids: I64 | None,
    seed: int,
    num_threads: int | None,
    normalizer: Normalizer | None,
    update_normalizer: bool,
) -> Call:
    """The arguments that every run of streams takes, checked."""
    check_policy(policy)
    member = _checked_streams(streams, policy.members)
    if stream_ids is not None:
        check_type("stream_ids", stream_ids, np.ndarray, "an array [S] of int64, or None")
    check_type("normalizer", normalizer, Normalizer | None, "a pgcore.Normalizer or None")
    check_flag("update_normalizer", update_normalizer)
    if normalizer is not None and normalizer.mean.shape != (policy.members, policy.obs_dim):
        expected = f"[{policy.members}, {policy.obs_dim}]"
        got = list(normalizer.mean.shape)
        raise ValueError(f"normalizer: expected mean [M, O] = {expected}, got {got}")
    if normalizer is not None:
        normalizer.check_finite()
    return Call(
        member=member,
        stream_ids=np.arange(len(member)) if stream_ids is None else stream_ids,
        seed=check_seed("seed", seed),
        num_threads=chosen_threads(num_threads),
        normalizer=normalizer.copy() if normalizer is not None else None,
        update_normalizer=update_normalizer and normalizer is not None,
    )


def check_policy(policy: Any) -> None:
    """Whether it is a policy stack that can act."""
    check_type("policy", policy, GaussianPolicy, "a pgcore.GaussianPolicy")
    if not bool(np.isfinite(policy.flat.numpy()).all()):
        raise ValueError("policy: expected finite parameters, got NaN or infinity")


def _checked_streams(streams: Any, members: int) -> I64:
    """The member of each stream, [S]."""
    if isinstance(streams, np.ndarray):
        if streams.ndim != 1 or streams.dtype != np.int64:
            got_text = f"{list(streams.shape)} of {streams.dtype}"
            raise TypeError(f"streams: expected a count or an array [S] of int64, got {got_text}")
        if not len(streams):
            raise ValueError("streams: expected at least one stream, got none")
        outside = streams[(streams < 0) | (streams >= members)]
        if len(outside):
            known = f"members from 0 to {members - 1}"
            raise ValueError(f"streams: expected {known}, got {outside[0]}")
        return np.ascontiguousarray(streams)
    count = check_count("streams", streams)
    check_memory("streams", streams, 128.0 * count * members, "ask for fewer, in several calls")
    return np.repeat(np.arange(members), count)


def check_transitions(task: AnyTask, streams: int, steps: int, keep_states: bool) -> None:
    """ValueError where the transitions of a call cannot fit into memory."""
    pair = 12.0 * task.obs_dim + 4 * task.act_dim + 30
    pair += (24 * task.obs_dim + 24) / (task.time_limit or steps)  # what is bootstrapped from
    if keep_states and isinstance(task, Task):
        pair += 16 * task.native.integration_size
    advice = "ask for fewer, or for fewer streams, in several calls"
    check_memory("steps", steps, float(streams) * steps * pair, advice)


def check_streams(task: AnyTask, policy: GaussianPolicy, call: Call) -> None:
    """What the native core checks itself, in its words, for what runs in Python."""
    for name in ("obs_dim", "act_dim"):
        expected, got = getattr(task, name), getattr(policy, name)
        if got != expected:
            raise ValueError(f"policy: expected {name} {expected} of the task, got {got}")
    ids = call.stream_ids
    if ids.dtype != np.int64 or ids.shape != call.member.shape:
        text = f"stream_ids: expected [S] = {list(call.member.shape)} of int64"
        error = ValueError if ids.dtype == np.int64 else TypeError
        raise error(f"{text}, got {list(ids.shape)} of {ids.dtype}")
    for stream_id in ids:
        if not 0 <= stream_id < 2**32:
            raise ValueError(f"stream_ids: expected ids from 0 to 2^32 - 1, got {stream_id}")


def kept_states(native: _core.Task, states: F64 | None) -> dict[str, Any]:
    """Fields of a batch: integration states [S, T, D], which begin with the time; their parts."""
    if states is None:
        return {}
    nq, nv = native.nq, native.nv
    qpos, qvel = states[..., 1 : 1 + nq], states[..., 1 + nq : 1 + nq + nv]
    return {"states": states, "qpos": qpos.copy(), "qvel": qvel.copy()}
