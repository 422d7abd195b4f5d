"""`pgcore study`: run a study on trained agents and draw its figure."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from pgcore.studies import figures
from pgcore.studies.gradient import DEFAULT_PAIRS, GradientSettings, gradient_quality

USAGE = """usage: pgcore study STUDY RUN [RUN ...] --out DIR [options]

Measure the agents of one or more training runs (one run per algorithm, same task). What is already
in DIR is kept and only the rest computed, so an interrupted study goes on with the same command.

  gradient   how concentrated are gradient estimates from n state-action pairs? (figures 1, 9)

`pgcore study STUDY --help` documents every option.
"""


@dataclass(frozen=True)
class GradientCommand:
    """Pairwise cosine of gradient estimates against the number of state-action pairs n."""

    runs: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Folders of training runs on one task, at most one per algorithm."""
    out: Path
    """Folder for dataset.zarr and the figure."""
    iterations: tuple[int, ...] = (0, 150, 300, 450)
    """Checkpoints to measure; the runs must have kept them."""
    pairs: tuple[int, ...] = DEFAULT_PAIRS
    """Values of n."""
    estimates: int = 10
    """Independent estimates at each n."""
    trials: int | None = None
    """Trials to measure, from the first. Default: all."""
    seed: int = 0
    """Seed of the rollouts."""
    baseline: Literal["value", "zero"] = "value"
    """Baseline of the advantages: the agent's value network, or none (returns)."""
    gamma: float = 0.99
    """Discount of the advantages."""
    lam: float = 0.95
    """GAE's lambda."""
    threads: int | None = None
    """Threads. Default: what affinity, cgroup and Slurm allow."""


def gradient(arguments: Sequence[str]) -> None:
    """`pgcore study gradient`."""
    command = tyro.cli(GradientCommand, prog="pgcore study gradient", args=list(arguments))
    data = gradient_quality(
        command.runs,
        command.out / "dataset.zarr",
        iterations=command.iterations,
        pairs=command.pairs,
        estimates=command.estimates,
        trials=command.trials,
        seed=command.seed,
        settings=GradientSettings(command.gamma, command.lam, command.baseline),
        num_threads=command.threads,
    )
    figures.save_figure(figures.gradient_figure(data), command.out / "pairwise_cosine")
    print(f"{command.out}: dataset.zarr, pairwise_cosine.png, pairwise_cosine.pdf")


STUDIES = {"gradient": gradient}


def main(arguments: Sequence[str]) -> None:
    """Dispatch to a study; the caller turns errors into one line."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(USAGE, end="")
        raise SystemExit(0)
    if arguments[0] not in STUDIES:
        known = ", ".join(STUDIES)
        print(f"pgcore study: unknown study {arguments[0]!r}; studies: {known}", file=sys.stderr)
        raise SystemExit(2)
    STUDIES[arguments[0]](arguments[1:])
