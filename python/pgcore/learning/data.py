"""The pairs of an update, and how they are cut into minibatches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pgcore.learning.optimizer import Adam
from pgcore.policies.stack import StackedMlp


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
    seed: int, trials: Sequence[int], iteration: int, purpose: int, epochs: int, n: int
) -> Tensor:
    """Minibatch orders [M, epochs, n]: a function of (seed, trial, iteration, purpose) alone."""
    rows = []
    for trial in trials:
        bits = np.random.Philox(key=seed, counter=[0, purpose, iteration, trial])
        generator = np.random.Generator(bits)
        rows.append(np.stack([generator.permutation(n) for _ in range(epochs)]))
    return torch.from_numpy(np.stack(rows))


def passes(tensors: list[Tensor], minibatches: Minibatches) -> Iterator[list[Tensor]]:
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


def descend(
    network: StackedMlp,
    optimizer: Adam,
    max_grad_norm: float | None,
    members: Sequence[int] | None = None,
) -> None:
    """One step of ``members`` (None: all) down ``flat_grad``, each cut to ``max_grad_norm``."""
    if max_grad_norm is not None:
        norm = network.flat_grad.norm(dim=1, keepdim=True)
        network.flat_grad.mul_((max_grad_norm / (norm + 1e-6)).clamp(max=1.0))
    optimizer.step(members)


@dataclass(frozen=True)
class Orders:
    """Where the random orders of an iteration's updates come from.

    Attributes:
        seed: of the run.
        trials: [M], the number of each member.
        iteration: of the update.
    """

    seed: int
    trials: Sequence[int]
    iteration: int

    def permutations(self, purpose: int, epochs: int, n: int) -> Tensor:
        """[M, epochs, n]; see :func:`permutations`."""
        return permutations(self.seed, self.trials, self.iteration, purpose, epochs, n)

    def minibatches(self, purpose: int, epochs: int, count: int, n: int) -> Minibatches:
        """Minibatches of n pairs, at least one pair each."""
        return Minibatches(epochs, min(count, n), self.permutations(purpose, epochs, n))
