"""Objectives of policy-gradient algorithms, as pure functions over a leading member axis.

Shapes: M members, B pairs; further axes may lead, such as one of minibatches.
Every function returns one number per member, so that the members of a stack never mix.
``*_gradient`` are the closed forms of the gradients that the training loop uses; a test compares
each with autograd.
"""

from __future__ import annotations

import torch
from torch import Tensor


def normalize_advantages(advantages: Tensor) -> Tensor:
    """(A - mean) / (std + 1e-8) over the last axis, with the unbiased std (paper, equation 15)."""
    if advantages.shape[-1] < 2:
        return advantages - advantages.mean(-1, keepdim=True)
    std, mean = torch.std_mean(advantages, dim=-1, keepdim=True)
    return (advantages - mean) / (std + 1e-8)


def surrogate(ratio: Tensor, advantages: Tensor) -> Tensor:
    """mean(ρ A), [M]: the surrogate that TRPO maximises (paper, equation 14).

    Args:
        ratio: [M, B], ρ = π_θ(a|s) / π_old(a|s).
        advantages: [M, B].
    """
    return (ratio * advantages).mean(-1)


def clipped_surrogate(ratio: Tensor, advantages: Tensor, clip: float) -> Tensor:
    """mean(min(clip(ρ, 1-ε, 1+ε) A, ρ A)), [M] (Schulman et al. 2017, arXiv:1707.06347, eq. 7)."""
    clipped = torch.clamp(ratio, 1 - clip, 1 + clip) * advantages
    return torch.minimum(clipped, ratio * advantages).mean(-1)


def clipped_surrogate_gradient(ratio: Tensor, advantages: Tensor, clip: float) -> Tensor:
    """Gradient [M, B] of :func:`clipped_surrogate` by log π_θ(a|s): ρA/B if not clipped."""
    active = torch.where(advantages > 0, ratio <= 1 + clip, ratio >= 1 - clip)
    return ratio * advantages * active / ratio.shape[-1]


def value_loss(
    values: Tensor, old_values: Tensor, targets: Tensor, weights: Tensor, clip: float | None
) -> Tensor:
    """Weighted mean of (V - target)², [M] (paper, equation 4; clipping as PPO's authors do).

    Args:
        values: [M, B], V_φ(s).
        old_values: [M, B], V of the network before the update.
        targets: [M, B], V_old + A_GAE.
        weights: [M, B], 0 for pairs that are left out.
        clip: None, or bound c of |V - V_old|: then max((V - t)², (V_old ± c - t)²) counts.
    """
    errors = (values - targets) ** 2
    if clip is not None:
        limited = old_values + torch.clamp(values - old_values, -clip, clip)
        errors = torch.maximum(errors, (limited - targets) ** 2)
    return (errors * weights).sum(-1) / weights.sum(-1).clamp(min=1)


def value_loss_gradient(
    values: Tensor, old_values: Tensor, targets: Tensor, weights: Tensor, clip: float | None
) -> Tensor:
    """Gradient [M, B] of :func:`value_loss` by the values."""
    error = values - targets
    slope = 2 * error * weights / weights.sum(-1, keepdim=True).clamp(min=1)
    if clip is None:
        return slope
    shift = values - old_values
    limited = old_values + torch.clamp(shift, -clip, clip) - targets
    # the limited branch is flat where it is the larger one and the limit is active
    return torch.where((limited**2 > error**2) & (shift.abs() > clip), 0.0, slope)


def explained_variance(values: Tensor, returns: Tensor) -> Tensor:
    """1 - Var(returns - V) / Var(returns), [M]."""
    return 1 - (returns - values).var(-1) / returns.var(-1).clamp(min=1e-12)
