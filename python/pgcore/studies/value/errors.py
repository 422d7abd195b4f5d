"""How well value networks predict, along training (paper, section 2.2, figures 3, 11 and 12).

At a checkpoint, one iteration is run as training ran it. The value network that comes out is judged
on the pairs that it was trained on and on held-out pairs of the same policy, against the target
that it was trained on (V_old + GAE advantage) and against the returns.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from pgcore.base.arrays import F64, Bool
from pgcore.base.seeds import derive_seed
from pgcore.base.threads import one_torch_thread
from pgcore.learning.optimizer import Adam
from pgcore.policies.mlp import mlp_backward, mlp_forward
from pgcore.policies.value import ValueNet
from pgcore.rollout.batch import RolloutBatch
from pgcore.rollout.collect import collect
from pgcore.rollout.returns import discounted_returns
from pgcore.studies.engine.cells import Values
from pgcore.studies.engine.checkpoints import Agent, Checkpoints
from pgcore.studies.pairs.sampling import Sampling, resolved_returns, sample_blocks
from pgcore.training.block import Agents, batch_values

SETS = ("train", "held-out")
TARGETS = ("gae", "returns")
MEASURES = ("mre", "median_re", "squared_re", "normalized", "explained_variance")
_HELD_OUT_IDS = 1 << 30  # stream ids that training never uses


def error_measures(values: F64, targets: F64) -> F64:
    """Errors of V against targets, in the order of :data:`MEASURES`; float64.

    mre: mean(|V - t| / |t|). median_re: its median. squared_re: mean((V - t)² / |t|), what the
    companion code calls MRE for the GAE target. normalized: root mean square error by the std of
    the targets. explained_variance: 1 - Var(t - V) / Var(t).
    """
    if len(targets) < 2:
        return np.full(len(MEASURES), np.nan)
    error, size = np.abs(values - targets), np.maximum(np.abs(targets), 1e-12)
    spread = max(float(targets.std()), 1e-12)
    return np.array(
        [
            np.mean(error / size),
            np.median(error / size),
            np.mean(error**2 / size),
            np.sqrt(np.mean(error**2)) / spread,
            1 - np.var(targets - values) / spread**2,
        ]
    )


@dataclass(frozen=True)
class ValueErrors:
    """The cell of ``errors.zarr``.

    Attributes:
        checkpoints: the agents.
        pairs: held-out pairs.
        returns: "resolved", returns that are not cut short (others are left out), or "cut", the
            paper's: cut at the time limit and at the end of the iteration's pairs.
        seed: of the held-out rollouts.
        sampling: gamma and lam are the agent's own; only the streams' length is used, and held-out
            streams are no longer than an agent's, whose states and cuts they are to have.
    """

    checkpoints: Checkpoints
    pairs: int
    returns: str
    seed: int
    sampling: Sampling

    def __call__(self, at: dict[str, Any], num_threads: int) -> Values:
        with one_torch_thread():
            return self._measure(at["algorithm"], at["iteration"], at["trial"], num_threads)

    def _measure(self, algorithm: str, iteration: int, trial: int, num_threads: int) -> Values:
        agents = self._trainer(algorithm, iteration, trial)
        before = agents.value.with_members(agents.value.flat)
        policy = agents.policy.with_members(agents.policy.flat)
        batch = agents.rollout(iteration, num_threads)
        data = agents.training_data(batch)
        agents.update(data, iteration)

        config = agents.config
        longest = min(self.sampling.stream_steps, config.pairs // config.streams)
        fresh = dataclasses.replace(self.sampling, stream_steps=longest)
        count, steps = fresh.streams(self.pairs)  # cut where training cuts
        held_out = collect(
            agents.task,
            policy,
            steps,
            np.zeros(count, dtype=np.int64),
            seed=derive_seed(self.seed, "held-out", algorithm, iteration, trial),
            num_threads=num_threads,
            normalizer=agents.normalizer,
            stream_ids=np.arange(count) + _HELD_OUT_IDS,
        )
        judge = dataclasses.replace(
            self.checkpoints.agent(algorithm, iteration, trial), value=before
        )
        if agents.scaler is not None:
            count_, _, m2, _ = agents.scaler.state[0]
            judge = dataclasses.replace(judge, reward_std=float(np.sqrt(m2 / (count_ - 1))))
        errors = np.full((len(SETS), len(TARGETS), len(MEASURES)), np.nan)
        known = np.zeros((len(SETS), len(TARGETS)))
        for i, pairs in enumerate((batch, held_out)):
            targets = self._targets(judge, pairs)
            if i == 0:
                own = data.targets.numpy().astype(np.float64).reshape(batch.rewards.shape)
                targets["gae"] = (own, targets["gae"][1])
            values = batch_values(agents.value, _as_one_member(pairs))[0].astype(np.float64)
            for j, name in enumerate(TARGETS):
                target, mask = targets[name]
                errors[i, j] = error_measures(values[mask], target[mask])
                known[i, j] = mask.mean()
        return {"error": errors, "share": known}

    def _trainer(self, algorithm: str, iteration: int, trial: int) -> Agents:
        """The training of one trial, as it was at a checkpoint."""
        checkpoint = self.checkpoints.checkpoint(algorithm, iteration)
        agents = Agents(checkpoint.task(), checkpoint.config, [trial])
        own = slice(trial, trial + 1)
        agents.load_state({name: array[own] for name, array in checkpoint.state.items()})
        return agents

    def _targets(self, judge: Agent, batch: RolloutBatch) -> dict[str, tuple[F64, Bool]]:
        """Targets [S, T] and where they are known, by name."""
        config = judge.config
        own = Sampling(config.gamma, config.lam, conventions="agent")
        one = _as_one_member(batch)
        gae = own.judge(judge, one) + batch_values(judge.value, one)[0]
        rewards = judge.rewards(batch.rewards)
        everywhere = np.ones(rewards.shape, dtype=np.bool_)
        if self.returns == "cut":
            flags = (batch.terminated, batch.truncated)
            zeros = np.zeros_like(rewards)
            returns = (discounted_returns(rewards, zeros, *flags, config.gamma), everywhere)
        else:
            limit = self.checkpoints.task().time_limit
            returns = resolved_returns(rewards, batch, config.gamma, limit)
        return {"gae": (gae, everywhere), "returns": returns}


def _as_one_member(batch: RolloutBatch) -> RolloutBatch:
    """The batch of a stack of one member."""
    return dataclasses.replace(batch, member=np.zeros(len(batch.rewards), dtype=np.int64))


def fit_value(
    agent: Agent, pairs: int, seed: int, sampling: Sampling, num_threads: int
) -> tuple[ValueNet, F64, float]:
    """A value network fitted to the returns of many pairs of a frozen policy: the "true" value.

    Pairs are simulated in blocks, used and forgotten: memory does not grow with their number.
    Adam's learning rate falls linearly to 0; the network starts from the agent's own.

    Args:
        agent: whose policy, normaliser, reward scale and kind of network.
        pairs: for the fit; a tenth of them more, of other streams, judge it.
        seed, sampling, num_threads: of the rollouts.

    Returns:
        The network, its held-out :func:`error_measures` (means over blocks; NaN if no return is
        known), and the share of pairs whose return is known.
    """
    value = agent.value.with_members(agent.value.flat)
    optimizer = Adam(value.flat, value.flat_grad, _FIT_RATE)
    count, steps = sampling.streams(pairs)
    seen, known_pairs = 0, 0
    ids = np.arange(count)
    for part, batch in sample_blocks(agent, steps, ids, seed, num_threads):
        rewards = agent.rewards(batch.rewards)
        returns, known = resolved_returns(rewards, batch, sampling.gamma, agent.task.time_limit)
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
        returns, known = resolved_returns(rewards, batch, sampling.gamma, agent.task.time_limit)
        with one_torch_thread():
            values = batch_values(value, batch)[0].astype(np.float64)
        if known.sum() >= 2:
            errors += known.sum() * error_measures(values[known], returns[known])
            weights += float(known.sum())
    return value, errors / weights if weights else errors + np.nan, known_pairs / seen


_FIT_RATE, _FIT_BATCH, _FIT_PASSES = 2e-3, 128, 2


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
