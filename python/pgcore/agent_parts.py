"""Whether the parts of an agent are what they are said to be, and fit together."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from pgcore.base.errors import check_count, check_number, check_type, shown
from pgcore.learning.advantages import Judgement
from pgcore.learning.algorithms import Algorithm
from pgcore.learning.optimizer import SLOTS
from pgcore.policies.gaussian import GaussianPolicy
from pgcore.policies.normalize import Normalizer
from pgcore.policies.value import ValueNet
from pgcore.tasks.actions import chosen_actions
from pgcore.tasks.gymnasium import GymnasiumTask
from pgcore.tasks.task import Task

_KINDS: dict[str, tuple[Any, str]] = {
    "task": (Task | GymnasiumTask, "an id, a TaskSpec or what pgcore.make_task gives"),
    "policy": (GaussianPolicy, "a GaussianPolicy"),
    "value": (ValueNet | None, "a ValueNet or None"),
    "normalizer": (Normalizer | None, "a Normalizer or None"),
    "reward_std": (np.ndarray | None, "an array [M] or None"),
    "judgement": (Judgement, "a Judgement"),
    "optimizer": (Mapping, "a mapping of arrays"),
    "origin": (Mapping, "a mapping of plain values"),
}


def check_parts(agent: Any) -> None:
    """TypeError or ValueError for a part that a :class:`pgcore.Agent` cannot use; it is named."""
    for name, (kind, text) in _KINDS.items():
        check_type(name, getattr(agent, name), kind, text)
    if isinstance(agent.algorithm, Algorithm) and isinstance(agent.algorithm.settings, type):
        kind = agent.algorithm.settings
        check_type("settings", agent.settings, kind, f"{kind.__name__}(...), or None")
    if agent.reward_clip is not None:
        check_number("reward_clip", agent.reward_clip, 0, above=True)
    check_number("rate", agent.rate, 0, 1)
    check_count("iteration", agent.iteration, 0)
    if agent.actions is not None:
        chosen_actions(agent.task, agent.actions)
    _check_values(agent)
    _check_shapes(agent)


def _check_values(agent: Any) -> None:
    for name, array in agent.optimizer.items():
        check_type(f"optimizer.{name}", array, np.ndarray, "an array with M rows")
    if agent.optimizer and set(agent.optimizer) != set(SLOTS):
        names = ", ".join(map(str, agent.optimizer))
        raise ValueError(f"optimizer: expected {', '.join(SLOTS)}, or nothing, got {names}")
    if agent.optimizer:
        _check_optimizer(agent)
    if agent.reward_std is not None:
        std = agent.reward_std
        if std.dtype.kind not in "fiu":
            raise TypeError(f"reward_std: expected an array [M] of numbers, got {std.dtype}")
        if not (np.isfinite(std) & (std > 0)).all():
            raise ValueError(f"reward_std: expected finite numbers > 0, got {shown(std.tolist())}")
    if agent.normalizer is not None:
        agent.normalizer.check_finite()
    try:
        json.dumps(dict(agent.origin))
    except (TypeError, ValueError) as error:
        raise TypeError(f"origin: expected plain values ({error})") from None


def _check_optimizer(agent: Any) -> None:
    """Adam's state: a row for each member; a trial whose numbers diverged is found by its step."""
    flat = agent.policy.flat
    for name, array in agent.optimizer.items():
        shape = tuple(flat.shape[:1] if name == "step" else flat.shape)
        if array.shape != shape or array.dtype.kind not in "fiu":
            raise ValueError(
                f"optimizer.{name}: expected numbers {list(shape)}, got {list(array.shape)} of "
                f"{array.dtype}"
            )
        if name != "exp_avg" and (array < 0).any():
            raise ValueError(f"optimizer.{name}: expected numbers >= 0, got {array.min()}")


def _check_shapes(agent: Any) -> None:
    task, M = agent.task, agent.policy.members
    wanted: list[tuple[str, Any, Any]] = [
        ("policy.obs_dim", agent.policy.obs_dim, task.obs_dim),
        ("policy.act_dim", agent.policy.act_dim, task.act_dim),
    ]
    if agent.value is not None:
        wanted += [
            ("value.obs_dim", agent.value.obs_dim, task.obs_dim),
            ("value.members", agent.value.members, M),
        ]
    if agent.normalizer is not None:
        wanted.append(("normalizer.mean", agent.normalizer.mean.shape, (M, task.obs_dim)))
    if agent.reward_std is not None:
        wanted.append(("reward_std", np.shape(agent.reward_std), (M,)))
    for name, got, expected in wanted:
        if got != expected:
            raise ValueError(f"{name}: expected {expected}, got {got}")
