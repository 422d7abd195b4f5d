"""The cells of a sample regime: true rewards of its agents, and what their training told."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pgcore.base.arrays import F64
from pgcore.studies.engine.cells import Plan, Values
from pgcore.studies.engine.parts import shared_of
from pgcore.studies.engine.sources import Agents
from pgcore.studies.engine.store import Schema
from pgcore.studies.regime.grid import GridRun, rate_field
from pgcore.studies.regime.settings import LAST, RegimeStudy
from pgcore.training.divergence import CAUSES
from pgcore.training.records import read_diverged, read_metrics

REWARD_STORE, TRAINING_STORE = "dataset.zarr", "training.zarr"
BINS = 50  # of a training curve, equal parts of the total pairs
LAST_BINS = 5  # a tenth of training, at its end
_Variables = dict[str, tuple[tuple[str, ...], str, str]]
REWARDS: _Variables = {
    "reward": ((), "return", "mean return of complete trajectories of the agent"),
    "reward_error": ((), "return", "its standard error over trajectories"),
    "reward_trajectories": ((), "trajectories", "complete trajectories"),
}
TRAINING: _Variables = {
    "rate_value": ((), "1", "learning rate of the policy at the start of training; TRPO: delta"),
    "curve": (("progress",), "return", "mean over the iterations of a fiftieth of training of the "
              "mean return of the trajectories that ended in them"),
    "curve_known": (("progress",), "1", "share of these iterations in which a trajectory ended"),
    "training_return": ((), "return", "the mean return of trajectories that ended in an iteration, "
                        "mean over the iterations of the last tenth of training"),
    "training_known": ((), "1", "share of these iterations in which a trajectory ended"),
    "diverged_iteration": ((), "1", "iteration at which the trial diverged; NaN where it did not"),
    "diverged_cause": ((), "1", "what was not finite, as a place in pgcore.training's CAUSES"),
}  # fmt: skip
Place = tuple[str, int, float, int]  # algorithm, pairs, rate, trial


@dataclass(frozen=True)
class Rewards:
    """The cell of ``dataset.zarr``: the true reward of an agent after a share of its training.

    Attributes:
        agents: by the names of their runs' folders.
        runs: (name of the run, trial in it, iterations by share) of each trial of the grid.
        pairs, seed: of the evaluation.
    """

    agents: Agents
    runs: Mapping[Place, tuple[str, int, Mapping[float, int]]]
    pairs: int
    seed: int

    def place(self, at: Mapping[str, Any]) -> dict[str, Any]:
        """Where the agent of some coordinates is among ``agents``."""
        name, trial, iterations = self.runs[place_of(at)]
        return {"agent": name, "iteration": iterations[at["share"]], "trial": trial}

    def has(self, at: Mapping[str, Any]) -> bool:
        """Whether there is one."""
        return place_of(at) in self.runs and self.agents.has(self.place(at))

    def __call__(self, at: dict[str, Any], num_threads: int) -> Values:
        own = self.place(at)
        seed = self.agents.seed(own, self.seed, "regime-reward")
        scores = self.agents.agent(own).evaluate(self.pairs, seed, num_threads=num_threads)
        n = len(scores.returns)
        error = float(scores.returns.std(ddof=1)) / n**0.5 if n > 1 else np.nan
        return {
            "reward": float(scores.returns.mean()),
            "reward_error": error,
            "reward_trajectories": float(n),
        }


@dataclass(frozen=True)
class Trainings:
    """The cell of ``training.zarr``: what one trial's training told, from its run's tables.

    Attributes:
        folders: (folder of the run, trial in it) of each trial of the grid.
    """

    folders: Mapping[Place, tuple[str, int]]

    def __call__(self, at: dict[str, Any], num_threads: int) -> Values:
        folder, trial = self.folders[place_of(at)]
        returns = read_metrics(Path(folder))["return_mean"][:, trial]
        config = json.loads((Path(folder) / "config.json").read_text(encoding="utf-8"))
        ends = np.arange(1, len(returns) + 1) / config["iterations"]
        bins = np.minimum(np.ceil(ends * BINS - 1e-9).astype(np.int64), BINS) - 1
        curve, known = binned(returns, bins)
        late = bins >= BINS - LAST_BINS
        value, share = binned(returns[late], np.zeros(int(late.sum()), dtype=np.int64), 1)
        lost = [d for d in read_diverged(Path(folder)) if d.trial == trial]
        causes = [CAUSES.index(d.cause.partition(":")[0]) for d in lost]
        return {
            "rate_value": float(config[rate_field(config["algorithm"])]),
            "curve": curve,
            "curve_known": known,
            "training_return": value[0] if not lost else np.nan,
            "training_known": share[0] if not lost else np.nan,
            "diverged_iteration": float(lost[0].iteration) if lost else np.nan,
            "diverged_cause": float(causes[0]) if lost else np.nan,
        }


def binned(values: F64, bins: Sequence[int] | Any, count: int = BINS) -> tuple[F64, F64]:
    """Mean of the finite values of each bin, and the share of its values that are finite."""
    finite = np.isfinite(values)
    sums = np.bincount(bins, np.where(finite, values, 0.0), count)
    there, known = np.bincount(bins, minlength=count), np.bincount(bins, finite, count)
    with np.errstate(invalid="ignore"):
        return sums / known, known / there


def place_of(at: Mapping[str, Any]) -> Place:
    """The trial of the grid that some coordinates speak of."""
    return at["algorithm"], at["pairs"], at["rate"], at["trial"]


def places_of(run: GridRun) -> dict[Place, int]:
    """The trials of the grid that a run has, and their numbers in it."""
    return {(*run.point, t): i for i, t in enumerate(run.config.trial_numbers)}


def reward_schema(
    settings: RegimeStudy, spec: Mapping[str, Any], identities: Mapping[str, str]
) -> Schema:
    """Of ``dataset.zarr``."""
    return Schema(
        {**_grid_dims(settings), "share": _shares(settings)},
        {},
        REWARDS,
        {**spec, "reward_pairs": settings.reward_pairs},
        identities,
        other_moment="other",
    )


def reward_plan(
    settings: RegimeStudy,
    runs: Sequence[GridRun],
    agents: Agents,
    spec: Mapping[str, Any],
    identities: Mapping[str, str],
) -> Plan:
    """True rewards at all shares of training, and at its end."""
    shares = _shares(settings)
    places = {
        place: (run.folder.name, trial, {share: run.iteration(share) for share in shares})
        for run in runs
        for place, trial in places_of(run).items()
    }
    function = Rewards(agents, places, settings.reward_pairs, settings.seed)
    return Plan(
        title=f"rewards {agents.task_id}",
        schema=reward_schema(settings, spec, {**identities, **agents.identities()}),
        function=function,
        cost=lambda at: settings.reward_pairs,
        **{**shared_of(agents), "wanted": function.has},
    )


def training_plan(
    settings: RegimeStudy,
    runs: Sequence[GridRun],
    agents: Agents,
    spec: Mapping[str, Any],
    identities: Mapping[str, str],
) -> Plan:
    """What the runs tell of themselves."""
    folders = {
        place: (str(run.folder.resolve()), trial)
        for run in runs
        for place, trial in places_of(run).items()
    }
    return Plan(
        title=f"tables {agents.task_id}",
        schema=Schema(
            _grid_dims(settings),
            {"progress": [(i + 1) / BINS for i in range(BINS)]},
            TRAINING,
            spec,
            {**identities, **{run.folder.name: run.latest().digest for run in runs}},
            other_moment="other",
        ),
        function=Trainings(folders),
        cost=lambda at: 1,
        **{**shared_of(agents), "wanted": lambda at: place_of(at) in folders},
    )


def _grid_dims(settings: RegimeStudy) -> dict[str, list[Any]]:
    """The dimensions of the grid and its trials."""
    return {
        "algorithm": list(settings.algorithms),
        "pairs": list(settings.pairs),
        "rate": [float(rate) for rate in settings.rates],
        "trial": list(range(settings.trials)),
    }


def _shares(settings: RegimeStudy) -> list[float]:
    """Of training, at which the reward is measured."""
    return sorted({*map(float, settings.shares), LAST})
