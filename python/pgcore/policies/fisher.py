"""The trace of a policy's Fisher matrix, exactly: no product with a vector tells it."""

from __future__ import annotations

import torch
from torch import Tensor

from pgcore.policies.gaussian import GaussianPolicy
from pgcore.policies.mlp import mlp_gradient_squares


def fisher_trace(policy: GaussianPolicy, inputs: Tensor, flat: Tensor) -> Tensor:
    """tr F [M] of :meth:`GaussianPolicy.fisher_product`: E_s Σ_o w_o |∇_θ o|².

    Over the outputs o of the network: w is 1/σ² of a mean and 2 of a log σ, times the squared slope
    of the map behind the output. A free log σ adds 2.

    Args:
        policy: a stack of M members.
        inputs: [M, B, O], the states of the expectation.
        flat: [M, P], the parameters, of the dtype of the inputs.
    """
    tensors, A, head = policy.split(flat), policy.act_dim, policy.head
    run = policy.run(inputs, tensors)
    there = run.distribution
    slope = head.mean_backward(torch.ones_like(there.mean), run.outputs[..., :A], there.mean)
    weights = slope.square() * torch.exp(-2 * there.log_std)
    if not head.free:
        slope = head.log_std_slope(run.outputs[..., A:], there.log_std)
        weights = torch.cat([weights, 2 * slope.square()], dim=-1)
    total = torch.full((len(flat),), 2.0 * A if head.free else 0.0, dtype=flat.dtype)
    for output in range(weights.shape[-1]):
        d_out = torch.zeros_like(weights)
        d_out[..., output] = 1.0
        layers = tensors[: policy.layer_tensors]
        squares = mlp_gradient_squares(layers, run.kept, d_out, policy.activation)
        total += (squares * weights[..., output]).mean(dim=-1)
    return total
