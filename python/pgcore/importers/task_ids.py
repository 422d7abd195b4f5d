"""Tasks by the ids that agents were trained under."""

from __future__ import annotations

import re

from pgcore.importers.parts import refuse
from pgcore.tasks.gymnasium import AnyTask
from pgcore.tasks.make import make_task, task_ids

_CONTACTS = ("Ant", "Humanoid", "HumanoidStandup")
_CHANGED = ("Reacher", "Pusher")


def find_task(name: str) -> tuple[AnyTask, str | None]:
    """The task of an id, and a note where another one stands for it.

    -v2 and -v3 were simulated by mujoco-py; where v4 differs from them by that alone, v4 stands for
    them.

    Raises:
        ValueError: unknown, or without a task here that stands for it.
    """
    old = re.fullmatch(r"(\w+)-v[23]", name)
    if old is None or name in task_ids():
        return make_task(name), None
    family, new = old.group(1), f"{old.group(1)}-v4"
    if family in _CONTACTS:
        raise refuse(
            f"task: {name} has contact forces in its observation, which newer mujoco-py gave as "
            "zeros; "
            f"name the task that is to stand for it, such as {new} or a task file"
        )
    if family in _CHANGED or new not in task_ids():
        raise refuse(f"task: nothing stands for {name} here; `pgcore tasks` lists all ids")
    return make_task(new), f"{new} stands for {name}: the same model and terms, MuJoCo is newer"
