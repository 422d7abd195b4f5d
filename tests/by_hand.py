"""Statistics that tests compare with, by SciPy or by leaving out one row after another."""

import math

import numpy as np
from scipy import stats

VECTORS = np.random.default_rng(1).normal(1.0, 0.7, (6, 5))
GRAM = VECTORS @ VECTORS.T


def unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def student(x, level=0.95):
    """Mean and interval of independent numbers, by SciPy."""
    interval = stats.t.interval(level, len(x) - 1, np.mean(x), stats.sem(x))
    return (np.mean(x), *interval)


def jackknife(function, arrays, level=0.95):
    """Half an interval by hand: leaving out one row of all arrays after another."""
    n = len(arrays[0])
    without = np.array([function(*(np.delete(a, i, 0) for a in arrays)) for i in range(n)])
    return stats.t.ppf((1 + level) / 2, n - 1) * math.sqrt((n - 1) * without.var())
