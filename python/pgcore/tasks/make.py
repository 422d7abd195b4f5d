"""From what a user names to a task."""

from __future__ import annotations

import difflib

from pgcore.tasks.definitions import TASKS
from pgcore.tasks.files import read_task_file
from pgcore.tasks.gymnasium_suite.options import parse_id
from pgcore.tasks.task import Task, TaskSpec, cached_task


def task_ids() -> list[str]:
    """The ids of the built-in tasks."""
    return list(TASKS)


def make_task(task: str | TaskSpec, *, lowered: bool = True) -> Task:
    """A task by its id or from a definition of your own.

    Args:
        task: an id (see :func:`task_ids`), an id with Gymnasium's options such as
            ``"Ant-v5(frame_skip=4)"``, a task file (``arm.toml``), or a :class:`TaskSpec`.
        lowered: make the engine cheaper where that cannot change a bit of a trajectory; False: the
            plain loop over ``mj_step``.

    Raises:
        ValueError: unknown id (the message names near matches), bad term or model file.
    """
    if isinstance(task, TaskSpec):
        return cached_task(task, lowered)
    if task.endswith(".toml"):
        return cached_task(read_task_file(task), lowered)
    if "(" in task:
        return cached_task(parse_id(task), lowered)
    if task not in TASKS:
        by_lower = {name.lower(): name for name in TASKS}
        near = difflib.get_close_matches(str(task).lower(), by_lower, n=3, cutoff=0.5)
        hint = f"did you mean {', '.join(by_lower[n] for n in near)}? " if near else ""
        raise ValueError(
            f"task: unknown id {task!r}; {hint}`pgcore tasks` lists all "
            "ids, and a task file ends in .toml"
        )
    return cached_task(TASKS[task], lowered)
