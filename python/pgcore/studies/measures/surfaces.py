"""Do surrogate and reward rise and fall together, and how jagged is a reward surface?

The surrogate is known exactly, the reward at every point with a standard error. Plug-in measures of
such a surface are biased towards "no agreement" and "jagged"; the intervals here are those of the
true reward's measures (their coverage: benchmarks/bench_coverage.py).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from pgcore.base.arrays import F64, I64, Bool
from pgcore.base.quantiles import normal_factor, t_upper_tail
from pgcore.base.words import interval_text


@dataclass(frozen=True)
class Interval:
    """A measure, and the bounds of what it estimates."""

    estimate: float
    low: float
    high: float

    def text(self, digits: int = 1) -> str:
        """As tables have it; without its ends where they are not known."""
        return interval_text(self.estimate, self.low, self.high, digits)


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

    Points where either is not finite are compared with none.
    Each comparison is tested on both sides (Welch). Were c of them tested at the level alpha, the
    expected number of wrong orders is at most alpha c, so that P(more than ``wrong``) is at most
    alpha c / (wrong + 1) by Markov's inequality; alpha makes that (1 - level) / 2.
    """
    sound = np.isfinite(surrogate.ravel()) & np.isfinite(surface.reward.ravel())
    both = sound[first] & sound[second]
    first, second = first[both], second[both]
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
        score = np.where(spread == 0, np.inf, np.abs(change) / spread)
    score = np.nan_to_num(score, nan=0.0, posinf=np.inf)  # without an error, nothing is known
    alpha = (1 - level) / 2 * (wrong + 1) / len(first)
    degrees = np.where(np.isfinite(degrees), degrees, 1.0)
    known: Bool = (t_upper_tail(score, degrees) < alpha) & (change != 0)
    alike = rise * np.sign(change)  # 1, -1, or 0 where one of them does not change
    slack = wrong / len(first)
    low = float((known & (alike > 0)).mean()) - slack
    high = 1 - float((known & (alike < 0)).mean()) + slack
    return Interval(float((1 + alike).mean()) / 2, max(low, 0.0), min(high, 1.0))


@dataclass(frozen=True)
class Roughness:
    """Shares of the sum of squares around the mean over the grid.

    Attributes:
        degree: of the polynomial in both directions that stands for "smooth".
        unexplained: of the measured surface, that it leaves.
        noise: what the points' standard errors alone would leave of it. Where the two are equal,
            the jaggedness is noise of the estimates.
        jagged: of the true surface, that it leaves: noise taken off above and below.
    """

    degree: int
    unexplained: float
    noise: float
    jagged: Interval


def smooth_degree(points: int) -> int:
    """The largest total degree, 7 at most, whose polynomial has a third as many terms as points.

    A reward that falls off a cliff is smooth but no cubic; with half as many terms as points or
    more, the noise of the rest would say nothing.
    """
    return max(d for d in range(8) if 3 * (d + 1) * (d + 2) // 2 <= max(points, 3))


def roughness(surface: RewardSurface, level: float = 0.95) -> Roughness:
    """How jagged a surface is, and how much of that is noise.

    For a projection Q, the true surface f and standard errors s of independent points, |Q z|² has
    the mean |Q f|² + Σ Q_ii s_i². ``jagged`` is the ratio of |M f|² (M: what a polynomial of
    :func:`smooth_degree` leaves) to |C f|² (C: around the mean). Its interval is Fieller's, normal:
    the shares r at which |M z|² - r |C z|², with the noise taken off, is within its standard error
    of 0. NaN where even |C f|² is not seen above the noise, or a point is not finite.
    """
    A, B = surface.reward.shape
    x, y = np.meshgrid(np.linspace(-1, 1, A), np.linspace(-1, 1, B), indexing="ij")
    d = smooth_degree(A * B)
    basis = np.polynomial.legendre.legvander2d(x.ravel(), y.ravel(), [d, d])
    own = np.add.outer(np.arange(d + 1), np.arange(d + 1)).ravel() <= d
    terms = basis[:, own]
    z, v = surface.reward.ravel(), np.square(surface.error.ravel())
    nothing = Interval(math.nan, math.nan, math.nan)
    if not (np.isfinite(z).all() and np.isfinite(v).all()):
        return Roughness(d, math.nan, math.nan, nothing)
    centre = np.eye(len(z)) - 1 / len(z)
    M = np.eye(len(z)) - terms @ np.linalg.pinv(terms)
    total = float(z @ centre @ z)
    if np.trace(M) < 0.5 or total == 0:
        return Roughness(d, math.nan, math.nan, nothing)
    leaves = float(np.diagonal(M) @ v)
    freedom = np.maximum(surface.trajectories.ravel() - 1, 1)

    def form(Q: F64) -> F64:
        """fᵀQf, estimated; and the two parts of its variance, of which the second may be < 0."""
        rest, own = Q @ z, np.diagonal(Q) * v
        spread = 2 * v @ np.square(Q) @ v + (2 * np.square(own) / freedom).sum()
        return np.array([z @ rest - own.sum(), spread, 4 * (rest**2 @ v - v @ np.square(Q) @ v)])

    width = normal_factor(level)
    signal, *spread = form(centre)
    if signal <= width * math.sqrt(spread[0] + max(spread[1], 0.0)):
        return Roughness(d, float(z @ M @ z) / total, leaves / total, nothing)
    # of M - share C, all three are quadratic in the share: known from three shares
    nodes = np.array([-1.0, 0.0, 1.0])
    quadratic = np.polyfit(nodes, np.array([form(M - r * centre) for r in nodes]), 2)
    shares = np.linspace(-0.5, 1.5, 20_001)
    excess, noise, slope = (np.polyval(quadratic[:, i], shares) for i in range(3))
    inside = shares[excess**2 <= width**2 * (noise + np.maximum(slope, 0.0))]
    low, high = (float(inside[0]), float(inside[-1])) if len(inside) else (math.nan, math.nan)
    middle = (float(z @ M @ z) - leaves) / signal
    return Roughness(d, float(z @ M @ z) / total, leaves / total, Interval(middle, low, high))
