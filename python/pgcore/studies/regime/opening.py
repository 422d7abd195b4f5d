"""The dataset of a sample regime study: one over all that was trained and measured."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from pgcore.base.arrays import F64
from pgcore.studies.engine.derived import derive, describe, with_bounds
from pgcore.studies.engine.reading import open_study
from pgcore.studies.gradient.opening import open_gradient
from pgcore.studies.measures.regime import (
    PAPER,
    lowering_over_trials,
    median_over_trials,
    trial_difference,
)
from pgcore.studies.measures.statistics import mean_over_trials
from pgcore.studies.regime.cells import REWARD_STORE, TRAINING_STORE
from pgcore.studies.regime.measuring import study_folder
from pgcore.studies.regime.settings import LAST, iteration_at
from pgcore.studies.step.opening import open_step
from pgcore.studies.style import spec_of
from pgcore.training.divergence import CAUSES

_DIMS = ("algorithm", "pairs", "rate", "trial", "share")
_COORDINATES = {
    "algorithm": ("1", "policy update"),
    "pairs": ("pairs", "state-action pairs per iteration of training, and of an estimate or step"),
    "rate": ("1", "factor of the preset's learning rate of the policy; of TRPO's bound delta"),
    "trial": ("1", "trial: the same seeds at every point of the grid"),
    "share": ("1", "share of the training's iterations that the agent had made"),
    "progress": ("1", "share of the total pairs at the end of a part of the training curve"),
}
_GRADIENT = ("pairwise_cosine", "noise_scale", "true_noise_scale", "split_half_cosine")
_STEP = (
    "mean_change",
    "lowering_share",
    "clearly_lowering_share",
    "mean_kl",
    "mean_norm",
    "mean_gain",
    "mean_fresh_gain",
)
_MEANS = ("final_reward", "training_return", "curve", "reward", "pairwise_cosine", "mean_change")
_COMPARED = ("final_reward", "pairwise_cosine", "mean_change")


def open_regime(out: str | Path) -> xr.Dataset:
    """Dims algorithm, pairs, rate, trial, share, progress; see the variables' descriptions.

    ``final_reward`` is the reward at the end of training. Of the gradient and the step study there
    is what agents have of their own n; the studies themselves open by their folders.
    """
    out = Path(out)
    data = open_study(out / REWARD_STORE)
    if (out / TRAINING_STORE).exists():
        told = open_study(out / TRAINING_STORE)
        data = xr.merge([data, told], join="left", combine_attrs="override")
    data["final_reward"] = data["reward"].sel(share=LAST, drop=True)
    describe(data, {"final_reward": ("return", "mean return at the end of training")})
    data["training_pairs"] = _training_pairs(data)
    for name, (attributes, values) in _measured(data, out).items():
        data[name] = xr.Variable(_DIMS, values, attributes)
    _add_statistics(data)
    for variable in data.data_vars.values():
        if "long_name" in variable.attrs:
            variable.attrs.setdefault("description", variable.attrs["long_name"])
    describe(data, _COORDINATES)
    data.attrs["trials_left_out"] = "; ".join(_left_out(data))
    return data


def _training_pairs(data: xr.Dataset) -> xr.Variable:
    total = spec_of(data)["total_pairs"]
    text = "pairs of a whole training, its iterations times pairs"
    units = {"units": "pairs", "description": text, "long_name": text}
    n = data["pairs"].values
    return xr.Variable("pairs", (total // n * n).astype(np.float64), units)


def _measured(data: xr.Dataset, out: Path) -> dict[str, tuple[dict[str, Any], F64]]:
    """What agents have of the gradient and the step study, by name, with attributes."""
    found: dict[str, tuple[dict[str, Any], F64]] = {}
    shape = tuple(data.sizes[d] for d in _DIMS)
    for a, algorithm in enumerate(data["algorithm"].values):
        for n, pairs in enumerate(data["pairs"].values):
            for own in _studies(out, str(algorithm), int(pairs)):
                places = list(_places(data, own, int(pairs)))
                for name in own.data_vars:
                    variable = own[name].transpose("agent", "iteration", "trial")
                    start = (dict(variable.attrs), np.full(shape, np.nan))
                    target = found.setdefault(str(name), start)[1]
                    values = variable.to_numpy()
                    for here, there in places:
                        target[(a, n, *there)] = values[here]
    return found


def _studies(out: Path, algorithm: str, pairs: int) -> Iterator[xr.Dataset]:
    """The variables of the gradient and the step study of some runs, as far as these are there."""
    folder = study_folder(out, "gradient", algorithm, pairs)
    if (folder / "dataset.zarr").exists() and (folder / "true.zarr").exists():
        data = open_gradient(folder).sel(n=pairs)
        yield data[[*_GRADIENT, "run_trial"]]
    folder = study_folder(out, "step", algorithm, pairs)
    if (folder / "dataset.zarr").exists():
        data = open_step(folder).sel(n=pairs, kind="step", fraction=1.0, measure="return")
        data["steps"] = data["change"].notnull().sum("step").astype(np.float64)
        describe(data, {"steps": ("1", "independent steps of the agent")})
        yield data[[*_STEP, "steps", "run_trial"]]


def _places(
    data: xr.Dataset, own: xr.Dataset, pairs: int
) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Places (agent, iteration, trial) of a study, and (rate, trial, share) of the regime's."""
    iterations = spec_of(data)["total_pairs"] // pairs
    shares = {
        iteration_at(s, iterations): i for i, s in enumerate(data["share"].values) if s < LAST
    }
    rates = {f"x{rate:g}": i for i, rate in enumerate(data["rate"].values)}
    trials = {int(t): i for i, t in enumerate(data["trial"].values)}
    numbers = own["run_trial"].transpose("agent", "iteration", "trial").to_numpy()
    agents, times = own["agent"].values, own["iteration"].values
    for here in np.argwhere(np.isfinite(numbers)):
        agent, iteration = str(agents[here[0]]).partition(" ")[0], int(times[here[1]])
        trial = int(numbers[tuple(here)])
        if agent in rates and iteration in shares and trial in trials:
            yield tuple(here), (rates[agent], trials[trial], shares[iteration])


def _add_statistics(data: xr.Dataset) -> None:
    """Over trials, and differences to the paper's setting, computed when they are used."""
    for name in (n for n in _MEANS if n in data):
        text, unit = data[name].attrs["long_name"], data[name].attrs["units"]
        over = with_bounds(f"{name}_over_trials", unit, f"{text}, mean over trials", "trials")
        derive(data, mean_over_trials, [data[name]], ["trial"], over)
    if "lowering_share" in data:
        text = "share of the measured changes that are below 0, mean over trials"
        over = with_bounds("lowering_share_over_trials", "1", text, "trials")
        of = [data["lowering_share"], data["steps"]]
        derive(data, lowering_over_trials, of, ["trial"], over)
    for name in (n for n in ("noise_scale", "true_noise_scale") if n in data):
        text = f"{data[name].attrs['long_name']}, median over trials"
        median = {f"{name}_over_trials": ("pairs", text)}
        there = data[name].notnull().where(data[name].notnull())  # where a value may be infinite
        derive(data, median_over_trials, [there, data[name]], ["trial"], median)
    pairs, rate = PAPER
    if pairs not in data["pairs"] or rate not in data["rate"]:
        return
    for name in (n for n in _COMPARED if n in data):
        reference = data[name].sel(pairs=pairs, rate=rate, drop=True)
        unit, what = data[name].attrs["units"], data[name].attrs["long_name"]
        text = f"{what}: less that of {pairs} pairs and factor {rate:g}, mean over trials"
        over = {
            **with_bounds(f"{name}_difference", unit, text, "trials, paired by their seeds"),
            f"{name}_difference_trials": ("1", "pairs of trials of the difference"),
        }
        numbers = data["trial"].astype(np.float64)
        derive(data, trial_difference, [data[name], reference, numbers], ["trial"], over)


def _left_out(data: xr.Dataset) -> Iterator[str]:
    """What is said of each trial that has diverged."""
    if "diverged_iteration" not in data:
        return
    lost = data["diverged_iteration"].transpose(*_DIMS[:-1])
    causes = data["diverged_cause"].transpose(*_DIMS[:-1]).to_numpy()
    for place in map(tuple, np.argwhere(lost.notnull().to_numpy())):
        algorithm, n, rate, trial = (
            lost[d].values[i] for d, i in zip(lost.dims, place, strict=True)
        )
        iteration, cause = int(lost.to_numpy()[place]), CAUSES[int(causes[place])]
        where = f"{algorithm} {n} x{rate:g}"
        yield f"{where}: trial {trial} diverged at iteration {iteration} ({cause})"
