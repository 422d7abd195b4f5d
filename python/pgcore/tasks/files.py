"""Task files: a definition as TOML, beside its model."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

from pgcore.base.errors import check_path
from pgcore.tasks.task import ROOMS, TaskSpec


def read_task_file(path: str | Path) -> TaskSpec:
    """The definition in a TOML file.

    Its keys are the fields of :class:`TaskSpec`; terms are tables, ``{ term = "qpos" }``.
    The id is the file's name unless it is given. The model is a path, absolute or beside the file,
    else in the working directory; or ``gymnasium:NAME``.

    Raises:
        ValueError: no such file, no TOML, an unknown field, or a model that is found twice.
    """
    path = check_path("task", path)
    if not path.is_file():
        where = "" if path.is_absolute() else ", looked for here and, for a run, above its folder"
        raise ValueError(f"task: there is no task file {str(path)!r}{where}")
    try:
        values: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"task: {path} is no TOML file ({error})") from error
    values.setdefault("id", path.stem)
    values.setdefault("time_limit", None)
    for room in ROOMS:
        if not isinstance(values.get(room, []), list):
            raise ValueError(f"task: {path}: {room}: expected a list of terms")
    try:
        spec = TaskSpec.from_dict(values)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: {error}") from error
    return replace(spec, xml=_find_model(str(spec.xml), path))


def located(task: str | TaskSpec, run: Path) -> str | TaskSpec:
    """The task of a run, whose file is where its path leads from here, else from above the run.

    A run keeps a path as it was given. What is found may say something else by now: who asks
    compares the definition's hash.
    """
    if not isinstance(task, str) or not task.endswith(".toml"):
        return task
    path = check_path("task", task)
    found = (folder / path for folder in (Path(), *run.resolve().parents))
    return next((str(p) for p in found if p.is_file()), task)


def _find_model(xml: str, task_file: Path) -> str:
    """A model's absolute path, or its name in a package."""
    if ":" in xml:
        return xml
    wanted = check_path("xml", xml)
    places = [(folder / wanted).resolve() for folder in (task_file.parent, Path.cwd())]
    found = list(dict.fromkeys(p for p in places if p.is_file()))
    if len(found) > 1:
        raise ValueError(
            f"xml: {xml} is beside {task_file} and in the working directory; give its path"
        )
    return str(found[0] if found else places[0])
