"""The dataset of a step study, with what follows from its sums."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from pgcore.studies.engine.derived import annotate, derive, describe, with_bounds
from pgcore.studies.engine.reading import open_study
from pgcore.studies.measures.statistics import mean_over_trials
from pgcore.studies.measures.step_summary import (
    OF_CENTRE,
    OF_STEPS,
    agent_summary,
    trial_summary,
)

_OF_STEP = {
    "reward": ("return", "mean return after the step"),
    "own_error": ("return", "its standard error over the step's own trajectories"),
    "centre": ("return", "mean return before the steps"),
    "centre_error": ("return", "its standard error over trajectories"),
    "change": ("return", "change of the mean return by the step; paired with common random "
               "numbers"),
    "change_error": ("return", "standard error of one change, the centre's among it"),
    "apart_error": ("return", "standard error of a change without what all steps share"),
    "common_error": ("return", "standard error that all changes share; 0 with common random "
                     "numbers"),
    "trajectories": ("trajectories", "trajectories of the step"),
    "compared": ("trajectories", "trajectories that a change's error is from"),
    "mean_trajectories": ("trajectories", "trajectories of a step, mean over steps"),
    "mean_kl": ("nat", "mean KL divergence of a step, mean over steps"),
    "mean_norm": ("1", "length of a step, mean over steps"),
    "mean_gain": ("1", "gain of the surrogate on a step's own pairs, mean over steps"),
    "mean_fresh_gain": ("1", "gain of the surrogate on fresh pairs, mean over steps"),
    "median_gain": ("1", "gain of the surrogate on a step's own pairs, median over steps: a few "
                    "steps with large importance ratios can make the mean"),
}  # fmt: skip
_MEANS = {"trajectories": "trajectories", "kl": "kl", "norm": "norm", "gain": "surrogate",
          "fresh_gain": "fresh"}  # fmt: skip
_GAINS = ("mean_gain", "median_gain", "mean_fresh_gain")


def open_step(out: str | Path) -> xr.Dataset:
    """Dims agent, iteration, trial, n, kind, step, fraction, measure (return, discounted).

    Beside the sums over trajectories each step's change of the reward with its errors, and the
    statistics of all steps of a trial, and over trials; see the variables' descriptions.
    """
    return step_quantities(open_study(Path(out) / "dataset.zarr"))


def step_quantities(data: xr.Dataset) -> xr.Dataset:
    """A step study's dataset with changes, their errors and their statistics."""
    common = data.attrs["spec"].find('"noise": "common"') >= 0
    data["reward"], data["own_error"] = mean_error(data["count"], data["total"], data["square"])
    names = ("centre_count", "centre_total", "centre_square")
    data["centre"], data["centre_error"] = mean_error(*(data[n] for n in names))
    if common:
        names = ("paired_count", "paired_total", "paired_square")
        data["change"], data["apart_error"] = mean_error(*(data[n] for n in names))
        data["common_error"] = xr.zeros_like(data["centre_error"])
        data["compared"] = data["paired_count"].copy()
    else:
        data["change"] = data["reward"] - data["centre"]
        data["apart_error"] = data["own_error"].copy()
        data["common_error"] = data["centre_error"].copy()
        data["compared"] = data["count"].copy()
    data["change_error"] = np.sqrt(data["apart_error"] ** 2 + data["common_error"] ** 2)
    for name in ("change", "change_error", "apart_error"):  # what was refused changes nothing
        data[name] = data[name].where(data["norm"] != 0, 0.0)
    data["trajectories"] = data["count"].copy()
    for name, of in _MEANS.items():
        data[f"mean_{name}"] = data[of].mean("step", skipna=False)
    data["median_gain"] = data["surrogate"].median("step", skipna=False)
    describe(data, _OF_STEP)
    arguments = [data[n] for n in (*OF_STEPS, *OF_CENTRE)]
    derive(data, trial_summary, arguments, ["step"], _summary_names("", "steps"))
    over = {**_summary_names("_over_trials", "trials"), **_between_trials()}
    derive(data, agent_summary, arguments, ["trial", "step"], over)
    for name in _GAINS:
        unit, text = _OF_STEP[name]
        own = with_bounds(f"{name}_over_trials", unit, f"{text}; over trials", "trials")
        derive(data, mean_over_trials, [data[name]], ["trial"], own)
    return annotate(data)


def _summary_names(suffix: str, over: str) -> dict[str, tuple[str, str]]:
    """The numbers of a summary, in its order."""
    where = ", over trials" if suffix else ""

    def interval(name: str, unit: str, text: str) -> dict[str, tuple[str, str]]:
        return with_bounds(name + suffix, unit, text + where, over)

    numbers = {
        "clearly_lowering_share": ("1", "share of the steps whose own interval lies below 0"),
        "clearly_raising_share": ("1", "share of the steps whose own interval lies above 0"),
        "left_tail": ("1", "probability that the return after a step is below half its mean"),
        "lowest_tenth": ("return", "mean of the lowest tenth of the returns after steps (CVaR)"),
        "change_reliability": ("1", "share of the changes' variance that is no evaluation noise"),
        "gain_correlation_without_noise": ("1", "gain_correlation without evaluation noise"),
    }
    return {
        **interval("mean_change", "return", "mean change of the reward by a step"),
        **interval("change_spread", "return", "standard deviation between steps, without noise"),
        **interval("lowering_share", "1", "share of the measured changes that are below 0"),
        **interval("gain_correlation", "1", "correlation of surrogate's gain and reward's change "
                   "between the steps of a trial"),
        **{name + suffix: (unit, text + where) for name, (unit, text) in numbers.items()},
    }  # fmt: skip


def _between_trials() -> dict[str, tuple[str, str]]:
    raising = "of the steps that raise the surrogate, the share that"
    return {
        **with_bounds("gain_correlation_between_trials", "1", "correlation of the trials' mean "
                      "gains and mean changes", "trials"),
        **with_bounds("raising_yet_lowering_share", "1", f"{raising} clearly lowers the reward",
                      "trials"),
        **with_bounds("raising_maybe_lowering_share", "1", f"{raising} may lower the reward",
                      "trials"),
    }  # fmt: skip


def mean_error(
    count: xr.DataArray, total: xr.DataArray, square: xr.DataArray
) -> tuple[xr.DataArray, xr.DataArray]:
    """Mean return and its standard error over trajectories; NaN below one and two of them."""
    mean = total / count.where(count > 0)
    n = count.where(count > 1)
    variance = (square - total**2 / n).clip(min=0.0) / (n - 1)
    return mean, (variance / n) ** 0.5
