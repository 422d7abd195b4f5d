"""The dataset of a variance study, with the budget, what baselines leave, and both over trials."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from pgcore.base.arrays import F64
from pgcore.studies.engine.derived import annotate, derive, describe, with_bounds
from pgcore.studies.engine.reading import FINISHED, open_study
from pgcore.studies.measures.over_trials import geometric_over_trials
from pgcore.studies.measures.statistics import mean_over_trials
from pgcore.studies.measures.variance import (
    BASELINES,
    PARTS,
    Budget,
    budget,
    jackknife,
    less_bias,
    log_jackknife,
    log_less_bias,
)

_CELLS = ("agent", "iteration", "trial")
_PARTS = {
    "baseline": ("1", "what is taken off returns; with lambda of the agent: its GAE advantages"),
    "part": ("1", "what contributes: states, actions given these, the rest of the trajectory given "
             "both; and the covariance between pairs of a trajectory"),
    "judge": ("1", "what was taken off returns"),
    "trajectory": ("1", "number of a trajectory"),
}  # fmt: skip
# interval over trajectories, estimate less its bias, mean of these over trials
_REAL = (jackknife, less_bias, mean_over_trials)
_POSITIVE = (log_jackknife, log_less_bias, geometric_over_trials)
# unit, description, how it is judged
NUMBERS: dict[str, tuple[str, str, Any]] = {
    "total": ("1", "tr Σ of the gradient of a trajectory", _POSITIVE),
    "pairs": ("1", "its pairs' own part, without their covariance", _POSITIVE),
    "share": ("1", "share of tr Σ that a part is", _REAL),
    "total_left": ("1", "tr Σ against that without a baseline", _POSITIVE),
    "pairs_left": ("1", "the pairs' part against that without a baseline", _POSITIVE),
}
_READ = ("length", "square", "own", "to_sum", "to_weighted", "rest", "state", "pair", "least")


def open_variance(out: str | Path) -> xr.Dataset:
    """Dims agent, iteration, trial, baseline, part; judge and trajectory of what was measured."""
    data = open_study(Path(out) / "dataset.zarr", whole=True).load()
    finished = data[FINISHED] == 1
    kept = data.drop_vars(FINISHED)
    kept = kept.assign({name: v.where(finished) for name, v in kept.data_vars.items()})
    return variance_quantities(kept)


def variance_quantities(data: xr.Dataset) -> xr.Dataset:
    """A variance study's dataset with the numbers of :data:`NUMBERS`; intervals over trajectories.

    Those over trials are beside them, named ``.._over_trials``: means of the trials' numbers less
    their jackknife bias.
    """
    data = data.assign_coords(baseline=list(BASELINES), part=list(PARTS))
    sizes = tuple(data.sizes[d] for d in _CELLS)
    inner = {name: ("baseline", "part") if name == "share" else ("baseline",) for name in NUMBERS}
    found: dict[str, F64] = {
        name: np.full((*sizes, *(data.sizes[d] for d in dims), 4), np.nan)
        for name, dims in inner.items()
    }
    stored = {n: data[n].transpose(*_CELLS, ..., "trajectory").values for n in _READ}
    for cell in np.ndindex(*sizes):
        own = {n: values[cell] for n, values in stored.items()}
        if np.isfinite(own["length"]).all():
            for name, values in _numbers(budget(own)).items():
                ends, estimate, _ = NUMBERS[name][2]
                found[name][cell][..., :3], found[name][cell][..., 3] = (
                    ends(values),
                    estimate(values),
                )
    for name, (unit, text, (_, _, over)) in NUMBERS.items():
        dims = (*_CELLS, *inner[name])
        for i, key in enumerate(with_bounds(name, unit, text)):
            data[key] = (dims, found[name][..., i])
        describe(data, with_bounds(name, unit, text, "trajectories, with a state of each"))
        variables = with_bounds(f"{name}_over_trials", unit, f"{text}, over trials", "trials")
        derive(data, over, [xr.DataArray(found[name][..., 3], dims=dims)], ["trial"], variables)
    describe(data, _PARTS)
    return annotate(data)


def _numbers(found: Budget) -> dict[str, F64]:
    """Of one agent: each number of all its trajectories, then without each of them."""
    with np.errstate(invalid="ignore"):
        return {
            "total": found.total,
            "pairs": found.pairs,
            "share": found.parts / found.total[:, None],
            "total_left": found.total / found.total[0],
            "pairs_left": found.pairs / found.pairs[0],
        }
