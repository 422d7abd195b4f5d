"""Predictions of value against Monte Carlo values: what is missed, in all and in the mean."""

from __future__ import annotations

import math

import numpy as np

from pgcore.base.arrays import F64, I64
from pgcore.studies.measures.statistics import jackknife_interval


def noise_share(values: F64, errors: F64) -> float:
    """Mean squared standard error of Monte Carlo values [B] over the variance of value.

    The variance is freed of the noise; NaN where the values do not differ by more than their noise.
    """
    noise = float(np.square(errors).mean())
    variance = float(values.var(ddof=1)) - noise
    return noise / variance if variance > 0 else math.nan


def misfit(prediction: F64, values: F64, errors: F64) -> tuple[float, float]:
    """Shares of the variance of value over states that a prediction misses.

    Args:
        prediction, values, errors: [B], of states; Monte Carlo values and their standard errors.

    Returns:
        The mean squared error with the noise of the Monte Carlo values taken off, and that noise,
        each over the variance of value (itself freed of the noise).
    """
    share, noise = noise_share(values, errors), float(np.square(errors).mean())
    if math.isnan(share):
        return math.nan, math.nan
    variance = float(values.var(ddof=1)) - noise
    return (float(np.square(prediction - values).mean()) - noise) / variance, share


def misfit_interval(
    prediction: F64, values: F64, errors: F64, level: float = 0.95
) -> tuple[float, float, float]:
    """The first number of :func:`misfit`, 0 at least, and its interval over states, likewise.

    A jackknife interval of log(mean squared error / variance), as measured; the noise is taken off
    its ends. NaN where the values do not differ by more than their noise.
    """
    noise, variance = float(np.square(errors).mean()), float(values.var(ddof=1))
    if not variance > noise:
        return math.nan, math.nan, math.nan

    def log_ratio(i: I64) -> float:
        return math.log(np.square(prediction[i] - values[i]).mean() / values[i].var(ddof=1))

    _, low, high = jackknife_interval(log_ratio, len(values), level)
    low, high = (
        max((math.exp(x) * variance - noise) / (variance - noise), 0.0) for x in (low, high)
    )
    return max(misfit(prediction, values, errors)[0], 0.0), low, high


def misfit_parts(
    prediction: F64, values: F64, errors: F64, level: float = 0.95
) -> tuple[float, ...]:
    """The first number of :func:`misfit`, split into squared mean error and rest.

    Over states E e² = μ² + τ², e = prediction - value: what a constant would mend, and the rest. Of
    B states with mean error ē, variance s² of the errors and noise v of the Monte Carlo values,
    μ² is ē² - s²/B (of which noise is v/B) and τ² is s² - v, both unbiased; their sum is the mean
    squared error less v. Each is divided by the variance of value.

    Args:
        prediction, values, errors: [B], of states; Monte Carlo values and their standard errors.
        level: coverage.

    Returns:
        The mean error in standard deviations of value, positive where the prediction is too high;
        its square (noise taken off, 0 at least); the rest, likewise; each with its interval over
        states: a jackknife of ē / std, its square, and a jackknife of log s². NaN where the values
        do not differ by more than their noise.
    """
    B, noise = len(values), float(np.square(errors).mean())
    variance = float(values.var(ddof=1)) - noise
    if not variance > 0:
        return (math.nan,) * 9
    error = prediction - values
    own = float(error.var(ddof=1))

    def mean(i: I64) -> float:
        spread = max(float(values[i].var(ddof=1)) - noise, 1e-300)
        return float(error[i].mean()) / math.sqrt(spread)

    middle, low, high = jackknife_interval(mean, B, level)
    square = max((float(error.mean()) ** 2 - own / B) / variance, 0.0)
    least = 0.0 if low <= 0 <= high else min(low**2, high**2)
    squares = (square, min(least, square), max(low**2, high**2))
    return middle, low, high, *squares, *_rest(error, values, noise, level)


def _rest(error: F64, values: F64, noise: float, level: float) -> tuple[float, float, float]:
    """Variance of the error over that of value, noise taken off both and the interval's ends."""
    whole = float(values.var(ddof=1))

    def log_ratio(i: I64) -> float:
        return math.log(max(float(error[i].var(ddof=1)), 1e-300) / values[i].var(ddof=1))

    _, *ends = jackknife_interval(log_ratio, len(values), level)
    shares = [float(error.var(ddof=1)) / whole, *(math.exp(x) for x in ends)]
    middle, low, high = (max((x * whole - noise) / (whole - noise), 0.0) for x in shares)
    return middle, low, high
