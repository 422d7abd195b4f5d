"""The dataset of a curvature study, with shares, overlaps and what they are over trials."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import xarray as xr

from pgcore.base.arrays import F64, I64
from pgcore.studies.engine.derived import annotate, derive, describe, with_bounds
from pgcore.studies.engine.reading import FINISHED, open_study
from pgcore.studies.measures.over_trials import bounded_over_trials
from pgcore.studies.measures.statistics import mean_over_trials
from pgcore.studies.measures.subspaces import LEAST_COSINE, overlaps

SHARES = ("gradient", "step")
_OF_SPECTRUM = {
    "random_level": ("1", "k / P: share of a random vector, and overlap of random subspaces"),
    "magnitude": ("1", "magnitude of the leading eigenvalues"),
    "negative": ("1", "how many of the leading eigenvalues are negative"),
    "spectrum_share": ("1", "share of the sum of all squared eigenvalues that the leading have"),
    "effective_rank": ("1", "sum of all squared eigenvalues over the largest (stable rank)"),
    "gradient_shares": ("1", "share of each gradient estimate in the leading subspace"),
    "step_shares": ("1", "share of each step in the leading subspace"),
    "true_share": ("1", "share of the true gradient in the leading subspace, noise removed; NaN "
                   f"where its halves have a cosine below {LEAST_COSINE}"),
    "overlap": ("1", "overlap of the leading subspaces of two iterations; of one with itself: of "
                "its independent halves"),
    "split_half": ("1", "overlap of the leading subspaces of two independent halves"),
    "overlap_with_next": ("1", "overlap with the leading subspace of the next iteration here"),
    "overlap_with_first": ("1", "overlap with the leading subspace of the first iteration here"),
    "matrix": ("1", "Fisher matrix of the policy, or Hessian of the surrogate"),
    "half": ("1", "independent half of the pairs"),
    "vector": ("1", "number of a leading eigenvector"),
    "update": ("1", "number of a gradient estimate and a step"),
    "other_iteration": ("1", "iteration that a subspace is compared with"),
}  # fmt: skip
_OVER_TRIALS = ("gradient_share", "step_share", "true_share", "split_half", "overlap_with_next",
               "overlap_with_first", "overlap")  # fmt: skip


def open_curvature(out: str | Path) -> xr.Dataset:
    """Dims agent, iteration, trial, n, half, matrix, vector, update, other_iteration.

    Of the eigenvectors only shares and overlaps; they themselves are in ``dataset.zarr``.
    """
    stored = open_study(Path(out) / "dataset.zarr", load=False, whole=True)
    finished = (stored[FINISHED] == 1).load()
    small = stored.drop_vars([FINISHED, "eigenvector", "parameter"]).load()
    data = small.assign({name: v.where(finished) for name, v in small.data_vars.items()})
    data["overlap"] = _overlaps(stored["eigenvector"], finished)
    return curvature_quantities(data)


def curvature_quantities(data: xr.Dataset) -> xr.Dataset:
    """A curvature study's dataset with what follows from its spectra, shares and overlaps."""
    values = data["eigenvalue"]
    data["random_level"] = data.sizes["vector"] / data["parameters"]
    data["magnitude"] = abs(values)
    data["negative"] = (values < 0).sum("vector").where(values.notnull().all("vector"))
    data["spectrum_share"] = (values**2).sum("vector", skipna=False) / data["square"]
    data["effective_rank"] = data["square"] / values.isel(vector=0) ** 2
    true = data["true_along"].sum("vector", skipna=False).mean("half", skipna=False)
    data["true_share"] = true.where(data["true_cosine"] >= LEAST_COSINE)
    index = np.arange(data.sizes["iteration"])
    data["split_half"] = _between(data["overlap"], index)
    data["overlap_with_next"] = _between(data["overlap"], np.append(index[1:], -1))
    data["overlap_with_first"] = _between(data["overlap"], np.where(index > 0, 0, -1))
    for name in SHARES:
        each = data[f"{name}_along"].sum("vector", skipna=False).mean("half", skipna=False)
        data[f"{name}_shares"] = each
        text = f"share of {name}s in the leading subspace, mean over them"
        variables = with_bounds(f"{name}_share", "1", text, f"{name}s, given the subspace")
        derive(data, mean_over_trials, [each], ["update"], variables)
    describe(data, _OF_SPECTRUM)
    for name in _OVER_TRIALS:
        text = f"{data[name].attrs['description']}, over trials"
        variables = with_bounds(f"{name}_over_trials", "1", text, "trials")
        measure = functools.partial(bounded_over_trials, least=0.0, most=1.0)
        derive(data, measure, [data[name]], ["trial"], variables)
    return annotate(data)


def _between(overlap: xr.DataArray, others: I64) -> xr.DataArray:
    """Of each iteration with the one at a place; NaN where that is -1."""
    places = xr.DataArray(others, dims="iteration")
    own = {"iteration": xr.DataArray(np.arange(len(others)), dims="iteration")}
    chosen = overlap.isel(own | {"other_iteration": places}).drop_vars("other_iteration")
    return chosen.where(places >= 0)


def _overlaps(vectors: xr.DataArray, finished: xr.DataArray) -> xr.DataArray:
    """Of all pairs of iterations, one trial at a time: memory holds a trial's eigenvectors."""
    dims = ("agent", "trial", "n", "matrix")
    ordered = vectors.transpose(*dims, "iteration", "half", "vector", "parameter")
    there = finished.transpose("agent", "trial", "n", "iteration").to_numpy()
    shape, moments = [ordered.sizes[d] for d in dims], ordered.sizes["iteration"]
    found: F64 = np.full((*shape, moments, moments), np.nan)
    for cell in np.ndindex(*shape):
        present = there[cell[:3]]
        if present.any():
            where = {**dict(zip(dims, cell, strict=True)), "iteration": present}
            own = ordered.isel(where).to_numpy()
            known = np.isfinite(own[0, 0, 0])  # behind them a smaller policy is padded
            found[(*cell, *np.ix_(present, present))] = overlaps(own[..., known])
    return xr.DataArray(
        found,
        dims=(*dims, "iteration", "other_iteration"),
        coords={"other_iteration": vectors["iteration"].values},
    )
