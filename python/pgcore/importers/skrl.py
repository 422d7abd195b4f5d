"""skrl: ``agent_<t>.pt`` of PPO with the models of its instantiator."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np

from pgcore.importers.fold import scaled_outputs
from pgcore.importers.inert import array_of
from pgcore.importers.normalizers import statistics
from pgcore.importers.parts import (
    Keys,
    Options,
    Parts,
    Statistics,
    chosen_activation,
    copied_trunk,
    optimizer_settings,
    refuse,
)

LIBRARY = "skrl"
_OBSERVATIONS = ("observation_preprocessor", "state_preprocessor")  # the second: before 2.0
STAND_INS = ()
_LOG_STD = (-20.0, 2.0)


def recognises(path: Path, content: Any) -> bool:
    """Whether a file holds such an agent."""
    inner = content.get("policy") if isinstance(content, Mapping) else None
    return isinstance(inner, Mapping) and "log_std_parameter" in inner


def read(path: Path, content: Any, options: Options) -> Parts:
    """An agent from its file."""
    return of_state(content, options)


def of_state(content: Any, options: Options) -> Parts:
    """An agent from {"policy", "value", "observation_preprocessor", "value_preprocessor"}."""
    notes = {
        "mean": "the mean is taken as it is; a model with tanh(ACTIONS) is another",
        "actions": "actions are taken as not clipped (clip_actions False, the default)",
    }
    settings = optimizer_settings(content, "optimizer", notes)
    activation = chosen_activation(options, "elu", notes)
    keys = Keys(content["policy"], LIBRARY)
    log_std = keys.take("log_std_parameter").clamp(*_LOG_STD)
    shared = keys.has("policy_layer.")
    policy = keys.chain("net_container", *["policy_layer"] * shared, activation=activation)
    if shared:  # the one model is there twice, under both names
        copied_trunk(notes)
        keys.left.pop("value_layer.weight", None), keys.left.pop("value_layer.bias", None)
    keys.finish()
    value = None
    if isinstance(content.get("value"), Mapping):
        own = Keys(content["value"], LIBRARY)
        value = own.chain("net_container", *["value_layer"] * shared, activation=activation)
        for key in ("policy_layer.weight", "policy_layer.bias", "log_std_parameter"):
            own.left.pop(key, None)
        own.finish()
        if all(map(_scales, (content.get(name) for name in _OBSERVATIONS))):
            notes["states"] = (
                "the file has statistics of states, too; the value network is taken as one of "
                "observations"
            )
        scaler = content.get("value_preprocessor")
        if _scales(scaler):
            mean, variance = _pair(scaler)
            value = scaled_outputs(value, np.sqrt(variance), mean)
            notes["value"] = (
                "its de-normalisation is folded into the last layer, but for the clip at 5 standard"
                " deviations"
            )
    return Parts(
        library=LIBRARY,
        policy=policy,
        log_std=log_std,
        value=value,
        observations=_statistics(content),
        actions="none",
        algorithm="ppo",
        settings=settings,
        notes=notes,
    )


def _pair(scaler: Mapping[str, Any]) -> tuple[Any, Any]:
    mean, variance = (array_of(scaler.get(f"running_{n}")) for n in ("mean", "variance"))
    if mean is None or variance is None:
        raise refuse("skrl: expected running_mean and running_variance in its preprocessor")
    # it computes with them in float32
    return mean.reshape(-1).astype(np.float32), variance.reshape(-1).astype(np.float32)


def _scales(scaler: Any) -> TypeGuard[Mapping[str, Any]]:
    """Whether a preprocessor is a running normaliser."""
    return isinstance(scaler, Mapping) and "running_variance" in scaler


def _statistics(content: Mapping[str, Any]) -> Statistics | None:
    for name in _OBSERVATIONS:
        scaler = content.get(name)
        if _scales(scaler):
            mean, variance = _pair(scaler)
            count = scaler.get("current_count")
            return statistics(mean, np.sqrt(variance) + np.float32(1e-8), 5.0, count)
    return None
