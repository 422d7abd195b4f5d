"""Checkpoints: one safetensors file with JSON in its header. Nothing in it is ever executed."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from pgcore.base.errors import CheckpointError
from pgcore.policies.gaussian import GaussianPolicy
from pgcore.policies.normalize import Normalizer
from pgcore.policies.value import ValueNet
from pgcore.tasks.make import make_task
from pgcore.tasks.task import Task
from pgcore.training.config import TrainConfig

FORMAT = 1


@dataclass(frozen=True)
class Checkpoint:
    """The state of a run after some iterations.

    Attributes:
        config: the run's settings.
        iteration: updates that were made.
        state: every array, with a leading axis of M = ``config.trials`` members.
        digest: SHA-256 of the arrays.
        path: the file.
    """

    config: TrainConfig
    iteration: int
    state: dict[str, NDArray[Any]]
    digest: str
    path: Path

    def task(self) -> Task:
        """The task that the agents were trained on."""
        return make_task(self.config.task, lowered=self.config.lowered)

    def policy(self) -> GaussianPolicy:
        """The policies, a stack of M members."""
        task = self.task()
        policy = GaussianPolicy(
            task.obs_dim,
            task.act_dim,
            self.config.hidden,
            self.config.trials,
            activation=self.config.activation,
        )
        policy.load_flat(torch.from_numpy(self.state["policy.flat"]))
        return policy

    def value(self) -> ValueNet:
        """The value networks, a stack of M members."""
        value = ValueNet(
            self.task().obs_dim,
            self.config.value_hidden,
            self.config.trials,
            activation=self.config.activation,
        )
        value.load_flat(torch.from_numpy(self.state["value.flat"]))
        return value

    def normalizer(self) -> Normalizer | None:
        """The observation statistics, or None if the run has none."""
        if not self.config.normalize_obs:
            return None
        count, mean, m2 = (self.state[f"normalizer.{n}"].copy() for n in ("count", "mean", "m2"))
        return Normalizer(count, mean, m2, self.config.obs_clip)


def _digest(state: dict[str, NDArray[Any]]) -> str:
    sha = hashlib.sha256()
    for name in sorted(state):
        array = np.ascontiguousarray(state[name])
        sha.update(f"{name}:{array.dtype}:{array.shape}".encode())
        sha.update(array.tobytes())
    return sha.hexdigest()


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that a reader, or a crash, sees the old or the new content whole."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with temporary.open("wb") as f:
        f.write(content)
        f.flush()
        os.fsync(f.fileno())
    temporary.replace(path)


def save_checkpoint(
    path: Path, config: TrainConfig, iteration: int, state: dict[str, NDArray[Any]]
) -> None:
    """Write a checkpoint, whole or not at all."""
    header = {
        "format": FORMAT,
        "config": config.to_dict(),
        "iteration": iteration,
        "digest": _digest(state),
    }
    arrays = {k: np.ascontiguousarray(v) for k, v in state.items()}
    write_atomically(path, save(arrays, metadata={"pgcore": json.dumps(header)}))


def load_checkpoint(path: str | Path, task: str | None = None) -> Checkpoint:
    """Read a checkpoint.

    Args:
        path: a ``.safetensors`` file that a run wrote.
        task: the task id that it must be for; None: any.

    Raises:
        CheckpointError: missing, truncated, corrupt, of another format or for another task.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"checkpoint: no file {str(path)!r}")
    try:
        with safe_open(path, framework="numpy") as f:
            header = json.loads((f.metadata() or {})["pgcore"])
            state = {name: f.get_tensor(name) for name in f.keys()}  # noqa: SIM118
        if header["format"] != FORMAT:
            raise CheckpointError(f"checkpoint: {path} has format {header['format']}, not {FORMAT}")
        config = TrainConfig.from_dict(header["config"])
        iteration, digest = int(header["iteration"]), str(header["digest"])
    except CheckpointError:
        raise
    except (SafetensorError, KeyError, ValueError, TypeError, OSError) as error:
        raise CheckpointError(
            f"checkpoint: {path} is truncated or corrupt, or no pgcore checkpoint ({error})"
        ) from error
    if _digest(state) != digest:
        raise CheckpointError(f"checkpoint: {path} is corrupt: its arrays do not match their hash")
    if task is not None and config.task != task:
        raise CheckpointError(f"checkpoint: {path} is for task {config.task}, expected {task}")
    return Checkpoint(config, iteration, state, digest, path)
