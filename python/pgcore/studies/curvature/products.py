"""Products with the Fisher matrix and with the surrogate's Hessian, as means over blocks of pairs.

All in float64: the error of a product in float32, 1e-7 of the largest eigenvalue, is 1e-3 of one
that is a ten-thousandth of it.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from pgcore.agent import Agent
from pgcore.policies.fisher import fisher_trace
from pgcore.studies.curvature.blocks import Block, Pairs

Product = Callable[[Tensor], Tensor]


def fisher(pairs: Pairs) -> Product:
    """v [P] -> F v with F = E_s[∇² KL(π_θ || π_θ')] at θ' = θ, over the states of the pairs.

    Source: Schulman et al. 2015, arXiv:1502.05477, appendix C.1; also E[∇ log π ∇ log πᵀ].
    """
    policy, flat = pairs.agent.policy, pairs.agent.policy.flat.double()

    def product(vector: Tensor) -> Tensor:
        row = vector[None]
        return pairs.mean_of(lambda b: policy.fisher_product(b.inputs, flat)(row)[0])

    return product


def trace_of_fisher(pairs: Pairs) -> float:
    """tr F, exactly."""
    policy, flat = pairs.agent.policy, pairs.agent.policy.flat.double()
    return float(pairs.mean_of(lambda block: fisher_trace(policy, block.inputs, flat)))


def _surrogate(agent: Agent, block: Block, flat: Tensor) -> Tensor:
    """What the agent's algorithm ascends, on a block; ``flat`` [1, P] are its own parameters."""
    log_prob = agent.policy.log_prob(block.inputs, block.actions, agent.policy.split(flat))
    ratio = torch.exp(log_prob - log_prob.detach())
    return agent.check_algorithm().objective(ratio, block.advantages, agent.settings).sum()


def gradient(pairs: Pairs) -> Tensor:
    """∇ of the surrogate at the agent's parameters [P]."""

    def part(block: Block) -> Tensor:
        flat = pairs.agent.policy.flat.double().requires_grad_()
        (slope,) = torch.autograd.grad(_surrogate(pairs.agent, block, flat), flat)
        return slope[0]

    return pairs.mean_of(part)


def hessian(pairs: Pairs) -> Product:
    """v [P] -> H v with H = ∇² of the surrogate at the agent's parameters.

    By the derivative of ⟨∇, v⟩ (Pearlmutter 1994).
    """

    def product(vector: Tensor) -> Tensor:
        def part(block: Block) -> Tensor:
            flat = pairs.agent.policy.flat.double().requires_grad_()
            value = _surrogate(pairs.agent, block, flat)
            (slope,) = torch.autograd.grad(value, flat, create_graph=True)
            (along,) = torch.autograd.grad(slope, flat, vector[None], materialize_grads=True)
            return along[0]

        return pairs.mean_of(part)

    return product


def check_surrogate(agent: Agent, label: str) -> None:
    """ValueError where autograd cannot differentiate twice what an agent's algorithm ascends."""
    algorithm, advantages = agent.check_algorithm(), torch.tensor([[1.0, -1.0, 2.0, -2.0]])
    log_ratio = torch.zeros(1, 4, requires_grad=True)
    try:
        value = algorithm.objective(torch.exp(log_ratio), advantages, agent.settings).sum()
        (slope,) = torch.autograd.grad(value, log_ratio, create_graph=True)
        torch.autograd.grad(slope.sum(), log_ratio, materialize_grads=True)
    except RuntimeError as error:
        raise ValueError(
            f"agents: expected objectives that autograd differentiates twice, got {algorithm.name} "
            f"of {label} ({error}); write it with torch operations alone, or leave the agent out"
        ) from error
