"""CleanRL: the state dict of ``ppo_continuous_action``, and files that hold it with statistics."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pgcore.importers.inert import Inert, array_of
from pgcore.importers.normalizers import of_variance, read_statistics
from pgcore.importers.parts import (
    JOINT_CLIP,
    Keys,
    Options,
    Parts,
    Statistics,
    chosen_activation,
    refuse,
)

LIBRARY = "CleanRL"
STAND_INS = ("gymnasium.wrappers.", "gym.wrappers.")
# of cleanrl/ppo_continuous_action.py: name there, name here, default there
_SETTINGS = (
    ("learning_rate", "policy_lr", 3e-4),
    ("update_epochs", "policy_epochs", 10),
    ("num_minibatches", "minibatches", 32),
    ("clip_coef", "clip", 0.2),
    ("ent_coef", "entropy", 0.0),
    ("max_grad_norm", "max_grad_norm", 0.5),
    ("target_kl", "target_kl", None),
)


def recognises(path: Path, content: Any) -> bool:
    """Whether a file holds such a state dict."""
    return "actor_logstd" in _weights(content)


def read(path: Path, content: Any, options: Options) -> Parts:
    """An agent from its file; statistics from the file, or from the normaliser's."""
    return of_state(content, options)


def of_state(content: Any, options: Options) -> Parts:
    """An agent from a state dict, or from a table with model_weights, args and obs_rms."""
    notes: dict[str, str] = {"joint_clip": JOINT_CLIP}
    keys = Keys(_weights(content), LIBRARY)
    activation = chosen_activation(options, "tanh", notes)
    log_std = keys.take("actor_logstd").reshape(-1)
    policy = keys.chain("actor_mean", activation=activation)
    value = keys.chain("critic", activation=activation)
    keys.finish()
    args = content.get("args") if isinstance(content, Mapping) else None
    args = args if isinstance(args, Mapping) else {}
    if not args:
        notes["settings"] = "the file has none; the defaults of ppo_continuous_action are assumed"
    if args.get("anneal_lr", True):
        notes["annealed"] = (
            "the learning rate is the one that training began with; how far it had fallen "
            "(anneal_lr) is not in the file"
        )
    settings = {here: args.get(there, default) for there, here, default in _SETTINGS}
    norm = args.get("norm_adv", True)
    statistics = _statistics(content, options)
    return Parts(
        library=LIBRARY,
        policy=policy,
        log_std=log_std,
        value=value,
        observations=statistics,
        observations_missing=None if statistics else "CleanRL's file has no observation statistics",
        actions="clip",
        algorithm="ppo",
        settings={
            **settings,
            "adam_eps": 1e-5,
            "normalize_advantages": "minibatch" if norm else "none",
        },
        judgement={
            "gamma": args.get("gamma", 0.99),
            "lam": args.get("gae_lambda", 0.95),
            "time_limit": "terminate",
        },
        notes={**notes, **_reward_note(content)},
        **_reward_scale(content),
    )


def _weights(content: Any) -> Mapping[str, Any]:
    if not isinstance(content, Mapping):
        return {}
    inner = content.get("model_weights", content)
    return inner if isinstance(inner, Mapping) else {}


def _rms(content: Any, name: str) -> Mapping[str, Any] | None:
    found = content.get(name) if isinstance(content, Mapping) else None
    if isinstance(found, list | tuple) and len(found) == 1:  # of one environment
        (found,) = found
    if isinstance(found, Inert):
        return found.fields()
    if found is not None and not isinstance(found, Mapping):
        got = f"{len(found)} of them" if isinstance(found, list | tuple) else type(found).__name__
        raise refuse(f"{name}: expected one table of mean, var and count, got {got}")
    return found


def _statistics(content: Any, options: Options) -> Statistics | None:
    if options.normalizer is not None:
        return read_statistics(options.normalizer, eps=1e-8, clip=10.0)
    rms = _rms(content, "obs_rms")
    return None if rms is None else of_variance(rms, 1e-8, 10.0)


def _reward_scale(content: Any) -> dict[str, Any]:
    rms = _rms(content, "return_rms")
    variance = None if rms is None else array_of(rms.get("var"))
    if variance is None:
        return {}
    std = float(np.sqrt(float(np.squeeze(variance)) + 1e-8)) - 1e-8
    return {"reward_std": std, "reward_clip": 10.0}


def _reward_note(content: Any) -> dict[str, str]:
    if _rms(content, "return_rms") is not None:
        return {}
    return {
        "reward_scale": "the values are in units of rewards divided by a standard deviation that "
        "the file does not have"
    }
