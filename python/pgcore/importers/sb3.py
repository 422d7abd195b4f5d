"""Stable-Baselines3 and sb3-contrib: the zip files of PPO, A2C and TRPO."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pgcore.importers.inert import open_zip, read_tensors, refused, zip_names
from pgcore.importers.normalizers import read_vecnormalize
from pgcore.importers.parts import (
    Keys,
    Network,
    Options,
    Parts,
    activation_named,
    copied_trunk,
    refuse,
)
from pgcore.importers.sb3_settings import find_settings

LIBRARY = "Stable-Baselines3"
Networks = tuple[Network, Tensor, Network]


def recognises(path: Path, content: Any) -> bool:
    """Whether a file is a zip of Stable-Baselines3."""
    return content is None and path.is_file() and {"data", "policy.pth"} <= zip_names(path)


def of_state(state: Any, options: Options) -> Parts:
    """An agent from the policy's state dict alone."""
    notes: dict[str, str] = {}
    activation = activation_named(options.activation or "tanh")
    policy, log_std, value, squashed = _networks(state, activation, notes)
    return Parts(
        library=LIBRARY,
        policy=policy,
        log_std=log_std,
        value=value,
        mean_map="tanh" if squashed else "none",
        actions="clip",
        notes=notes,
    )


def read(path: Path, content: Any, options: Options) -> Parts:
    """An agent from its zip, with ``vecnormalize.pkl`` as the normaliser's file."""
    files = open_zip(path)
    data = _data(path, files)
    _check_supported(data)
    state = read_tensors(path, content=files["policy.pth"])
    kwargs = data.get("policy_kwargs")
    kwargs = kwargs if isinstance(kwargs, Mapping) else {}
    found = activation_named(str(kwargs.get("activation_fn", "Tanh")))
    options = Options(options.normalizer, options.activation or found, options.library)
    parts = of_state(state, options)
    notes = dict(parts.notes)
    if parts.policy.activation != found:
        notes["activation"] = f"{parts.policy.activation} as asked for; the file says {found}"
    optimizer = {}
    if "policy.optimizer.pth" in files:
        optimizer = read_tensors(path, content=files["policy.optimizer.pth"])
    algorithm, settings, judgement, iteration = find_settings(data, optimizer, notes)
    moments = {}
    if algorithm == "ppo" and "shared_trunk" not in notes:
        moments = _moments(state, optimizer, options.activation or found)
    steps = data.get("num_timesteps")
    scales: dict[str, Any] = {}
    if options.normalizer is not None:
        scales = read_vecnormalize(options.normalizer)
        _check_moment(path, steps, scales, notes)
    else:
        _look_beside(path, notes)
    return Parts(
        **{
            **vars(parts),
            "algorithm": algorithm,
            "settings": settings,
            "judgement": judgement,
            "moments": moments,
            "iteration": iteration,
            "timesteps": steps,
            "notes": notes,
            "source": {
                "version": files.get("_stable_baselines3_version", b"").decode(errors="replace"),
                "seed": data.get("seed"),
            },
            **scales,
        }
    )


def _data(path: Path, files: Mapping[str, bytes]) -> dict[str, Any]:
    try:
        data = json.loads(files["data"])
        if not isinstance(data, dict):
            raise ValueError("its data is no table")
    except (KeyError, ValueError) as error:
        raise refused(path, f"no zip of {LIBRARY} ({error})") from error
    return data


def _check_supported(data: Mapping[str, Any]) -> None:
    """Refuse by name what is in the settings."""
    if data.get("use_sde"):
        raise refuse("gSDE (use_sde: noise that depends on the state) is not supported")
    kwargs = data.get("policy_kwargs")
    if isinstance(kwargs, Mapping) and kwargs.get("squash_output"):
        raise refuse("squash_output is not supported")
    if data.get("action_space") and "low" not in data["action_space"]:
        raise refuse("actions that are not a Box are not supported")


def _networks(
    state: Any, activation: str, notes: dict[str, str]
) -> tuple[Network, Tensor, Network, bool]:
    """Policy, log_std, value network, and whether the mean is behind a tanh."""
    keys = Keys(state, LIBRARY)
    for kind, name in (("lstm", "recurrent networks"), ("cnn", "CNNs")):
        if any(kind in key for key in keys.left):
            raise refuse(f"{name} are not supported")
    if "log_std" not in keys.left:
        raise refuse("expected log_std in the policy: actions that are not Gaussian?")
    log_std = keys.take("log_std")
    if log_std.ndim != 1:
        raise refuse("gSDE (log_std [hidden, actions]) is not supported")
    shared: tuple[str, ...] = ()
    squashed = "action_net.0.weight" in keys.left
    head = "action_net.0" if squashed else "action_net"
    if keys.has("mlp_extractor.shared_net."):
        copied_trunk(notes)
        shared = ("mlp_extractor.shared_net",)
    policy = _branch(keys, (*shared, "mlp_extractor.policy_net"), head, activation)
    for key in [k for k in state if shared and k.startswith(shared)]:
        keys.left[key] = state[key]
    value = _branch(keys, (*shared, "mlp_extractor.value_net"), "value_net", activation)
    keys.finish()
    return policy, log_std, value, squashed


def _branch(keys: Keys, prefixes: tuple[str, ...], head: str, activation: str) -> Network:
    heads: list[str] = []
    for prefix in prefixes:
        heads += keys.numbered(prefix)
    return keys.layers([*heads, head], activation)


def _moments(state: Any, optimizer: Any, activation: str) -> dict[str, Any]:
    """Adam's state in the layout of the networks; empty if it is not plain Adam."""
    groups = optimizer.get("param_groups") or [{}] if isinstance(optimizer, Mapping) else [{}]
    group, state_of = groups[0], optimizer.get("state") if isinstance(optimizer, Mapping) else None
    plain = tuple(group.get("betas", ())) == (0.9, 0.999) and not group.get("weight_decay")
    names = list(state)
    if not (plain and len(groups) == 1 and state_of and len(state_of) == len(names)):
        return {}
    moments: dict[str, Any] = {}
    for slot in ("exp_avg", "exp_avg_sq"):
        rows = {name: state_of[i][slot] for i, name in enumerate(names)}
        if any(rows[n].shape != state[n].shape for n in names):
            return {}
        policy, log_std, _, _ = _networks(rows, activation, {})
        moments[slot] = (policy, log_std)
    moments["step"] = float(torch.as_tensor(state_of[0]["step"]))
    return moments


def _check_moment(path: Path, steps: Any, scales: Mapping[str, Any], notes: dict[str, str]) -> None:
    """Say so where the statistics are of another moment than the agent."""
    statistics = scales.get("observations")
    count = None if statistics is None else statistics.count
    if count is not None and isinstance(steps, int) and abs(count - steps) > 0.02 * steps + 100:
        notes["moment"] = (
            f"the statistics are of {count:.0f} observations, the agent was saved after {steps} "
            "steps: they are not of one moment (the zoo rewrites vecnormalize.pkl at the end of "
            "training, while best_model.zip stays)"
        )
    elif path.stem == "best_model":
        notes["moment"] = (
            "best_model.zip: the zoo rewrites vecnormalize.pkl at the end of training; take the "
            "statistics of the moment at which it was best"
        )


def _look_beside(path: Path, notes: dict[str, str]) -> None:
    places = [path.parent, *(p for p in path.parent.iterdir() if p.is_dir())]
    for place in places:
        for name in ("vecnormalize.pkl", "vec_normalize.pkl"):
            if (place / name).is_file():
                notes["normalizer"] = f"{place / name} is not used; --normalizer would use it"
