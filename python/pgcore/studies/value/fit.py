"""The "true" value: a network fitted to the returns of many pairs of a frozen policy."""

from __future__ import annotations

import numpy as np
import torch

from pgcore.agent import Agent
from pgcore.base.arrays import F64
from pgcore.base.seeds import derive_seed
from pgcore.base.threads import one_torch_thread
from pgcore.learning.advantages import batch_values
from pgcore.learning.optimizer import Adam
from pgcore.policies.mlp import mlp_backward, mlp_forward
from pgcore.policies.value import ValueNet
from pgcore.studies.measures.value import MEASURES, error_measures
from pgcore.studies.pairs.sampling import Sampling, sample_blocks
from pgcore.studies.value.returns import resolved_returns

_FIT_RATE, _FIT_BATCH, _FIT_PASSES = 2e-3, 128, 2


def fit_value(
    agent: Agent,
    pairs: int,
    seed: int,
    sampling: Sampling,
    num_threads: int,
    *,
    limited: bool = False,
) -> tuple[ValueNet, F64, float]:
    """A value network fitted to the returns of many pairs of a frozen policy: the "true" value.

    Pairs are simulated in blocks, used and forgotten: memory does not grow with their number.
    Adam's learning rate falls linearly to 0; the network starts from the agent's own.

    Args:
        agent: whose policy, normaliser, reward scale and kind of network.
        pairs: for the fit; a tenth of them more, of other streams, judge it.
        seed, sampling, num_threads: of the rollouts.
        limited: whether returns end at the time limit; else those that it cuts are left out.

    Returns:
        The network, its held-out :func:`error_measures` (means over blocks; NaN if no return is
        known), and the share of pairs whose return is known.
    """
    own = agent.check_value()
    value = own.with_members(own.flat)
    optimizer = Adam(value.flat, value.flat_grad, _FIT_RATE)
    count, steps = sampling.streams(pairs)
    seen, known_pairs = 0, 0
    limit = None if limited else agent.task.time_limit
    ids = np.arange(count)
    for part, batch in sample_blocks(agent, steps, ids, seed, num_threads):
        rewards = agent.rewards(batch.rewards)
        returns, known = resolved_returns(rewards, batch, sampling.gamma, limit)
        bits = np.random.Philox(key=derive_seed(seed, "order", part.start))
        order = np.random.Generator(bits).permutation(int(known.sum()))
        inputs = torch.from_numpy(batch.inputs[known][order])[None]
        targets = torch.from_numpy(returns[known][order].astype(np.float32))[None]
        with one_torch_thread():
            left = 1 - np.array([seen, seen + batch.rewards.size]) / (count * steps)
            _fit_block(value, optimizer, inputs, targets, left)
        seen += batch.rewards.size
        known_pairs += len(order)
    errors, weights = np.zeros(len(MEASURES)), 0.0
    others = np.arange(max(1, count // 10)) + (1 << 30)
    for _, batch in sample_blocks(agent, steps, others, seed, num_threads):
        rewards = agent.rewards(batch.rewards)
        returns, known = resolved_returns(rewards, batch, sampling.gamma, limit)
        with one_torch_thread():
            values = batch_values(value, batch)[0].astype(np.float64)
        if known.sum() >= 2:
            errors += known.sum() * error_measures(values[known], returns[known])
            weights += float(known.sum())
    return value, errors / weights if weights else errors + np.nan, known_pairs / seen


def _fit_block(
    value: ValueNet,
    optimizer: Adam,
    inputs: torch.Tensor,
    targets: torch.Tensor,
    left: F64,
) -> None:
    """Passes of minibatch regression over one block [1, N, ...].

    ``left`` [2] is the share of the fit that is left before and after it.
    """
    tensors, gradients = [t.data for t in value.tensors], value.split(value.flat_grad)
    starts = [*range(0, inputs.shape[1], _FIT_BATCH)] * _FIT_PASSES
    with torch.no_grad():
        for i, rate in zip(
            starts, _FIT_RATE * np.linspace(left[0], left[1], len(starts)), strict=True
        ):
            optimizer.lr = float(rate)
            x, target = inputs[:, i : i + _FIT_BATCH], targets[:, i : i + _FIT_BATCH]
            out, kept = mlp_forward(tensors, x, value.activation)
            slope = 2 * (out.squeeze(-1) - target) / target.shape[1]
            mlp_backward(tensors, kept, slope.unsqueeze(-1), value.activation, gradients)
            optimizer.step()
