"""Quotations of training runs (claim C9) and of the update study of early agents."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import xarray as xr
from learning_curves import LAST
from numpy.typing import NDArray
from pack import opened, study

from pgcore.studies.measures.statistics import iqm_interval, iqm_ratio_interval
from pgcore.studies.measures.updates import Along, over_units
from quoted.writing import interval, number, table

TASKS = {"hopper": "Hopper-v2", "walker": "Walker2d-v2", "humanoid": "Humanoid-v2"}
PUBLISHED = {  # mean returns that others report for v2 to v4 tasks after 10^6 steps
    ("hopper", "ppo"): (2000, 2700),
    ("hopper", "trpo"): (2000, 3600),
    ("walker", "ppo"): (2700, 3700),
    ("walker", "trpo"): (2700, 4900),
    ("humanoid", "ppo"): (550, 850),
    ("humanoid", "trpo"): (580, 1030),
}


def scores(results: Path, file: str) -> dict[str, re.Match[str]]:
    """IQM, interval and trials by agent, from a table of `learning_curves.py`."""
    rule = r"\S+ (?P<agent>.*): IQM (?P<iqm>\S+ \[\S+ \S+\]) over .*; trials (?P<trials>.*)"
    lines = (results / f"{file}.txt").read_text().splitlines()
    return {m["agent"]: m for m in (re.match(rule, line) for line in lines) if m}


def final(curves: xr.DataArray, agent: str) -> NDArray[np.float64]:
    """Mean returns [trial] over the last iterations of kept curves."""
    last: NDArray[np.float64] = (
        curves.sel(agent=agent).isel(iteration=slice(-LAST, None)).mean("iteration").values
    )
    return last


def training(results: Path) -> dict[str, str]:
    """Final scores, and those without a baseline (C9)."""
    own = {task: scores(results, f"{task}-learning") for task in TASKS}
    rows = []
    for (task, agent), (low, high) in PUBLISHED.items():
        iqm, trials = own[task][agent]["iqm"], len(own[task][agent]["trials"].split())
        if (task, agent) == ("humanoid", "trpo"):  # trained again, under the paper's contacts
            finals = final(opened(results / "humanoid-forces.zarr.zip")["return_mean"], agent)
            iqm, trials = interval(iqm_interval(finals), 0), len(finals)
        text = iqm if low <= float(iqm.split()[0]) <= high else f"**{iqm}**"
        rows.append([TASKS[task], agent.upper(), str(trials), text, f"{low}-{high}"])
    found = {"table": table(["task", "algorithm", "trials", "IQM [95 %]", "published"], rows)}
    zero = {
        "ppo": scores(results, "hopper-zero-baseline")["ppo, no baseline"],
        "trpo": own["hopper"]["trpo, no baseline"],
    }
    for agent, without in zero.items():
        both = (np.array(m["trials"].split(), float) for m in (without, own["hopper"][agent]))
        found[f"zero.{agent}"] = without["iqm"]
        found[f"share.{agent}"] = interval(iqm_ratio_interval(*both))
    found["zero.trials"] = str(len(zero["ppo"]["trials"].split()))
    found["c9"] = (
        f"not to that extent: {found['share.ppo']} of it (PPO), {found['share.trpo']} (TRPO); "
        f"{found['zero.trials']} trials without one"
    )
    return found


def updates(results: Path) -> dict[str, str]:
    """What happens inside updates of agents at iteration 40."""
    data = study("hopper-early", results).isel(iteration=0, n=0)
    along = {str(a): Along.of(data.sel(agent=a)) for a in data["agent"].values}
    ppo, trpo, a2c = (along[a] for a in ("ppo", "trpo", "a2c"))

    def mean(own: Along, name: str, point: int, digits: int = 4) -> str:
        return number(over_units(own.values[name][..., point]).estimate, digits)

    def change(own: Along, point: int) -> str:
        return over_units(own.values["change"][..., point]).text()

    fresh = ppo.rest_intervals("fresh")[1]  # after the first pass
    rest_own = over_units(ppo.rest("surrogate")[..., 1])
    refused = int((trpo.values["accepted"][..., 0] == 0).sum())
    ends = trpo.rest_intervals("fresh")[0]
    return {
        "ppo.fresh.first": mean(ppo, "fresh", 0),
        "ppo.fresh.rest": f"{-fresh.estimate:.4f} [{-fresh.high:.4f}, {-fresh.low:.4f}]",
        "ppo.own.rest": number(rest_own.estimate, 3),
        "ppo.unclipped.first": mean(ppo, "unclipped_fresh", 0),
        "ppo.unclipped.last": mean(ppo, "unclipped_fresh", -1),
        "ppo.clip": " and ".join(
            f"{100 * ppo.values['clip_fraction'][..., p].mean():.0f} %" for p in (0, -1)
        ),
        "ppo.change.first": change(ppo, 0),
        "ppo.change.last": change(ppo, -1),
        "ppo.change.rest": ppo.rest_intervals()[1].text(),
        "trpo.refused": f"{refused} of {trpo.values['accepted'][..., 0].size}",
        "trpo.own": number(over_units(trpo.ends("surrogate")).estimate, 3),
        "trpo.fresh": ends.text(3),
        "trpo.instead": trpo.rest_intervals()[1].text(0),
        "a2c.change": change(a2c, -1),
        "a2c.fresh": mean(a2c, "fresh", -1),
        "a2c.own": mean(a2c, "surrogate", -1),
    }
