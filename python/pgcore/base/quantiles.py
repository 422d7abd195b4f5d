"""What intervals multiply an error with, from SciPy's special functions.

`scipy.stats` says the same to the bit and takes a second to load, at the start of every command.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import chdtri, ndtri, stdtr, stdtrit

from pgcore.base.arrays import F64


def t_quantile(probability: float, freedom: ArrayLike) -> Any:
    """Student's t below which a probability lies, of the degrees' shape; NaN without a degree."""
    return stdtrit(freedom, probability)


def t_factor(freedom: ArrayLike, level: float = 0.95) -> Any:
    """Standard errors to each side of a mean that a two-sided interval of Student's t has."""
    return t_quantile(0.5 + level / 2, freedom)


def t_upper_tail(score: F64, freedom: ArrayLike) -> F64:
    """Probability that Student's t is larger than a score."""
    return np.asarray(stdtr(freedom, -score))


def normal_factor(level: float = 0.95) -> float:
    """Standard errors to each side of a mean that a two-sided normal interval has."""
    return float(ndtri(0.5 + level / 2))


def chi2_quantile(probability: float, freedom: ArrayLike) -> Any:
    """Value of chi squared below which a probability lies."""
    return chdtri(freedom, 1 - probability)
