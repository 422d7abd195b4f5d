"""Computed steps: what one PPO or TRPO update from a checkpoint does to the parameters.

Paper, footnote 1 and appendix A.4: gradient estimates are judged as such, and as the steps that an
algorithm makes of them.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from torch import Tensor

from pgcore.base.arrays import F64
from pgcore.base.threads import one_torch_thread
from pgcore.learning.optimizer import Adam
from pgcore.learning.ppo import TrainingData
from pgcore.studies.engine.checkpoints import Agent
from pgcore.studies.pairs.sampling import Sampling, sample_blocks
from pgcore.training.block import batch_values, update_policy


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


def computed_step(agent: Agent, data: TrainingData, seed: int, label: int) -> F64:
    """θ' - θ [P] after one policy update from the agent's parameters and optimiser state.

    Args:
        agent: where the step starts.
        data: the pairs [1, N, ...] that it is computed from.
        seed, label: of the minibatch order and of TRPO's Fisher subset.
    """
    pairs = data.advantages.shape[1]
    config = dataclasses.replace(
        agent.config,
        pairs=pairs,
        streams=1,
        trials=1,
        seed=seed,
        minibatches=min(agent.config.minibatches, pairs),
    )
    policy = agent.policy.with_members(agent.policy.flat)
    rate = config.policy_lr
    if config.anneal:
        rate *= 1 - agent.iteration / config.iterations
    optimizer = Adam(policy.flat, policy.flat_grad, rate, config.adam_eps)
    if agent.optimizer:
        optimizer.load_state(agent.optimizer)
    with one_torch_thread():
        update_policy(policy, optimizer, data, config, [label], agent.iteration)
    step: F64 = (policy.flat - agent.policy.flat)[0].numpy().astype(np.float64)
    return step
