"""The dataset of a variance study, with the budget, what baselines leave, and both over trials."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from pgcore.base.arrays import F64
from pgcore.studies.engine.derived import annotate, derive, describe, with_bounds
from pgcore.studies.engine.store import FINISHED, open_study
from pgcore.studies.measures.over_trials import geometric_over_trials
from pgcore.studies.measures.statistics import mean_over_trials
from pgcore.studies.measures.variance import (
    BASELINES,
    PARTS,
    Budget,
    budget,
    jackknife,
    log_jackknife,
)

_CELLS = ("agent", "iteration", "trial")
_PARTS = {
    "baseline": ("1", "what is taken off returns; with lambda of the agent: its GAE advantages"),
    "part": ("1", "what contributes: states, actions given these, the rest of the trajectory given "
             "both; and the covariance between pairs of a trajectory"),
    "judge": ("1", "what was taken off returns"),
    "trajectory": ("1", "number of a trajectory"),
}  # fmt: skip
# unit, description, how it is averaged over trials
NUMBERS: dict[str, tuple[str, str, Any]] = {
    "total": ("1", "tr Σ of the gradient of a trajectory", geometric_over_trials),
    "pairs": ("1", "its pairs' own part, without their covariance", geometric_over_trials),
    "share": ("1", "share of tr Σ that a part is", mean_over_trials),
    "total_left": ("1", "tr Σ against that without a baseline", geometric_over_trials),
    "pairs_left": ("1", "the pairs' part against that without a baseline", geometric_over_trials),
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

    Those over trials are beside them, named ``.._over_trials``.
    """
    data = data.assign_coords(baseline=list(BASELINES), part=list(PARTS))
    sizes = tuple(data.sizes[d] for d in _CELLS)
    inner = {name: ("baseline", "part") if name == "share" else ("baseline",) for name in NUMBERS}
    found: dict[str, F64] = {
        name: np.full((*sizes, *(data.sizes[d] for d in dims), 3), np.nan)
        for name, dims in inner.items()
    }
    stored = {n: data[n].transpose(*_CELLS, ..., "trajectory").values for n in _READ}
    for cell in np.ndindex(*sizes):
        own = {n: values[cell] for n, values in stored.items()}
        if np.isfinite(own["length"]).all():
            for name, rows in _numbers(budget(own)).items():
                found[name][cell] = rows
    for name, (unit, text, over) in NUMBERS.items():
        dims = (*_CELLS, *inner[name])
        for i, key in enumerate(with_bounds(name, unit, text)):
            data[key] = (dims, found[name][..., i])
        describe(data, with_bounds(name, unit, text, "trajectories, with a state of each"))
        variables = with_bounds(f"{name}_over_trials", unit, f"{text}, over trials", "trials")
        derive(data, over, [data[name]], ["trial"], variables)
    describe(data, _PARTS)
    return annotate(data)


def _numbers(found: Budget) -> dict[str, F64]:
    """Of one agent: each number with its interval, [..., 3]."""
    with np.errstate(invalid="ignore"):
        share = found.parts / found.total[:, None]
    return {
        "total": log_jackknife(found.total),
        "pairs": log_jackknife(found.pairs),
        "share": jackknife(share),
        "total_left": log_jackknife(found.total / found.total[0]),
        "pairs_left": log_jackknife(found.pairs / found.pairs[0]),
    }
