"""Presets: the settings of the paper (Table 1) and of its authors' companion code."""

from __future__ import annotations

import dataclasses
from typing import Any

from pgcore.learning.algorithms import find_algorithm
from pgcore.training.config import TrainConfig

# What both sources do and Table 1 leaves out, by algorithm.
_COMMON: dict[str, dict[str, Any]] = {
    "ppo": {
        "anneal": True,
        "value_clip": 0.2,
        "normalize_rewards": True,
    },
    "trpo": {
        "init": "xavier",
        "normalize_advantages": "batch",
        "obs_clip": None,
        "fisher_fraction": 0.1,
    },
}
# The biased boundary conventions of the companion code, which trained the paper's agents.
_CONVENTIONS: dict[str, Any] = {
    "time_limit_rule": "terminate",
    "cut_rule": "current",
    "value_skip_terminal": True,
}
# Table 1, by algorithm and family of tasks.
_TABLE: dict[tuple[str, str], dict[str, Any]] = {
    ("Humanoid", "ppo"): {"policy_lr": 2.5e-4, "value_lr": 1e-4},
    ("Humanoid", "trpo"): {"kl": 0.07, "value_lr": 3e-4},
    ("Walker2d", "ppo"): {"policy_lr": 4e-4, "value_lr": 3e-4},
    ("Walker2d", "trpo"): {"kl": 0.04, "value_lr": 3e-4},
    ("Hopper", "ppo"): {"policy_lr": 4.5e-4, "value_lr": 2e-4, "value_clip": None},
    ("Hopper", "trpo"): {"kl": 0.13, "value_lr": 2e-4},
}
# Where the companion code differs from the paper's text.
_COMPANION_COMMON: dict[str, dict[str, Any]] = {
    "ppo": {"iterations": 488},
    "trpo": {"iterations": 488, "backtracks": 9, "fisher_fraction": 204 / 2048},
}
# Where it differs from Table 1.
_COMPANION: dict[tuple[str, str], dict[str, Any]] = {
    ("Hopper", "ppo"): {"policy_lr": 3e-4, "value_lr": 2.5e-4},
    ("Humanoid", "ppo"): {"policy_lr": 1.5e-4},
}

# What is to be known of a difference.
NOTES = {
    "iterations": "a million pairs are 488 iterations of 2048; annealing ends with them",
    "backtracks": "11 tries of the line search, the whole step among them, or 10",
    "fisher_fraction": "of 2048 states 205 in the Fisher-vector products, or 204",
}
PRESETS = ("default", "paper", "companion")
FAMILIES = ("Humanoid", "Walker2d", "Hopper")


def default_preset(task: str, algorithm: str) -> str:
    """The preset of whoever names none: the paper's for its own tasks, else the defaults."""
    family, _, version = task.partition("-")
    papers = family in FAMILIES and version.startswith("v2") and algorithm in _COMMON
    return "paper" if papers else "default"


def preset_config(preset: str, task: str, algorithm: str) -> TrainConfig:
    """The settings of a preset for a task and an algorithm.

    Args:
        preset: "paper", "companion", or "default" for the defaults of :class:`TrainConfig`.
        task: an id; the paper's presets exist for every version of Humanoid, Walker2d and Hopper.
        algorithm: of the table of algorithms; the paper's presets exist for ppo and trpo.

    Raises:
        ValueError: unknown preset, or no such preset for this task.
    """
    if preset not in PRESETS:
        raise ValueError(f"preset: expected one of {', '.join(PRESETS)}; got {preset!r}")
    find_algorithm(algorithm)
    config = TrainConfig(
        task=task,
        algorithm=algorithm,
        normalize_advantages="minibatch" if algorithm == "ppo" else "batch",
    )
    if preset == "default":
        return config
    if algorithm not in _COMMON:
        raise ValueError(f"preset: {preset!r} exists for ppo and trpo, not for {algorithm}")
    family = task.split("-")[0]
    if family not in FAMILIES:
        raise ValueError(
            f"preset: {preset!r} exists for {', '.join(FAMILIES)} only, not for {task!r}; "
            "use --preset default"
        )
    values = {**_COMMON[algorithm], **_CONVENTIONS, **_TABLE[family, algorithm]}
    if preset == "companion":
        values.update(_COMPANION_COMMON[algorithm])
        values.update(_COMPANION.get((family, algorithm), {}))
    return dataclasses.replace(config, **values)


def preset_differences() -> list[tuple[str, str, str, Any, Any]]:
    """Where the presets differ: (family, algorithm, field, paper, companion)."""
    rows = []
    for family in FAMILIES:
        for algorithm in _COMMON:
            paper = preset_config("paper", family, algorithm).to_dict()
            companion = preset_config("companion", family, algorithm).to_dict()
            for name, value in paper.items():
                if value != companion[name]:
                    rows.append((family, algorithm, name, value, companion[name]))
    return rows
