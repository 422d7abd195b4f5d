"""Statistics over trials with their intervals: trials are the units of what is said of agents."""

from __future__ import annotations

import math

import numpy as np

from pgcore.base.arrays import F64
from pgcore.studies.measures.statistics import mean_interval, mean_over_trials


def geometric_over_trials(values: F64, level: float = 0.95) -> tuple[float, float, float]:
    """Geometric mean over trials and its interval: Student's t of the logarithms.

    For what is not negative and differs by factors: noise scales, norms, ratios of variances. A
    trial that is infinite (a noise scale whose |g| is not seen), or 0 (an error of which the noise
    leaves nothing), is not left out: the mean and the end of the interval on that side are then
    infinite, or 0. The other end is that of the finite trials alone. Were those of the infinite
    ones known, they would hardly be lower than the others, so that this end errs to be low; with
    fewer than two finite trials it is 0, or infinite.

    Args:
        values: [T]; NaN for trials that are not there.
        level: coverage.

    Returns:
        mean, low, high; the ends are NaN of a single trial.
    """
    there = values[~np.isnan(values)]
    if len(there) < 2:
        return (float(there[0]) if len(there) else math.nan), math.nan, math.nan
    finite = np.log(there[np.isfinite(there) & (there > 0)])
    middle, low, high = math.nan, 0.0, math.inf
    if len(finite) > 1:
        middle, low, high = (math.exp(x) for x in mean_interval(finite, level))
    unseen, nothing = bool(np.isinf(there).any()), bool((there == 0).any())
    if unseen or nothing:
        low, high = 0.0 if nothing else low, math.inf if unseen else high
        middle = math.nan if unseen and nothing else (math.inf if unseen else 0.0)
    return middle, low, high


def cosine_over_trials(values: F64, level: float = 0.95) -> tuple[float, float, float]:
    """Mean over trials [T] of cosines and its interval: Student's t of Fisher's z, turned back.

    For cosines near 1, whose plain mean would have an end above 1. NaN: no such trial.
    """
    there = values[~np.isnan(values)]
    if not len(there):
        return math.nan, math.nan, math.nan
    z = mean_interval(np.arctanh(np.clip(there, -1 + 1e-12, 1 - 1e-12)), level)
    return math.tanh(z[0]), math.tanh(z[1]), math.tanh(z[2])


def bounded_over_trials(
    values: F64, *ends: F64, least: float = -1.0, most: float = 1.0
) -> tuple[float, float, float]:
    """Mean over trials [T] of what has bounds, and its interval: Student's t, cut at the bounds.

    Values that are equal in few trials leave no spread between them, and say no more than each can:
    with the trials' own ``ends`` (low and high, [T]) the interval holds the mean low and high end.
    The ends are NaN of a single trial.
    """
    middle, low, high = mean_over_trials(values)
    if math.isnan(low):  # of a single trial
        return middle, low, high
    if len(ends) == 2:
        own = [end[np.isfinite(values) & np.isfinite(end)] for end in ends]
        low = min([low, *([own[0].mean()] if len(own[0]) else [])])
        high = max([high, *([own[1].mean()] if len(own[1]) else [])])
    # what noise was taken off may lie outside itself
    return middle, min(middle, max(low, least)), max(middle, min(high, most))


def noise_scale_over_trials(values: F64) -> tuple[float, float, float, float]:
    """:func:`geometric_over_trials`, and how many trials are infinite: |g| is not seen there."""
    return *geometric_over_trials(values), float(np.isinf(values).sum())
