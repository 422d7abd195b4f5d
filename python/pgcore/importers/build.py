"""From what a reader found to an agent."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pgcore.agent import Agent
from pgcore.importers.fold import flat_row, scaled_outputs
from pgcore.importers.parts import Network, Parts, Statistics, check_representable, refuse
from pgcore.learning.advantages import Judgement
from pgcore.learning.algorithms import find_algorithm
from pgcore.policies.gaussian import GaussianPolicy
from pgcore.policies.normalize import Normalizer
from pgcore.policies.value import ValueNet
from pgcore.tasks.gymnasium import AnyTask, GymnasiumTask


def build_agent(parts: Parts, task: AnyTask, origin: Mapping[str, Any]) -> Agent:
    """The agent of some parts on a task.

    Args:
        parts: what a reader found.
        task: what it acts in.
        origin: what else is to be said about where it came from.

    Raises:
        CheckpointError: it cannot be an agent of pgcore, or not on this task.
    """
    check_representable(parts)
    _check_sizes(parts, task)
    parts, mapped = _in_units_of(parts, task)
    algorithm = None if parts.algorithm is None else find_algorithm(parts.algorithm)
    statistics = parts.observations
    return Agent(
        task=task,
        policy=_policy(parts, task),
        value=None if parts.value is None else _value(parts.value, task),
        normalizer=None if statistics is None else _normalizer(statistics),
        actions="none" if parts.actions == "none" else "clip",
        reward_std=None if parts.reward_std is None else np.array([parts.reward_std]),
        reward_clip=parts.reward_clip,
        judgement=Judgement(**parts.judgement),
        algorithm=algorithm,
        settings=None if algorithm is None else algorithm.make_settings(parts.settings),
        optimizer=_optimizer(parts.moments),
        iteration=parts.iteration,
        origin={
            "library": parts.library,
            "timesteps": parts.timesteps,
            "observations_seen": None if statistics is None else statistics.count,
            "notes": dict(parts.notes),
            **parts.source,
            **mapped,
            **origin,
        },
    )


def file_digest(path: Path) -> str:
    """SHA-256 of a file, or of all files of a folder."""
    sha = hashlib.sha256()
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    for file in files:
        sha.update(file.read_bytes())
    return sha.hexdigest()


def _check_sizes(parts: Parts, task: AnyTask) -> None:
    outputs, sizes = len(parts.policy.biases[-1]), []
    sizes.append(("observations", parts.policy.weights[0].shape[1], task.obs_dim))
    if parts.std == "state":
        sizes.append(("outputs of its policy", outputs, 2 * task.act_dim))
    else:
        sizes.append(("actions", outputs, task.act_dim))
        sizes.append(("actions in its log_std", parts.log_std.numel(), task.act_dim))
    if parts.value is not None:
        name = "observations of the value network"
        sizes.append((name, parts.value.weights[0].shape[1], task.obs_dim))
        sizes.append(("values", len(parts.value.biases[-1]), 1))
    if parts.observations is not None:
        sizes.append(("observations in its statistics", len(parts.observations.mean), task.obs_dim))
    for name, got, expected in sizes:
        if got != expected:
            raise refuse(f"the agent has {got} {name}, {task.id} has {expected}: another --task?")


def action_bounds(task: AnyTask) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Bounds of the controls, each [A]."""
    if isinstance(task, GymnasiumTask):
        return task.action_low, task.action_high
    table = np.array([row[1:3] for row in task.native.action_table()], dtype=np.float64)
    return table[:, 0], table[:, 1]


def _in_units_of(parts: Parts, task: AnyTask) -> tuple[Parts, dict[str, Any]]:
    """Actions that are mapped from [-1, 1] to the controls: the map goes into the last layer.

    scale * clip(u, -1, 1) + shift = clip(scale * u + shift, low, high), and the latter's law is a
    Gaussian's again. Log-probabilities move by a constant.
    """
    if parts.actions != "scale":
        return parts, {}
    low, high = action_bounds(task)
    scale, shift = (high - low) / 2, (high + low) / 2
    if np.array_equal(scale, np.ones_like(scale)) and not shift.any():
        return parts, {}
    notes = {
        **parts.notes,
        "action_scale": "actions are mapped from [-1, 1] to the task's range in the last layer and "
        "log_std here: the same behaviour, and gradients in these units",
    }
    if not np.isfinite(scale).all():
        raise refuse("actions are mapped to the task's range there, which has no bounds here")
    more = np.log(scale)
    if parts.std == "state":
        parts = _shifted_range(parts, more)
        wide = np.append(scale, np.ones_like(scale))
        policy = scaled_outputs(parts.policy, wide, np.append(shift, more))
    else:
        policy = scaled_outputs(parts.policy, scale, shift)
    log_std = parts.log_std.reshape(-1)
    changed = dataclasses.replace(
        parts,
        policy=policy,
        log_std=log_std + torch.from_numpy(more).float()[: len(log_std)],
        moments={},
        notes=notes,
    )
    return changed, {"action_scale": scale.tolist(), "action_shift": shift.tolist()}


def _shifted_range(parts: Parts, more: NDArray[np.float64]) -> Parts:
    """With the bounds of a log_std that the network gives in the task's units."""
    low, high = parts.log_std_range or (0.0, 0.0)
    if np.ptp(more) > 0:
        raise refuse("a log_std with bounds, and actions in different units, are not supported")
    return dataclasses.replace(parts, log_std_range=(low + float(more[0]), high + float(more[0])))


def _policy(parts: Parts, task: AnyTask) -> GaussianPolicy:
    network = parts.policy
    kind: dict[str, Any] = {"activation": network.activation, "std": parts.std}
    if parts.log_std_range is not None:
        kind["log_std_range"] = parts.log_std_range
    policy = GaussianPolicy(task.obs_dim, task.act_dim, _hidden(network), **kind)
    policy.load_flat(flat_row(network, parts.log_std))
    return policy


def _value(network: Network, task: AnyTask) -> ValueNet:
    value = ValueNet(task.obs_dim, _hidden(network), activation=network.activation)
    value.load_flat(flat_row(network))
    return value


def _hidden(network: Network) -> tuple[int, ...]:
    return tuple(len(bias) for bias in network.biases[:-1])


def _normalizer(statistics: Statistics) -> Normalizer:
    try:
        return Normalizer.frozen(statistics.mean, statistics.scale, statistics.clip)
    except ValueError as error:
        raise refuse(f"normalizer: {error}") from error


def _optimizer(moments: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    if not moments:
        return {}
    rows = {slot: flat_row(*moments[slot]).numpy() for slot in ("exp_avg", "exp_avg_sq")}
    return {**rows, "step": np.array([moments["step"]])}
