"""The value network's update, which all algorithms share."""

from __future__ import annotations

import torch
from torch import Tensor

from pgcore.learning import objectives
from pgcore.learning.data import Minibatches, TrainingData, descend, passes
from pgcore.learning.optimizer import Adam
from pgcore.policies.mlp import mlp_backward, mlp_forward
from pgcore.policies.value import ValueNet

VALUE_ORDER = 1  # purpose of its minibatch permutations


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
        descend(value, optimizer, max_grad_norm)
        return values

    with torch.no_grad():
        loss = torch.zeros(value.members)
        parts = [data.inputs, data.values, data.targets, data.weights]
        for inputs, old, targets, weights in passes(parts, minibatches):
            batches = zip(inputs, old, targets, weights, strict=True)
            values = torch.stack([step(*batch) for batch in batches])
            loss = objectives.value_loss(values, old, targets, weights, clip).mean(0)
        return {"value_loss": loss}
