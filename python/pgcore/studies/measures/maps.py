"""What is measured of one map of surrogate and reward: agreement, one step, jaggedness."""

from __future__ import annotations

import math
from dataclasses import astuple

import numpy as np
from scipy import stats

from pgcore.base.arrays import F64
from pgcore.studies.measures.surfaces import (
    Interval,
    RewardSurface,
    rank_correlation,
    roughness,
    sign_agreement,
    smooth_degree,
)

LEAST_DEGREE = 3  # of a polynomial that can tell a smooth surface from a jagged one
_UNKNOWN = Interval(math.nan, math.nan, math.nan)


def map_measures(
    steps: tuple[float, ...],
    randoms: tuple[float, ...],
    surrogate: F64,
    reward: F64,
    error: F64,
    trajectories: F64,
    *paired: F64,
) -> tuple[float, ...]:
    """The measures of one map, a plane or a line; NaN for what it does not tell.

    Args:
        steps, randoms: [A], [B], the grid, in steps and in random directions.
        surrogate, reward, error, trajectories: [A, B]; error: the reward's standard error.
        paired: with common random numbers the differences to the centre, their errors, and the
            pairs of trajectories that they are from, [A, B]. Points are not independent then, and
            bounds that need that are unknown.

    Returns:
        Sign agreement, rank correlation and change at one step, each with its bounds; shares that a
        polynomial leaves of the reward, and that noise alone would; the jagged share of the true
        reward with its bounds; what pairing makes of variances. 15 numbers.
    """
    if not np.isfinite(reward).any():
        return (math.nan,) * 15
    surface = RewardSurface(reward, error, trajectories)
    at = int(np.argmin(np.abs(randoms)))  # where the random direction is not taken
    agree = change = _UNKNOWN
    if randoms[at] == 0:
        cut = RewardSurface(reward[:, at], error[:, at], trajectories[:, at])
        change = reward_change(np.array(steps), cut, *(x[:, at] for x in paired))
        agree = sign_agreement(surrogate[:, at], cut)
    rank, jagged, shares = rank_correlation(surrogate, surface), _UNKNOWN, (math.nan, math.nan)
    gain = math.nan
    if paired:
        agree, rank = (Interval(x.estimate, math.nan, math.nan) for x in (agree, rank))
        gain = _pairing_gain(error, paired[1], (int(np.argmin(np.abs(steps))), at))
    elif min(reward.shape) > 1 and smooth_degree(reward.size) >= LEAST_DEGREE:
        rough = roughness(surface)
        jagged, shares = rough.jagged, (rough.unexplained, rough.noise)
    return *astuple(agree), *astuple(rank), *astuple(change), *shares, *astuple(jagged), gain


def reward_change(steps: F64, cut: RewardSurface, *paired: F64, level: float = 0.95) -> Interval:
    """Reward change from the centre to one full step, and its interval (Welch's t).

    Linear between the grid points next to one step; NaN where the centre is not on the grid. With
    common random numbers, from the paired differences (whose errors then add up).

    Args:
        steps: [A], grid along the step direction.
        cut: [A], the reward along it.
        paired: with common random numbers the differences to the centre, their errors, and the
            pairs of trajectories that they are from, [A].
        level: of the interval.
    """
    weights = np.array([np.interp(1.0, steps, unit) for unit in np.eye(len(steps))])
    if not (steps == 0).any() or not steps[0] <= 1 <= steps[-1]:
        return _UNKNOWN
    if paired and np.isfinite(paired[0]).all():
        difference, difference_error, *counts = paired
        count = float(counts[0][weights > 0].min()) if counts else 2.0  # of an older pgcore
        change = float(weights @ difference)
        spread, freedom = float(weights @ difference_error), count - 1
    else:
        weights = weights - (steps == 0)
        change = float(weights @ cut.reward)
        parts = np.square(weights * cut.error)
        spread = float(np.sqrt(parts.sum()))
        each = np.maximum(cut.trajectories - 1, 1)
        freedom = float(parts.sum() ** 2 / max(float((parts**2 / each).sum()), 1e-300))
    width = float(stats.t.ppf(0.5 + level / 2, max(freedom, 1.0))) * spread
    return Interval(change, change - width, change + width)


def kl_at_one_step(steps: F64, kl: F64) -> float:
    """KL [A] along the step, interpolated as it grows, with the square of the distance.

    NaN off the grid.
    """
    root = np.sqrt(np.maximum(kl, 0.0))
    return float(np.interp(1.0, steps, root, left=math.nan, right=math.nan)) ** 2


def _pairing_gain(error: F64, difference_error: F64, centre: tuple[int, int]) -> float:
    """What common random numbers make of the variance of a difference to the centre."""
    known = difference_error > 0
    if not known.any():
        return math.nan  # no point has two pairs of trajectories
    ratio = difference_error**2 / (error**2 + error[centre] ** 2)
    return float(np.nanmedian(ratio[known]))
