"""Quotations of landscapes of several trials: what maps have in common over agents."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr
from pack import study

from pgcore.studies.measures.statistics import mean_interval
from quoted.studies import AGENTS, NAMES
from quoted.writing import ends_of, interval, number, table

HEAD = ("", "iteration", "rough, 2000 pairs", "of noise alone", "rough, 20,000 pairs", "jagged",
        "Kendall's correlation", "steps of one sign", "change by one step")  # fmt: skip
FEW, MANY = 2000, 20_000


def trial_maps(results: Path) -> dict[str, str]:
    """Of the maps of two tasks at three iterations, over trials."""
    tasks = {name: study(f"{name}-trials-landscape", results).isel(source=0) for name in NAMES}
    tables = {f"table.{name}": _table(data) for name, data in tasks.items()}
    (trials,) = {data.sizes["trial"] for data in tasks.values()}
    return {**tables, "trials": number(trials, 0)}


def _table(data: xr.Dataset) -> str:
    """A row for each algorithm and iteration."""
    rows = []
    for agent in AGENTS:
        for i, iteration in enumerate(data["iteration"].values):
            own = data.sel(agent=agent, iteration=iteration)
            rough = [_mean(own.sel(pairs=n)["unexplained"].values) for n in (FEW, MANY)]
            noise = number(own.sel(pairs=FEW)["unexplained_by_noise"].mean(), 2)
            many = own.sel(pairs=MANY)
            names = ("jagged", "rank_correlation", "sign_agreement")
            cells = [interval(ends_of(many, f"{name}_over_trials"), 2) for name in names]
            change = interval(ends_of(many, "one_step_change_over_trials"), 0, "+")
            head = ["" if i else agent.upper(), str(iteration)]
            rows.append([*head, rough[0], noise, rough[1], *cells, change])
    return table(HEAD, rows)


def _mean(values: np.ndarray) -> str:
    """With its interval over trials."""
    return interval(mean_interval(values), 2)
