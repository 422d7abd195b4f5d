"""Policies and value networks from the weights of plain torch modules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from pgcore.base.errors import check_type
from pgcore.policies.gaussian import GaussianPolicy
from pgcore.policies.mlp import ACTIVATIONS
from pgcore.policies.value import ValueNet

_LINEAR = nn.Linear | nn.Identity


def _function(module: nn.Module) -> tuple[type[nn.Module], dict[str, Any]]:
    """What a module without parameters computes: its kind and its options."""
    said = {n: v for n, v in vars(module).items() if not n.startswith("_")}
    return type(module), {n: v for n, v in said.items() if n not in ("training", "inplace")}


def _read(name: str, module: nn.Module) -> tuple[list[nn.Linear], str]:
    """The linear layers of a sequence, and the activation between them."""
    check_type("module", module, nn.Module, "a torch module")
    every = (m for _, m in module.named_modules(remove_duplicate=False))
    parts = [m for m in every if not list(m.children())]
    layers = [m for m in parts if isinstance(m, nn.Linear)]
    between = [_function(m) for m in parts if not isinstance(m, _LINEAR)]
    known = {n: a.module for n, a in ACTIVATIONS.items() if not isinstance(a.module, _LINEAR)}
    found = [n for n, m in known.items() if [_function(m)] * len(between) == between]
    alternate = [isinstance(m, nn.Linear) for m in parts if not isinstance(m, nn.Identity)]
    wanted = [i % 2 == 0 for i in range(2 * len(layers) - 1)]
    if not layers or alternate != wanted or not found:
        names = ", ".join(str(module) for module in known.values())
        raise ValueError(
            f"{name}: expected linear layers with one activation between them ({names}) and none "
            f"behind the last, got {', '.join(str(m) for m in parts)}"
        )
    return layers, found[0]


def _check_same(module: nn.Module, dim: int, ours: Callable[[Tensor], Tensor]) -> None:
    """ValueError where a module computes something else than its layers in turn."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(32, dim, generator=generator)
    own = next(module.parameters())
    with torch.no_grad():
        theirs = module(x.to(own.device, own.dtype)).detach().cpu().float()
        found = ours(x)
    if theirs.shape != found.shape or not torch.allclose(theirs, found, rtol=1e-3, atol=1e-4):
        raise ValueError(
            "module: expected one that applies its layers in turn, got a forward() that computes "
            "something else; write that as layers, or as mean_map of a GaussianPolicy"
        )


def _flat(layers: list[nn.Linear]) -> Tensor:
    """Weights [in, out] and biases of each layer in turn, in one row [P]."""
    rows = []
    for layer in layers:
        bias = layer.bias if layer.bias is not None else torch.zeros(layer.out_features)
        rows += [layer.weight.detach().T.reshape(-1), bias.detach()]
    flat = torch.cat(rows).float()
    _check_finite("module", "weights", flat)
    return flat


def _check_finite(name: str, what: str, values: Tensor) -> None:
    odd = values[~torch.isfinite(values)]
    if len(odd):
        raise ValueError(f"{name}: expected finite {what}, got {float(odd[0])}")


def policy_from_module(module: nn.Module, log_std: Tensor) -> GaussianPolicy:
    """A policy of one member whose mean a torch module gives.

    Args:
        module: linear layers [O] -> [A] with one of pgcore's activations between them.
        log_std: [A], the logarithm of the actions' standard deviations.

    Raises:
        ValueError: other layers, a forward() of its own, a log_std of another length, or numbers
            that are not finite.
    """
    layers, activation = _read("module", module)
    act_dim = layers[-1].out_features
    check_type("log_std", log_std, Tensor, "a tensor [A]")
    if tuple(log_std.shape) != (act_dim,):
        raise ValueError(f"log_std: expected [A] = [{act_dim}], got {list(log_std.shape)}")
    _check_finite("log_std", "numbers", log_std)
    hidden = [layer.out_features for layer in layers[:-1]]
    policy = GaussianPolicy(layers[0].in_features, act_dim, hidden, activation=activation)
    policy.load_flat(torch.cat([_flat(layers), log_std.detach().float()])[None])
    _check_same(module, policy.obs_dim, lambda x: policy.mean(x[None])[0])
    return policy


def value_from_module(module: nn.Module) -> ValueNet:
    """A value network of one member from a torch module [O] -> [1]; see the policy's."""
    layers, activation = _read("module", module)
    if layers[-1].out_features != 1:
        raise ValueError(f"module: expected one output, got {layers[-1].out_features}")
    hidden: Any = [layer.out_features for layer in layers[:-1]]
    value = ValueNet(layers[0].in_features, hidden, activation=activation)
    value.load_flat(_flat(layers)[None])
    _check_same(module, layers[0].in_features, lambda x: value(x[None])[0][:, None])
    return value
