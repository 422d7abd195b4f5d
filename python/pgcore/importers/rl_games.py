"""rl_games: ``nn/*.pth`` of its continuous A2C/PPO."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pgcore.importers.fold import scaled_outputs
from pgcore.importers.normalizers import numbers, of_variance
from pgcore.importers.parts import (
    Keys,
    Network,
    Options,
    Parts,
    Statistics,
    chosen_activation,
    copied_trunk,
    optimizer_settings,
)

LIBRARY = "rl_games"
STAND_INS = ()
_NET = "a2c_network"
_EPS = 1e-5


def recognises(path: Path, content: Any) -> bool:
    """Whether a file holds such a model."""
    return any(key.startswith(f"{_NET}.actor_mlp.") for key in _weights(content))


def read(path: Path, content: Any, options: Options) -> Parts:
    """An agent from its file."""
    return of_state(content, options)


def of_state(content: Any, options: Options) -> Parts:
    """An agent from {"model": state dict}."""
    notes = {
        "mean": "the mean is taken as it is (mu_activation None)",
    }
    settings = optimizer_settings(content, "optimizer", notes)
    activation = chosen_activation(options, "elu", notes)
    state = {k.replace("_orig_mod.", ""): v for k, v in _weights(content).items()}
    keys = Keys(state, LIBRARY)
    rms = {name: _moments(keys, name) for name in ("running_mean_std", "value_mean_std")}
    if not rms["running_mean_std"]:  # older ones have them beside the model
        beside = Keys(content.get("running_mean_std", {}), LIBRARY)
        beside.left = {f"running_mean_std.{name}": x for name, x in beside.left.items()}
        rms["running_mean_std"] = _moments(beside, "running_mean_std")
    value = None
    if keys.has(f"{_NET}.value."):
        value = _value(keys, state, activation, notes)
    policy = keys.chain(f"{_NET}.actor_mlp", f"{_NET}.mu", activation=activation)
    std = "state" if keys.has(f"{_NET}.sigma.weight") else "free"
    log_std = policy.biases[-1] if std == "state" else keys.take(f"{_NET}.sigma").reshape(-1)
    if std == "free":
        keys.finish()
    scaler = rms["value_mean_std"]
    if (why := _no_values(content, bool(scaler))) and value is not None:
        value, notes["value"] = None, f"the value network is left out: {why}"
        notes.pop("shared_trunk", None)
    if value is not None and scaler:
        mean, variance = (numbers(scaler.get(name), name) for name in ("mean", "var"))
        value = scaled_outputs(value, np.sqrt(variance + _EPS), mean)
        notes["value"] = (
            "its de-normalisation is folded into the last layer, but for the clip at 5 standard "
            "deviations"
        )
    statistics: Statistics | None = None
    if rms["running_mean_std"]:
        statistics = of_variance(rms["running_mean_std"], _EPS, 5.0)
    epoch = content.get("epoch") if isinstance(content, Mapping) else None
    frame = content.get("frame") if isinstance(content, Mapping) else None
    return Parts(
        library=LIBRARY,
        policy=policy,
        log_std=log_std,
        value=value,
        std=std,
        observations=statistics,
        actions="scale",
        algorithm="ppo",
        settings=settings,
        iteration=int(epoch) if isinstance(epoch, int) else 0,
        timesteps=int(frame) if isinstance(frame, int) else None,
        notes=notes,
    )


def _weights(content: Any) -> Mapping[str, Any]:
    inner = content.get("model") if isinstance(content, Mapping) else None
    return inner if isinstance(inner, Mapping) else {}


def _no_values(content: Mapping[str, Any], scaled: bool) -> str:
    """Why the model's value network does not say what the agent was trained with; "" if it does."""
    if "assymetric_vf_nets" in content:
        return "it was trained with another one, of its central value"
    if "reward_mean_std" in content and not scaled:
        return "its units are those of reward_mean_std, which versions of rl_games use differently"
    return ""


def _moments(keys: Keys, name: str) -> dict[str, Any]:
    """Mean, variance and count of a running normaliser; in float32, as it uses them."""
    there = {"mean": "running_mean", "var": "running_var", "count": "count"}
    return {
        here: keys.left.pop(f"{name}.{key}").float()
        for here, key in there.items()
        if f"{name}.{key}" in keys.left
    }


def _value(keys: Keys, state: Mapping[str, Any], activation: str, notes: dict[str, str]) -> Network:
    """The value network: its own layers, or a copy of the policy's."""
    if keys.has(f"{_NET}.critic_mlp."):
        return keys.chain(f"{_NET}.critic_mlp", f"{_NET}.value", activation=activation)
    copied_trunk(notes)
    value = keys.chain(f"{_NET}.actor_mlp", f"{_NET}.value", activation=activation)
    for key, tensor in state.items():
        if key.startswith(f"{_NET}.actor_mlp."):
            keys.left[key] = tensor
    return value
