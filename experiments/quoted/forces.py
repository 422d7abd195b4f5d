"""Quotations of Humanoid's TRPO without contact forces in the observation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from learning_curves import LAST
from pack import opened

from pgcore.studies.measures.differences import unpaired_difference
from pgcore.studies.measures.statistics import iqm_interval
from quoted.training import scores
from quoted.writing import interval

AGENT = "trpo, no forces"
EARLY = slice(60, 79)


def forces(results: Path) -> dict[str, str]:
    """Returns at two times of the training, and the difference to agents that see forces."""
    curves = opened(results / "humanoid-forces.zarr.zip")["return_mean"].sel(agent=AGENT)
    early = curves.sel(iteration=EARLY).mean("iteration").values
    own = curves.isel(iteration=slice(-LAST, None)).mean("iteration").values
    seeing = scores(results, "humanoid-learning")["trpo"]["trials"]
    others = np.array(seeing.split(), dtype=float)
    more = unpaired_difference(own, others)
    return {
        "early": interval(iqm_interval(early), 0),
        "late": interval(iqm_interval(own), 0),
        "more": interval((more.estimate, more.low, more.high), 0, "+"),
        "best": f"{own.max():.0f}",
        "trials": str(len(own)),
    }
