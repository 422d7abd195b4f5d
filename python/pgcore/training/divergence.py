"""Trials that leave the finite numbers: which of their numbers did first, and what is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pgcore.base.arrays import I64, Bool
from pgcore.learning import objectives
from pgcore.learning.data import TrainingData
from pgcore.learning.optimizer import Adam
from pgcore.policies.gaussian import GaussianPolicy
from pgcore.policies.value import ValueNet
from pgcore.rollout.batch import RolloutBatch
from pgcore.tasks.gymnasium import AnyTask
from pgcore.tasks.task import Task

# In the order in which an iteration computes them; an action has its log-probability with it.
CAUSES = ("observation", "action", "reward", "advantage", "loss", "gradient", "parameter")
LOSS, GRADIENT, PARAMETER = (CAUSES.index(name) for name in ("loss", "gradient", "parameter"))
NONE = -1

State = dict[str, NDArray[Any]]


class DivergedError(RuntimeError):
    """No trial of a run is left; everything that was computed is in its folder."""


@dataclass(frozen=True)
class Divergence:
    """A trial's end: it stays as it was ahead of this iteration, and takes part in nothing more."""

    trial: int
    iteration: int
    cause: str

    def __str__(self) -> str:
        return f"trial {self.trial} diverged at iteration {self.iteration} ({self.cause})"


def no_marks(members: int) -> I64:
    """Marks [M, 3] of members that are all alive: iteration, cause and reward term."""
    return np.full((members, 3), NONE, dtype=np.int64)


def divergences(
    marks: I64, reward_terms: Sequence[str], trials: Sequence[int] | None = None
) -> list[Divergence]:
    """What marks [M, 3] say, in the order of the trials; by default trial m is member m."""
    found = []
    for m in np.flatnonzero(marks[:, 0] != NONE):
        iteration, cause, term = (int(x) for x in marks[m])
        text = CAUSES[cause]
        if text == "reward" and 0 <= term < len(reward_terms):
            text += f": {reward_terms[term]}"
        found.append(Divergence(int(m) if trials is None else trials[int(m)], iteration, text))
    return found


def reward_terms(task: AnyTask) -> list[str]:
    """What a task's reward is the sum of; of an environment that is not known."""
    return [term.kind for term in task.spec.reward] if isinstance(task, Task) else []


def finite_rows(arrays: Iterable[NDArray[Any]], members: int) -> Bool:
    """Which members' rows are finite in every array; rows of a member are neighbours."""
    fine = np.ones(members, dtype=np.bool_)
    for array in arrays:
        fine &= np.isfinite(array).reshape(members, -1).all(axis=1)
    return fine


def first_causes(
    batch: RolloutBatch, data: TrainingData, losses: Sequence[NDArray[Any]], state: State
) -> I64:
    """The first of :data:`CAUSES` that an iteration shows in each member [M], or -1.

    Losses and parameters are those at its end, so that of these the one may follow from the other;
    see :class:`Watch`.
    """
    M = len(losses[0])
    parameters = [array for name, array in state.items() if name != "diverged"]
    stages: dict[str, list[NDArray[Any]]] = {
        "observation": [batch.obs, batch.inputs],
        "action": [batch.actions, batch.log_probs],
        "reward": [batch.rewards],
        "advantage": [x.numpy() for x in (data.values, data.advantages, data.targets)],
        "loss": list(losses),
        "parameter": parameters,
    }
    causes = np.full(M, NONE, dtype=np.int64)
    for name, arrays in stages.items():
        causes[(causes == NONE) & ~finite_rows(arrays, M)] = CAUSES.index(name)
    return causes


class Watch(Adam):
    """An optimiser that notes which of loss, gradient and parameter of a member fails first.

    Attributes:
        causes: [M], -1 as long as all are finite.
    """

    def __init__(self, optimizer: Adam, loss: Callable[[], Tensor]) -> None:
        """Share the tensors of ``optimizer``; ``loss`` gives [M] at the parameters as they are."""
        self.__dict__.update(optimizer.__dict__)
        self.loss = loss
        self.causes = np.full(len(self.flat), NONE, dtype=np.int64)

    def step(self, members: Sequence[int] | None = None) -> None:
        """One step, and a look at what goes in and comes out."""
        bad = (self.causes == NONE) & ~finite_rows([self.flat_grad.numpy()], len(self.flat))
        if bad.any():
            lost = ~np.isfinite(self.loss().numpy())
            self.causes[bad] = np.where(lost, LOSS, GRADIENT)[bad]
        super().step(members)
        bad = (self.causes == NONE) & ~finite_rows([self.flat.numpy()], len(self.flat))
        self.causes[bad] = PARAMETER


def watches(
    policy: GaussianPolicy,
    value: ValueNet,
    optimizers: Mapping[str, Adam],
    data: TrainingData,
    objective: Callable[[Tensor, Tensor], Tensor],
    value_clip: float | None,
) -> dict[str, Watch]:
    """Watches of both optimisers; their losses are those of all pairs of the iteration."""

    def policy_loss() -> Tensor:
        log_prob = policy.log_prob(data.inputs, data.actions)
        ratio = torch.exp(log_prob - data.log_probs)
        return objective(ratio, data.advantages).detach()

    def value_loss() -> Tensor:
        out = value(data.inputs)
        terms = (data.values, data.targets, data.weights)
        return objectives.value_loss(out, *terms, value_clip).detach()

    return {
        "policy": Watch(optimizers["policy"], policy_loss),
        "value": Watch(optimizers["value"], value_loss),
    }


def kept_state(before: State, after: State, frozen: Bool) -> State:
    """``after`` an iteration, with the rows of frozen members as they were ``before`` it."""
    state = {name: array.copy() for name, array in after.items()}
    for name, array in state.items():
        if name not in ("policy.step", "value.step"):  # an optimiser counts for all members
            array[frozen] = before[name][frozen]
    return state
