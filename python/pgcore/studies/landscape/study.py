"""Landscapes: true reward and surrogate around a policy (paper, section 2.3, figures 5-7, 13-20).

The paper's plane: x in units of the step that one update takes, y in units of a random Gaussian
vector scaled to norm 2; other directions by name. Two stores: ``surrogate.zarr`` (directions,
surrogate and KL) and ``reward.zarr`` (sums over trajectories, from which means, standard errors and
paired differences follow); and ``scout.zarr`` where the second axis is chosen from a scout line.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pgcore.rollout.collect import default_streams
from pgcore.studies.engine.cells import Plan
from pgcore.studies.engine.parts import check_time_limit, parameters_of, shared_of, spec_of
from pgcore.studies.engine.sources import Agents
from pgcore.studies.engine.store import Schema
from pgcore.studies.landscape.directions import Target
from pgcore.studies.landscape.maps import (
    REWARD,
    SCOUT,
    SCOUTED,
    SURROGATE,
    RewardMap,
    ScoutLine,
    SurrogateMap,
    centre_of,
)
from pgcore.studies.landscape.scout import axis_of_maps, scouted_axis, what_was_scouted
from pgcore.studies.landscape.settings import LandscapeSettings
from pgcore.studies.landscape.spending import Spending

_SURFACE_WORK = 0.011  # time of a member and pair of the surrogate, in simulated Hopper pairs
_UPDATE_WORK = 0.09  # of a pass of an update over a pair


@dataclass(frozen=True)
class LandscapeStudy(LandscapeSettings):
    """The settings of a landscape study, and what they have computed."""

    def scouting(self, agents: Agents, out: Path) -> dict[str, Plan]:
        """What is computed before the others can be planned: the scout line."""
        check_time_limit("landscape", agents.task())
        if not self.scouted or axis_of_maps(out) is not None:
            return {}
        return {"scout.zarr": self._scout_plan(agents, shared_of(agents))}

    def plans(self, agents: Agents, out: Path) -> dict[str, Plan]:
        """What is computed, by the name of its store, in order."""
        agents.check_learning()
        check_time_limit("landscape", agents.task())
        self.sampling.check_agents(agents.every())
        if self.towards:
            Target(self.towards).check(agents)
        self._check_budget(agents)
        shared, whole = shared_of(agents), self
        shared["attributes"] = {**shared["attributes"], **self._said(out)}
        if self.scouted:
            axis = axis_of_maps(out) or scouted_axis(out)
            whole = dataclasses.replace(self, random_range=axis)
        return {
            "surrogate.zarr": whole._surrogate_plan(agents, shared),
            "reward.zarr": whole._reward_plan(agents, shared, out.resolve()),
        }

    def _said(self, out: Path) -> dict[str, Any]:
        """What tables and figures say of the axes beside the settings."""
        other = f"iteration {self.towards}" if self.towards.isdigit() else Path(self.towards).name
        towards = {"towards": other} if self.towards else {}
        return towards | ({"scouted": what_was_scouted(out)} if self.scouted else {})

    def _identities(self, agents: Agents) -> dict[str, str]:
        """Of the agents, and of those that a direction leads to."""
        own = agents.identities()
        return own | Target(self.towards).identities(agents) if self.towards else own

    def _scout_plan(self, agents: Agents, shared: dict[str, Any]) -> Plan:
        return Plan(
            title=f"scout line {agents.task_id}",
            schema=Schema(
                agents.dims,
                {"distance": list(SCOUTED)},
                SCOUT,
                spec_of(self, "landscape", agents, *self.surrogate_spec, "scout_pairs"),
                self._identities(agents),
            ),
            function=ScoutLine(agents, self),
            cost=lambda at: len(SCOUTED) * self.scout_pairs,
            **shared,
        )

    def _growing(self) -> frozenset[str]:
        """The axes that may gain points."""
        return frozenset() if self.adaptive else frozenset(("step_scale", "random_scale"))

    def _maps(self, agents: Agents) -> int:
        """How many maps there are of one number of pairs."""
        return sum(agents.has(at) for at in self._cells(agents)) * len(self.sources)

    def _cells(self, agents: Agents) -> list[dict[str, Any]]:
        """The coordinates of every trial at every moment, there or not."""
        dims = agents.dims
        return [dict(zip(dims, c, strict=True)) for c in itertools.product(*dims.values())]

    def _check_budget(self, agents: Agents) -> None:
        least = self._maps(agents) * math.prod(self.points) * self.part_pairs
        if self.budget is not None and self.budget < least:
            raise ValueError(
                f"budget: expected at least {least}, a first part at every point of every map, got "
                f"{self.budget}; choose fewer points or smaller parts (part_pairs)"
            )

    def _surrogate_plan(self, agents: Agents, shared: dict[str, Any]) -> Plan:
        steps, randoms = self.axes()
        return Plan(
            title=f"surrogate {agents.task_id}",
            schema=Schema(
                {**agents.dims, "source": list(self.sources)},
                {
                    "step_scale": list(steps),
                    "random_scale": list(randoms),
                    "parameter": parameters_of(agents),
                },
                SURROGATE,
                spec_of(self, "landscape", agents, *self.surrogate_spec),
                self._identities(agents),
                self._growing(),
            ),
            function=SurrogateMap(agents, self),
            cost=lambda at: int(at["source"]) + self._gradient_cost(),
            work=1
            + _UPDATE_WORK * getattr(shared["probe"].settings, "policy_epochs", 1)
            + _SURFACE_WORK * math.prod(self.points),
            **shared,
        )

    def _reward_plan(self, agents: Agents, shared: dict[str, Any], out: Path) -> Plan:
        steps, randoms = self.axes()
        parts = math.ceil(max(self.pairs) / self.part_pairs)
        centre = centre_of(np.array(steps), np.array(randoms))
        spending = None
        if self.adaptive:
            spending = Spending(
                str(out / "reward.zarr"),
                parts,
                self.noise == "common" and centre is not None,
                self.target_error,
                self.budget,
                tuple(tuple(at.values()) for at in self._cells(agents) if agents.has(at)),
            )
        stores = (str(out / name) for name in ("surrogate.zarr", "reward.zarr"))
        function = RewardMap(agents, self, spending, *stores)
        own = {
            "source": list(self.sources),
            "pairs": list(self.pairs),
            "part": list(range(parts)),
        }
        return Plan(
            title=f"reward {agents.task_id}",
            schema=Schema(
                {**agents.dims, **own},
                {"step_scale": list(steps), "random_scale": list(randoms)},
                REWARD,
                spec_of(self, "landscape", agents, *self.reward_spec) | self._sharing(agents),
                self._identities(agents),
                self._growing(),
            ),
            function=function,
            cost=lambda at: self._cost(agents, at, function.part(at)),
            stage=lambda at: int(at["part"]) if self.adaptive else 0,
            **{**shared, "wanted": lambda at: agents.has(at) and function.part(at) > 0},
        )

    def _sharing(self, agents: Agents) -> dict[str, Any]:
        """The maps that share a budget: with others each of them would have other pairs."""
        if self.budget is None:
            return {}
        maps = sorted(tuple(at.values()) for at in self._cells(agents) if agents.has(at))
        return {"maps": [list(place) for place in maps]}

    def _gradient_cost(self) -> int:
        return self.gradient_pairs if "gradient" in self.directions else 0

    def _cost(self, agents: Agents, at: dict[str, Any], part: int) -> int:
        """Pairs of a map's part; of a later one of an adaptive map, at most and on average."""
        whole = math.prod(self.points) * part
        if self.budget is None or at["part"] == 0:
            return whole
        maps, later = self._maps(agents), math.ceil(self.pairs[0] / self.part_pairs) - 1
        left = self.budget - maps * math.prod(self.points) * self.part_pairs
        return min(whole, left // (maps * later))


def note(settings: LandscapeStudy, plans: Mapping[str, Plan]) -> str:
    """What a description of the plans does not say by itself."""
    what = f"{settings.points[0]} x {settings.points[1]} points per map"
    what += "; adaptive, so that it may be less" if settings.adaptive else ""
    task = plans["reward.zarr"].probe.task
    part = min(*settings.pairs, settings.part_pairs)
    more = default_streams(task, part) * (task.time_limit or 0)
    tail = f"up to {more} pairs more per point and part of {part}"
    axis = plans["reward.zarr"].schema.inner_dims["random_scale"]
    ends = f"{settings.directions[1]} axis from {axis[0]:g} to {axis[-1]:g}"
    if "scout.zarr" in plans:
        ends = f"{settings.directions[1]} axis from 0 to what the scout line says"
    return f"{what}; {ends}. Trajectories run to their end: {tail}."
