"""What is measured of one map of surrogate and reward: agreement, one step, jaggedness."""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np

from pgcore.base.arrays import F64, Bool
from pgcore.base.quantiles import t_factor
from pgcore.studies.measures.surfaces import (
    Interval,
    RewardSurface,
    rank_correlation,
    roughness,
    sign_agreement,
    smooth_degree,
)

LEAST_DEGREE = 3  # of a polynomial that can tell a smooth surface from a jagged one
CORNER = (1.2, 0.3)  # steps and random directions up to which a step lives
LEAST_CORNER = 4  # points of it
_UNKNOWN = Interval(math.nan, math.nan, math.nan)
_Axis = tuple[float, ...]


@dataclass(frozen=True)
class Centre:
    """The reward of the policy before the step, from all maps of a checkpoint together.

    Attributes:
        reward, error, trajectories: mean return, its standard error, and what it is a mean of; NaN
            where the centre is on no grid.
    """

    reward: float
    error: float
    trajectories: float


def agreement_measures(
    steps: _Axis,
    randoms: _Axis,
    surrogate: F64,
    reward: F64,
    error: F64,
    trajectories: F64,
    centre: F64,
    centre_error: F64,
    centre_trajectories: F64,
    *paired: F64,
    lives: bool = True,
) -> tuple[float, ...]:
    """How surrogate and reward go together on one map, a plane or a line; NaN for what is unknown.

    Args:
        steps, randoms: [A], [B], the grid, in units of the first and second direction.
        surrogate, reward, error, trajectories: [A, B]; error: the reward's standard error.
        centre, centre_error, centre_trajectories: of :class:`Centre`, numbers.
        paired: with common random numbers the differences to the centre, their errors, and the
            pairs of trajectories that they are from, [A, B]. Points are not independent then, and
            bounds that need that are unknown.

    Returns:
        Sign agreement along the first direction, rank correlation over the map, rank correlation
        over its corner, change at one step; each with its bounds: 12 numbers.
    """
    if not np.isfinite(reward).any():
        return (math.nan,) * 12
    surface = RewardSurface(reward, error, trajectories)
    at = int(np.argmin(np.abs(randoms)))  # where the second direction is not taken
    agree = change = _UNKNOWN
    if randoms[at] == 0:
        cut = _part(surface, (slice(None), at))
        before = Centre(float(centre), float(centre_error), float(centre_trajectories))
        change = reward_change(np.array(steps), cut, before, *(x[:, at] for x in paired))
        agree = sign_agreement(surrogate[:, at], cut)
    ranks = [rank_correlation(surrogate, surface), _UNKNOWN]
    corner = in_corner(steps, randoms)
    if lives and corner.sum() >= LEAST_CORNER:
        ranks[1] = rank_correlation(surrogate[corner], _part(surface, corner))
    found = [agree, *ranks]
    if paired:
        found = [Interval(x.estimate, math.nan, math.nan) for x in found]
    return tuple(x for interval in (*found, change) for x in astuple(interval))


def in_corner(steps: _Axis, randoms: _Axis) -> Bool:
    """The points [A, B] of the corner where a step lives: up to :data:`CORNER`, from 0 on."""
    near: list[Bool] = [
        (np.array(axis) >= 0) & (np.array(axis) <= end * (1 + 1e-9))
        for axis, end in zip((steps, randoms), CORNER, strict=True)
    ]
    return near[0][:, None] & near[1][None, :]


def _part(surface: RewardSurface, where: Any) -> RewardSurface:
    return RewardSurface(surface.reward[where], surface.error[where], surface.trajectories[where])


def shape_measures(
    steps: _Axis, randoms: _Axis, reward: F64, error: F64, trajectories: F64, *paired: F64
) -> tuple[float, ...]:
    """How jagged one map is, and what common random numbers do for it.

    Args:
        steps, randoms, reward, error, trajectories, paired: as in :func:`agreement_measures`.

    Returns:
        Shares that a polynomial leaves of the reward, and that noise alone would; the jagged share
        of the true reward with its bounds; what pairing makes of variances. 6 numbers.
    """
    if paired:
        at = int(np.argmin(np.abs(steps))), int(np.argmin(np.abs(randoms)))
        return *(math.nan,) * 5, _pairing_gain(error, paired[1], at)
    if min(reward.shape) < 2 or smooth_degree(reward.size) < LEAST_DEGREE:
        return (math.nan,) * 6
    rough = roughness(RewardSurface(reward, error, trajectories))
    return rough.unexplained, rough.noise, *astuple(rough.jagged), math.nan


def reward_change(
    steps: F64,
    cut: RewardSurface,
    centre: Centre | None = None,
    *paired: F64,
    level: float = 0.95,
) -> Interval:
    """Reward change from the centre to one full step, and its interval (Welch's t).

    Linear between the grid points next to one step; NaN where the centre is not on the grid. With
    common random numbers, from the paired differences (whose errors then add up).

    Args:
        steps: [A], grid along the step direction.
        cut: [A], the reward along it.
        centre: measured with more pairs than the point of the cut has, which it replaces; None:
            the cut's own.
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
        rewards, errors, counts_ = (x.copy() for x in (cut.reward, cut.error, cut.trajectories))
        if centre is not None and math.isfinite(centre.error):
            here = steps == 0
            for values, own in zip((rewards, errors, counts_), astuple(centre), strict=True):
                values[here] = own
        change = float(weights @ rewards)
        parts = np.square(weights * errors)
        spread = float(np.sqrt(parts.sum()))
        each = np.maximum(counts_ - 1, 1)
        freedom = float(parts.sum() ** 2 / max(float((parts**2 / each).sum()), 1e-300))
    width = float(t_factor(max(freedom, 1.0), level)) * spread
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
