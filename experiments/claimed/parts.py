"""What the claims' numbers have in common: studies, late iterations, means over trials."""

from __future__ import annotations

import numpy as np
import xarray as xr

from claimed.rules import Part, Rule
from claimed.sources import Sources
from pgcore.base.arrays import F64
from pgcore.studies.measures.over_trials import geometric_over_trials
from pgcore.studies.measures.own_pairs import nearest_to_agents
from pgcore.studies.measures.statistics import mean_interval

FALLS, RISES = Rule(high=0.0), Rule(low=0.0)
UNKNOWN = (np.nan, np.nan, np.nan)


def after_start(data: xr.Dataset) -> xr.Dataset:
    return data.sel(iteration=data["iteration"] > 0)


def mean(title: str, values: F64, rule: Rule) -> list[Part]:
    """A mean over trials, or a geometric one; no part where no trial is known.

    What is infinite gives no interval: the trials that it is over are the finite ones.
    """
    if not len(values):
        return []
    ends = geometric_over_trials(values) if rule.by_factors else mean_interval(values)
    return [Part(title, ends, int(np.isfinite(values).sum()), rule)]


def own_study(sources: Sources, task: str, algorithm: str, *kinds: str) -> xr.Dataset | None:
    """The first study of some kinds that has one algorithm."""
    for data in (sources.study(task, kind) for kind in kinds):
        if data is not None and algorithm in data["agent"].values:
            return data.sel(agent=algorithm)
    return None


def at_own_pairs(sources: Sources, task: str, algorithm: str) -> xr.Dataset | None:
    """The gradient study at the n that is nearest to an iteration's pairs."""
    data = own_study(sources, task, algorithm, "trials-gradient", "gradient")
    return None if data is None else data.sel(n=nearest_to_agents(data["n"].values))
