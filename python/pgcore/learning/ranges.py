"""What the numbers of an update and of a judgement may be, in training and of an agent's own."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from pgcore.base.errors import check_choice, check_count, check_number

BASELINES = ("value", "zero")  # of advantages
# what one iteration repeats, least values; many times the usual is a slip of the keyboard
_REPEATED = {"policy_epochs": 1, "value_epochs": 1, "cg_steps": 1, "backtracks": 0}
_MOST_REPEATED = 10_000
_POSITIVE = ("value_lr", "adam_eps", "kl", "clip", "fisher_fraction")
# > 0, or None
_BOUNDS = ("max_grad_norm", "value_max_grad_norm", "target_kl", "value_clip")
_UNIT = ("gamma", "lam")
_CHOICES = {
    "baseline": BASELINES,
    "normalize_advantages": ("minibatch", "batch", "none"),
    "time_limit": ("bootstrap", "terminate"),
    "cut": ("next", "current", "zero"),
    "time_limit_rule": ("bootstrap", "terminate"),
    "cut_rule": ("next", "current", "zero"),
}


def check_ranges(settings: Any) -> None:
    """Whether those fields of a dataclass that are named here have a value that they may have.

    Raises:
        ValueError, TypeError: with the field's name.
    """
    for name in (f.name for f in dataclasses.fields(settings)):
        value = getattr(settings, name)
        if name in _REPEATED:
            check_count(name, value, _REPEATED[name], _MOST_REPEATED)
        elif name == "minibatches":
            check_count(name, value)
        elif name in _POSITIVE:
            check_number(name, value, 0, 1.0 if name == "fisher_fraction" else math.inf, above=True)
        elif name in _BOUNDS and value is not None:
            check_number(name, value, 0, above=True)
        elif name in _UNIT:
            check_number(name, value, 0, 1)
        elif name in ("policy_lr", "cg_damping", "accept_ratio"):  # a rate may have fallen to 0
            check_number(name, value, 0)
        elif name == "entropy":
            check_number(name, value)
        elif name in _CHOICES:
            check_choice(name, value, _CHOICES[name])
