"""The maps from a policy network's outputs to the mean and the log-std of its actions."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from pgcore.base.errors import check_choice, check_number, check_type
from pgcore.policies.mlp import ACTIVATIONS

STDS = ("free", "state")


class StdMap(NamedTuple):
    """How an output of the network becomes a log-std, elementwise.

    Attributes:
        log_std: of (output, head).
        slope: derivative of log_std by the output, from (output, log_std, head).
        output: the one that gives a log_std, or the nearest that there is, from (log_std, head).
    """

    log_std: Callable[[Tensor, Head], Tensor]
    slope: Callable[[Tensor, Tensor, Head], Tensor]
    output: Callable[[float, Head], float]


# the native core has one of each name
STD_MAPS: dict[str, StdMap] = {
    "clamp": StdMap(
        lambda x, head: x.clamp(*head.log_std_range),
        lambda x, log_std, _: (x == log_std).to(x.dtype),  # flat outside the range
        lambda log_std, head: min(max(log_std, head.log_std_range[0]), head.log_std_range[1]),
    ),
    "softplus": StdMap(
        lambda x, head: torch.log(functional.softplus(x) + head.min_std),
        lambda x, log_std, _: torch.sigmoid(x) * torch.exp(-log_std),
        lambda log_std, head: _softplus_inverse(max(math.exp(log_std) - head.min_std, 1e-6)),
    ),
}


def _softplus_inverse(y: float) -> float:
    """log(eʸ - 1), where eʸ would overflow, too."""
    return y + math.log(-math.expm1(-y))


@dataclass(frozen=True)
class Head:
    """How the outputs of a network make the Gaussian of an action.

    Attributes:
        std: "free": log_std is a parameter, the same in every state; "state": the network has 2A
            outputs, and those behind the mean make log_std.
        std_map: with "state": "clamp": log_std is the output x, held in ``log_std_range``;
            "softplus": σ = log(1 + eˣ) + ``min_std``.
        log_std_range: bounds of "clamp"; outside them the gradient is zero.
        min_std: least σ of "softplus".
        mean_map: what makes the mean of its outputs: "linear", "tanh" or another activation.
    """

    std: str
    std_map: str
    log_std_range: tuple[float, float]
    min_std: float
    mean_map: str

    def __post_init__(self) -> None:
        check_choice("std", self.std, STDS)
        check_choice("std_map", self.std_map, list(STD_MAPS))
        check_choice("mean_map", self.mean_map, list(ACTIVATIONS))
        check_type("log_std_range", self.log_std_range, tuple | list, "two numbers")
        bounds = tuple(check_number("log_std_range", x) for x in self.log_std_range)
        if len(bounds) != 2 or not -math.inf < bounds[0] < bounds[1] < math.inf:
            raise ValueError(f"log_std_range: expected two numbers, low < high, got {bounds}")
        if not 0 < self.min_std < math.inf:
            raise ValueError(f"min_std: expected a number > 0, got {self.min_std}")
        object.__setattr__(self, "log_std_range", (float(bounds[0]), float(bounds[1])))

    @property
    def free(self) -> bool:
        """Whether log_std is a parameter of its own."""
        return self.std == "free"

    def mean(self, outputs: Tensor) -> Tensor:
        """The mean for its outputs."""
        return ACTIVATIONS[self.mean_map].value(outputs)

    def mean_backward(self, d: Tensor, outputs: Tensor, mean: Tensor) -> Tensor:
        """``d`` by the mean to ``d`` by its outputs; the same carries a tangent forwards."""
        return ACTIVATIONS[self.mean_map].backward(d, outputs, mean)

    def log_std(self, outputs: Tensor) -> Tensor:
        """log_std for its outputs; with "state" only."""
        return STD_MAPS[self.std_map].log_std(outputs, self)

    def log_std_slope(self, outputs: Tensor, log_std: Tensor) -> Tensor:
        """∂ log_std / ∂ output."""
        return STD_MAPS[self.std_map].slope(outputs, log_std, self)

    def start(self, log_std: float) -> float:
        """The output, or the parameter, that gives ``log_std``, or the nearest that there is."""
        return log_std if self.free else STD_MAPS[self.std_map].output(log_std, self)
