"""Proximal policy optimisation over a stack of members."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from pgcore.learning import objectives
from pgcore.learning.data import Minibatches, Orders, TrainingData, descend, passes
from pgcore.learning.optimizer import Adam
from pgcore.policies.mlp import mlp_backward, mlp_forward
from pgcore.policies.stack import GaussianPolicy, gaussian_log_prob

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


def update(
    policy: GaussianPolicy,
    data: TrainingData,
    settings: PpoSettings,
    optimizer: Adam,
    orders: Orders,
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

    Returns:
        Per member [M]: surrogate loss of the last pass, KL(old || new), clip_fraction, ratio_max
        and entropy after the update, step_norm.
    """
    layers = policy.layer_tensors
    tensors = [t.data for t in policy.tensors]
    gradients, log_std = policy.split(policy.flat_grad), tensors[-1]
    half_log_2pi = 0.5 * math.log(2 * math.pi)

    def step(inputs: Tensor, actions: Tensor, log_probs: Tensor, a: Tensor) -> Tensor:
        """One minibatch; returns its ratios [M, B] ahead of the step."""
        mean, kept = mlp_forward(tensors[:layers], inputs, policy.activation)
        z = (actions - mean) * torch.exp(-log_std).unsqueeze(1)
        constant = (log_std + half_log_2pi).sum(-1, keepdim=True)
        ratio = torch.exp((z * z).sum(-1) * -0.5 - constant - log_probs)
        # the optimiser descends, so every gradient carries a minus
        d_log_prob = -objectives.clipped_surrogate_gradient(ratio, a, clip)
        d_mean, d_log_std = objectives.gaussian_log_prob_gradient(z, log_std, d_log_prob)
        mlp_backward(tensors[:layers], kept, d_mean, policy.activation, gradients)
        gradients[-1].copy_(d_log_std - entropy)
        descend(policy, optimizer, max_grad_norm)
        return ratio

    with torch.no_grad():
        before = policy.flat.clone()
        old_mean, old_log_std = policy.mean(data.inputs), log_std.clone()
        advantages, loss = data.advantages, torch.zeros(policy.members)
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
            loss = -objectives.clipped_surrogate(ratios, a, clip).mean(0)
        new_mean = policy.mean(data.inputs)
        ratio = torch.exp(gaussian_log_prob(data.actions, new_mean, log_std) - data.log_probs)
        return {
            "policy_loss": loss,
            "kl": objectives.gaussian_kl(old_mean, old_log_std, new_mean, log_std),
            "clip_fraction": ((ratio - 1).abs() > clip).float().mean(-1),
            "ratio_max": ratio.amax(-1),
            "entropy": objectives.gaussian_entropy(log_std),
            "step_norm": (policy.flat - before).norm(dim=1),
        }
