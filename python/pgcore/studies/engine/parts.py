"""What the plans of all studies have in common."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from pgcore.base.arrays import F64
from pgcore.studies.engine.sources import Agents
from pgcore.tasks.gymnasium import AnyTask


def check_time_limit(study: str, task: AnyTask) -> None:
    """ValueError where trajectories need not end."""
    if not task.time_limit:
        raise ValueError(
            f"{study}: needs whole trajectories, and those of {task.id} have no time limit; give "
            "the task one"
        )


def shared_of(agents: Agents) -> dict[str, Any]:
    """The fields of a :class:`~pgcore.studies.engine.cells.Plan` that follow from the agents."""
    return {
        "probe": agents.probe(),
        "attributes": agents.provenance(),
        "wanted": agents.has,
    }


def spec_of(settings: Any, study: str, agents: Agents, *names: str) -> dict[str, Any]:
    """What makes the numbers of a store: settings by name, the study, the task and its model."""
    values = dataclasses.asdict(settings)
    task = agents.task()
    return {
        **{name: values[name] for name in names},
        "study": study,
        "task": task.id,
        "model": task.model_hash(),
    }


def parameters_of(agents: Agents) -> list[int]:
    """The coordinate of policy parameters: as many as the largest policy has."""
    return list(range(max(a.policy.flat.shape[1] for _, a in agents.every())))


def padded_parameters(agents: Agents, *leading: int) -> F64:
    """NaN for vectors of parameters [..., P], P that of the largest policy."""
    return np.full((*leading, len(parameters_of(agents))), np.nan)
