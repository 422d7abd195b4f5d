"""The trace of a policy's Fisher matrix, exactly, and squared scores, of which it is the mean."""

from __future__ import annotations

import torch
from torch import Tensor

from pgcore.policies.gaussian import GaussianPolicy
from pgcore.policies.mlp import mlp_gradient_squares


def fisher_trace(policy: GaussianPolicy, inputs: Tensor, flat: Tensor) -> Tensor:
    """tr F [M] of :meth:`GaussianPolicy.fisher_product`: the mean over states of fisher_traces."""
    return fisher_traces(policy, inputs, flat).mean(dim=-1)


def fisher_traces(policy: GaussianPolicy, inputs: Tensor, flat: Tensor) -> Tensor:
    """E_a |∇ log π(a|s)|² of every state, Σ_o w_o |∇_θ o|² [M, B].

    Over the outputs o of the network: w is 1/σ² of a mean and 2 of a log σ, times the squared slope
    of the map behind the output. A free log σ adds 2.

    Args:
        policy: a stack of M members.
        inputs: [M, B, O], the states.
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
    total = torch.full(weights.shape[:2], 2.0 * A if head.free else 0.0, dtype=flat.dtype)
    layers = tensors[: policy.layer_tensors]
    for output in range(weights.shape[-1]):
        d_out = torch.zeros_like(weights)
        d_out[..., output] = 1.0
        squares = mlp_gradient_squares(layers, run.kept, d_out, policy.activation)
        total += squares * weights[..., output]
    return total


def score_squares(policy: GaussianPolicy, inputs: Tensor, actions: Tensor) -> Tensor:
    """|∇_θ log π_θ(a|s)|² of every pair [M, B], without any gradient being held.

    Args:
        policy: a stack of M members.
        inputs: [M, B, O]; actions: [M, B, A].
    """
    tensors, A, head = [t.data for t in policy.tensors], policy.act_dim, policy.head
    run = policy.run(inputs, tensors)
    there = run.distribution
    z = there.standardized(actions)
    of_mean, of_log_std = z * torch.exp(-there.log_std), z * z - 1
    d_out = head.mean_backward(of_mean, run.outputs[..., :A], there.mean)
    if head.free:
        total = of_log_std.square().sum(-1)
    else:
        slope = head.log_std_slope(run.outputs[..., A:], there.log_std)
        d_out, total = torch.cat([d_out, of_log_std * slope], dim=-1), torch.zeros_like(z[..., 0])
    layers = tensors[: policy.layer_tensors]
    return total + mlp_gradient_squares(layers, run.kept, d_out, policy.activation)
