"""TorchRL: the render checkpoint of its PPO for MuJoCo, an actor with frozen statistics."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from pgcore.importers.normalizers import statistics
from pgcore.importers.parts import Keys, Options, Parts, chosen_activation

LIBRARY = "TorchRL"
STAND_INS = ()
_STD = "module.0.module.1.state_independent_scale"


def recognises(path: Path, content: Any) -> bool:
    """Whether a file holds such an actor."""
    inner = content.get("model_state_dict") if isinstance(content, Mapping) else None
    return isinstance(inner, Mapping) and any("state_independent_scale" in k for k in inner)


def read(path: Path, content: Any, options: Options) -> Parts:
    """An agent from its file."""
    return of_state(content, options)


def of_state(content: Any, options: Options) -> Parts:
    """An agent from {"model_state_dict", "vecnorm"}."""
    notes = {
        "value": "the file has no value network",
        "actions": "the recorded action is the sample ahead of the tanh, and its log-probability "
        "the Gaussian's: the same ratios and gradients; an entropy bonus is another",
        "settings": "the file has none; pgcore's defaults of ppo are assumed",
    }
    activation = chosen_activation(options, "tanh", notes)
    keys = Keys(content["model_state_dict"], LIBRARY)
    log_std = torch.log(torch.exp(keys.take(_STD).reshape(-1)).clamp(min=1e-8))
    policy = keys.chain("module.0.module.0", activation=activation)
    keys.finish()
    frozen = content.get("vecnorm")
    found = None
    if isinstance(frozen, Mapping) and "loc" in frozen:
        found = statistics(frozen["loc"], frozen["scale"], 10.0)
    return Parts(
        library=LIBRARY,
        policy=policy,
        log_std=log_std,
        value=None,
        observations=found,
        observations_missing=None if found else "the file has no vecnorm",
        actions="tanh",
        algorithm="ppo",
        notes=notes,
    )
