"""Quotations of the sample regimes: the same training from other pairs per iteration."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr
from pack import study

from pgcore.studies.measures.differences import paired_difference
from quoted.writing import ends_of, interval, number, power, span, table

HEADS = ("", "n", "final return", "less that of 2048", "cosine of two gradients", "noise scale B",
         "steps that lower the return")  # fmt: skip
MIDDLE = slice(0.4, 0.6)  # of the pairs of a training


def regime(results: Path) -> dict[str, str]:
    """Rewards, gradients and steps at each n, and the lead of 2048 in the middle of training."""
    found = {}
    for task, prefix in (("hopper", ""), ("walker", "walker.")):
        data = study(f"{task}-regime", results).sel(rate=1.0, share=0.9)
        found |= {f"{prefix}{name}": text for name, text in _of(data).items()}
    return found


def _of(data: xr.Dataset) -> dict[str, str]:
    """Of one task."""
    rows = []
    for algorithm in data["algorithm"].values:
        for i, n in enumerate(data["pairs"].values):
            own = data.sel(algorithm=algorithm, pairs=n)
            rows.append(["" if i else str(algorithm).upper(), number(n, 0), *_row(own)])
    ours, many = (
        data["curve"].sel(progress=MIDDLE, pairs=n).mean("progress") for n in (2048, 8192)
    )
    lead = {
        f"lead.{a}": _difference(ours.sel(algorithm=a), many.sel(algorithm=a))
        for a in data["algorithm"].values
    }
    half = (data["final_reward_difference_high"] - data["final_reward_difference_low"]) / 2
    many_ppo = ends_of(data.sel(algorithm="ppo", pairs=8192), "final_reward_difference")
    return {
        "less.ppo": interval(many_ppo, 0, "+"),
        "trials": number(data.sizes["trial"], 0),
        "table": table(HEADS, rows),
        "half": span(half.sel(pairs=[512, 8192]), 0),
        **lead,
    }


def _row(own: xr.Dataset) -> list[str]:
    cells = []
    for name, digits, sign in (
        ("final_reward_over_trials", 0, ""),
        ("final_reward_difference", 0, "+"),
        ("pairwise_cosine_over_trials", 2, ""),
    ):
        ends = ends_of(own, name)
        cells.append(interval(ends, digits, sign) if np.ptp(ends) > 0 else "")
    scale = float(own["true_noise_scale_over_trials"])
    cells.append(power(scale) if np.isfinite(scale) else "not seen")
    percent = [100 * x for x in ends_of(own, "lowering_share_over_trials")]
    return [*cells, f"{interval(percent, 0)} %"]


def _difference(one: xr.DataArray, other: xr.DataArray) -> str:
    found = paired_difference(one.values, other.values)
    return interval((found.estimate, found.low, found.high), 0, "+")
