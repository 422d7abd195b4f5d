"""The dataset of a step study, with what follows from its sums."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from pgcore.studies.engine.store import open_study


def open_step(out: str | Path) -> xr.Dataset:
    """Dims agent, iteration, trial, n, kind, step, fraction, measure (return, discounted).

    Beside the sums: reward, own_error (standard error over the step's own trajectories), centre,
    centre_error, change (from the centre; paired with common random numbers), change_error (of one
    change, the centre's among it), apart_error (of a change without what all steps share),
    common_error (what all steps share; 0 with common random numbers), trajectories and compared
    (those that a change's error is from).
    """
    data = open_study(Path(out) / "dataset.zarr")
    common = data.attrs["spec"].find('"noise": "common"') >= 0
    data["reward"], data["own_error"] = mean_error(data["count"], data["total"], data["square"])
    names = ("centre_count", "centre_total", "centre_square")
    data["centre"], data["centre_error"] = mean_error(*(data[n] for n in names))
    if common:
        names = ("paired_count", "paired_total", "paired_square")
        data["change"], data["apart_error"] = mean_error(*(data[n] for n in names))
        data["common_error"] = xr.zeros_like(data["centre_error"])
        data["compared"] = data["paired_count"]
    else:
        data["change"] = data["reward"] - data["centre"]
        data["apart_error"], data["common_error"] = data["own_error"], data["centre_error"]
        data["compared"] = data["count"]
    data["change_error"] = np.sqrt(data["apart_error"] ** 2 + data["common_error"] ** 2)
    data["trajectories"] = data["count"]
    return data


def mean_error(
    count: xr.DataArray, total: xr.DataArray, square: xr.DataArray
) -> tuple[xr.DataArray, xr.DataArray]:
    """Mean return and its standard error over trajectories; NaN below one and two of them."""
    mean = total / count.where(count > 0)
    n = count.where(count > 1)
    variance = (square - total**2 / n).clip(min=0.0) / (n - 1)
    return mean, (variance / n) ** 0.5
