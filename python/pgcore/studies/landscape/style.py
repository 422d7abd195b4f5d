"""What tables, figures and pages of a landscape share: names of axes, grids, limits, texts."""

from __future__ import annotations

import numpy as np
import xarray as xr

from pgcore.base.arrays import F64
from pgcore.studies.measures.divergence import divergence_note
from pgcore.studies.style import shown, spec_of

# name -> what one unit along it is
DIRECTIONS = {
    "step": "one update step",
    "gradient": "the true gradient, as long as one update step",
    "random": "random, of norm 2",
    "filter": "random, each neuron's weights as long as the policy's",
    "agent": "the way to another agent",
}
_SHORT = {
    "step": "update step",
    "gradient": "true gradient",
    "random": "random",
    "filter": "random",
    "agent": "towards",
}
_UNITS = {"step": "steps", "gradient": "steps", "random": "norm 2", "filter": "filter norms"}


def _kinds(data: xr.Dataset) -> tuple[str, str]:
    first, second = spec_of(data).get("directions", ("step", "random"))
    return first, second


def names_of(data: xr.Dataset) -> tuple[str, str]:
    """Of both directions, and what a unit along them is."""
    first, second = (_named(data, DIRECTIONS[kind]) for kind in _kinds(data))
    return first, second


def _named(data: xr.Dataset, text: str) -> str:
    other = data.attrs.get("towards", "another agent")
    return text.replace("another agent", str(other))


def axis_names(data: xr.Dataset) -> tuple[str, str]:
    """Short names of both axes with their units."""
    other = data.attrs.get("towards", "the other agent")
    first, second = (
        f"{_SHORT[kind]} {other}" if kind == "agent" else f"{_SHORT[kind]} ({_UNITS[kind]})"
        for kind in _kinds(data)
    )
    return first, second


def range_text(data: xr.Dataset) -> str:
    """How far the axes go, and who chose that."""
    axes = (data[name].values for name in ("step_scale", "random_scale"))
    ends = " and ".join(f"{axis[0]:g} to {axis[-1]:g}" for axis in axes if len(axis) > 1)
    said = data.attrs.get("scouted")
    chosen = f", the second chosen from a scout line ({said})" if said else ""
    return f"axes {ends}{chosen}"


def grid(data: xr.DataArray) -> tuple[F64, F64, F64]:
    """x and y (units of the first and second direction) and z [step, random] of a surface."""
    z = data.transpose("step_scale", "random_scale").values
    x, y = np.meshgrid(data["step_scale"].values, data["random_scale"].values, indexing="ij")
    return x, y, z


def measured_pairs(rewards: xr.DataArray) -> list[int]:
    """The numbers of pairs at which every one of these maps was measured, growing."""
    lost = rewards.isnull().all(["step_scale", "random_scale"])
    whole = ~lost.any([d for d in lost.dims if d != "pairs"])
    return [int(n) for n in rewards["pairs"].values[whole.values]]


def limits_of(data: xr.DataArray) -> tuple[float, float]:
    """Of finite values, a little wider where they are all the same."""
    values = data.values[np.isfinite(data.values)]
    if not len(values):
        return 0.0, 1.0
    low, high = float(values.min()), float(values.max())
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def pairs_text(data: xr.Dataset, n: int) -> str:
    """How many pairs a point has; adaptive maps differ from point to point."""
    spec = spec_of(data)
    most = spec.get("budget") is not None or spec.get("target_error") is not None
    return f"{'up to ' if most else ''}{n} pairs"


def reward_text(data: xr.Dataset, n: int, own: xr.Dataset) -> str:
    """What a map of n pairs per point rests on."""
    return f"{pairs_text(data, n)} (~{float(own['trajectories'].mean()):.0f} trajectories)"


def has_common_numbers(data: xr.Dataset) -> bool:
    """Whether all points had the same random numbers."""
    return spec_of(data).get("noise") == "common"


def noise_text(data: xr.Dataset) -> str:
    """How the random numbers of the points go together."""
    return "common random numbers" if has_common_numbers(data) else "independent streams"


def title_of(data: xr.Dataset, agent: str, trial: int, source: int | None = None) -> str:
    """Task, agent, trial, directions, range, noise; and what blew up."""
    step = f"; step from {source} pairs" if source is not None else ""
    task = spec_of(data).get("task", "")
    first = f"{task}, {shown(agent)}, trial {trial}{step}; {noise_text(data)}"
    note = f"\n{blown}" if (blown := divergence_note(data)) else ""
    long = [len(data[name]) > 1 for name in ("step_scale", "random_scale")]
    units = "; ".join(name for name, drawn in zip(names_of(data), long, strict=True) if drawn)
    return f"{first}\nunits: {units}; {range_text(data)}{note}"
