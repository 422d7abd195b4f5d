"""Policies and value networks from the weights of plain torch modules."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from pgcore.base.errors import check_type
from pgcore.policies.gaussian import GaussianPolicy
from pgcore.policies.value import ValueNet

_NAMES = {nn.Tanh: "tanh", nn.ReLU: "relu", nn.ELU: "elu", nn.SiLU: "silu"}


def _read(name: str, module: nn.Module) -> tuple[list[nn.Linear], str]:
    """The linear layers of a sequence, and the activation between them."""
    check_type("module", module, nn.Module, "a torch module")
    parts = [m for m in module.modules() if not list(m.children())]
    layers = [m for m in parts if isinstance(m, nn.Linear)]
    between = [m for m in parts if not isinstance(m, nn.Linear | nn.Identity)]
    kinds = {type(m) for m in between}
    alternate = [isinstance(m, nn.Linear) for m in parts if not isinstance(m, nn.Identity)]
    wanted = [i % 2 == 0 for i in range(2 * len(layers) - 1)]
    if not layers or alternate != wanted or len(kinds) > 1 or not kinds <= set(_NAMES):
        known = ", ".join(kind.__name__ for kind in _NAMES)
        raise ValueError(
            f"{name}: expected linear layers with one activation between them ({known}) and none "
            f"behind the last, got {[type(m).__name__ for m in parts]}"
        )
    return layers, _NAMES[kinds.pop()] if kinds else "tanh"


def _flat(layers: list[nn.Linear]) -> Tensor:
    """Weights [in, out] and biases of each layer in turn, in one row [P]."""
    rows = []
    for layer in layers:
        bias = layer.bias if layer.bias is not None else torch.zeros(layer.out_features)
        rows += [layer.weight.detach().T.reshape(-1), bias.detach()]
    return torch.cat(rows).float()


def policy_from_module(module: nn.Module, log_std: Tensor) -> GaussianPolicy:
    """A policy of one member whose mean a torch module gives.

    Args:
        module: linear layers [O] -> [A] with tanh, relu, elu or silu between them.
        log_std: [A], the logarithm of the actions' standard deviations.

    Raises:
        ValueError: other layers, or a log_std of another length.
    """
    layers, activation = _read("module", module)
    act_dim = layers[-1].out_features
    check_type("log_std", log_std, Tensor, "a tensor [A]")
    if tuple(log_std.shape) != (act_dim,):
        raise ValueError(f"log_std: expected [A] = [{act_dim}], got {list(log_std.shape)}")
    hidden = [layer.out_features for layer in layers[:-1]]
    policy = GaussianPolicy(layers[0].in_features, act_dim, hidden, activation=activation)
    policy.load_flat(torch.cat([_flat(layers), log_std.detach().float()])[None])
    return policy


def value_from_module(module: nn.Module) -> ValueNet:
    """A value network of one member from a torch module [O] -> [1]; see the policy's."""
    layers, activation = _read("module", module)
    if layers[-1].out_features != 1:
        raise ValueError(f"module: expected one output, got {layers[-1].out_features}")
    hidden: Any = [layer.out_features for layer in layers[:-1]]
    value = ValueNet(layers[0].in_features, hidden, activation=activation)
    value.load_flat(_flat(layers)[None])
    return value
