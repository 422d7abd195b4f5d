"""Some trials of a run: networks, optimisers and normalisers, and one iteration of them."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pgcore.base.arrays import F32
from pgcore.base.seeds import derive_seed
from pgcore.learning import objectives, ppo, trpo
from pgcore.learning.optimizer import SLOTS, Adam
from pgcore.learning.ppo import Minibatches, TrainingData
from pgcore.policies.gaussian import GaussianPolicy
from pgcore.policies.normalize import Normalizer, RewardScaler
from pgcore.policies.value import ValueNet
from pgcore.rollout.batch import RolloutBatch, trajectory_metrics
from pgcore.rollout.collect import collect
from pgcore.rollout.returns import discounted_returns, gae, successor_values
from pgcore.tasks.task import Task
from pgcore.training.config import TrainConfig

POLICY_ORDER, VALUE_ORDER, FISHER_ORDER = 0, 1, 2  # purposes of minibatch permutations


class Agents:
    """The agents of some trials of a run.

    Attributes:
        trials: their numbers in the run.
        policy, value: stacks of one member per trial.
        normalizer: observation statistics, or None.
        scaler: reward statistics, or None.
    """

    def __init__(self, task: Task, config: TrainConfig, trials: list[int]) -> None:
        self.task, self.config, self.trials = task, config, trials
        members = len(trials)
        networks: dict[str, Any] = {"activation": config.activation, "init": config.init}
        policies = [
            GaussianPolicy(
                task.obs_dim,
                task.act_dim,
                config.hidden,
                seed=derive_seed(config.seed, "policy", t) >> 1,
                log_std=config.log_std,
                **networks,
            )
            for t in trials
        ]
        values = [
            ValueNet(
                task.obs_dim,
                config.value_hidden,
                seed=derive_seed(config.seed, "value", t) >> 1,
                **networks,
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
            RewardScaler.create(members * config.streams, config.gamma, config.reward_clip)
            if config.normalize_rewards
            else None
        )
        self.optimizers = {
            name: Adam(network.flat, network.flat_grad, rate, config.adam_eps)
            for name, network, rate in (
                ("policy", self.policy, config.policy_lr),
                ("value", self.value, config.value_lr),
            )
        }

    def iterate(
        self, iteration: int, num_threads: int
    ) -> tuple[dict[str, NDArray[Any]], float, float]:
        """One iteration of all agents: rollout, advantages, updates.

        Returns:
            The metrics, one array [M] each, and the seconds of rollout and update.
        """
        start = time.perf_counter()
        batch = self.rollout(iteration, num_threads)
        rolled = time.perf_counter()
        data = self.training_data(batch)
        metrics = self.update(data, iteration)
        metrics.update(trajectory_metrics(batch, len(self.trials)))
        return metrics, rolled - start, time.perf_counter() - rolled

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
        )
        self.normalizer = batch.normalizer
        return batch

    def training_data(self, batch: RolloutBatch) -> TrainingData:
        """Values, advantages and targets of a batch; moves the reward statistics."""
        config = self.config
        members = len(self.trials)
        rewards = batch.rewards
        if self.scaler is not None:
            self.scaler.begin()
            rewards = self.scaler.scale(rewards, batch.terminated | batch.truncated)
        values, bootstrap = batch_values(self.value, batch)
        after = successor_values(
            values,
            bootstrap,
            batch.bootstrap_index,
            batch.truncated,
            time_limit=config.time_limit_rule,
            cut=config.cut_rule,
        )
        flags = (batch.terminated, batch.truncated)
        advantages, targets = gae(rewards, values, after, *flags, config.gamma, config.lam)
        if config.baseline == "zero":
            advantages = discounted_returns(rewards, np.zeros_like(rewards), *flags, config.gamma)
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
        remaining = 1 - iteration / config.iterations if config.anneal else 1.0
        for name, rate in (("policy", config.policy_lr), ("value", config.value_lr)):
            self.optimizers[name].lr = rate * remaining
        stats = update_policy(
            self.policy, self.optimizers["policy"], data, config, self.trials, iteration
        )
        stats |= ppo.update_value(
            self.value,
            self.optimizers["value"],
            data,
            minibatches(config, self.trials, VALUE_ORDER, iteration, config.value_epochs),
            clip=config.value_clip,
            max_grad_norm=config.max_grad_norm,
        )
        stats["explained_variance"] = objectives.explained_variance(data.values, data.targets)
        metrics: dict[str, NDArray[Any]] = {
            k: v.numpy().astype(np.float64) for k, v in stats.items()
        }
        metrics["learning_rate"] = np.full(len(self.trials), config.policy_lr * remaining)
        return metrics

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything needed to go on bit-exactly, as arrays with a leading member axis."""
        state = {"policy.flat": self.policy.flat.numpy(), "value.flat": self.value.flat.numpy()}
        for name, optimizer in self.optimizers.items():
            state |= {f"{name}.{slot}": array for slot, array in optimizer.state().items()}
        if self.normalizer is not None:
            for name in ("count", "mean", "m2"):
                state[f"normalizer.{name}"] = getattr(self.normalizer, name)
        if self.scaler is not None:
            state["scaler.state"] = self.scaler.state.reshape(len(self.trials), -1)
        return {k: v.copy() for k, v in state.items()}

    def load_state(self, state: dict[str, NDArray[Any]]) -> None:
        """Go on from :meth:`state`."""
        self.policy.load_flat(torch.from_numpy(state["policy.flat"]))
        self.value.load_flat(torch.from_numpy(state["value.flat"]))
        for name, optimizer in self.optimizers.items():
            optimizer.load_state({slot: state[f"{name}.{slot}"] for slot in SLOTS})
        if self.normalizer is not None:
            for name in ("count", "mean", "m2"):
                setattr(self.normalizer, name, state[f"normalizer.{name}"].copy())
        if self.scaler is not None:
            self.scaler.state = state["scaler.state"].reshape(-1, 4).copy()


def minibatches(
    config: TrainConfig, trials: list[int], purpose: int, iteration: int, epochs: int
) -> Minibatches:
    """The minibatches of one iteration, from the run's seed."""
    order = ppo.permutations(config.seed, trials, iteration, purpose, epochs, config.pairs)
    return Minibatches(epochs, config.minibatches, order)


def update_policy(
    policy: GaussianPolicy,
    optimizer: Adam,
    data: TrainingData,
    config: TrainConfig,
    trials: list[int],
    iteration: int,
) -> dict[str, Tensor]:
    """The policy update of the run's algorithm, in place; returns statistics, [M] each."""
    if config.algorithm == "trpo":
        size = max(1, round(config.fisher_fraction * config.pairs))
        order = ppo.permutations(config.seed, trials, iteration, FISHER_ORDER, 1, config.pairs)
        return trpo.update_policy(
            policy,
            data,
            kl=config.kl,
            fisher_order=order[:, 0, :size] if size < config.pairs else None,
            cg_steps=config.cg_steps,
            damping=config.cg_damping,
            backtracks=config.backtracks,
            accept_ratio=config.accept_ratio,
            normalize=config.normalize_advantages,
        )
    return ppo.update_policy(
        policy,
        optimizer,
        data,
        minibatches(config, trials, POLICY_ORDER, iteration, config.policy_epochs),
        clip=config.clip,
        entropy=config.entropy,
        normalize=config.normalize_advantages,
        max_grad_norm=config.max_grad_norm,
    )


def batch_values(value: ValueNet, batch: RolloutBatch) -> tuple[F32, F32]:
    """V of every observation [S, T] and of every bootstrap observation [K], float32.

    Streams of a member must be neighbours and equal in number, as :func:`collect` makes them.
    """
    S, T, obs_dim = batch.inputs.shape
    members = value.members
    with torch.no_grad():
        inputs = torch.from_numpy(batch.inputs).view(members, -1, obs_dim)
        values = value(inputs).reshape(S, T).numpy()
        # bootstrap observations: as many as a stream has at most, the rest is padding
        owner = batch.member[batch.bootstrap_index[:, 0]]
        bootstrap = np.zeros(len(owner), dtype=np.float32)
        counts = np.bincount(owner, minlength=members)
        padded = np.zeros((members, counts.max(initial=0), obs_dim), dtype=np.float32)
        slot = np.arange(len(owner)) - np.concatenate([[0], np.cumsum(counts)[:-1]])[owner]
        padded[owner, slot] = batch.bootstrap_inputs
        if len(owner):
            bootstrap = value(torch.from_numpy(padded)).numpy()[owner, slot]
    return values, bootstrap
