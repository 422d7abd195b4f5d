"""The command line: `pgcore train | study | tasks | info | presets`."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, Literal

import numpy as np
import tyro
from tqdm import tqdm

from pgcore.tasks.gymnasium import GymnasiumTask
from pgcore.training.config import TrainConfig
from pgcore.training.presets import FAMILIES, preset_config, preset_differences

USAGE = """usage: pgcore COMMAND [options]

How good are the gradients, values and surrogates of deep policy-gradient agents?

  train      train agents, many trials at a time
  study      measure trained agents: gradient, value, landscape
  tasks      list the tasks; with an ID: its observations, rewards and limits
  presets    the settings of the paper; with --diff where its companion code differs
  info       versions, build flags, threads

`pgcore COMMAND --help` documents every option.
"""


@dataclass(frozen=True)
class _Stop:
    """Whether Ctrl-C was pressed; a second one is not held back."""

    pressed: list[bool]

    def __bool__(self) -> bool:
        return bool(self.pressed)


@contextmanager
def _graceful_interrupt() -> Iterator[_Stop]:
    """Turn the first Ctrl-C into a request to stop after the work in flight."""
    stop = _Stop([])
    before = signal.getsignal(signal.SIGINT)

    def on_interrupt(number: int, frame: FrameType | None) -> None:
        if stop:
            signal.signal(signal.SIGINT, before)
            raise KeyboardInterrupt
        stop.pressed.append(True)
        print("\nstopping after this iteration; Ctrl-C again stops at once", file=sys.stderr)

    signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)


@dataclass(frozen=True)
class _RunOptions:
    """Where a run goes and how it is run; results do not depend on these."""

    out: Path
    """Folder of the run; made if it is not there."""
    resume: bool = False
    """Go on with the run in that folder."""
    threads: int | None = None
    """Threads. Default: what affinity, cgroup and Slurm allow."""


def _peek(arguments: Sequence[str], option: str, otherwise: str) -> str:
    """The value of an option that the defaults of the others depend on."""
    for i, argument in enumerate(arguments):
        if argument == option and i + 1 < len(arguments):
            return arguments[i + 1]
        if argument.startswith(option + "="):
            return argument.split("=", 1)[1]
    return otherwise


def train(arguments: Sequence[str]) -> None:
    """`pgcore train`: parse, run, report."""
    from pgcore.training.run import Run

    task = _peek(arguments, "--task", "Hopper-v2")
    algorithm = _peek(arguments, "--algorithm", "ppo")
    known = task.split("-")[0] in FAMILIES
    preset = _peek(arguments, "--preset", "paper" if known else "default")
    settings = (
        preset_config(preset, task, algorithm) if algorithm in ("ppo", "trpo") else TrainConfig()
    )

    @dataclass(frozen=True)
    class Command:
        run: Annotated[_RunOptions, tyro.conf.arg(name="")]
        config: Annotated[TrainConfig, tyro.conf.arg(name="")]
        preset: Literal["default", "paper", "companion"] = "paper"
        """Where the defaults below come from: paper (Table 1), companion (the authors' code), or
        default. Without it: paper where it exists, else default."""

    command = tyro.cli(
        Command,
        prog="pgcore train",
        description="Train a stack of agents. The defaults shown are those of the chosen preset.",
        args=list(arguments),
        default=Command(_RunOptions(tyro.MISSING), settings, preset),  # type: ignore[arg-type]
    )
    config, options = command.config, command.run
    with (
        Run(options.out, config, resume=options.resume, num_threads=options.threads) as run,
        _graceful_interrupt() as stop,
        tqdm(
            total=config.iterations,
            initial=run.trainer.iteration,
            desc=f"{config.task} {config.algorithm} x{config.trials}",
            unit="it",
        ) as bar,
    ):
        for record in run.iterations():
            mean = record.metrics["return_mean"]
            known_mean = mean[np.isfinite(mean)]
            if len(known_mean):
                bar.set_postfix_str(f"return {known_mean.mean():.1f}", refresh=False)
            bar.update()
            if stop:
                run.save()
                bar.close()
                print(
                    f"stopped after iteration {run.trainer.iteration} of {config.iterations}; "
                    "the same command with --resume goes on",
                    file=sys.stderr,
                )
                raise SystemExit(130)
    print(
        f"{config.iterations} iterations in {options.out}: metrics.csv, checkpoints/, tensorboard/"
    )


def tasks(arguments: Sequence[str]) -> None:
    """`pgcore tasks`: the list, or one task in full."""
    from pgcore.tasks.make import make_task, task_ids

    @dataclass(frozen=True)
    class Command:
        """List the tasks, or describe one."""

        id: Annotated[str | None, tyro.conf.Positional] = None
        """Task id; gym:ID is any Gymnasium environment."""

    wanted = tyro.cli(Command, prog="pgcore tasks", args=list(arguments)).id
    if wanted is None:
        print(f"{'id':<20}{'obs':>5}{'act':>5}{'dt (s)':>9}{'limit':>7}  note")
        for name in task_ids():
            task: Any = make_task(name)
            print(
                f"{name:<20}{task.obs_dim:>5}{task.act_dim:>5}{task.dt:>9.3f}"
                f"{task.time_limit or '-':>7}  {task.spec.note}"
            )
        return
    print(describe_task(make_task(wanted)))


def describe_task(task: Any) -> str:
    """A task's tables and rules, as `pgcore tasks ID` prints them."""
    if isinstance(task, GymnasiumTask):
        return task.describe()
    native = task.native
    lines = [
        f"{task.id}: {task.spec.note}",
        f"model {task.spec.xml}; one step is {task.frame_skip} simulator steps, {task.dt:g} s",
        "",
        f"observation ({task.obs_dim})",
        f"{'index':>7}  {'unit':<16}meaning",
    ]
    for i, (meaning, unit) in enumerate(native.observation_table()):
        lines.append(f"{i:>7}  {unit:<16}{meaning}")
    lines += ["", f"action ({task.act_dim}), clamped by the simulator to its range"]
    for i, (name, low, high) in enumerate(native.action_table()):
        lines.append(f"{i:>7}  [{low:g}, {high:g}]".ljust(25) + name)
    lines += ["", "reward, the sum of"]
    lines += [f"    {line}" for line in native.reward_formula()]
    lines += ["", "terminated if any of"]
    lines += [f"    {line}" for line in native.termination_rules()] or ["    never"]
    limit = f"after {task.time_limit} steps" if task.time_limit else "never"
    lines += ["", f"truncated {limit}", "", "reset: model defaults, then"]
    lines += [f"    {line}" for line in native.reset_rules()]
    return "\n".join(lines)


def info(arguments: Sequence[str]) -> None:
    """`pgcore info`: what this installation is."""
    from pgcore.base.provenance import describe_installation

    tyro.cli(_NoOptions, prog="pgcore info", args=list(arguments))
    print(describe_installation())


@dataclass(frozen=True)
class _NoOptions:
    """Print versions, build flags and the threads found."""


def presets(arguments: Sequence[str]) -> None:
    """`pgcore presets`: Table 1, or where the companion code differs from it."""

    @dataclass(frozen=True)
    class Command:
        """Print the presets of the paper's tasks."""

        diff: bool = False
        """Only where the presets paper and companion differ."""

    if tyro.cli(Command, prog="pgcore presets", args=list(arguments)).diff:
        print(f"{'task':<10}{'algorithm':<11}{'field':<12}{'paper':>10}{'companion':>11}")
        for family, algorithm, name, paper, companion in preset_differences():
            print(f"{family:<10}{algorithm:<11}{name:<12}{paper:>10}{companion:>11}")
        return
    columns = [(f, a) for f in FAMILIES for a in ("ppo", "trpo")]
    configs = [preset_config("paper", f, a).to_dict() for f, a in columns]
    print(f"{'preset paper':<22}" + "".join(f"{f + ' ' + a:>16}" for f, a in columns))
    for name in configs[0]:
        if name in ("task", "algorithm"):
            continue
        print(f"{name:<22}" + "".join(f"{c[name]!s:>16.15}" for c in configs))


def study(arguments: Sequence[str]) -> None:
    """`pgcore study`: handed on to the studies' own command line."""
    from pgcore.studies import command_line

    command_line.main(arguments)


COMMANDS: dict[str, Callable[[Sequence[str]], None]] = {
    "train": train,
    "study": study,
    "tasks": tasks,
    "presets": presets,
    "info": info,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point: one line for an error, exit status 2, and nothing computed is lost."""
    argv = list(sys.argv[1:] if arguments is None else arguments)
    if not argv or argv[0] in ("-h", "--help"):
        print(USAGE, end="")
        raise SystemExit(0)
    if argv[0] == "--version":
        from pgcore import __version__

        print(f"pgcore {__version__}")
        return
    if argv[0] not in COMMANDS:
        known = ", ".join(COMMANDS)
        print(f"pgcore: unknown command {argv[0]!r}; commands: {known}", file=sys.stderr)
        raise SystemExit(2)
    try:
        COMMANDS[argv[0]](argv[1:])
    except (ValueError, TypeError, OSError, RuntimeError) as error:
        print(f"pgcore {argv[0]}: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        print("\ninterrupted; what was finished is on disk", file=sys.stderr)
        raise SystemExit(130) from None
