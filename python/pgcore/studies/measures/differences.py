"""Differences between agents over trials: paired where the trials share seeds."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
import xarray as xr

from pgcore.base.arrays import F64
from pgcore.base.errors import check_number
from pgcore.base.quantiles import t_factor
from pgcore.base.words import counted
from pgcore.studies.measures.statistics import mean_interval
from pgcore.studies.measures.surfaces import Interval

TRIALS_TO_DECIDE = 6


def few_trials(trials: int) -> list[str]:
    """What a table says of fewer trials than a decision about agents takes."""
    if trials >= TRIALS_TO_DECIDE:
        return []
    few = f"{counted(trials, 'trial')}, fewer than {TRIALS_TO_DECIDE}"
    return [f"{few}: what is said about agents is a description, not a decision"]


def known_trials(values: xr.DataArray, *units: str) -> tuple[int, int]:
    """Fewest and most trials with a value at an agent and iteration, of those where any has one.

    Args:
        values: with the dimension trial, and others of which one is enough.
        units: dimensions at each of which trials are counted; without any, agent and iteration.

    Returns:
        Both; (0, 0) where nothing is known.
    """
    apart = units or ("agent", "iteration")
    others = [d for d in values.dims if d not in (*apart, "trial")]
    counts = values.notnull().any(others).sum("trial").values
    counts = counts[counts > 0]
    return (int(counts.min()), int(counts.max())) if counts.size else (0, 0)


def fewest_trials(values: xr.DataArray) -> int:
    """The first of :func:`known_trials`."""
    return known_trials(values)[0]


SEEDS = ("run_seed", "run_trial")


@dataclass(frozen=True)
class Difference(Interval):
    """Mean of one agent less that of another, and its interval over trials.

    Attributes:
        trials: pairs of trials, or the trials of the agent that has fewer.
        paired: whether trials of the same seed were compared.
    """

    trials: int
    paired: bool


def paired_difference(one: F64, other: F64, level: float = 0.95) -> Interval:
    """Mean of ``one - other`` and its Student interval over trials.

    The pairs are the independent items; what the two trials of a pair share does not widen it.

    Args:
        one, other: [T], the same trial in the same place.
        level: coverage.

    Returns:
        The interval; its ends are NaN below two trials.
    """
    if np.shape(one) != np.shape(other) or np.ndim(one) != 1:
        raise ValueError(
            f"other: expected the trials of one, {np.shape(one)}, got {np.shape(other)}; without "
            "pairs use unpaired_difference"
        )
    if not len(one):
        return Interval(math.nan, math.nan, math.nan)
    return Interval(*mean_interval(np.asarray(one) - np.asarray(other), level))


def unpaired_difference(one: F64, other: F64, level: float = 0.95) -> Interval:
    """Difference of the means of independent trials [n] and [m], and its interval by Welch (1947).

    The ends are NaN where one of them has fewer than two trials, or a value that is not finite.
    """
    if not (len(one) and len(other)):
        return Interval(math.nan, math.nan, math.nan)
    middle = float(np.mean(one) - np.mean(other))
    if min(len(one), len(other)) < 2 or not np.isfinite([*one, *other]).all():
        return Interval(middle, math.nan, math.nan)
    parts = np.array([np.var(x, ddof=1) / len(x) for x in (one, other)])
    total = float(parts.sum())
    if not total > 0:  # all trials of an agent are alike
        return Interval(middle, middle, middle)
    freedom = total**2 / float((parts**2 / [len(one) - 1, len(other) - 1]).sum())
    width = float(t_factor(freedom, level)) * math.sqrt(total)
    return Interval(middle, middle - width, middle + width)


def agent_difference(
    one: F64, seeds: F64, other: F64, other_seeds: F64, level: float = 0.95
) -> Difference:
    """Difference of two agents' trials: paired where they share seeds, else Welch's.

    Where some seeds are shared, the trials that have no partner are left out: an interval that
    takes them all as independent would be wrong.

    Args:
        one, other: [n], [m], of trials; NaN where there is none.
        seeds, other_seeds: [n, 2], [m, 2], seed of the run and trial in it; NaN: not known.
        level: coverage.
    """
    places = [
        {tuple(s): i for i, s in enumerate(own) if not np.isnan([*s, values[i]]).any()}
        for own, values in ((seeds, one), (other_seeds, other))
    ]
    shared = [key for key in places[0] if key in places[1]]
    if shared:
        first, second = one[[places[0][k] for k in shared]], other[[places[1][k] for k in shared]]
        return Difference(*_ends(paired_difference(first, second, level)), len(shared), True)
    first, second = one[~np.isnan(one)], other[~np.isnan(other)]
    count = min(len(first), len(second))
    return Difference(*_ends(unpaired_difference(first, second, level)), count, False)


def _ends(x: Interval) -> tuple[float, float, float]:
    return x.estimate, x.low, x.high


def differences_of(data: xr.Dataset, variable: str, level: float = 0.95) -> xr.Dataset:
    """Differences of a variable between all agents of a dataset.

    Args:
        data: with the dimensions agent, iteration and trial, and the variables run_seed and
            run_trial.
        variable: one of its variables that has the dimensions agent and trial.
        level: coverage of the intervals.

    Returns:
        Dims agent, other, and those of the variable but for trial: difference (agent less other),
        low, high, trials, and paired (1 where trials of the same seed were compared). NaN for an
        agent and itself, and where one of the two has no value.

    Raises:
        ValueError: no such variable, one without agents or trials, or a level that is none.
    """
    if not 0 < check_number("level", level) < 1:
        raise ValueError(f"level: expected a number between 0 and 1, got {level}")
    lacking = [d for d in ("agent", "trial") if d not in data.dims]
    lacking += [name for name in SEEDS if name not in data]
    if lacking:
        raise ValueError(
            f"study: expected a dataset with agent, trial, {' and '.join(SEEDS)}, got one without "
            f"{', '.join(lacking)}"
        )
    known = [
        str(name)
        for name, v in data.data_vars.items()
        if {"agent", "trial"} <= set(v.dims) and "other" not in v.dims and name not in SEEDS
    ]
    if variable not in known:
        raise ValueError(
            f"variable: expected one that agents have in each trial ({', '.join(known)}), "
            f"got {variable!r}"
        )
    own = data[variable]
    dims = [str(d) for d in own.dims if d not in ("agent", "trial")]
    values = own.transpose("agent", *dims, "trial").to_numpy()
    moment = [d for d in dims if d == "iteration"]  # none where one was selected
    keys = np.stack([data[n].transpose("agent", *moment, "trial").to_numpy() for n in SEEDS], -1)
    A, shape = len(values), values.shape[1:-1]
    found: F64 = np.full((5, A, A, *shape), np.nan)
    for a, b in itertools.permutations(range(A), 2):
        for cell in np.ndindex(shape):
            at = [cell[dims.index(d)] for d in moment]
            one, other = ((values[(x, *cell)], keys[(x, *at)]) for x in (a, b))
            with np.errstate(invalid="ignore"):  # of two that are infinite nothing is known
                d = agent_difference(*one, *other, level)
            if not math.isnan(d.estimate):
                found[(slice(None), a, b, *cell)] = *_ends(d), d.trials, d.paired
    return _dataset(data, own, dims, found, level)


def _dataset(
    data: xr.Dataset, own: xr.DataArray, dims: list[str], found: F64, level: float
) -> xr.Dataset:
    unit = own.attrs.get("units", "1")
    what = f"{own.name}: agent less other, mean over trials"
    texts = {
        "difference": (unit, what),
        "low": (unit, f"{what}; lower end of its {level:.0%} interval"),
        "high": (unit, f"{what}; upper end of its {level:.0%} interval"),
        "trials": ("1", "pairs of trials, or trials of the agent that has fewer"),
        "paired": ("1", "1 where trials of the same seed were compared, else 0"),
    }
    labels = data["agent"].to_numpy()
    names = ("agent", "other", *dims)
    variables = {
        name: (names, values, {"units": unit, "description": text, "long_name": text})
        for (name, (unit, text)), values in zip(texts.items(), found, strict=True)
    }
    coordinates = {d: data[d] for d in dims if d in data.coords}
    return xr.Dataset(variables, {"agent": labels, "other": labels, **coordinates})
