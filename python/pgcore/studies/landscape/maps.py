"""The cells of a landscape study (directions and surrogate, true reward), and their maps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pgcore.base.arrays import F64, I64
from pgcore.base.seeds import derive_seed
from pgcore.studies.engine.cells import Values
from pgcore.studies.engine.parts import padded_parameters
from pgcore.studies.engine.reading import known_values, open_cell
from pgcore.studies.engine.sources import Agents
from pgcore.studies.landscape.settings import LandscapeSettings
from pgcore.studies.landscape.spending import Spending
from pgcore.studies.landscape.surfaces import plane, reward_sums, surrogate_surface
from pgcore.studies.pairs.steps import finite_update, step_data

SCOUTED = (0.0, *(3.0 * 2.0 ** (-e / 2) for e in range(16, -1, -1)))  # of the scout line
_KEYS = 2**26  # 64 streams of each are 2^32 stream ids
_Variables = dict[str, tuple[tuple[str, ...], str, str]]
_GRID = ("step_scale", "random_scale")
SURROGATE: _Variables = {
    "surrogate": (_GRID, "1", "what the algorithm maximises, with normalised advantages"),
    "kl": (_GRID, "1", "mean KL divergence from the policy at the centre"),
    "step": (("parameter",), "1", "a unit of the first direction"),
    "random": (("parameter",), "1", "a unit of the second direction"),
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
    "discounted_total": "sum of the discounted returns",
    "discounted_square": "sum of their squares",
    "discounted_paired_total": "sum of the differences in discounted return",
    "discounted_paired_square": "sum of the squares of these differences",
}
_SCOUTED = ("count", "total", "paired_count", "paired_total", "paired_square")
SCOUT: _Variables = {name: (("distance",), "1", SUMS[name]) for name in _SCOUTED}
REWARD: _Variables = {name: (_GRID, "1", text) for name, text in SUMS.items()}


@dataclass(frozen=True)
class SurrogateMap:
    """The cell of ``surrogate.zarr``: directions and surrogate from n pairs."""

    agents: Agents
    settings: LandscapeSettings

    def __call__(self, at: dict[str, Any], num_threads: int) -> Values:
        agent, n, settings = self.agents.agent(at), int(at["source"]), self.settings
        seed = self.agents.seed(at, settings.seed, "step", n)
        count, _ = settings.sampling.streams(n)
        data = step_data(agent, n, list(range(count)), seed, settings.sampling, num_threads)
        update = finite_update(agent, data, seed)
        step, random = settings.made.vectors(self.agents, at, update, num_threads)
        steps, randoms = settings.axes()
        policies = plane(agent, step, random, np.array(steps), np.array(randoms))
        surface, kl = surrogate_surface(policies, agent, data, num_threads)
        shape = (len(steps), len(randoms))
        padded = padded_parameters(self.agents, 2)
        padded[:, : len(step)] = step, random
        return {
            "surrogate": surface.reshape(shape),
            "kl": kl.reshape(shape),
            "step": padded[0],
            "random": padded[1],
        }


@dataclass(frozen=True)
class ScoutLine:
    """The cell of ``scout.zarr``: the reward along the second direction, at growing distances.

    With common random numbers, so that the line is smooth.
    """

    agents: Agents
    settings: LandscapeSettings

    def __call__(self, at: dict[str, Any], num_threads: int) -> Values:
        agent = self.agents.agent(at)
        way = self.settings.made.vector_without_step(self.agents, at)
        policies = plane(agent, way, way, np.array(SCOUTED), np.zeros(1))
        seed = self.agents.seed(at, self.settings.seed, "scout")
        pairs = self.settings.scout_pairs
        sums = reward_sums(agent, policies, pairs, seed, True, 0, num_threads)
        return {name: getattr(sums, name) for name in _SCOUTED}


@dataclass(frozen=True)
class RewardMap:
    """The cell of ``reward.zarr``: one part of the pairs of every grid point, in one pool."""

    agents: Agents
    settings: LandscapeSettings
    spending: Spending | None
    surrogate_store: str
    own_store: str

    def part(self, at: dict[str, Any]) -> int:
        """Pairs per point of a cell; 0 where the level has fewer parts."""
        part = self.settings.part_pairs
        return max(0, min(int(at["pairs"]) - int(at["part"]) * part, part))

    def __call__(self, at: dict[str, Any], num_threads: int) -> Values:
        where = {name: at[name] for name in ("agent", "iteration", "trial", "source")}
        steps, randoms = (np.array(axis) for axis in self.settings.axes())
        shape, centre = (len(steps), len(randoms)), centre_of(steps, randoms)
        common = self.settings.noise == "common"
        known = self._known(at, shape)
        missing = np.isnan(list(known.values())).any(axis=0)
        members = np.flatnonzero(missing)
        if self.spending is not None:
            members = np.flatnonzero(self.spending.chosen(at))
            if not len(members):
                return {name: np.zeros(shape) for name in REWARD}
        if common and centre is not None:  # differences are taken to it
            members = np.union1d(members, [centre])
        stored = open_cell(self.surrogate_store, where, ("step", "random"))
        agent = self.agents.agent(at)
        step, random = (stored[n][: agent.policy.flat.shape[1]] for n in ("step", "random"))
        policies = plane(agent, step, random, steps, randoms)
        own = [at[name] for name in ("source", "pairs", "part")]
        seed, pairs = self.agents.seed(at, self.settings.seed, "reward", *own), self.part(at)
        keys = point_keys(steps, randoms)
        sums = reward_sums(agent, policies, pairs, seed, common, centre, num_threads, members, keys)
        new = {n: a.reshape(shape) for n, a in zip(REWARD, sums.arrays(), strict=True)}
        return {n: np.where(missing, a, known[n]) for n, a in new.items()}

    def _known(self, at: dict[str, Any], shape: tuple[int, int]) -> dict[str, F64]:
        """What the store has of a cell's points from a smaller grid [A, B]; NaN elsewhere."""
        nothing = {name: np.full(shape, np.nan) for name in REWARD}
        if self.spending is not None:
            return nothing
        return nothing | known_values(self.own_store, at)


def point_keys(steps: F64, randoms: F64) -> I64:
    """A number below 2^26 for every point [A·B]: its random numbers follow from where it is.

    Two points of a grid that would get the same one are told apart.
    """
    keys: dict[int, None] = {}
    for a in steps:
        for b in randoms:
            key = derive_seed(0, "point", f"{a:.9f}", f"{b:.9f}") % _KEYS
            while key in keys:
                key = (key + 1) % _KEYS
            keys[key] = None
    return np.array(list(keys), dtype=np.int64)


def centre_of(steps: F64, randoms: F64) -> int | None:
    """The grid point at the unchanged policy, if there is one."""
    at = np.argwhere((steps[:, None] == 0) & (randoms[None, :] == 0))
    return int(at[0, 0] * len(randoms) + at[0, 1]) if len(at) else None
