"""Computed steps: what one PPO or TRPO update from a checkpoint does to the parameters.

Paper, footnote 1 and appendix A.4: gradient estimates are judged as such, and as the steps that an
algorithm makes of them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from pgcore.agent import Agent
from pgcore.base.arrays import F64
from pgcore.base.errors import LeftOutError
from pgcore.base.threads import one_torch_thread
from pgcore.learning.advantages import batch_values
from pgcore.learning.data import TrainingData
from pgcore.learning.watch import Watch
from pgcore.rollout.batch import RolloutBatch
from pgcore.studies.pairs.sampling import Sampling, block_streams, sample_blocks

STREAM_IDS = 1 << 20  # that one of several steps or updates may use
MOST_STEPS = 4000  # so that all of them have stream ids of their own


def step_data(
    agent: Agent, n: int, stream_ids: list[int], seed: int, sampling: Sampling, num_threads: int
) -> TrainingData:
    """The pairs [1, N, ...] of one estimate, as an update takes them; N = streams x steps.

    Args:
        agent: who samples.
        n: pairs asked for; see :meth:`Sampling.streams`.
        stream_ids: keys of the streams' random numbers.
        seed, sampling, num_threads: of the rollouts.
    """
    _, steps = sampling.streams(n)
    pairs = _Pairs(agent, len(stream_ids) * steps, sampling)
    ids = np.array(stream_ids, dtype=np.int64)
    for _, batch in sample_blocks(agent, steps, ids, seed, num_threads):
        pairs.add(batch)
    return pairs.data


def numbered_data(
    agent: Agent, n: int, number: int, seed: int, sampling: Sampling, num_threads: int
) -> TrainingData:
    """:func:`step_data` of one of several steps from n pairs each, whose streams no other has."""
    ids = [number * STREAM_IDS + i for i in range(sampling.streams(n)[0])]
    return step_data(agent, n, ids, seed, sampling, num_threads)


def finite_update(
    agent: Agent, data: TrainingData, seed: int, label: int = 0, watch: Watch | None = None
) -> F64:
    """:meth:`pgcore.Agent.updated` for what cannot go on without a step [P].

    Raises:
        LeftOutError: the update diverges.
    """
    step = agent.updated(data, seed, label, watch)
    if not np.isfinite(step).all():
        raise LeftOutError("its own update diverges: parameters that are not finite")
    return step


class StepPairs:
    """The pairs of one estimate after the other, from blocks of all their streams.

    They are what :func:`step_data` gives of an estimate's streams, to the bit; no more is held than
    one estimate and a block.
    """

    def __init__(
        self, agent: Agent, n: int, sampling: Sampling, take: Callable[[TrainingData], None]
    ) -> None:
        """``take`` gets the pairs of each estimate, in the order of the estimates."""
        self.agent, self.sampling, self.take = agent, sampling, take
        self.count, self.steps = sampling.streams(n)
        self.block = block_streams(agent, self.steps)
        self._begin()

    def _begin(self) -> None:
        """The next estimate."""
        self._pairs = _Pairs(self.agent, self.count * self.steps, self.sampling)
        self._seen = 0  # of its streams
        self._waiting: list[RolloutBatch] = []  # parts of a block of its own

    def add(self, batch: RolloutBatch) -> None:
        """The next streams; they follow those of the last call."""
        first, streams = 0, len(batch.member)
        while first < streams:
            # values of a pair may round otherwise beside others: blocks as without other estimates
            ends = min(self._seen - self._seen % self.block + self.block, self.count)
            more = min(ends - self._seen, streams - first)
            self._waiting.append(_streams_of(batch, first, first + more))
            first, self._seen = first + more, self._seen + more
            if self._seen == ends:
                self._pairs.add(_joined(self._waiting))
                self._waiting = []
            if self._seen == self.count:
                data = self._pairs.data
                self._begin()
                self.take(data)


class _Pairs:
    """The pairs of an estimate, filled block by block."""

    def __init__(self, agent: Agent, pairs: int, sampling: Sampling) -> None:
        self.agent, self.sampling, self.filled = agent, sampling, 0
        task, scalars = agent.task, [torch.empty(1, pairs) for _ in range(5)]
        self.data = TrainingData(
            torch.empty(1, pairs, task.obs_dim), torch.empty(1, pairs, task.act_dim), *scalars
        )

    def add(self, batch: RolloutBatch) -> None:
        with one_torch_thread():
            advantages = self.sampling.judge(self.agent, batch).astype(np.float32)
            values = np.zeros_like(batch.log_probs)
            if self.agent.value is not None:
                values, _ = batch_values(self.agent.value, batch)
        arrays = {
            "inputs": batch.inputs,
            "actions": batch.actions,
            "log_probs": batch.log_probs,
            "advantages": advantages,
            "values": values,
            "targets": values + advantages,
            "weights": np.ones_like(values),
        }
        part = slice(self.filled, self.filled + batch.rewards.size)
        for name, array in arrays.items():
            flat = array.reshape(-1, *array.shape[2:])
            getattr(self.data, name)[0, part] = torch.from_numpy(flat)
        self.filled = part.stop


# what belongs to each stream, and to each observation that follows a truncation or the end
_OF_STREAMS = (
    *("obs", "inputs", "actions", "log_probs", "rewards", "terminated", "truncated", "diverged"),
    *("member", "stream_ids", "warnings", "reward_fault"),
)
_OF_BOOTSTRAP = ("bootstrap_obs", "bootstrap_inputs")


def _streams_of(batch: RolloutBatch, first: int, end: int) -> RolloutBatch:
    """Streams first..end-1 of a batch."""
    if (first, end) == (0, len(batch.member)):
        return batch
    stream = batch.bootstrap_index[:, 0]
    there = (first <= stream) & (stream < end)
    arrays: dict[str, Any] = {name: getattr(batch, name)[first:end] for name in _OF_STREAMS}
    arrays |= {name: getattr(batch, name)[there] for name in _OF_BOOTSTRAP}
    index = batch.bootstrap_index[there] - np.array([first, 0])
    return dataclasses.replace(batch, **arrays, bootstrap_index=index)


def _joined(parts: Sequence[RolloutBatch]) -> RolloutBatch:
    """The streams of several batches in one."""
    if len(parts) == 1:
        return parts[0]
    firsts = np.cumsum([0, *(len(p.member) for p in parts[:-1])])
    index = [p.bootstrap_index + np.array([i, 0]) for p, i in zip(parts, firsts, strict=True)]
    names = (*_OF_STREAMS, *_OF_BOOTSTRAP)
    arrays: dict[str, Any] = {n: np.concatenate([getattr(p, n) for p in parts]) for n in names}
    return dataclasses.replace(parts[0], **arrays, bootstrap_index=np.concatenate(index))
