"""What the exporter of :mod:`pgcore.importers.export_snippet` stored: an ``.npz``."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pgcore.importers.inert import refused
from pgcore.importers.normalizers import statistics
from pgcore.importers.parts import Options, Parts, agreed_activation

Reader = Callable[[Any, Options], Parts]
Settings = Callable[[Mapping[str, Any], dict[str, str]], dict[str, Any]]


def load(path: Path) -> dict[str, Any]:
    """The arrays of the file by their names; nothing in it is executed."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except Exception as error:
        raise refused(path, error) from error


def library_of(path: Path) -> str:
    """The library that the file says it is of."""
    arrays = load(path)
    if "library" not in arrays:
        raise refused(path, "no file of the exporter: it names no library")
    return str(arrays["library"])


def read(
    path: Path, of_state: Reader, options: Options, of_settings: Settings | None = None
) -> Parts:
    """An agent from the state dict in the file, in its library's layout, with its settings."""
    arrays = load(path)
    state: dict[str, Any] = {}
    for name, array in arrays.items():
        if name.startswith("state/"):
            *tables, key = name.removeprefix("state/").split("/")
            inner = state
            for table in tables:
                inner = inner.setdefault(table, {})
            inner[key] = torch.from_numpy(array)
    if "activation" in arrays:
        said = agreed_activation(options, str(arrays["activation"]))
        options = dataclasses.replace(options, activation=said)
    parts = of_state(state, options)
    changed: dict[str, Any] = {"source": {**parts.source, "exported": True}}
    if "mean" in arrays:
        clip = float(arrays["clip"])
        bound = clip if np.isfinite(clip) else None
        count = arrays.get("count")
        changed["observations"] = statistics(arrays["mean"], arrays["scale"], bound, count)
        changed["observations_missing"] = None
    if "reward_std" in arrays:
        changed |= {"reward_std": float(arrays["reward_std"]) - 1e-8, "reward_clip": 10.0}
        if "reward_clip" in arrays:
            own = float(arrays["reward_clip"])
            changed["reward_clip"] = None if own == np.inf else own
        changed["notes"] = {k: v for k, v in parts.notes.items() if k != "reward_scale"}
    notes = dict(changed.get("notes", parts.notes))
    if "settings" in arrays and of_settings is not None:
        settings = json.loads(str(arrays["settings"]))
        if not isinstance(settings, dict):
            raise refused(path, "expected a table of settings")
        changed |= of_settings(settings, notes)
    elif parts.algorithm is None:
        notes["algorithm"] = "the exporter's file has neither algorithm nor settings"
    changed["notes"] = notes
    return Parts(**{**vars(parts), **changed})
