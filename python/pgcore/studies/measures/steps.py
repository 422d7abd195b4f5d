"""Statistics of K independent steps: mean change, spread, share that lowers, tails, correlation.

A step's change is measured with noise of its own, and with the centre's, which all steps share.
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

from pgcore.base.arrays import F64
from pgcore.base.quantiles import normal_factor, t_factor, t_quantile
from pgcore.studies.measures.statistics import mean_interval, skewed_quantiles
from pgcore.studies.measures.surfaces import Interval

_UNKNOWN = Interval(math.nan, math.nan, math.nan)


def mean_change(changes: F64, centre_error: float = 0.0, level: float = 0.95) -> Interval:
    """Mean over independent steps and its interval, the centre's error in it.

    var(mean) = s²/K + e², e of the centre; degrees of freedom by Satterthwaite, where e has many.
    Ends follow the skewness of the changes, see
    :func:`~pgcore.studies.measures.statistics.skewed_quantiles`: with 8 to 20 steps, normal or of
    skewness -2.3, they cover 93 to 96 % where Student's cover 88 to 95 %.

    Args:
        changes: [K], each with its own noise and the centre's.
        centre_error: standard error of the centre; 0 where each step has a centre of its own.
        level: coverage.
    """
    K = len(changes)
    middle = float(changes.mean())
    if K < 2 or not np.isfinite(changes).all():
        return Interval(middle, math.nan, math.nan)
    own = float(changes.var(ddof=1)) / K
    variance = own + centre_error**2
    freedom = (K - 1) * variance**2 / own**2 if own > 0 else math.inf
    t, error = float(t_factor(freedom, level)), math.sqrt(variance)
    third = float(((changes - middle) ** 3).mean()) / K**2  # of the mean; the centre's is 0
    below, above = skewed_quantiles(np.asarray(third / variance**1.5 if variance else 0.0), t)
    return Interval(middle, middle - error * float(below), middle + error * float(above))


def spread(values: F64, errors: F64, level: float = 0.95) -> Interval:
    """Standard deviation between steps with the noise of their evaluation removed.

    sqrt(max(0, s² - mean eₖ²)). The interval is Bonett's of log s² (2006, Computational Statistics
    & Data Analysis 50, p. 775): with c = K / (K - z), z = 1.96, and the kurtosis γ about a trimmed
    mean, log c s² has the standard error c sqrt((γ - (K - 3) / K) / (K - 1)). The noise is taken
    off its ends, which are 0 at least. They lie 1.7 standard errors below and 3.4 above: what a
    sample of skewed steps has missed is their long tail, so that it is the true spread above the
    interval that plain ends miss. With 8 to 20 steps, whether normal, heavy-tailed or of skewness
    2.3, it covers 93 to 98 % (benchmarks/bench_coverage.py); a χ² interval covers 69 to 80 % of the
    skewed.

    Args:
        values: [K], returns or changes (a centre that all share moves none apart).
        errors: [K], each one's own standard error.
        level: coverage.

    Returns:
        The interval; below five steps its ends are NaN.
    """
    K = len(values)
    if K < 2 or not np.isfinite(values).all() or not np.isfinite(errors).all():
        return _UNKNOWN
    noise, square = float(np.square(errors).mean()), float(values.var(ddof=1))
    middle = math.sqrt(max(0.0, square - noise))
    if K < 5 or not square > 0:
        return Interval(middle, *((math.nan, math.nan) if K < 5 else (middle, middle)))
    cut = int(K / (2 * math.sqrt(K - 4)))  # values that the trimmed mean leaves out on each side
    centre = np.sort(values)[cut : K - cut].mean()
    kurtosis = K * float(((values - centre) ** 4).sum()) / ((K - 1) * square) ** 2
    c = K / (K - NormalDist().inv_cdf(0.975))
    error = c * math.sqrt(max(kurtosis - (K - 3) / K, 0.0) / (K - 1))
    return _spread_of(square, noise, math.log(c), error * NormalDist().inv_cdf(_lower(level)))


def spread_over_trials(values: F64, errors: F64, level: float = 0.95) -> Interval:
    """Root mean square over trials of :func:`spread`'s standard deviations, and its interval.

    With the variances s² and noises v of the trials: sqrt(max(0, mean s² - mean v)). The interval
    is a jackknife over trials of log(mean s²), the noise taken off its ends. Student's quantile (T
    - 1 degrees) is taken once below and twice above, as there: with 3 to 24 trials it covers 93 to
    98 %, where the trials' own spreads differ by half of themselves, too.

    Args:
        values, errors: [T, K].
        level: coverage.
    """
    if len(values) == 1:
        return spread(values[0], errors[0], level)
    squares, noise = values.var(axis=1, ddof=1), float(np.square(errors).mean())
    T, total = len(squares), float(squares.sum())
    if not total > 0 or not math.isfinite(total + noise):
        return Interval(0.0, 0.0, 0.0) if total == 0 else _UNKNOWN
    without = np.log((total - squares) / (T - 1))
    error = math.sqrt((T - 1) / T * np.square(without - without.mean()).sum())
    below = float(t_quantile(_lower(level), T - 1))
    return _spread_of(total / T, noise, 0.0, error * below)


def _lower(level: float) -> float:
    """Quantile of a spread's lower end: nearly all of what is missed is given to it."""
    return 1 - 0.9 * (1 - level)


def _spread_of(square: float, noise: float, shift: float, below: float) -> Interval:
    """From a variance, the noise in it, and how far the lower end of its logarithm is."""
    ends = square * np.exp(np.array([shift - below, shift + 2 * below]))
    middle, low, high = np.sqrt(np.maximum(0.0, np.array([square, *ends]) - noise)).tolist()
    return Interval(middle, min(low, middle), high)


def without_noise(values: F64, errors: F64) -> F64:
    """Values [K] drawn to their mean until their variance is that without evaluation noise.

    Constrained empirical Bayes (Louis 1984): x̄ + (xₖ - x̄) sqrt(max(0, s² - mean eₖ²) / s²). Mean
    and variance are those of what was to be measured; a shape that noise has blurred stays blurred.
    NaN where the noise is not known.
    """
    middle, square, noise = values.mean(), values.var(ddof=1), np.square(errors).mean()
    if not np.isfinite([square, noise]).all():
        return np.full_like(values, math.nan)
    kept = max(0.0, square - noise) / square if square > 0 else 0.0
    return np.asarray(middle + (values - middle) * math.sqrt(kept))


def share_interval(count: int, of: int, level: float = 0.95) -> Interval:
    """A share and Wilson's interval (1927), whose mean coverage is nominal from 10 on."""
    return _wilson(count / of, of, level) if of > 0 else _UNKNOWN


def _wilson(share: float, of: float, level: float) -> Interval:
    z = normal_factor(level)
    middle = (share + z * z / (2 * of)) / (1 + z * z / of)
    width = z * math.sqrt(share * (1 - share) / of + (z / (2 * of)) ** 2) / (1 + z * z / of)
    # rounding puts an end of a share of 0 or 1 on its other side
    return Interval(
        share, min(share, max(0.0, middle - width)), max(share, min(1.0, middle + width))
    )


def change_width(errors: F64, count: F64, level: float = 0.95) -> F64:
    """Half of the interval of each change: Student's t with the step's trajectories less one.

    Args:
        errors: standard errors of the changes, the centre's among them.
        count: trajectories of each step, or pairs of them.
        level: coverage.
    """
    return np.asarray(t_factor(np.maximum(count - 1, 1.0), level) * errors)


def clear_shares(changes: F64, widths: F64) -> tuple[float, float]:
    """Shares of the steps whose own interval lies below 0, and above 0.

    Args:
        changes: [K].
        widths: [K], of :func:`change_width`; NaN gives NaN.
    """
    if not np.isfinite(widths).all():
        return math.nan, math.nan
    return float((changes + widths < 0).mean()), float((changes - widths > 0).mean())


def lower_tail(returns: F64, errors: F64, fraction: float = 0.5) -> float:
    """Left-tail probability of post-update returns: P(R(θ') < fraction · E R(θ')).

    Rahn et al. 2023 (arXiv:2309.14597), with evaluation noise removed (:func:`without_noise`). NaN
    where the mean return is not positive: then a fraction of it is no lower return.
    """
    if not returns.mean() > 0:
        return math.nan
    there = without_noise(returns, errors)
    return math.nan if np.isnan(there).any() else float((there < fraction * returns.mean()).mean())


def lower_mean(returns: F64, errors: F64, share: float = 0.1) -> float:
    """CVaR: mean of the lowest ``share`` of post-update returns, evaluation noise removed.

    Rahn et al. 2023. The mass at the quantile counts by its fraction, so that exactly ``share`` of
    it is averaged (K = 20: the two lowest).
    """
    ordered = np.sort(without_noise(returns, errors))
    K = len(ordered)
    weights = np.diff(np.minimum(np.arange(K + 1), share * K))
    return float((ordered * weights).sum() / weights.sum())


def correlation(one: F64, other: F64, level: float = 0.95) -> Interval:
    """Pearson's correlation with Fisher's interval; unknown below four pairs."""
    n = len(one)
    r = float(_correlations(one, other))
    if n < 4 or math.isnan(r):
        return _UNKNOWN
    width = normal_factor(level) / math.sqrt(n - 3)
    return Interval(r, math.tanh(math.atanh(r) - width), math.tanh(math.atanh(r) + width))


def _correlations(one: F64, other: F64) -> F64:
    """Pearson's of [..., K], below 1 so that Fisher's z is finite; NaN where one is constant."""
    a, b = (x - x.mean(axis=-1, keepdims=True) for x in (one, other))
    squares = np.square(a).sum(axis=-1) * np.square(b).sum(axis=-1)
    with np.errstate(invalid="ignore"):
        r = (a * b).sum(axis=-1) / np.sqrt(squares)
    return np.asarray(np.clip(r, -1 + 1e-12, 1 - 1e-12))


def within_trials(one: F64, other: F64, level: float = 0.95) -> Interval:
    """Correlation between the steps of a trial, over trials: Student's t of Fisher's z, T - 1.

    Each trial's z is less its bias r / 2(K - 1). Trials are the units: their correlations and
    spreads may differ, where Fisher's interval of all steps together covers 61 to 83 % (T = K = 8).
    Of one trial it is Fisher's over its steps.

    Args:
        one, other: [T, K]; a trial without a correlation (a constant, K < 4) is left out.
        level: coverage.
    """
    if len(one) == 1:
        return correlation(one[0], other[0], level)
    r = _correlations(one, other)
    r = r[np.isfinite(r)]
    if one.shape[1] < 4 or not len(r):
        return _UNKNOWN
    z = mean_interval(np.arctanh(r) - r / (2 * (one.shape[1] - 1)), level)
    return Interval(math.tanh(z[0]), math.tanh(z[1]), math.tanh(z[2]))


def reliability(values: F64, errors: F64) -> float:
    """Share of the variance between steps [..., K] that is no evaluation noise, over all trials.

    Noise in one of two variables lowers their correlation by the root of this (Spearman 1904).
    """
    square, noise = float(values.var(axis=-1, ddof=1).mean()), float(np.square(errors).mean())
    known = square > 0 and math.isfinite(noise)
    return max(0.0, square - noise) / square if known else math.nan


def over_trials(values: F64, level: float = 0.95) -> Interval:
    """Mean over trials of a statistic [T] of their steps, and its interval (Student's t, T-1).

    Trials are the units: what their steps and centres add is in the differences between trials. To
    resample trials and then steps covers too little with few trials (see the tests).
    """
    return Interval(*mean_interval(values, level))


def share_over_trials(counts: F64, of: F64, level: float = 0.95) -> Interval:
    """Mean over trials of the share of their steps, and an interval for it.

    Wilson's with as many steps as have the variance that trials show, p (1 - p) / Var, less for
    Student's T - 1 degrees (Korn and Graubard 1998, Survey Methodology 24, p. 193); and no narrower
    than Wilson's over all steps: equal shares in few trials leave no spread between them. With 6
    and 8 trials of 8 steps, whose shares are equal or differ, it covers 93 to 99 %, and 90 % where
    a trial's share is nearly 0 or 1; Student's over trials there covers 82 %.

    Args:
        counts, of: [T], steps that count, and steps; trials without steps are left out.
        level: coverage.
    """
    there = of > 0
    if not there.any():
        return _UNKNOWN
    counts, of = counts[there], of[there]
    T, steps = len(of), float(of.sum())
    pooled = share_interval(int(counts.sum()), int(steps), level)
    if T == 1:
        return pooled
    shares = counts / of
    share, variance = float(shares.mean()), float(shares.var(ddof=1)) / T
    if variance == 0:
        return Interval(share, pooled.low, pooled.high)
    ratio = normal_factor(level) / float(t_factor(T - 1, level))
    own = _wilson(share, min(steps, share * (1 - share) / variance) * ratio**2, level)
    return Interval(share, min(own.low, pooled.low), max(own.high, pooled.high))


def resampled_trials(
    values: F64, level: float = 0.95, resamples: int = 2000, seed: int = 0
) -> Interval:
    """Mean of steps of trials [T, K], and its hierarchical bootstrap: trials, then their steps."""
    generator = np.random.default_rng(np.random.Philox(key=seed))
    T, K = values.shape
    trial = generator.integers(0, T, size=(resamples, T, 1))
    step = generator.integers(0, K, size=(resamples, T, K))
    draws = values[trial, step].mean(axis=(1, 2))
    tail = 100 * (1 - level) / 2
    low, high = np.percentile(draws, [tail, 100 - tail])
    return Interval(float(values.mean()), float(low), float(high))
