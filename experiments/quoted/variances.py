"""Quotations of the variance study of six trials."""

from __future__ import annotations

from pathlib import Path

import xarray as xr
from pack import study

from quoted.studies import AGENTS
from quoted.writing import interval, number, table

LEFT = ("value net", "fitted value", "best", "value net, own lambda")
PARTS = ("actions", "rest", "covariance")


def variance(results: Path) -> dict[str, str]:
    """What the variance is made of, and what baselines leave, over trials."""
    data = study("hopper-budget", results)
    iterations = [int(i) for i in data["iteration"].values]
    parts, left = [], []
    for agent in AGENTS:
        for iteration in iterations:
            own = data.sel(agent=agent, iteration=iteration)
            name = [agent.upper() if iteration == iterations[0] else "", str(iteration)]
            net = own.sel(baseline="value net")
            pairs = number(float(own["length"].mean()), 0)
            parts.append([*name, pairs, *(_percent(net.sel(part=p), "share") for p in PARTS)])
            left.append([*name, *(_percent(own.sel(baseline=b), "pairs_left") for b in LEFT)])
    state = data["share_over_trials"].sel(part="states")
    return {
        "trials": f"{data.sizes['trial']} trials",
        "states": f"{number(100 * state.min(), 0)} to {number(100 * state.max(), 0)} %",
        "parts": table(["", "iteration", "pairs of a trajectory", *PARTS], parts),
        "left": table(["", "iteration", *LEFT], left),
    }


def _percent(data: xr.Dataset, name: str) -> str:
    ends = [100 * float(data[f"{name}_over_trials{end}"]) for end in ("", "_low", "_high")]
    return interval(ends, 0 if max(map(abs, ends)) >= 10 else 2)
