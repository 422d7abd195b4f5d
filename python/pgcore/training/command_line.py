"""`pgcore train` and `pgcore presets`."""

from __future__ import annotations

import dataclasses
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, Literal

import numpy as np
import tyro

from pgcore.base.command import parse
from pgcore.base.errors import check_count, check_path
from pgcore.base.progress import Progress
from pgcore.base.signals import STOP_SIGNALS, left_by_terminal
from pgcore.learning.algorithms import ALGORITHMS
from pgcore.training.config import TrainConfig
from pgcore.training.presets import (
    FAMILIES,
    NOTES,
    default_preset,
    preset_config,
    preset_differences,
)
from pgcore.training.run import Run
from pgcore.training.start import MAY_CHANGE, stored_config
from pgcore.training.trainer import Record


@dataclass(frozen=True)
class _Stop:
    """Whether it was asked to stop; a second time is not held back."""

    asked: list[int]

    def __bool__(self) -> bool:
        return bool(self.asked)


@contextmanager
def _graceful_stop() -> Iterator[_Stop]:
    """Turn the first signal into a request to stop after the work in flight."""
    stop = _Stop([])
    before = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    under_nohup = before[signal.SIGHUP] is signal.SIG_IGN
    heard = [n for n in STOP_SIGNALS if not (under_nohup and n == signal.SIGHUP)]

    def on_signal(number: int, frame: FrameType | None) -> None:
        left_by_terminal(number)
        if stop:
            signal.signal(number, before[signal.Signals(number)])
            raise KeyboardInterrupt
        stop.asked.append(number)
        name = "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name
        print(f"\nstopping after this iteration; {name} again stops at once", file=sys.stderr)

    for number in heard:
        signal.signal(number, on_signal)
    try:
        yield stop
    finally:
        for number in heard:
            signal.signal(number, before[number])


@dataclass(frozen=True)
class _RunOptions:
    """Where a run goes and how it is run; results do not depend on these."""

    out: Path
    """Folder of the run; made if it is not there."""
    resume: bool = False
    """Go on with the run in that folder; it knows its settings, and those that are given must be
    them. --iterations, --keep and --save-every may be other ones."""
    threads: int | None = None
    """Threads. Default: what affinity, cgroup and Slurm allow."""


def _peek(arguments: Sequence[str], option: str, otherwise: str) -> str:
    """The value of an option that the defaults of the others depend on; of several the last."""
    found = otherwise
    for i, argument in enumerate(arguments):
        if argument == option and i + 1 < len(arguments):
            found = arguments[i + 1]
        if argument.startswith(option + "="):
            found = argument.split("=", 1)[1]
    return found


def _defaults(arguments: Sequence[str]) -> tuple[TrainConfig, str]:
    """The settings that the options start from, and the preset that they are from."""
    out = _peek(arguments, "--out", "")
    file = check_path("out", out or ".") / "config.json"
    resumed = "--resume" in arguments and out and file.is_file()
    stored = stored_config(file.parent) if resumed else None
    preset = _peek(arguments, "--preset", "")
    if stored is not None and not preset:
        return stored, "of the run"
    task = _peek(arguments, "--task", "Hopper-v2" if stored is None else stored.task_id)
    algorithm = _peek(arguments, "--algorithm", "ppo" if stored is None else stored.algorithm)
    preset = preset or default_preset(task, algorithm)
    settings = preset_config(preset, task, algorithm)
    if stored is not None:  # the preset's are compared with the run's, but for those
        kept = {name: getattr(stored, name) for name in MAY_CHANGE}
        kept |= {} if "--task" in arguments else {"task": stored.task}
        settings = dataclasses.replace(settings, **kept)
    return settings, preset


def _parse(arguments: Sequence[str]) -> tuple[TrainConfig, _RunOptions, str]:
    settings, preset = _defaults(arguments)

    @dataclass(frozen=True)
    class Command:
        run: Annotated[_RunOptions, tyro.conf.arg(name="")]
        config: Annotated[TrainConfig, tyro.conf.arg(name="")]
        preset: Literal["default", "paper", "companion"] = "paper"
        """Where the defaults below come from: paper (Table 1), companion (the authors' code), or
        default. Without it: paper for the paper's own tasks (-v2), else default."""

    chosen: Any = preset if preset in ("default", "paper", "companion") else "default"
    command = parse(
        Command,
        "pgcore train",
        arguments,
        description="Train a stack of agents. The defaults shown are those of the chosen preset.",
        default=Command(_RunOptions(tyro.MISSING), settings, chosen),
    )
    return command.config, command.run, preset


def _name_lost(bar: Progress, run: Run, record: Record) -> None:
    """A line for each trial that an iteration has lost; without a trial left an error names all."""
    if len(run.trainer.divergences()) < run.config.trials:
        for divergence in record.diverged:
            bar.write(f"{divergence}; the other trials go on without it")


def without_effect(config: TrainConfig, arguments: Sequence[str]) -> list[str]:
    """The options given that only other algorithms have, or that go with what is switched off."""
    fields = {
        name: {f.name for f in dataclasses.fields(algorithm.settings)}
        for name, algorithm in ALGORITHMS.items()
    }
    idle = set().union(*fields.values()) - fields.get(config.algorithm, set())
    of_value = {  # whose training takes the policy's where it has none of its own
        "adam_eps": True,
        "minibatches": config.value_minibatches is None,
        "max_grad_norm": config.value_max_grad_norm is None,
    }
    idle -= {name for name, taken in of_value.items() if taken}
    switched_off = {
        "std_map": config.std != "state",
        "obs_clip": not config.normalize_obs,
        "reward_clip": not config.normalize_rewards,
    }
    idle |= {name for name, off in switched_off.items() if off}
    given = (a.partition("=")[0] for a in arguments)
    return [a for a in given if a.removeprefix("--").replace("-", "_") in idle]


def _count_blown(bar: Progress, before: int, record: Record) -> int:
    """How many trajectories a simulation that blew up has ended so far; a line for the first."""
    count = int(np.nansum(record.metrics["diverged"]))
    if count and not before:
        bar.write(
            f"iteration {record.iteration}: {count} trajectories ended because the simulation blew "
            "up; metrics.csv counts them (diverged)"
        )
    return before + count


def train(arguments: Sequence[str]) -> None:
    """`pgcore train`: parse, run, report."""
    config, options, preset = _parse(arguments)
    out = check_path("out", options.out)
    if options.threads is not None:
        check_count("threads", options.threads)
    if options.resume and not (out / "config.json").is_file():
        print(f"nothing to resume in {out}: a new run begins", file=sys.stderr)
    with (
        Run(out, config, resume=options.resume, num_threads=options.threads) as run,
        _graceful_stop() as stop,
        Progress(
            f"{config.task_id} {config.algorithm} x{config.trials}",
            config.iterations,
            run.trainer.iteration,
            unit="iterations",
        ) as bar,
    ):
        source = "of the run" if preset == "of the run" else f"preset {preset}"
        bar.write(f"settings: {source}")
        if unused := without_effect(config, arguments):
            bar.write(f"{', '.join(unused)}: without effect with these settings")
        if options.resume and config.persist and run.trainer.starts_anew():
            note = f"resume is not exact: only {config.task_id} itself knew where its trajectories"
            bar.write(f"{note} stood; they begin anew")
        blown = 0
        for record in run.iterations():
            mean = record.metrics["return_mean"]
            known_mean = mean[np.isfinite(mean)]
            bar.update(1, f"return {known_mean.mean():.1f}" if len(known_mean) else None)
            _name_lost(bar, run, record)
            blown = _count_blown(bar, blown, record)
            if stop and run.trainer.iteration < config.iterations:
                run.save()
                bar.close()
                print(
                    f"stopped after iteration {run.trainer.iteration} of {config.iterations}; "
                    f"pgcore train --resume --out {out} goes on",
                    file=sys.stderr,
                )
                raise SystemExit(130)
    ended = run.trainer.divergences()
    if blown:
        since = " since the resume" if options.resume else ""
        print(f"{blown} trajectories ended because the simulation blew up{since}, see metrics.csv")
    lost = f"; {len(ended)} of {config.trials} trials diverged, see diverged.csv" if ended else ""
    print(f"{config.iterations} iterations in {out}: metrics.csv, checkpoints/, tensorboard/{lost}")


def presets(arguments: Sequence[str]) -> None:
    """`pgcore presets`: Table 1, or where the companion code differs from it."""

    @dataclass(frozen=True)
    class Command:
        """Print the presets of the paper's tasks."""

        diff: bool = False
        """Only where the presets paper and companion differ."""

    if parse(Command, "pgcore presets", arguments).diff:
        print(f"{'task':<10}{'algorithm':<11}{'field':<17}{'paper':>10}{'companion':>11}")
        for family, algorithm, name, paper, companion in preset_differences():
            print(f"{family:<10}{algorithm:<11}{name:<17}{paper:>10.4g}{companion:>11.4g}")
        for name, note in NOTES.items():
            print(f"{name}: {note}")
        return
    columns = [(f, a) for f in FAMILIES for a in ("ppo", "trpo")]
    configs = [preset_config("paper", f, a).to_dict() for f, a in columns]
    print(f"{'preset paper':<22}" + "".join(f"{f + ' ' + a:>16}" for f, a in columns))
    for name in configs[0]:
        if name in ("task", "algorithm"):
            continue
        print(f"{name:<22}" + "".join(f"{c[name]!s:>16.15}" for c in configs))
