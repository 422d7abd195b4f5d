"""Checkpoints of a run: everything needed to go on bit-exactly, and the agent that it holds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pgcore.agent import Agent
from pgcore.base.errors import (
    CheckpointError,
    check_count,
    check_path,
    corrupt_if_it_fails,
)
from pgcore.base.files import read_arrays, write_arrays
from pgcore.learning.optimizer import SLOTS
from pgcore.policies.gaussian import GaussianPolicy
from pgcore.policies.normalize import Normalizer, reward_stds
from pgcore.policies.stack import ZERO
from pgcore.policies.value import ValueNet
from pgcore.tasks.files import located
from pgcore.tasks.gymnasium import AnyTask
from pgcore.tasks.make import identity_of, make_task
from pgcore.training.config import VERSION, TrainConfig

FORMATS = (1, VERSION)


@dataclass(frozen=True)
class Checkpoint:
    """The state of a run after some iterations.

    Attributes:
        config: the run's settings.
        iteration: updates that were made.
        state: every array, with a leading axis of M = ``config.trials`` members.
        digest: SHA-256 of the arrays.
        path: the file.
        model: hash of the compiled model that the run simulated; "" if the file does not say.
        definition: hash of the rules of its task, where this has no built-in task's id; else "".
    """

    config: TrainConfig
    iteration: int
    state: dict[str, NDArray[Any]]
    digest: str
    path: Path
    model: str = ""
    definition: str = ""

    def task(self) -> AnyTask:
        """The task that the agents were trained on; CheckpointError if it is another now."""
        task = make_task(located(self.config.task, self.path), lowered=self.config.lowered)
        self.check_task(task)
        return task

    def check_task(self, task: AnyTask) -> None:
        """CheckpointError if a task of this name is not the one of the run."""
        now = identity_of(task)
        if self.model and now["model"] != self.model:
            raise CheckpointError(
                f"checkpoint: {self.path} was trained on another model than {self.config.task_id} "
                "is now (a changed file, or another version of MuJoCo)"
            )
        if self.definition and now.get("task", "") != self.definition:
            raise CheckpointError(
                f"checkpoint: {self.path} was trained on another definition than "
                f"{self.config.task_id} is now; put back what its file said"
            )

    def agent(self) -> Agent:
        """All trials at this moment, frozen; CheckpointError if the file does not hold them."""
        with corrupt_if_it_fails(f"checkpoint: {self.path}"):
            return self._agent()

    def _agent(self) -> Agent:
        config, task = self.config, self.task()
        members = config.trials
        policy = GaussianPolicy(
            task.obs_dim, task.act_dim, members=members, init=ZERO, **config.policy_network()
        )
        policy.load_flat(torch.from_numpy(self.state["policy.flat"]))
        value = ValueNet(task.obs_dim, members=members, init=ZERO, **config.value_network())
        value.load_flat(torch.from_numpy(self.state["value.flat"]))
        return Agent(
            task=task,
            policy=policy,
            value=value,
            normalizer=self._normalizer(),
            actions=config.actions,
            reward_std=self._reward_std(),
            reward_clip=config.reward_clip if config.normalize_rewards else None,
            judgement=config.judgement(),
            algorithm=config.algorithm_entry(),
            settings=config.settings(),
            rate=config.remaining(self.iteration),
            optimizer={slot: self.state[f"policy.{slot}"] for slot in SLOTS},
            iteration=self.iteration,
            origin={
                "run": str(self.path.parent.parent),
                "seed": config.seed,
                "trials": list(config.trial_numbers),
            },
        )

    def _normalizer(self) -> Normalizer | None:
        if not self.config.normalize_obs:
            return None
        count, mean, m2 = (self.state[f"normalizer.{n}"].copy() for n in ("count", "mean", "m2"))
        return Normalizer(count, mean, m2, self.config.obs_clip)

    def _reward_std(self) -> NDArray[Any] | None:
        """What rewards were divided by [M]; None without scaling."""
        if not self.config.normalize_rewards:
            return None
        return np.array(reward_stds(self.state["scaler.state"]))


def save_checkpoint(
    path: Path, config: TrainConfig, iteration: int, state: dict[str, NDArray[Any]], task: AnyTask
) -> None:
    """Write a checkpoint of a run on a task, whole or not at all."""
    identity = identity_of(task)
    header = {
        "format": VERSION,
        "config": config.to_dict(),
        "iteration": iteration,
        "model": identity["model"],
        "definition": identity.get("task", ""),
    }
    write_arrays(path, header, state)


def load_checkpoint(path: str | Path, task: str | None = None) -> Checkpoint:
    """Read a checkpoint.

    Args:
        path: a ``.safetensors`` file that a run wrote.
        task: the task id that it must be for; None: any.

    Raises:
        CheckpointError: missing, truncated, corrupt, of another format or for another task.
    """
    path = check_path("path", path)
    header, state = read_arrays(path, "checkpoint")
    if header.get("kind") == "agent":
        raise CheckpointError(
            f"checkpoint: {path} holds no checkpoint, but an agent; pgcore.load_agent reads it"
        )
    if header.get("format") not in FORMATS or "config" not in header:
        got = header.get("format")
        raise CheckpointError(f"checkpoint: {path} has format {got}, expected {VERSION}")
    with corrupt_if_it_fails(f"checkpoint: {path} is corrupt"):
        config = TrainConfig.from_dict(header["config"])
        iteration, digest = check_count("iteration", header["iteration"], 0), str(header["digest"])
    if task is not None and config.task_id != task:
        raise CheckpointError(f"checkpoint: {path} is for task {config.task_id}, expected {task}")
    known = (str(header.get(name, "")) for name in ("model", "definition"))
    return Checkpoint(config, iteration, state, digest, path, *known)
