"""RLlib, new API stack: a checkpoint's folder, or its ``module_state.pkl``."""

from __future__ import annotations

import base64
import io
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pgcore.base.arrays import F64
from pgcore.importers.inert import array_of, read_pickle, refused
from pgcore.importers.normalizers import statistics
from pgcore.importers.parts import (
    Keys,
    Network,
    Options,
    Parts,
    Statistics,
    chosen_activation,
    copied_trunk,
    refuse,
)

LIBRARY = "RLlib"
_CLIP = 20.0  # log_std_clip_param
STAND_INS = ()
_MODULE = "learner_group/learner/rl_module/default_policy/module_state.pkl"
_FILTER = "env_runner/env_to_module_connector/MeanStdFilter/state.pkl"


def recognises(path: Path, content: Any) -> bool:
    """Whether it is a checkpoint's folder, or the state of its module."""
    return path.name == "module_state.pkl" or (path / _MODULE).is_file()


def read(path: Path, content: Any, options: Options) -> Parts:
    """An agent from its checkpoint; only plain arrays are read."""
    state = read_pickle(path / _MODULE if path.is_dir() else path, ())
    parts = of_state(state, options)
    root = path
    if not path.is_dir() and path.as_posix().endswith(_MODULE):
        root = path.parents[_MODULE.count("/")]
    file = options.normalizer or root / _FILTER
    if options.normalizer is not None or file.is_file():
        return Parts(**{**vars(parts), "observations": _filter(file)})
    if path.is_dir():  # whole, and without a filter
        return parts
    missing = "module_state.pkl alone holds no filter of observations"
    return Parts(**{**vars(parts), "observations_missing": missing})


def of_state(state: Any, options: Options) -> Parts:
    """An agent from the state of its module, a table of arrays."""
    if not isinstance(state, Mapping):
        raise refuse("RLlib: expected a table of arrays in module_state.pkl")
    notes = {"settings": "not read from the checkpoint; pgcore's defaults of ppo are assumed"}
    activation = chosen_activation(options, "tanh", notes)
    tensors = {k: _tensor(v) for k, v in state.items() if array_of(v) is not None}
    keys = Keys(tensors, LIBRARY)
    encoders = "encoder.actor_encoder", "encoder.critic_encoder"
    if shared := keys.has("encoder.encoder."):
        encoders = "encoder.encoder", "encoder.encoder"
    deep = [h for h in ("pi", "vf") if len(keys.numbered(f"{h}.net.mlp")) > 1]
    if deep and options.activation is None:
        raise refuse(
            f"RLlib: {' and '.join(deep)} has hidden layers of its own, whose activation the file "
            "does not say (head_fcnet_activation, the encoder's being fcnet_activation); where "
            "both are one, give it with --activation"
        )
    policy = _network(keys, encoders[0], "pi", activation)
    value = None
    if keys.has("vf."):
        if shared:
            keys.put_back(tensors, encoders[1])
            copied_trunk(notes)
        value = _network(keys, encoders[1], "vf", activation)
    bounds = [
        float(keys.left.pop(f"{head}.log_std_clip_param_const", torch.tensor(_CLIP)).abs())
        for head in ("pi", "vf")
    ]
    free = "pi.log_std" in keys.left
    log_std = keys.take("pi.log_std").reshape(-1) if free else torch.empty(0)
    keys.finish()
    return Parts(
        library=LIBRARY,
        policy=policy,
        log_std=log_std,
        value=value,
        std="free" if free else "state",
        log_std_range=None if free else (-bounds[0], bounds[0]),
        actions="scale",
        algorithm="ppo",
        notes=notes,
    )


def _tensor(value: Any) -> torch.Tensor:
    return torch.from_numpy(np.array(array_of(value)))


def _network(keys: Keys, encoder: str, head: str, activation: str) -> Network:
    names = keys.numbered(f"{encoder}.net.mlp") + keys.numbered(f"{head}.net.mlp")
    return keys.layers(names, activation)


def _filter(path: Path) -> Statistics | None:
    """Statistics of the connector MeanStdFilter, of its one agent."""
    state = read_pickle(path, ())
    table = state.get("MeanStdFilter", state) if isinstance(state, Mapping) else {}
    table = table.get("mean_std_filters", table) if isinstance(table, Mapping) else {}
    single = isinstance(table, Mapping) and "running_stats" in table
    agents = [table] if single else list(table.values()) if isinstance(table, Mapping) else []
    try:
        (own,) = [a for a in agents if isinstance(a, Mapping) and "running_stats" in a]
        (running,) = own["running_stats"]
        count = float(running["num_pushes"])
        mean, m2 = (_unpacked(running[n]) for n in ("mean_array", "sum_sq_diff_array"))
        scale = np.sqrt(m2 / (count - 1)) + 1e-6
        if not own.get("de_mean_to_zero", True):
            mean = np.zeros_like(mean)
        if not own.get("de_std_to_one", True):
            scale = np.ones_like(scale)
        return statistics(mean, scale, own.get("clip_by_value", 10.0), count)
    except (KeyError, TypeError, ValueError, zlib.error) as error:
        raise refused(path, f"no filter of one agent ({error})") from error


def _unpacked(text: Any) -> F64:
    """An array as RLlib packs it: base64 of zlib of NumPy's format."""
    if array_of(text) is not None:
        return np.asarray(array_of(text))
    raw = zlib.decompressobj().decompress(base64.b64decode(text), 2**26)
    return np.asarray(np.load(io.BytesIO(raw), allow_pickle=False), dtype=np.float64)
