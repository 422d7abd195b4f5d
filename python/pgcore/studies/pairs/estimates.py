"""Gradient estimates from many pairs, as sums: memory does not grow with their number."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from pgcore.agent import Agent
from pgcore.base.arrays import F64, I64
from pgcore.base.threads import one_torch_thread
from pgcore.policies.gaussian import gradient_sums
from pgcore.rollout.batch import RolloutBatch
from pgcore.studies.pairs.sampling import Sampling, sample_blocks


@dataclass(frozen=True)
class GradientSums:
    """What is kept of many pairs: sums over groups of streams, never the pairs.

    Attributes:
        gradients: [G, P], mean over the pairs of each group (equation 1).
        square: mean over streams of |mean gradient of the stream|², for the noise scale; with
            normalised advantages, those of its group.
        streams: number of streams.
        steps: pairs of each stream.
        trajectories: [G], trajectories that each group used.
    """

    gradients: F64
    square: float
    streams: int
    steps: int
    trajectories: F64
    diverged: F64


Judge = Callable[[RolloutBatch], F64]  # advantages [S, T] of a batch


def sum_gradients(
    agent: Agent,
    n: int,
    groups: I64,
    seed: int,
    sampling: Sampling,
    num_threads: int,
    keep: Callable[[RolloutBatch], None] | None = None,
) -> GradientSums:
    """Gradient estimates of groups of streams, streamed in blocks: memory does not grow with n.

    Args:
        agent: at whose parameters.
        n: pairs per group.
        groups: [G], the first stream id of each group, far enough from each other.
        seed, sampling, num_threads: of the rollouts.
        keep: gets every block, group after group.
    """

    def judge(batch: RolloutBatch) -> F64:
        return sampling.judge(agent, batch)

    return compare_judges(agent, n, groups, seed, sampling, [judge], num_threads, keep)[0]


def compare_judges(
    agent: Agent,
    n: int,
    groups: I64,
    seed: int,
    sampling: Sampling,
    judges: Sequence[Judge],
    num_threads: int,
    keep: Callable[[RolloutBatch], None] | None = None,
) -> list[GradientSums]:
    """:func:`sum_gradients` with several definitions of the advantages, on the same pairs."""
    count, steps = sampling.streams(n)
    if len(groups) > 1 and count > int(np.diff(np.sort(groups)).min()):
        raise ValueError(
            f"stream_steps: {n} pairs are {count} streams, more than an estimate may have; "
            "choose longer streams"
        )
    ids = (groups[:, None] + np.arange(count)).reshape(-1)
    owner = np.repeat(np.arange(len(groups)), count)
    shape = (len(groups), agent.policy.flat.shape[1])
    totals = [_Totals(shape, sampling.advantages == "normalized") for _ in judges]
    trajectories, diverged = np.zeros(len(groups)), np.zeros(len(groups))
    for part, batch in sample_blocks(agent, steps, ids, seed, num_threads):
        ended = batch.terminated | batch.truncated
        np.add.at(trajectories, owner[part], ended[:, :-1].sum(axis=1) + 1.0)
        np.add.at(diverged, owner[part], batch.diverged.sum(axis=1))
        with one_torch_thread():
            for judge, total in zip(judges, totals, strict=True):
                total.add(agent, batch, judge(batch), owner[part])
        if keep is not None:
            keep(batch)
    pairs = count * steps
    return [
        GradientSums(
            total.gradients(pairs),
            float(total.squares(pairs).sum()) / len(ids) / steps**2,
            len(ids),
            steps,
            trajectories,
            diverged,
        )
        for total in totals
    ]


class _Totals:
    """Running sums over the streams of G groups, for one definition of the advantages."""

    def __init__(self, shape: tuple[int, int], normalized: bool) -> None:
        self.normalized = normalized
        self.weighted, self.scores = np.zeros(shape), np.zeros(shape)
        self.products, self.moments = np.zeros((shape[0], 3)), np.zeros((shape[0], 2))

    def add(self, agent: Agent, batch: RolloutBatch, advantages: F64, owner: I64) -> None:
        pairs = (agent.policy, batch.inputs, batch.actions)
        sums = gradient_sums(*pairs, advantages)
        np.add.at(self.weighted, owner, sums)
        products = np.zeros((len(owner), 3))
        products[:, 0] = np.square(sums).sum(1)
        if self.normalized:
            scores = gradient_sums(*pairs, np.ones_like(advantages))
            np.add.at(self.scores, owner, scores)
            both = np.stack([advantages.sum(1), np.square(advantages).sum(1)], axis=1)
            np.add.at(self.moments, owner, both)
            products[:, 1], products[:, 2] = (sums * scores).sum(1), np.square(scores).sum(1)
        np.add.at(self.products, owner, products)

    def gradients(self, pairs: int) -> F64:
        """Mean over the pairs of each group. Normalising is linear: (Σ∇ A - mean Σ∇) / std."""
        if not self.normalized:
            return self.weighted / pairs
        mean, std = self._mean_std(pairs)
        return (self.weighted - mean[:, None] * self.scores) / pairs / std[:, None]

    def squares(self, pairs: int) -> F64:
        """Sum over the streams of each group of |gradient sum of the stream|² [G]."""
        if not self.normalized:
            return self.products[:, 0]
        mean, std = self._mean_std(pairs)
        weights = np.stack([np.ones_like(mean), -2 * mean, mean**2], axis=1)
        return np.asarray((self.products * weights).sum(1) / std**2)

    def _mean_std(self, pairs: int) -> tuple[F64, F64]:
        """Of the advantages of each group."""
        mean = self.moments[:, 0] / pairs
        return mean, np.sqrt((self.moments[:, 1] - pairs * mean**2) / (pairs - 1)) + 1e-8
