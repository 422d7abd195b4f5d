"""The cell of an update study: K updates, and true returns and surrogate along each of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pgcore.agent import Agent
from pgcore.base.arrays import F64
from pgcore.learning.data import TrainingData
from pgcore.studies.engine.cells import Values
from pgcore.studies.engine.sources import Agents
from pgcore.studies.pairs.sampling import Sampling
from pgcore.studies.pairs.steps import numbered_data
from pgcore.studies.step.rewards import (
    Pool,
    Variables,
    centre_variables,
    member_variables,
    pool_returns,
)
from pgcore.studies.update.points import gains, place_of, points_of

_EACH = ("update", "point")
ALONG: Variables = {
    "at": (_EACH, "1", "passes over the pairs, or fraction of the step that a line search tries"),
    "accepted": (_EACH, "1", "whether a line search takes it; NaN where there is none"),
    "surrogate": (_EACH, "1", "gain of what the algorithm maximises, on the update's own pairs"),
    "fresh": (_EACH, "1", "gain of it on as many fresh pairs"),
    "unclipped": (_EACH, "1", "gain of the mean of ratio times advantage, on the own pairs"),
    "unclipped_fresh": (_EACH, "1", "gain of it on the fresh pairs"),
    "kl": (_EACH, "1", "mean KL divergence from the start, on the own pairs"),
    "clip_fraction": (_EACH, "1", "share of the own pairs whose ratio is beyond 1 -+ clip"),
    "norm": (_EACH, "1", "distance from the start"),
}
REWARDS = {  # errors are those of the differences
    name: variable
    for name, variable in member_variables(_EACH, "the point and the start").items()
    if name != "square"
}
VARIABLES: Variables = {
    **ALONG,
    **REWARDS,
    **centre_variables("the policy that the updates start from"),
}


@dataclass(frozen=True)
class Updates:
    """The cell of ``dataset.zarr``: K independent updates from n pairs each.

    Attributes:
        agents, updates, every, points, reward_pairs, seed, sampling: of the study.
    """

    agents: Agents
    updates: int
    every: str
    points: int
    reward_pairs: int
    seed: int
    sampling: Sampling

    def __call__(self, at: dict[str, Any], num_threads: int) -> Values:
        agent, shape = self.agents.agent(at), (self.updates, self.points)
        along: dict[str, F64] = {name: np.full(shape, np.nan) for name in ALONG}
        there = np.zeros(shape, dtype=bool)
        start, flats = agent.policy.flat, list[Tensor]()
        for k in range(self.updates):
            own = self.data(agent, at, k, "step", num_threads)
            seed = self.agents.seed(at, self.seed, "step", at["n"])
            points = points_of(agent, own, seed, k, self.every, self.points)
            flat = torch.cat([p.flat for p in points.values()])
            fresh = self.data(agent, at, k, "fresh", num_threads)
            stack = agent.policy.with_members(torch.cat([start, flat]))
            slots = list(points)
            there[k, slots] = True
            for name, values in gains(agent, stack, own, fresh, num_threads).items():
                along[name][k, slots] = values
            places = np.array([place_of(p) for p in points.values()])
            along["at"][k, slots], along["accepted"][k, slots] = places.T
            flats.append(flat)
        pool = pool_returns(
            agent,
            agent.policy.with_members(torch.cat([start, *flats])),
            np.concatenate([np.zeros(1, dtype=np.int64), np.nonzero(there)[0]]),
            self.reward_pairs,
            self.agents.seed(at, self.seed, "update-reward", at["n"]),
            True,
            num_threads,
        )
        return along | _returns(pool, there)

    def data(
        self, agent: Agent, at: dict[str, Any], k: int, purpose: str, num_threads: int
    ) -> TrainingData:
        """The pairs of update k: those of step k in a step study with the same seed."""
        seed = self.agents.seed(at, self.seed, purpose, at["n"])
        return numbered_data(agent, at["n"], k, seed, self.sampling, num_threads)


def _returns(pool: Pool, there: np.ndarray[Any, np.dtype[np.bool_]]) -> dict[str, F64 | float]:
    """The sums of a pool at the points where there is one; member 0 is the start."""
    values = pool.centre()
    for name in REWARDS:
        sums = getattr(pool, name)[..., 1:]
        whole = np.full((*sums.shape[:-1], *there.shape), np.nan)
        whole[..., there] = sums
        values[name] = whole
    return values
