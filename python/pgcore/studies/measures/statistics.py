"""Statistics of gradient estimates from their Gram matrix, with intervals."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from pgcore.base.arrays import F64, I64
from pgcore.base.quantiles import t_factor


def cosines(gram: F64) -> F64:
    """Cosine matrix [K, K] of K vectors from their inner products [K, K]; NaN for zero vectors."""
    norms = np.sqrt(np.diagonal(gram))
    with np.errstate(invalid="ignore"):
        return np.asarray(gram / np.outer(norms, norms))


def cosines_to(gram: F64, dot: F64, square: F64) -> F64:
    """Cosines of K vectors to another one; NaN for a vector of length 0.

    Args:
        gram: [..., K, K], their inner products with each other.
        dot: [..., K], with the other one.
        square: [...], its squared norm.
    """
    norms = np.sqrt(np.diagonal(gram, axis1=-2, axis2=-1))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(dot / norms / np.sqrt(square)[..., None])


def mean_pairwise(matrix: F64) -> float:
    """Mean of a symmetric [K, K] matrix over pairs of different items, a U-statistic; else NaN."""
    K = len(matrix)
    if K < 2:
        return math.nan
    return float((matrix.sum() - np.trace(matrix)) / (K * (K - 1)))


def jackknife_interval(
    statistic: Callable[[I64], float], items: int, level: float = 0.95
) -> tuple[float, float, float]:
    """A statistic of K independent items and its jackknife interval with Student's t, K-1 degrees.

    For K = 10 and the mean pairwise cosine, a percentile bootstrap of the items covers 0.90 where
    this covers 0.94 to 0.97 (benchmarks/bench_coverage.py).

    Args:
        statistic: of an array of item numbers.
        items: K.
        level: coverage.

    Returns:
        estimate, low, high.
    """
    everything = np.arange(items)
    whole = statistic(everything)
    without = np.array([statistic(np.delete(everything, i)) for i in range(items)])
    error = math.sqrt((items - 1) / items * np.square(without - without.mean()).sum())
    width = float(t_factor(items - 1, level)) * error
    return whole, whole - width, whole + width


def pairwise_cosine_interval(gram: F64, level: float = 0.95) -> tuple[float, float, float]:
    """Mean pairwise cosine of K estimates and its interval (figure 1).

    The mean is a U-statistic: the K estimates are the independent items, never the K(K-1)/2 pairs.

    Args:
        gram: [K, K] inner products; NaN gives NaN.
        level: coverage.

    Returns:
        estimate, low, high.
    """
    if not np.isfinite(gram).all():
        return np.nan, np.nan, np.nan
    matrix = cosines(gram)

    def transformed(i: I64) -> float:
        # Fisher's z: the error of a cosine shrinks near 1, and its interval stays below 1
        return math.atanh(np.clip(mean_pairwise(matrix[np.ix_(i, i)]), -1 + 1e-12, 1 - 1e-12))

    middle, low, high = jackknife_interval(transformed, len(gram), level)
    return math.tanh(middle), math.tanh(low), math.tanh(high)


def noise_scale_interval(gram: F64, n: int, level: float = 0.95) -> tuple[float, float, float]:
    """B = tr Σ / |g|² in pairs, from K estimates of n pairs each, with a jackknife interval.

    E|ĝ|² = |g|² + tr Σ / n and E⟨ĝ, ĝ'⟩ = |g|², so that B = n (mean |ĝ|² / mean ⟨ĝ, ĝ'⟩ - 1). The
    interval is one of 1/B, which is nearly linear in the estimates; it is turned over. Where the
    estimates do not show that |g| > 0, the upper end is infinite.
    """
    if not np.isfinite(gram).all():
        return np.nan, np.nan, np.nan

    def inverse(i: I64) -> float:
        part = gram[np.ix_(i, i)]
        shared = mean_pairwise(part)
        return shared / (n * max(float(np.diagonal(part).mean()) - shared, 1e-300))

    middle, low, high = jackknife_interval(inverse, len(gram), level)
    turned = [1 / x if x > 0 or np.isnan(x) else np.inf for x in (middle, high, low)]
    return turned[0], turned[1], turned[2]


def mean_interval(values: F64, level: float = 0.95) -> tuple[float, float, float]:
    """Mean of independent values and its interval by Student's t; NaN gives NaN."""
    n = len(values)
    middle = float(values.mean())
    if n < 2:
        return middle, np.nan, np.nan
    width = float(t_factor(n - 1, level) * values.std(ddof=1) / math.sqrt(n))
    return middle, middle - width, middle + width


def skewed_quantiles(skewness: F64, t: F64 | float) -> tuple[F64, F64]:
    """How many standard errors below and above a mean of skewed items its interval reaches.

    As far as Student's, or as Hall's (1992, J. R. Stat. Soc. B 54, 221) where that is farther: few
    skewed items have missed their long tail, and Student's interval is too near on that side. No
    end comes nearer, since the skewness of few items is itself uncertain.

    Args:
        skewness: of the mean, that of its items / sqrt(their number); NaN: as 0.
        t: quantile of Student's t.

    Returns:
        below, above; both at least t.
    """

    def halls(x: F64 | float) -> F64:
        """The quantile of (mean - truth) / error that is x where nothing is skewed."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(3 / skewness * (np.cbrt(1 + skewness * (x - skewness / 6)) - 1))

    return np.fmax(halls(t), t), np.fmax(-halls(-t), t)


def mean_over_trials(values: F64) -> tuple[float, float, float]:
    """:func:`mean_interval` over the trials [T] that have a finite value."""
    finite = values[np.isfinite(values)]
    return mean_interval(finite) if len(finite) else (math.nan, math.nan, math.nan)


def true_noise_scale(square: F64, true_square: F64, streams: F64, stream_pairs: F64) -> F64:
    """B = tr Σ / |g|² in pairs, from the streams of a true gradient; infinite if |g| is not seen.

    Args:
        square: mean over streams of |mean gradient of the stream|².
        true_square: |mean over all streams|².
        streams: their number.
        stream_pairs: pairs of each.
    """
    trace = (square - true_square) * streams / (streams - 1)
    signal = true_signal(square, true_square, streams)
    unseen = np.where(np.isnan(signal), np.nan, np.inf)
    return np.where(signal > 0, stream_pairs * trace / np.where(signal > 0, signal, 1.0), unseen)


def true_signal(square: F64, true_square: F64, streams: F64) -> F64:
    """|g|² of a true gradient without the noise of its streams; unbiased, so it may be below 0.

    Args:
        square, true_square, streams: as of :func:`true_noise_scale`.
    """
    return np.asarray(true_square - (square - true_square) / (streams - 1))


def predicted_pairwise(n: F64, B: F64) -> F64:
    """Mean pairwise cosine of estimates from n pairs: 1 / (1 + B/n)."""
    return np.asarray(1 / (1 + B / n))


def predicted_to_true(n: F64, B: F64) -> F64:
    """Cosine of an estimate from n pairs to the true gradient: (1 + B/n)^(-1/2)."""
    return np.asarray((1 + B / n) ** -0.5)


def interquartile_mean(values: F64) -> F64:
    """Mean of the middle half over the last axis (Agarwal et al. 2021, arXiv:2108.13264)."""
    ordered = np.sort(values, axis=-1)
    n = ordered.shape[-1]
    # fractional weights, so that exactly half of the mass counts for any n
    edges = np.clip(np.arange(n + 1), n / 4, 3 * n / 4)
    weights = np.diff(edges)
    return np.asarray((ordered * weights).sum(-1) / weights.sum())


def iqm_interval(
    values: F64, level: float = 0.95, resamples: int = 2000, seed: int = 0
) -> tuple[F64, F64, F64]:
    """Interquartile mean over trials with its bootstrap interval; NaN bounds for one trial.

    With fewer than six trials the 95 % interval is about their range, which covers the median with
    a probability of 1 - 2^(1-n) only: 75 % with three.

    Args:
        values: [..., trials].

    Returns:
        iqm, low, high, each [...].
    """
    generator = np.random.default_rng(np.random.Philox(key=seed))
    n = values.shape[-1]
    if n == 1:
        unknown = np.full(values.shape[:-1], np.nan)
        return interquartile_mean(values), unknown, unknown
    draws = interquartile_mean(values[..., generator.integers(0, n, size=(resamples, n))])
    tail = 100 * (1 - level) / 2
    low, high = np.percentile(draws, [tail, 100 - tail], axis=-1)
    return interquartile_mean(values), low, high


def iqm_over_trials(values: F64) -> tuple[float, float, float]:
    """:func:`iqm_interval` over the trials [T] that have a finite value."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return math.nan, math.nan, math.nan
    middle, low, high = iqm_interval(finite)
    return float(middle), float(low), float(high)


def iqm_ratio_interval(
    one: F64, other: F64, level: float = 0.95, resamples: int = 2000, seed: int = 0
) -> tuple[float, float, float]:
    """Ratio of the interquartile means of trials [n] and [m], with its bootstrap interval.

    Its ends are NaN where one of them is a single trial.
    """
    middle = float(interquartile_mean(one) / interquartile_mean(other))
    if min(len(one), len(other)) < 2:
        return middle, math.nan, math.nan
    generator = np.random.default_rng(np.random.Philox(key=seed))

    def drawn(values: F64) -> F64:
        return interquartile_mean(generator.choice(values, (resamples, len(values))))

    tail = 100 * (1 - level) / 2
    low, high = np.percentile(drawn(one) / drawn(other), [tail, 100 - tail])
    return middle, float(low), float(high)
