"""How well value networks predict, along training (paper, section 2.2, figures 3, 11 and 12).

At a run's checkpoint, one iteration is run as training ran it. The value network that comes out is
judged on the pairs that it was trained on and on held-out pairs of the same policy, against the
target that it was trained on (V_old + GAE advantage) and against the returns. An agent that is no
run's is judged on held-out pairs alone.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from pgcore.agent import Agent
from pgcore.base.arrays import F64, Bool
from pgcore.base.threads import one_torch_thread
from pgcore.learning.advantages import batch_values
from pgcore.policies.normalize import reward_stds
from pgcore.rollout.batch import RolloutBatch
from pgcore.studies.engine.cells import Values
from pgcore.studies.engine.sources import Agents
from pgcore.studies.measures.value import MEASURES, error_measures
from pgcore.studies.pairs.sampling import Sampling
from pgcore.studies.value.returns import resolved_returns
from pgcore.training.block import Block

SETS = ("train", "held-out")
TARGETS = ("gae", "returns")
_HELD_OUT_IDS = 1 << 30  # stream ids that training never uses


@dataclass(frozen=True)
class ValueErrors:
    """The cell of ``errors.zarr``.

    Attributes:
        agents: who is judged.
        pairs: held-out pairs.
        returns: "resolved", returns that are not cut short (others are left out), or "cut", the
            paper's: cut at the time limit and at the end of the iteration's pairs.
        seed: of the held-out rollouts.
        sampling: gamma and lam are the agent's own; only the streams' length is used, and held-out
            streams are no longer than an agent's, whose states and cuts they are to have.
    """

    agents: Agents
    pairs: int
    returns: str
    seed: int
    sampling: Sampling

    def __call__(self, at: dict[str, Any], num_threads: int) -> Values:
        agent, longest = self.agents.agent(at), self.sampling.stream_steps
        errors = np.full((len(SETS), len(TARGETS), len(MEASURES)), np.nan)
        known = np.full((len(SETS), len(TARGETS)), np.nan)
        diverged = np.full(len(SETS), np.nan)
        with one_torch_thread():
            trained, judge, replayed, own = agent, agent, None, None
            block = self._trainer(at)
            if block is not None:
                trained, judge, replayed, own = _replay(agent, block, num_threads)
                longest = min(longest, block.config.pairs // block.config.streams)
            count, steps = dataclasses.replace(self.sampling, stream_steps=longest).streams(
                self.pairs
            )  # cut where training cuts
            held_out = trained.collect(
                steps,
                count,
                self.agents.seed(at, self.seed, "held-out"),
                num_threads=num_threads,
                stream_ids=np.arange(count) + _HELD_OUT_IDS,
            )
            for i, pairs in enumerate((replayed, held_out)):
                if pairs is None:
                    continue
                diverged[i] = pairs.diverged.sum()
                targets = self._targets(judge, pairs)
                if i == 0 and own is not None:
                    targets["gae"] = (own, targets["gae"][1])
                values = batch_values(trained.check_value(), _as_one_member(pairs))[0]
                for j, name in enumerate(TARGETS):
                    target, mask = targets[name]
                    errors[i, j] = error_measures(values.astype(np.float64)[mask], target[mask])
                    known[i, j] = mask.mean()
        return {"error": errors, "share": known, "diverged": diverged}

    def _trainer(self, at: dict[str, Any]) -> Block | None:
        """The training of one trial, as it was at a checkpoint; None for an agent that is none."""
        checkpoint = self.agents.checkpoint(at)
        if checkpoint is None:
            return None
        trial = int(at["trial"]) - self.agents.first_trial(at)
        number = checkpoint.config.trial_numbers[trial]
        block = Block(checkpoint.task(), checkpoint.config, [number])
        own = slice(trial, trial + 1)
        block.load_state({name: array[own] for name, array in checkpoint.state.items()})
        return block

    def _targets(self, judge: Agent, batch: RolloutBatch) -> dict[str, tuple[F64, Bool]]:
        """Targets [S, T] and where they are known, by name."""
        rule, one = judge.judgement, _as_one_member(batch)
        rewards = judge.rewards(batch.rewards)
        values, bootstrap = batch_values(judge.check_value(), one)
        everywhere = np.ones(rewards.shape, dtype=np.bool_)
        gae = dataclasses.replace(rule, baseline="value").advantages(
            rewards, one, values, bootstrap
        )[1]
        if self.returns == "cut":
            returns = (rule.returns(rewards, batch), everywhere)
        else:
            limit = judge.task.time_limit
            returns = resolved_returns(rewards, batch, rule.gamma, limit)
        return {"gae": (gae, everywhere), "returns": returns}


def _replay(agent: Agent, block: Block, num_threads: int) -> tuple[Agent, Agent, RolloutBatch, F64]:
    """One iteration of training.

    Returns:
        The policy that acted with the value network that came out; the network that went in, with
        the reward scale that came out, which makes the targets; the pairs; and the targets that
        they were trained on, with the scale as it was at each step.
    """
    before = block.value.with_members(block.value.flat)
    policy = block.policy.with_members(block.policy.flat)
    batch = block.rollout(agent.iteration, num_threads)
    data = block.training_data(batch)
    block.update(data, agent.iteration)
    std = agent.reward_std
    if block.scaler is not None:
        std = np.array(reward_stds(block.scaler.state))
    targets = data.targets.numpy().astype(np.float64).reshape(batch.rewards.shape)
    shared: dict[str, Any] = {"policy": policy, "normalizer": block.normalizer, "reward_std": std}
    trained = dataclasses.replace(agent, value=block.value, **shared)
    return trained, dataclasses.replace(agent, value=before, **shared), batch, targets


def _as_one_member(batch: RolloutBatch) -> RolloutBatch:
    """The batch of a stack of one member."""
    return dataclasses.replace(batch, member=np.zeros(len(batch.rewards), dtype=np.int64))
