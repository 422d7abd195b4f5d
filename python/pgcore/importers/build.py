"""From what a reader found to an agent."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pgcore.agent import Agent
from pgcore.importers.fold import flat_row
from pgcore.importers.parts import Network, Parts, Statistics, check_representable, refuse
from pgcore.learning.advantages import Judgement
from pgcore.learning.algorithms import find_algorithm
from pgcore.policies.gaussian import GaussianPolicy
from pgcore.policies.normalize import Normalizer
from pgcore.policies.value import ValueNet
from pgcore.tasks.actions import action_bounds, chosen_actions
from pgcore.tasks.gymnasium import AnyTask


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
    actions = _actions(parts, task)
    algorithm = None if parts.algorithm is None else find_algorithm(parts.algorithm)
    try:
        judgement = Judgement(**parts.judgement)
        settings = None if algorithm is None else algorithm.make_settings(parts.settings)
    except (TypeError, ValueError) as error:
        raise refuse(f"settings: {error}; the file says so") from error
    statistics = parts.observations
    return Agent(
        task=task,
        policy=_policy(parts, task),
        value=None if parts.value is None else _value(parts.value, task),
        normalizer=None if statistics is None else _normalizer(statistics),
        actions=actions,
        reward_std=None if parts.reward_std is None else np.array([parts.reward_std]),
        reward_clip=parts.reward_clip,
        judgement=judgement,
        algorithm=algorithm,
        settings=settings,
        optimizer=_optimizer(parts.moments),
        iteration=parts.iteration,
        origin={
            "library": parts.library,
            "timesteps": parts.timesteps,
            "observations_seen": None if statistics is None else statistics.count,
            "notes": dict(parts.notes),
            **parts.source,
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


def _actions(parts: Parts, task: AnyTask) -> str:
    """The map of its actions, where the task has the bounds that it needs, and that it had."""
    if parts.bounds is not None and parts.actions != "none":
        for name, own, here in zip(("low", "high"), parts.bounds, action_bounds(task), strict=True):
            if not np.allclose(own, here, rtol=1e-6):
                raise refuse(
                    f"the agent's actions have {name} {own.tolist()}, those of {task.id} "
                    f"{here.tolist()}: another --task, or a wrapper that rescales actions, of "
                    "which the file says nothing"
                )
    try:
        return chosen_actions(task, parts.actions)
    except ValueError as error:
        raise refuse(str(error)) from None


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
