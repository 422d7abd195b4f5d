"""The training runs of a sample regime study: which there are, and that each is what it must be."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pgcore.base.errors import check_type
from pgcore.learning.algorithms import find_algorithm
from pgcore.studies.regime.settings import LAST, RegimeStudy, iteration_at
from pgcore.tasks.gymnasium import AnyTask
from pgcore.tasks.task import TaskSpec
from pgcore.training.checkpoint import Checkpoint, load_checkpoint
from pgcore.training.config import TrainConfig
from pgcore.training.divergence import NONE
from pgcore.training.presets import default_preset, preset_config
from pgcore.training.run import kept_iterations
from pgcore.training.start import (
    changed_settings,
    check_size,
    check_start,
    has_iterations,
    next_checkpoint,
    stored_config,
)

_TENTHS = tuple(tenth / 10 for tenth in range(10))  # of training, whose checkpoints are kept, too
# set by the study, or no reason for other numbers
_VARIED = ("pairs", "iterations", "trials", "first_trial", "seed", "keep", "save_every", "lowered")
Point = tuple[str, int, float]  # algorithm, pairs per iteration, factor of the rate


@dataclass(frozen=True)
class GridRun:
    """A training run: some or all trials of a point of the grid.

    Attributes:
        point: of the grid.
        config: its settings.
        folder: where it is, or will be.
    """

    point: Point
    config: TrainConfig
    folder: Path

    @property
    def label(self) -> str:
        """What it is called beside the other rates."""
        first = self.config.first_trial
        return f"x{self.point[2]:g}" + (f" from trial {first}" if first else "")

    @property
    def begun(self) -> bool:
        """Whether it has made an iteration."""
        return has_iterations(self.folder)

    def latest(self) -> Checkpoint:
        """Where it stands; it must have begun."""
        newest = next_checkpoint(self.folder)
        assert newest is not None  # a run that has begun has one
        return load_checkpoint(newest)

    def left(self) -> int:
        """Iterations that it has still to make; none where no trial is left."""
        if not self.begun:
            return self.config.iterations
        latest = self.latest()
        alive = (latest.state["diverged"][:, 0] == NONE).any()
        return self.config.iterations - latest.iteration if alive else 0

    def pairs(self, iterations: int) -> int:
        """Of all its trials in some iterations."""
        return iterations * self.config.pairs * self.config.trials

    def iteration(self, share: float) -> int:
        """After a share of training."""
        whole = self.config.iterations
        return whole if share == LAST else iteration_at(share, whole)

    def kept(self, shares: Sequence[float]) -> list[int]:
        """The iterations at some shares that it has got to, in order."""
        there = kept_iterations(self.folder)
        return [i for i in map(self.iteration, shares) if i in there]


def rate_field(algorithm: str) -> str:
    """The setting that a factor of the grid multiplies: how far an update goes."""
    fields = [f.name for f in dataclasses.fields(find_algorithm(algorithm).settings)]
    return "policy_lr" if "policy_lr" in fields else "kl"


def base_configs(
    task: str | TaskSpec, settings: RegimeStudy, configs: Mapping[str, TrainConfig] | None
) -> dict[str, TrainConfig]:
    """Settings of each algorithm, but for what the grid varies: those given, else its preset."""
    check_type("task", task, str | TaskSpec, "an id, a task file or a TaskSpec")
    check_type("configs", configs, Mapping | None, "TrainConfigs by algorithm, or None")
    found = {}
    for name in settings.algorithms:
        if configs is not None and name in configs:
            config = configs[name]
            check_type("configs", config, TrainConfig, "TrainConfigs by algorithm")
            if config.algorithm != name:
                raise ValueError(f"configs: expected settings of {name}, got {config.algorithm}'s")
        elif isinstance(task, TaskSpec):
            config = preset_config(settings.preset or "default", task.id, name)
        else:
            preset = settings.preset or default_preset(task, name)
            config = preset_config(preset, task, name)
        persist = settings.persist or config.persist
        found[name] = dataclasses.replace(config, task=task, persist=persist)
    return found


def base_digests(
    settings: RegimeStudy, bases: Mapping[str, TrainConfig]
) -> Iterator[tuple[str, str]]:
    """What identifies the settings that the grid does not vary, by algorithm."""
    for name, config in bases.items():
        values = {k: v for k, v in config.to_dict().items() if k not in _VARIED}
        text = json.dumps([values, settings.minibatch_size], sort_keys=True)
        yield name, hashlib.sha256(text.encode()).hexdigest()


def grid_runs(
    settings: RegimeStudy,
    bases: Mapping[str, TrainConfig],
    task: AnyTask,
    out: Path,
    lowered: bool,
) -> list[GridRun]:
    """All runs of a study, each checked: its settings, its memory, and what its folder holds.

    Trials that come to a point later are a run of their own, which continues the numbers.

    Raises:
        ValueError: settings that cannot be, or a folder that holds another run.
    """
    runs = []
    for algorithm in settings.algorithms:
        for n in settings.pairs:
            for rate in settings.rates:
                point = (algorithm, n, rate)
                one = _config(settings, bases[algorithm], point, lowered)
                folder = out / "runs" / f"{algorithm}-{n}-x{rate:g}"
                for first, count in _batches(folder, settings.trials):
                    config = dataclasses.replace(one, first_trial=first, trials=count)
                    runs.append(GridRun(point, config, _from(folder, first)))
    for run in runs:
        check_size(run.config, task)
        _check_folder(run, settings.shares)
    return runs


def _config(settings: RegimeStudy, base: TrainConfig, point: Point, lowered: bool) -> TrainConfig:
    _, n, rate = point
    iterations = settings.iterations(n)
    at = functools.partial(iteration_at, iterations=iterations)
    name = rate_field(base.algorithm)
    changes = {
        "pairs": n,
        "iterations": iterations,
        "seed": settings.seed,
        "keep": tuple(sorted({at(share) for share in (*_TENTHS, *settings.shares)})),
        "lowered": lowered,
        name: getattr(base, name) * rate,
    }
    if settings.minibatch_size is not None:
        changes |= {"minibatches": n // settings.minibatch_size, "value_minibatches": None}
    return dataclasses.replace(base, **changes)


def _from(folder: Path, first: int) -> Path:
    return folder if first == 0 else folder.with_name(f"{folder.name}-from-{first}")


def _batches(folder: Path, trials: int) -> list[tuple[int, int]]:
    """(first trial, trials) of each run of a point: those that have begun, and one of the rest."""
    found, covered = [], 0
    while covered < trials:
        path = _from(folder, covered)
        count = trials - covered
        if has_iterations(path):
            count = stored_config(path).trials
            if covered + count > trials:
                raise ValueError(
                    f"trials: expected at least {covered + count}, which {folder} has, got {trials}"
                )
        found.append((covered, count))
        covered += count
    return found


def _check_folder(run: GridRun, shares: Sequence[float]) -> None:
    """Whether a run's folder may be gone on with, and has what is to be measured."""
    check_start(run.folder, run.begun)
    if not run.begun:
        return
    changed_settings(run.folder, run.config, stored_config(run.folder), ("keep", "save_every"))
    latest, there = run.latest().iteration, kept_iterations(run.folder)
    for share in shares:
        wanted = run.iteration(share)
        if wanted < latest and wanted not in there:
            raise ValueError(
                f"shares: {run.folder} has not kept iteration {wanted} of {run.config.iterations}, "
                f"which {share} is; it has {there}"
            )
