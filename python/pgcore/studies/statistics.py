"""Statistics of gradient estimates from their Gram matrix, with intervals."""

from __future__ import annotations

import numpy as np

from pgcore.arrays import F64


def cosines(gram: F64) -> F64:
    """Cosine matrix [K, K] of K vectors from their inner products [K, K]."""
    norms = np.sqrt(np.diagonal(gram))
    return np.asarray(gram / np.outer(norms, norms))


def mean_pairwise(matrix: F64, counts: F64 | None = None) -> F64:
    """Mean of a symmetric [K, K] matrix over pairs of different items.

    Args:
        matrix: [K, K].
        counts: [..., K], how often each item is in a resample; a pair counts as often as it is
            drawn, and an item is never paired with its own copy. None: each once.

    Returns:
        [...].
    """
    off = matrix - np.diag(np.diagonal(matrix))
    w = np.ones(len(matrix)) if counts is None else counts
    total = (w @ off * w).sum(-1)
    pairs = w.sum(-1) ** 2 - (w * w).sum(-1)
    return np.asarray(total / np.where(pairs > 0, pairs, np.nan))


def resample_counts(items: int, resamples: int, seed: int) -> F64:
    """How often each of K items is drawn in bootstrap resamples of size K: [resamples, K]."""
    generator = np.random.default_rng(np.random.Philox(key=seed))
    draws = generator.integers(0, items, size=(resamples, items))
    return np.stack([np.bincount(d, minlength=items) for d in draws]).astype(np.float64)


def pairwise_cosine_interval(
    gram: F64, level: float = 0.95, resamples: int = 2000, seed: int = 0
) -> tuple[float, float, float]:
    """Mean pairwise cosine of K estimates and its bootstrap interval.

    The mean is a U-statistic, so the K estimates are resampled, never the K(K-1)/2 pairs.

    Args:
        gram: [K, K] inner products; NaN gives NaN.
        level: coverage of the interval.
        resamples: bootstrap samples.
        seed: of the resampling.

    Returns:
        estimate, low, high.
    """
    if not np.isfinite(gram).all():
        return np.nan, np.nan, np.nan
    matrix = cosines(gram)
    values = mean_pairwise(matrix, resample_counts(len(gram), resamples, seed))
    tail = 100 * (1 - level) / 2
    low, high = np.nanpercentile(values, [tail, 100 - tail])
    return float(mean_pairwise(matrix)), float(low), float(high)


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
    """Interquartile mean over trials with its bootstrap interval.

    Args:
        values: [..., trials].

    Returns:
        iqm, low, high, each [...].
    """
    generator = np.random.default_rng(np.random.Philox(key=seed))
    n = values.shape[-1]
    draws = np.stack(
        [
            interquartile_mean(values[..., generator.integers(0, n, size=n)])
            for _ in range(resamples)
        ]
    )
    tail = 100 * (1 - level) / 2
    low, high = np.percentile(draws, [tail, 100 - tail], axis=0)
    return interquartile_mean(values), low, high
