"""Quotations of Humanoid's TRPO with contact forces in the observation, without, and changed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from pack import opened

from pgcore.studies.measures.differences import unpaired_difference
from pgcore.studies.measures.statistics import iqm_interval
from quoted.training import final, scores
from quoted.writing import interval

SEEING = "trpo"
AGENT = "trpo, no forces"
CHANGED = f"{AGENT}, three changes"
EARLY = slice(60, 79)


def forces(results: Path) -> dict[str, str]:
    """Returns at two times of the training, and differences between the agents."""
    curves = opened(results / "humanoid-forces.zarr.zip")["return_mean"]
    seeing, own, changed = (final(curves, agent) for agent in (SEEING, AGENT, CHANGED))
    return {
        **of_agent(curves, AGENT),
        **{f"seeing.{k}": v for k, v in of_agent(curves, SEEING).items()},
        "older": scores(results, "humanoid-learning")["trpo"]["iqm"],
        "more": difference(own, seeing),
        **{f"changed.{k}": v for k, v in of_agent(curves, CHANGED).items()},
        "changed.more": difference(changed, own),
        "changed.worst": f"{changed.min():.0f}",
    }


def of_agent(curves: xr.DataArray, agent: str) -> dict[str, str]:
    """An agent's returns, early and at the end."""
    early = curves.sel(agent=agent, iteration=EARLY).mean("iteration").values
    late = final(curves, agent)
    return {
        "early": interval(iqm_interval(early), 0),
        "late": interval(iqm_interval(late), 0),
        "best": f"{late.max():.0f}",
        "trials": str(len(late)),
    }


def difference(a: NDArray[np.float64], b: NDArray[np.float64]) -> str:
    """Of the means of two sets of trials, by Welch."""
    more = unpaired_difference(a, b)
    return interval((more.estimate, more.low, more.high), 0, "+")
