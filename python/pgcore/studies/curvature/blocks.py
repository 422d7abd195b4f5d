"""Pairs of an agent, sampled once and gone through many times, in bounded memory."""

from __future__ import annotations

import functools
import math
import os
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import torch
from torch import Tensor

from pgcore.agent import Agent
from pgcore.base.arrays import F32
from pgcore.base.files import file_named
from pgcore.base.threads import check_stopped, one_torch_thread
from pgcore.learning.data import TrainingData
from pgcore.studies.pairs.sampling import Sampling, sample_blocks

BLOCK_PAIRS = 2048  # that a product works on at a time
MEMORY_BYTES = 200_000_000  # of pairs; what is more lies in a file


@dataclass(frozen=True)
class Block:
    """Some pairs, float64: inputs [1, B, O], actions [1, B, A], normalised advantages [1, B].

    Attributes:
        weight: B / N, their share of all pairs.
    """

    inputs: Tensor
    actions: Tensor
    advantages: Tensor
    weight: float


class _Rows:
    """Rows of float32 in blocks: in memory, or what does not fit there in a file."""

    def __init__(self, size: int, memory: float = math.inf, file: IO[bytes] | None = None) -> None:
        self.size, self.left, self.file = size, memory, file
        self.blocks: list[F32 | tuple[int, tuple[int, ...]]] = []

    def append(self, rows: F32) -> None:
        for start in range(0, len(rows), self.size):
            block = np.ascontiguousarray(rows[start : start + self.size])
            self.left -= block.nbytes
            if self.file is None or self.left >= 0:
                self.blocks.append(block.copy())
                continue
            with file_named(Path(tempfile.gettempdir())):
                self.blocks.append((self.file.tell(), block.shape))
                left = memoryview(block).cast("B")
                while left:  # a disk that is nearly full takes a part, and then none
                    left = left[self.file.write(left) :]

    def read(self, number: int) -> F32:
        """One block; several threads may read at a time."""
        block = self.blocks[number]
        if isinstance(block, np.ndarray):
            return block
        assert self.file is not None
        place, shape = block
        content = os.pread(self.file.fileno(), 4 * int(np.prod(shape)), place)
        return np.frombuffer(content, dtype=np.float32).reshape(shape)


@dataclass(frozen=True)
class Pairs:
    """N pairs of one trial of an agent at its parameters.

    Attributes:
        agent: who sampled them.
        rows: inputs, actions and advantage of each pair.
        count: N.
        mean, std: of the advantages (the std unbiased), by which they are normalised.
        trajectories, diverged: that they are from, and those that blew up.
        num_threads: of the tensor work.
    """

    agent: Agent
    rows: _Rows
    count: int
    mean: float
    std: float
    trajectories: float
    diverged: float
    num_threads: int

    def block(self, number: int) -> Block:
        """The pairs of one block."""
        rows = torch.from_numpy(self.rows.read(number).astype(np.float64))[None]
        inputs = self.agent.task.obs_dim
        normalised = (rows[..., -1] - self.mean) / (self.std + 1e-8)
        weight = rows.shape[1] / self.count
        return Block(rows[..., :inputs], rows[..., inputs:-1], normalised, weight)

    def mean_of(self, function: Callable[[Block], Tensor]) -> Tensor:
        """Mean over the pairs of a function that gives its mean over those of a block.

        Blocks are fixed, each on one torch thread, and summed in their order: the number of threads
        changes no bit.
        """

        def part(number: int) -> Tensor:
            block = self.block(number)
            return function(block) * block.weight

        check_stopped()
        numbers = range(len(self.rows.blocks))
        workers = min(self.num_threads, len(numbers))
        if workers == 1:
            with one_torch_thread():
                return functools.reduce(torch.add, map(part, numbers))
        with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            return functools.reduce(torch.add, pool.map(part, numbers))


@contextmanager
def sampled_pairs(
    agent: Agent,
    n: int,
    first: int,
    seed: int,
    sampling: Sampling,
    num_threads: int,
    *,
    size: int = BLOCK_PAIRS,
    memory: int = MEMORY_BYTES,
) -> Iterator[Pairs]:
    """About n pairs from fresh rollouts; see :meth:`Sampling.streams`.

    Up to ``memory`` bytes of them are held; the others lie in a file of the folder for temporary
    files (TMPDIR), which goes with the context, or with the process.

    Args:
        agent: one trial.
        n: pairs.
        first: id of their first stream.
        seed, sampling, num_threads: of the rollouts.
        size: pairs of a block.
        memory: bytes.
    """
    count, steps = sampling.streams(n)
    moments, ended, diverged = np.zeros(2), 0.0, 0.0
    with tempfile.TemporaryFile(buffering=0) as file:
        rows = _Rows(size, memory, file)
        ids = first + np.arange(count)
        for _, batch in sample_blocks(agent, steps, ids, seed, num_threads):
            with one_torch_thread():
                advantages = sampling.judge(agent, batch)
            moments += advantages.sum(), np.square(advantages).sum()
            ended += float((batch.terminated | batch.truncated)[:, :-1].sum())
            diverged += float(batch.diverged.sum())
            parts = (batch.inputs, batch.actions, advantages[..., None].astype(np.float32))
            whole = np.concatenate(parts, axis=-1)
            rows.append(whole.reshape(-1, whole.shape[-1]))
        N = count * steps
        mean = float(moments[0] / N)
        variance = max(float(moments[1]) - N * mean**2, 0.0) / max(N - 1, 1)
        yield Pairs(agent, rows, N, mean, variance**0.5, ended + count, diverged, num_threads)


def pairs_of(agent: Agent, data: TrainingData, num_threads: int) -> Pairs:
    """The pairs [1, N, ...] of an update, seen in the same way."""
    advantages = data.advantages[0].double()
    std = float(advantages.std()) if len(advantages) > 1 else 0.0
    rows = _Rows(BLOCK_PAIRS)
    rows.append(
        torch.cat([data.inputs[0], data.actions[0], data.advantages[0, :, None]], 1).numpy()
    )
    N, unknown = len(advantages), math.nan
    return Pairs(agent, rows, N, float(advantages.mean()), std, unknown, unknown, num_threads)
