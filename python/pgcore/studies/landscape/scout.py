"""The scout line: how far a random direction has to be followed to see where the reward falls."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import xarray as xr

from pgcore.base.arrays import F64
from pgcore.studies.engine.store import open_study

FARTHEST = 3.0  # of the axis, as in the paper


def axis_of_maps(out: Path) -> tuple[float, float] | None:
    """The second axis of maps that are there; None where there are none."""
    for name in ("surrogate.zarr", "reward.zarr"):
        if (out / name).is_dir():
            axis = open_study(out / name, load=False)["random_scale"].values
            return float(axis[0]), float(axis[-1])
    return None


def scouted_axis(out: Path) -> tuple[float, float]:
    """What the scout line of all agents says, as far as it is there.

    Twice the median of the distances at which the reward has fallen, rounded up to 1, 2, 3 or 5
    times a power of ten; :data:`FARTHEST` at most, and where nothing falls.
    """
    if not (out / "scout.zarr").is_dir():
        return 0.0, FARTHEST
    falls = fall_distances(open_study(out / "scout.zarr"))
    falls = falls[np.isfinite(falls)]
    if not len(falls):
        return 0.0, FARTHEST
    return 0.0, min(rounded_up(2 * float(np.median(falls))), FARTHEST)


def fall_distances(scout: xr.Dataset) -> F64:
    """Where the mean return has first fallen half way from the centre's to the lowest of the line.

    NaN where the centre is not above half way, or not measured.

    Args:
        scout: count and total over (agent, iteration, trial, distance).

    Returns:
        A number for each line.
    """
    mean = (scout["total"] / scout["count"]).transpose(..., "distance")
    lines = mean.values.reshape(-1, mean.sizes["distance"])
    x = scout["distance"].values
    return np.array([_fall(x, line) for line in lines])


def _fall(x: F64, line: F64) -> float:
    if not np.isfinite(line).all() or line[0] <= line.min():
        return math.nan
    half = (line[0] + line.min()) / 2
    i = int(np.argmax(line <= half))
    share = (line[i - 1] - half) / (line[i - 1] - line[i])
    return float(x[i - 1] + share * (x[i] - x[i - 1]))


def rounded_up(value: float) -> float:
    """The next of 1, 2, 3 and 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(value))
    return round(next(m for m in (1, 2, 3, 5, 10) if m * power >= value * (1 - 1e-9)) * power, 12)
