"""Computed steps: what one PPO or TRPO update from a checkpoint does to the parameters.

Paper, footnote 1 and appendix A.4: gradient estimates are judged as such, and as the steps that an
algorithm makes of them.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from pgcore.agent import Agent
from pgcore.base.threads import one_torch_thread
from pgcore.learning.advantages import batch_values
from pgcore.learning.data import TrainingData
from pgcore.studies.pairs.sampling import Sampling, sample_blocks


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
    pieces: dict[str, list[Tensor]] = {}
    ids = np.array(stream_ids, dtype=np.int64)
    for _, batch in sample_blocks(agent, steps, ids, seed, num_threads):
        with one_torch_thread():
            advantages = sampling.judge(agent, batch).astype(np.float32)
            values = np.zeros_like(batch.log_probs)
            if agent.value is not None:
                values, _ = batch_values(agent.value, batch)
        arrays = {
            "inputs": batch.inputs,
            "actions": batch.actions,
            "log_probs": batch.log_probs,
            "advantages": advantages,
            "values": values,
        }
        for name, array in arrays.items():
            pieces.setdefault(name, []).append(
                torch.from_numpy(array.reshape(-1, *array.shape[2:]).copy())
            )
    tensors = {name: torch.cat(parts)[None] for name, parts in pieces.items()}
    values_ = tensors["values"]
    return TrainingData(
        **tensors,
        targets=values_ + tensors["advantages"],
        weights=torch.ones_like(values_),
    )
