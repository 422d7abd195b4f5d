"""From what a user names to a task."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Any, overload

from pgcore.base.errors import check_flag
from pgcore.tasks.definitions import TASKS
from pgcore.tasks.files import read_task_file
from pgcore.tasks.gymnasium import PREFIX, AnyTask, GymnasiumSpec, GymnasiumTask
from pgcore.tasks.gymnasium_suite.families import ENVIRONMENTS
from pgcore.tasks.gymnasium_suite.options import parse_id, why_not_here
from pgcore.tasks.task import Task, TaskSpec, cached_task


def task_ids() -> list[str]:
    """The ids of the built-in tasks."""
    return list(TASKS)


def identity_of(task: AnyTask) -> dict[str, str]:
    """What a task is, for a digest: its model, and its rules where its id does not say them."""
    model = {"model": task.model_hash()}
    if not isinstance(task, Task) or TASKS.get(task.id) == task.spec:
        return model
    return model | {"task": task.definition_hash()}


def plain_task(task: AnyTask) -> Any:
    """A task as plain values: its definition, or the id of an environment."""
    return task.spec.to_dict() if isinstance(task, Task) else task.id


@overload
def make_task(task: TaskSpec, *, lowered: bool = True) -> Task: ...
@overload
def make_task(
    task: GymnasiumSpec | Callable[[], Any], *, lowered: bool = True
) -> GymnasiumTask: ...
@overload
def make_task(task: str, *, lowered: bool = True) -> AnyTask: ...
def make_task(
    task: str | TaskSpec | GymnasiumSpec | Callable[[], Any], *, lowered: bool = True
) -> AnyTask:
    """A task by its id or from a definition of your own.

    Args:
        task: an id (see :func:`task_ids`), an id with Gymnasium's options such as
            ``"Ant-v5(frame_skip=4)"``, a task file
            (``arm.toml``), or a :class:`TaskSpec`. For any Gymnasium environment with
            Box spaces, stepped in Python: ``"gym:Pendulum-v1"``, ``"gym:Pendulum-v1(g=9.81)"``
            with options of ``gymnasium.make``, ``"gym:module:MyEnv-v0"``, or a function that
            makes the environment.
        lowered: make the engine cheaper where that cannot change a bit of a trajectory; False: the
            plain loop over ``mj_step``. Says nothing about Gymnasium environments.

    Raises:
        TypeError: none of these.
        ValueError: unknown id (the message names near matches), bad term or model file, or an
            environment with other spaces than flat Boxes.
    """
    check_flag("lowered", lowered)
    if isinstance(task, TaskSpec):
        return cached_task(task, lowered)
    if isinstance(task, GymnasiumSpec) or callable(task):
        return GymnasiumTask(task)
    if not isinstance(task, str):
        raise TypeError(
            "task: expected an id, a TaskSpec, or a function that makes a Gymnasium environment, "
            f"got {type(task).__name__}"
        )
    if task.endswith(".toml"):
        return cached_task(read_task_file(task), lowered)
    if task.startswith(PREFIX):
        return GymnasiumTask(GymnasiumSpec.parse(task))
    if "(" in task:
        _check_takes_options(task.partition("(")[0])
        return cached_task(parse_id(task), lowered)
    if task.lower().endswith((".xml", ".mjcf", ".urdf")):
        raise ValueError(
            f"task: {task!r} is a model, and a task is also what is observed, rewarded and ended: "
            "write these into a task file (.toml) that names it; docs/terms.md and docs/robots "
            "have some"
        )
    if reason := why_not_here(task):
        raise ValueError(f"task: {reason}")
    if task not in TASKS:
        by_lower = {name.lower(): name for name in TASKS}
        near = difflib.get_close_matches(task.lower(), by_lower, n=3, cutoff=0.5)
        hint = f"did you mean {', '.join(by_lower[n] for n in near)}? " if near else ""
        raise ValueError(
            f"task: unknown id {task!r}; {hint}`pgcore tasks` lists all "
            "ids, a task file ends in .toml, and Gymnasium's own are gym:ID"
        )
    return cached_task(TASKS[task], lowered)


def _check_takes_options(task_id: str) -> None:
    """ValueError for options of a built-in task that is none of Gymnasium's own."""
    if task_id in TASKS and task_id not in ENVIRONMENTS:
        family = task_id.partition("-")[0]
        able = " and ".join(name for name in ENVIRONMENTS if name.partition("-")[0] == family)
        raise ValueError(
            f"task: {task_id} takes no options"
            + (f", {able} do" if able else "")
            + "; a task file or a TaskSpec can change everything"
        )
