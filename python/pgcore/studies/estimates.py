"""Gradient estimates from many pairs, as sums: memory does not grow with their number."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pgcore.arrays import F64, I64
from pgcore.studies.agent import Agent
from pgcore.studies.sampling import Sampling, gradient_sums, sample_blocks
from pgcore.threads import one_torch_thread


@dataclass(frozen=True)
class GradientSums:
    """What is kept of many pairs: sums over groups of streams, never the pairs.

    Attributes:
        gradients: [G, P], mean over the pairs of each group (equation 1).
        square: mean over streams of |mean gradient of the stream|², for the noise scale.
        streams: number of streams.
        steps: pairs of each stream.
        trajectories: [G], trajectories that each group used.
    """

    gradients: F64
    square: float
    streams: int
    steps: int
    trajectories: F64


def sum_gradients(
    agent: Agent, n: int, groups: I64, seed: int, sampling: Sampling, num_threads: int
) -> GradientSums:
    """Gradient estimates of groups of streams, streamed in blocks: memory does not grow with n.

    Args:
        agent: at whose parameters.
        n: pairs per group.
        groups: [G], the first stream id of each group, far enough from each other.
        seed, sampling, num_threads: of the rollouts.
    """
    count, steps = sampling.streams(n)
    G, P = len(groups), agent.policy.flat.shape[1]
    totals, scores, squares = np.zeros((G, P)), np.zeros((G, P)), np.zeros(G)
    moments, trajectories = np.zeros((G, 2)), np.zeros(G)
    owner = np.repeat(np.arange(G), count)
    ids = (groups[:, None] + np.arange(count)).reshape(-1)
    normalized = sampling.advantages == "normalized"
    for part, batch in sample_blocks(agent, steps, ids, seed, num_threads):
        with one_torch_thread():
            advantages = sampling.judge(agent, batch)
            sums = gradient_sums(agent.policy, batch.inputs, batch.actions, advantages)
            if normalized:
                ones = np.ones_like(advantages)
                np.add.at(
                    scores,
                    owner[part],
                    gradient_sums(agent.policy, batch.inputs, batch.actions, ones),
                )
        np.add.at(totals, owner[part], sums)
        np.add.at(squares, owner[part], np.square(sums / steps).sum(1))
        both = np.stack([advantages.sum(1), np.square(advantages).sum(1)], axis=1)
        np.add.at(moments, owner[part], both)
        ended = batch.terminated | batch.truncated
        np.add.at(trajectories, owner[part], ended[:, :-1].sum(axis=1) + 1.0)
    pairs = count * steps
    gradients = totals / pairs
    if normalized:
        mean = moments[:, 0] / pairs
        std = np.sqrt((moments[:, 1] - pairs * mean**2) / (pairs - 1)) + 1e-8
        gradients = (gradients - mean[:, None] * scores / pairs) / std[:, None]
    square = float(squares.sum()) / (G * count)
    return GradientSums(gradients, square, G * count, steps, trajectories)
