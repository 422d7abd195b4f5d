"""The cells of a landscape study (directions and surrogate, true reward), and their maps."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from pgcore.base.arrays import F64
from pgcore.studies.engine.cells import Values
from pgcore.studies.engine.parts import padded_parameters
from pgcore.studies.engine.sources import Agents
from pgcore.studies.engine.store import open_cell, open_study
from pgcore.studies.landscape.spending import Spending
from pgcore.studies.landscape.surfaces import plane, reward_sums, standard_error, surrogate_surface
from pgcore.studies.pairs.sampling import Sampling
from pgcore.studies.pairs.steps import step_data

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
    "diverged": "trajectories that a simulation which blew up has ended",
    "paired_count": "trajectories that the point and the centre share",
    "paired_total": "sum of their differences in return",
    "paired_square": "sum of the squares of these differences",
}
REWARD: _Variables = {name: (_GRID, "1", text) for name, text in SUMS.items()}


@dataclass(frozen=True)
class SurrogateMap:
    """The cell of ``surrogate.zarr``: directions and surrogate from n pairs."""

    agents: Agents
    steps: tuple[float, ...]
    randoms: tuple[float, ...]
    seed: int
    sampling: Sampling

    def __call__(self, at: dict[str, Any], num_threads: int) -> Values:
        agent, n = self.agents.agent(at), int(at["source"])
        seed = self.agents.seed(at, self.seed, "step", n)
        count, _ = self.sampling.streams(n)
        data = step_data(agent, n, list(range(count)), seed, self.sampling, num_threads)
        step = agent.updated(data, seed)
        random = random_direction(len(step), self.agents.seed(at, self.seed, "random"))
        policies = plane(agent, step, random, np.array(self.steps), np.array(self.randoms))
        surface, kl = surrogate_surface(policies, agent, data, num_threads)
        shape = (len(self.steps), len(self.randoms))
        padded = padded_parameters(self.agents, 2)
        padded[:, : len(step)] = step, random
        return {
            "surrogate": surface.reshape(shape),
            "kl": kl.reshape(shape),
            "step": padded[0],
            "random": padded[1],
        }


def random_direction(parameters: int, seed: int) -> F64:
    """A Gaussian vector [P] scaled to norm 2."""
    generator = np.random.Generator(np.random.Philox(key=seed))
    vector = generator.standard_normal(parameters)
    return np.asarray(RANDOM_NORM * vector / np.linalg.norm(vector))


@dataclass(frozen=True)
class RewardMap:
    """The cell of ``reward.zarr``: one part of the pairs of every grid point, in one pool."""

    agents: Agents
    steps: tuple[float, ...]
    randoms: tuple[float, ...]
    part_pairs: int
    noise: str
    spending: Spending | None
    seed: int
    surrogate_store: str

    def part(self, at: dict[str, Any]) -> int:
        """Pairs per point of a cell; 0 where the level has fewer parts."""
        rest = int(at["pairs"]) - int(at["part"]) * self.part_pairs
        return max(0, min(rest, self.part_pairs))

    def __call__(self, at: dict[str, Any], num_threads: int) -> Values:
        where = {name: at[name] for name in ("agent", "iteration", "trial", "source")}
        steps, randoms = np.array(self.steps), np.array(self.randoms)
        shape, centre = (len(steps), len(randoms)), centre_of(steps, randoms)
        common = self.noise == "common"
        members = np.arange(math.prod(shape))
        if self.spending is not None:
            members = np.flatnonzero(self.spending.chosen(at))
            if not len(members):
                return {name: np.zeros(shape) for name in REWARD}
            if common and centre is not None:  # differences are taken to it
                members = np.union1d(members, [centre])
        stored = open_cell(self.surrogate_store, where)
        agent = self.agents.agent(at)
        step, random = (stored[n].values[: agent.policy.flat.shape[1]] for n in ("step", "random"))
        policies = plane(agent, step, random, steps, randoms)
        seed = self.agents.seed(at, self.seed, "reward", at["source"], at["pairs"], at["part"])
        pairs = self.part(at)
        sums = reward_sums(agent, policies, pairs, seed, common, centre, num_threads, members)
        return {n: a.reshape(shape) for n, a in zip(REWARD, sums.arrays(), strict=True)}


def centre_of(steps: F64, randoms: F64) -> int | None:
    """The grid point at the unchanged policy, if there is one."""
    at = np.argwhere((steps[:, None] == 0) & (randoms[None, :] == 0))
    return int(at[0, 0] * len(randoms) + at[0, 1]) if len(at) else None


def open_landscape(out: str | Path) -> xr.Dataset:
    """Maps over (agent, iteration, trial, source, [pairs,] step_scale, random_scale).

    reward (mean return), reward_error (its standard error over trajectories), trajectories,
    pairs_used, warnings (MuJoCo's), diverged (trajectories), difference and difference_error (to
    the centre, paired, over paired_count trajectories; NaN without common random numbers),
    surrogate, kl, and step_norm.
    """
    parts = open_study(Path(out) / "reward.zarr")
    finished = parts["count"].notnull()
    needed = np.ceil(parts["pairs"] / json.loads(parts.attrs["spec"])["part_pairs"])
    # of finished parts alone, but a sum that is not finite stays so
    sums = parts[[name for name in SUMS if name in parts]].where(finished, 0)
    sums = sums.sum("part", skipna=False)
    sums = sums.where(finished.sum("part") == needed)  # a map is whole or missing
    directions = open_study(Path(out) / "surrogate.zarr")
    data = directions[["surrogate", "kl"]]
    data["step_norm"] = np.sqrt((directions["step"] ** 2).sum("parameter", min_count=1))
    for mean, error, names in (
        ("reward", "reward_error", ("count", "total", "square")),
        ("difference", "difference_error", ("paired_count", "paired_total", "paired_square")),
    ):
        count, total, square = (sums[n] for n in names)
        data[mean] = total / count.where(count > 0)
        spread = xr.apply_ufunc(standard_error, count, total, square)
        data[error] = spread.where(count > 1)
    data["trajectories"] = sums["count"]
    for name in ("pairs_used", "warnings", "diverged", "paired_count"):
        if name in sums:  # an older pgcore did not count divergences
            data[name] = sums[name]
    data.attrs = parts.attrs
    return data
