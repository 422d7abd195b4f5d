"""Proximal policy optimisation over a stack of members."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pgcore import objectives
from pgcore.nets import (
    GaussianPolicy,
    StackedMlp,
    ValueNet,
    gaussian_log_prob,
    mlp_backward,
    mlp_forward,
)
from pgcore.optimizer import Adam


@dataclass(frozen=True)
class TrainingData:
    """The pairs of one iteration, [M, N, ...] float32.

    Attributes:
        inputs: [M, N, O], network inputs.
        actions: [M, N, A].
        log_probs: [M, N], log π_old(a|s).
        advantages: [M, N], not normalised.
        values: [M, N], V_old(s).
        targets: [M, N], what the value network regresses on.
        weights: [M, N], 0 for pairs that are left out of the value loss.
    """

    inputs: Tensor
    actions: Tensor
    log_probs: Tensor
    advantages: Tensor
    values: Tensor
    targets: Tensor
    weights: Tensor


@dataclass(frozen=True)
class Minibatches:
    """How a network is trained on the pairs of an iteration.

    Attributes:
        epochs: passes over the pairs.
        count: minibatches per pass; the pairs left over by the division are dropped from a pass.
        order: [M, epochs, N], the permutations, each member's own.
    """

    epochs: int
    count: int
    order: Tensor


def permutations(
    seed: int, trials: list[int], iteration: int, purpose: int, epochs: int, n: int
) -> Tensor:
    """Minibatch orders [M, epochs, n]: a function of (seed, trial, iteration, purpose) alone."""
    rows = []
    for trial in trials:
        bits = np.random.Philox(key=seed, counter=[0, purpose, iteration, trial])
        generator = np.random.Generator(bits)
        rows.append(np.stack([generator.permutation(n) for _ in range(epochs)]))
    return torch.from_numpy(np.stack(rows))


def _gather(x: Tensor, order: Tensor) -> Tensor:
    """Rows of x [M, N, ...] in each member's order [M, N]."""
    index = order + torch.arange(len(x)).unsqueeze(1) * x.shape[1]
    return x.reshape(-1, *x.shape[2:])[index.reshape(-1)].reshape(x.shape)


def _train(
    network: StackedMlp,
    optimizer: Adam,
    tensors: list[Tensor],
    minibatches: Minibatches,
    step: Callable[[list[Tensor]], Tensor],
    max_grad_norm: float | None,
) -> Tensor:
    """Minibatch descent; ``step`` writes gradients and returns losses [M].

    Returns the mean loss of the last pass [M].
    """
    size = tensors[0].shape[1] // minibatches.count
    losses = torch.zeros(network.members)
    for epoch in range(minibatches.epochs):
        shuffled = [_gather(x, minibatches.order[:, epoch]) for x in tensors]
        losses = torch.zeros(network.members)
        for i in range(minibatches.count):
            losses += step([x[:, i * size : (i + 1) * size] for x in shuffled])
            if max_grad_norm is not None:
                norm = network.flat_grad.norm(dim=1, keepdim=True)
                network.flat_grad.mul_((max_grad_norm / (norm + 1e-6)).clamp(max=1.0))
            optimizer.step()
    return losses / minibatches.count


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
    gradients = policy.split(policy.flat_grad)
    old_mean, old_log_std = policy.mean(data.inputs).detach(), tensors[-1].clone()
    before = policy.flat.clone()
    advantages = data.advantages
    if normalize == "batch":
        advantages = objectives.normalize_advantages(advantages)

    def step(batch: list[Tensor]) -> Tensor:
        inputs, actions, log_probs, a = batch
        if normalize == "minibatch":
            a = objectives.normalize_advantages(a)
        log_std = tensors[-1]
        mean, kept = mlp_forward(tensors[:layers], inputs, policy.activation)
        z = (actions - mean) * torch.exp(-log_std).unsqueeze(1)
        constant = log_std.sum(-1, keepdim=True) + 0.5 * math.log(2 * math.pi) * policy.act_dim
        ratio = torch.exp(-0.5 * (z * z).sum(-1) - constant - log_probs)
        # the optimiser descends, so every gradient carries a minus
        d_log_prob = -objectives.clipped_surrogate_gradient(ratio, a, clip)
        d_mean, d_log_std = objectives.gaussian_log_prob_gradient(z, log_std, d_log_prob)
        mlp_backward(tensors[:layers], kept, d_mean, policy.activation, gradients)
        gradients[-1].copy_(d_log_std - entropy)
        return -objectives.clipped_surrogate(ratio, a, clip)

    with torch.no_grad():
        parts = [data.inputs, data.actions, data.log_probs, advantages]
        loss = _train(policy, optimizer, parts, minibatches, step, max_grad_norm)
        new_mean = policy.mean(data.inputs)
        ratio = torch.exp(gaussian_log_prob(data.actions, new_mean, tensors[-1]) - data.log_probs)
        return {
            "policy_loss": loss,
            "kl": objectives.gaussian_kl(old_mean, old_log_std, new_mean, tensors[-1]),
            "clip_fraction": ((ratio - 1).abs() > clip).float().mean(-1),
            "ratio_max": ratio.amax(-1),
            "entropy": objectives.gaussian_entropy(tensors[-1]),
            "step_norm": (policy.flat - before).norm(dim=1),
        }


def update_value(
    value: ValueNet,
    optimizer: Adam,
    data: TrainingData,
    minibatches: Minibatches,
    *,
    clip: float | None = None,
    max_grad_norm: float | None = None,
) -> dict[str, Tensor]:
    """Regress the value network on ``data.targets`` (paper, equation 4).

    Args:
        value: changed in place.
        optimizer: of ``value.flat`` with gradients ``value.flat_grad``.
        data: the pairs.
        minibatches: passes and orders.
        clip: bound of |V - V_old| in the loss, or None.
        max_grad_norm: bound of each member's gradient norm, or None.

    Returns:
        Per member [M]: value_loss of the last pass.
    """
    tensors = [t.data for t in value.tensors]
    gradients = value.split(value.flat_grad)

    def step(batch: list[Tensor]) -> Tensor:
        inputs, old, targets, weights = batch
        out, kept = mlp_forward(tensors, inputs, value.activation)
        values = out.squeeze(-1)
        slope = objectives.value_loss_gradient(values, old, targets, weights, clip)
        mlp_backward(tensors, kept, slope.unsqueeze(-1), value.activation, gradients)
        return objectives.value_loss(values, old, targets, weights, clip)

    with torch.no_grad():
        parts = [data.inputs, data.values, data.targets, data.weights]
        return {"value_loss": _train(value, optimizer, parts, minibatches, step, max_grad_norm)}
