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
import torch
import xarray as xr

from pgcore.agents import derive_seed
from pgcore.arrays import F64
from pgcore.errors import check_choice, check_count
from pgcore.nets import GaussianPolicy
from pgcore.studies.agent import Agent, Checkpoints
from pgcore.studies.cells import Plan, Values, describe_plan, run_plan
from pgcore.studies.sampling import Sampling
from pgcore.studies.steps import computed_step, step_data
from pgcore.studies.store import Schema, open_study
from pgcore.studies.surfaces import (
    RewardSums,
    plane,
    reward_sums,
    standard_error,
    surrogate_surface,
)

RANDOM_NORM = 2.0
_Variables = dict[str, tuple[tuple[str, ...], str, str]]
_GRID = ("step_scale", "random_scale")
_SURROGATE: _Variables = {
    "surrogate": (_GRID, "1", "what the algorithm maximises, with normalised advantages"),
    "kl": (_GRID, "1", "mean KL divergence from the policy at the centre"),
    "step": (("parameter",), "1", "the step of one update"),
    "random": (("parameter",), "1", "the random direction"),
}
_SUMS = {
    "count": "trajectories",
    "total": "sum of their returns",
    "square": "sum of the squares of their returns",
    "pairs_used": "state-action pairs",
    "paired_count": "trajectories that the point and the centre share",
    "paired_total": "sum of their differences in return",
    "paired_square": "sum of the squares of these differences",
}
_REWARD: _Variables = {name: (_GRID, "1", text) for name, text in _SUMS.items()}


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
    seed: int
    surrogate_store: str

    def part(self, at: dict[str, Any]) -> int:
        """Pairs per point of a cell; 0 where the level has fewer parts."""
        rest = int(at["pairs"]) - int(at["part"]) * self.part_pairs
        return max(0, min(rest, self.part_pairs))

    def __call__(self, at: dict[str, Any], num_threads: int) -> Values:
        where = {name: at[name] for name in ("algorithm", "iteration", "trial", "source")}
        stored = open_study(self.surrogate_store, load=False).sel(where)
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
        return {n: a.reshape(shape) for n, a in zip(_REWARD, sums.arrays(), strict=True)}

    def _refine(
        self,
        agent: Agent,
        policies: GaussianPolicy,
        sums: RewardSums,
        at: dict[str, Any],
        seed: int,
        num_threads: int,
    ) -> RewardSums:
        """Spend the level's pairs where the standard error is above the target, if there is one."""
        if self.target_error is None:
            return sums
        rounds = math.ceil(int(at["pairs"]) / self.part_pairs)
        for number in range(1, rounds):
            left = np.nonzero(sums.standard_error() > self.target_error)[0]
            if not len(left):
                break
            chosen = policies.with_members(policies.flat[torch.from_numpy(left)])
            more = reward_sums(
                agent,
                chosen,
                self.part_pairs,
                derive_seed(seed, "round", number),
                self.noise == "common",
                None,
                num_threads,
            )
            sums = sums.added_at(left, more)
        return sums


def centre_of(steps: F64, randoms: F64) -> int | None:
    """The grid point at the unchanged policy, if there is one."""
    at = np.argwhere((steps[:, None] == 0) & (randoms[None, :] == 0))
    return int(at[0, 0] * len(randoms) + at[0, 1]) if len(at) else None


@dataclass(frozen=True)
class LandscapeStudy:
    """The settings of a landscape study.

    Attributes:
        iterations: checkpoints, which the runs must have kept.
        trials: how many of the runs' trials, from the first; None: all.
        sources: pairs that the update step is computed from, one map each.
        pairs: pairs per grid point of the true reward, one map each.
        points: grid points along each of the two directions.
        low: where both axes begin, in steps and in random directions.
        high: where both axes end.
        noise: "independent" streams at every point, or "common" random numbers.
        part_pairs: a map is computed in parts of so many pairs per point.
        target_error: stop at points whose standard error is below this; None: never.
        seed: of everything random.
        sampling: how the pairs of a step are sampled and judged.
    """

    iterations: tuple[int, ...] = (0, 150, 300, 450)
    trials: int | None = 1
    sources: tuple[int, ...] = (2000,)
    pairs: tuple[int, ...] = (2000, 20_000)
    points: tuple[int, int] = (11, 11)
    low: float = 0.0
    high: float = 3.0
    noise: str = "independent"
    part_pairs: int = 20_000
    target_error: float | None = None
    seed: int = 0
    sampling: Sampling = field(default_factory=Sampling)

    def __post_init__(self) -> None:
        check_choice("noise", self.noise, ("independent", "common"))
        check_count("part_pairs", self.part_pairs)
        for name in ("sources", "pairs", "points"):
            for n in getattr(self, name):
                check_count(name, n)
        if not self.low < self.high:
            raise ValueError(f"high: expected more than low ({self.low}), got {self.high}")
        if self.target_error is not None and not self.target_error > 0:
            raise ValueError(f"target_error: expected a number > 0, got {self.target_error}")

    def plans(self, runs: str | Path | Sequence[str | Path], out: Path) -> dict[str, Plan]:
        """What is computed, by the name of its store, in order."""
        checkpoints = Checkpoints.of(runs, self.iterations, self.trials)
        probe = checkpoints.agent(checkpoints.algorithms[0], max(checkpoints.iterations), 0)
        steps, randoms = (
            tuple(np.linspace(self.low, self.high, n).round(9).tolist()) for n in self.points
        )
        spec = {
            **asdict(self),
            "study": "landscape",
            "task": checkpoints.task_id,
            "trials": checkpoints.trials,
            "checkpoints": checkpoints.digests(),
        }
        grid = {"step_scale": list(steps), "random_scale": list(randoms)}
        points = len(steps) * len(randoms)
        shared: dict[str, Any] = {
            "probe": probe,
            "attributes": {"model_sha256": checkpoints.task().model_hash()},
        }
        P = probe.policy.flat.shape[1]
        surrogate = Plan(
            title=f"surrogate {checkpoints.task_id}",
            schema=Schema(
                {**checkpoints.dims, "source": list(self.sources)},
                {**grid, "parameter": list(range(P))},
                _SURROGATE,
                {**spec, "pairs": None, "noise": None, "part_pairs": None, "target_error": None},
            ),
            function=SurrogateMap(checkpoints, steps, randoms, self.seed, self.sampling),
            cost=lambda at: int(at["source"]),
            **shared,
        )
        parts = 1
        if self.target_error is None:
            parts = math.ceil(max(self.pairs) / self.part_pairs)
        function = RewardMap(
            checkpoints,
            steps,
            randoms,
            self.part_pairs,
            self.noise,
            self.target_error,
            self.seed,
            str(out / "surrogate.zarr"),
        )
        reward = Plan(
            title=f"reward {checkpoints.task_id}",
            schema=Schema(
                {
                    **checkpoints.dims,
                    "source": list(self.sources),
                    "pairs": list(self.pairs),
                    "part": list(range(parts)),
                },
                grid,
                _REWARD,
                spec,
            ),
            function=function,
            cost=lambda at: points * function.part(at),
            wanted=lambda at: function.part(at) > 0,
            **shared,
        )
        return {"surrogate.zarr": surrogate, "reward.zarr": reward}


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
    for name, plan in LandscapeStudy(**settings).plans(runs, Path(out)).items():
        run_plan(plan, Path(out) / name, num_threads=num_threads, cluster=cluster)
    return open_landscape(out)


def describe_landscape(
    runs: str | Path | Sequence[str | Path], out: str | Path, **settings: Any
) -> str:
    """What :func:`landscape` would compute, and how long it would take."""
    study = LandscapeStudy(**settings)
    lines = [f"{study.points[0]} x {study.points[1]} points per map"]
    for name, plan in study.plans(runs, Path(out)).items():
        lines.append(describe_plan(plan, Path(out) / name))
    return "\n".join(lines)


def open_landscape(out: str | Path) -> xr.Dataset:
    """Maps over (algorithm, iteration, trial, source, [pairs,] step_scale, random_scale).

    reward (mean return), reward_error (its standard error over trajectories), trajectories,
    pairs_used, difference and difference_error (to the centre, paired; NaN without common random
    numbers), surrogate, kl, and step_norm of every map.
    """
    parts = open_study(Path(out) / "reward.zarr")
    sums = parts[list(_SUMS)].sum("part", min_count=1)
    directions = open_study(Path(out) / "surrogate.zarr")
    data = directions[["surrogate", "kl"]]
    data["step_norm"] = np.sqrt((directions["step"] ** 2).sum("parameter", skipna=False))
    for mean, error, names in (
        ("reward", "reward_error", ("count", "total", "square")),
        ("difference", "difference_error", ("paired_count", "paired_total", "paired_square")),
    ):
        count, total, square = (sums[n] for n in names)
        data[mean] = total / count.where(count > 0)
        spread = xr.apply_ufunc(standard_error, count, total, square)
        data[error] = spread.where(count > 1)
    data["trajectories"], data["pairs_used"] = sums["count"], sums["pairs_used"]
    data.attrs = parts.attrs
    return data
