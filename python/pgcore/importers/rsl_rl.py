"""RSL-RL: ``model_<i>.pt``, of version 5 and of the versions before it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pgcore.importers.fold import mapped_inputs
from pgcore.importers.normalizers import statistics
from pgcore.importers.parts import (
    Keys,
    Network,
    Options,
    Parts,
    Statistics,
    chosen_activation,
    optimizer_settings,
    refuse,
)

LIBRARY = "RSL-RL"
STAND_INS = ()


def recognises(path: Path, content: Any) -> bool:
    """Whether a file holds such a model."""
    if not isinstance(content, Mapping):
        return False
    old = content.get("model_state_dict")
    is_old = isinstance(old, Mapping) and any(k.startswith("actor.") for k in old)
    return "actor_state_dict" in content or is_old


def read(path: Path, content: Any, options: Options) -> Parts:
    """An agent from its file."""
    return of_state(content, options)


def of_state(content: Any, options: Options) -> Parts:
    """An agent from {"actor_state_dict", "critic_state_dict"}, or from {"model_state_dict"}."""
    notes = {
        "actions": "actions are taken as not clipped (clip_actions off, the default)",
    }
    settings = optimizer_settings(content, "optimizer_state_dict", notes)
    activation = chosen_activation(options, "elu", notes)
    actor, critic = _halves(content)
    std, log_std = _log_std(actor, notes)
    own = _normalizer(actor)
    policy = actor.chain("mlp", activation=activation)
    actor.finish()
    value = None
    if critic is not None:
        seen = _normalizer(critic)
        value = critic.chain("mlp", activation=activation)
        critic.finish()
        value = _on_inputs_of(own, seen, value, notes)
    iteration = content.get("iter", 0)
    return Parts(
        library=LIBRARY,
        policy=policy,
        log_std=log_std if std == "free" else policy.biases[-1],
        value=value,
        std=std,
        observations=own,
        actions="none",
        algorithm="ppo",
        settings=settings,
        iteration=iteration if isinstance(iteration, int) else 0,
        notes=notes,
    )


def _halves(content: Mapping[str, Any]) -> tuple[Keys, Keys | None]:
    """State dicts of actor and critic in version 5's names."""
    if "actor_state_dict" in content:
        critic = content.get("critic_state_dict")
        own = Keys(content["actor_state_dict"], LIBRARY)
        return own, None if critic is None else Keys(critic, LIBRARY)
    state = content["model_state_dict"]
    parts: dict[str, dict[str, Any]] = {"actor": {}, "critic": {}}
    for key, value in state.items():
        if key in ("std", "log_std"):
            parts["actor"][f"distribution.{key}_param"] = value
            continue
        for name, part in parts.items():
            if key.startswith(f"{name}."):
                part["mlp." + key.split(".", 1)[1]] = value
            elif key.startswith(f"{name}_obs_normalizer."):
                part["obs_normalizer." + key.split(".", 1)[1]] = value
        if not key.startswith(("actor", "critic")):
            raise refuse(f"{LIBRARY}: unknown part {key} in its state dict (recurrent networks?)")
    shared = content.get("obs_norm_state_dict")
    names = ("privileged_obs_norm_state_dict", "critic_obs_norm_state_dict")
    other = next((content[n] for n in names if isinstance(content.get(n), Mapping)), shared)
    for part, norm in ((parts["actor"], shared), (parts["critic"], other)):
        if isinstance(norm, Mapping):
            part.update({f"obs_normalizer.{k}": v for k, v in norm.items()})
    return Keys(parts["actor"], LIBRARY), Keys(parts["critic"], LIBRARY)


def _log_std(actor: Keys, notes: dict[str, str]) -> tuple[str, torch.Tensor]:
    name = "distribution.std_param"
    if name in actor.left:
        notes["std"] = (
            "the parameter is the standard deviation there, its logarithm here: gradients by it "
            "are in other units"
        )
        return "free", torch.log(actor.take(name).reshape(-1).clamp(1e-6, 1e6))
    if "distribution.log_std_param" in actor.left:
        return "free", actor.take("distribution.log_std_param").reshape(-1)
    if actor.has("distribution."):
        raise refuse("a distribution that is not Gaussian is not supported")
    return "state", torch.zeros(0)


def _normalizer(keys: Keys) -> Statistics | None:
    if not keys.has("obs_normalizer."):
        return None
    mean, std = (keys.left.pop(f"obs_normalizer.{n}") for n in ("_mean", "_std"))
    count = keys.left.pop("obs_normalizer.count", None)
    keys.left.pop("obs_normalizer._var", None)
    return statistics(mean, std.double() + 1e-2, None, count)


def _on_inputs_of(
    own: Statistics | None, seen: Statistics | None, value: Network, notes: dict[str, str]
) -> Network:
    """The value network on the policy's inputs: the difference goes into its first layer."""
    width = value.weights[0].shape[1]
    if own is not None and len(own.mean) != width:
        raise refuse("the critic sees other observations than the actor (privileged): unsupported")
    same = own is not None and seen is not None and np.array_equal(own.mean, seen.mean)
    if (own is None and seen is None) or (
        same and own is not None and seen is not None and np.array_equal(own.scale, seen.scale)
    ):
        return value
    zero, one = np.zeros(width), np.ones(width)
    mean, scale = (zero, one) if own is None else (own.mean, own.scale)
    other, wide = (zero, one) if seen is None else (seen.mean, seen.scale)
    notes["value_normalizer"] = "the critic's own statistics are folded into its first layer"
    return mapped_inputs(value, scale / wide, (mean - other) / wide)
