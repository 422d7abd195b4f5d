"""Differences between agents in numbers, for the tables of studies."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np
import xarray as xr

from pgcore.studies.measures.differences import TRIALS_TO_DECIDE

_HEAD = (
    "differences between agents: mean over trials [95 % interval over them], paired where the "
    "trials share seeds, else Welch's"
)


def difference_table(columns: Mapping[str, xr.Dataset]) -> list[str]:
    """Lines that follow a study's table; none where there is but one agent.

    Args:
        columns: by title, of :func:`pgcore.studies.measures.differences.differences_of`, with the
            dimensions agent, other and iteration.
    """
    first = next(iter(columns.values()))
    pairs = [(b, a) for a, b in itertools.combinations(first["agent"].values, 2)]
    if not pairs:
        return []
    wide = max(len(f"{a} - {b}") for a, b in pairs) + 1
    lines = ["", _HEAD, f"{'':<{wide}}{'iter':>5}{'trials':>12}"]
    lines[-1] += "".join(f"{title:>28}" for title in columns)
    fewest = np.inf
    for (a, b), iteration in itertools.product(pairs, first["iteration"].values):
        own = [c.sel(agent=a, other=b, iteration=iteration) for c in columns.values()]
        there = [c for c in own if np.isfinite(c["difference"])]
        if not there:
            continue
        counts = [int(c["trials"]) for c in there]
        trials, fewest = max(counts), min(fewest, *counts)
        kind = f"{trials} {'paired' if bool(there[0]['paired']) else 'unpaired'}"
        name = f"{a} - {b}"
        lines.append(
            f"{name:<{wide}}{iteration:>5}{kind:>12}" + "".join(_cell(c, trials) for c in own)
        )
    if len(lines) == 3:
        return [*lines[:-1], "none: no two agents are there at the same iteration"]
    return lines + difference_remarks(fewest)


def difference_remarks(trials: float) -> list[str]:
    """What is to be said of differences over so few trials."""
    lines = []
    if trials < 2:
        lines.append("of one trial there is no interval")
    if trials < TRIALS_TO_DECIDE:
        lines.append(f"fewer than {TRIALS_TO_DECIDE} trials: a description, not a decision")
    return lines


def _cell(own: xr.Dataset, trials: int) -> str:
    """A difference; of fewer trials than others of its line it says so."""
    middle, low, high = (float(own[name]) for name in ("difference", "low", "high"))
    if not np.isfinite(middle):
        return f"{'-':>28}"
    ends = f" [{_number(low)}, {_number(high)}]" if np.isfinite(low) else ""
    few = "" if int(own["trials"]) == trials else f" of {int(own['trials'])}"
    return f"{_number(middle, '+')}{ends}{few}".rjust(28)


def _number(x: float, sign: str = "") -> str:
    large, small = abs(x) >= 10, 0 < abs(x) < 0.1
    return f"{x:{sign}{'.3g' if large else '.2g' if small else '.2f'}}"
