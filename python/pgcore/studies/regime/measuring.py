"""What is measured of a sample regime's runs: by the gradient and the step study, as they are."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from pgcore.studies.engine.cells import Plan
from pgcore.studies.engine.sources import Agents
from pgcore.studies.pairs.sampling import Sampling
from pgcore.studies.regime.grid import GridRun
from pgcore.studies.regime.settings import RegimeStudy
from pgcore.training.config import TrainConfig
from pgcore.training.records import read_diverged

KINDS = ("gradient", "step")


def study_folder(out: Path, kind: str, algorithm: str, pairs: int) -> Path:
    """Where the gradient or step study of some runs is; its agents are the rates."""
    return out / kind / f"{algorithm}-{pairs}"


def agents_of(
    runs: Sequence[GridRun],
    shares: Sequence[float],
    name: Callable[[GridRun], str],
    lowered: bool | None,
    warm_up: bool,
) -> Agents | None:
    """The agents of some runs after shares of training; None where all trials have diverged."""
    parts = []
    for run in runs:
        lost = [d.iteration for d in read_diverged(run.folder)]
        there = [i for i in run.kept(shares) if sum(at < i for at in lost) < run.config.trials]
        if there:
            parts.append(Agents.of({name(run): run.folder}, there, None, lowered, warm_up))
    return Agents.together(parts) if parts else None


def sampling_of(config: TrainConfig) -> Sampling:
    """How a run samples and judges: its own streams, discount and lambda."""
    return Sampling(
        gamma=config.gamma,
        lam=config.lam,
        baseline=config.baseline,
        stream_steps=config.pairs // config.streams,
    )


def by_pairs(runs: Sequence[GridRun]) -> Iterator[tuple[str, int, list[GridRun]]]:
    """Algorithm, pairs, and the runs that have both: all rates."""
    for algorithm, pairs in dict.fromkeys(run.point[:2] for run in runs):
        yield algorithm, pairs, [run for run in runs if run.point[:2] == (algorithm, pairs)]


def study_plans(
    settings: RegimeStudy, kind: str, runs: Sequence[GridRun], agents: Agents, folder: Path
) -> dict[str, Plan]:
    """The plans of the gradient or step study of runs of one algorithm and number of pairs."""
    config = runs[0].config
    study = getattr(settings, kind)(config.pairs, sampling_of(config))
    plans: dict[str, Plan] = study.plans(agents, folder)
    return {
        name: dataclasses.replace(plan, title=f"{plan.title} {config.algorithm} n={config.pairs}")
        for name, plan in plans.items()
    }
