"""Algorithm and settings of Stable-Baselines3's agents in pgcore's words."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from pgcore.importers.parts import JOINT_CLIP

Found = tuple[str, dict[str, Any], dict[str, Any], int]


def find_settings(data: Mapping[str, Any], optimizer: Any, notes: dict[str, str]) -> Found:
    """Algorithm, its settings, the judgement's fields, and the updates made."""
    pairs = int(data.get("n_steps") or 2048) * int(data.get("n_envs") or 1)
    iteration = int(data.get("num_timesteps") or 0) // pairs
    judgement = {"gamma": data.get("gamma", 0.99), "lam": data.get("gae_lambda", 0.95)}
    if "cg_max_steps" in data:
        return "trpo", _trpo(data, notes), judgement, iteration
    group, bound = _group(optimizer), data.get("max_grad_norm")
    common = {
        "policy_lr": _rate(data, group, notes),
        "adam_eps": group.get("eps", 1e-5),
        "entropy": data.get("ent_coef", 0.0),
        "max_grad_norm": None if bound == math.inf else bound,
    }
    if common["max_grad_norm"] is not None:
        notes["joint_clip"] = JOINT_CLIP
    if "clip_range" in data:
        return "ppo", common | _ppo(data, pairs, notes), judgement, iteration
    if "alpha" in group:
        notes["optimizer"] = "trained with RMSprop; pgcore's a2c steps with Adam"
    normalize = "batch" if data.get("normalize_advantage") else "none"
    return "a2c", common | {"normalize_advantages": normalize}, judgement, iteration


def _group(optimizer: Any) -> dict[str, Any]:
    groups = optimizer.get("param_groups") if isinstance(optimizer, Mapping) else None
    return dict(groups[0]) if groups else {}


def _rate(data: Mapping[str, Any], group: Mapping[str, Any], notes: dict[str, str]) -> float:
    """The learning rate; where it is a function, the one that the optimiser had last."""
    rate = data.get("learning_rate")
    if isinstance(rate, int | float):
        return float(rate)
    rate = float(group.get("lr", 3e-4))
    notes["learning_rate"] = f"a function of time there; the optimiser's last rate, {rate:g}"
    return rate


def _ppo(data: Mapping[str, Any], pairs: int, notes: dict[str, str]) -> dict[str, Any]:
    clip = data["clip_range"]
    if isinstance(clip, Mapping):
        text = re.search(r"ConstantSchedule\(val=([-+.\deE]+)\)", str(clip.get("value_schedule")))
        if text is None:
            notes["clip"] = "clip_range is a function in the file, which is not run; 0.2 is assumed"
        clip = float(text.group(1)) if text else 0.2
    batch = int(data.get("batch_size") or 64)
    if pairs % batch:
        notes["minibatches"] = f"{pairs} pairs are no multiple of batch_size {batch}"
    for name in ("clip_range_vf", "target_kl"):
        if data.get(name) is not None:
            notes[name] = f"was set to {_short(data[name])} in training"
    target = data.get("target_kl")
    if target is not None:
        notes["target_kl"] = (
            f"was set to {target}: an update stops there at 1.5 times that, after any minibatch; "
            "here after a pass"
        )
    return {
        "policy_epochs": data.get("n_epochs", 10),
        "minibatches": max(1, pairs // batch),
        "clip": clip,
        "normalize_advantages": "minibatch" if data.get("normalize_advantage", True) else "none",
        "target_kl": None if target is None else 1.5 * float(target),
    }


def _trpo(data: Mapping[str, Any], notes: dict[str, str]) -> dict[str, Any]:
    shrink = data.get("line_search_shrinking_factor", 0.8)
    notes["line_search"] = (
        f"steps shrink by {shrink} there, by 0.5 here, and any gain is accepted there"
    )
    factor = int(data.get("sub_sampling_factor") or 1)
    if factor > 1:
        notes["sub_sampling"] = f"gradients of every {factor}th pair there, of all pairs here"
    return {
        "kl": data.get("target_kl", 0.01),
        "fisher_fraction": 1.0 / factor,
        "cg_steps": data.get("cg_max_steps", 15),
        "cg_damping": data.get("cg_damping", 0.1),
        "backtracks": max(0, int(data.get("line_search_max_iter", 10)) - 1),
        "accept_ratio": 0.0,
        "normalize_advantages": "batch" if data.get("normalize_advantage", True) else "none",
    }


def _short(value: Any) -> str:
    if isinstance(value, Mapping):
        text = str(value.get("value_schedule", value.get(":type:", "a function")))
        found = re.search(r"val=([-+.\deE]+)", text)
        return found.group(1) if found else text
    return str(value)
