"""The cells of a landscape study: directions and surrogate, and true reward over the plane."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from pgcore.agents import derive_seed
from pgcore.arrays import F64, I64, Bool
from pgcore.nets import GaussianPolicy
from pgcore.studies.agent import Agent, Checkpoints
from pgcore.studies.cells import Values
from pgcore.studies.sampling import Sampling
from pgcore.studies.steps import computed_step, step_data
from pgcore.studies.store import open_cell
from pgcore.studies.surfaces import RewardSums, plane, reward_sums, surrogate_surface

RANDOM_NORM = 2.0
_Variables = dict[str, tuple[tuple[str, ...], str, str]]
_GRID = ("step_scale", "random_scale")
SURROGATE: _Variables = {
    "surrogate": (_GRID, "1", "what the algorithm maximises, with normalised advantages"),
    "kl": (_GRID, "1", "mean KL divergence from the policy at the centre"),
    "step": (("parameter",), "1", "the step of one update"),
    "random": (("parameter",), "1", "the random direction"),
}
SUMS = {
    "count": "trajectories",
    "total": "sum of their returns",
    "square": "sum of the squares of their returns",
    "pairs_used": "state-action pairs",
    "warnings": "MuJoCo's warnings (unstable simulation)",
    "paired_count": "trajectories that the point and the centre share",
    "paired_total": "sum of their differences in return",
    "paired_square": "sum of the squares of these differences",
}
REWARD: _Variables = {name: (_GRID, "1", text) for name, text in SUMS.items()}


@dataclass(frozen=True)
class SurrogateMap:
    """The cell of ``surrogate.zarr``: directions and surrogate from n pairs."""

    checkpoints: Checkpoints
    steps: tuple[float, ...]
    randoms: tuple[float, ...]
    seed: int
    sampling: Sampling

    def __call__(self, at: dict[str, Any], num_threads: int) -> Values:
        where = {name: at[name] for name in ("algorithm", "iteration", "trial")}
        agent, n = self.checkpoints.agent(**where), int(at["source"])
        seed = derive_seed(self.seed, "step", *where.values(), n)
        count, _ = self.sampling.streams(n)
        data = step_data(agent, n, list(range(count)), seed, self.sampling, num_threads)
        step = computed_step(agent, data, seed, 0)
        random = random_direction(len(step), derive_seed(self.seed, "random", *where.values()))
        policies = plane(agent, step, random, np.array(self.steps), np.array(self.randoms))
        clip = agent.config.clip if at["algorithm"] == "ppo" else None
        surface, kl = surrogate_surface(policies, agent, data, clip, num_threads)
        shape = (len(self.steps), len(self.randoms))
        return {
            "surrogate": surface.reshape(shape),
            "kl": kl.reshape(shape),
            "step": step,
            "random": random,
        }


def random_direction(parameters: int, seed: int) -> F64:
    """A Gaussian vector [P] scaled to norm 2."""
    generator = np.random.Generator(np.random.Philox(key=seed))
    vector = generator.standard_normal(parameters)
    return np.asarray(RANDOM_NORM * vector / np.linalg.norm(vector))


@dataclass(frozen=True)
class RewardMap:
    """The cell of ``reward.zarr``: one part of the pairs of every grid point, in one pool."""

    checkpoints: Checkpoints
    steps: tuple[float, ...]
    randoms: tuple[float, ...]
    part_pairs: int
    noise: str
    target_error: float | None
    budget: int | None
    seed: int
    surrogate_store: str

    def part(self, at: dict[str, Any]) -> int:
        """Pairs per point of a cell; 0 where the level has fewer parts."""
        rest = int(at["pairs"]) - int(at["part"]) * self.part_pairs
        return max(0, min(rest, self.part_pairs))

    def __call__(self, at: dict[str, Any], num_threads: int) -> Values:
        where = {name: at[name] for name in ("algorithm", "iteration", "trial", "source")}
        stored = open_cell(self.surrogate_store, where)
        agent = self.checkpoints.agent(at["algorithm"], at["iteration"], at["trial"])
        steps, randoms = np.array(self.steps), np.array(self.randoms)
        policies = plane(agent, stored["step"].values, stored["random"].values, steps, randoms)
        seed = derive_seed(self.seed, "reward", *where.values(), at["pairs"], at["part"])
        sums = reward_sums(
            agent,
            policies,
            self.part(at),
            seed,
            self.noise == "common",
            centre_of(steps, randoms),
            num_threads,
        )
        sums = self._refine(agent, policies, sums, at, seed, num_threads)
        shape = (len(steps), len(randoms))
        return {n: a.reshape(shape) for n, a in zip(REWARD, sums.arrays(), strict=True)}

    def _refine(
        self,
        agent: Agent,
        policies: GaussianPolicy,
        sums: RewardSums,
        at: dict[str, Any],
        seed: int,
        num_threads: int,
    ) -> RewardSums:
        """Spend further parts where the standard error is largest, in an adaptive study."""
        if self.target_error is None and self.budget is None:
            return sums
        most = math.ceil(int(at["pairs"]) / self.part_pairs)
        parts = np.ones(policies.members, dtype=np.int64)
        number = 0
        while len(chosen := self._chosen(sums, parts < most)):
            number += 1
            more = reward_sums(
                agent,
                policies.with_members(policies.flat[torch.from_numpy(chosen)]),
                self.part_pairs,
                derive_seed(seed, "round", number),
                self.noise == "common",
                None,
                num_threads,
            )
            sums = sums.added_at(chosen, more)
            parts[chosen] += 1
        return sums

    def _chosen(self, sums: RewardSums, allowed: Bool) -> I64:
        """The allowed points above the target error that get a part in the next round.

        Stopping where the standard error happens to be small makes it small: those are estimates.
        With a budget, those with the largest errors, and at most a quarter of the map at a time, so
        that the errors are looked at again.
        """
        error = sums.standard_error()
        order = np.argsort(-error, kind="stable")
        order = order[(allowed & (error > (self.target_error or 0.0)))[order]]
        if self.budget is not None:
            left = int((self.budget - sums.steps.sum()) // self.part_pairs)
            order = order[: max(0, min(left, math.ceil(len(error) / 4)))]
        return np.sort(order)


def centre_of(steps: F64, randoms: F64) -> int | None:
    """The grid point at the unchanged policy, if there is one."""
    at = np.argwhere((steps[:, None] == 0) & (randoms[None, :] == 0))
    return int(at[0, 0] * len(randoms) + at[0, 1]) if len(at) else None
