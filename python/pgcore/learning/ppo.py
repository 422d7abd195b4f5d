"""Proximal policy optimisation over a stack of members."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pgcore.learning import objectives
from pgcore.learning.optimizer import Adam
from pgcore.policies.gaussian import GaussianPolicy
from pgcore.policies.mlp import mlp_backward, mlp_forward
from pgcore.policies.stack import StackedMlp
from pgcore.policies.value import ValueNet


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


def _passes(tensors: list[Tensor], minibatches: Minibatches) -> Iterator[list[Tensor]]:
    """The tensors [M, N, ...], for every pass in its order as K minibatches [K, M, B, ...]."""
    M, N = tensors[0].shape[:2]
    K = minibatches.count
    B = N // K
    rows = [x.flatten(0, 1) for x in tensors]
    first = N * torch.arange(M).unsqueeze(1)
    for epoch in range(minibatches.epochs):
        order = (minibatches.order[:, epoch, : K * B] + first).view(M, K, B).transpose(0, 1)
        chosen = order.reshape(-1)
        yield [x.index_select(0, chosen).view(K, M, B, *x.shape[1:]) for x in rows]


def _descend(network: StackedMlp, optimizer: Adam, max_grad_norm: float | None) -> None:
    """One step down ``flat_grad``, each member's cut to ``max_grad_norm``."""
    if max_grad_norm is not None:
        norm = network.flat_grad.norm(dim=1, keepdim=True)
        network.flat_grad.mul_((max_grad_norm / (norm + 1e-6)).clamp(max=1.0))
    optimizer.step()


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
    tensors, gradients = [t.data for t in policy.tensors], policy.split(policy.flat_grad)

    def step(inputs: Tensor, actions: Tensor, log_probs: Tensor, a: Tensor) -> Tensor:
        """One minibatch; returns its ratios [M, B] ahead of the step."""
        run = policy.run(inputs, tensors)
        z = run.distribution.standardized(actions)
        ratio = torch.exp(run.distribution.log_ratio(z, log_probs))
        # the optimiser descends, so every gradient carries a minus
        d_log_prob = -objectives.clipped_surrogate_gradient(ratio, a, clip)
        policy.backward(run, z, d_log_prob, gradients, d_entropy=-entropy)
        _descend(policy, optimizer, max_grad_norm)
        return ratio

    with torch.no_grad():
        before = policy.flat.clone()
        old = policy.distribution(data.inputs, policy.split(before))
        advantages, loss = data.advantages, torch.zeros(policy.members)
        if normalize == "batch":
            advantages = objectives.normalize_advantages(advantages)
        parts = [data.inputs, data.actions, data.log_probs, advantages]
        for inputs, actions, log_probs, a in _passes(parts, minibatches):
            if normalize == "minibatch":
                a = objectives.normalize_advantages(a)
            # in memory as the means are
            actions = actions.transpose(2, 3).contiguous().transpose(2, 3)
            batches = zip(inputs, actions, log_probs, a, strict=True)
            ratios = torch.stack([step(*batch) for batch in batches])
            loss = -objectives.clipped_surrogate(ratios, a, clip).mean(0)
        new = policy.distribution(data.inputs)
        ratio = torch.exp(new.log_prob(data.actions) - data.log_probs)
        return {
            "policy_loss": loss,
            "kl": old.kl(new),
            "clip_fraction": ((ratio - 1).abs() > clip).float().mean(-1),
            "ratio_max": ratio.amax(-1),
            "entropy": new.entropy(),
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

    def step(inputs: Tensor, old: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        """One minibatch; returns the values [M, B] ahead of the step."""
        out, kept = mlp_forward(tensors, inputs, value.activation)
        values = out.squeeze(-1)
        slope = objectives.value_loss_gradient(values, old, targets, weights, clip)
        mlp_backward(tensors, kept, slope.unsqueeze(-1), value.activation, gradients)
        _descend(value, optimizer, max_grad_norm)
        return values

    with torch.no_grad():
        loss = torch.zeros(value.members)
        parts = [data.inputs, data.values, data.targets, data.weights]
        for inputs, old, targets, weights in _passes(parts, minibatches):
            batches = zip(inputs, old, targets, weights, strict=True)
            values = torch.stack([step(*batch) for batch in batches])
            loss = objectives.value_loss(values, old, targets, weights, clip).mean(0)
        return {"value_loss": loss}
