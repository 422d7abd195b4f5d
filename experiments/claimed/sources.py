"""Where a task's studies are: in a folder of `reproduce.py`, or kept in one file each."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import xarray as xr
from pack import study
from quoted.training import scores

import pgcore
from pgcore.base.arrays import F64

TASKS = {"Hopper-v2": "hopper", "Walker2d-v2": "walker", "Humanoid-v2": "humanoid"}


@dataclass(frozen=True)
class Sources:
    """The datasets of one folder.

    Attributes:
        folder: of `reproduce.py --out`, or of kept studies.
    """

    folder: Path

    def study(self, task: str, kind: str) -> xr.Dataset | None:
        """The study of a task and kind; None where nobody made any."""
        return _study(self.folder, task, kind)

    def scores(self, task: str, agent: str) -> F64 | None:
        """Final returns of an agent's trials [T]; `ppo, no baseline` is one, too."""
        for place, name in (
            (self.folder / "figures", f"{task}-learning"),
            (self.folder, f"{TASKS[task]}-learning"),
            (self.folder, f"{TASKS[task]}-zero-baseline"),
        ):
            if (place / f"{name}.txt").exists() and agent in (found := scores(place, name)):
                return np.array(found[agent]["trials"].split(), float)
        return None


@cache
def _study(folder: Path, task: str, kind: str) -> xr.Dataset | None:
    if (folder / f"{task}-{kind}").is_dir():
        return pgcore.open(folder / f"{task}-{kind}")
    name = f"{TASKS[task]}-{kind}"
    there = any(folder.glob(f"{name}.zarr.zip")) or (folder / f"{name}-errors.zarr.zip").exists()
    return study(name, folder) if there else None
