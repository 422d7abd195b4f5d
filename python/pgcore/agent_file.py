"""Reading the file of an agent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray

from pgcore.agent import FORMAT, Agent
from pgcore.base.errors import CheckpointError, check_path, check_type, corrupt_if_it_fails
from pgcore.base.files import read_arrays
from pgcore.learning.advantages import Judgement
from pgcore.learning.algorithms import ALGORITHMS, Algorithm, find_algorithm
from pgcore.learning.optimizer import SLOTS
from pgcore.policies.gaussian import GaussianPolicy
from pgcore.policies.normalize import Normalizer
from pgcore.policies.stack import ZERO
from pgcore.policies.value import ValueNet
from pgcore.tasks.gymnasium import GymnasiumTask
from pgcore.tasks.make import make_task
from pgcore.tasks.task import Task, TaskSpec


def load_agent(
    path: str | Path, *, task: Any = None, algorithm: Algorithm | str | None = None
) -> Agent:
    """An agent from the file that :meth:`Agent.save` wrote. Nothing in it is executed.

    Args:
        path: of the file.
        task: a task that stands for the file's, whose model may be elsewhere here: an id, a
            TaskSpec or what :func:`pgcore.make_task` gives.
        algorithm: an algorithm of one's own that the file names, or the name of one.

    Raises:
        CheckpointError: no agent's file, corrupt, newer than this pgcore, or for another model.
        TypeError, ValueError: ``task`` or ``algorithm`` is none.
    """
    path = check_path("path", path)
    if isinstance(task, str | TaskSpec):
        task = make_task(task)
    kinds = Task | GymnasiumTask | None
    check_type("task", task, kinds, "an id, a TaskSpec, what pgcore.make_task gives, or None")
    if isinstance(algorithm, str):
        algorithm = find_algorithm(algorithm)
    check_type("algorithm", algorithm, Algorithm | None, "a name such as 'ppo', or an Algorithm")
    header, arrays = read_arrays(path, "agent")
    if header.get("kind") != "agent":
        raise CheckpointError(f"agent: {path} holds no agent; a run's folder is given as such")
    with corrupt_if_it_fails(f"agent: {path}"):
        if int(header.get("format", 0)) > FORMAT:
            raise CheckpointError("it was written by a newer pgcore")
        return _agent_of(header, arrays, task, algorithm, path)


def _agent_of(
    header: dict[str, Any],
    arrays: dict[str, NDArray[Any]],
    task: Any,
    algorithm: Algorithm | None,
    path: Path,
) -> Agent:
    if task is None:
        data = header["task"]
        task = make_task(TaskSpec.from_dict(data) if isinstance(data, dict) else data)
        if task.model_hash() != header["model"]:
            raise CheckpointError(
                "its task has another model now (a changed file, or another version of MuJoCo); "
                "give load_agent(..., task=)"
            )
    members = len(arrays["policy.flat"])
    policy = GaussianPolicy.of_kind(task.obs_dim, task.act_dim, members, header["policy"], ZERO)
    parameters = arrays["policy.flat"].shape[1]
    if parameters != policy.flat.shape[1]:
        raise CheckpointError(
            f"its policy has {parameters} parameters; for {task.obs_dim} observations and "
            f"{task.act_dim} actions, as {task.id} has them, it would have "
            f"{policy.flat.shape[1]}: another task?"
        )
    policy.load_flat(torch.from_numpy(arrays["policy.flat"]))
    value = None
    if header["value"] is not None:
        value = ValueNet(task.obs_dim, members=members, **header["value"])
        value.load_flat(torch.from_numpy(arrays["value.flat"]))
    normalizer = None
    if "normalizer.mean" in arrays:
        count, mean, m2 = (arrays[f"normalizer.{n}"] for n in ("count", "mean", "m2"))
        normalizer = Normalizer(count, mean, m2, header["obs_clip"])
    known = algorithm or ALGORITHMS.get(header["algorithm"] or "")
    return Agent(
        task=task,
        policy=policy,
        value=value,
        normalizer=normalizer,
        actions=header.get("actions"),
        reward_std=arrays.get("reward_std"),
        reward_clip=header.get("reward_clip"),
        judgement=Judgement(**header["judgement"]),
        algorithm=known,
        settings=None if known is None else known.make_settings(header["settings"] or {}),
        rate=header.get("rate", 1.0),
        optimizer={n: arrays[f"optimizer.{n}"] for n in SLOTS if f"optimizer.{n}" in arrays},
        iteration=header.get("iteration", 0),
        origin={"file": str(path), **header.get("origin", {})},
    )
