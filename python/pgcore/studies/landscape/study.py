"""Landscapes: true reward and surrogate around a policy (paper, section 2.3, figures 5-7, 13-20).

The plane: x in units of the step that one update takes, y in units of a random Gaussian vector
scaled to norm 2. Two stores: ``surrogate.zarr`` (directions, surrogate and KL) and ``reward.zarr``
(sums over trajectories, from which means, standard errors and paired differences follow).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from pgcore.base.errors import check_choice, check_count, check_counts
from pgcore.rollout.collect import default_streams
from pgcore.studies.engine.cells import Plan, describe_plans, run_plans
from pgcore.studies.engine.checkpoints import Checkpoints
from pgcore.studies.engine.store import Schema
from pgcore.studies.landscape.maps import (
    REWARD,
    SURROGATE,
    RewardMap,
    SurrogateMap,
    centre_of,
    open_landscape,
)
from pgcore.studies.landscape.spending import Spending
from pgcore.studies.pairs.sampling import Sampling

_FAR = 1e6  # no policy is left there
_SURFACE_WORK = 0.011  # time of a member and pair of the surrogate, in simulated Hopper pairs
_UPDATE_WORK = 0.09  # of a pass of an update over a pair


@dataclass(frozen=True)
class LandscapeStudy:
    """The settings of a landscape study.

    Attributes:
        iterations: checkpoints, which the runs must have kept.
        trials: how many of the runs' trials, from the first; None: all.
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

    iterations: tuple[int, ...] = (0, 150, 300, 450)
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
            check_count("points", n)
        for name in ("sources", "pairs"):
            check_counts(name, getattr(self, name))
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

    def plans(self, runs: str | Path | Sequence[str | Path], out: Path) -> dict[str, Plan]:
        """What is computed, by the name of its store, in order."""
        checkpoints = Checkpoints.of(runs, self.iterations, self.trials)
        checkpoints.check_learning()
        self._check_budget(checkpoints)
        shared: dict[str, Any] = {
            "probe": checkpoints.agent(checkpoints.algorithms[0], max(checkpoints.iterations), 0),
            "attributes": checkpoints.provenance(),
        }
        return {
            "surrogate.zarr": self._surrogate_plan(checkpoints, shared),
            "reward.zarr": self._reward_plan(checkpoints, shared, out.resolve()),
        }

    def _maps(self, checkpoints: Checkpoints) -> int:
        """How many maps there are of one number of pairs."""
        return math.prod(map(len, checkpoints.dims.values())) * len(self.sources)

    def _check_budget(self, checkpoints: Checkpoints) -> None:
        least = self._maps(checkpoints) * math.prod(self.points) * self.part_pairs
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

    def _spec(self, checkpoints: Checkpoints) -> dict[str, Any]:
        return {
            **asdict(self),
            "study": "landscape",
            "task": checkpoints.task_id,
            "trials": checkpoints.trials,
            "checkpoints": checkpoints.digests(),
        }

    def _surrogate_plan(self, checkpoints: Checkpoints, shared: dict[str, Any]) -> Plan:
        steps, randoms = self._axes()
        P = shared["probe"].policy.flat.shape[1]
        own = {"pairs": None, "noise": None, "part_pairs": None}
        own |= {"target_error": None, "budget": None}
        return Plan(
            title=f"surrogate {checkpoints.task_id}",
            schema=Schema(
                {**checkpoints.dims, "source": list(self.sources)},
                {
                    "step_scale": list(steps),
                    "random_scale": list(randoms),
                    "parameter": list(range(P)),
                },
                SURROGATE,
                {**self._spec(checkpoints), **own},
            ),
            function=SurrogateMap(checkpoints, steps, randoms, self.seed, self.sampling),
            cost=lambda at: int(at["source"]),
            work=1
            + _UPDATE_WORK * shared["probe"].config.policy_epochs
            + _SURFACE_WORK * math.prod(self.points),
            **shared,
        )

    def _reward_plan(self, checkpoints: Checkpoints, shared: dict[str, Any], out: Path) -> Plan:
        steps, randoms = self._axes()
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
            )
        function = RewardMap(
            checkpoints,
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
            title=f"reward {checkpoints.task_id}",
            schema=Schema(
                {**checkpoints.dims, **own},
                {"step_scale": list(steps), "random_scale": list(randoms)},
                REWARD,
                self._spec(checkpoints),
            ),
            function=function,
            cost=lambda at: self._cost(checkpoints, at, function.part(at)),
            wanted=lambda at: function.part(at) > 0,
            stage=lambda at: int(at["part"]) if self.adaptive else 0,
            **shared,
        )

    def _cost(self, checkpoints: Checkpoints, at: dict[str, Any], part: int) -> int:
        """Pairs of a map's part; of a later one of an adaptive map, at most and on average."""
        whole = math.prod(self.points) * part
        if self.budget is None or at["part"] == 0:
            return whole
        maps, later = self._maps(checkpoints), math.ceil(self.pairs[0] / self.part_pairs) - 1
        left = self.budget - maps * math.prod(self.points) * self.part_pairs
        return min(whole, left // (maps * later))


def landscape(
    runs: str | Path | Sequence[str | Path],
    out: str | Path,
    *,
    num_threads: int | None = None,
    cluster: str | None = None,
    **settings: Any,
) -> xr.Dataset:
    """Map true reward and surrogate around the checkpoints of one or several runs; resumes.

    Args:
        runs: folders of training runs on one task, at most one per algorithm.
        out: folder of the stores.
        num_threads: default: what affinity, cgroup and Slurm allow.
        cluster: see :func:`pgcore.studies.cells.run_plan`.
        settings: fields of :class:`LandscapeStudy`.

    Returns:
        The dataset of :func:`open_landscape`.

    Raises:
        ValueError: bad argument, missing checkpoint, or ``out`` holds another study.
        StudyError: some cells failed; everything else is stored.
    """
    plans = LandscapeStudy(**settings).plans(runs, Path(out))
    run_plans(plans, out, num_threads=num_threads, cluster=cluster)
    return open_landscape(out)


def describe_landscape(
    runs: str | Path | Sequence[str | Path],
    out: str | Path,
    *,
    num_threads: int | None = None,
    **settings: Any,
) -> str:
    """What :func:`landscape` would compute, and how long it would take."""
    study = LandscapeStudy(**settings)
    plans = study.plans(runs, Path(out))
    what = f"{study.points[0]} x {study.points[1]} points per map"
    what += "; adaptive, so that it may be less:" if study.adaptive else ":"
    limit = plans["reward.zarr"].probe.task.time_limit or 0
    part = min(*study.pairs, study.part_pairs)
    more = default_streams(plans["reward.zarr"].probe.task, part) * limit
    note = f"Trajectories run to their end: up to {more} pairs more per point and part of {part}."
    return f"{what}\n{describe_plans(plans, out, num_threads)}\n{note}"
