"""Do the 95 % intervals of a map's points cover the mean return, at few pairs per point?

    python experiments/map_coverage.py RUN [RUN ...] --iteration 300

The streams of trained agents are simulated once and drawn again and again: a point of n pairs is
n / 1000 of them (Hopper's time limit), as in `pgcore.evaluate`. The truth is the mean over the
first trajectories of all streams, whose number depends on nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro
from scipy import stats

import pgcore
from pgcore.base.arrays import F64, I64
from pgcore.studies.engine.sources import Agents
from pgcore.studies.landscape.surfaces import standard_error


@dataclass(frozen=True)
class Command:
    """Bias and coverage of the mean return of trained agents."""

    runs: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Folders of training runs on one task."""
    iteration: int = 300
    """Which checkpoint."""
    streams: int = 1200
    """That are simulated."""
    points: int = 20_000
    """That are drawn of them."""


def stream_sums(returns: F64, stream: I64, streams: int) -> F64:
    """Number, sum and sum of squares of the returns of every stream [3, S]."""
    powers = (None, returns, returns**2)
    return np.array([np.bincount(stream, p, minlength=streams) for p in powers], dtype=float)


def main(command: Command) -> None:
    agents = Agents.of(list(command.runs), [command.iteration], 1)
    limit = agents.task().time_limit or 1000
    for algorithm in agents.labels:
        agent = agents.agent({"agent": algorithm, "iteration": command.iteration, "trial": 0})
        S = command.streams
        scores = pgcore.evaluate(
            agent.task, agent.policy, S * limit, 5, normalizer=agent.normalizer, streams=S
        )
        firsts = scores.returns[np.flatnonzero(np.diff(scores.stream, prepend=-1))]
        truth = firsts.mean()
        known = f"mean return {truth:.0f} ± {stats.sem(firsts):.0f}"
        print(f"{algorithm} at {command.iteration}: {known}")
        sums = stream_sums(scores.returns, scores.stream, S)
        generator = np.random.Generator(np.random.Philox(key=6))
        for k in (2, 5, 20, 100):
            count, total, square = sums[:, generator.integers(0, S, (command.points, k))].sum(-1)
            error = standard_error(count, total, square)
            width = stats.t.ppf(0.975, np.maximum(count - 1, 1)) * error
            mean = total / count
            print(
                f"  {k * limit} pairs, {count.mean():.1f} trajectories: bias "
                f"{mean.mean() - truth:+.0f}, 95 % intervals cover "
                f"{100 * (abs(mean - truth) < width).mean():.1f} %"
            )


if __name__ == "__main__":
    main(tyro.cli(Command))
