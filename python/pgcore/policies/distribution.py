"""Diagonal Gaussians: how actions are drawn, log-probability, divergence, entropy, curvature."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)


@dataclass(frozen=True)
class Gaussian:
    """Diagonal Gaussians N(μ, diag σ²) of actions, one per state.

    An action is a = μ + σ · noise.

    Attributes:
        mean: [M, B, A], μ.
        log_std: [M, B, A], log σ; [M, 1, A] where it is the same in every state.
    """

    mean: Tensor
    log_std: Tensor

    def states(self, chosen: slice) -> Gaussian:
        """The distributions at some of the B states."""
        log_std = self.log_std if self.log_std.shape[1] == 1 else self.log_std[:, chosen]
        return Gaussian(self.mean[:, chosen], log_std)

    def sample(self, noise: Tensor) -> Tensor:
        """Actions [M, B, A] for standard normal noise [M, B, A]."""
        return self.mean + torch.exp(self.log_std) * noise

    def standardized(self, actions: Tensor) -> Tensor:
        """z = (a - μ) / σ [M, B, A]."""
        if actions.shape[-2:] != self.mean.shape[-2:]:
            expected, got = list(self.mean.shape), list(actions.shape)
            raise ValueError(f"actions: expected [M, B, A] = {expected}, got {got}")
        return (actions - self.mean) * torch.exp(-self.log_std)

    def log_prob(self, actions: Tensor) -> Tensor:
        """log N(a; μ, diag σ²) [M, B], summed over the dimensions of an action."""
        z = self.standardized(actions)
        constant = HALF_LOG_2PI * z.shape[-1]
        return -0.5 * (z * z).sum(-1) - self.log_std.sum(-1) - constant

    def log_ratio(self, z: Tensor, log_probs: Tensor) -> Tensor:
        """log π(a|s) - log π_old(a|s) [M, B] for :meth:`standardized` actions and log π_old."""
        constant = (self.log_std + HALF_LOG_2PI).sum(-1)  # one sum for every state, if it can be
        return (z * z).sum(-1) * -0.5 - constant - log_probs

    def log_prob_gradient(self, z: Tensor, d_log_prob: Tensor) -> tuple[Tensor, Tensor]:
        """Chain rule through :meth:`log_prob`: gradients by μ and by log σ, shaped as they are.

        Args:
            z: [M, B, A], :meth:`standardized` actions.
            d_log_prob: [M, B], the gradient by log π(a|s).
        """
        d = d_log_prob.unsqueeze(-1)
        d_log_std = d * (z * z - 1)
        if self.log_std.shape[1] == 1:
            d_log_std = d_log_std.sum(-2, keepdim=True)
        return d * z * torch.exp(-self.log_std), d_log_std

    def kl(self, new: Gaussian) -> Tensor:
        """Mean over states of KL(self || new), [M]."""
        if self.mean.shape[-2:] != new.mean.shape[-2:]:
            expected, got = list(self.mean.shape), list(new.mean.shape)
            raise ValueError(f"new: expected means [M, B, A] = {expected}, got {got}")
        spread = torch.exp(2 * self.log_std) + (self.mean - new.mean) ** 2
        difference = spread * 0.5 * torch.exp(-2 * new.log_std)
        return (new.log_std - self.log_std + difference - 0.5).sum(-1).mean(-1)

    def entropy(self) -> Tensor:
        """Mean over states of the entropy, [M]."""
        constant = 0.5 * self.log_std.shape[-1] * (1 + math.log(2 * math.pi))
        return (self.log_std.sum(-1) + constant).mean(-1)

    def fisher_weights(self) -> tuple[Tensor, Tensor | float]:
        """Curvature of the mean KL at itself: diag(1/σ²) by μ and 2 by log σ, over the states."""
        return torch.exp(-2 * self.log_std) / self.mean.shape[1], 2.0 / self.log_std.shape[1]
