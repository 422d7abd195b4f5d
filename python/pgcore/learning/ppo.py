"""Proximal policy optimisation over a stack of members."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from pgcore.learning import objectives
from pgcore.learning.data import Minibatches, Orders, TrainingData, descend, passes
from pgcore.learning.optimizer import Adam
from pgcore.learning.ranges import check_ranges
from pgcore.learning.watch import Watch, minibatch_watch
from pgcore.policies.gaussian import GaussianPolicy

POLICY_ORDER = 0  # purpose of the policy's minibatch permutations


@dataclass(frozen=True)
class PpoSettings:
    """What PPO's update needs to know; see :class:`pgcore.training.TrainConfig`."""

    policy_lr: float = 3e-4
    adam_eps: float = 1e-5
    policy_epochs: int = 10
    minibatches: int = 32
    clip: float = 0.2
    entropy: float = 0.0
    normalize_advantages: str = "minibatch"
    max_grad_norm: float | None = None
    target_kl: float | None = None

    def __post_init__(self) -> None:
        check_ranges(self)


def update(
    policy: GaussianPolicy,
    data: TrainingData,
    settings: PpoSettings,
    optimizer: Adam,
    orders: Orders,
    watch: Watch | None = None,
) -> dict[str, Tensor]:
    """:func:`update_policy` by the settings; see :class:`pgcore.learning.algorithms.Algorithm`."""
    pairs = data.advantages.shape[1]
    return update_policy(
        policy,
        optimizer,
        data,
        orders.minibatches(POLICY_ORDER, settings.policy_epochs, settings.minibatches, pairs),
        clip=settings.clip,
        entropy=settings.entropy,
        normalize=settings.normalize_advantages,
        max_grad_norm=settings.max_grad_norm,
        target_kl=settings.target_kl,
        watch=watch,
    )


def objective(ratio: Tensor, advantages: Tensor, settings: PpoSettings) -> Tensor:
    """What PPO ascends, [M]: the clipped surrogate."""
    return objectives.clipped_surrogate(ratio, advantages, settings.clip)


def update_policy(
    policy: GaussianPolicy,
    optimizer: Adam,
    data: TrainingData,
    minibatches: Minibatches,
    *,
    clip: float,
    entropy: float = 0.0,
    normalize: str = "minibatch",
    max_grad_norm: float | None = None,
    target_kl: float | None = None,
    watch: Watch | None = None,
) -> dict[str, Tensor]:
    """Ascend the clipped surrogate (Schulman et al. 2017, arXiv:1707.06347, equation 7).

    Args:
        policy: changed in place.
        optimizer: of ``policy.flat`` with gradients ``policy.flat_grad``.
        data: the pairs.
        minibatches: passes and orders.
        clip: ε.
        entropy: coefficient of the entropy bonus.
        normalize: advantages by "minibatch", "batch" or "none".
        max_grad_norm: bound of each member's gradient norm, or None.
        target_kl: a member's update ends with the first pass after which its mean KL(old || new)
            is larger, or None.
        watch: called after every minibatch; it changes no bit.

    Returns:
        Per member [M]: surrogate loss of its last pass, KL(old || new), clip_fraction, ratio_max
        and entropy after the update, step_norm; with a target_kl also the number of its passes.
    """
    going = list(range(policy.members))  # members whose update has not ended
    tensors, gradients = [t.data for t in policy.tensors], policy.split(policy.flat_grad)
    tell = minibatch_watch(watch, policy, minibatches)

    def step(inputs: Tensor, actions: Tensor, log_probs: Tensor, a: Tensor) -> Tensor:
        """One minibatch; returns its ratios [M, B] ahead of the step."""
        run = policy.run(inputs, tensors)
        z = run.distribution.standardized(actions)
        ratio = torch.exp(run.distribution.log_ratio(z, log_probs))
        # the optimiser descends, so every gradient carries a minus
        d_log_prob = -objectives.clipped_surrogate_gradient(ratio, a, clip)
        policy.backward(run, z, d_log_prob, gradients, d_entropy=-entropy)
        descend(policy, optimizer, max_grad_norm, None if target_kl is None else going)
        tell()
        return ratio

    with torch.no_grad():
        before = policy.flat.clone()
        old = policy.distribution(data.inputs, policy.split(before))
        advantages, loss = data.advantages, torch.zeros(policy.members)
        made = torch.zeros(policy.members)  # passes
        if normalize == "batch":
            advantages = objectives.normalize_advantages(advantages)
        parts = [data.inputs, data.actions, data.log_probs, advantages]
        for inputs, actions, log_probs, a in passes(parts, minibatches):
            if normalize == "minibatch":
                a = objectives.normalize_advantages(a)
            # in memory as the means are
            actions = actions.transpose(2, 3).contiguous().transpose(2, 3)
            batches = zip(inputs, actions, log_probs, a, strict=True)
            ratios = torch.stack([step(*batch) for batch in batches])
            loss[going] = -objectives.clipped_surrogate(ratios, a, clip).mean(0)[going]
            made[going] += 1
            if target_kl is not None:
                kl = old.kl(policy.distribution(data.inputs))
                going = [m for m in going if kl[m] <= target_kl]
            if not going:
                break
        new = policy.distribution(data.inputs)
        ratio = torch.exp(new.log_prob(data.actions) - data.log_probs)
        passes_made = {} if target_kl is None else {"policy_passes": made}
        return {
            **passes_made,
            "policy_loss": loss,
            "kl": old.kl(new),
            "clip_fraction": ((ratio - 1).abs() > clip).float().mean(-1),
            "ratio_max": ratio.amax(-1),
            "entropy": new.entropy(),
            "step_norm": (policy.flat - before).norm(dim=1),
        }
