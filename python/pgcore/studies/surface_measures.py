"""Do surrogate and reward rise and fall together, and how jagged is a reward surface?

The surrogate is known exactly, the reward at every point with a standard error. Plug-in measures of
such a surface are biased towards "no agreement" and "jagged"; the intervals here are those of the
true reward's measures (their coverage: benchmarks/bench_coverage.py).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from pgcore.arrays import F64, I64, Bool


@dataclass(frozen=True)
class Interval:
    """A measure of the surfaces as measured, and the bounds of that of the true reward."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True)
class RewardSurface:
    """Mean returns over a plane [A, B], or along a line [A].

    Attributes:
        reward: means.
        error: their standard errors.
        trajectories: that a mean is taken over.
    """

    reward: F64
    error: F64
    trajectories: F64


def sign_agreement(surrogate: F64, surface: RewardSurface, level: float = 0.95) -> Interval:
    """Share of the steps between neighbours along a line where both rise or both fall.

    Args:
        surrogate: [A].
        surface: [A].
        level: of the bounds, which hold for all steps at once (Bonferroni).
    """
    ends = np.arange(len(surrogate) - 1)
    return _order_agreement(surrogate, surface, ends, ends + 1, 0, level)


def rank_correlation(surrogate: F64, surface: RewardSurface, level: float = 0.95) -> Interval:
    """Kendall's rank correlation over the plane: over all pairs of points, the share that both
    order alike less the share that they order differently.

    The bounds: pairs whose order is uncertain count for or against. A pair's order is taken as
    known at a level that lets more than 2 % of the pairs be wrong with probability 1 - level at
    most (Markov's inequality; it holds however the pairs depend on each other).
    """
    first, second = np.triu_indices(surrogate.size, 1)
    wrong = int(0.02 * len(first))
    share = _order_agreement(surrogate, surface, first, second, wrong, level)
    return Interval(*(2 * x - 1 for x in (share.estimate, share.low, share.high)))


def _order_agreement(
    surrogate: F64, surface: RewardSurface, first: I64, second: I64, wrong: int, level: float
) -> Interval:
    """Share of comparisons of two points that surrogate and reward order alike.

    Each comparison is tested on both sides (Welch). Were c of them tested at the level alpha, the
    expected number of wrong orders is at most alpha c, so that P(more than ``wrong``) is at most
    alpha c / (wrong + 1) by Markov's inequality; alpha makes that (1 - level) / 2.
    """
    if not len(first):
        return Interval(math.nan, math.nan, math.nan)
    rise = np.sign(surrogate.ravel()[second] - surrogate.ravel()[first])
    values, errors = surface.reward.ravel(), surface.error.ravel()
    change = values[second] - values[first]
    squares = errors[first] ** 2, errors[second] ** 2
    freedom = np.maximum(surface.trajectories.ravel() - 1, 1)
    spread = np.sqrt(squares[0] + squares[1])
    with np.errstate(invalid="ignore", divide="ignore"):
        degrees = spread**4 / (squares[0] ** 2 / freedom[first] + squares[1] ** 2 / freedom[second])
        score = np.where(spread > 0, np.abs(change) / spread, np.inf)
    alpha = (1 - level) / 2 * (wrong + 1) / len(first)
    degrees = np.where(np.isfinite(degrees), degrees, 1.0)
    known: Bool = (stats.t.sf(score, degrees) < alpha) & (change != 0)
    alike = rise * np.sign(change)  # 1, -1, or 0 where one of them does not change
    slack = wrong / len(first)
    low = float((known & (alike > 0)).mean()) - slack
    high = 1 - float((known & (alike < 0)).mean()) + slack
    return Interval(float((1 + alike).mean()) / 2, max(low, 0.0), min(high, 1.0))


@dataclass(frozen=True)
class Roughness:
    """Shares of a measured surface's variance over the grid, and of the true one's.

    Attributes:
        unexplained: that a cubic polynomial in both directions leaves.
        noise: that the points' standard errors account for. Where the two are equal, the
            jaggedness is noise of the estimates.
        jagged: of the true reward's variance, the share that a cubic leaves, noise taken off.
    """

    unexplained: float
    noise: float
    jagged: Interval


def roughness(surface: RewardSurface, level: float = 0.95) -> Roughness:
    """How jagged a surface is, and how much of that is noise.

    With M the projection on what a cubic leaves, E|M z|^2 = |M f|^2 + sum M_ii s_i^2 for the true
    surface f and standard errors s. The interval is normal, from the variance of that quadratic
    form and of the squared standard errors themselves.
    """
    A, B = surface.reward.shape
    x, y = np.meshgrid(np.linspace(-1, 1, A), np.linspace(-1, 1, B), indexing="ij")
    terms = np.stack([(x**i * y**j).ravel() for i in range(4) for j in range(4 - i)], axis=1)
    z, v = surface.reward.ravel(), np.square(surface.error.ravel())
    left = len(z) - terms.shape[1]
    total = z.var(ddof=1)
    if left <= 0 or total == 0:
        return Roughness(math.nan, math.nan, Interval(math.nan, math.nan, math.nan))
    M = np.eye(len(z)) - terms @ np.linalg.pinv(terms)
    rest, leverage = M @ z, np.diagonal(M)
    variance = 2 * v @ np.square(M) @ v
    variance += 4 * max(float((rest**2 - leverage * v) @ v), 0.0)
    variance += float(
        (2 * np.square(leverage * v) / np.maximum(surface.trajectories.ravel() - 1, 1)).sum()
    )
    own = max(float(total - v.mean()), 1e-300)
    middle = float(rest @ rest - leverage @ v) / left / own
    width = float(stats.norm.ppf(0.5 + level / 2)) * math.sqrt(variance) / left / own
    return Roughness(
        float(rest @ rest) / left / float(total),
        float(v.mean() / total),
        Interval(middle, middle - width, middle + width),
    )
