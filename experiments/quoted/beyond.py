"""How well the noise law predicts what was measured, over all agents of the kept sweeps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr
from pack import study

from quoted.writing import number, table

SWEEPS = {"hopper-gradient": "Hopper", "humanoid-gradient": "Humanoid"}
RANGES = ((100, 999), (1000, 4999), (5000, 10**6))
KINDS = {
    "pairwise_cosine": ("between two estimates", "predicted_pairwise_cosine"),
    "cosine_to_true": ("to the true gradient", "predicted_cosine_to_true"),
}


def beyond(results: Path) -> dict[str, str]:
    """Errors of the law by task and n, and how often an interval contains what it says."""
    rows = []
    for name, task in SWEEPS.items():
        data = study(name, results)
        for kind, (words, predicted) in KINDS.items():
            error = data[kind] - data[predicted]
            low, high = data[f"{kind}_low"], data[f"{kind}_high"]
            inside = (low <= data[predicted]) & (data[predicted] <= high)
            known = error.notnull() & low.notnull()
            share = float(inside.where(known).mean())
            cells = [_typical(error, *ends) for ends in RANGES]
            rows.append([task, words, *cells, f"{100 * share:.0f} %"])
    first = study("hopper-gradient", results)
    return {
        "table": table(
            ["task", "cosine", *(f"n {_words(*ends)}" for ends in RANGES), "in the interval"], rows
        ),
        "agents": f"{first.sizes['agent'] * first.sizes['trial']}",
        "moments": f"{first.sizes['agent'] * first.sizes['trial'] * first.sizes['iteration']}",
    }


def _typical(error: xr.DataArray, low: int, high: int) -> str:
    """Median error over agents, moments and n of a range, and its median size."""
    own = error.where((error.n >= low) & (error.n <= high)).values
    own = own[np.isfinite(own)]
    if not len(own):
        return "-"
    return f"{number(np.median(own), 3, '+')} (size {number(np.median(np.abs(own)), 3)})"


def _words(low: int, high: int) -> str:
    return f"from {low}" if high == 10**6 else f"{low} to {high + 1}"
