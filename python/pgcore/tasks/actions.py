"""Maps from a sampled action to what a task gets of it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pgcore.base.arrays import F64
from pgcore.base.errors import check_choice
from pgcore.tasks.gymnasium import AnyTask, GymnasiumTask

# of a sampled action u, for controls in [low, high]
ACTION_MAPS = {
    "none": "u",
    "clip": "clip(u, low, high)",
    "scale": "clip(u, -1, 1), then [-1, 1] to [low, high]",
    "tanh": "tanh(u), then [-1, 1] to [low, high]",
}


def action_names(task: AnyTask) -> list[str]:
    """What errors call the entries of an action, [A]."""
    if isinstance(task, GymnasiumTask):
        return [f"action {i}" for i in range(task.act_dim)]
    return [name for name, _, _ in task.native.action_table()]


def action_bounds(task: AnyTask) -> tuple[F64, F64]:
    """Lower and upper bounds of the controls, each [A]; infinite where there are none."""
    if isinstance(task, GymnasiumTask):
        return task.action_low, task.action_high
    table = np.array([row[1:3] for row in task.native.action_table()], dtype=np.float64)
    return table[:, 0], table[:, 1]


def chosen_actions(task: AnyTask, actions: str | None) -> str:
    """The map from sampled actions to the task's: ``actions``, or the task's own for None.

    Raises:
        ValueError: no such map, or one to the range of a control that has none.
    """
    if actions is None:
        return "clip" if isinstance(task, GymnasiumTask) else "none"
    check_choice("actions", actions, tuple(ACTION_MAPS))
    if actions in ("scale", "tanh"):
        low, high = action_bounds(task)
        without = np.flatnonzero(~np.isfinite(high - low))
        if len(without):
            raise ValueError(
                f"actions: {actions!r} needs the range of every control, and "
                f"{action_names(task)[without[0]]!r} of {task.id} has none; give it a ctrlrange "
                "in the model, or choose 'none'"
            )
    return actions


def mapped_actions(actions: str, u: F64, low: F64, high: F64) -> NDArray[Any]:
    """Controls [..., A] of sampled actions u [..., A], as the native core computes them.

    Args:
        actions: a key of :data:`ACTION_MAPS`.
        u: float64.
        low, high: bounds of the controls [A].
    """
    if actions == "none":
        return u
    if actions == "tanh":
        # the C library's, as in the core: NumPy's own differs in the last bit
        u = np.array([math.tanh(x) for x in u.flat], dtype=np.float64).reshape(u.shape)
    elif actions == "scale":
        u = np.minimum(np.maximum(u, -1.0), 1.0)
    if actions in ("scale", "tanh"):
        u = 0.5 * (low + high) + 0.5 * (high - low) * u
    # np.clip, at half its price for arrays of a few numbers
    return np.minimum(np.maximum(u, low), high)
