"""`pgcore tasks`: the list, or one task in full."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import tyro

from pgcore.base.command import parse
from pgcore.tasks.describe import describe_task
from pgcore.tasks.make import make_task, task_ids


@dataclass(frozen=True)
class Command:
    """List the tasks, or describe one."""

    id: Annotated[str | None, tyro.conf.Positional] = None
    """Task id, task file (arm.toml) or gym:ID."""


def main(arguments: Sequence[str]) -> None:
    """Print it."""
    wanted = parse(Command, "pgcore tasks", arguments).id
    if wanted is not None:
        print(describe_task(make_task(wanted)))
        return
    print(f"{'id':<20}{'obs':>5}{'act':>5}{'dt (s)':>9}{'limit':>7}  note")
    for name in task_ids():
        task: Any = make_task(name)
        print(
            f"{name:<20}{task.obs_dim:>5}{task.act_dim:>5}{task.dt:>9.3f}"
            f"{task.time_limit or '-':>7}  {task.spec.note}"
        )
