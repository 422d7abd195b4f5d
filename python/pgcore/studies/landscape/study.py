"""Landscapes: true reward and surrogate around a policy (paper, section 2.3, figures 5-7, 13-20).

The plane: x in units of the step that one update takes, y in units of a random Gaussian vector
scaled to norm 2. Two stores: ``surrogate.zarr`` (directions, surrogate and KL) and ``reward.zarr``
(sums over trajectories, from which means, standard errors and paired differences follow).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pgcore.base.errors import check_choice, check_count, check_counts
from pgcore.rollout.collect import default_streams
from pgcore.studies.engine.cells import Plan
from pgcore.studies.engine.parts import parameters_of, shared_of, spec_of
from pgcore.studies.engine.sources import Agents
from pgcore.studies.engine.store import Schema
from pgcore.studies.landscape.maps import (
    REWARD,
    SURROGATE,
    RewardMap,
    SurrogateMap,
    centre_of,
)
from pgcore.studies.landscape.spending import Spending
from pgcore.studies.pairs.sampling import Sampling

_MOST_POINTS = 1000  # of an axis
_FAR = 1e6  # no policy is left there
_SURFACE_WORK = 0.011  # time of a member and pair of the surrogate, in simulated Hopper pairs
_UPDATE_WORK = 0.09  # of a pass of an update over a pair


@dataclass(frozen=True)
class LandscapeStudy:
    """The settings of a landscape study.

    Attributes:
        iterations: of the runs; None: all that they have kept.
        trials: how many of the trials, from the first; None: all.
        sources: pairs that the update step is computed from, one map each.
        pairs: pairs per grid point of the true reward, one map each.
        points: grid points along each of the two directions.
        step_range: first and last coordinate along the step, in steps.
        random_range: first and last coordinate along the random direction.
        noise: "independent" streams at every point, or "common" random numbers.
        part_pairs: a map is computed in parts of so many pairs per point.
        target_error: after a first part everywhere, further parts go only to points whose standard
            error may still be above this (95 %), at most ``pairs`` to a point; None: to all.
        budget: pairs of all maps together: further parts go where the standard error is largest;
            None: no limit.
        seed: of everything random.
        sampling: how the pairs of a step are sampled and judged.
    """

    iterations: tuple[int, ...] | None = None
    trials: int | None = 1
    sources: tuple[int, ...] = (2000,)
    pairs: tuple[int, ...] = (2000, 20_000)
    points: tuple[int, int] = (11, 11)
    step_range: tuple[float, float] = (0.0, 3.0)
    random_range: tuple[float, float] = (0.0, 3.0)
    noise: str = "independent"
    part_pairs: int = 20_000
    target_error: float | None = None
    budget: int | None = None
    seed: int = 0
    sampling: Sampling = field(default_factory=Sampling)

    def __post_init__(self) -> None:
        check_choice("noise", self.noise, ("independent", "common"))
        check_count("part_pairs", self.part_pairs)
        for n in self.points:
            check_count("points", n, 1, _MOST_POINTS)
        for name in ("sources", "pairs"):
            check_counts(name, getattr(self, name))
        self.sampling.check_pairs(sources=self.sources, pairs=self.pairs)
        for name in ("step_range", "random_range"):
            low, high = getattr(self, name)
            if not -_FAR < low < high < _FAR:
                raise ValueError(
                    f"{name}: expected two growing numbers between {-_FAR:g} and {_FAR:g}, got "
                    f"{low} and {high}"
                )
        if self.sampling.advantages != "raw":
            raise ValueError(
                "advantages: expected raw, as sampled; a landscape's surrogate normalises them, "
                "and its step as the agent does"
            )
        if self.adaptive and len(self.pairs) != 1:
            raise ValueError(
                f"pairs: expected one number, the most for a point, with a target_error or a "
                f"budget; got {len(self.pairs)}"
            )
        if self.adaptive and not self.part_pairs < self.pairs[0]:
            raise ValueError(
                f"part_pairs: expected less than pairs ({self.pairs[0]}) with a target_error or a "
                f"budget, which spread the parts; got {self.part_pairs}. A tenth is a good choice"
            )
        if self.target_error is not None and not self.target_error > 0:
            raise ValueError(f"target_error: expected a number > 0, got {self.target_error}")
        if self.budget is not None:
            check_count("budget", self.budget)

    @property
    def adaptive(self) -> bool:
        """Whether pairs are spent where they are needed."""
        return self.target_error is not None or self.budget is not None

    def plans(self, agents: Agents, out: Path) -> dict[str, Plan]:
        """What is computed, by the name of its store, in order."""
        agents.check_learning()
        self._check_budget(agents)
        shared = shared_of(agents)
        return {
            "surrogate.zarr": self._surrogate_plan(agents, shared),
            "reward.zarr": self._reward_plan(agents, shared, out.resolve()),
        }

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

    def _axes(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """The grid's coordinates in steps and in random directions."""
        axes = zip((self.step_range, self.random_range), self.points, strict=True)
        a, b = (np.linspace(*ends, n).round(9).tolist() for ends, n in axes)
        return tuple(a), tuple(b)

    def _surrogate_plan(self, agents: Agents, shared: dict[str, Any]) -> Plan:
        steps, randoms = self._axes()
        names = ("step_range", "random_range", "points", "seed", "sampling")
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
                spec_of(self, "landscape", agents, *names),
                agents.identities(),
            ),
            function=SurrogateMap(agents, steps, randoms, self.seed, self.sampling),
            cost=lambda at: int(at["source"]),
            work=1
            + _UPDATE_WORK * getattr(shared["probe"].settings, "policy_epochs", 1)
            + _SURFACE_WORK * math.prod(self.points),
            **shared,
        )

    def _reward_plan(self, agents: Agents, shared: dict[str, Any], out: Path) -> Plan:
        steps, randoms = self._axes()
        parts = math.ceil(max(self.pairs) / self.part_pairs)
        names = ["step_range", "random_range", "points", "seed", "sampling", "noise", "part_pairs"]
        if self.adaptive:  # what a part gets depends on all maps together
            names += ["target_error", "budget", "pairs", "sources"]
        centre = centre_of(np.array(steps), np.array(randoms))
        spending = None
        if self.adaptive:
            spending = Spending(
                str(out / "reward.zarr"),
                parts,
                self.noise == "common" and centre is not None,
                self.target_error,
                self.budget,
                tuple(tuple(at.values()) for at in self._cells(agents) if not agents.has(at)),
            )
        function = RewardMap(
            agents,
            steps,
            randoms,
            self.part_pairs,
            self.noise,
            spending,
            self.seed,
            str(out / "surrogate.zarr"),
        )
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
                spec_of(self, "landscape", agents, *names),
                agents.identities(),
            ),
            function=function,
            cost=lambda at: self._cost(agents, at, function.part(at)),
            stage=lambda at: int(at["part"]) if self.adaptive else 0,
            **{**shared, "wanted": lambda at: agents.has(at) and function.part(at) > 0},
        )

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
    return f"{what}. Trajectories run to their end: {tail}."
