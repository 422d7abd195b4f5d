"""Stable-Baselines3 and sb3-contrib: the zip files of PPO, A2C and TRPO."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pgcore.base.arrays import F64
from pgcore.base.errors import CheckpointError
from pgcore.importers.inert import (
    array_of,
    open_zip,
    read_pickle,
    read_tensors,
    refused,
    zip_names,
)
from pgcore.importers.normalizers import read_vecnormalize
from pgcore.importers.parts import (
    Keys,
    Network,
    Options,
    Parts,
    activation_named,
    agreed_activation,
    copied_trunk,
    refuse,
)
from pgcore.importers.sb3_settings import find_settings

LIBRARY = "Stable-Baselines3"
_OWN = ("stable_baselines3.", "sb3_contrib.")  # where its policies are
_FLAT = "stable_baselines3.common.torch_layers.FlattenExtractor"
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


def of_settings(settings: Mapping[str, Any], notes: dict[str, str]) -> dict[str, Any]:
    """Fields of Parts from the settings that the exporter stored."""
    optimizer = {"param_groups": [{n: settings[n] for n in ("eps", "alpha") if n in settings}]}
    algorithm, own, judgement, iteration = find_settings(settings, optimizer, notes)
    return {
        "algorithm": algorithm,
        "settings": own,
        "judgement": judgement,
        "iteration": iteration,
        "timesteps": settings.get("num_timesteps"),
    }


def read(path: Path, content: Any, options: Options) -> Parts:
    """An agent from its zip, with ``vecnormalize.pkl`` as the normaliser's file."""
    files = open_zip(path)
    data = _data(path, files)
    _check_supported(data)
    state = read_tensors(path, content=files["policy.pth"])
    kwargs = data.get("policy_kwargs")
    kwargs = kwargs if isinstance(kwargs, Mapping) else {}
    found = activation_named(str(kwargs.get("activation_fn", "Tanh")))
    options = Options(options.normalizer, agreed_activation(options, found), options.library)
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
        if not moments and optimizer:
            notes["optimizer"] = "its state is not that of a plain Adam, which starts anew here"
    elif algorithm == "a2c" and optimizer:
        notes.setdefault("optimizer", "its state is not taken: Adam starts anew here")
    steps = data.get("num_timesteps")
    scales: dict[str, Any] = {}
    if options.normalizer is not None:
        scales = read_vecnormalize(options.normalizer)
        scales["observations_proof"] = _proof(data, scales)
        _check_moment(path, steps, scales, notes)
    else:
        _look_beside(path, notes)
        if data.get("_last_original_obs") is not None:
            scales["observations_missing"] = "it was trained with VecNormalize (its file says so)"
            notes["reward_scale"] = (
                "VecNormalize divides rewards, too (norm_reward), by a standard deviation that its "
                "zip does not have; values are in these units"
            )
    return Parts(
        **{
            **vars(parts),
            "algorithm": algorithm,
            "settings": settings,
            "judgement": judgement,
            "moments": moments,
            "bounds": _bounds(data),
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
    _check_own_code(data)
    space = data.get("observation_space")
    kind = str(space.get(":type:", "")) if isinstance(space, Mapping) else ""
    if kind and not kind.strip("<>'\" ").endswith(".spaces.box.Box"):
        raise refuse(f"observations that are not a Box are not supported, got {kind}")
    if data.get("action_space") and "low" not in data["action_space"]:
        raise refuse("actions that are not a Box are not supported")


def _check_own_code(data: Mapping[str, Any]) -> None:
    """Refuse policies and extractors of the user's own: the file has their weights alone."""
    kwargs, kind = data.get("policy_kwargs"), data.get("policy_class")
    extractor = kwargs.get("features_extractor_class") if isinstance(kwargs, Mapping) else None
    module = kind.get("__module__") if isinstance(kind, Mapping) else None
    found = []
    if extractor is not None and _FLAT not in str(extractor):
        found.append(f"a features extractor ({extractor})")
    if module is not None and not f"{module}.".startswith(_OWN):
        found.append(f"a policy of the module {module}")
    if found:
        raise refuse(
            f"{' and '.join(found)} is not supported: the file has its weights, and not what it "
            "computes"
        )


def _bounds(data: Mapping[str, Any]) -> tuple[F64, F64] | None:
    """Bounds of the actions, as far as the file writes them out."""
    space, ends = data.get("action_space"), []
    for name in ("low", "high"):
        text = str(space.get(name, "")) if isinstance(space, Mapping) else ""
        if not re.fullmatch(r"\[[-+.\deinf\s]+\]", text):
            return None
        ends.append(np.array([float(x) for x in text.strip("[]").split()]))
    return (ends[0], ends[1]) if len(ends[0]) == len(ends[1]) else None


def _proof(data: Mapping[str, Any], scales: dict[str, Any]) -> str:
    """What shows that the statistics are of this agent, at this moment; "" if nothing does.

    The agent's file has the last observations that it was given, and VecNormalize's what they were
    ahead of it.
    """
    known, last, text = scales.get("observations"), scales.pop("last"), data.get("_last_obs")
    if known is None or last is None or not isinstance(text, Mapping):
        return ""
    try:
        raw = base64.b64decode(str(text.get(":serialized:", "")), validate=True)
        seen = array_of(read_pickle(Path("_last_obs"), (), raw))
    except (CheckpointError, ValueError):
        return ""
    if seen is None or seen.shape != last.shape or last.shape[-1:] != known.mean.shape:
        return ""
    made = (last - known.mean) / known.scale
    made = made if known.clip is None else np.clip(made, -known.clip, known.clip)
    same = np.array_equal(made.astype(np.float32), seen.astype(np.float32))
    return "they make of its last observation what its own file has" if same else ""


def _networks(
    state: Any, activation: str, notes: dict[str, str]
) -> tuple[Network, Tensor, Network, bool]:
    """Policy, log_std, value network, and whether the mean is behind a tanh."""
    keys = Keys(state, LIBRARY)
    for kind, name in (("lstm", "recurrent networks"), ("cnn", "CNNs")):
        if any(kind in key for key in keys.left):
            raise refuse(f"{name} are not supported")
    if any(key.startswith(("actor.", "critic.", "q_net.")) for key in keys.left):
        raise refuse("agents of SAC, TD3, DQN and their kind are not supported: PPO, A2C, TRPO are")
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
    for prefix in shared:
        keys.put_back(state, prefix)
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
    plain = plain and "amsgrad" in group  # RAdam has the same slots, and no such choice
    names = list(state)
    if not (plain and len(groups) == 1 and state_of and len(state_of) == len(names)):
        return {}
    if any(set(slots) != {"step", "exp_avg", "exp_avg_sq"} for slots in state_of.values()):
        return {}  # another of Adam's kind
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
    found = [p for place in places for p in sorted(place.glob("*vec*normalize*.pkl"))]
    own = [p for p in found if (n := re.search(r"\d+_steps", path.stem)) and n.group() in p.stem]
    for file in (own or found)[:1]:
        notes["normalizer"] = f"{file} is not used; --normalizer would use it"
