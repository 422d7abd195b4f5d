"""Quotations of the curvature study over a whole training of Hopper's agents."""

from __future__ import annotations

import math
from pathlib import Path

import xarray as xr
from pack import study

from quoted.writing import ends_of, interval, number, span, table

HEAD = ("", "iteration", "matrix", "halves agree", "overlap with the next", "with the first",
        "share of a gradient", "of the true one", "of a step")  # fmt: skip


def curvature(results: Path) -> dict[str, str]:
    """Leading subspaces over a training, over trials."""
    data = study("hopper-curvature", results).isel(n=0)
    rows = []
    for agent in data["agent"].values:
        for matrix in data["matrix"].values:
            for i, iteration in enumerate(data["iteration"].values):
                own = data.sel(agent=agent, matrix=matrix, iteration=iteration)
                names = ("split_half", "overlap_with_next", "overlap_with_first")
                shares = tuple(f"{part}_share" for part in ("gradient", "true", "step"))
                cells = [_cell(own, name, 3 if "step" in name else 2) for name in (*names, *shares)]
                head = ["" if i else str(agent).upper(), str(iteration), "" if i else str(matrix)]
                rows.append([*head, *cells])
    return {
        "table": table(HEAD, rows),
        "trials": number(data.sizes["trial"], 0),
        "vectors": number(data.sizes["vector"], 0),
        "chance": number(float(data["random_level"].max()), 3),
        "cosine": span(data["true_cosine"].median("trial")),
    }


def _cell(own: xr.Dataset, name: str, digits: int) -> str:
    """Its mean over trials; of one trial without an interval, and empty where there is none."""
    ends = ends_of(own, f"{name}_over_trials")
    if math.isnan(ends[1]):
        return "" if math.isnan(ends[0]) else f"{number(ends[0], digits)} (one trial)"
    return interval(ends, digits)
