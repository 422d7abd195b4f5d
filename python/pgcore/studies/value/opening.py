"""The dataset of a value study: its stores side by side, with what follows from them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import xarray as xr

from pgcore.studies.engine.derived import Measure, annotate, derive, with_bounds
from pgcore.studies.engine.reading import open_study
from pgcore.studies.measures.misfit import misfit_interval, misfit_parts, noise_share
from pgcore.studies.measures.over_trials import geometric_over_trials
from pgcore.studies.measures.statistics import (
    iqm_over_trials,
    mean_over_trials,
    pairwise_cosine_interval,
)
from pgcore.studies.measures.value import total_variance, variance_ratio, variance_removed

STORES = ("errors", "true_value", "monte_carlo", "variance")
_DIVERGED = {"monte_carlo": "continuations_diverged", "variance": "estimates_diverged"}
_MISFIT = "squared error against Monte Carlo values, as a share of the variance of value"
_VARIANCE = {"total_variance": ("1", "tr Σ per pair of the gradient estimates, unbiased")}
_NOISE = {"monte_carlo_noise": ("1", "noise of the Monte Carlo values, as a share of the same")}


def open_value(out: str | Path) -> xr.Dataset:
    """Dims agent, iteration, trial; set, target, measure; and n, baseline, estimate, other, state.

    What was not measured at an iteration is NaN, and a store that is not there has no variables.
    The parameters of the fitted true values stay in their store.
    """
    paths = {name: Path(out) / f"{name}.zarr" for name in STORES}
    there = {n: p for n, p in paths.items() if p.exists() or n == "errors"}
    return value_dataset({n: open_study(p, load=False) for n, p in there.items()})


def value_dataset(stores: Mapping[str, xr.Dataset]) -> xr.Dataset:
    """One dataset of the stores of a value study, by their names."""
    parts = []
    for name, data in stores.items():
        if "diverged" in data and name in _DIVERGED:
            data = data.rename(diverged=_DIVERGED[name])
        parts.append(data.drop_dims("parameter", errors="ignore").load())
    data = xr.merge(parts, join="outer", compat="override", combine_attrs="drop_conflicts")
    data.attrs = _attributes([part.attrs for part in parts])
    variables = with_bounds("error_iqm", "1", "interquartile mean of error over trials", "trials")
    derive(data, iqm_over_trials, [data["error"]], ["trial"], variables)
    if "gram" in data:
        _add_variances(data)
        _add_misfits(data)
    return annotate(data)


def _attributes(every: list[dict[str, Any]]) -> dict[str, Any]:
    """What made all the stores: their settings together, and the time of all."""
    together = {k: v for own in every for k, v in own.items()}
    specs = [json.loads(own["spec"]) for own in every]
    spec = {k: v for own in specs for k, v in own.items()}
    spec["sampling"] = {k: v for own in specs for k, v in own.get("sampling", {}).items()}
    for name in ("moments", "seeds"):
        together[name] = {k: v for own in every for k, v in own.get(name, {}).items()}
    seconds = sum(float(own.get("wall_seconds", 0.0)) for own in every)
    return {**together, "spec": json.dumps(spec, sort_keys=True), "wall_seconds": seconds}


def _add_variances(data: xr.Dataset) -> None:
    gram, vectors = data["gram"], ["estimate", "other"]
    derive(data, total_variance, [gram, data["n"]], vectors, _VARIANCE)
    for name, measure, other, text in (
        ("variance_ratio", variance_ratio, "value net", "total variance over the value net's"),
        ("variance_removed", variance_removed, "zero", "share of the variance without baseline "
         "that a baseline removes"),
    ):  # fmt: skip
        variables = with_bounds(name, "1", text, "estimates")
        derive(data, measure, [gram, gram.sel(baseline=other, drop=True)], vectors, variables)
    text = "mean pairwise cosine of gradient estimates with a baseline"
    variables = with_bounds("pairwise_cosine", "1", text, "estimates")
    derive(data, pairwise_cosine_interval, [gram], vectors, variables)
    _over_trials(data, mean_over_trials, "pairwise_cosine", "mean")
    for name in ("total_variance", "variance_ratio"):
        _over_trials(data, geometric_over_trials, name, "geometric mean")


def _over_trials(data: xr.Dataset, measure: Measure, name: str, kind: str) -> None:
    """What a measure says of a variable's trials."""
    text = f"{data[name].attrs['description']}, {kind} over trials"
    unit = str(data[name].attrs["units"])
    variables = with_bounds(f"{name}_over_trials", unit, text, "trials")
    derive(data, measure, [data[name]], ["trial"], variables)


def _add_misfits(data: xr.Dataset) -> None:
    values = [data["value"], data["value_error"]]
    for name, text in (("value_net", "value network's"), ("fitted", "fitted true value's")):
        variables = with_bounds(f"{name}_misfit", "1", f"the {text} {_MISFIT}", "states")
        derive(data, misfit_interval, [data[name], *values], ["state"], variables)
        _over_trials(data, geometric_over_trials, f"{name}_misfit", "geometric mean")
        parts = {
            f"{name}_mean_error": f"the {text} mean error against Monte Carlo values, in standard "
            "deviations of value",
            f"{name}_squared_mean_error": f"part of {name}_misfit that is squared mean error",
            f"{name}_misfit_rest": f"rest of {name}_misfit: variance of the error",
        }
        every = [with_bounds(n, "1", meaning, "states") for n, meaning in parts.items()]
        variables = {n: v for some in every for n, v in some.items()}
        derive(data, misfit_parts, [data[name], *values], ["state"], variables)
    derive(data, noise_share, values, ["state"], _NOISE)
