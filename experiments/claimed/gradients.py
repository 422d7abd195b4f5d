"""The claims about gradient estimates, computed steps and their lengths: C1 to C5, C13, C14."""

from __future__ import annotations

import dataclasses

import numpy as np
import xarray as xr
from quoted.writing import number

from claimed.parts import FALLS, UNKNOWN, after_start, at_own_pairs, mean
from claimed.rules import Ends, Part, Rule
from claimed.sources import Sources
from claimed.trials import per_trial
from pgcore.studies.measures.differences import unpaired_difference

NEAR_ZERO = Rule(high=0.1)  # of a cosine
ABOUT_A_TENTH = Rule(0.05, 0.2, by_factors=True)
MANY_TIMES = Rule(low=10.0, by_factors=True)
NEAR_TRUE = 0.9  # cosine to the true gradient
RANDOM_NORM = 2.0
HARD = "Humanoid-v2"


def _falls(title: str, values: xr.DataArray) -> list[Part]:
    """From the start to the end, and from the first iteration after the start to the end."""
    times = [int(i) for i in np.sort(values["iteration"].values)]
    parts = []
    for first in times[:2] if len(times) > 2 else times[:1]:
        change = values.sel(iteration=times[-1]) - values.sel(iteration=first)
        parts += mean(f"{title}, {times[-1]} less {first}", per_trial(change), FALLS)
    return parts


def c1(sources: Sources, task: str, algorithm: str) -> list[Part]:
    data = at_own_pairs(sources, task, algorithm)
    if data is None:
        return []
    own = per_trial(after_start(data)["pairwise_cosine"])
    return mean("pairwise cosine after the start", own, NEAR_ZERO)


def c2(sources: Sources, task: str, algorithm: str) -> list[Part]:
    data = at_own_pairs(sources, task, algorithm)
    return [] if data is None else _falls("pairwise cosine", data["pairwise_cosine"])


def _harder(
    sources: Sources, task: str, algorithm: str, of: str, name: str = "pairwise_cosine"
) -> list[Part]:
    """Humanoid's cosines less those of the other tasks, at the late iterations that both have."""
    hard = at_own_pairs(sources, task, algorithm)
    if task != HARD or hard is None:
        return []
    parts = []
    for easier in ("Hopper-v2", "Walker2d-v2"):
        easy = at_own_pairs(sources, easier, algorithm)
        if easy is None:
            continue
        shared = np.intersect1d(after_start(hard)["iteration"].values, easy["iteration"].values)
        one, other = (per_trial(d[name].sel(iteration=shared)) for d in (hard, easy))
        ends: Ends = (float(one.mean() - other.mean()), np.nan, np.nan)
        if min(len(one), len(other)) > 1:
            ends = dataclasses.astuple(unpaired_difference(one, other))
        title = f"pairwise cosine{of} after the start, less {easier}'s"
        parts.append(Part(title, ends, min(len(one), len(other)), FALLS))
    return parts


def c3(sources: Sources, task: str, algorithm: str) -> list[Part]:
    return _harder(sources, task, algorithm, "")


def c4(sources: Sources, task: str, algorithm: str) -> list[Part]:
    data = at_own_pairs(sources, task, algorithm)
    if data is None:
        return []
    needed = after_start(data)["true_noise_scale"] * NEAR_TRUE**2 / (1 - NEAR_TRUE**2)
    times = np.exp(per_trial(np.log(needed / float(data["n"]))))
    return mean(f"pairs for a cosine of {NEAR_TRUE} to the true gradient, in n", times, MANY_TIMES)


def c5(sources: Sources, task: str, algorithm: str) -> list[Part]:
    """C1 to C4 of steps. The true step of these trials is from n pairs: C4's part is unknown."""
    data = at_own_pairs(sources, task, algorithm)
    if data is None:
        return []
    late = per_trial(after_start(data)["step_pairwise_cosine"])
    parts = mean("pairwise cosine of steps after the start", late, NEAR_ZERO)
    parts += _falls("pairwise cosine of steps", data["step_pairwise_cosine"])
    parts += _harder(sources, task, algorithm, " of steps", "step_pairwise_cosine")
    title = f"pairs for a cosine of {NEAR_TRUE} to the true step, in n"
    return [*parts, Part(title, UNKNOWN, 0, MANY_TIMES)]


def c13(sources: Sources, task: str, algorithm: str) -> list[Part]:
    data = at_own_pairs(sources, task, algorithm)
    if data is None:
        return []
    count = data["mean_trajectories"]
    first, last = (count.sel(iteration=f(count["iteration"].values)) for f in (np.min, np.max))
    return mean("trajectories of n pairs, last less first", per_trial(last - first), FALLS)


def c14(sources: Sources, task: str, algorithm: str) -> list[Part]:
    data = at_own_pairs(sources, task, algorithm)
    if data is None:
        return []
    share = np.exp(per_trial(np.log(after_start(data)["step_norm"] / RANDOM_NORM)))
    title = f"length of a step over {number(RANDOM_NORM, 0)} after the start"
    return mean(title, share, ABOUT_A_TENTH)
