"""Agents ahead of their first iteration, with the statistics that it gives them.

Where observations are normalised, the statistics follow the first iteration's steps (of several
streams at their end), and nobody learns on raw observations. An agent whose statistics have seen
nothing is no agent of its training yet.
"""

from __future__ import annotations

import dataclasses
from contextlib import closing

import numpy as np

from pgcore.agent import Agent
from pgcore.base.seeds import derive_seed
from pgcore.policies.normalize import reward_stds
from pgcore.training.block import Block
from pgcore.training.checkpoint import Checkpoint

PAIRS = 2048  # of an agent that no run tells of


def has_seen_nothing(agent: Agent) -> bool:
    """Whether it normalises by statistics of no observations."""
    return agent.normalizer is not None and not agent.normalizer.count.any()


def warmed_up(agent: Agent, checkpoint: Checkpoint | None = None, trial: int = 0) -> Agent:
    """One trial with statistics frozen after the steps of its first iteration.

    Args:
        agent: of one member; returned as it is where its statistics have seen something.
        checkpoint: of its run, which says what the first iteration does: the observation
            statistics, and the reward scale, are those that training has after it. None: the
            observation statistics are those of :data:`PAIRS` pairs of the agent's own.
        trial: its number in the run.
    """
    if not has_seen_nothing(agent):
        return agent
    if checkpoint is None:
        seed = derive_seed(0, agent.digest(), "warm-up")
        batch = agent.collect(PAIRS, seed=seed, num_threads=1, update_normalizer=True)
        return dataclasses.replace(agent, normalizer=batch.normalizer)
    block = Block(agent.task, checkpoint.config, [checkpoint.config.trial_numbers[trial]])
    with closing(block):
        block.load_state({name: a[trial : trial + 1] for name, a in checkpoint.state.items()})
        batch = block.rollout(checkpoint.iteration, 1)
        block.trajectories(batch)  # what stays open is the block's from here on
        block.training_data(batch)
    std = None if block.scaler is None else np.array(reward_stds(block.scaler.state))
    return dataclasses.replace(agent, normalizer=block.normalizer, reward_std=std)
