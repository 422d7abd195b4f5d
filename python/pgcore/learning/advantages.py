"""From a rollout to values, advantages and targets: one room for training and studies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from pgcore.base.arrays import F32, F64
from pgcore.learning.ranges import check_ranges
from pgcore.policies.value import ValueNet
from pgcore.rollout.batch import RolloutBatch
from pgcore.rollout.returns import discounted_returns, gae, successor_values


@dataclass(frozen=True)
class Judgement:
    """How the pairs of a rollout are judged.

    Attributes:
        gamma: discount.
        lam: GAE's lambda.
        baseline: "value", a value network, or "zero": advantages are returns.
        time_limit, cut: see :func:`pgcore.rollout.returns.successor_values`.
    """

    gamma: float = 0.99
    lam: float = 0.95
    baseline: str = "value"
    time_limit: str = "bootstrap"
    cut: str = "next"

    def __post_init__(self) -> None:
        check_ranges(self)

    def advantages(
        self, rewards: F64, batch: RolloutBatch, values: F32, bootstrap: F32
    ) -> tuple[F64, F64]:
        """Advantages and value targets [S, T].

        Args:
            rewards: [S, T], on the scale of the values.
            batch: the rollout.
            values, bootstrap: of :func:`batch_values`.
        """
        flags = (batch.terminated, batch.truncated)
        after = successor_values(
            values,
            bootstrap,
            batch.bootstrap_index,
            batch.truncated,
            time_limit=self.time_limit,
            cut=self.cut,
        )
        advantages, targets = gae(rewards, values, after, *flags, self.gamma, self.lam)
        return (self.returns(rewards, batch) if self.baseline == "zero" else advantages), targets

    def returns(self, rewards: F64, batch: RolloutBatch) -> F64:
        """Returns [S, T], cut off where a trajectory is."""
        flags = (batch.terminated, batch.truncated)
        return discounted_returns(rewards, np.zeros_like(rewards), *flags, self.gamma)


def batch_values(value: ValueNet, batch: RolloutBatch) -> tuple[F32, F32]:
    """V of every observation [S, T] and of every bootstrap observation [K], float32.

    Streams of a member must be neighbours and equal in number, as :func:`collect` makes them.
    """
    S, T, obs_dim = batch.inputs.shape
    members = value.members
    with torch.no_grad():
        inputs = torch.from_numpy(batch.inputs).view(members, -1, obs_dim)
        values = value(inputs).reshape(S, T).numpy()
        # bootstrap observations: as many as a stream has at most, the rest is padding
        owner = batch.member[batch.bootstrap_index[:, 0]]
        bootstrap = np.zeros(len(owner), dtype=np.float32)
        counts = np.bincount(owner, minlength=members)
        padded = np.zeros((members, counts.max(initial=0), obs_dim), dtype=np.float32)
        slot = np.arange(len(owner)) - np.concatenate([[0], np.cumsum(counts)[:-1]])[owner]
        padded[owner, slot] = batch.bootstrap_inputs
        if len(owner):
            bootstrap = value(torch.from_numpy(padded)).numpy()[owner, slot]
    return values, bootstrap
