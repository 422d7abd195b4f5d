"""The dataset of a landscape study: its maps, and what is measured of each."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from pgcore.base.arrays import F64
from pgcore.studies.engine.derived import annotate, derive, describe, with_bounds
from pgcore.studies.engine.store import open_study
from pgcore.studies.landscape.maps import SUMS
from pgcore.studies.landscape.surfaces import standard_error
from pgcore.studies.measures.maps import kl_at_one_step, map_measures

_GRID = ("step_scale", "random_scale")
_POINTS = {
    "step_norm": ("1", "length of the step; that of the random direction is 2"),
    "surrogate_change": ("1", "surrogate less the centre's; NaN where that is not on the grid"),
    "reward": ("return", "mean return of the point"),
    "reward_error": ("return", "its standard error over trajectories"),
    "difference": ("return", "mean return less the centre's, over trajectories with common random "
                   "numbers; NaN without"),
    "difference_error": ("return", "its standard error over these pairs of trajectories"),
    "trajectories": ("trajectories", "trajectories of the point"),
    "pairs_used": ("pairs", "state-action pairs of the point"),
    "mean_trajectories": ("trajectories", "trajectories of a point, mean over the map"),
}  # fmt: skip
_MEASURES = {
    **with_bounds("sign_agreement", "1", "share of the steps along the step direction where "
                  "surrogate and reward both rise or both fall", "the true reward"),
    **with_bounds("rank_correlation", "1", "Kendall's correlation of surrogate and reward over "
                  "the plane", "the true reward"),
    **with_bounds("one_step_change", "return", "change of the reward by one full step"),
    "unexplained": ("1", "share of the reward's variation over the plane that a smooth "
                    "polynomial leaves"),
    "unexplained_by_noise": ("1", "the share that the points' errors alone would leave"),
    **with_bounds("jagged", "1", "share of the true reward's variation that it leaves"),
    "pairing_gain": ("1", "variance of the differences to the centre over that of independent "
                     "points, the median; NaN without common random numbers"),
}  # fmt: skip
_KL = {"kl_at_one_step": ("nat", "mean KL divergence at one full step")}


def open_landscape(out: str | Path) -> xr.Dataset:
    """Maps over (agent, iteration, trial, source, [pairs,] step_scale, random_scale).

    Beside the points of each map what is measured of it; see the variables' descriptions. The
    measures of a map are computed when it is looked at.
    """
    parts = open_study(Path(out) / "reward.zarr")
    finished = parts["count"].notnull()
    needed = np.ceil(parts["pairs"] / json.loads(parts.attrs["spec"])["part_pairs"])
    # of finished parts alone, but a sum that is not finite stays so
    sums = parts[[name for name in SUMS if name in parts]].where(finished, 0)
    sums = sums.sum("part", skipna=False)
    sums = sums.where(finished.sum("part") == needed)  # a map is whole or missing
    directions = open_study(Path(out) / "surrogate.zarr")
    data = directions[["surrogate", "kl"]]
    data["step_norm"] = np.sqrt((directions["step"] ** 2).sum("parameter", min_count=1))
    for mean, error, names in (
        ("reward", "reward_error", ("count", "total", "square")),
        ("difference", "difference_error", ("paired_count", "paired_total", "paired_square")),
    ):
        count, total, square = (sums[n] for n in names)
        data[mean] = total / count.where(count > 0)
        spread = xr.apply_ufunc(standard_error, count, total, square)
        data[error] = spread.where(count > 1)
    data["trajectories"] = sums["count"]
    for name in ("pairs_used", "warnings", "diverged", "paired_count"):
        if name in sums:  # an older pgcore did not count divergences
            data[name] = sums[name]
            data[name].attrs.update(parts[name].attrs)
    data.attrs = parts.attrs
    return landscape_quantities(data)


def landscape_quantities(data: xr.Dataset) -> xr.Dataset:
    """A landscape study's dataset with the measures of its maps."""
    here = (data["step_scale"] == 0) & (data["random_scale"] == 0)
    centre = data["surrogate"].where(here).sum(_GRID, min_count=1)
    data["surrogate_change"] = data["surrogate"] - centre
    data["mean_trajectories"] = data["trajectories"].mean(_GRID, skipna=False)
    describe(data, _POINTS)
    scales: list[Any] = [tuple(data[name].values.tolist()) for name in _GRID]
    common = json.loads(data.attrs["spec"]).get("noise") == "common"
    names = ["surrogate", "reward", "reward_error", "trajectories"]
    names += ["difference", "difference_error", "paired_count"] if common else []
    arguments = [data[n] for n in names if n in data]
    derive(data, functools.partial(map_measures, *scales), arguments, _GRID, _MEASURES)
    derive(data, functools.partial(_kl, *scales), [data["kl"]], _GRID, _KL)
    return annotate(data)


def _kl(steps: tuple[float, ...], randoms: tuple[float, ...], kl: F64) -> float:
    """Along the step; NaN where the plane does not hold it."""
    at = int(np.argmin(np.abs(randoms)))
    return kl_at_one_step(np.array(steps), kl[:, at]) if randoms[at] == 0 else np.nan
