"""Gaussian policies: their distributions, gradients, Fisher products and actions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pgcore.base.arrays import F32, F64
from pgcore.base.errors import check_count, check_number, check_type
from pgcore.policies.distribution import HALF_LOG_2PI, Gaussian
from pgcore.policies.head import Head
from pgcore.policies.mlp import mlp_backward, mlp_forward, mlp_tangent
from pgcore.policies.stack import ZERO, StackedMlp, checked_widths

GRADIENT_STREAMS = 8  # whose activations are held at a time


@dataclass(frozen=True)
class Pass:
    """One pass of a stack of policies over states, with what the derivatives need of it.

    Attributes:
        tensors: the parameters.
        kept: of the layers, see :func:`pgcore.policies.mlp.mlp`.
        outputs: [M, B, out] of the network.
        distribution: of the actions.
    """

    tensors: Sequence[Tensor]
    kept: list[Tensor]
    outputs: Tensor
    distribution: Gaussian


class GaussianPolicy(StackedMlp):
    """M policies a ~ N(μ_θ(s), diag σ²), with σ a parameter or a function of the state.

    Args:
        obs_dim, act_dim: O and A of the task.
        hidden: widths of the hidden layers.
        members: number of policies M.
        activation: one of :data:`pgcore.policies.mlp.ACTIVATIONS`.
        init: "orthogonal" (gain √2, 0.01 at the output), "xavier" (uniform) or "zero".
        log_std: initial value of every log_std, up to what the weights add in a state.
        seed: of the initial weights; member m gets the same weights in any stack.
        std, std_map, log_std_range, min_std, mean_map: see :class:`pgcore.policies.head.Head`.
    """

    def __init__(
        self,
        obs_dim: int,
        act_dim: int,
        hidden: Sequence[int] = (64, 64),
        members: int = 1,
        *,
        activation: str = "tanh",
        init: str = "orthogonal",
        log_std: float = 0.0,
        seed: int = 0,
        std: str = "free",
        std_map: str = "clamp",
        log_std_range: tuple[float, float] = (-20.0, 2.0),
        min_std: float = 0.001,
        mean_map: str = "linear",
    ) -> None:
        A = check_count("act_dim", act_dim)
        check_count("obs_dim", obs_dim)
        check_number("log_std", log_std)
        hidden = checked_widths(hidden)
        self.head = Head(std, std_map, log_std_range, min_std, mean_map)
        self.extra = A if self.head.free else 0
        sizes = (obs_dim, *hidden, A if self.head.free else 2 * A)
        super().__init__(sizes, members, activation, init, 0.01, seed)
        self.obs_dim, self.act_dim, self.hidden = obs_dim, A, tuple(hidden)
        # log_std itself, or the last biases: either ends the rows
        self.split(self.flat)[-1][:, -A:].fill_(self.head.start(log_std))

    @staticmethod
    def of_kind(
        obs_dim: int, act_dim: int, members: int, kind: Mapping[str, Any], init: str = "orthogonal"
    ) -> GaussianPolicy:
        """A stack of the kind that :meth:`kind` describes; what it leaves out is the default.

        Raises:
            ValueError: a key is unknown, or a value is not possible.
        """
        known = ["hidden", "activation", *(f.name for f in fields(Head))]
        for name in kind:
            if name not in known:
                raise ValueError(f"kind: expected keys among {', '.join(known)}; got {name!r}")
        return GaussianPolicy(obs_dim, act_dim, members=members, init=init, **kind)

    def kind(self) -> dict[str, Any]:
        """What a stack is besides its sizes O, A, M and its weights, as plain JSON values."""
        head = asdict(self.head) | {"log_std_range": list(self.head.log_std_range)}
        return {"hidden": list(self.hidden), "activation": self.activation} | head

    def with_members(self, flat: Tensor) -> GaussianPolicy:
        """A stack of the same kind of policy with the rows of ``flat`` [M', P], copied."""
        check_type("flat", flat, Tensor, "a tensor [M', P]")
        other = GaussianPolicy.of_kind(self.obs_dim, self.act_dim, len(flat), self.kind(), ZERO)
        other.load_flat(flat)
        return other

    @property
    def log_std(self) -> Tensor:
        """[M, A], of policies whose std is free; others have it in :meth:`distribution`."""
        if not self.head.free:
            raise ValueError("log_std: depends on the state; use policy.distribution(inputs)")
        log_std: Tensor = self.tensors[-1]
        return log_std

    def distribution(self, inputs: Tensor, tensors: Sequence[Tensor] | None = None) -> Gaussian:
        """Of the actions at network inputs [M, B, O] (cast to the parameters' dtype).

        Differentiable by autograd; with other parameters if ``tensors``.
        """
        tensors = list(self.tensors) if tensors is None else tensors
        return self._gaussian(self.apply_network(inputs, tensors), tensors)

    def moments(self, inputs: Tensor, tensors: Sequence[Tensor]) -> tuple[F32, F64]:
        """Mean and std [M, B, A] of the actions at network inputs [M, B, O]."""
        there = self.distribution(inputs, tensors)
        std = np.exp(there.log_std.numpy().astype(np.float64))
        return there.mean.numpy(), np.broadcast_to(std, there.mean.shape)

    def mean(self, inputs: Tensor, tensors: Sequence[Tensor] | None = None) -> Tensor:
        """Mean actions [M, B, A] for network inputs [M, B, O]."""
        return self.distribution(inputs, tensors).mean

    def log_prob(
        self, inputs: Tensor, actions: Tensor, tensors: Sequence[Tensor] | None = None
    ) -> Tensor:
        """log π(a|s) [M, B] of actions [M, B, A]."""
        distribution = self.distribution(inputs, tensors)
        return distribution.log_prob(actions.to(distribution.mean.dtype))

    def forward(self, inputs: Tensor) -> Tensor:
        """The same as :meth:`mean`."""
        return self.mean(inputs)

    def run(self, inputs: Tensor, tensors: Sequence[Tensor]) -> Pass:
        """The distributions at inputs [M, B, O], ahead of :meth:`backward`; no tape is needed.

        Args:
            inputs: of the dtype of the parameters.
            tensors: the parameters, as :meth:`split` gives them.
        """
        outputs, kept = mlp_forward(tensors[: self.layer_tensors], inputs, self.activation)
        return Pass(tensors, kept, outputs, self._gaussian(outputs, tensors))

    def backward(
        self,
        run: Pass,
        z: Tensor,
        d_log_prob: Tensor,
        gradients: Sequence[Tensor],
        d_entropy: float = 0.0,
    ) -> None:
        """Write the gradient of Σ(d_log_prob · log π(a|s)) + d_entropy · (mean entropy).

        Args:
            run: what :meth:`run` returned.
            z: [M, B, A], the actions, standardized by its distribution.
            d_log_prob: [M, B].
            gradients: where to write, shaped as its tensors.
            d_entropy: gradient by the mean entropy of the states.
        """
        d_mean, d_log_std = run.distribution.log_prob_gradient(z, d_log_prob)
        if d_entropy:
            d_log_std = d_log_std + d_entropy / d_log_std.shape[1]
        self._backward(run, d_mean, d_log_std, gradients)

    def score_sums(
        self, inputs: Tensor, actions: Tensor, weights: Tensor, tensors: Sequence[Tensor]
    ) -> Tensor:
        """Σ_b w_b ∇_θ log π_θ(a_b|s_b) of every member, [M, P].

        Args:
            inputs: [M, B, O]; actions: [M, B, A]; weights: [M, B].
            tensors: the parameters.
        """
        out = torch.empty(len(inputs), self.flat.shape[1], dtype=tensors[0].dtype)
        run = self.run(inputs, tensors)
        self.backward(run, run.distribution.standardized(actions), weights, self.split(out))
        return out

    def fisher_product(
        self, inputs: Tensor, flat: Tensor | None = None
    ) -> Callable[[Tensor], Tensor]:
        """v [M, P] -> F v with F = E_s[Jᵀ diag(1/σ², 2) J], J the Jacobian of (μ, log σ) by θ.

        F is E_s[∇² KL(π_θ0 || π_θ)] at θ0, the parameters now; later changes of them do not
        change it.

        Args:
            inputs: [M, B, O], the states of the expectation.
            flat: [M, P], θ0 if not the parameters now; inputs and v are of its dtype.
        """
        tensors = self.split(self.flat.clone() if flat is None else flat)
        layers, A = tensors[: self.layer_tensors], self.act_dim
        run = self.run(inputs, tensors)
        of_mean, of_log_std = run.distribution.fisher_weights()

        def product(vector: Tensor) -> Tensor:
            out = torch.empty_like(vector)
            along = self.split(vector)
            t = mlp_tangent(layers, run.kept, along[: self.layer_tensors], self.activation)
            mean, log_std = self._through_maps(
                run, t[..., :A], along[-1].unsqueeze(1) if self.head.free else t[..., A:]
            )
            self._backward(run, mean * of_mean, log_std * of_log_std, self.split(out))
            return out

        return product

    def _gaussian(self, outputs: Tensor, tensors: Sequence[Tensor]) -> Gaussian:
        """The distributions for outputs [M, B, out] of the network."""
        mean = self.head.mean(outputs[..., : self.act_dim])
        if self.head.free:
            return Gaussian(mean, tensors[-1].unsqueeze(1))
        return Gaussian(mean, self.head.log_std(outputs[..., self.act_dim :]))

    def _through_maps(self, run: Pass, mean: Tensor, log_std: Tensor) -> tuple[Tensor, Tensor]:
        """Gradients by (μ, log σ) to gradients by what the maps take, or tangents the other way."""
        of_mean, of_log_std = run.outputs[..., : self.act_dim], run.outputs[..., self.act_dim :]
        mean = self.head.mean_backward(mean, of_mean, run.distribution.mean)
        if self.head.free:
            return mean, log_std
        return mean, log_std * self.head.log_std_slope(of_log_std, run.distribution.log_std)

    def _backward(
        self, run: Pass, d_mean: Tensor, d_log_std: Tensor, gradients: Sequence[Tensor]
    ) -> None:
        """Write the gradients of the parameters, given those of the distribution."""
        d_outputs, d_log_std = self._through_maps(run, d_mean, d_log_std)
        if self.head.free:
            gradients[-1].copy_(d_log_std.squeeze(1))
        else:  # in memory as outputs lie
            parts = (d_outputs.transpose(1, 2), d_log_std.transpose(1, 2))
            d_outputs = torch.cat(parts, 1).transpose(1, 2)
        layers = run.tensors[: self.layer_tensors]
        mlp_backward(layers, run.kept, d_outputs, self.activation, gradients)


class Actor:
    """One member, one state at a time: a network in float32, a Gaussian in float64, as natively."""

    def __init__(self, policy: GaussianPolicy, member: int) -> None:
        self.policy = policy
        self.tensors = [t.data[member : member + 1] for t in policy.tensors]
        self.fixed = _scales(self.tensors[-1]) if policy.head.free else None

    def act(self, x: F32, noise: F64) -> tuple[F32, float]:
        """The action [A] for a network input [O] and noise [A], and its log-probability."""
        there = self.policy.distribution(torch.from_numpy(x)[None, None], self.tensors)
        std, constant = self.fixed or _scales(there.log_std)
        mean = there.mean[0, 0].numpy().astype(np.float64)
        action: F32 = (mean + std * noise).astype(np.float32)
        z = (action - mean) / std
        return action, -0.5 * float(z @ z) - constant


def _scales(log_std: Tensor) -> tuple[F64, float]:
    """σ [A] and the constant of the log-probability, Σ log σ + A/2 log 2π."""
    values = log_std.numpy().reshape(-1)
    return np.exp(values.astype(np.float64)), float(log_std.sum()) + HALF_LOG_2PI * len(values)


def gradient_sums(policy: GaussianPolicy, inputs: F32, actions: F32, weights: F64) -> F64:
    """Σ_t ∇_θ log π_θ(a_t|s_t) w_t of every stream.

    Each stream is treated as a member of a stack that shares one policy's weights.

    Args:
        policy: a stack of one member with P parameters.
        inputs: [S, T, O]; actions: [S, T, A]; weights: [S, T].

    Returns:
        [S, P], in the order of ``policy.flat``.
    """
    sums = []
    for i in range(0, len(inputs), GRADIENT_STREAMS):
        part = slice(i, i + GRADIENT_STREAMS)
        x, a = torch.from_numpy(inputs[part]), torch.from_numpy(actions[part])
        slopes = torch.from_numpy(weights[part].astype(np.float32))
        tensors = [t.data.expand(len(x), *t.shape[1:]) for t in policy.tensors]
        sums.append(policy.score_sums(x, a, slopes, tensors))
    return torch.cat(sums).numpy().astype(np.float64)
