"""Pairs of a frozen agent in blocks, their advantages, and their gradient sums."""

from __future__ import annotations

import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import torch

from pgcore.agent import Agent
from pgcore.base.arrays import F32, F64, I64
from pgcore.base.errors import check_choice, check_count
from pgcore.learning.advantages import BASELINES, Judgement, batch_values
from pgcore.learning.objectives import gaussian_log_prob_gradient
from pgcore.policies.mlp import mlp_backward, mlp_forward
from pgcore.policies.stack import GaussianPolicy, ValueNet
from pgcore.rollout.batch import RolloutBatch
from pgcore.rollout.collect import collect

CONVENTIONS = ("correct", "agent")
_BLOCK_BYTES = 200e6  # of transitions held at a time; two blocks are alive at once
_GRADIENT_STREAMS = 8  # whose activations are held at a time


@dataclass(frozen=True)
class Sampling:
    """How pairs are sampled and judged.

    Attributes:
        gamma: discount of the advantages.
        lam: GAE's lambda.
        baseline: "value" (the agent's value network) or "zero" (returns instead of advantages).
        advantages: "raw", or "normalized" over the pairs of an estimate (mean 0, std 1).
        conventions: at time limits and cuts: "correct" bootstraps from the observation that
            follows; "agent" does what the agent's training did.
        stream_steps: longest stream; n pairs are ceil(n / stream_steps) equal streams, each from
            a fresh reset, as an agent samples its iterations.
    """

    gamma: float = 0.99
    lam: float = 0.95
    baseline: str = "value"
    advantages: str = "raw"
    conventions: str = "correct"
    stream_steps: int = 2048

    def __post_init__(self) -> None:
        check_choice("baseline", self.baseline, BASELINES)
        check_choice("advantages", self.advantages, ("raw", "normalized"))
        check_choice("conventions", self.conventions, CONVENTIONS)
        check_count("stream_steps", self.stream_steps)
        if not 0 < self.gamma < 1:
            raise ValueError(f"gamma: expected a number between 0 and 1, got {self.gamma}")
        if not 0 <= self.lam <= 1:
            raise ValueError(f"lam: expected a number from 0 to 1, got {self.lam}")

    def streams(self, n: int) -> tuple[int, int]:
        """Number and length of the streams of n pairs."""
        count = math.ceil(n / self.stream_steps)
        return count, math.ceil(n / count)

    def judge(self, agent: Agent, batch: RolloutBatch, value: ValueNet | None = None) -> F64:
        """Advantages [S, T] of a batch; ``value`` stands in for the agent's value network."""
        rewards = agent.rewards(batch.rewards)
        rule = Judgement(self.gamma, self.lam)
        if self.baseline == "zero":
            return rule.returns(rewards, batch)
        if self.conventions == "agent":
            own = agent.judgement
            rule = replace(rule, time_limit=own.time_limit, cut=own.cut)
        values, bootstrap = batch_values(value or agent.check_value(), batch)
        return rule.advantages(rewards, batch, values, bootstrap)[0]


def sample_blocks(
    agent: Agent, steps: int, stream_ids: I64, seed: int, num_threads: int
) -> Iterator[tuple[slice, RolloutBatch]]:
    """Streams of an agent, in blocks; the next block is simulated while the caller uses one.

    The size of a block depends on the task and on ``steps`` alone, and so do the bits.

    Args:
        agent: who acts.
        steps: T of every stream.
        stream_ids: [S], the key of each stream's random numbers.
        seed: of the rollouts.
        num_threads: of the simulation.

    Yields:
        The block's slice of the streams, and its transitions.
    """
    pair = 8 * agent.task.obs_dim + 4 * agent.task.obs_dim + 4 * agent.task.act_dim + 30
    size = max(1, int(_BLOCK_BYTES / (steps * pair)))
    size = min(size, max(_GRADIENT_STREAMS, int(200_000 / steps)))
    parts = [slice(i, i + size) for i in range(0, len(stream_ids), size)]

    def simulate(part: slice) -> RolloutBatch:
        ids = stream_ids[part]
        return collect(
            agent.task,
            agent.policy,
            steps,
            np.zeros(len(ids), dtype=np.int64),
            seed=seed,
            num_threads=num_threads,
            normalizer=agent.normalizer,
            stream_ids=ids,
        )

    with ThreadPoolExecutor(1) as ahead:
        coming = ahead.submit(simulate, parts[0])
        for i, part in enumerate(parts):
            batch = coming.result()
            if i + 1 < len(parts):
                coming = ahead.submit(simulate, parts[i + 1])
            yield part, batch


def gradient_sums(policy: GaussianPolicy, inputs: F32, actions: F32, weights: F64) -> F64:
    """Σ_t ∇_θ log π_θ(a_t|s_t) w_t of every stream.

    Each stream is treated as a member of a stack that shares one policy's weights.

    Args:
        policy: a stack of one member with P parameters.
        inputs: [S, T, O]; actions: [S, T, A]; weights: [S, T].

    Returns:
        [S, P], in the order of ``policy.flat``.
    """
    pieces = [slice(i, i + _GRADIENT_STREAMS) for i in range(0, len(inputs), _GRADIENT_STREAMS)]
    return np.concatenate(
        [_gradient_sums(policy, inputs[p], actions[p], weights[p]) for p in pieces]
    )


def _gradient_sums(policy: GaussianPolicy, inputs: F32, actions: F32, weights: F64) -> F64:
    S = len(inputs)
    tensors = [t.data.expand(S, *t.shape[1:]) for t in policy.tensors]
    layers, log_std = policy.layer_tensors, tensors[-1]
    out = torch.empty(S, policy.flat.shape[1])
    gradients = policy.split(out)
    with torch.no_grad():
        mean, kept = mlp_forward(tensors[:layers], torch.from_numpy(inputs), policy.activation)
        z = (torch.from_numpy(actions) - mean) * torch.exp(-log_std).unsqueeze(1)
        slopes = torch.from_numpy(weights.astype(np.float32))
        d_mean, d_log_std = gaussian_log_prob_gradient(z, log_std, slopes)
        mlp_backward(tensors[:layers], kept, d_mean, policy.activation, gradients)
        gradients[-1].copy_(d_log_std)
    return out.numpy().astype(np.float64)
