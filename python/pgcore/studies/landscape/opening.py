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
from pgcore.studies.engine.reading import open_study
from pgcore.studies.landscape.maps import SUMS
from pgcore.studies.landscape.surfaces import standard_error
from pgcore.studies.measures.maps import (
    CORNER,
    agreement_measures,
    kl_at_one_step,
    shape_measures,
)
from pgcore.studies.measures.over_trials import bounded_over_trials
from pgcore.studies.measures.statistics import mean_over_trials

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
    "discounted_reward": ("return", "mean discounted return of the point"),
    "discounted_reward_error": ("return", "its standard error over trajectories"),
    "discounted_difference": ("return", "mean discounted return less the centre's; NaN without "
                              "common random numbers"),
    "discounted_difference_error": ("return", "its standard error over these pairs"),
    "random_norm": ("1", "length of a unit of the second direction"),
    "centre": ("return", "mean return before the step, from all maps of a checkpoint together"),
    "centre_error": ("return", "its standard error over trajectories"),
    "centre_trajectories": ("trajectories", "trajectories of it"),
    "discounted_centre": ("return", "the same of discounted returns"),
    "discounted_centre_error": ("return", "its standard error over trajectories"),
    "pairs_used": ("pairs", "state-action pairs of the point"),
    "mean_trajectories": ("trajectories", "trajectories of a point, mean over the map"),
}  # fmt: skip
_AGREEMENT = (
    ("sign_agreement", "1", "share of the steps along the first direction where surrogate and "
     "reward both rise or both fall"),
    ("rank_correlation", "1", "Kendall's correlation of surrogate and reward over the map"),
    ("corner_rank_correlation", "1", "the same over the corner where a step lives (first direction "
     f"up to {CORNER[0]:g}, second up to {CORNER[1]:g})"),
    ("one_step_change", "return", "change of the reward by one full step"),
)  # fmt: skip
_SHAPE = {
    "unexplained": ("1", "share of the reward's variation over the plane that a smooth "
                    "polynomial leaves"),
    "unexplained_by_noise": ("1", "the share that the points' errors alone would leave"),
    **with_bounds("jagged", "1", "share of the true reward's variation that it leaves"),
    "pairing_gain": ("1", "variance of the differences to the centre over that of independent "
                     "points, the median; NaN without common random numbers"),
}  # fmt: skip
_CHANGES = ("one_step_change", "discounted_one_step_change")
_BOUNDS = {  # of what has some
    "sign_agreement": (0.0, 1.0),
    "rank_correlation": (-1.0, 1.0),
    "corner_rank_correlation": (-1.0, 1.0),
    "jagged": (0.0, 1.0),
}
_DISCOUNTED = "discounted_"
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
    for name in ("step", "random"):
        data[f"{name}_norm"] = np.sqrt((directions[name] ** 2).sum("parameter", min_count=1))
    for mean, count, prefix in (("reward", "count", ""), ("difference", "paired_count", "paired_")):
        for kind in ("", _DISCOUNTED):
            names = [f"{kind}{prefix}{n}" for n in ("total", "square")]
            if names[0] in sums:  # an older pgcore did not discount
                own = (sums[n] for n in (count, *names))
                data[kind + mean], data[f"{kind}{mean}_error"] = _mean_error(*own)
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
    kinds = [kind for kind in ("", _DISCOUNTED) if f"{kind}reward" in data]
    for kind in kinds:
        _pool_centre(data, here, kind)
    data["mean_trajectories"] = data["trajectories"].mean(_GRID, skipna=False)
    describe(data, _POINTS)
    scales: list[Any] = [tuple(data[name].values.tolist()) for name in _GRID]
    spec = json.loads(data.attrs["spec"])
    common = spec.get("noise") == "common"
    lives = spec.get("directions", ["step"])[0] in ("step", "gradient")  # a step along the first
    for kind in kinds:
        names = [f"{kind}reward", f"{kind}reward_error", "trajectories"]
        pooled = [f"{kind}centre", f"{kind}centre_error", "centre_trajectories"]
        paired = [f"{kind}difference", f"{kind}difference_error", "paired_count"] if common else []
        arguments = [data[n] for n in ("surrogate", *names, *pooled, *paired) if n in data]
        of = " (discounted)" if kind else ""
        variables: dict[str, tuple[str, str]] = {}
        for name, unit, text in _AGREEMENT:
            variables |= with_bounds(kind + name, unit, text + of, "the true reward")
        derive(
            data,
            functools.partial(agreement_measures, *scales, lives=lives),
            arguments,
            _GRID,
            variables,
        )
        if not kind:
            arguments = [data[n] for n in (*names, *paired) if n in data]
            derive(data, functools.partial(shape_measures, *scales), arguments, _GRID, _SHAPE)
    for name in (n for n in (*_BOUNDS, *_CHANGES) if n in data):
        text = f"{data[name].attrs['description']}, mean over trials"
        variables = with_bounds(f"{name}_over_trials", data[name].attrs["units"], text, "trials")
        if name in _CHANGES:
            derive(data, mean_over_trials, [data[name]], ["trial"], variables)
            continue
        least, most = _BOUNDS[name]
        measure = functools.partial(bounded_over_trials, least=least, most=most)
        own = [data[f"{name}{end}"] for end in ("", "_low", "_high")]
        derive(data, measure, own, ["trial"], variables)
    derive(data, functools.partial(_kl, *scales), [data["kl"]], _GRID, _KL)
    return annotate(data)


def _mean_error(
    count: xr.DataArray, total: xr.DataArray, square: xr.DataArray
) -> tuple[xr.DataArray, xr.DataArray]:
    """Mean return and its standard error; NaN below one and two trajectories."""
    error = xr.apply_ufunc(standard_error, count, total, square)
    return total / count.where(count > 0), error.where(count > 1)


def _pool_centre(data: xr.Dataset, here: xr.DataArray, kind: str) -> None:
    """The centre's reward from all maps of a checkpoint, whose random numbers are independent."""
    names = (f"{kind}reward", f"{kind}reward_error", "trajectories")
    mean, error, count = (data[n].where(here).sum(_GRID, min_count=1) for n in names)
    known = (count > 1) & np.isfinite(mean) & np.isfinite(error)  # of a map that has its centre
    count, over = count.where(known), [d for d in ("source", "pairs") if d in data.dims]
    total, square = count * mean, count * (error**2 * (count - 1) + mean**2)
    n = count.sum(over, min_count=1)
    data[f"{kind}centre"], data[f"{kind}centre_error"] = _mean_error(
        n, total.where(known).sum(over, min_count=1), square.where(known).sum(over, min_count=1)
    )
    data["centre_trajectories"] = n


def _kl(steps: tuple[float, ...], randoms: tuple[float, ...], kl: F64) -> float:
    """Along the step; NaN where the plane does not hold it."""
    at = int(np.argmin(np.abs(randoms)))
    return kl_at_one_step(np.array(steps), kl[:, at]) if randoms[at] == 0 else np.nan
