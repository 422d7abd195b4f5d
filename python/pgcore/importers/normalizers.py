"""Observation statistics in files of their own."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pgcore.base.arrays import F64
from pgcore.importers.inert import Inert, array_of, read_pickle, refused
from pgcore.importers.parts import Statistics, refuse

_CLASSES = (
    "stable_baselines3.common.",
    "gymnasium.spaces.",
    "gym.spaces.",
    "gymnasium.wrappers.",
    "gym.wrappers.",
    "numpy.random.",
    "tianshou.utils.statistics.",
)


def statistics(mean: Any, scale: Any, clip: Any, count: Any = None) -> Statistics:
    """Checked statistics; a leading axis of length one is dropped."""
    flat: list[F64] = [
        np.ascontiguousarray(np.atleast_1d(np.squeeze(numbers(a, name))))
        for a, name in ((mean, "mean"), (scale, "variance"))
    ]
    if flat[0].ndim != 1 or flat[0].shape != flat[1].shape:
        got = f"{list(flat[0].shape)} and {list(flat[1].shape)}"
        raise refuse(f"normalizer: expected mean and scale [O], got {got}")
    bound = None if clip is None else number(clip, "clip")
    bound = None if bound == np.inf else bound
    seen = None if count is None else number(count, "count")
    return Statistics(flat[0], flat[1], bound, seen)


def numbers(value: Any, name: str) -> F64:
    """What a file has under a name as float64; CheckpointError if that is not numbers."""
    array = array_of(value)
    if array is None:
        raise refuse(f"normalizer: expected numbers as {name}, got {type(value).__name__}")
    return array


def number(value: Any, name: str) -> float:
    """One number of a file; CheckpointError if that is none."""
    array = numbers(value, name)
    if array.size != 1:
        raise refuse(f"normalizer: expected one number as {name}, got {array.size}")
    return float(array.reshape(-1)[0])


def of_variance(values: Mapping[str, Any], eps: float, clip: Any) -> Statistics:
    """Statistics from mean, var and count: scale = sqrt(var + eps)."""
    variance = numbers(values.get("var"), "var")
    made = statistics(values.get("mean"), np.sqrt(variance + eps), clip, values.get("count"))
    return dataclasses.replace(made, variance=variance.reshape(-1), eps=eps)


def read_vecnormalize(path: Path) -> dict[str, Any]:
    """Statistics and reward scale from ``vecnormalize.pkl``, as fields of Parts.

    Beside them ``last``, the last observations that it scaled, [N, O], or None.
    """
    made = read_pickle(path, _CLASSES)
    values = made.fields() if isinstance(made, Inert) else {}
    rms = values.get("obs_rms")
    if "norm_obs" not in values:
        raise refused(path, "expected a pickled VecNormalize")
    if values["norm_obs"] and not isinstance(rms, Inert):
        raise refuse("normalizer: observations that are a dictionary are not supported")
    eps = number(values.get("epsilon", 1e-8), "epsilon")
    found: dict[str, Any] = {"last": array_of(values.get("old_obs"))}
    if values["norm_obs"] and isinstance(rms, Inert):
        found["observations"] = of_variance(rms.fields(), eps, values.get("clip_obs", 10.0))
    ret = values.get("ret_rms")
    if values.get("norm_reward") and isinstance(ret, Inert):
        variance = number(ret.fields().get("var"), "the variance of returns")
        found["reward_std"] = float(np.sqrt(variance + eps)) - 1e-8
        found["reward_clip"] = number(values.get("clip_reward", 10.0), "clip_reward")
    return found


def read_statistics(path: Path, eps: float = 1e-8, clip: float | None = 10.0) -> Statistics:
    """Statistics from a file that a user made: ``.npz`` with mean and var (or scale), or a pickle.

    The pickle holds a RunningMeanStd, or a dictionary with mean and var. ``eps`` and ``clip`` are
    the library's, where the file has none.
    """
    if path.suffix == ".npz":
        try:
            with np.load(path, allow_pickle=False) as file:
                values: dict[str, Any] = dict(file)
        except Exception as error:
            raise refused(path, error) from error
    else:
        made = read_pickle(path, _CLASSES)
        values = made.fields() if isinstance(made, Inert) else made
    if not isinstance(values, Mapping) or "mean" not in values:
        raise refused(path, "expected mean and var")
    bound = values.get("clip_max", values.get("clip", clip))
    if "scale" in values:
        return statistics(values["mean"], values["scale"], bound, values.get("count"))
    return of_variance(values, number(values.get("eps", eps), "eps"), bound)
