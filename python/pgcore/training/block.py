"""Some trials of a run: networks, optimisers and normalisers, and one iteration of them."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pgcore.base.arrays import I64
from pgcore.base.seeds import derive_seed
from pgcore.learning import objectives
from pgcore.learning.advantages import batch_values
from pgcore.learning.data import Orders, TrainingData
from pgcore.learning.optimizer import SLOTS, Adam
from pgcore.learning.value import VALUE_ORDER, update_value
from pgcore.policies.gaussian import GaussianPolicy
from pgcore.policies.normalize import Normalizer, RewardScaler
from pgcore.policies.value import ValueNet
from pgcore.rollout.batch import RolloutBatch, trajectory_metrics
from pgcore.rollout.collect import collect
from pgcore.tasks.gymnasium import AnyTask
from pgcore.training.config import TrainConfig
from pgcore.training.course import Course
from pgcore.training.divergence import NONE, State, no_marks
from pgcore.training.freezing import sound_state, stop_diverged

ANY_TIME = nullcontext()


@dataclass(frozen=True)
class Outcome:
    """What an iteration of a block gave: metrics [M] by name, the state after it, seconds."""

    metrics: dict[str, NDArray[Any]]
    state: State
    rollout_seconds: float
    update_seconds: float


class Block:
    """The agents of some trials of a run.

    Attributes:
        trials: their numbers in the run.
        policy, value: stacks of one member per trial.
        normalizer: observation statistics, or None.
        scaler: reward statistics, or None.
        course: where the streams stand; None: every iteration starts from resets.
        diverged: marks [M, 3] of the members that stand still, see ``divergence.py``.
    """

    def __init__(self, task: AnyTask, config: TrainConfig, trials: list[int]) -> None:
        self.task, self.config, self.trials = task, config, trials
        members = len(trials)
        self.diverged = no_marks(members)
        policies = [
            GaussianPolicy(
                task.obs_dim,
                task.act_dim,
                seed=derive_seed(config.seed, "policy", t) >> 1,
                log_std=config.log_std,
                init=config.init,
                **config.policy_network(),
            )
            for t in trials
        ]
        values = [
            ValueNet(
                task.obs_dim,
                seed=derive_seed(config.seed, "value", t) >> 1,
                init=config.value_init or config.init,
                **config.value_network(),
            )
            for t in trials
        ]
        self.policy = policies[0].with_members(torch.cat([p.flat for p in policies]))
        self.value = values[0].with_members(torch.cat([v.flat for v in values]))
        self.normalizer = (
            Normalizer.create(task.obs_dim, members, config.obs_clip)
            if config.normalize_obs
            else None
        )
        self.scaler = (
            RewardScaler.create(members, config.gamma, config.reward_clip, config.streams)
            if config.normalize_rewards
            else None
        )
        self.course = Course.create(task, members * config.streams) if config.persist else None
        self.optimizers = {
            name: Adam(network.flat, network.flat_grad, rate, config.adam_eps)
            for name, network, rate in (
                ("policy", self.policy, config.policy_lr),
                ("value", self.value, config.value_lr),
            )
        }

    def iterate(
        self, iteration: int, num_threads: int = 1, turn: AbstractContextManager[Any] = ANY_TIME
    ) -> Outcome:
        """One iteration of all agents: rollout, advantages, updates.

        Args:
            iteration: its number.
            num_threads: of the rollout.
            turn: entered for the update.
        """
        start = time.perf_counter()
        before = sound_state(self, iteration)
        with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is looked for
            batch = self.rollout(iteration, num_threads)
            rolled = time.perf_counter()
            with turn:
                begun = time.perf_counter()
                data = self.training_data(batch)
                metrics = self.update(data, iteration)
                metrics.update(self.trajectories(batch))
                stop_diverged(self, iteration, before, batch, data, metrics)
                metrics["environment_steps"] = self.environment_steps(iteration)
        return Outcome(metrics, self.state(), rolled - start, time.perf_counter() - begun)

    def environment_steps(self, iteration: int) -> I64:
        """The pairs [M] that agents were trained on after an iteration; a lost one's stay."""
        ended = self.diverged[:, 0]
        return self.config.pairs * np.where(ended == NONE, iteration + 1, ended)

    def rollout(self, iteration: int, num_threads: int) -> RolloutBatch:
        """The iteration's pairs; moves the normaliser."""
        config = self.config
        ids = np.array(self.trials)[:, None] * config.streams + np.arange(config.streams)
        batch = collect(
            self.task,
            self.policy,
            config.pairs // config.streams,
            config.streams,
            seed=derive_seed(config.seed, "rollout", iteration),
            num_threads=num_threads,
            normalizer=self.normalizer,
            stream_ids=ids.reshape(-1),
            update_normalizer=True,
            actions=config.actions,
            start=None if self.course is None else self.course.states,
            keep_end=self.course is not None,
        )
        self.normalizer = batch.normalizer
        return batch

    def trajectories(self, batch: RolloutBatch) -> dict[str, NDArray[Any]]:
        """What is told of a batch's trajectories; moves the course of the streams."""
        if self.course is None:
            return trajectory_metrics(batch, len(self.trials))
        earlier = self.course.earlier
        self.course = self.course.after(batch)
        return trajectory_metrics(batch, len(self.trials), earlier)

    def training_data(self, batch: RolloutBatch) -> TrainingData:
        """Values, advantages and targets of a batch; moves the reward statistics."""
        config = self.config
        members = len(self.trials)
        rewards = batch.rewards
        if self.scaler is not None:
            if self.course is None or self.course.begins:
                self.scaler.begin()
            rewards = self.scaler.scale(rewards, batch.terminated | batch.truncated)
        values, bootstrap = batch_values(self.value, batch)
        advantages, targets = config.judgement().advantages(rewards, batch, values, bootstrap)
        weights = np.ones_like(values)
        if config.value_skip_terminal:
            weights[batch.terminated | batch.truncated] = 0.0

        def stacked(array: NDArray[Any]) -> Tensor:
            flat = array.astype(np.float32, copy=False)
            return torch.from_numpy(flat.reshape(members, config.pairs, *array.shape[2:]))

        return TrainingData(
            inputs=stacked(batch.inputs),
            actions=stacked(batch.actions),
            log_probs=stacked(batch.log_probs),
            advantages=stacked(advantages),
            values=stacked(values),
            targets=stacked(targets),
            weights=stacked(weights),
        )

    def update(self, data: TrainingData, iteration: int) -> dict[str, NDArray[Any]]:
        """Update policies and value networks; returns metrics, one array [M] each."""
        config = self.config
        remaining = config.remaining(iteration)
        for name, rate in (("policy", config.policy_lr), ("value", config.value_lr)):
            self.optimizers[name].lr = rate * remaining
        orders = Orders(config.seed, self.trials, iteration)
        stats = config.algorithm_entry().update(
            self.policy, data, config.settings(), self.optimizers["policy"], orders
        )
        stats |= update_value(
            self.value,
            self.optimizers["value"],
            data,
            orders.minibatches(
                VALUE_ORDER,
                config.value_epochs,
                config.value_minibatches or config.minibatches,
                config.pairs,
            ),
            clip=config.value_clip,
            max_grad_norm=config.value_max_grad_norm or config.max_grad_norm,
        )
        stats["explained_variance"] = objectives.explained_variance(data.values, data.targets)
        metrics: dict[str, NDArray[Any]] = {
            k: v.numpy().astype(np.float64) for k, v in stats.items()
        }
        if hasattr(config.settings(), "policy_lr"):
            metrics["learning_rate"] = np.full(len(self.trials), config.policy_lr * remaining)
        return metrics

    def state(self) -> State:
        """Everything needed to go on bit-exactly, as arrays with a leading member axis."""
        state: dict[str, NDArray[Any]] = {"diverged": self.diverged}
        state |= {"policy.flat": self.policy.flat.numpy(), "value.flat": self.value.flat.numpy()}
        for name, optimizer in self.optimizers.items():
            state |= {f"{name}.{slot}": array for slot, array in optimizer.state().items()}
        if self.normalizer is not None:
            for name in ("count", "mean", "m2"):
                state[f"normalizer.{name}"] = getattr(self.normalizer, name)
        if self.scaler is not None:
            state["scaler.state"] = self.scaler.state
        if self.course is not None:
            state |= self.course.arrays(len(self.trials))
        return {k: v.copy() for k, v in state.items()}

    def close(self) -> None:
        """Close environments that stay open from one iteration to the next."""
        if self.course is not None:
            self.course.close()

    def load_state(self, state: State) -> None:
        """Go on from :meth:`state`."""
        self.diverged = state.get("diverged", self.diverged).copy()
        self.policy.load_flat(torch.from_numpy(state["policy.flat"]))
        self.value.load_flat(torch.from_numpy(state["value.flat"]))
        for name, optimizer in self.optimizers.items():
            optimizer.load_state({slot: state[f"{name}.{slot}"] for slot in SLOTS})
        if self.normalizer is not None:
            for name in ("count", "mean", "m2"):
                setattr(self.normalizer, name, state[f"normalizer.{name}"].copy())
        if self.scaler is not None:
            self.scaler.state = state["scaler.state"].copy()
        if self.course is not None:
            self.course = self.course.restored(state)
