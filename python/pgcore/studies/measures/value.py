"""How far values are from targets."""

from __future__ import annotations

import numpy as np

from pgcore.base.arrays import F64, I64
from pgcore.studies.measures.statistics import jackknife_interval, mean_pairwise

MEASURES = (
    *("mre", "median_re", "squared_re", "normalized", "explained_variance"),
    *("mean_error", "rest"),
)


def error_measures(values: F64, targets: F64) -> F64:
    """Errors of V against targets, in the order of :data:`MEASURES`; float64.

    mre: mean(|V - t| / |t|). median_re: its median. squared_re: mean((V - t)² / |t|), what the
    companion code calls MRE for the GAE target. normalized: root mean square error by the std of
    the targets. explained_variance: 1 - Var(t - V) / Var(t). mean_error: mean(V - t) by the std of
    the targets; rest: std(V - t) by the same, so that normalized² = mean_error² + rest².
    """
    if len(targets) < 2:
        return np.full(len(MEASURES), np.nan)
    error, size = np.abs(values - targets), np.maximum(np.abs(targets), 1e-12)
    spread = max(float(targets.std()), 1e-12)
    return np.array(
        [
            np.mean(error / size),
            np.median(error / size),
            np.mean(error**2 / size),
            np.sqrt(np.mean(error**2)) / spread,
            1 - np.var(targets - values) / spread**2,
            np.mean(values - targets) / spread,
            np.std(values - targets) / spread,
        ]
    )


def total_variance(gram: F64, n: int) -> float:
    """tr Σ per pair: n (mean |ĝ|² - mean ⟨ĝ, ĝ'⟩), unbiased."""
    return float(n * (np.diagonal(gram).mean() - mean_pairwise(gram)))


def variance_removed(one: F64, other: F64) -> tuple[float, float, float]:
    """Share of another baseline's tr Σ that one baseline removes, 1 - ratio, with its interval."""
    ratio, low, high = variance_ratio(one, other)
    return 1 - ratio, 1 - high, 1 - low


def variance_ratio(one: F64, other: F64) -> tuple[float, float, float]:
    """tr Σ of one baseline over that of another, on the same pairs, with its interval.

    The interval is one of the logarithm, turned back: a ratio of variances is skewed and positive.
    """

    def log_ratio(i: I64) -> float:
        part = np.ix_(i, i)
        traces = (max(total_variance(gram[part], 1), 1e-300) for gram in (one, other))
        return float(np.subtract(*np.log(list(traces))))

    middle, low, high = np.exp(jackknife_interval(log_ratio, len(one)))
    return float(middle), float(low), float(high)
