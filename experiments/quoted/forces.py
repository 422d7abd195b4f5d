"""Quotations of Humanoid's TRPO without contact forces in the observation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from learning_curves import LAST
from pack import opened

from pgcore.studies.measures.differences import unpaired_difference
from pgcore.studies.measures.statistics import iqm_interval
from quoted.training import scores
from quoted.writing import interval, table

AGENT = "trpo, no forces"
EARLY = slice(60, 79)


def forces(results: Path) -> dict[str, str]:
    """Returns at two times of the training, and the difference to agents that see forces."""
    curves = opened(results / "humanoid-forces.zarr.zip")["return_mean"].sel(agent=AGENT)
    early = curves.sel(iteration=EARLY).mean("iteration").values
    own = curves.isel(iteration=slice(-LAST, None)).mean("iteration").values
    seeing = scores(results, "humanoid-learning")["trpo"]
    others = np.array(seeing["trials"].split(), dtype=float)
    more = unpaired_difference(own, others)
    found = {
        "early": interval(iqm_interval(early), 0),
        "late": interval(iqm_interval(own), 0),
        "more": interval((more.estimate, more.low, more.high), 0, "+"),
        "best": f"{own.max():.0f}",
        "trials": str(len(own)),
    }
    rows = [
        ["with contact forces", str(len(others)), "-", seeing["iqm"]],
        ["without", found["trials"], found["early"], found["late"]],
    ]
    head = ["Humanoid's TRPO", "trials", "iterations 60 to 79", f"the last {LAST}"]
    return found | {"table": table(head, rows)}
