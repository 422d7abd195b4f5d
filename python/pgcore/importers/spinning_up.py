"""Spinning Up (PyTorch): ``pyt_save/model.pt``, a whole module whose classes stay inert here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from pgcore.importers.inert import Inert
from pgcore.importers.parts import Keys, Options, Parts, activation_named, agreed_activation, refuse
from pgcore.policies.mlp import ACTIVATIONS

LIBRARY = "Spinning Up"
STAND_INS = ("spinup.", "torch.nn.modules.")


def recognises(path: Path, content: Any) -> bool:
    """Whether a file holds an actor-critic of Spinning Up."""
    return "pi.log_std" in _weights(content)


def read(path: Path, content: Any, options: Options) -> Parts:
    """An agent from its module."""
    return of_state(content, options)


def of_state(content: Any, options: Options) -> Parts:
    """An agent from an inert module, or from its state dict."""
    keys = Keys(_weights(content), LIBRARY)
    found = _activation(content)
    activation = agreed_activation(options, found) if found else options.activation or "tanh"
    activation = activation_named(activation)
    log_std = keys.take("pi.log_std")
    policy = keys.chain("pi.mu_net", activation=activation)
    value = keys.chain("v.v_net", activation=activation)
    keys.finish()
    return Parts(
        library=LIBRARY,
        policy=policy,
        log_std=log_std,
        value=value,
        actions="none",
        algorithm="ppo",
        settings={
            "policy_epochs": 80,
            "minibatches": 1,
            "normalize_advantages": "batch",
            "adam_eps": 1e-8,
            "target_kl": 1.5 * 0.01,  # where it stops
        },
        judgement={"lam": 0.97},
        notes={
            "settings": "the file has none; the defaults of its PPO are assumed (steps in full "
            "batches, stopped at target_kl)"
        },
    )


def _weights(content: Any) -> Mapping[str, Any]:
    return _tensors(content, "") if isinstance(content, Inert) else _mapping(content)


def _mapping(content: Any) -> Mapping[str, Any]:
    return content if isinstance(content, Mapping) else {}


def _tensors(module: Inert, prefix: str, depth: int = 0) -> dict[str, Tensor]:
    """The state dict of an inert module."""
    fields = module.fields()
    found: dict[str, Tensor] = {}
    for name, value in _mapping(fields.get("_parameters")).items():
        if isinstance(value, Tensor):
            found[f"{prefix}{name}"] = value
    for name, inner in _mapping(fields.get("_modules")).items():
        if isinstance(inner, Inert) and depth < 10:
            found |= _tensors(inner, f"{prefix}{name}.", depth + 1)
    return found


def _activation(content: Any) -> str | None:
    """The class between all layers of both networks; None where the file has no modules."""
    if not isinstance(content, Inert):
        return None
    found = set()
    for place in (("pi", "mu_net"), ("v", "v_net")):
        layers = list(_modules(_inner(content, place)).values())
        names = [type(layer).__name__ for layer in layers]
        if names[-1:] == ["Identity"]:
            del names[-1], layers[-1]
        between = names[1::2]
        if set(names[::2]) != {"Linear"} or "Linear" in between or len(names) % 2 == 0:
            raise refuse(
                f"{'.'.join(place)}: expected linear layers with an activation between them and "
                f"nothing behind, got {', '.join(names) or 'nothing'}"
            )
        found |= set(between)
        for layer in layers[1::2]:
            _check_usual(layer)
    if len(found) > 1:
        raise refuse(f"activations {' and '.join(sorted(found))} in one agent are not supported")
    return found.pop() if found else None


def _check_usual(activation: Inert) -> None:
    """CheckpointError where an activation has other settings than torch gives it by itself."""
    name, own = type(activation).__name__, activation.fields()
    usual = ACTIVATIONS.get(activation_named(name))
    for key, value in vars(usual.module).items() if usual is not None else ():
        known = not key.startswith("_") and key not in ("training", "inplace")
        if known and own.get(key, value) != value:
            raise refuse(f"activation {name} with {key}={own[key]!r} is not supported")


def _inner(content: Inert, place: tuple[str, ...]) -> Any:
    found: Any = content
    for name in place:
        found = _modules(found).get(name)
    return found


def _modules(content: Any) -> Mapping[str, Any]:
    return _mapping(content.fields().get("_modules")) if isinstance(content, Inert) else {}
