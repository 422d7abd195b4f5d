"""Trust-region policy optimisation over a stack of members, each with its own line search."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from pgcore.learning import objectives
from pgcore.learning.data import Orders, TrainingData
from pgcore.learning.optimizer import Adam
from pgcore.learning.ranges import check_ranges
from pgcore.learning.watch import Point, Watch
from pgcore.policies.gaussian import GaussianPolicy

FISHER_ORDER = 2  # purpose of the choice of states for Fisher-vector products


@dataclass(frozen=True)
class TrpoSettings:
    """What TRPO's update needs to know; see :class:`pgcore.training.TrainConfig`."""

    kl: float = 0.01
    fisher_fraction: float = 1.0
    cg_steps: int = 10
    cg_damping: float = 0.1
    backtracks: int = 10
    accept_ratio: float = 0.1
    normalize_advantages: str = "batch"

    def __post_init__(self) -> None:
        check_ranges(self)


def update(
    policy: GaussianPolicy,
    data: TrainingData,
    settings: TrpoSettings,
    _: Adam,
    orders: Orders,
    watch: Watch | None = None,
) -> dict[str, Tensor]:
    """:func:`update_policy` by the settings; see :class:`pgcore.learning.algorithms.Algorithm`."""
    pairs = data.advantages.shape[1]
    size = max(1, round(settings.fisher_fraction * pairs))
    order = orders.permutations(FISHER_ORDER, 1, pairs)
    return update_policy(
        policy,
        data,
        kl=settings.kl,
        fisher_order=order[:, 0, :size] if size < pairs else None,
        cg_steps=settings.cg_steps,
        damping=settings.cg_damping,
        backtracks=settings.backtracks,
        accept_ratio=settings.accept_ratio,
        normalize=settings.normalize_advantages,
        watch=watch,
    )


def objective(ratio: Tensor, advantages: Tensor, _: TrpoSettings) -> Tensor:
    """What TRPO ascends inside its trust region, [M]: the surrogate."""
    return objectives.surrogate(ratio, advantages)


def dot(a: Tensor, b: Tensor) -> Tensor:
    """Inner products [M, 1] of rows [M, P]."""
    return (a * b).sum(dim=1, keepdim=True)


def conjugate_gradient(
    product: Callable[[Tensor], Tensor], b: Tensor, steps: int, tolerance: float = 1e-10
) -> tuple[Tensor, Tensor]:
    """Solve F x = b for every member by conjugate gradients from x = 0.

    Source: Hestenes and Stiefel 1952; Nocedal and Wright, Numerical Optimization, algorithm 5.2.

    Args:
        product: v [M, P] -> F v [M, P], symmetric positive definite per member.
        b: [M, P].
        steps: iterations at most.
        tolerance: a member whose squared residual falls below it stands still.

    Returns:
        x [M, P] and the relative residual |b - F x| / |b| [M].
    """
    x = torch.zeros_like(b)
    residual, direction = b.clone(), b.clone()
    squared = dot(residual, residual)
    start = squared.clone()
    for _ in range(steps):
        active = (squared > tolerance).to(b.dtype)
        image = product(direction)
        alpha = active * squared / dot(direction, image).clamp(min=1e-30)
        x = x + alpha * direction
        residual = residual - alpha * image
        new = dot(residual, residual)
        beta = active * new / squared.clamp(min=1e-30)
        direction = torch.where(active > 0, residual + beta * direction, direction)
        squared = torch.where(active > 0, new, squared)
    return x, (squared / start.clamp(min=1e-30)).sqrt().squeeze(1)


def fisher_vector_product(
    policy: GaussianPolicy, inputs: Tensor, damping: float
) -> Callable[[Tensor], Tensor]:
    """v -> (F + damping I) v with F = E_s[∇² KL(π_θ0 || π_θ)] at θ = θ0.

    Source: Schulman et al. 2015, arXiv:1502.05477, appendix C.1.

    Args:
        policy: θ0, a stack of M members with P parameters each.
        inputs: [M, B, O], the states of the expectation.
        damping: added multiple of the identity.

    Returns:
        A function of [M, P]; later changes of ``policy`` do not change it.
    """
    fisher = policy.fisher_product(inputs)
    return lambda vector: fisher(vector) + damping * vector


def surrogate_gradient(policy: GaussianPolicy, data: TrainingData, advantages: Tensor) -> Tensor:
    """∇_θ mean(ρ A) at θ = θ_old, [M, P] (paper, equations 1 and 14)."""
    tensors = [t.data for t in policy.tensors]
    return policy.score_sums(data.inputs, data.actions, advantages / advantages.shape[1], tensors)


def update_policy(
    policy: GaussianPolicy,
    data: TrainingData,
    *,
    kl: float,
    fisher_order: Tensor | None = None,
    cg_steps: int = 10,
    damping: float = 0.1,
    backtracks: int = 10,
    accept_ratio: float = 0.1,
    normalize: str = "batch",
    watch: Watch | None = None,
) -> dict[str, Tensor]:
    """One natural-gradient step inside the trust region mean KL <= δ.

    The step is sqrt(2δ / xᵀFx) x with F x = g; each member halves its own step until its surrogate
    rises by ``accept_ratio`` of the linear prediction and its KL is within δ, or keeps its
    parameters to the bit.

    Source: Schulman et al. 2015, arXiv:1502.05477, appendix C.

    Args:
        policy: changed in place.
        data: the pairs.
        kl: δ.
        fisher_order: [M, B'] indices of the states for the Fisher-vector products; None: all.
        cg_steps, damping, backtracks, accept_ratio: see :class:`pgcore.training.TrainConfig`.
        normalize: advantages by "batch" or "none".
        watch: called at every try of the line search; it changes no bit.

    Returns:
        Per member [M]: policy_loss (minus the surrogate after the step), surrogate_gain, kl,
        cg_residual, step_fraction (0: rejected), ratio_max, entropy, step_norm.
    """
    advantages = data.advantages
    if normalize == "batch":
        advantages = objectives.normalize_advantages(advantages)
    gradient = surrogate_gradient(policy, data, advantages)
    states = data.inputs
    if fisher_order is not None:
        states = torch.gather(
            states, 1, fisher_order.unsqueeze(-1).expand(-1, -1, states.shape[-1])
        )
    product = fisher_vector_product(policy, states, damping)
    direction, residual = conjugate_gradient(product, gradient, cg_steps)
    curvature = dot(direction, product(direction)).clamp(min=1e-30)
    full = torch.sqrt(2 * kl / curvature) * direction
    with torch.no_grad():
        stats = _line_search(policy, data, advantages, full, dot(gradient, full).squeeze(1), kl,
                             backtracks, accept_ratio, watch)  # fmt: skip
    return stats | {"cg_residual": residual}


def _line_search(
    policy: GaussianPolicy,
    data: TrainingData,
    advantages: Tensor,
    full: Tensor,
    predicted: Tensor,
    kl_bound: float,
    backtracks: int,
    accept_ratio: float,
    watch: Watch | None,
) -> dict[str, Tensor]:
    """Halve each member's step until it is accepted; leaves the policy at the result."""
    start = policy.flat.clone()
    old = policy.distribution(data.inputs, policy.split(start))
    old_log_prob = old.log_prob(data.actions)
    base = objectives.surrogate(torch.ones_like(old_log_prob), advantages)
    fraction = torch.ones(policy.members)
    accepted = torch.zeros(policy.members, dtype=torch.bool)
    for attempt in range(backtracks + 1):
        policy.flat.copy_(
            torch.where(accepted.unsqueeze(1), policy.flat, start + fraction.unsqueeze(1) * full)
        )
        new = policy.distribution(data.inputs)
        ratio = torch.exp(new.log_prob(data.actions) - old_log_prob)
        gain = objectives.surrogate(ratio, advantages) - base
        kl = old.kl(new)
        accepted |= (gain > accept_ratio * fraction * predicted) & (kl <= kl_bound)
        if watch is not None:
            tried = (fraction.clone(), accepted.clone())
            watch(Point(policy.flat.clone(), attempt + 1, backtracks + 1, 1, *tried))
        if bool(accepted.all()):
            break
        if attempt < backtracks:
            fraction = torch.where(accepted, fraction, fraction / 2)
    keep = accepted.unsqueeze(1)
    policy.flat.copy_(torch.where(keep, policy.flat, start))
    zero = torch.zeros(policy.members)
    return {
        "policy_loss": -torch.where(accepted, base + gain, base),
        "surrogate_gain": torch.where(accepted, gain, zero),
        "kl": torch.where(accepted, kl, zero),
        "step_fraction": torch.where(accepted, fraction, zero),
        "ratio_max": torch.where(accepted, ratio.amax(-1), torch.ones(policy.members)),
        "entropy": torch.where(accepted, new.entropy(), old.entropy()),
        "step_norm": (policy.flat - start).norm(dim=1),
    }
