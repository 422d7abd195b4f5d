"""What continuations of states have in common: checks, the call of the core, and its errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pgcore import _core
from pgcore.base.arrays import I64
from pgcore.base.errors import SimulationError
from pgcore.policies.gaussian import GaussianPolicy
from pgcore.policies.normalize import Normalizer
from pgcore.rollout.call import Call, check_call, check_policy
from pgcore.rollout.collect import check_task, native_arguments
from pgcore.tasks.actions import chosen_actions
from pgcore.tasks.gymnasium import AnyTask, GymnasiumTask
from pgcore.tasks.task import Task


@dataclass(frozen=True)
class Branches:
    """Checked states of a policy's own streams, to go on from.

    Attributes:
        task, policy: of one member.
        at: [B], the step of each stream at which its state is taken.
        call: the streams.
        actions: the map of sampled actions.
    """

    task: Task
    policy: GaussianPolicy
    at: I64
    call: Call
    actions: str

    @staticmethod
    def of(
        who: str,
        task: AnyTask,
        policy: GaussianPolicy,
        at: I64,
        stream_ids: I64 | None,
        seed: int,
        num_threads: int | None,
        normalizer: Normalizer | None,
        actions: str | None,
    ) -> Branches:
        """ValueError or TypeError for a bad argument; ``who`` is the function that was called."""
        native = check_task(task, None)
        if isinstance(native, GymnasiumTask):
            raise ValueError(f"{who}: needs to restore a simulator's state, which {task.id} cannot")
        check_policy(policy)
        if policy.members != 1:
            raise ValueError(
                f"policy: expected a stack of one member, got {policy.members} members"
            )
        if not _is_int64(at) or at.ndim != 1 or not len(at):
            raise ValueError(f"at: expected an int64 array [B] of steps, got {_shown(at)}")
        if (at < 0).any():
            raise ValueError(f"at: expected steps >= 0, got {at.min()}")
        B = len(at)
        ids = (
            np.arange(B) if stream_ids is None else check_numbers("stream_ids", stream_ids, "B", B)
        )
        call = check_call(
            policy, np.zeros(B, dtype=np.int64), ids, seed, num_threads, normalizer, False
        )
        return Branches(native, policy, at, call, chosen_actions(native, actions))

    def run(self, **options: Any) -> dict[str, Any]:
        """What the core gives of them, with what it takes beside them."""
        own = native_arguments(self.task, self.policy, self.call, False, False, self.actions)
        raw: dict[str, Any] = _core.branch(**own, at=np.ascontiguousarray(self.at), **options)
        return raw


def raise_errors(raw: dict[str, Any], result: Any) -> None:
    """SimulationError with the result, if MuJoCo raised one."""
    if raw["errors"]:
        streams, messages = zip(*raw["errors"], strict=True)
        raise SimulationError(streams, messages, result)


def check_numbers(name: str, values: I64, dim: str, size: int) -> I64:
    """Values that are an int64 array of one size, none negative."""
    if not _is_int64(values) or values.shape != (size,):
        raise ValueError(f"{name}: expected int64 [{dim}] = [{size}], got {_shown(values)}")
    if (values < 0).any():
        raise ValueError(f"{name}: expected numbers >= 0, got {values.min()}")
    return values


def _is_int64(values: Any) -> bool:
    return isinstance(values, np.ndarray) and values.dtype == np.int64


def _shown(values: Any) -> str:
    return f"{list(np.shape(values))} of {getattr(values, 'dtype', type(values).__name__)}"
