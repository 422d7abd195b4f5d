"""What a study looks at: agents of checkpoints, with everything about them frozen."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pgcore.base.arrays import F64
from pgcore.base.errors import CheckpointError, check_count
from pgcore.learning.optimizer import SLOTS
from pgcore.policies.gaussian import GaussianPolicy
from pgcore.policies.normalize import Normalizer
from pgcore.policies.value import ValueNet
from pgcore.tasks.task import Task
from pgcore.training.checkpoint import Checkpoint, load_checkpoint
from pgcore.training.config import TrainConfig
from pgcore.training.run import checkpoint_path


@dataclass(frozen=True)
class Agent:
    """One trained agent: stacks of one member and frozen statistics.

    Attributes:
        task, policy, value, normalizer: what acts and what judges.
        config: the settings that it was trained with.
        iteration: updates that were made.
        reward_std: what its rewards were divided by; 1 without reward normalisation.
        optimizer: the state of the policy's optimiser, as :meth:`pgcore.optimizer.Adam.state`
            gives it; empty: from the start.
    """

    task: Task
    policy: GaussianPolicy
    value: ValueNet
    normalizer: Normalizer | None = None
    config: TrainConfig = field(default_factory=TrainConfig)
    iteration: int = 0
    reward_std: float = 1.0
    optimizer: dict[str, NDArray[Any]] = field(default_factory=dict)

    @staticmethod
    def of(checkpoint: Checkpoint, trial: int) -> Agent:
        """A trial of a checkpoint."""
        policy, value = checkpoint.policy(), checkpoint.value()
        normalizer, state = checkpoint.normalizer(), checkpoint.state
        own = slice(trial, trial + 1)
        std = 1.0
        if checkpoint.config.normalize_rewards:
            count, _, m2, _ = state["scaler.state"][trial].reshape(-1, 4)[0]
            std = math.sqrt(m2 / (count - 1)) if count > 1 else 1.0
        return Agent(
            task=checkpoint.task(),
            policy=policy.with_members(policy.flat[own]),
            value=value.with_members(value.flat[own]),
            normalizer=normalizer.select(own) if normalizer is not None else None,
            config=checkpoint.config,
            iteration=checkpoint.iteration,
            reward_std=std,
            optimizer={slot: state[f"policy.{slot}"][own] for slot in SLOTS},
        )

    def rewards(self, raw: F64) -> F64:
        """Rewards on the scale that the value network was trained on (clipped, if those were)."""
        if not self.config.normalize_rewards:
            return raw
        bound = self.config.reward_clip or np.inf
        return np.clip(raw / (self.reward_std + 1e-8), -bound, bound)


@functools.lru_cache(maxsize=4)
def _cached_checkpoint(path: str, digest: str) -> Checkpoint:
    checkpoint = load_checkpoint(path)
    if checkpoint.digest != digest:
        raise CheckpointError(f"checkpoint: {path} changed since the study was planned")
    return checkpoint


@dataclass(frozen=True)
class Checkpoints:
    """The checkpoints of one or several runs on one task; small, so that a worker can have it.

    Attributes:
        task_id: the runs' task.
        algorithms, iterations: what there is of them.
        trials: how many trials are looked at, from the first.
        entries: (algorithm, iteration, path, digest) of each.
    """

    task_id: str
    algorithms: tuple[str, ...]
    iterations: tuple[int, ...]
    trials: int
    entries: tuple[tuple[str, int, str, str], ...]

    @staticmethod
    def of(
        runs: str | Path | Sequence[str | Path], iterations: Sequence[int], trials: int | None
    ) -> Checkpoints:
        """Find and check the checkpoints.

        Raises:
            ValueError: missing checkpoint, runs that do not go together, or too many trials.
        """
        folders = [Path(r).resolve() for r in ([runs] if isinstance(runs, str | Path) else runs)]
        wanted = list(dict.fromkeys(iterations))
        if not wanted or not folders:
            name = "runs" if wanted else "iterations"
            raise ValueError(f"{name}: expected at least one, got none")
        found = [load_checkpoint(checkpoint_path(f, i)) for f in folders for i in wanted]
        tasks = sorted({c.config.task for c in found})
        if len(tasks) != 1:
            raise ValueError(f"runs: expected runs on one task, got {', '.join(tasks) or 'none'}")
        algorithms = list(dict.fromkeys(c.config.algorithm for c in found))
        if len(algorithms) != len(folders):
            raise ValueError("runs: expected one run per algorithm, got several of the same")
        shapes = {c.state["policy.flat"].shape[1:] for c in found}
        if len(shapes) != 1:
            raise ValueError("runs: expected policies of one size, got several")
        available = min(c.config.trials for c in found)
        count = available if trials is None else check_count("trials", trials)
        if count > available:
            raise ValueError(
                f"trials: expected at most {available}, which the runs have, got {count}"
            )
        return Checkpoints(
            tasks[0],
            tuple(algorithms),
            tuple(wanted),
            count,
            tuple((c.config.algorithm, c.iteration, str(c.path), c.digest) for c in found),
        )

    def task(self) -> Task:
        """The runs' task."""
        return self.checkpoint(self.algorithms[0], self.iterations[0]).task()

    def provenance(self) -> dict[str, str]:
        """What is simulated, for a dataset's attributes."""
        task = self.task()
        passes = ", ".join(task.passes) or "none"
        return {"model_sha256": task.model_hash(), "engine_passes": passes}

    def agent(self, algorithm: str, iteration: int, trial: int) -> Agent:
        """One agent."""
        return Agent.of(self.checkpoint(algorithm, iteration), trial)

    def checkpoint(self, algorithm: str, iteration: int) -> Checkpoint:
        """The checkpoint of all trials."""
        for name, number, path, digest in self.entries:
            if (name, number) == (algorithm, iteration):
                return _cached_checkpoint(path, digest)
        raise KeyError((algorithm, iteration))

    def check_learning(self) -> None:
        """ValueError where a learning rate has fallen to 0, and nothing is learned any more."""
        for algorithm, iteration, *_ in self.entries:
            config = self.checkpoint(algorithm, iteration).config
            if config.anneal and iteration >= config.iterations:
                raise ValueError(
                    f"iterations: {algorithm.upper()}'s learning rate is 0 at {iteration}, the end "
                    "of its run, and so is its step; choose earlier checkpoints"
                )

    def digests(self) -> dict[str, str]:
        """What identifies the agents in a study's settings."""
        return {f"{a}/{i}": digest for a, i, _, digest in self.entries}

    @property
    def dims(self) -> dict[str, list[str] | list[int]]:
        """The dimensions that every study of agents begins with."""
        return {
            "algorithm": list(self.algorithms),
            "iteration": list(self.iterations),
            "trial": list(range(self.trials)),
        }
