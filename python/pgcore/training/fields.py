"""The checks of a training run's settings, field by field: kind and range."""

from __future__ import annotations

from typing import Any

from pgcore.base.errors import (
    check_choice,
    check_count,
    check_flag,
    check_number,
    check_seed,
    check_type,
)
from pgcore.learning.ranges import check_ranges
from pgcore.policies.head import STD_MAPS, STDS
from pgcore.policies.mlp import ACTIVATIONS
from pgcore.policies.stack import INITIALIZATIONS
from pgcore.tasks.actions import ACTION_MAPS
from pgcore.tasks.task import TaskSpec

# least values of what is counted
_COUNTS = {
    **dict.fromkeys(("trials", "iterations", "pairs", "streams", "minibatches"), 1),
    **dict.fromkeys(("save_every", "block"), 1),
    "first_trial": 0,
}
_LARGEST_LOG = 80.0  # of a number whose square root and square are floats, too
_BOUNDS = ("obs_clip", "reward_clip")  # > 0, or None
_FLAGS = (
    "anneal",
    "normalize_obs",
    "normalize_rewards",
    "value_skip_terminal",
    "lowered",
    "persist",
)
_CHOICES = {
    "activation": tuple(ACTIVATIONS),
    "init": INITIALIZATIONS,
    "std": STDS,
    "std_map": tuple(STD_MAPS),
    "mean_map": tuple(ACTIVATIONS),
}
_CHOICES_OR_NONE = {
    "actions": tuple(ACTION_MAPS),
    "value_activation": tuple(ACTIVATIONS),
    "value_init": INITIALIZATIONS,
}


def check_fields(config: Any) -> None:
    """Whether every field of a :class:`~pgcore.training.TrainConfig` is what it must be.

    Raises:
        ValueError, TypeError: with the field's name.
    """
    check_type("task", config.task, str | TaskSpec, "an id, a task file or a TaskSpec")
    for name, least in _COUNTS.items():
        check_count(name, getattr(config, name), least)
    check_seed("seed", config.seed)
    check_number("policy_lr", config.policy_lr, 0, above=True)
    check_ranges(config)
    for name in _BOUNDS:
        if getattr(config, name) is not None:
            check_number(name, getattr(config, name), 0, above=True)
    check_number("accept_ratio", config.accept_ratio, 0, 1)
    check_number("log_std", config.log_std, -_LARGEST_LOG, _LARGEST_LOG)
    for name in _FLAGS:
        check_flag(name, getattr(config, name))
    for name, choices in _CHOICES.items():
        check_choice(name, getattr(config, name), choices)
    for name, choices in _CHOICES_OR_NONE.items():
        if getattr(config, name) is not None:
            check_choice(name, getattr(config, name), choices)
    _check_sequences(config)


def _check_sequences(config: Any) -> None:
    for name in ("hidden", "value_hidden"):
        check_type(name, getattr(config, name), tuple | list, "a tuple of layer widths")
        for width in getattr(config, name):
            check_count(name, width)
    if config.keep is not None:
        check_type("keep", config.keep, tuple | list, "a tuple of iterations, or None")
        for iteration in config.keep:
            check_count("keep", iteration, 0, config.iterations)
