"""How a trial that has diverged stands still in its block while the others go on.

The stack keeps its shape, so that the others keep their bits: a frozen member goes on acting with
its last sound parameters, and is put back to them after every update.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from pgcore.base.arrays import I64, Bool
from pgcore.learning.data import TrainingData
from pgcore.learning.optimizer import Adam
from pgcore.policies.gaussian import GaussianPolicy
from pgcore.policies.value import ValueNet
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


class Trials(Protocol):
    """What is asked of :class:`pgcore.training.block.Block`."""

    trials: list[int]
    config: TrainConfig
    policy: GaussianPolicy
    value: ValueNet
    optimizers: dict[str, Adam]
    diverged: I64

    def state(self) -> State: ...

    def load_state(self, state: State) -> None: ...

    def update(self, data: TrainingData, iteration: int) -> dict[str, NDArray[Any]]: ...


def sound_state(block: Trials, iteration: int) -> State:
    """The trials' state; one that cannot act has diverged, and gets zeros to stand still with."""
    state = block.state()
    acting = [array for name, array in state.items() if name in _ACTING]
    bad = ~finite_rows(acting, len(block.trials))
    if not bad.any():
        return state
    _mark(block, bad, iteration, np.full(len(bad), PARAMETER), np.full(len(bad), NONE))
    zeros = {k: np.nan_to_num(v, nan=0.0, posinf=0.0, neginf=0.0) for k, v in state.items()}
    block.load_state(zeros | {"diverged": block.diverged})
    return block.state()


def _mark(block: Trials, bad: Bool, iteration: int, causes: I64, terms: I64) -> None:
    new = bad & (block.diverged[:, 0] == NONE)
    marks = np.stack([np.full(len(bad), iteration), causes, terms], axis=1)
    block.diverged[new] = marks[new]


def stop_diverged(
    block: Trials,
    iteration: int,
    before: State,
    batch: RolloutBatch,
    data: TrainingData,
    metrics: dict[str, NDArray[Any]],
) -> None:
    """Put members that are not finite back to ``before``; the others' bits are not touched.

    Args:
        block: after the iteration's update.
        iteration: its number.
        before: their state ahead of it.
        batch, data: what the update was made from.
        metrics: arrays [M], NaN afterwards for members that stand still.
    """
    after = block.state()
    losses = [metrics["policy_loss"], metrics["value_loss"]]
    causes = first_causes(batch, data, losses, after)
    late = (causes >= LOSS) & (block.diverged[:, 0] == NONE)
    if late.any():
        traced = _trace(block, iteration, before, data)
        causes = np.where(late & (traced != NONE), traced, causes)
    faults = batch.reward_fault.reshape(len(block.trials), -1).max(axis=1)
    _mark(block, causes != NONE, iteration, causes, faults)
    frozen = block.diverged[:, 0] != NONE
    if frozen.any():
        marks = {"diverged": block.diverged}
        block.load_state(kept_state(before, after, frozen) | marks)
        for array in metrics.values():
            array[frozen] = np.nan


def _trace(block: Trials, iteration: int, before: State, data: TrainingData) -> I64:
    """Update once more, to see which of loss, gradient and parameter [M] failed first, or -1.

    Leaves the block somewhere else.
    """
    config, optimizers = block.config, block.optimizers
    block.load_state(before | {"diverged": block.diverged})
    rule, settings = config.algorithm_entry().objective, config.settings()

    def objective(ratio: Tensor, advantages: Tensor) -> Tensor:
        return rule(ratio, advantages, settings)

    parts = (block.policy, block.value, optimizers, data, objective, config.value_clip)
    watched = watches(*parts)
    block.optimizers = dict(watched)
    block.update(data, iteration)
    block.optimizers = optimizers
    policy, value = (watched[name].causes for name in ("policy", "value"))
    return np.where(policy != NONE, policy, value)
