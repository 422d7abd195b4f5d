"""Numbers of expressions, as the C library has them: plain Python, one entry after another."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable

import numpy as np

Vector = list[float]


def _or_nan(function: Callable[..., float], at_pole: float) -> Callable[..., float]:
    """A function of :mod:`math` that returns what the C library does, and raises nothing."""

    def safe(*x: float) -> float:
        try:
            return function(*x)
        except OverflowError:
            return math.inf
        except ValueError:
            return at_pole if 0.0 in x[:1] else math.nan

    return safe


def product(x: float, times: int) -> float:
    """``x * x * ...``, as a small whole power is written out."""
    result = x
    for _ in range(times - 1):
        result *= x
    return result


def _power(x: float, y: float) -> float:
    return float(np.float64(x) ** np.float64(y)) if x <= 0.0 else _or_nan(math.pow, math.inf)(x, y)


def _divide(x: float, y: float) -> float:
    with np.errstate(all="ignore"):
        return float(np.float64(x) / np.float64(y))


def smaller(x: float, y: float) -> float:
    """The smaller one; a NaN ahead stays."""
    return x if x <= y or math.isnan(x) else y


def larger(x: float, y: float) -> float:
    """The larger one; a NaN ahead stays."""
    return x if x >= y or math.isnan(x) else y


OF_ONE: dict[str, Callable[[float], float]] = {
    "abs": abs,
    "sqrt": _or_nan(math.sqrt, math.nan),
    "exp": _or_nan(math.exp, math.nan),
    "log": _or_nan(math.log, -math.inf),
    "sin": _or_nan(math.sin, math.nan),
    "cos": _or_nan(math.cos, math.nan),
    "tanh": math.tanh,
}
OPERATORS: dict[type[ast.AST], Callable[[float, float], float]] = {
    ast.Add: lambda x, y: x + y,
    ast.Sub: lambda x, y: x - y,
    ast.Mult: lambda x, y: x * y,
    ast.Div: _divide,
    ast.Pow: _power,
    ast.Lt: lambda x, y: float(x < y),
    ast.LtE: lambda x, y: float(x <= y),
    ast.Gt: lambda x, y: float(x > y),
    ast.GtE: lambda x, y: float(x >= y),
    ast.Eq: lambda x, y: float(x == y),
    ast.NotEq: lambda x, y: float(x != y),
    ast.And: lambda x, y: float(x != 0.0 and y != 0.0),
    ast.Or: lambda x, y: float(x != 0.0 or y != 0.0),
}


def each(function: Callable[..., float], *vectors: Vector) -> Vector:
    """A function of every entry; a vector of one entry counts for all."""
    n = max(len(v) for v in vectors)
    return [function(*(v[i if len(v) > 1 else 0] for v in vectors)) for i in range(n)]


def fold(function: Callable[[float, float], float], values: Vector, start: float) -> float:
    """One number of all entries, from left to right."""
    result = start
    for x in values:
        result = function(result, x)
    return result


def total(values: Vector) -> float:
    """The sum, from left to right."""
    return fold(lambda before, x: before + x, values, 0.0)


def bell(x: float, low: float, high: float, margin: float, at_margin: float) -> float:
    """1 within the bounds, and outside a Gaussian of ``at_margin`` at the margin."""
    if low <= x <= high:
        return 1.0
    if margin == 0.0:
        return x if math.isnan(x) else 0.0
    outside = low - x if x < low else x - high
    distance = _divide(outside, margin) * math.sqrt(-2.0 * math.log(at_margin))
    return OF_ONE["exp"](-0.5 * (distance * distance))
