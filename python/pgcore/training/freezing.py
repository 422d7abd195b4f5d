"""How a trial that has diverged stands still in its block while the others go on.

The stack keeps its shape, so that the others keep their bits: a frozen member goes on acting with
its last sound parameters, and is put back to them after every update.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pgcore.base.arrays import I64, Bool
from pgcore.learning.optimizer import Adam
from pgcore.learning.ppo import TrainingData
from pgcore.policies.stack import GaussianPolicy, ValueNet
from pgcore.rollout.batch import RolloutBatch
from pgcore.training.config import TrainConfig
from pgcore.training.divergence import (
    LOSS,
    NONE,
    PARAMETER,
    State,
    finite_rows,
    first_causes,
    kept_state,
    watches,
)

_ACTING = ("policy.flat", "value.flat", "normalizer.mean", "normalizer.m2")


class Agents(Protocol):
    """What is asked of :class:`pgcore.training.block.Agents`."""

    trials: list[int]
    config: TrainConfig
    policy: GaussianPolicy
    value: ValueNet
    optimizers: dict[str, Adam]
    diverged: I64

    def state(self) -> State: ...

    def load_state(self, state: State) -> None: ...

    def update(self, data: TrainingData, iteration: int) -> dict[str, NDArray[Any]]: ...


def sound_state(agents: Agents, iteration: int) -> State:
    """The agents' state; one that cannot act has diverged, and gets zeros to stand still with."""
    state = agents.state()
    acting = [array for name, array in state.items() if name in _ACTING]
    bad = ~finite_rows(acting, len(agents.trials))
    if not bad.any():
        return state
    _mark(agents, bad, iteration, np.full(len(bad), PARAMETER), np.full(len(bad), NONE))
    zeros = {k: np.nan_to_num(v, nan=0.0, posinf=0.0, neginf=0.0) for k, v in state.items()}
    agents.load_state(zeros | {"diverged": agents.diverged})
    return agents.state()


def _mark(agents: Agents, bad: Bool, iteration: int, causes: I64, terms: I64) -> None:
    new = bad & (agents.diverged[:, 0] == NONE)
    marks = np.stack([np.full(len(bad), iteration), causes, terms], axis=1)
    agents.diverged[new] = marks[new]


def stop_diverged(
    agents: Agents,
    iteration: int,
    before: State,
    batch: RolloutBatch,
    data: TrainingData,
    metrics: dict[str, NDArray[Any]],
) -> None:
    """Put members that are not finite back to ``before``; the others' bits are not touched.

    Args:
        agents: after the iteration's update.
        iteration: its number.
        before: their state ahead of it.
        batch, data: what the update was made from.
        metrics: arrays [M], NaN afterwards for members that stand still.
    """
    after = agents.state()
    losses = [metrics["policy_loss"], metrics["value_loss"]]
    causes = first_causes(batch, data, losses, after)
    late = (causes >= LOSS) & (agents.diverged[:, 0] == NONE)
    if late.any():
        traced = _trace(agents, iteration, before, data)
        causes = np.where(late & (traced != NONE), traced, causes)
    faults = batch.reward_fault.reshape(len(agents.trials), -1).max(axis=1)
    _mark(agents, causes != NONE, iteration, causes, faults)
    frozen = agents.diverged[:, 0] != NONE
    if frozen.any():
        marks = {"diverged": agents.diverged}
        agents.load_state(kept_state(before, after, frozen) | marks)
        for array in metrics.values():
            array[frozen] = np.nan


def _trace(agents: Agents, iteration: int, before: State, data: TrainingData) -> I64:
    """Update once more, to see which of loss, gradient and parameter [M] failed first, or -1.

    Leaves the agents somewhere else.
    """
    config, optimizers = agents.config, agents.optimizers
    agents.load_state(before | {"diverged": agents.diverged})
    parts = (agents.policy, agents.value, optimizers, data, config.clip, config.value_clip)
    watched = watches(*parts)
    agents.optimizers = dict(watched)
    agents.update(data, iteration)
    agents.optimizers = optimizers
    policy, value = (watched[name].causes for name in ("policy", "value"))
    return np.where(policy != NONE, policy, value)
