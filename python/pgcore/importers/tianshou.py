"""Tianshou: ``policy.pth`` with the model's state dict and the observation statistics."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pgcore.importers.inert import Inert
from pgcore.importers.normalizers import of_variance, read_statistics
from pgcore.importers.parts import Keys, Options, Parts, Statistics, chosen_activation

LIBRARY = "Tianshou"
STAND_INS = ("tianshou.utils.statistics.",)
_EPS = 1.1920928955078125e-07
_TRUNK = "preprocess.model.model"


def recognises(path: Path, content: Any) -> bool:
    """Whether a file holds an actor of Tianshou."""
    return any(f"actor.{_TRUNK}." in key for key in _weights(content))


def read(path: Path, content: Any, options: Options) -> Parts:
    """An agent from its file."""
    return of_state(content, options)


def of_state(content: Any, options: Options) -> Parts:
    """An agent from {"model": state dict, "obs_rms": statistics}, or from the state dict."""
    notes = {
        "mean": "the mean is taken as unbounded, as in the library's examples (unbounded=True)",
        "settings": "the file has none; pgcore's defaults of ppo are assumed",
    }
    assumed = "as in the library's examples for MuJoCo; its Net's own default is relu"
    activation = chosen_activation(options, "tanh", notes, assumed)
    state = {
        key: value
        for key, value in _weights(content).items()
        if not key.startswith(("_actor_critic.", "actor_critic.", "optim"))
    }
    keys = Keys(state, LIBRARY)
    actor = "policy.actor" if keys.has("policy.actor.") else "actor"
    policy = keys.chain(f"{actor}.{_TRUNK}", f"{actor}.mu.model.0", activation=activation)
    std = "free"
    if keys.has(f"{actor}.sigma.model."):
        std, log_std = "state", policy.biases[-1]
    else:
        log_std = keys.take(f"{actor}.sigma_param").reshape(-1)
    value = None
    if keys.has("critic."):
        notes["value_scale"] = (
            "the file does not say whether returns were scaled (return_scaling, as in the examples "
            "for MuJoCo); if so, values are in units of a standard deviation that is not in it"
        )
        value = keys.chain(f"critic.{_TRUNK}", "critic.last.model.0", activation=activation)
    if std == "free":
        keys.finish()
    statistics = _statistics(content, options)
    missing = "Tianshou's file has no obs_rms" if statistics is None else None
    return Parts(
        library=LIBRARY,
        policy=policy,
        log_std=log_std,
        value=value,
        std=std,
        observations=statistics,
        observations_missing=missing,
        actions="scale",
        algorithm="ppo",
        notes=notes,
    )


def _weights(content: Any) -> Mapping[str, Any]:
    if not isinstance(content, Mapping):
        return {}
    inner = content.get("model", content)
    return inner if isinstance(inner, Mapping) else {}


def _statistics(content: Any, options: Options) -> Statistics | None:
    if options.normalizer is not None:
        return read_statistics(options.normalizer, eps=_EPS, clip=10.0)
    rms = content.get("obs_rms") if isinstance(content, Mapping) else None
    if isinstance(rms, Inert):
        rms = rms.fields()
    if not isinstance(rms, Mapping):
        return None
    values = {k.lstrip("_"): v for k, v in rms.items()}
    eps = float(values.get("eps", _EPS))
    return of_variance(values, eps, values.get("clip_max", 10.0))
