"""Returns that are not cut short, and where they are known."""

from __future__ import annotations

import math

import numpy as np

from pgcore.base.arrays import F64, Bool
from pgcore.rollout.batch import RolloutBatch
from pgcore.rollout.returns import discounted_returns


def resolved_steps(gamma: float) -> int:
    """Steps after which a reward has a weight below 1 %."""
    return math.ceil(math.log(0.01) / math.log(gamma))


def resolved_returns(
    rewards: F64, batch: RolloutBatch, gamma: float, time_limit: int | None
) -> tuple[F64, Bool]:
    """Discounted returns that are not cut short, and where they are known.

    A return is known where the time limit and the stream's end are so far away that what they may
    cut off has a weight below 1 % (γ^k < 0.01). Whether the trajectory happens to terminate earlier
    must not matter: keeping just those pairs near an end would select low returns.

    Args:
        rewards: [S, T], on the scale of interest.
        batch: the transitions of streams that begin with a reset.
        gamma: discount.
        time_limit: of the task.

    Returns:
        returns [S, T], and known [S, T].
    """
    flags = (batch.terminated, batch.truncated)
    returns = discounted_returns(rewards, np.zeros_like(rewards), *flags, gamma)
    tail = resolved_steps(gamma)
    steps = np.arange(rewards.shape[1])
    ended = (batch.terminated | batch.truncated)[:, :-1]
    first = np.zeros(rewards.shape, dtype=np.int64)  # the step that its trajectory began with
    first[:, 1:] = np.maximum.accumulate(np.where(ended, steps[1:], 0), axis=1)
    known = np.broadcast_to(steps + tail <= rewards.shape[1], rewards.shape)
    if time_limit is not None:
        known = known & (steps - first + tail <= time_limit)
    return returns, known
