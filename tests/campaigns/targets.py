"""What campaigns run: training, and every study, each so small that it takes seconds."""

from __future__ import annotations

import dataclasses
import importlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

from pgcore.cli import main
from pgcore.studies.catalog import STUDIES
from pgcore.studies.gradient.study import GradientEstimates
from pgcore.training.config import TrainConfig
from pgcore.training.run import Run

Arguments = list[str]

_SMALL_RUN = (
    "--preset default --task Hopper-v2 --trials 2 --pairs 128 --minibatches 4 --policy-epochs 2 "
    "--value-epochs 2 --hidden 8 --value-hidden 8 --save-every 1 --normalize-rewards --seed 1"
)
SMALL_RUN = _SMALL_RUN.split()

_OPTIONS = {
    "gradient": (
        "--iterations 0 2 --pairs 64 256 --estimates 4 --true-pairs 512 --true-step-pairs 256 "
        "--largest-step 64"
    ),
    "value": (
        "--iterations 0 2 --variance-iterations 2 --held-out-pairs 300 --returns cut "
        "--true-value-pairs 2000 --states 6 --continuations 3 --pairs 64 128 --estimates 4"
    ),
    "landscape": (
        "--iterations 2 --sources 128 --pairs 100 300 --points 3 4 --random-range 0 3 "
        "--part-pairs 200"
    ),
    "step": "--iterations 0 2 --steps 3 --pairs 128 --reward-pairs 100 --true-pairs 256",
    "update": "--iterations 0 2 --updates 2 --pairs 128 --reward-pairs 100 --points 4",
    "regime": (
        "--algorithms ppo --pairs 512 1024 --rates 1 --total-pairs 4096 --trials 2 --shares 0 0.5 "
        "--estimates 3 --true-pairs 1024 --steps 2 --reward-pairs 100"
    ),
    "curvature": (
        "--iterations 0 2 --pairs 128 --vectors 3 --updates 2 --update-pairs 64 --true-pairs 256"
    ),
    "variance": ("--iterations 0 2 --trajectories 10 --first-actions 3 --rests 2 --fit-pairs 3000"),
}


def make_runs(folder: Path) -> list[Path]:
    """A PPO and a TRPO run for the studies, of two trials and with checkpoints 0 and 2."""
    runs = [folder / "ppo", folder / "trpo"]
    for run in runs:
        extra = ["--algorithm", run.name, "--iterations", "4", "--keep", "0", "2"]
        main(["train", *SMALL_RUN, *extra, "--out", str(run)])
    return runs


def train(out: Path, runs: list[Path]) -> Arguments:
    """Training, which goes on with what is there."""
    extra = ["--iterations", "24", "--keep", "0", "12", "--resume"]
    return ["train", *SMALL_RUN, *extra, "--out", str(out)]


def go_on(run: Path, config: TrainConfig) -> None:
    """Train it from where it stands."""
    with Run(run, config, resume=True, num_threads=2) as going:
        list(going.iterations())


def measure(
    name: str, settings: dict[str, Any], runs: list[Path], out: Path, cluster: str | None = None
) -> None:
    """A study by its name, on one thread or on a cluster."""
    where = {"num_threads": 1} if cluster is None else {"cluster": cluster}
    STUDIES[name].measure(runs, out, **where, **settings)


def _for_ever(*call: Any) -> None:
    time.sleep(600)


def measure_for_ever(runs: list[Path], out: Path, cluster: str | None, **few: Any) -> None:
    """A gradient study whose second store is begun and gets no cell."""
    with mock.patch.object(GradientEstimates, "__call__", _for_ever):
        STUDIES["gradient"].measure(runs, out, cluster=cluster, **few)


def dask(program: str, *arguments: str) -> None:
    """The command `dask scheduler` or `dask worker`."""
    importlib.import_module(f"distributed.cli.dask_{program}").main([*arguments])


def _study(name: str, cluster: str | None) -> Callable[[Path, list[Path]], Arguments]:
    def arguments(out: Path, runs: list[Path]) -> Arguments:
        of = ["LinearQuadratic-v0"] if STUDIES[name].trains else [str(run) for run in runs]
        where = [] if cluster is None else ["--cluster", cluster]
        return ["study", name, *of, *_OPTIONS[name].split(), *where, "--out", str(out)]

    return arguments


def targets() -> dict[str, Callable[[Path, list[Path]], Arguments]]:
    """By name, what gives the arguments of `pgcore` for a folder and the runs to study."""
    found = {"train": train}
    for name in STUDIES:
        found[name] = _study(name, None)
        found[f"{name}, Dask"] = _study(name, "local:2")
    return found


def leave_out_figures() -> None:
    """Let studies end with their datasets: figures take longer than all cells here."""
    for name, study in STUDIES.items():
        STUDIES[name] = dataclasses.replace(study, report=lambda data, out: None)
