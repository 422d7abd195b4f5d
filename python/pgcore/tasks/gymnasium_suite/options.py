"""Native tasks with the constructor options of Gymnasium's environments."""

from __future__ import annotations

import ast
import difflib
import math
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from numbers import Real
from typing import Any

import numpy as np

from pgcore.base.errors import check_count
from pgcore.tasks.gymnasium_suite.families import ENVIRONMENTS, FAMILIES, define
from pgcore.tasks.gymnasium_suite.parts import Interval
from pgcore.tasks.task import Task, TaskSpec, cached_task

_TIME_LIMIT = "max_episode_steps"  # of gymnasium.make, so every environment has it


def gymnasium_task(env_id: str, **options: Any) -> Task:
    """A native task with the options of Gymnasium's constructor, as ``gymnasium.make`` takes them.

    Args:
        env_id: a MuJoCo environment of Gymnasium, e.g. ``"Ant-v5"``.
        options: those of its constructor that are not about rendering, and ``max_episode_steps``.

    Returns:
        The task. Its id names the options that differ from the defaults,
        ``"Ant-v5(healthy_z_range=(0.3, 1.0))"``, and :func:`pgcore.make_task` understands such ids.

    Raises:
        ValueError, TypeError: an unknown environment or option (near matches are named),
            a bad value.
    """
    return cached_task(gymnasium_spec(env_id, **options), True)


def gymnasium_spec(env_id: str, **options: Any) -> TaskSpec:
    """The definition that :func:`gymnasium_task` makes a task of."""
    _check_environment(env_id)
    family, version = ENVIRONMENTS[env_id]
    known = family.options(version) | {_TIME_LIMIT: (int, family.time_limit)}
    changed = {}
    for name, value in options.items():
        if name not in known:
            hint = _near(name, known)
            raise ValueError(
                f"{name}: {env_id} has no such option; {hint}known: {', '.join(known)}"
            )
        kind, default = known[name]
        checked = _CHECKS[kind](name, value)
        if checked != default:
            changed[name] = checked
    if not changed:
        return define(env_id)
    time_limit = changed.get(_TIME_LIMIT, family.time_limit)
    spec = define(env_id, **{k: v for k, v in changed.items() if k != _TIME_LIMIT})
    text = ", ".join(f"{name}={value!r}" for name, value in sorted(changed.items()))
    return replace(
        spec,
        id=f"{env_id}({text})",
        time_limit=time_limit,
        note=f"{spec.note}; with {text}",
        gymnasium_options=tuple(sorted(changed.items())),
    )


def parse_id(task_id: str) -> TaskSpec:
    """The definition that an id with options, as :func:`gymnasium_task` gives them, stands for."""
    env_id, options = parse_options(task_id)
    return gymnasium_spec(env_id, **options)


def parse_options(task_id: str) -> tuple[str, dict[str, Any]]:
    """The id and the options of ``"Ant-v5(healthy_z_range=(0.3, 1.0))"``.

    Raises:
        ValueError: there is something else in the brackets than names with literals.
    """
    env_id, bracket, rest = task_id.partition("(")
    if not bracket:
        return env_id, {}
    expected = f"task: expected an id such as Ant-v5(healthy_z_range=(0.3, 1.0)), got {task_id!r}"
    try:
        call = ast.parse(f"options({rest}", mode="eval").body
    except SyntaxError:
        raise ValueError(expected) from None
    if not isinstance(call, ast.Call) or call.args or any(k.arg is None for k in call.keywords):
        raise ValueError(expected)
    try:
        values = {str(k.arg): ast.literal_eval(_Infinity().visit(k.value)) for k in call.keywords}
    except ValueError:
        raise ValueError(expected) from None
    return env_id, values


class _Infinity(ast.NodeTransformer):
    """``inf`` is a number."""

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return ast.Constant(math.inf) if node.id == "inf" else node


def _check_environment(env_id: str) -> None:
    if env_id in ENVIRONMENTS:
        return
    if reason := why_not_here(str(env_id)):
        raise ValueError(f"task: {reason}")
    hint = _near(str(env_id), ENVIRONMENTS)
    raise ValueError(f"task: unknown id {env_id!r}; {hint}known: {', '.join(ENVIRONMENTS)}")


def why_not_here(env_id: str) -> str:
    """Why an environment that Gymnasium has is no task here; empty if it is none of those."""
    name, _, version = env_id.partition("-")
    family = FAMILIES.get(name)
    if family is None or version != "v4" or family.no_v4 is None:
        return ""
    return f"{env_id} cannot run here: {family.no_v4}; {name}-v5 can"


def _near(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=3, cutoff=0.5)
    return f"did you mean {', '.join(near)}? " if near else ""


def _fail(name: str, expected: str, value: Any) -> ValueError:
    return ValueError(f"{name}: expected {expected}, got {value!r}")


def _number(name: str, value: Any) -> float:
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, Real):
        raise _fail(name, "a number", value)
    if not math.isfinite(value):
        raise _fail(name, "a finite number", value)
    return float(value)


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, (bool, np.bool_)):
        raise _fail(name, "True or False", value)
    return bool(value)


def _interval(name: str, value: Any) -> Interval:
    try:
        low, high = (float(v) for v in value)
    except (TypeError, ValueError):
        raise _fail(name, "two numbers (low, high)", value) from None
    if not low <= high:
        raise _fail(name, "low <= high", value)
    return low, high


def _path(name: str, value: Any) -> str:
    if not isinstance(value, (str, os.PathLike)):
        raise _fail(name, "a path", value)
    path = os.fspath(value)
    # Gymnasium looks for any other path among its own models
    return f"./{path}" if "/" in path and path[0] not in "./~" else path


def _body(name: str, value: Any) -> int | str:
    return value if isinstance(value, str) else check_count(name, value, 0)


_CHECKS: Mapping[Any, Callable[[str, Any], Any]] = {
    float: _number,
    int: check_count,
    bool: _flag,
    str: _path,
    Interval: _interval,
    int | str: _body,
}
