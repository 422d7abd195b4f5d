"""Statistics that a file lacks, from the agent's own trajectories."""

from __future__ import annotations

import dataclasses

import numpy as np

from pgcore.agent import Agent
from pgcore.policies.normalize import Normalizer, RewardScaler, reward_stds


def reestimate(agent: Agent, pairs: int, seed: int) -> Agent:
    """The agent with statistics of its own observations.

    Where its rewards were divided by a standard deviation that its file does not have (the note
    "reward_scale"), that is estimated from its own rewards, too. It acts on statistics that follow
    its observations, as in training, from none on. They are not those that it was trained with, and
    its origin says so.

    Args:
        agent: without a normaliser.
        pairs: how long it acts.
        seed: of the run.
    """
    empty = Normalizer.create(agent.task.obs_dim)
    live = dataclasses.replace(agent, normalizer=empty)
    batch = live.collect(steps=pairs, streams=1, seed=seed, update_normalizer=True)
    ended = batch.terminated | batch.truncated
    before, after = _mean_returns(batch.rewards[0], ended[0])
    std, clip = agent.reward_std, agent.reward_clip
    label = {
        "observations": f"statistics of {pairs} pairs of its own, not those of its training",
        "first_tenth_return": before,
        "last_tenth_return": after,
    }
    if std is None and "reward_scale" in agent.origin["notes"]:
        scaler = RewardScaler.create(1, agent.judgement.gamma)
        scaler.scale(batch.rewards, ended)
        std, clip = np.array(reward_stds(scaler.state)), 10.0
        label["rewards"] = "scale of the same pairs"
    notes = {k: v for k, v in agent.origin["notes"].items() if k != "reward_scale"}
    said = ["none ended" if x is None else f"{x:.1f}" for x in (before, after)]
    notes["reestimated"] = (
        f"observation statistics re-estimated on {pairs} pairs (mean return of trajectories in the "
        f"first tenth {said[0]}, in the last {said[1]}); every result of this agent is so"
    )
    return dataclasses.replace(
        agent,
        normalizer=batch.normalizer,
        reward_std=std,
        reward_clip=clip,
        origin={
            **agent.origin,
            "notes": notes,
            "reestimated": label,
            "observations_seen": None,
        },
    )


def _mean_returns(rewards: np.ndarray, ended: np.ndarray) -> tuple[float | None, float | None]:
    """Mean return of the trajectories that end in the first, and in the last tenth; else None."""
    ends = np.nonzero(ended)[0] + 1
    totals = [float(part.sum()) for part in np.split(rewards, ends)[: len(ends)]]
    means = []
    for low, high in ((0.0, 0.1), (0.9, 1.0)):
        inside = [
            t
            for t, e in zip(totals, ends, strict=True)
            if low * len(rewards) <= e <= high * len(rewards)
        ]
        means.append(float(np.mean(inside)) if inside else None)
    return means[0], means[1]
