"""Objectives of policy-gradient algorithms, as pure functions over a leading member axis.

Shapes: M members, B pairs, A action dimensions; further axes may lead, such as one of minibatches.
Every function returns one number per member, so that the members of a stack never mix.
``*_gradient`` are the closed forms of the gradients that the training loop uses; a test compares
each with autograd.
"""

from __future__ import annotations

import math

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


def gaussian_log_prob_gradient(
    z: Tensor, log_std: Tensor, d_log_prob: Tensor
) -> tuple[Tensor, Tensor]:
    """Chain rule through log N(a; μ, σ): gradients by μ [M, B, A] and by log_std [M, A].

    Args:
        z: [M, B, A], (a - μ) / σ.
        log_std: [M, A].
        d_log_prob: [M, B], the gradient by log π(a|s).
    """
    d = d_log_prob.unsqueeze(-1)
    return d * z * torch.exp(-log_std).unsqueeze(-2), (d * (z * z - 1)).sum(-2)


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


def gaussian_kl(mean: Tensor, log_std: Tensor, new_mean: Tensor, new_log_std: Tensor) -> Tensor:
    """Mean over states of KL(π_old || π_new) of diagonal Gaussians, [M].

    Args:
        mean, new_mean: [M, B, A].
        log_std, new_log_std: [M, A].
    """
    old, new = log_std.unsqueeze(-2), new_log_std.unsqueeze(-2)
    difference = (torch.exp(2 * old) + (mean - new_mean) ** 2) * 0.5 * torch.exp(-2 * new)
    return (new - old + difference - 0.5).sum(-1).mean(-1)


def gaussian_entropy(log_std: Tensor) -> Tensor:
    """Entropy [M] of a diagonal Gaussian with log_std [M, A]."""
    return log_std.sum(-1) + 0.5 * log_std.shape[-1] * (1 + math.log(2 * math.pi))


def explained_variance(values: Tensor, returns: Tensor) -> Tensor:
    """1 - Var(returns - V) / Var(returns), [M]."""
    return 1 - (returns - values).var(-1) / returns.var(-1).clamp(min=1e-12)
