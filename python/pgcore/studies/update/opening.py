"""The dataset of an update study, with what follows from its sums."""

from __future__ import annotations

from pathlib import Path

import xarray as xr

from pgcore.studies.engine.derived import annotate, describe
from pgcore.studies.engine.reading import open_study
from pgcore.studies.step.opening import mean_error

_DERIVED = {
    "change": ("return", "change of the reward from the start, paired on common streams"),
    "change_error": ("return", "standard error of the change over trajectories"),
    "centre": ("return", "mean return at the start of the updates"),
    "centre_error": ("return", "standard error of that over trajectories"),
    "reward": ("return", "mean return at the point"),
    "compared": ("1", "trajectories that a change's error is from"),
    "trajectories": ("1", "trajectories of the reward of a point"),
}


def open_update(out: str | Path) -> xr.Dataset:
    """Dims agent, iteration, trial, n, update, point, measure (return, discounted).

    Beside the sums: change (from the start, paired on common streams) and change_error (its
    standard error over trajectories), reward (mean return at the point), centre and centre_error
    (of the start), trajectories and compared (those that a change's error is from).
    """
    data = open_study(Path(out) / "dataset.zarr")
    names = ("paired_count", "paired_total", "paired_square")
    data["change"], data["change_error"] = mean_error(*(data[n] for n in names))
    names = ("centre_count", "centre_total", "centre_square")
    data["centre"], data["centre_error"] = mean_error(*(data[n] for n in names))
    data["reward"] = data["total"] / data["count"].where(data["count"] > 0)
    data["compared"], data["trajectories"] = data["paired_count"], data["count"]
    describe(data, _DERIVED)
    return annotate(data)
