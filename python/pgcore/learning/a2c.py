"""Advantage actor-critic: one step up the policy gradient, on all pairs at once."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from pgcore.learning import objectives
from pgcore.learning.data import Orders, TrainingData, descend
from pgcore.learning.optimizer import Adam
from pgcore.learning.ranges import check_ranges
from pgcore.learning.watch import Point, Watch
from pgcore.policies.gaussian import GaussianPolicy


@dataclass(frozen=True)
class A2cSettings:
    """What A2C's update needs to know; see :class:`pgcore.training.TrainConfig`."""

    policy_lr: float = 7e-4
    adam_eps: float = 1e-5
    entropy: float = 0.0
    normalize_advantages: str = "batch"
    max_grad_norm: float | None = None

    def __post_init__(self) -> None:
        check_ranges(self)


def update(
    policy: GaussianPolicy,
    data: TrainingData,
    settings: A2cSettings,
    optimizer: Adam,
    _: Orders,
    watch: Watch | None = None,
) -> dict[str, Tensor]:
    """One step of Adam up mean(log π(a|s) A) (Mnih et al. 2016, arXiv:1602.01783, section 4).

    ``watch`` is called after it; it changes no bit.

    Returns:
        Per member [M]: policy_loss before the step, kl, entropy and step_norm after it.
    """
    with torch.no_grad():
        advantages = data.advantages
        if settings.normalize_advantages == "batch":
            advantages = objectives.normalize_advantages(advantages)
        before = policy.flat.clone()
        tensors = [t.data for t in policy.tensors]
        run = policy.run(data.inputs, [t.clone() for t in tensors])
        old, z = run.distribution, run.distribution.standardized(data.actions)
        slopes = -advantages / advantages.shape[1]  # the optimiser descends
        gradients = policy.split(policy.flat_grad)
        policy.backward(run, z, slopes, gradients, d_entropy=-settings.entropy)
        descend(policy, optimizer, settings.max_grad_norm)
        if watch is not None:
            watch(Point(policy.flat.clone(), 1, 1))
        new = policy.distribution(data.inputs, tensors)
        return {
            "policy_loss": -(old.log_prob(data.actions) * advantages).mean(-1),
            "kl": old.kl(new),
            "entropy": new.entropy(),
            "step_norm": (policy.flat - before).norm(dim=1),
        }


def objective(ratio: Tensor, advantages: Tensor, _: A2cSettings) -> Tensor:
    """What A2C ascends, [M]: mean(log π(a|s) A), up to a constant."""
    return (torch.log(ratio) * advantages).mean(-1)
