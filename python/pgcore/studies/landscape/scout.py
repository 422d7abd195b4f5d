"""The scout line: how far a random direction has to be followed to see where the reward falls."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import xarray as xr

from pgcore.base.arrays import F64
from pgcore.studies.engine.reading import FINISHED, open_study

FARTHEST = 3.0  # of the axis, as in the paper
_CLEAR = 3.0  # standard errors: the lowest of 17 flat points is so low in 2 of 100 lines


def axis_of_maps(out: Path) -> tuple[float, float] | None:
    """The second axis of maps that are there, whole or in part; None where there are none."""
    for name in ("surrogate.zarr", "reward.zarr"):
        if (out / name).is_dir():
            maps = open_study(out / name, load=False, whole=True)
            if bool(maps[FINISHED].notnull().any()):
                axis = maps["random_scale"].values
                return float(axis[0]), float(axis[-1])
    return None


def scouted_axis(out: Path) -> tuple[float, float]:
    """What the scout line of all agents says, as far as it is there.

    Twice the median of the distances at which the reward has fallen, rounded up to 1, 2, 3 or 5
    times a power of ten; :data:`FARTHEST` at most, and where nothing clearly falls.
    """
    if not (out / "scout.zarr").is_dir():
        return 0.0, FARTHEST
    falls = fall_distances(open_study(out / "scout.zarr"))
    falls = falls[np.isfinite(falls)]
    if not len(falls):
        return 0.0, FARTHEST
    return 0.0, min(rounded_up(2 * float(np.median(falls))), FARTHEST)


def what_was_scouted(out: Path) -> str:
    """What tables and figures say of the axis that the scout line chose."""
    known = (out / "scout.zarr").is_dir()
    falls = fall_distances(open_study(out / "scout.zarr")) if known else np.empty(0)
    seen = int(np.isfinite(falls).sum())
    if not seen:
        return "no fall of the reward was seen"
    lines = "" if seen == len(falls) else f", seen in {seen} of {len(falls)} lines"
    return f"twice the distance of the fall of the reward{lines}"


def fall_distances(scout: xr.Dataset) -> F64:
    """Where the mean return has first fallen half way from the centre's to the lowest of the line.

    NaN where the lowest is not below the centre by three standard errors of their paired
    difference, or the line was not measured: the lowest point of a flat line is noise.

    Args:
        scout: sums over (agent, iteration, trial, distance), the paired ones of differences from
            the centre.

    Returns:
        A number for each line.
    """
    own = scout.transpose(..., "distance")
    mean, (change, error) = own["total"] / own["count"], _paired(own)
    x = scout["distance"].values
    lines = (a.values.reshape(-1, len(x)) for a in (mean, change, error))
    return np.array([_fall(x, *line) for line in zip(*lines, strict=True)])


def _paired(scout: xr.Dataset) -> tuple[xr.DataArray, xr.DataArray]:
    """Mean difference from the centre and its standard error; NaN below two trajectories."""
    count = scout["paired_count"].where(scout["paired_count"] > 1)
    mean = scout["paired_total"] / count
    variance = (scout["paired_square"] - count * mean**2).clip(min=0.0) / (count - 1)
    return mean, (variance / count) ** 0.5


def _fall(x: F64, line: F64, change: F64, error: F64) -> float:
    lowest = int(np.argmin(line))
    if not np.isfinite(line).all() or not change[lowest] < -_CLEAR * error[lowest]:
        return math.nan
    half = (line[0] + line[lowest]) / 2
    i = int(np.argmax(line <= half))
    share = (line[i - 1] - half) / (line[i - 1] - line[i])
    return float(x[i - 1] + share * (x[i] - x[i - 1]))


def rounded_up(value: float) -> float:
    """The next of 1, 2, 3 and 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(value))
    return round(next(m for m in (1, 2, 3, 5, 10) if m * power >= value * (1 - 1e-9)) * power, 12)
